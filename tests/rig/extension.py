"""Extension API servers beside the cluster, behind a Service as everywhere."""

import time

from .cluster import Cluster, condition
from .proc import wait_until

APISERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"


def serve_by(cluster: Cluster, namespace: str, service: str, port: int, port_name: str, local: int) -> None:
    """Has the API server find a port of this machine behind that port of a Service: an endpoint that nobody dials, because there has to
    be one, and a route."""
    cluster.egress.routes[port] = local
    labels = {"kubernetes.io/service-name": service}
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{service}-{port_name}", "namespace": namespace, "labels": labels},
        "addressType": "IPv4",
        "ports": [{"name": port_name, "port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": ["192.0.2.1"], "conditions": {"ready": True}}],
    }
    cluster.apply(endpoints)


def available(cluster: Cluster, name: str) -> bool:
    """Whether the API server reaches what an APIService names."""
    return condition(cluster.admin.get(f"{APISERVICES}/{name}"), "Available") == "True"


def wait_available(cluster: Cluster, name: str, timeout: float = 30) -> None:
    """Waits until it does. It looks again by itself, too, but only after as much as half a minute."""

    def look() -> bool:
        looked_for = {"metadata": {"annotations": {"rig.deputy.dev/looked-for": str(time.monotonic())}}}
        return available(cluster, name) or not cluster.admin.patch(f"{APISERVICES}/{name}", looked_for)

    wait_until(look, f"{name} available", timeout, every=0.2)
