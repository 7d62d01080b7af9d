"""Tells one story: `STORY` says which folder of `examples/` (the main job if it says nothing), `KEEP` leaves it running."""

import os
import signal
import sys
import tempfile
import textwrap
import time
from pathlib import Path

from rig.tools import binary

from .stage import Stage
from .stories import STORIES
from .telling import NotAsTold, chapter


def keep(stage: Stage) -> None:
    """Says how to play with what runs, and waits."""
    chapter("Left running")
    print(textwrap.dedent(f"""
        export KUBECONFIG={stage.cluster.kubeconfig} PATH={binary("kubectl").parent}:$PATH
        kubectl get deputy -A
        kubectl apply -f examples/refused/another-bucket.yaml

        # AWS as its administrator, where the command aws is installed
        export AWS_ENDPOINT_URL={stage.aws.direct_url} AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1
        aws iam list-roles

        # logs
        ls {stage.folder}/*.log

        Ctrl-C ends it.
        """), flush=True)
    signal.sigwait({signal.SIGINT, signal.SIGTERM})


def main() -> int:
    name = os.environ.get("STORY") or "productionapp"
    if name not in STORIES:
        print(f"there is no story {name!r}; STORY is one of {', '.join(STORIES)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="deputy-demo-") as folder:
        stage = Stage(Path(folder))
        story = STORIES[name](stage)
        began = time.monotonic()
        try:
            stage.start()
            story.run(keep=bool(os.environ.get("KEEP")))
            if os.environ.get("KEEP"):
                keep(stage)
        except NotAsTold as error:
            print(f"\nNOT AS TOLD: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
        finally:
            story.stop()
            stage.stop()
        chapter(f"All as told, in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
