//! Reading a pod that may hold anything: every accessor answers "absent" for what is not of the expected shape.

use deputy_delegation::NamespaceName;
use serde_json::Value;

use super::RegionOf;

/// The label that asks for injection, or forbids it: `enabled` or `disabled`.
pub const INJECT_LABEL: &str = "deputy.dev/inject";

/// What is known about a pod beside its own text.
#[derive(Clone, Copy)]
pub struct PodFacts<'a> {
    /// The namespace of the request (the object may not carry it yet).
    pub namespace: &'a NamespaceName,
    /// The value of [`INJECT_LABEL`] on its ServiceAccount.
    pub service_account_label: Option<&'a str>,
    /// The value of [`INJECT_LABEL`] on its namespace.
    pub namespace_label: Option<&'a str>,
    /// The region of the account of a binding.
    pub region: RegionOf<'a>,
}

/// The container lists that get credentials. Ephemeral containers can't: their volumes are fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Init,
    Main,
}

impl List {
    pub(super) const ALL: [Self; 2] = [Self::Init, Self::Main];

    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Init => "initContainers",
            Self::Main => "containers",
        }
    }
}

pub(super) struct PodView<'a> {
    pod: &'a Value,
}

impl<'a> PodView<'a> {
    pub(super) fn new(pod: &'a Value) -> Self {
        Self { pod }
    }

    fn meta(&self, map: &str, key: &str) -> Option<&'a str> {
        self.pod.get("metadata")?.get(map)?.get(key)?.as_str()
    }
    pub(super) fn label(&self, key: &str) -> Option<&'a str> {
        self.meta("labels", key)
    }
    pub(super) fn annotation(&self, key: &str) -> Option<&'a str> {
        self.meta("annotations", key)
    }
    pub(super) fn has_annotations(&self) -> bool {
        self.pod
            .get("metadata")
            .and_then(|m| m.get("annotations"))
            .is_some_and(Value::is_object)
    }

    pub(super) fn spec(&self, key: &str) -> Option<&'a Value> {
        self.pod.get("spec")?.get(key).filter(|v| !v.is_null())
    }
    pub(super) fn host_network(&self) -> bool {
        self.spec("hostNetwork").and_then(Value::as_bool).unwrap_or(false)
    }
    pub(super) fn windows(&self) -> bool {
        let os = self
            .spec("os")
            .and_then(|os| os.get("name"))
            .and_then(Value::as_str);
        let selected = self
            .spec("nodeSelector")
            .and_then(|s| s.get("kubernetes.io/os"))
            .and_then(Value::as_str);
        os == Some("windows") || selected == Some("windows")
    }

    /// The list as it is; `None` when the key is absent.
    pub(super) fn list(&self, list: List) -> Option<&'a [Value]> {
        self.spec(list.key())?.as_array().map(Vec::as_slice)
    }
    pub(super) fn volumes(&self) -> Option<&'a [Value]> {
        self.spec("volumes")?.as_array().map(Vec::as_slice)
    }
    pub(super) fn containers(&self) -> impl Iterator<Item = (List, usize, Container<'a>)> + use<'a, '_> {
        List::ALL.into_iter().flat_map(|list| {
            self.list(list)
                .unwrap_or_default()
                .iter()
                .enumerate()
                .map(move |(i, c)| (list, i, Container(c)))
        })
    }

    /// IRSA's webhook, or the user, has already said who the pod is. The SDKs look there first.
    pub(super) fn has_irsa(&self) -> bool {
        self.containers().any(|(_, _, c)| {
            c.env("AWS_ROLE_ARN").is_some() && c.env("AWS_WEB_IDENTITY_TOKEN_FILE").is_some()
        })
    }
}

#[derive(Clone, Copy)]
pub(super) struct Container<'a>(&'a Value);

impl<'a> Container<'a> {
    pub(super) fn name(self) -> &'a str {
        self.0.get("name").and_then(Value::as_str).unwrap_or_default()
    }
    pub(super) fn image(self) -> &'a str {
        self.0.get("image").and_then(Value::as_str).unwrap_or_default()
    }
    pub(super) fn has(self, key: &str) -> bool {
        self.0.get(key).is_some_and(Value::is_array)
    }
    fn items(self, key: &str) -> impl Iterator<Item = &'a Value> {
        self.0.get(key).and_then(Value::as_array).into_iter().flatten()
    }
    /// The entry of an environment variable, whatever its source.
    pub(super) fn env(self, name: &str) -> Option<&'a Value> {
        self.items("env")
            .find(|e| e.get("name").and_then(Value::as_str) == Some(name))
    }
    pub(super) fn mounts(self, path: &str) -> Option<&'a Value> {
        self.items("volumeMounts")
            .find(|m| m.get("mountPath").and_then(Value::as_str) == Some(path))
    }
}
