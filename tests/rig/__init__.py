"""What the demo, the integration suite and the benchmarks run against: an API server and AWS doubles on 127.0.0.1.

Run with the Python of `hack/tools/tool venv clients` and with `tests/` on the path.
"""
