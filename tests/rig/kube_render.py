"""Renders the chart for a cluster without nodes: our processes run beside it and webhooks are reached by URL."""

import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from .tools import ROOT, binary

CHART = ROOT / "charts" / "deputy"
# What others need before they can be applied, in this order; everything else follows.
_ORDER = [
    "Namespace",
    "CustomResourceDefinition",
    "ServiceAccount",
    "ClusterRole",
    "Role",
    "ClusterRoleBinding",
    "RoleBinding",
]
_WORKLOADS = {"Deployment", "DaemonSet", "StatefulSet", "Job", "CronJob"}
_WEBHOOKS = {"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"}


@dataclass
class Rendered:
    """A chart's objects, split by what a cluster without nodes does with them."""

    definitions: list[dict] = field(default_factory=list)
    """Namespaces and CustomResourceDefinitions: apply first, and wait until they are established."""
    objects: list[dict] = field(default_factory=list)
    """Everything else but workloads, in an order that can be applied."""
    workloads: dict[str, dict] = field(default_factory=dict)
    """What nothing here would run, by name."""

    def crd_names(self) -> list[str]:
        """The names of the CustomResourceDefinitions."""
        return [d["metadata"]["name"] for d in self.definitions if d["kind"] == "CustomResourceDefinition"]

    def of_kind(self, kind: str) -> list[dict]:
        """The objects of one kind."""
        return [o for o in [*self.definitions, *self.objects] if o["kind"] == kind]

    def pod_spec(self, name: str) -> dict:
        """The pod template's spec of a workload."""
        return self.workloads[name]["spec"]["template"]["spec"]

    def container_args(self, name: str, container: int = 0) -> list[str]:
        """Command and arguments of a workload's container, as the kubelet would run them after the entry point."""
        spec = self.pod_spec(name)["containers"][container]
        return [*spec.get("command", []), *spec.get("args", [])]


def helm_template(
    values: Mapping, release: str = "deputy", namespace: str = "deputy-system", chart: Path = CHART
) -> str:
    """`helm template` with these values, CRDs included, without the pod of `helm test`."""
    done = subprocess.run(
        [
            *(binary("helm"), "template", release, chart, "--namespace", namespace),
            *("--include-crds", "--skip-tests", "--kube-version", "1.34", "--values", "-"),
        ],
        input=yaml.safe_dump(dict(values)),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"helm template {chart.name} failed: {done.stderr}")
    return done.stdout


def split(manifests: str | Iterable[Mapping], webhook_url: str | None = None) -> Rendered:
    """Sorts a chart's output; with `webhook_url` (`https://127.0.0.1:PORT`) webhooks are called there, same path."""
    docs = yaml.safe_load_all(manifests) if isinstance(manifests, str) else manifests
    rendered = Rendered()
    for doc in sorted((d for d in docs if d), key=_rank):
        if doc["kind"] in _WORKLOADS:
            rendered.workloads[doc["metadata"]["name"]] = doc
        elif doc["kind"] in _ORDER[:2]:
            rendered.definitions.append(doc)
        else:
            if doc["kind"] in _WEBHOOKS and webhook_url is not None:
                _reach_by_url(doc, webhook_url)
            rendered.objects.append(doc)
    return rendered


def _rank(doc: Mapping) -> int:
    return _ORDER.index(doc["kind"]) if doc["kind"] in _ORDER else len(_ORDER)


def _reach_by_url(configuration: dict, url: str) -> None:
    for webhook in configuration.get("webhooks", []):
        client = webhook["clientConfig"]
        if service := client.pop("service", None):
            client["url"] = url.rstrip("/") + service.get("path", "/")
