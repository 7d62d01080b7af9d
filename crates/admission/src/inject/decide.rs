//! Whether a pod gets credentials: the label, what stands against it, and what its containers bring of their own.

use std::collections::BTreeSet;

use super::{
    config::InjectionConfig,
    credentials, host_network,
    label::{Asked, asked},
    mesh,
    operations::Patch,
    options::{Options, binding_named},
    ours::INJECT_LABEL,
    outcome::{Injection, SkipReason},
    patch,
    pod::{Container, List, PodFacts, PodView},
    read::PodJson,
    web_identity::{self, Gets},
};

/// Decides about `pod` (the object as the API server sent it) and makes the patch.
pub fn inject(pod: &PodJson<'_>, facts: &PodFacts<'_>, config: &InjectionConfig) -> Injection {
    let view = PodView::new(pod, facts);
    match skip(&view, facts, config) {
        Ok(None) => injected(&view, config),
        Ok(Some(reason)) => skipped(&view, config, reason),
        Err(message) => {
            // That of a label or of the delivery; what is wrong beside it is told, too.
            let mut mistakes = Options::read(&view, config).err().unwrap_or_default();
            mistakes.retain(|other| *other != message);
            mistakes.insert(0, message);
            Injection::Refused {
                message: mistakes.join("; "),
            }
        }
    }
}

/// The answer for a pod that gets nothing.
fn skipped(view: &PodView<'_>, config: &InjectionConfig, reason: SkipReason) -> Injection {
    let untouched = matches!(reason, SkipReason::OwnNamespace | SkipReason::MirrorPod);
    let carried = !untouched && view.holds_ours();
    let mut warnings: Vec<String> = reason.warning().map(str::to_owned).into_iter().collect();
    if carried && reason == SkipReason::NotLabelled {
        let what = if view.node_ports().next().is_some() {
            "the way to the agent on the node"
        } else {
            "the sidecar"
        };
        warnings.push(format!(
            "deputy: {what} that came with the pod is taken out: no label {INJECT_LABEL} asks for it (kubectl debug drops a pod's labels without --keep-labels)"
        ));
    }
    // The policy which refuses uninjected pods sees the labels of pod and namespace, and this.
    let by_account = reason == SkipReason::Disabled
        && view.label(INJECT_LABEL).is_none()
        && view.facts.service_account.labels.contains_key(INJECT_LABEL);
    let says = carried || by_account || reason.warning().is_some();
    let patch = if says {
        patch::without(view, config, reason, &warnings)
    } else {
        Ok(Patch::default())
    };
    match patch {
        Ok(patch) => Injection::Skipped {
            reason,
            patch,
            warnings,
        },
        Err(message) => Injection::Refused { message },
    }
}

fn skip(
    view: &PodView<'_>,
    facts: &PodFacts<'_>,
    config: &InjectionConfig,
) -> Result<Option<SkipReason>, String> {
    if *facts.namespace == config.own_namespace {
        return Ok(Some(SkipReason::OwnNamespace));
    }
    if view.annotation("kubernetes.io/config.mirror").is_some() {
        return Ok(Some(SkipReason::MirrorPod));
    }
    let own = view.label(INJECT_LABEL);
    match asked(own, facts)? {
        Asked::Nothing => return Ok(Some(SkipReason::NotLabelled)),
        Asked::No => return Ok(Some(SkipReason::Disabled)),
        Asked::Yes => {}
    }
    if facts.namespace.as_str() == "kube-system" && own.is_none() {
        return Ok(Some(SkipReason::KubeSystem));
    }
    if view.host_network() && !web_identity::serves_all(view) && !host_network::is_served(view, config)? {
        return Ok(Some(SkipReason::HostNetwork));
    }
    Ok(if view.windows() {
        Some(SkipReason::Windows)
    } else if facts.is_irsa() {
        // By the ServiceAccount and not by the variables: those come from a webhook that may run after this one.
        Some(SkipReason::Irsa)
    } else {
        None
    })
}

/// The answer for a pod that is to be injected.
fn injected(view: &PodView<'_>, config: &InjectionConfig) -> Injection {
    if view.list(List::Main).unwrap_or_default().is_empty() {
        // Not a pod the API server would store; it says so better than we could.
        return Injection::Injected {
            patch: Patch::default(),
            warnings: Vec::new(),
            bindings: BTreeSet::new(),
        };
    }
    let mut warnings = Vec::new();
    let gets: Vec<Gets> = view.containers().map(|c| web_identity::gets(view, c)).collect();
    // Not for a mesh's containers alone, which bring nothing and ask for nothing: the pod would wait for our credential
    // and use the other.
    let wants = |(c, gets): (&Container<'_>, &Gets)| gets.own().is_none() && !mesh::is_of_a_mesh(c.name());
    if gets.iter().any(|g| g.own().is_some()) && !view.containers().zip(&gets).any(wants) {
        let mut own = gets.iter().filter_map(Gets::own);
        let by_irsa = own.all(|o| o == credentials::Own::WebIdentity);
        let reason = if by_irsa {
            SkipReason::Irsa
        } else {
            SkipReason::OwnCredentials
        };
        return skipped(view, config, reason);
    }
    let patch = Options::read(view, config)
        .map_err(|mistakes| mistakes.join("; "))
        .and_then(|options| patch::injected(view, config, &options, &gets, &mut warnings));
    match patch {
        Ok(patch) => Injection::Injected {
            patch,
            warnings,
            bindings: view
                .containers()
                .zip(&gets)
                .filter(|one| wants(*one))
                .map(|(container, _)| binding_named(view, container.name()).map(str::to_owned))
                .collect(),
        },
        Err(message) => Injection::Refused { message },
    }
}
