"""`deputy-agent` itself, as the sidecar of a pod that is not there."""

import secrets
import socket
from pathlib import Path

from rig.ports import free_port
from rig.proc import NotReady, Process
from rig.tools import cargo_binary

from .broker import Broker, Certificates


class Agent:
    """The agent of one pod, with a token that its broker accepts. It may be started more than once, and each time holds nothing."""

    def __init__(self, folder: Path, broker: Broker, certificates: Certificates, host: str = "127.0.0.1") -> None:
        folder.mkdir(parents=True)
        self._folder, self._broker, self._host, self._port = folder, broker, host, 0
        self._token_file = folder / "token"
        self._process: Process | None = None
        self._env = {
            "DEPUTY_BROKER_URL": broker.url,
            "DEPUTY_BROKER_CA": certificates.authority,
            "DEPUTY_TOKEN_FILE": str(self._token_file),
            "DEPUTY_WAIT_FOR": "listener",
        }
        self.rotate_token()

    @property
    def authority(self) -> str:
        """HOST:PORT, once it was started."""
        return f"[{self._host}]:{self._port}" if ":" in self._host else f"{self._host}:{self._port}"

    def start(self) -> None:
        """Starts it, or ends it and starts another in its place, on the same port."""
        self.stop()
        tries = 1 if self._port else 3
        for left in reversed(range(tries)):
            self._port = self._port if tries == 1 else free_port()
            env = {**self._env, "DEPUTY_LISTEN": self.authority}
            self._process = Process("deputy-agent", [cargo_binary("deputy-agent")], self._folder / "agent.log", env)
            try:
                self._process.wait_ready(self._listens)
                return
            except NotReady:
                # Somebody else's server took the port after it was found free.
                if not left or "Address already in use" not in self._process.tail():
                    raise

    def _listens(self) -> bool:
        socket.create_connection((self._host, self._port), timeout=1).close()
        return True

    def stop(self) -> None:
        """Ends it, if it runs."""
        if self._process:
            self._process.stop(timeout=3)

    def __enter__(self) -> "Agent":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def rotate_token(self) -> None:
        """A new token, as the kubelet replaces the old one: by renaming."""
        new = self._token_file.with_suffix(".new")
        self._broker.tokens.append(secrets.token_urlsafe(600))
        new.write_text(self._broker.token)
        new.rename(self._token_file)

    def environment(self) -> dict[str, str]:
        """What the webhook puts into the application's container."""
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{self.authority}/v1/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(self._token_file),
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
