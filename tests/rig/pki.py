"""The certificate authority and keys of a test cluster, made with the openssl command line."""

import shutil
import subprocess
from pathlib import Path

from .tools import ToolMissing


def _openssl(*args: str | Path) -> None:
    if not shutil.which("openssl"):
        raise ToolMissing("openssl is needed to make the test cluster's certificates (Debian: openssl)")
    done = subprocess.run(["openssl", *map(str, args)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"openssl {args[0]} failed: {done.stderr}")


def _key(path: Path) -> Path:
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)
    return path


def make_ca(folder: Path, name: str) -> None:
    """`<name>.key` and the self-signed `<name>.crt`, valid for 2 days."""
    key = _key(folder / f"{name}.key")
    _openssl(
        *(
            "req",
            "-x509",
            "-new",
            "-key",
            key,
            "-subj",
            f"/CN={name}",
            "-days",
            "2",
            "-out",
            folder / f"{name}.crt",
        ),
        *("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"),
    )


def issue(folder: Path, name: str, ca: str, subject: str, extensions: dict[str, str]) -> None:
    """`<name>.key` and `<name>.crt`, signed by `<ca>.key`, valid for 2 days."""
    key, request, conf = _key(folder / f"{name}.key"), folder / f"{name}.csr", folder / f"{name}.ext"
    conf.write_text("".join(f"{k}={v}\n" for k, v in extensions.items()))
    _openssl("req", "-new", "-key", key, "-subj", subject, "-out", request)
    _openssl(
        *("x509", "-req", "-in", request, "-CA", folder / f"{ca}.crt", "-CAkey", folder / f"{ca}.key"),
        *("-CAcreateserial", "-days", "2", "-extfile", conf, "-out", folder / f"{name}.crt"),
    )


def make_signing_key(folder: Path, name: str) -> None:
    """`<name>.key` and `<name>.pub`, for signing ServiceAccount tokens."""
    _openssl("ec", "-in", _key(folder / f"{name}.key"), "-pubout", "-out", folder / f"{name}.pub")
