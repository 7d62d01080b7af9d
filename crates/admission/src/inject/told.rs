//! Which binding each container of a pod uses, for who asks about a pod.

use super::{
    mesh,
    options::binding_named,
    pod::{PodFacts, PodView},
    read::PodJson,
    web_identity::{self, Gets},
};

/// Which binding a container uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerBinding {
    /// The container, an init container included.
    pub container: String,
    /// As the annotations have it, valid or not; `None`: the default one.
    pub binding: Option<String>,
    /// It brings credentials of its own, and gets none of Deputy's.
    pub has_own: bool,
    /// It calls STS itself, with a token for AWS.
    pub calls_sts: bool,
}

/// Which bindings the containers of a pod use, but for the sidecar and those of a mesh.
#[must_use]
pub fn container_bindings(pod: &PodJson<'_>, facts: &PodFacts<'_>) -> Vec<ContainerBinding> {
    let view = PodView::new(pod, facts);
    let containers = view.containers().filter(|c| !mesh::is_of_a_mesh(c.name()));
    containers
        .map(|container| {
            let gets = web_identity::gets(&view, container);
            ContainerBinding {
                container: container.name().to_owned(),
                binding: binding_named(&view, container.name()).map(str::to_owned),
                has_own: gets.own().is_some(),
                calls_sts: matches!(gets, Gets::WebIdentity(_)),
            }
        })
        .collect()
}
