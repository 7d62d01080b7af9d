"""Whether a secret got to where it must not be. Everything that was secret while a Deputy ran is known here, and is looked for in everything that
it wrote, or had written: logs, metrics, the API server's audit log, and etcd's files, which hold each version of each object."""

import base64
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from .aws import Aws
from .cluster import Cluster
from .deputy import NAMESPACE, Deputy

_SHORTEST = 16
"""Shorter texts are no secrets of Deputy's or AWS's, and would be found by chance."""
_AUTHORITIES = ("deputy-broker-ca", "deputy-webhook-ca")


def handed_out(cluster: Cluster, aws: Aws, deputy: Deputy) -> set[str]:
    """Tokens, secret keys and session tokens: of pods, processes and people."""
    secrets = deputy.secrets | cluster.tokens | aws.recorder.secrets
    secrets |= {identity.secret_access_key for identity in deputy.identities.values()}
    return {secret for secret in secrets if len(secret) >= _SHORTEST}


def private_keys(cluster: Cluster) -> set[str]:
    """Of Deputy's authorities: each line of them. They are in Secrets, and so in etcd."""
    lines: set[str] = set()
    for name in _AUTHORITIES:
        path = f"/api/v1/namespaces/{NAMESPACE}/secrets/{name}"
        data = cluster.admin.get(path).get("data", {}) if cluster.admin.exists(path) else {}
        for key in ("ca.key", "next.key"):
            text = base64.b64decode(data.get(key, "")).decode()
            lines |= {line for line in text.splitlines() if not line.startswith("-----") and len(line) >= _SHORTEST}
    return lines


def logs(deputy: Deputy) -> list[Path]:
    """Of all processes and agents, in all their lives."""
    return [*deputy.folder.glob("*.log"), *deputy.folder.glob("agent-*/agent.log")]


def stored(cluster: Cluster) -> list[Path]:
    """The files of etcd: every version of every object, events too, until they are compacted, and longer in its log."""
    return [path for path in (cluster.folder / "etcd").rglob("*") if path.is_file()]


def found(secrets: Iterable[str], files: Iterable[Path]) -> list[str]:
    """Which files hold secrets, each with the beginning of one; as they are, or in base64."""
    texts = {text for secret in secrets for text in (secret, base64.b64encode(secret.encode()).decode())}
    files = [path for path in files if path.is_file()]
    if not texts or not files:
        return []
    with tempfile.NamedTemporaryFile("w", prefix="canaries-") as patterns:
        patterns.write("\n".join(sorted(texts)))
        patterns.flush()
        command = ["grep", "--text", "--only-matching", "--with-filename", "--fixed-strings", f"--file={patterns.name}", "--", *files]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode > 1:
        raise RuntimeError(f"grep: {done.stderr}")
    lines = (line.rpartition(":") for line in done.stdout.splitlines())
    return sorted({f"{file}: {secret[:6]}…" for file, _, secret in lines})


def leaks(cluster: Cluster, aws: Aws, deputy: Deputy, metrics: Iterable[str] = ()) -> list[str]:
    """What must be nothing. `metrics` are the pages of processes that run no more."""
    given, keys = handed_out(cluster, aws, deputy), private_keys(cluster)
    with tempfile.NamedTemporaryFile("w", prefix="metrics-") as pages:
        pages.write("\n".join(metrics))
        pages.flush()
        written = [*logs(deputy), cluster.audit_log, *(cluster.folder / "log").glob("*.log"), Path(pages.name)]
        return found(given | keys, written) + found(given, stored(cluster))
