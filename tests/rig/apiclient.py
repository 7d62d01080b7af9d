"""Plain requests to a Kubernetes API server: faster than a kubectl process each, and with the status at hand."""

import http.client
import json
import ssl
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path


class ApiError(RuntimeError):
    """A response of 400 or above. `reason` is the Status object's (`NotFound`, `Forbidden`, `Invalid`, …)."""

    def __init__(self, method: str, path: str, code: int, status: Mapping | str) -> None:
        self.code = code
        self.reason = status.get("reason", "") if isinstance(status, Mapping) else ""
        self.message = status.get("message", "") if isinstance(status, Mapping) else str(status)
        self.status = status
        super().__init__(f"{method} {path}: {code} {self.reason} {self.message}")


class ApiClient:
    """Requests with one bearer token or client certificate; a connection each, so it is safe to share between threads."""

    def __init__(
        self, url: str, ca_file: Path, token: str = "", certificate: tuple[Path, Path] | None = None
    ) -> None:
        """`certificate` is that of a client, with its key."""
        parts = urllib.parse.urlsplit(url)
        self._host, self._port, self._token = parts.hostname, parts.port, token
        self._tls = ssl.create_default_context(cafile=str(ca_file))
        if certificate:
            self._tls.load_cert_chain(*certificate)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        content_type: str = "application/json",
        timeout: float = 30,
    ) -> dict | str:
        """One request, with bytes as they are and anything else as JSON; the parsed JSON, or the text of a plain answer. Raises ApiError from 400 up."""
        kind, text = self._request(method, path, body, content_type, timeout)
        return json.loads(text) if "json" in kind else text

    def watch(self, path: str, seconds: int = 1) -> list[dict]:
        """The events of a collection during that time, the objects already there first."""
        _, text = self._request("GET", f"{path}?watch=true&timeoutSeconds={seconds}", None, "", seconds + 30)
        return [json.loads(line) for line in text.splitlines()]

    def warnings(
        self, method: str, path: str, body: object = None, content_type: str = "application/json"
    ) -> list[str]:
        """One request that must succeed; the warnings that came with the answer, as kubectl prints them."""
        warnings: list[str] = []
        self._request(method, path, body, content_type, 30, warnings)
        return warnings

    def _request(
        self,
        method: str,
        path: str,
        body: object,
        content_type: str,
        timeout: float,
        warnings: list[str] | None = None,
    ) -> tuple[str, str]:
        connection = http.client.HTTPSConnection(self._host, self._port, timeout=timeout, context=self._tls)
        headers = {"Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body)
            headers["Content-Type"] = content_type
        try:
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        if warnings is not None:
            # RFC 9111: a code, an agent, a quoted text, which is UTF-8 here.
            found = [value.encode("latin-1").decode() for value in response.msg.get_all("Warning") or []]
            warnings += [json.loads(value.split(" ", 2)[2]) for value in found]
        kind = response.getheader("Content-Type", "")
        if response.status >= 400:
            raise ApiError(method, path, response.status, json.loads(text) if "json" in kind else text)
        return kind, text

    def get(self, path: str) -> dict:
        """The object or list at a path."""
        return self.call("GET", path)

    def exists(self, path: str) -> bool:
        """Whether there is an object at a path."""
        try:
            self.call("GET", path)
        except ApiError as error:
            if error.code != 404:
                raise
            return False
        return True

    def create(self, path: str, obj: Mapping) -> dict:
        """Creates an object in the collection at a path."""
        return self.call("POST", path, obj)

    def replace(self, path: str, obj: Mapping) -> dict:
        """Replaces the object at a path (its `resourceVersion` guards against lost updates)."""
        return self.call("PUT", path, obj)

    def patch(self, path: str, merge: Mapping) -> dict:
        """A JSON merge patch."""
        return self.call("PATCH", path, merge, "application/merge-patch+json")

    def delete(self, path: str) -> None:
        """Deletes the object at a path; one that is not there is fine."""
        try:
            self.call("DELETE", path)
        except ApiError as error:
            if error.code != 404:
                raise

    def review_token(self, token: str, audience: str | None = None) -> dict:
        """The status of a TokenReview."""
        spec = {"token": token, **({"audiences": [audience]} if audience else {})}
        return self.create("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": spec})["status"]

    def namespaced_resources(self, verb: str) -> Iterator[tuple[str, str]]:
        """(URL prefix, plural) of every namespaced resource that supports a verb, in its preferred version."""
        prefixes = ["/api/v1"]
        prefixes += [f"/apis/{g['preferredVersion']['groupVersion']}" for g in self.get("/apis")["groups"]]
        for prefix in prefixes:
            for resource in self.get(prefix)["resources"]:
                if resource["namespaced"] and verb in resource["verbs"]:
                    yield prefix, resource["name"]
