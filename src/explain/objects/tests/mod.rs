//! From names to ARNs and back.

mod defaults;

use deputy_delegation::ClusterName;

use super::{ExplainedKind, explained, fact::ExplainedObject};
use crate::objects::{
    AskedWorld, ReadObjects,
    example::{APPLICATION, PLATFORM, world},
};

fn said<'a>(object: &'a ExplainedObject, what: &str) -> &'a str {
    &object.facts.iter().find(|fact| fact.what == what).unwrap().is
}

#[test]
fn an_arn_leads_from_the_role_and_back_to_it() {
    let world = world(&[PLATFORM, APPLICATION], Some("production-1"));
    let role = explained(&world, ExplainedKind::Role, "payments/uploader").unwrap();
    let arn = said(&role[0], "arn");
    assert!(
        arn.starts_with("arn:aws:iam::123456789012:role/deputy/production-1/deputy.payments.uploader-"),
        "{arn}"
    );
    assert_eq!(explained(&world, ExplainedKind::Arn, arn).unwrap(), role);
    let name = arn.rsplit('/').next().unwrap();
    let session = format!("arn:aws:sts::123456789012:assumed-role/{name}/payments.uploader");
    assert_eq!(explained(&world, ExplainedKind::Arn, &session).unwrap(), role);
    let elsewhere = arn.replace("123456789012", "210987654321");
    assert!(
        explained(&world, ExplainedKind::Arn, &elsewhere)
            .unwrap()
            .is_empty()
    );
    assert!(explained(&world, ExplainedKind::Arn, "uploader").is_err());
}

#[test]
fn without_the_name_of_the_cluster_no_arn_is_made_up() {
    let world = world(&[PLATFORM, APPLICATION], None);
    let role = explained(&world, ExplainedKind::Role, "payments/uploader").unwrap();
    assert!(said(&role[0], "arn").contains("--cluster-name"));
    assert!(said(&role[0], "decision").starts_with("accepted, within the limits payments"));
    assert!(
        said(&role[0], "bound by")
            .starts_with("AWSRoleBinding payments/uploader: ServiceAccount payments/uploader, accepted")
    );
}

#[test]
fn a_limit_names_its_boundaries_and_what_is_under_it() {
    let world = world(&[PLATFORM, APPLICATION], Some("production-1"));
    let limit = explained(&world, ExplainedKind::Limit, "payments").unwrap();
    assert_eq!(said(&limit[0], "namespaces"), "payments, payments-*");
    assert!(said(&limit[0], "role").starts_with("AWSRole payments/uploader: accepted"));
    let account = said(&limit[0], "account");
    let arn = account.strip_prefix("AWSAccount production: ").unwrap();
    assert_eq!(explained(&world, ExplainedKind::Arn, arn).unwrap(), limit);
    assert!(
        explained(&world, ExplainedKind::Limit, "others")
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_binding_is_asked_about_by_its_own_name() {
    let world = world(&[PLATFORM, APPLICATION], Some("production-1"));
    let binding = explained(&world, ExplainedKind::Binding, "payments/uploader").unwrap();
    assert_eq!(said(&binding[0], "subject"), "ServiceAccount payments/uploader");
    assert!(
        explained(&world, ExplainedKind::ServiceAccount, "payments/nobody")
            .unwrap()
            .is_empty()
    );
    // Without a namespace it is one of any.
    for kind in [
        ExplainedKind::Role,
        ExplainedKind::Binding,
        ExplainedKind::ServiceAccount,
    ] {
        let found = explained(&world, kind, "uploader").unwrap();
        assert!(!found.is_empty());
        assert_eq!(
            found,
            explained(&world, kind, "payments/uploader").unwrap(),
            "{kind:?}"
        );
        assert!(explained(&world, kind, "nobody").unwrap().is_empty());
    }
    assert!(explained(&world, ExplainedKind::Pod, "uploader").is_err());
}

#[test]
fn what_is_no_arn_of_deputys_is_said_to_be_none() {
    for cluster in [None, Some("production-1")] {
        let world = world(&[PLATFORM, APPLICATION], cluster);
        for text in [
            "foo",
            "arn:aws:s3:::x",
            "arn:aws:kms:eu-west-1:123456789012:key/1",
            "arn:aws:iam::123456789012:user/ada",
            "arn:aws:sts::123456789012:self",
            "arn:",
        ] {
            let error = explained(&world, ExplainedKind::Arn, text).unwrap_err();
            assert!(
                error.starts_with(&format!("{text}: an ARN of a role, of a session of one")),
                "{error}"
            );
        }
    }
}

#[test]
fn a_federated_user_is_told_with_its_arn_and_its_session_policy() {
    let federation = [
        include_str!("../../../../examples/federation/10-platform.yaml"),
        include_str!("../../../../examples/federation/20-application.yaml"),
    ];
    let world = world(&federation, Some("production-1"));
    for (name, user, policy) in [
        ("manager", "Manager-reports", "1 statements, "),
        (
            "archive",
            "Manager-archive",
            "none: a session has what policies of resources grant it by name",
        ),
    ] {
        let binding = explained(&world, ExplainedKind::Binding, &format!("reports/{name}")).unwrap();
        let arn = said(&binding[0], "arn");
        assert_eq!(arn, format!("arn:aws:sts::123456789012:federated-user/{user}"));
        assert!(
            said(&binding[0], "session policy").starts_with(policy),
            "{binding:?}"
        );
        assert_eq!(explained(&world, ExplainedKind::Arn, arn).unwrap(), binding);
        let account = explained(&world, ExplainedKind::ServiceAccount, &format!("reports/{name}")).unwrap();
        assert_eq!(said(&account[0], "arn"), arn);
        let session = account[0].facts.iter().find(|fact| fact.what == "session name");
        assert_eq!(session, None, "the name of its sessions is in the ARN");
    }
    let nobody = "arn:aws:sts::123456789012:federated-user/Manager-nobody";
    assert!(explained(&world, ExplainedKind::Arn, nobody).unwrap().is_empty());
}

const DEPLOYMENT: &str = include_str!("../../../../examples/productionapp/30-deployment.yaml");

/// The example with its Deployment, each text changed as said.
fn with_pod(changes: &[(&str, &str)]) -> AskedWorld {
    let mut text = [PLATFORM, APPLICATION, DEPLOYMENT].join("\n---\n");
    for (from, to) in changes {
        let new = text.replace(from, to);
        assert_ne!(new, text, "{from:?} is not there");
        text = new;
    }
    let mut read = ReadObjects::of_text("x.yaml", text, None);
    let core = std::mem::take(&mut read.core);
    let cluster = ClusterName::new("production-1").unwrap();
    let mut world = AskedWorld::of(read.sound().unwrap(), Some(cluster), None).unwrap();
    world.core.put(core);
    world
}

fn pod(changes: &[(&str, &str)]) -> Vec<ExplainedObject> {
    explained(&with_pod(changes), ExplainedKind::Pod, "payments/uploader").unwrap()
}

#[test]
fn a_pod_gets_what_its_default_binding_gives() {
    let found = pod(&[]);
    let titles: Vec<&str> = found.iter().map(|one| one.object.as_str()).collect();
    assert_eq!(
        titles,
        [
            "Deployment payments/uploader",
            "AWSRoleBinding payments/uploader",
            "AWSRole payments/uploader"
        ]
    );
    assert!(said(&found[0], "injection").starts_with("by a sidecar, unless"));
    let container = said(&found[0], "container");
    assert_eq!(
        container,
        "uploader: the default: AWSRoleBinding payments/uploader"
    );
    let may: Vec<&str> = found[1]
        .facts
        .iter()
        .filter(|fact| fact.what == "may")
        .map(|fact| fact.is.as_str())
        .collect();
    assert_eq!(may.len(), 3, "{may:?}");
    assert!(said(&found[2], "arn").contains(":role/deputy/production-1/"));
}

#[test]
fn each_way_in_which_a_pod_gets_something_else_is_told() {
    let annotated = |annotation: &str| {
        let to = format!(
            "    metadata:\n      annotations: {{{annotation}}}\n      labels:\n        app: uploader\n    spec:"
        );
        pod(&[(
            "    metadata:\n      labels:\n        app: uploader\n    spec:",
            &to,
        )])
    };
    for (found, what, expected) in [
        (
            pod(&[("    deputy.dev/inject: enabled\n", "")]),
            "injection",
            "left alone, not-labelled",
        ),
        (
            pod(&[("deputy.dev/inject: enabled", "deputy.dev/inject: disabled")]),
            "injection",
            "left alone, disabled",
        ),
        (
            pod(&[("deputy.dev/inject: enabled", "deputy.dev/inject: maybe")]),
            "injection",
            "refused: ",
        ),
        (
            annotated("deputy.dev/delivery: Node"),
            "injection",
            "by the agent on its node, as the pod says",
        ),
        (
            annotated("deputy.dev/binding: other"),
            "container",
            "uploader: nothing: the annotation names AWSRoleBinding payments/other, which is not there",
        ),
        (
            annotated("deputy.dev/binding: uploader"),
            "container",
            "uploader: AWSRoleBinding payments/uploader, by annotation",
        ),
        (
            pod(&[("serviceAccountName: uploader", "serviceAccountName: somebody")]),
            "container",
            "uploader: nothing: no binding names",
        ),
        (
            pod(&[("      serviceAccountName: uploader\n", "")]),
            "service account",
            "ServiceAccount payments/default",
        ),
        (
            pod(&[(
                "      serviceAccountName: uploader\n",
                "      hostNetwork: true\n      serviceAccountName: uploader\n",
            )]),
            "injection",
            "left alone, host-network",
        ),
    ] {
        let is = said(&found[0], what);
        assert!(is.starts_with(expected), "{what}: {is}");
    }
    for (how, expected) in [
        ("v1", "the sidecar deputy-agent is in it"),
        ("node", "without a sidecar: the agent on its node serves it"),
    ] {
        let there = annotated(&format!("deputy.dev/injected: {how}"));
        assert_eq!(said(&there[0], "injected"), expected);
        let told = there[0].facts.iter().find(|fact| fact.what == "injection");
        assert_eq!(told, None, "of what is there nothing is left open");
    }
    let unreadable = pod(&[("deputy.dev/inject: enabled", "deputy.dev/inject: true")]);
    assert!(said(&unreadable[0], "not known").contains("metadata.labels.deputy.dev/inject: it is not text"));
    let unknown = pod(&[("kind: Namespace", "kind: Namespaces")]);
    assert!(said(&unknown[0], "not known").contains("namespace payments is not among what was read"));
}

#[test]
fn all_mistakes_of_labels_and_annotations_are_told() {
    let template = "    metadata:\n      labels:\n        app: uploader\n    spec:";
    let annotated = |annotations: &str, labels: &str| {
        let to = format!(
            "    metadata:\n      annotations: {{{annotations}}}\n      labels: {{app: uploader, {labels}}}\n    spec:"
        );
        pod(&[(template, &to)])
    };
    let wrong = "deputy.dev/binding: \"A B\", deputy.dev/wait-for: never, deputy.dev/agent-port: \"7\", deputy.dev/bindings: x, deputy.dev/agent-memory: lots";
    for (labels, of_label) in [
        ("x: y", None),
        ("deputy.dev/inject: maybe", Some("says enabled or disabled")),
    ] {
        let found = annotated(wrong, labels);
        let told = said(&found[0], "injection");
        for part in [
            "deputy.dev/binding:",
            "deputy.dev/wait-for:",
            "deputy.dev/agent-port:",
            "deputy.dev/bindings:",
        ] {
            assert_eq!(
                told.matches(&format!("annotation {part}")).count(),
                1,
                "{part}: {told}"
            );
        }
        assert!(of_label.is_none_or(|of_label| told.contains(of_label)), "{told}");
    }
    let found = annotated("a: 1, b: true, \"c d\": x", "e: 2");
    let facts = found[0].facts.iter().filter(|fact| fact.what == "mistake");
    let told: Vec<&str> = facts.map(|fact| fact.is.split(": ").next().unwrap()).collect();
    assert_eq!(
        told,
        [
            "metadata.labels.e",
            "metadata.annotations.a",
            "metadata.annotations.b",
            "metadata.annotations.c d"
        ]
    );
    let found = pod(&[(
        "    deputy.dev/inject: enabled\n",
        "    deputy.dev/inject: true\n    team: 7\n",
    )]);
    let facts = found[0].facts.iter().filter(|fact| fact.what == "not known");
    let told: Vec<&str> = facts.map(|fact| fact.is.as_str()).collect();
    for part in [
        "namespace payments: metadata.labels.deputy.dev/inject: it is not text",
        "namespace payments: metadata.labels.team: it is not text",
        "namespace payments has metadata that can't be read",
    ] {
        assert!(told.iter().any(|one| one.contains(part)), "{told:?}");
    }
}

#[test]
fn what_is_not_ready_is_told_with_its_reason() {
    let status = "status:\n  conditions:\n    - {type: Ready, status: \"False\", reason: Conflict, message: AWS has another role}\n---\napiVersion: deputy.dev/v1alpha1\nkind: AWSRoleBinding";
    let found = pod(&[(
        "---\napiVersion: deputy.dev/v1alpha1\nkind: AWSRoleBinding",
        status,
    )]);
    assert_eq!(
        said(&found[2], "not ready"),
        "Ready is False (Conflict): AWS has another role"
    );
    let running = serde_json::json!({"status": {
        "initContainerStatuses": [{"name": "deputy-agent",
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
            "lastState": {"terminated": {"reason": "Error", "message": "RoleNotReady: wait"}}}],
        "containerStatuses": [{"name": "app", "state": {"running": {}}}, {"name": "done", "state": {"terminated": {"reason": "Completed"}}}],
    }});
    let facts = super::running::facts(&running);
    let told: Vec<(&str, &str)> = facts.iter().map(|fact| (fact.what, fact.is.as_str())).collect();
    assert_eq!(
        told,
        [
            ("not ready", "container deputy-agent: CrashLoopBackOff: back-off"),
            (
                "ended before",
                "container deputy-agent: Error: RoleNotReady: wait"
            ),
        ]
    );
}

#[test]
fn what_an_application_says_at_its_end_is_not_told() {
    let ended = |name: &str| {
        serde_json::json!({"name": name,
            "state": {"terminated": {"reason": "Error", "message": "password=hunter2"}},
            "lastState": {"terminated": {"reason": "Error", "message": "password=hunter2"}}})
    };
    let waiting = serde_json::json!({"name": "waits", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "back-off"}},
        "lastState": {"terminated": {"reason": "Error", "message": "password=hunter2"}}});
    for list in ["initContainerStatuses", "containerStatuses"] {
        let pod = serde_json::json!({"status": {list: [ended("app"), waiting]}});
        let told: Vec<String> = super::running::facts(&pod)
            .into_iter()
            .map(|fact| fact.is)
            .collect();
        assert_eq!(
            told,
            [
                "container app: Error",
                "container waits: ImagePullBackOff: back-off"
            ]
        );
        let own = serde_json::json!({"status": {list: [ended("deputy-agent")]}});
        assert_eq!(super::running::facts(&own).len(), 2);
    }
}

#[test]
fn why_a_pod_has_not_begun_is_told() {
    for (status, expected) in [
        (
            serde_json::json!({"phase": "Pending", "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"}]}),
            "the pod: Unschedulable: 0/3 nodes are available",
        ),
        (
            serde_json::json!({"phase": "Pending", "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]}),
            "the pod: SchedulingGated",
        ),
        (
            serde_json::json!({"phase": "Pending"}),
            "the pod: Pending: its status says no reason",
        ),
        (
            serde_json::json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}),
            "the pod: Evicted: low on memory",
        ),
        (
            serde_json::json!({"phase": "Unknown"}),
            "the pod: Unknown: its status says no reason",
        ),
    ] {
        let facts = super::running::facts(&serde_json::json!({"status": status}));
        let told: Vec<(&str, &str)> = facts.iter().map(|fact| (fact.what, fact.is.as_str())).collect();
        assert_eq!(told, [("not ready", expected)]);
    }
    for status in [
        serde_json::json!({"phase": "Running", "conditions": [{"type": "PodScheduled", "status": "True"}]}),
        serde_json::json!({"phase": "Succeeded"}),
        serde_json::json!(null),
    ] {
        assert_eq!(super::running::facts(&serde_json::json!({"status": status})), []);
    }
}
