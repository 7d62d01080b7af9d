"""Real AWS SDKs against a real `deputy-agent` (docs/compatibility.md). Run by `make sdks`."""
