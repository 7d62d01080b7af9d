//! Other webhooks before, after and between, as the API server calls them: each once in the order of its name, then those
//! that ask for it once more when somebody after them changed the pod. Whatever the order, the stored pod has all of ours,
//! once and in its place, or none of it.

use proptest::prelude::*;

use super::*;
use crate::inject::{
    image, mesh,
    ours::{self, TOKEN_VOLUME},
};

type Change = fn(&mut Value);

fn lists(pod: &mut Value) -> impl Iterator<Item = &mut Value> {
    let spec = pod["spec"].as_object_mut().unwrap();
    spec.iter_mut()
        .filter(|(key, _)| key.as_str() == "containers" || key.as_str() == "initContainers")
        .flat_map(|(_, list)| list.as_array_mut().unwrap())
}

fn has(pod: &Value, list: &str, name: &str) -> bool {
    pod["spec"][list]
        .as_array()
        .is_some_and(|l| l.iter().any(|c| c["name"] == name))
}

fn put(pod: &mut Value, list: &str, at: usize, container: Value) {
    let name = container["name"].as_str().unwrap().to_owned();
    if has(pod, list, &name) {
        return;
    }
    let list = pod["spec"]
        .as_object_mut()
        .unwrap()
        .entry(list)
        .or_insert(json!([]));
    let list = list.as_array_mut().unwrap();
    list.insert(at.min(list.len()), container);
}

/// Adds variables to every container that has none of them, as the webhooks of EKS do.
fn variables(pod: &mut Value, in_front: bool, all: &[(&str, &str)]) {
    for container in lists(pod) {
        let env = container
            .as_object_mut()
            .unwrap()
            .entry("env")
            .or_insert(json!([]));
        let env = env.as_array_mut().unwrap();
        if env.iter().any(|e| all.iter().any(|(name, _)| e["name"] == *name)) {
            continue;
        }
        for (index, (name, value)) in all.iter().enumerate() {
            let at = if in_front { index } else { env.len() };
            env.insert(at, json!({"name": name, "value": value}));
        }
    }
}

fn first(pod: &mut Value, names: &[&str]) {
    let Some(init) = pod["spec"]["initContainers"].as_array_mut() else {
        return;
    };
    init.sort_by_key(|c| names.iter().position(|n| c["name"] == *n).unwrap_or(names.len()));
}

const OTHERS: [(&str, Change); 11] = [
    // A ServiceAccount without the annotation; with it the outcome does not depend on these (below).
    ("irsa, unannounced", |pod| {
        variables(
            pod,
            false,
            &[
                ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r"),
                ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"),
            ],
        );
    }),
    ("pod identity", |pod| {
        variables(
            pod,
            false,
            &[
                (
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                    "http://169.254.170.23/v1/credentials",
                ),
                (
                    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                    "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/token",
                ),
            ],
        );
    }),
    ("istio, native", |pod| {
        put(
            pod,
            "initContainers",
            0,
            json!({"name": "istio-validation", "image": "istio:1"}),
        );
        put(
            pod,
            "initContainers",
            1,
            json!({"name": "istio-proxy", "image": "istio:1", "restartPolicy": "Always"}),
        );
        first(pod, &["istio-validation", "istio-proxy"]);
    }),
    ("istio, classic", |pod| {
        put(
            pod,
            "initContainers",
            usize::MAX,
            json!({"name": "istio-init", "image": "istio:1"}),
        );
        put(
            pod,
            "containers",
            0,
            json!({"name": "istio-proxy", "image": "istio:1"}),
        );
    }),
    ("linkerd", |pod| {
        put(
            pod,
            "initContainers",
            0,
            json!({"name": "linkerd-init", "image": "linkerd:1"}),
        );
        put(
            pod,
            "initContainers",
            1,
            json!({"name": "linkerd-proxy", "image": "linkerd:1", "restartPolicy": "Always"}),
        );
    }),
    ("vault, in front", |pod| {
        put(
            pod,
            "initContainers",
            0,
            json!({"name": "vault-agent-init", "image": "vault:1"}),
        );
    }),
    ("vault, beside", |pod| {
        put(
            pod,
            "containers",
            usize::MAX,
            json!({"name": "vault-agent", "image": "vault:1", "env": [{"name": "V", "value": "1"}]}),
        );
    }),
    ("mirror", |pod| {
        for container in lists(pod) {
            let image = container["image"].as_str().unwrap().to_owned();
            if !image.starts_with("mirror.local/") {
                container["image"] = json!(format!("mirror.local/{image}"));
            }
        }
    }),
    ("digests", |pod| {
        for container in lists(pod) {
            let image = container["image"].as_str().unwrap().to_owned();
            if !image.contains('@') {
                let (name, tag) = image.rsplit_once(':').unwrap();
                container["image"] = json!(format!("{name}@sha256:{tag}"));
            }
        }
    }),
    ("tracing", |pod| {
        variables(pod, true, &[("DD_AGENT_HOST", "node")])
    }),
    ("limits", |pod| {
        for container in lists(pod) {
            let fields = container.as_object_mut().unwrap();
            let resources = fields.entry("resources").or_insert(json!({}));
            if resources["limits"]["cpu"].is_null() {
                resources["limits"]["cpu"] = json!("1");
            }
        }
    }),
];

/// Who is called; `None`: we.
type Called = Option<usize>;

/// The API server's mutating admission with these webhooks, in this order. Which of the others are called again?
fn admit(case: &Case, pod: &Value, order: &[Called], again: &[bool]) -> Value {
    let mut pod = pod.clone();
    let call = |who: &Called, pod: &mut Value| match who {
        Some(other) => OTHERS[*other].1(pod),
        None => {
            *pod = match case.run(pod) {
                Injection::Injected { patch, .. } | Injection::Skipped { patch, .. } => apply(pod, patch),
                Injection::Refused { message } => panic!("refused: {message}"),
            }
        }
    };
    let mut left_as = Vec::new();
    for who in order {
        call(who, &mut pod);
        left_as.push(pod.clone());
    }
    for (who, left) in order.iter().zip(left_as) {
        let asks = who.is_none_or(|other| again[other % again.len()]);
        if asks && left != pod {
            call(who, &mut pod);
        }
    }
    pod
}

fn check(pod: &Value, about: &str) {
    let empty = Vec::new();
    let init = pod["spec"]["initContainers"].as_array().unwrap_or(&empty);
    let main = pod["spec"]["containers"].as_array().unwrap();
    let places: Vec<usize> = (0..init.len()).filter(|i| init[*i]["name"] == SIDECAR).collect();
    assert!(
        places.len() < 2 && !has(pod, "containers", SIDECAR),
        "{about}: more than one sidecar"
    );
    let volumes = pod["spec"]["volumes"].as_array().unwrap_or(&empty);
    let tokens = volumes.iter().filter(|v| v["name"] == TOKEN_VOLUME).count();
    let says = pod["metadata"]["annotations"][INJECTED_ANNOTATION]
        .as_str()
        .unwrap();
    assert_eq!(says == "v1", places.len() == 1, "{about}: {says}");
    let is_injected = ["v1", "node"].contains(&says);
    assert_eq!(tokens, usize::from(is_injected), "{about}: volumes");
    if let Some(at) = places.first() {
        let before = init[..*at].iter().map(|c| c["name"].as_str().unwrap());
        assert_eq!(mesh::leading(before), *at, "{about}: in front of the sidecar");
        if let Some(next) = init.get(at + 1) {
            assert_eq!(
                mesh::leading(std::iter::once(next["name"].as_str().unwrap())),
                0,
                "{about}: a mesh after it"
            );
        }
        let image = init[*at]["image"].as_str().unwrap();
        assert!(
            image::is_rewritten(image, &config().agent.image, true),
            "{about}: {image}"
        );
    }
    for container in init.iter().chain(main).filter(|c| c["name"] != SIDECAR) {
        let env = container["env"].as_array().cloned().unwrap_or_default();
        let text = serde_json::to_string(&env).unwrap();
        let ours = ours::our_variables(&serde_json::from_str::<Vec<Json<'_>>>(&text).unwrap());
        let mounts = container["volumeMounts"].as_array().cloned().unwrap_or_default();
        let mounted = mounts.iter().filter(|m| m["name"] == TOKEN_VOLUME).count();
        let name = &container["name"];
        assert_eq!(mounted, usize::from(!ours.is_empty()), "{about}: {name} has half");
        let by_node = env_of(container, "AWS_CONTAINER_CREDENTIALS_FULL_URI")
            .is_some_and(|uri| ours::node_port(&uri).is_some());
        assert!(
            !by_node || says == "node",
            "{about}: {name} looks for an agent on the node"
        );
        let sets = |name: &str| env.iter().filter(|e| e["name"] == name).count();
        let theirs = sets("AWS_CONTAINER_CREDENTIALS_FULL_URI") > 0 && ours.is_empty();
        if sets("AWS_ROLE_ARN") > 0 {
            // Nothing foretold it, and it may have come after our last call.
            continue;
        }
        // Whoever has no provider of its own has ours, all of it; where nothing is injected, nobody has.
        assert_eq!(
            !ours.is_empty(),
            is_injected && !theirs,
            "{about}: {name}: {env:?}"
        );
        assert!(sets("AWS_CONTAINER_CREDENTIALS_FULL_URI") < 2, "{about}: {name}");
        assert_eq!(
            sets("AWS_EC2_METADATA_DISABLED"),
            usize::from(!ours.is_empty()),
            "{about}: {name}"
        );
    }
}

fn pods() -> Vec<Value> {
    let mut with_init = pod();
    with_init["spec"]["initContainers"] = json!([{"name": "migrate", "image": "app:1"}]);
    with_init["spec"]["containers"][0]["env"] = json!([{"name": "LEVEL", "value": "info"}]);
    let (stored, _) = Case::enabled().applied(&with_init);
    let mut old = stored.clone();
    old["spec"]["initContainers"][0]["image"] = json!("example.com/deputy-agent:0.1.0");
    old["metadata"]["annotations"]["deputy.dev/injected-sidecar"] = json!("0123456789abcdef");
    let (by_node, _) = Case::by_node().applied(&with_init);
    vec![pod(), with_init, stored, old, by_node]
}

fn run(case: &Case, pod: &Value, order: &[Called], again: &[bool], must_be: Option<bool>) {
    let names: Vec<_> = order
        .iter()
        .map(|o| o.map_or("DEPUTY", |i| OTHERS[i].0))
        .collect();
    let about = format!("{names:?}, again {again:?}");
    let out = admit(case, pod, order, again);
    check(&out, &about);
    if let Some(injected) = must_be {
        let says = out["metadata"]["annotations"][INJECTED_ANNOTATION].as_str();
        assert_eq!(["v1", "node"].contains(&says.unwrap()), injected, "{about}");
    }
    let further = |pod: &Value| match case.run(pod) {
        Injection::Injected { patch, .. } | Injection::Skipped { patch, .. } => apply(pod, patch),
        Injection::Refused { message } => panic!("{about}: refused: {message}"),
    };
    let last = further(&out);
    assert_eq!(further(&last), last, "{about}: a further call is not the last");
    // Nothing is left to do, unless somebody came after our last call and put variables in.
    if !names.iter().any(|name| [OTHERS[0].0, OTHERS[9].0].contains(name)) {
        assert_eq!(last, out, "{about}: a further call changes something");
    }
}

#[test]
fn with_every_two_webhooks_a_pod_has_all_of_ours_once_or_nothing() {
    let both = [Case::enabled(), Case::by_node()];
    for (case, pod) in both
        .iter()
        .flat_map(|case| pods().into_iter().map(move |pod| (case, pod)))
    {
        for a in 0..OTHERS.len() {
            for b in 0..OTHERS.len() {
                for at in 0..3 {
                    let mut order: Vec<Called> = vec![Some(a), Some(b)];
                    order.dedup();
                    order.insert(at.min(order.len()), None);
                    // Neither provider: then it must be ours.
                    let ours = (a > 1 && b > 1).then_some(true);
                    for again in [[true], [false]] {
                        run(case, &pod, &order, &again, ours);
                    }
                }
            }
        }
    }
}

#[test]
fn a_service_account_with_irsas_annotation_decides_whatever_the_order() {
    let mut case = Case::enabled();
    let annotation = (
        "eks.amazonaws.com/role-arn".to_owned(),
        "arn:aws:iam::123456789012:role/r".to_owned(),
    );
    case.service_account.annotations.extend([annotation]);
    for pod in pods() {
        for order in [[None, Some(0)], [Some(0), None]] {
            run(&case, &pod, &order, &[true], Some(false));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn with_any_webhooks_a_pod_has_all_of_ours_once_or_nothing(
        others in prop::sample::subsequence((0..OTHERS.len()).collect::<Vec<_>>(), 0..=6).prop_shuffle(),
        at in 0_usize..7,
        again in prop::collection::vec(any::<bool>(), 1..5),
        pod in prop::sample::select(pods()),
        by_node in any::<bool>(),
    ) {
        let mut order: Vec<Called> = others.into_iter().map(Some).collect();
        order.insert(at.min(order.len()), None);
        let case = if by_node { Case::by_node() } else { Case::enabled() };
        run(&case, &pod, &order, &again, None);
    }
}
