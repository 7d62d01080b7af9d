"""What a ServiceAccount is granted by a set of manifests, to compare with what it did."""

from collections.abc import Iterable, Mapping

from .cluster import Cluster, service_account_user

_ROLES = {"Role", "ClusterRole"}
_BINDINGS = {"RoleBinding", "ClusterRoleBinding"}


def granted(manifests: Iterable[Mapping], namespace: str, name: str) -> set[tuple[str, str]]:
    """Every (verb, resource) pair that the roles among `manifests` give to a ServiceAccount.

    Spelled as `Cluster.used_verbs` spells them. Roles that are bound here but defined elsewhere are left out.
    """
    manifests = list(manifests)
    roles = {(m["kind"], _namespace(m), m["metadata"]["name"]): m for m in manifests if m["kind"] in _ROLES}
    pairs = set()
    for binding in manifests:
        if binding["kind"] not in _BINDINGS or not _names(binding, namespace, name):
            continue
        ref = binding["roleRef"]
        place = _namespace(binding) if ref["kind"] == "Role" else ""
        role = roles.get((ref["kind"], place, ref["name"]), {})
        for rule in role.get("rules") or []:
            whats = list(rule.get("nonResourceURLs", []))
            whats += [
                f"{g}/{r}".strip("/") for g in rule.get("apiGroups", []) for r in rule.get("resources", [])
            ]
            pairs |= {(verb, what) for verb in rule["verbs"] for what in whats}
    return pairs


def unused(cluster: Cluster, manifests: Iterable[Mapping], namespace: str, name: str) -> set[tuple[str, str]]:
    """What a ServiceAccount is granted and never did: rights that are too many, or tests that are too few."""
    return granted(manifests, namespace, name) - cluster.used_verbs(service_account_user(namespace, name))


def _names(binding: Mapping, namespace: str, name: str) -> bool:
    return any(
        s["kind"] == "ServiceAccount"
        and s["name"] == name
        and s.get("namespace", _namespace(binding)) == namespace
        for s in binding.get("subjects") or []
    )


def _namespace(manifest: Mapping) -> str:
    return "" if manifest["kind"].startswith("Cluster") else manifest["metadata"].get("namespace", "")
