"""The AWS CLI, loaded once: that takes ten times as long as a call. A program `aws` hands its arguments to a process that forks for each."""

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

if __name__ != "__main__":
    from .tools import venv

# What scripts find as `aws`: arguments and answers with their lengths, by bash alone.
_PROGRAM = """#!/usr/bin/env bash
export LC_ALL=C
exec 3<>/dev/tcp/127.0.0.1/{port}
printf '%s\\0' "$#" "$@" >&3
read -r code out err <&3
IFS= read -r -N "$out" answer <&3
IFS= read -r -N "$err" errors <&3
printf %s "$answer"
printf %s "$errors" >&2
exit "$code"
"""


class AwsCli:
    """A folder for PATH with a program `aws` that calls the double at `url`."""

    def __init__(self, folder: Path, url: str, environment: dict[str, str]) -> None:
        self.folder = folder
        self._process = subprocess.Popen(
            [venv("sdk-awscli") / "bin" / "python", __file__],
            env=environment | {"AWS_ENDPOINT_URL": url, "PYTHONPATH": ""},
            stdout=subprocess.PIPE,
            text=True,
        )
        port = self._process.stdout.readline().strip()
        program = folder / "aws"
        program.write_text(_PROGRAM.format(port=port))
        program.chmod(0o755)

    def __enter__(self) -> "AwsCli":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


def _arguments(connection: socket.socket) -> list[str]:
    words = b""
    while words.count(b"\0") < 1 or words.count(b"\0") <= int(words.split(b"\0", 1)[0]):
        read = connection.recv(65536)
        if not read:
            return []
        words += read
    return [word.decode() for word in words.split(b"\0")[1:-1]]


def _call(driver: object, arguments: list[str]) -> bytes:
    """Code, standard output and standard error of a call in a process of its own."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if not child:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            code = driver.main(arguments)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        answers = []
        for file in (out, err):
            file.seek(0)
            answers.append(file.read())
    return f"{code} {len(answers[0])} {len(answers[1])}\n".encode() + b"".join(answers)


def main() -> None:
    """Serves until it is killed; prints its port first."""
    from awscli.clidriver import create_clidriver

    driver = create_clidriver()
    for service in ("iam", "sts", "eks", "organizations"):
        driver.session.get_service_model(service)
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            connection, _ = server.accept()
            with connection:
                connection.sendall(_call(driver, _arguments(connection)))


if __name__ == "__main__":
    main()
