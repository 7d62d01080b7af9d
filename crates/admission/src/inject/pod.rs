//! Reading a pod that may hold anything: every accessor answers "absent" for what is not of the expected shape.
//!
//! What a former pass of ours put in (the API server asks twice where other webhooks change the pod between; a stored pod
//! may be created again) is told apart here, so that every question is about the pod as its author wrote it.

use deputy_delegation::{NamespaceName, Region, web_identity::WebIdentity};
use deputy_index::{NamespaceInfo, ServiceAccountInfo};
use serde_json_borrow::ObjectAsVec;

use super::{
    json::{Json, JsonFields as _},
    leave::HostNetworkLeave,
    ours::{self, ENDPOINT, INJECTED_ANNOTATION, IRSA_ANNOTATION, SIDECAR},
    read::PodJson,
};

/// The region of the account of a binding of the pod's ServiceAccount (of the default binding when no name is given), or
/// what else is known at admission of where its pods belong.
pub type RegionOf<'a> = &'a dyn Fn(Option<&str>) -> Option<Region>;

/// What pods have to know to call STS themselves by a binding of the pod's ServiceAccount (by the default one when no name is given);
/// `None` when the broker makes the sessions, or nothing is known of such a binding.
pub type WebIdentityOf<'a> = &'a dyn Fn(Option<&str>) -> Option<WebIdentity>;

/// What is known about a pod beside its own text.
#[derive(Clone, Copy)]
pub struct PodFacts<'a> {
    /// The namespace of the request (the object may not carry it yet).
    pub namespace: &'a NamespaceName,
    /// What is kept of that namespace.
    pub namespace_info: &'a NamespaceInfo,
    /// What is kept of the pod's ServiceAccount.
    pub service_account: &'a ServiceAccountInfo,
    /// The region of the account of a binding.
    pub region: RegionOf<'a>,
    /// By which bindings pods call STS themselves.
    pub web_identity: WebIdentityOf<'a>,
    /// What the limits of the namespace say of its pods in the network of their node. Asked only about such pods.
    pub host_network: &'a HostNetworkLeave,
}

impl PodFacts<'_> {
    /// Whether the ServiceAccount has an IAM role from another webhook.
    pub(super) fn is_irsa(&self) -> bool {
        self.service_account.annotations.contains_key(IRSA_ANNOTATION)
    }
}

/// The container lists that get credentials. Ephemeral containers can't: their volumes are fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Init,
    Main,
}

impl List {
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Init => "initContainers",
            Self::Main => "containers",
        }
    }
}

pub(super) struct PodView<'a> {
    pod: &'a PodJson<'a>,
    pub(super) facts: &'a PodFacts<'a>,
    /// Those of the pod's author and of other webhooks.
    containers: Vec<Container<'a>>,
    /// Where our sidecar is among the init containers: nowhere or once, in pods that the API server would store.
    sidecars: Vec<usize>,
}

impl<'a> PodView<'a> {
    pub(super) fn new(pod: &'a PodJson<'a>, facts: &'a PodFacts<'a>) -> Self {
        let mut view = Self {
            pod,
            facts,
            containers: Vec::new(),
            sidecars: Vec::new(),
        };
        // A pod that never came through here has such variables from its author, or from the webhook of EKS.
        let by_web_identity = view.annotation(INJECTED_ANNOTATION).is_some() && !facts.is_irsa();
        for list in [List::Init, List::Main] {
            for (index, value) in view.list(list).unwrap_or_default().iter().enumerate() {
                if list == List::Init && ours::is_our_sidecar(value) {
                    view.sidecars.push(index);
                } else {
                    view.containers
                        .push(Container::new(list, index, value, by_web_identity));
                }
            }
        }
        view
    }

    pub(super) fn label(&self, key: &str) -> Option<&'a str> {
        self.pod.label(key)
    }
    pub(super) fn annotation(&self, key: &str) -> Option<&'a str> {
        self.pod.metadata("annotations")?.text_at(key)
    }
    pub(super) fn annotations(&self) -> Option<&'a ObjectAsVec<'a>> {
        self.pod.metadata("annotations")?.as_object()
    }

    pub(super) fn spec(&self, key: &str) -> Option<&'a Json<'a>> {
        self.pod.spec(key).filter(|v| !v.is_null())
    }
    pub(super) fn host_network(&self) -> bool {
        self.spec("hostNetwork").and_then(Json::as_bool).unwrap_or(false)
    }
    pub(super) fn windows(&self) -> bool {
        let text = |of: &str, key: &str| self.spec(of).and_then(|o| o.at(key)).and_then(Json::as_str);
        text("os", "name") == Some("windows") || text("nodeSelector", "kubernetes.io/os") == Some("windows")
    }
    /// What says that the pod is for a node that is none: AWS Fargate, or a virtual kubelet. Neither runs DaemonSets.
    pub(super) fn virtual_node(&self) -> Option<&'static str> {
        const FARGATE: &str = "fargate-scheduler";
        const VIRTUAL: &str = "virtual-kubelet.io/provider";
        let tolerations = self.spec("tolerations").and_then(Json::as_array);
        let key = |t: &Json<'_>| t.at("key").and_then(Json::as_str) == Some(VIRTUAL);
        if self.spec("schedulerName").and_then(Json::as_str) == Some(FARGATE) {
            Some(FARGATE)
        } else if self
            .spec("nodeSelector")
            .is_some_and(|labels| labels.at(VIRTUAL).is_some())
            || tolerations.into_iter().flatten().any(key)
        {
            Some(VIRTUAL)
        } else {
            None
        }
    }
    /// The uid that containers run as when they say none.
    pub(super) fn run_as_user(&self) -> Option<u64> {
        self.spec("securityContext")?.at("runAsUser")?.as_u64()
    }

    /// The list as it is; `None` when the key is absent.
    pub(super) fn list(&self, list: List) -> Option<&'a [Json<'a>]> {
        self.spec(list.key())?.as_array()
    }
    pub(super) fn volumes(&self) -> Option<&'a [Json<'a>]> {
        self.spec("volumes")?.as_array()
    }
    pub(super) fn containers(&self) -> impl Iterator<Item = &Container<'a>> {
        self.containers.iter()
    }
    pub(super) fn sidecars(&self) -> &[usize] {
        &self.sidecars
    }

    /// Whether anything is in the pod that a former pass put there.
    pub(super) fn holds_ours(&self) -> bool {
        self.holds_agent() || self.holds_web_identity()
    }

    /// Whether a former pass put in the sidecar, or something that goes with it.
    pub(super) fn holds_agent(&self) -> bool {
        !self.sidecars.is_empty()
            || self.volumes().unwrap_or_default().iter().any(ours::is_our_volume)
            || self.containers.iter().any(|c| c.finds_agent)
    }

    /// The ports by which containers find an agent on the node, by a former pass.
    pub(super) fn node_ports(&self) -> impl Iterator<Item = u16> {
        self.containers.iter().filter_map(|c| c.node_port)
    }

    /// Whether a former pass put in the token for AWS.
    pub(super) fn holds_web_identity(&self) -> bool {
        self.containers.iter().any(|c| c.calls_sts)
    }

    /// A container that bears the sidecar's name and is none of ours.
    pub(super) fn impostor(&self) -> Option<&Container<'a>> {
        self.containers.iter().find(|c| c.name() == SIDECAR)
    }
}

/// A container of somebody else's.
pub(super) struct Container<'a> {
    pub(super) list: List,
    pub(super) index: usize,
    value: &'a Json<'a>,
    /// Which entries of its environment a former pass put there, in order.
    pub(super) ours: Vec<usize>,
    /// The other entries that anybody here asks about: few of many.
    known: Vec<&'a Json<'a>>,
    /// Whether those by which SDKs find the agent are among them.
    finds_agent: bool,
    /// The port in them, where that agent is the node's.
    node_port: Option<u16>,
    /// Whether those by which the SDK calls STS itself are.
    calls_sts: bool,
}

impl<'a> Container<'a> {
    fn new(list: List, index: usize, value: &'a Json<'a>, by_web_identity: bool) -> Self {
        let mut container = Self {
            list,
            index,
            value,
            ours: Vec::new(),
            known: Vec::new(),
            finds_agent: false,
            node_port: None,
            calls_sts: false,
        };
        let env = container.array("env").unwrap_or_default();
        container.ours = ours::our_variables(env);
        container.finds_agent = !container.ours.is_empty();
        container.node_port = container
            .ours
            .iter()
            .filter_map(|i| env.get(*i))
            .filter(|e| ours::name(e) == ENDPOINT)
            .find_map(|e| ours::node_port(ours::value(e)?));
        if by_web_identity {
            let further = ours::our_web_identity(env);
            container.calls_sts = !further.is_empty();
            container.ours.extend(further);
            container.ours.sort_unstable();
        }
        let others = env.iter().enumerate();
        let others = others.filter(|(index, entry)| {
            ours::is_asked_about(ours::name(entry)) && !container.ours.contains(index)
        });
        container.known = others.map(|(_, entry)| entry).collect();
        container
    }

    pub(super) fn name(&self) -> &'a str {
        self.text("name").unwrap_or_default()
    }
    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.value.at(key).and_then(Json::as_str)
    }
    /// The array as it is; `None` when it is absent.
    pub(super) fn array(&self, key: &str) -> Option<&'a [Json<'a>]> {
        self.value.at(key)?.as_array()
    }

    /// The entry of an environment variable that is [asked about](ours::is_asked_about), whatever its source, unless it is ours.
    pub(super) fn env(&self, name: &str) -> Option<&'a Json<'a>> {
        debug_assert!(ours::is_asked_about(name), "{name}");
        let mut known = self.known.iter().copied();
        known.find(|entry| ours::name(entry) == name)
    }
    /// The value of a variable that is written out, unless it is ours.
    pub(super) fn literal(&self, name: &str) -> Option<&'a str> {
        self.env(name)?.at("value")?.as_str()
    }
    /// Whether variables come from a ConfigMap or Secret as a whole, so that their names can't be seen here.
    pub(super) fn has_env_from(&self) -> bool {
        self.array("envFrom").is_some_and(|sources| !sources.is_empty())
    }

    /// What is mounted in the folder of a token, unless it is this volume.
    pub(super) fn in_place_of(&self, volume: &str, folder: &str) -> Option<&'a Json<'a>> {
        let mounts = self.array("volumeMounts").unwrap_or_default();
        mounts.iter().find(|m| {
            let path = m.at("mountPath").and_then(Json::as_str);
            // The API server takes `a` and `a/` for two places.
            path.is_some_and(|p| p.trim_end_matches('/') == folder)
                && m.at("name").and_then(Json::as_str) != Some(volume)
        })
    }
    pub(super) fn resource(&self, key: &str, name: &str) -> Option<&'a str> {
        self.value.at("resources")?.at(key)?.at(name)?.as_str()
    }
    /// Whether it says that it listens on a TCP port.
    pub(super) fn listens_on(&self, port: u16) -> bool {
        self.array("ports").unwrap_or_default().iter().any(|p| {
            let is_tcp = p.at("protocol").and_then(Json::as_str).is_none_or(|t| t == "TCP");
            is_tcp && p.at("containerPort").and_then(Json::as_u64) == Some(port.into())
        })
    }
}
