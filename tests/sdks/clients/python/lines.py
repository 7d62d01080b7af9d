"""What every client here does: for each line of the input, one call and one line of output. `new` makes a new SDK client first."""

import json
import sys


def serve(make, call) -> None:
    """`make()` gives a client, `call(client)` says who it is for AWS."""
    client = None
    for line in sys.stdin:
        try:
            if line.strip() == "new" or client is None:
                client = make()
            answer = {"identity": call(client)}
        except Exception as error:  # noqa: BLE001 - whatever a user would see
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
