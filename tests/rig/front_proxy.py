"""Who the API server is towards the extension API servers behind it, and how that identity is replaced while all of them run."""

from pathlib import Path
from typing import TYPE_CHECKING

from . import pki
from .proc import wait_until

if TYPE_CHECKING:
    from .cluster import Cluster

NAME = "front-proxy-client"
CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"


class FrontProxy:
    """The authority, the certificate and the flags that name them. kube-apiserver reads the files again when they change."""

    def __init__(self, folder: Path) -> None:
        """Makes the first authority and certificate."""
        self._folder, self._authorities_made, self._certificates_made = folder, 0, 0
        self.authorities: list[str] = []
        """The names of the authorities' files, the oldest first: those in the bundle."""
        self._make_authority()
        self._write_bundle()
        self.replace_certificate()

    @property
    def flags(self) -> list[str]:
        """What makes kube-apiserver one that has an aggregation layer."""
        return [
            f"--requestheader-client-ca-file={self._folder}/front-proxy-ca.crt",
            f"--requestheader-allowed-names={NAME}",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-username-headers=X-Remote-User",
            f"--proxy-client-cert-file={self._folder}/{NAME}.crt",
            f"--proxy-client-key-file={self._folder}/{NAME}.key",
        ]

    # --- replacing it, in this order

    def trust_another_authority(self, cluster: "Cluster") -> None:
        """Adds a new authority, and waits until the API server tells everybody of both."""
        self._make_authority()
        self._write_bundle()
        wait_until(lambda: self.told(cluster) == set(self.authorities), "both authorities in the ConfigMap")

    def replace_certificate(self) -> None:
        """A certificate of the newest authority takes the place of the one that the API server shows."""
        certificate, key = self.certificate()
        for made in (key, certificate):
            made.rename(self._folder / f"{NAME}{made.suffix}")

    def forget_the_old_authority(self, cluster: "Cluster") -> str:
        """Only the newest authority counts from now on; the name of the one before it.

        The API server never takes an authority out of the ConfigMap before it expires, because another API server may use it. So the
        ConfigMap is deleted, as an administrator would do, and the API server makes it again, with what it knows itself.
        """
        old = self.authorities.pop(0)
        self._write_bundle()

        def forgotten() -> bool:
            if old in self.told(cluster):
                cluster.admin.delete(CONFIG_MAP)
                return False
            return self.told(cluster) == set(self.authorities)

        wait_until(forgotten, "the old authority out of the ConfigMap", every=0.2)
        return old

    # --- what is there

    def told(self, cluster: "Cluster") -> set[str]:
        """The names of those authorities that the ConfigMap for extension API servers holds."""
        if not cluster.admin.exists(CONFIG_MAP):
            return set()
        bundle = cluster.admin.get(CONFIG_MAP)["data"].get("requestheader-client-ca-file", "")
        names = [f"front-proxy-ca-{n}" for n in range(1, self._authorities_made + 1)]
        return {name for name in names if (self._folder / f"{name}.crt").read_text().strip() in bundle}

    def certificate(self, name: str = NAME, authority: str = "") -> tuple[Path, Path]:
        """A new client certificate and its key, of the newest authority where no other is named."""
        self._certificates_made += 1
        file, authority = f"front-proxy-{self._certificates_made}", authority or self.authorities[-1]
        pki.issue(self._folder, file, authority, f"/CN={name}", {"extendedKeyUsage": "clientAuth"})
        return self._folder / f"{file}.crt", self._folder / f"{file}.key"

    def _make_authority(self) -> None:
        self._authorities_made += 1
        self.authorities.append(f"front-proxy-ca-{self._authorities_made}")
        pki.make_ca(self._folder, self.authorities[-1])

    def _write_bundle(self) -> None:
        new = self._folder / "front-proxy-ca.new"
        new.write_text("".join((self._folder / f"{name}.crt").read_text() for name in self.authorities))
        new.rename(self._folder / "front-proxy-ca.crt")
