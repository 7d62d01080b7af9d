//! What is said beside a cluster, which no file shows.

use deputy_admission::DeputyKind;
use deputy_delegation::ClusterName;
use serde_json::{Value, json};

use super::{
    answer::{CheckAnswer, CheckedStatus, FindingLevel},
    judge::judge,
};
use crate::objects::{
    ReadObject, ReadObjects,
    example::{APPLICATION, PLATFORM},
};

fn read(text: &str) -> ReadObjects {
    ReadObjects::of_text("new.yaml", text.to_owned(), None)
}

/// The objects of manifests, as an API server would have them.
fn stored(texts: &[&str]) -> Vec<ReadObject> {
    let objects = texts.iter().flat_map(|text| read(text).objects);
    objects
        .map(|object| ReadObject::of_cluster(object.kind, object.value).unwrap())
        .collect()
}

fn ask(files: &str, stored: Vec<ReadObject>) -> CheckAnswer {
    let cluster = ClusterName::new("production-1").unwrap();
    judge(&cluster, read(files), ReadObjects::default(), Some(stored))
}

fn roles(count: usize) -> Vec<ReadObject> {
    let role = |i: usize| {
        let value = json!({
            "apiVersion": "deputy.dev/v1alpha1", "kind": "AWSRole",
            "metadata": {"name": format!("r{i}"), "namespace": "payments", "uid": format!("u{i}")},
            "spec": {"accountRef": {"name": "production"}, "policies": [{"name": "p", "document": {
                "Version": "2012-10-17", "Statement": [
                    {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::productionapp/*"}]}}]},
        });
        ReadObject::of_cluster(DeputyKind::Role, value).unwrap()
    };
    (0..count).map(role).collect()
}

#[test]
fn what_the_cluster_has_is_a_fact_and_is_not_judged() {
    let answer = ask(APPLICATION, stored(&[PLATFORM]));
    assert_eq!(
        answer.count(CheckedStatus::Accepted),
        answer.objects.len(),
        "{answer:#?}"
    );
    let without = ask(APPLICATION, Vec::new());
    assert_eq!(without.count(CheckedStatus::Undecided), without.objects.len());
}

#[test]
fn a_limit_that_would_suspend_many_is_refused_unless_that_is_meant() {
    let narrower = PLATFORM.replace("s3:DeleteObject", "s3:GetObjectAcl");
    assert_ne!(narrower, PLATFORM);
    let mut there = stored(&[PLATFORM]);
    there.extend(roles(8));
    let answer = ask(&narrower, there);
    let refused: Vec<_> = answer
        .findings()
        .filter(|(_, f)| f.level == FindingLevel::Error)
        .collect();
    assert_eq!(refused.len(), 1, "{answer:#?}");
    assert_eq!(refused[0].1.reason, "WouldSuspend");
    assert!(refused[0].1.message.contains("8 of the 8 grants"), "{answer:#?}");

    let meant = narrower.replace(
        "name: payments\n",
        "name: payments\n  annotations: {deputy.dev/accept-suspending: \"8\"}\n",
    );
    assert_ne!(meant, narrower);
    let mut there = stored(&[PLATFORM]);
    there.extend(roles(8));
    let answer = ask(&meant, there);
    assert_eq!(answer.count(CheckedStatus::Refused), 0, "{answer:#?}");
    let warned = answer
        .findings()
        .filter(|(_, finding)| finding.reason == "WouldSuspend");
    assert!(warned.count() >= 8, "{answer:#?}");
}

#[test]
fn what_cant_be_changed_is_found_where_it_is_stored() {
    let mut there = stored(&[PLATFORM, APPLICATION]);
    for object in &mut there {
        if object.kind == DeputyKind::Binding {
            *object.value.pointer_mut("/spec/roleRef/name").unwrap() = Value::from("another");
        }
    }
    let answer = ask(APPLICATION, there);
    let told: Vec<_> = answer
        .findings()
        .map(|(_, finding)| finding.message.as_str())
        .collect();
    assert!(
        told.iter().any(|message| message.contains("can't be changed")),
        "{answer:#?}"
    );
}

/// A new binding is younger than all that the cluster has, and one that is there as old as it says.
#[test]
fn whose_default_is_another_binding_is_told_by_their_ages_in_the_cluster() {
    let binding = |name: &str, made: &str| {
        let own = APPLICATION
            .split("---\n")
            .find(|part| part.contains("AWSRoleBinding"));
        let made = match made {
            "" => String::new(),
            made => format!("\n  creationTimestamp: \"{made}\""),
        };
        own.unwrap()
            .replacen("name: uploader", &format!("name: {name}{made}"), 1)
    };
    const OLD: &str = "2026-01-02T03:04:05Z";
    let there = || {
        let (old, young) = (binding("old", OLD), binding("also", "2026-01-02T03:18:05Z"));
        stored(&[PLATFORM, APPLICATION, &old, &young])
    };
    for (file, shadowed_by) in [
        (binding("aaa", ""), Some("old")),
        (binding("aaa", "2020-01-02T03:04:05Z"), Some("old")),
        (binding("also", ""), Some("old")),
        (binding("old", ""), None),
        (binding("old", "2030-01-02T03:04:05Z"), None),
    ] {
        let mut there = there();
        // The example's own has no age in the file, as nothing in a cluster has.
        there.retain(|object| (object.kind, object.name.as_str()) != (DeputyKind::Binding, "uploader"));
        let answer = ask(&file, there);
        let told: Vec<_> = answer
            .findings()
            .map(|(_, finding)| finding.message.as_str())
            .filter(|message| message.contains("Shadowed"))
            .collect();
        match shadowed_by {
            Some(by) => assert!(
                told.len() == 1 && told[0].contains(&format!("Shadowed: pods of uploader get binding {by} ")),
                "{file}: {answer:#?}"
            ),
            None => assert!(told.is_empty(), "{file}: {answer:#?}"),
        }
    }
}
