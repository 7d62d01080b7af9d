//! The agent on the node in place of a sidecar: who answers a pod, what is left of the other way, and pods in their node's network.

use std::sync::Arc;

use deputy_api::{DelegationLimit, convert::parse_limit};
use deputy_delegation::{
    ObjectName,
    model::{Enforcement, LimitEntry, LimitScope},
};
use proptest::prelude::*;

use super::{properties::any_pod, *};

#[test]
fn the_pods_word_goes_before_its_namespaces_and_that_before_the_charts() {
    let (sidecar, node) = (Some("Sidecar"), Some("Node"));
    for (own, of_namespace, of_chart, says) in [
        (None, None, PodDelivery::Sidecar, Ok("v1")),
        (None, None, PodDelivery::Node, Ok("node")),
        (None, node, PodDelivery::Sidecar, Ok("node")),
        (None, sidecar, PodDelivery::Node, Ok("v1")),
        (sidecar, node, PodDelivery::Node, Ok("v1")),
        (node, sidecar, PodDelivery::Sidecar, Ok("node")),
        (
            Some("node"),
            None,
            PodDelivery::Sidecar,
            Err("of the pod: \"node\" is neither Sidecar nor Node"),
        ),
        (
            Some(""),
            node,
            PodDelivery::Node,
            Err("of the pod: \"\" is neither"),
        ),
        (
            None,
            Some("DaemonSet"),
            PodDelivery::Node,
            Err("of its namespace: \"DaemonSet\" is neither"),
        ),
        // The word of the namespace decides nothing here.
        (sidecar, Some("DaemonSet"), PodDelivery::Node, Ok("v1")),
    ] {
        let about = format!("pod {own:?}, namespace {of_namespace:?}, chart {of_chart:?}");
        let mut case = Case::enabled();
        let annotation = |word: &str| (DELIVERY_ANNOTATION.to_owned(), word.to_owned());
        case.namespace_info
            .annotations
            .extend(of_namespace.map(annotation));
        case.config.agent.delivery = of_chart;
        let mut p = pod();
        if let Some(own) = own {
            p["metadata"]["annotations"] = json!({DELIVERY_ANNOTATION: own});
        }
        match (case.run(&p), says) {
            (Injection::Injected { patch, .. }, Ok(says)) => {
                assert_eq!(
                    apply(&p, patch)["metadata"]["annotations"][INJECTED_ANNOTATION],
                    says,
                    "{about}"
                );
            }
            (Injection::Refused { message }, Err(says)) => {
                assert!(message.contains(says), "{about}: {message}")
            }
            (other, _) => panic!("{about}: {other:?}"),
        }
    }
}

#[test]
fn agents_on_nodes_listen_where_sdks_take_tokens_and_nowhere_else() {
    for good in [
        "169.254.170.23:7419",
        "[fd00:ec2::23]:7419",
        "169.254.170.23:1024",
    ] {
        let address: NodeAgentAddress = good.parse().unwrap();
        let mut case = Case::by_node();
        case.config.agent.node = Some(address);
        let (out, _) = case.applied(&pod());
        let uri = env_of(
            &out["spec"]["containers"][0],
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        );
        assert_eq!(uri, Some(format!("http://{good}/v1/credentials")));
    }
    for bad in [
        "169.254.170.23",
        "169.254.170.23:80",
        "169.254.170.2:7419",
        "127.0.0.1:7419",
        "[fd00:ec2::254]:7419",
        "",
    ] {
        assert!(bad.parse::<NodeAgentAddress>().is_err(), "{bad}");
    }
}

/// The address of EKS's own agent has no port: what it gives is never taken for Deputy's.
#[test]
fn what_the_agent_of_eks_gives_is_left_to_it() {
    let mut p = pod();
    p["spec"]["containers"][0]["env"] = json!([
        {"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI", "value": "http://169.254.170.23/v1/credentials"},
        {"name": "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "value": "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/token"}]);
    assert_eq!(Case::by_node().skipped(&p), SkipReason::OwnCredentials);
}

#[test]
fn a_pod_for_no_real_node_is_warned_that_it_finds_no_agent() {
    let virtual_kubelet = json!([{"key": "virtual-kubelet.io/provider", "operator": "Exists"}]);
    for (key, value) in [
        ("schedulerName", json!("fargate-scheduler")),
        ("tolerations", virtual_kubelet),
        ("nodeSelector", json!({"virtual-kubelet.io/provider": "x"})),
    ] {
        let mut p = pod();
        p["spec"][key] = value;
        let (_, warnings) = Case::by_node().applied(&p);
        assert!(warnings[0].contains("no DaemonSet runs"), "{key}: {warnings:?}");
        assert_eq!(Case::enabled().applied(&p).1, Vec::<String>::new(), "{key}");
    }
}

fn limit(name: &str, namespaces: &str, allows: bool) -> LimitEntry {
    let object: DelegationLimit = serde_json::from_value(json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": "DelegationLimit",
        "metadata": {"name": name, "uid": "11111111-1111-1111-1111-111111111111"},
        "spec": {
            "namespaces": [namespaces], "accounts": ["production"], "pods": {"allowHostNetwork": allows},
            "ceiling": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
        }
    }))
    .unwrap();
    LimitEntry::Valid(Arc::new(parse_limit(&object).unwrap()))
}

fn dry(entry: &LimitEntry) -> LimitEntry {
    let LimitEntry::Valid(limit) = entry else { panic!() };
    let mut limit = limit.as_ref().clone();
    limit.enforcement = Enforcement::DryRun;
    LimitEntry::Valid(limit.into())
}

fn unreadable(scope: Option<LimitScope>) -> LimitEntry {
    LimitEntry::Invalid {
        name: ObjectName::new("broken").unwrap(),
        scope,
        enforcement: Enforcement::Enforce,
        error: "cannot be read".to_owned(),
    }
}

/// Every limit that names the namespace has to give leave, and one has to: none takes the place of another.
#[test]
fn leave_for_host_networks_is_what_all_limits_of_the_namespace_give() {
    let namespace = NamespaceName::new("payments").unwrap();
    let (yes, no) = (limit("yes", "pay*", true), limit("no", "payments", false));
    let elsewhere = limit("elsewhere", "billing", false);
    let of = |limits: &[&LimitEntry]| {
        let limits: Vec<LimitEntry> = limits.iter().map(|l| (*l).clone()).collect();
        HostNetworkLeave::of(&limits, &namespace)
    };
    let name = |name: &str| ObjectName::new(name).unwrap();
    assert_eq!(of(&[]), HostNetworkLeave::NoLimit);
    assert_eq!(of(&[&elsewhere]), HostNetworkLeave::NoLimit);
    assert_eq!(of(&[&yes, &elsewhere]), HostNetworkLeave::Given);
    for limits in [[&yes, &no], [&no, &yes]] {
        assert_eq!(of(&limits), HostNetworkLeave::Withheld(name("no")));
    }
    // A dry run neither gives nor withholds.
    assert_eq!(of(&[&dry(&yes)]), HostNetworkLeave::NoLimit);
    assert_eq!(of(&[&yes, &dry(&no)]), HostNetworkLeave::Given);
    let LimitEntry::Valid(of_others) = &elsewhere else {
        panic!()
    };
    let others = unreadable(Some(of_others.scope.clone()));
    assert_eq!(of(&[&yes, &others]), HostNetworkLeave::Given);
    assert_eq!(
        of(&[&yes, &unreadable(None)]),
        HostNetworkLeave::Unreadable(name("broken"))
    );
}

#[test]
fn a_pod_in_its_nodes_network_is_served_by_own_choice_and_with_leave_only() {
    let withheld = HostNetworkLeave::Withheld(ObjectName::new("platform").unwrap());
    let unread = HostNetworkLeave::Unreadable(ObjectName::new("platform").unwrap());
    let leaves = [
        HostNetworkLeave::Given,
        HostNetworkLeave::NoLimit,
        withheld,
        unread,
    ];
    for (node, own, leave) in [true, false]
        .into_iter()
        .flat_map(|node| [true, false].map(|own| (node, own)))
        .flat_map(|(node, own)| leaves.clone().map(|leave| (node, own, leave)))
    {
        let mut case = if node { Case::by_node() } else { Case::enabled() };
        case.host_network = leave.clone();
        let mut p = pod();
        p["spec"]["hostNetwork"] = json!(true);
        if own {
            p["metadata"]["labels"][INJECT_LABEL] = json!("enabled");
        }
        let about = format!("node {node}, own label {own}, leave {leave:?}");
        match case.run(&p) {
            Injection::Injected { .. } => assert!(node && own && leave == HostNetworkLeave::Given, "{about}"),
            Injection::Skipped { reason, .. } => {
                assert!(!own && reason == SkipReason::HostNetwork, "{about}");
            }
            Injection::Refused { message } => {
                assert!(own && !(node && leave == HostNetworkLeave::Given), "{about}");
                assert!(message.contains("it uses the network of its node"), "{message}");
            }
        }
    }
}

/// One way in which a pod may have come through here, in a mesh or not.
fn any_case() -> impl Strategy<Value = Case> {
    let ports = prop::sample::select(vec![
        "169.254.170.23:7419",
        "169.254.170.23:8419",
        "[fd00:ec2::23]:7419",
    ]);
    (any::<bool>(), any::<bool>(), ports).prop_map(|(node, labelled, address)| {
        let mut case = if node { Case::by_node() } else { Case::enabled() };
        if !labelled {
            case.namespace_info.labels.clear();
        }
        case.config.agent.node = Some(address.parse().unwrap());
        case
    })
}

proptest! {
    #[test]
    fn whatever_the_delivery_was_before_a_pod_has_that_of_today_once(
        pod in any_pod(),
        before in prop::collection::vec(any_case(), 0..4),
        today in any_case(),
        mesh in any::<bool>(),
    ) {
        let in_mesh = |mut case: Case| {
            let label = mesh.then(|| ("istio-injection".to_owned(), "enabled".to_owned()));
            case.namespace_info.labels.extend(label);
            case
        };
        let (before, today): (Vec<Case>, Case) = (before.into_iter().map(in_mesh).collect(), in_mesh(today));
        let mut stored = pod.clone();
        for case in &before {
            match case.run(&stored) {
                Injection::Injected { patch, .. } | Injection::Skipped { patch, .. } => stored = apply(&stored, patch),
                Injection::Refused { message } => panic!("{message}"),
            }
        }
        let (Injection::Injected { patch, .. } | Injection::Skipped { patch, .. }) = today.run(&stored) else { panic!() };
        let copied = apply(&stored, patch);
        let (Injection::Injected { patch, .. } | Injection::Skipped { patch, .. }) = today.run(&pod) else { panic!() };
        let mut at_once = apply(&pod, patch);
        let (Injection::Injected { patch, .. } | Injection::Skipped { patch, .. }) = today.run(&copied) else { panic!() };
        prop_assert!(patch.is_empty(), "a further call changes {patch:?}");
        // What was taken out of a copy that nobody asks for is said there.
        let mut copied = pruned(&copied);
        for pod in [&mut copied, &mut at_once] {
            if let Some(all) = pod.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
                all.retain(|key, _| !key.starts_with(INJECTED_ANNOTATION) || today.namespace_info.labels.contains_key(INJECT_LABEL));
            }
        }
        prop_assert_eq!(pruned(&copied), pruned(&at_once));
    }

    #[test]
    fn the_agent_on_the_node_serves_every_container_and_adds_none(pod in any_pod()) {
        let case = Case::by_node();
        let Injection::Injected { patch, .. } = case.run(&pod) else { return Ok(()) };
        let out = apply(&pod, patch);
        for list in ["containers", "initContainers"] {
            let count = |pod: &Value| pod["spec"][list].as_array().map_or(0, Vec::len);
            prop_assert_eq!(count(&out), count(&pod));
            for container in out["spec"][list].as_array().into_iter().flatten() {
                let uri = env_of(container, "AWS_CONTAINER_CREDENTIALS_FULL_URI").unwrap();
                prop_assert_eq!(uri, "http://169.254.170.23:7419/v1/credentials");
            }
        }
    }
}
