"""Extension API servers beside the cluster, behind a Service as everywhere."""

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
    """Waits until it does."""
    wait_until(lambda: available(cluster, name), f"{name} available", timeout)
