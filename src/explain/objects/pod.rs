//! What a pod gets: by which binding, as which role, with which permissions; and what is not ready.

use std::collections::BTreeSet;

use deputy_admission::{
    PodAnswer, UnaskedPod,
    inject::{
        AgentSettings, ContainerBinding, DELIVERY_ANNOTATION, INJECT_LABEL, INJECTED_ANNOTATION, Injection,
        InjectionConfig, MeshDefaults, PodDelivery, Resources, RunAs,
    },
    pod_answer,
};
use deputy_delegation::{
    NameError, NamespaceName, ServiceAccountName,
    model::{BindingKind, BindingRef, BindingSelector},
};
use deputy_index::{ChosenBinding, NamespaceInfo, ServiceAccountInfo};
use serde_json::Value;

use super::{
    about::{fact, of_binding, place, role},
    default::DefaultOf,
    fact::{ExplainedFact, ExplainedObject},
    running,
};
use crate::{
    asked::{grants, of_grant},
    objects::{AskedWorld, CoreKind, CoreObject, ReadObject, outdated, unmet},
};

/// The pods of a name, and what a workload of that name makes.
pub fn pods(world: &AskedWorld, which: &str) -> Result<Vec<ExplainedObject>, String> {
    let (namespace, name) = place(world, which)?;
    let Some(namespace) = namespace else {
        return Err(format!("{which}: say NAMESPACE/NAME, or the namespace by -n"));
    };
    let mut found = Vec::new();
    for pod in world.core.all(CoreKind::Pod, Some(namespace.as_str()), &name) {
        found.extend(of_pod(world, &namespace, pod)?);
    }
    Ok(found)
}

/// What stands around a pod, as far as it is known.
struct Around {
    account: ServiceAccountName,
    namespace_info: NamespaceInfo,
    account_info: ServiceAccountInfo,
    /// What is not known of it, a sentence each.
    unknown: Vec<String>,
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

fn annotation<'a>(pod: &'a CoreObject, key: &str) -> Option<&'a str> {
    pod.value.get("metadata")?.get("annotations")?.get(key)?.as_str()
}

fn around(world: &AskedWorld, namespace: &NamespaceName, pod: &CoreObject) -> Result<Around, NameError> {
    let named = text(&pod.value, "/spec/serviceAccountName").filter(|name| !name.is_empty());
    let account = ServiceAccountName::new(named.unwrap_or("default"))?;
    let mut unknown = world.core.unread.clone();
    let mut meta_of = |kind, of: Option<&str>, name: &str, title: String| {
        let object = world.core.all(kind, of, name).next();
        let mistakes = object.map(CoreObject::mistakes).unwrap_or_default();
        unknown.extend(mistakes.iter().map(|mistake| format!("{title}: {mistake}")));
        let found = object.map(CoreObject::meta);
        let why = match &found {
            Some(Some(_)) => None,
            Some(None) => Some("has metadata that can't be read"),
            None if world.core.unread.is_empty() => Some("is not among what was read"),
            None => None,
        };
        unknown.extend(why.map(|why| format!("{title} {why}: taken to be without label and annotation")));
        found.flatten()
    };
    let of_account = meta_of(
        CoreKind::ServiceAccount,
        Some(namespace.as_str()),
        account.as_str(),
        format!("ServiceAccount {namespace}/{account}"),
    );
    let of_namespace = meta_of(
        CoreKind::Namespace,
        None,
        namespace.as_str(),
        format!("namespace {namespace}"),
    );
    Ok(Around {
        account_info: of_account
            .map(|meta| ServiceAccountInfo::from_meta(&meta))
            .unwrap_or_default(),
        namespace_info: of_namespace
            .map(|meta| NamespaceInfo::from_meta(&meta))
            .unwrap_or_default(),
        account,
        unknown,
    })
}

fn of_pod(
    world: &AskedWorld,
    namespace: &NamespaceName,
    pod: &CoreObject,
) -> Result<Vec<ExplainedObject>, String> {
    let around = around(world, namespace, pod).map_err(|error| error.to_string())?;
    let json = pod.value.to_string();
    let asked = UnaskedPod {
        json: &json,
        namespace,
        namespace_info: &around.namespace_info,
        account: &around.account,
        account_info: &around.account_info,
    };
    let config = config().map_err(|error| error.to_string())?;
    let answer = pod_answer(&world.index, asked, &config).map_err(|error| error.to_string())?;
    let mut facts = vec![fact(
        "service account",
        format!("ServiceAccount {namespace}/{}", around.account),
    )];
    facts.extend(injection(pod, &around, &answer));
    facts.extend(pod.mistakes().into_iter().map(|mistake| fact("mistake", mistake)));
    facts.extend(running::facts(&pod.value));
    let mut used = BTreeSet::new();
    for container in &answer.containers {
        let (said, binding) = of_container(world, namespace, &around, container);
        facts.push(fact("container", format!("{}: {said}", container.container)));
        used.extend(binding);
    }
    facts.extend(others(world, namespace, &around, &used));
    facts.extend(around.unknown.iter().map(|what| fact("not known", what.clone())));
    let mut found = vec![ExplainedObject {
        object: pod.title(),
        facts,
    }];
    for binding in used {
        found.extend(of_used(world, &binding)?);
    }
    Ok(found)
}

/// Injection by settings of the chart that nobody here knows: of them the answer rests on where the agents are alone.
fn config() -> Result<InjectionConfig, Box<dyn std::error::Error>> {
    Ok(InjectionConfig {
        agent: AgentSettings {
            image: "deputy-agent".to_owned(),
            port: 7419,
            resources: Resources::default(),
            run_as: RunAs::Image,
            default_region: None,
            mesh: MeshDefaults::default(),
            delivery: PodDelivery::Sidecar,
            node: Some("169.254.170.23:7419".parse()?),
        },
        broker_url: "https://deputy-broker.deputy.svc:7418".to_owned(),
        broker_address: None,
        broker_ca: String::new(),
        own_namespace: NamespaceName::new("deputy")?,
    })
}

/// What injection did when the pod was created, and what it would do with it now.
fn injection(pod: &CoreObject, around: &Around, answer: &PodAnswer) -> Vec<ExplainedFact> {
    let mut facts = Vec::new();
    let did = match annotation(pod, INJECTED_ANNOTATION) {
        Some("v1") => Some("the sidecar deputy-agent is in it".to_owned()),
        Some("node") => Some("without a sidecar: the agent on its node serves it".to_owned()),
        Some("web-identity") => Some("without a sidecar: its containers call STS themselves".to_owned()),
        Some(other) => Some(other.to_owned()),
        None if pod.value.get("status").is_some() => {
            Some("nothing was put in when it was created".to_owned())
        }
        None => None,
    };
    facts.extend(did.map(|did| fact("injected", did)));
    // Of a pod that is there it is told how it was done, and not how it would be.
    let is_done = annotation(pod, INJECTED_ANNOTATION).is_some();
    let (would, warnings): (Option<String>, &[String]) = match &answer.injection {
        Injection::Injected { warnings, .. } if is_done => (None, warnings),
        Injection::Injected { warnings, .. } => (Some(by_what(pod, around, answer)), warnings),
        Injection::Skipped { reason, warnings, .. } => {
            let by = match reason.as_str() {
                "not-labelled" => format!(
                    ": neither the pod nor its ServiceAccount nor its namespace has the label {INJECT_LABEL}: enabled"
                ),
                "disabled" => format!(": the label {INJECT_LABEL} says disabled"),
                _ => String::new(),
            };
            (Some(format!("left alone, {}{by}", reason.as_str())), warnings)
        }
        Injection::Refused { message } => (Some(format!("refused: {message}")), &[]),
    };
    let now = if is_done { "now a new one is " } else { "" };
    facts.extend(would.map(|would| fact("injection", format!("{now}{would}"))));
    facts.extend(warnings.iter().map(|warning| fact("warning", warning.clone())));
    facts
}

fn by_what(pod: &CoreObject, around: &Around, answer: &PodAnswer) -> String {
    let mut served = answer.containers.iter().filter(|c| !c.has_own);
    if served.all(|c| c.calls_sts) {
        return "a token for AWS: every container calls STS itself".to_owned();
    }
    let of_namespace = around.namespace_info.annotations.get(DELIVERY_ANNOTATION);
    let (word, whose) = match annotation(pod, DELIVERY_ANNOTATION) {
        Some(own) => (Some(own), "the pod says"),
        None => (of_namespace.map(String::as_str), "its namespace says"),
    };
    match word {
        Some("Node") => format!(
            "by the agent on its node, as {whose} (annotation {DELIVERY_ANNOTATION}: Node); needs the chart's injection.node.enabled"
        ),
        Some(_) => format!("by a sidecar, as {whose} (annotation {DELIVERY_ANNOTATION}: Sidecar)"),
        None => "by a sidecar, unless the chart's injection.delivery says Node".to_owned(),
    }
}

/// What a container uses, in words, and the bindings that are there of which it is one.
fn of_container(
    world: &AskedWorld,
    namespace: &NamespaceName,
    around: &Around,
    container: &ContainerBinding,
) -> (String, Vec<BindingRef>) {
    if container.has_own {
        return (
            "brings credentials of its own, and gets none of Deputy's".to_owned(),
            Vec::new(),
        );
    }
    let how = if container.calls_sts {
        ", and calls STS itself"
    } else {
        ""
    };
    let Some(named) = &container.binding else {
        return by_default(world, namespace, &around.account, how);
    };
    let selected = match named.parse::<BindingSelector>() {
        Ok(selector) => selector.of(namespace),
        Err(error) => {
            let why = format!("nothing: the annotation names {named:?}: {error}");
            return (why, Vec::new());
        }
    };
    let what = selected.to_string();
    match world.index.decide_chosen(&selected) {
        None => (
            format!("nothing: the annotation names {what}, which is not there, or can't be read"),
            Vec::new(),
        ),
        Some(chosen) if !chosen.names(&around.account) => (
            format!(
                "nothing: the annotation names {what}, whose subjects are without {}",
                around.account
            ),
            Vec::new(),
        ),
        Some(_) => (format!("{what}, by annotation{how}"), vec![selected]),
    }
}

/// What a container uses that names no binding. `how`: how it gets it.
fn by_default(
    world: &AskedWorld,
    namespace: &NamespaceName,
    account: &ServiceAccountName,
    how: &str,
) -> (String, Vec<BindingRef>) {
    let default = DefaultOf::of(world, namespace, account);
    let unknown = default.unknown();
    match default {
        DefaultOf::Nothing => (
            format!("nothing: no binding names ServiceAccount {namespace}/{account}"),
            Vec::new(),
        ),
        DefaultOf::Is(binding) => (format!("the default: {binding}{how}"), vec![binding]),
        DefaultOf::OneOf(first, others) => {
            let said = format!("the default{how}, which is {}", unknown.unwrap_or_default());
            (said, std::iter::once(first).chain(others).collect())
        }
        DefaultOf::Unreadable(reference, why) => {
            let said = format!("nothing: {reference} may be the default, and can't be read: {why}");
            (said, Vec::new())
        }
    }
}

/// Bindings of the ServiceAccount that no container uses.
fn others(
    world: &AskedWorld,
    namespace: &NamespaceName,
    around: &Around,
    used: &BTreeSet<BindingRef>,
) -> Vec<ExplainedFact> {
    let all = world
        .index
        .bindings_of_service_account(namespace, &around.account);
    all.iter()
        .filter(|binding| !used.contains(binding))
        .map(|binding| {
            let selector = binding.selector();
            fact(
                "not used",
                format!("{binding}: a pod gets it by the annotation deputy.dev/binding: {selector}"),
            )
        })
        .collect()
}

/// A binding that the pod uses, and its role.
fn of_used(world: &AskedWorld, binding: &BindingRef) -> Result<Vec<ExplainedObject>, String> {
    let Some(mut explained) = of_binding(world, binding) else {
        return Ok(Vec::new());
    };
    let given = grants(world).given;
    let own = given
        .iter()
        .find(|grant| binding.kind == BindingKind::Role && grant.binding.id == binding.id);
    if let Some(grant) = own {
        let can = of_grant(world, grant)?;
        let may = can.may.iter();
        explained
            .facts
            .extend(may.map(|may| fact("may", format!("{} on {}", may.actions, may.resources))));
        let unknown = can.unknown.into_iter();
        explained
            .facts
            .extend(unknown.map(|what| fact("not known", what)));
    }
    not_ready(world, &mut explained);
    let mut found = vec![explained];
    if let Some(ChosenBinding::Role(decided)) = world.index.decide_chosen(binding) {
        let id = &decided.binding.role;
        let mut explained = role(world, id);
        // Of a ClusterAWSRole the object has another title than the role that it is here.
        let object = match id.bound_account() {
            Some(_) => format!("ClusterAWSRole {}", id.name),
            None => explained.object.clone(),
        };
        explained.facts.extend(conditions(world, &object));
        found.push(explained);
        if let Some(account) = world.index.account_of_role(id) {
            let facts = conditions(world, &format!("AWSAccount {account}"));
            found.extend((!facts.is_empty()).then(|| ExplainedObject {
                object: format!("AWSAccount {account}"),
                facts,
            }));
        }
    }
    Ok(found)
}

fn not_ready(world: &AskedWorld, explained: &mut ExplainedObject) {
    let facts = conditions(world, &explained.object);
    explained.facts.extend(facts);
}

/// What the status of an object says is not as it should be.
fn conditions(world: &AskedWorld, title: &str) -> Vec<ExplainedFact> {
    let Some(object) = world.objects.iter().find(|object| object.title() == title) else {
        return Vec::new();
    };
    let is_of_cluster = |object: &ReadObject| object.place("").is_none();
    if is_of_cluster(object) && object.value.get("status").is_none() {
        return vec![fact(
            "not ready",
            "it has no status: no controller has looked at it yet",
        )];
    }
    let unmet = unmet(object);
    let unmet = unmet.iter().map(|one| {
        let said = format!("{} is {} ({}): {}", one.of, one.status, one.reason, one.message);
        fact("not ready", said)
    });
    unmet
        .chain(outdated(object).map(|why| fact("not ready", why)))
        .collect()
}
