//! Which copies there should be, and what is done about those that there are.

use std::sync::Arc;

use deputy_delegation::{NamespaceName, ObjectName, model::ObjectId};
use deputy_index::{Index, ResourceKind};
use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::{
    fixtures::{limit_object, object, policy},
    limit::copies::{Copies, CopyComparison, CopyWrite, MANAGED_BY, US, wanted},
};

/// An index with these namespaces; of those with a `!` somebody has asked for the deletion.
fn index(namespaces: &[&str], limits: Vec<DynamicObject>) -> Arc<Index> {
    let index = crate::fixtures::index();
    index.reset(
        ResourceKind::Namespaces,
        namespaces.iter().map(|name| {
            let mut metadata = json!({"name": name.trim_end_matches('!')});
            if name.ends_with('!') {
                metadata["deletionTimestamp"] = json!("2026-01-02T03:04:05Z");
            }
            serde_json::from_value(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}))
                .unwrap()
        }),
    );
    index.reset(ResourceKind::Limits, limits);
    index
}

fn limit(name: &str, namespaces: &[&str], ceiling: Value) -> DynamicObject {
    let spec = json!({
        "namespaces": namespaces, "accounts": ["staging", "production"], "ceiling": ceiling,
        "boundary": {"type": "CheckOnly"},
        "session": {"maxDuration": "90m", "tags": {"team": ["green", "blue"]}},
        "acknowledgeEscalation": ["iam:PassRole"],
        "aLaterVersion": {"says": "more"},
    });
    object("DelegationLimit", None, name, spec)
}

fn ids(copies: &Copies) -> Vec<String> {
    copies.keys().map(ToString::to_string).collect()
}

/// As the API server gives it back.
fn stored(id: &ObjectId, spec: &Value) -> DynamicObject {
    let mut stored = object(
        "NamespaceLimit",
        Some(id.namespace.as_str()),
        id.name.as_str(),
        spec.clone(),
    );
    stored.metadata.labels = Some([(MANAGED_BY.to_owned(), US.to_owned())].into());
    stored
}

fn diff(wanted: &Copies, existing: &[DynamicObject]) -> Vec<CopyWrite> {
    let mut comparison = CopyComparison::with(wanted);
    // However the pages are cut.
    existing.chunks(1).for_each(|page| comparison.see(page));
    comparison.finish()
}

#[test]
fn each_namespace_that_a_limit_names_has_a_copy_of_what_is_said_about_it() {
    let index = index(
        &["payments", "team-a", "team-b", "team-c!", "other"],
        vec![
            limit_object(&["s3:GetObject"]),
            limit("teams", &["team-*", "pay*"], policy(&["s3:GetObject"])),
        ],
    );
    let copies = wanted(&index);
    assert_eq!(
        ids(&copies),
        [
            "payments/payments",
            "payments/teams",
            "team-a/teams",
            "team-b/teams"
        ]
    );
    let teams = copies
        .iter()
        .find(|(id, _)| id.to_string() == "team-a/teams")
        .unwrap()
        .1;
    // All of it as it stands, known or not, but for its namespaces.
    let mut spec = limit("teams", &["team-*", "pay*"], policy(&["s3:GetObject"])).data["spec"].clone();
    spec.as_object_mut().unwrap().remove("namespaces");
    assert_eq!(**teams, spec);
    assert_eq!(spec["aLaterVersion"], json!({"says": "more"}));
}

#[test]
fn a_limit_that_is_not_in_force_is_shown_nowhere() {
    let mut leaving = limit("leaving", &["*"], policy(&["s3:GetObject"]));
    leaving.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-02T03:04:05Z")).unwrap();
    let unreadable = limit("unreadable", &["*"], json!({"Statement": []}));
    // It reaches IAM by what it does not acknowledge.
    let refused = limit(
        "refused",
        &["*"],
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iam:CreateUser", "Resource": "*"}}),
    );
    let good = limit("good", &["*"], policy(&["s3:GetObject"]));
    let index = index(&["payments"], vec![leaving, unreadable, refused, good]);
    assert_eq!(ids(&wanted(&index)), ["payments/good"]);
}

#[test]
fn what_is_as_it_should_be_is_not_written() {
    let index = index(
        &["a", "b"],
        vec![limit("teams", &["*"], policy(&["s3:GetObject"]))],
    );
    let wanted = wanted(&index);
    let existing: Vec<_> = wanted.iter().map(|(id, spec)| stored(id, spec)).collect();
    assert_eq!(existing.len(), 2);
    assert_eq!(diff(&wanted, &existing), []);
}

#[test]
fn what_differs_is_put_right_and_what_is_too_much_goes() {
    let index = index(&["a"], vec![limit("teams", &["a"], policy(&["s3:GetObject"]))]);
    let wanted = wanted(&index);
    let (id, spec) = wanted.first_key_value().unwrap();
    let apply = vec![CopyWrite::Apply(id.clone(), Arc::clone(spec))];
    assert_eq!(diff(&wanted, &[]), apply, "missing");

    let mut wider = (**spec).clone();
    wider["ceiling"] = policy(&["s3:*"]);
    assert_eq!(diff(&wanted, &[stored(id, &wider)]), apply, "edited");
    let mut more = (**spec).clone();
    more["session"]["tags"]["owner"] = json!(["somebody"]);
    assert_eq!(diff(&wanted, &[stored(id, &more)]), apply, "something added");
    let mut unlabelled = stored(id, spec);
    unlabelled.metadata.labels = None;
    assert_eq!(diff(&wanted, &[unlabelled]), apply, "without the label");

    for (namespace, name) in [("b", "teams"), ("a", "made-up")] {
        let id = ObjectId {
            namespace: NamespaceName::new(namespace).unwrap(),
            name: ObjectName::new(name).unwrap(),
        };
        let mut foreign = stored(&id, spec);
        foreign.metadata.labels = None;
        let writes = diff(&wanted, &[foreign.clone()]);
        assert_eq!(writes, [CopyWrite::Delete(id), apply[0].clone()]);
        // Something keeps it; it goes by itself.
        foreign.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-02T03:04:05Z")).unwrap();
        assert_eq!(diff(&wanted, &[foreign]), apply);
    }
}
