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
    world,
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

/// A binding of each kind for the ServiceAccount of the example, and what belongs to them.
const MORE: &str = "
{apiVersion: deputy.dev/v1alpha1, kind: AWSRoleBinding, metadata: {name: younger, namespace: payments},
 spec: {roleRef: {kind: AWSRole, name: uploader}, subjects: [{kind: ServiceAccount, name: uploader}], session: {scope: ServiceAccount}}}
---
{apiVersion: deputy.dev/v1alpha1, kind: AWSFederatedUserBinding, metadata: {name: a, namespace: payments},
 spec: {accountRef: {name: production}, userName: dashboard, subjects: [{kind: ServiceAccount, name: uploader}],
  session: {policy: {Version: '2012-10-17', Statement: [{Effect: Allow, Action: s3:GetObject, Resource: 'arn:aws:s3:::productionapp/*'}]}}}}
";
const CLUSTER_ROLE: &str = "
{apiVersion: deputy.dev/v1alpha1, kind: ClusterAWSRole, metadata: {name: reader},
 spec: {namespaces: [payments], policies: [{name: objects, document: {Version: '2012-10-17', Statement: [
  {Effect: Allow, Action: s3:GetObject, Resource: 'arn:aws:s3:::productionapp/*'}]}}]}}
---
{apiVersion: deputy.dev/v1alpha1, kind: AWSRoleBinding, metadata: {name: reader, namespace: payments},
 spec: {roleRef: {kind: ClusterAWSRole, name: reader}, accountRef: {name: production}, subjects: [{kind: ServiceAccount, name: reader}],
  session: {scope: ServiceAccount}}}
";

/// What a cluster has, as it is there: with a time and a uid.
fn running(texts: &[&str]) -> Vec<ReadObject> {
    let mut there = stored(texts);
    for object in &mut there {
        object.value["metadata"]["creationTimestamp"] = json!("2026-01-02T03:04:05Z");
        object.value["metadata"]["uid"] = json!(format!("u-{}", object.name));
    }
    there
}

/// The object with this title, changed.
fn changed(there: &[ReadObject], title: &str, change: &dyn Fn(&mut Value)) -> Value {
    let mut object = there
        .iter()
        .find(|object| object.title() == title)
        .unwrap()
        .value
        .clone();
    let metadata = object["metadata"].as_object_mut().unwrap();
    metadata.retain(|key, _| key == "name" || key == "namespace");
    change(&mut object);
    object
}

/// What the webhook warns of when one file is applied, as an API server would send it.
fn webhook_says(new: &Value, there: &[ReadObject]) -> Vec<String> {
    let index = world(ClusterName::new("production-1").unwrap(), there).0;
    let is_it = |object: &&ReadObject| {
        object.value["kind"] == new["kind"] && object.value["metadata"]["name"] == new["metadata"]["name"]
    };
    let old = there.iter().find(is_it).map(|object| &object.value);
    let mut sent = new.clone();
    sent["metadata"]["creationTimestamp"] = match old {
        Some(old) => old["metadata"]["creationTimestamp"].clone(),
        None => json!("2026-02-03T04:05:06Z"),
    };
    let answer = deputy_admission::answer(&index, &sent, old).unwrap();
    let warnings = answer.warnings.into_iter();
    warnings.map(|warning| warning.message).collect()
}

/// What is changed and made in a namespace, each with a part of what the webhook says.
fn in_a_namespace(there: &[ReadObject]) -> Vec<(Value, &'static str)> {
    let of = |title: &str, change: &dyn Fn(&mut Value)| changed(there, title, change);
    let more = stored(&[MORE]);
    let new = |name: &str| {
        more.iter()
            .find(|object| object.name == name)
            .unwrap()
            .value
            .clone()
    };
    vec![
        (new("younger"), "Shadowed: pods of uploader get binding uploader"),
        (new("a"), "Shadowed: pods of uploader get binding uploader"),
        (
            of("AWSRole payments/uploader", &|object| {
                object["spec"]["policies"][0]["document"]["Statement"][1]["Action"] = json!("s3:*");
                object["spec"]["accountRef"]["name"] = json!("elsewhere");
            }),
            "",
        ),
        (
            of("AWSRoleBinding payments/uploader", &|object| {
                object["spec"]["method"] = json!("AssumeRoleWithWebIdentity");
            }),
            "",
        ),
    ]
}

/// The same of what is for the whole cluster.
fn of_the_cluster(there: &[ReadObject]) -> Vec<(Value, &'static str)> {
    let of = |title: &str, change: &dyn Fn(&mut Value)| changed(there, title, change);
    let issuer = |object: &mut Value| {
        object["spec"]["issuer"]["principalARN"] = json!("arn:aws:iam::123456789012:role/other-broker");
    };
    let accepted = json!({"deputy.dev/accept-suspending": "3"});
    vec![
        (
            of("AWSAccount production", &issuer),
            "of them get no further sessions",
        ),
        (of("AWSAccount production", &issuer), "suspends "),
        (
            of("AWSAccount production", &|object| {
                object["spec"]["tags"] = json!({"team": "platform"});
                object["metadata"]["annotations"] = accepted.clone();
            }),
            "is not needed",
        ),
        (
            of("DelegationLimit payments", &|object| {
                object["spec"]["accounts"] = json!(["production", "elsewhere"]);
            }),
            "AWSAccount elsewhere does not exist",
        ),
        (
            of("DelegationLimit payments", &|object| {
                object["spec"]["ceiling"]["Statement"][1]["Action"] = json!("s3:GetObject");
            }),
            "suspends AWSRole payments/uploader",
        ),
        (
            of("DelegationLimit payments", &|object| {
                object["metadata"]["name"] = json!("another");
                object["spec"]["enforcement"] = json!("DryRun");
            }),
            "BoundaryOverlap, once it is enforced",
        ),
        (
            of("DelegationLimit payments", &|object| {
                object["metadata"]["name"] = json!("another");
                object["metadata"]["annotations"] = accepted.clone();
            }),
            "suspends ",
        ),
        (
            of("ClusterAWSRole reader", &|object| {
                object["spec"]["policies"][0]["document"]["Statement"][0]["Action"] =
                    json!("s3:GetObjectAcl");
            }),
            "suspends ",
        ),
    ]
}

#[test]
fn beside_a_cluster_everything_is_said_that_its_webhook_says() {
    // With a user whom federated users are of, and leave for one of them.
    let platform = PLATFORM
        .replace(
            "role/deputy-broker\n",
            "role/deputy-broker\n  federation:\n    userARN: arn:aws:iam::123456789012:user/deputy-federation\n",
        )
        .replace("    type: Generated\n", "    type: Generated\n  federatedUsers: [dashboard]\n");
    let texts = [platform.as_str(), APPLICATION, CLUSTER_ROLE];
    let there = running(&texts);
    for (object, expected) in in_a_namespace(&there).into_iter().chain(of_the_cluster(&there)) {
        let said = webhook_says(&object, &there);
        assert!(
            expected.is_empty() || said.iter().any(|message| message.contains(expected)),
            "{expected}: {said:?}"
        );
        let answer = ask(&object.to_string(), running(&texts));
        let told: Vec<&str> = answer
            .findings()
            .map(|(_, finding)| finding.message.as_str())
            .collect();
        for message in said {
            assert!(told.contains(&message.as_str()), "{message}: {told:#?}");
        }
    }
}

#[test]
fn a_binding_that_is_there_is_as_old_as_it_is_there() {
    // The files do not say when they were made; the cluster does.
    let there = || {
        let mut there = running(&[PLATFORM, APPLICATION, MORE]);
        there.retain(|object| object.kind != DeputyKind::FederatedBinding);
        for object in &mut there {
            if object.name == "younger" {
                object.value["metadata"]["creationTimestamp"] = json!("2026-01-02T03:04:06Z");
            }
        }
        there
    };
    for (name, expected) in [("uploader", 0), ("younger", 1)] {
        let title = format!("AWSRoleBinding payments/{name}");
        let object = changed(&there(), &title, &|_| {});
        let answer = ask(&object.to_string(), there());
        let shadowed = answer
            .findings()
            .filter(|(_, finding)| finding.message.contains("Shadowed"));
        assert_eq!(shadowed.count(), expected, "{name}: {answer:#?}");
    }
}
