//! What Deputy has, by the objects of the cluster, and what is said of it.

use deputy_admission::DeputyKind;
use kube::api::DynamicObject;
use serde_json::Value;

use super::{
    objects::{ClusterObjects, place},
    orphans::AccountSweep,
};
use crate::exit::Failure;

/// Names that are shown of one kind.
const SHOWN: usize = 5;
/// What has to be gone before Deputy is, what is in AWS first. An AWSAccount has nothing in AWS of its own.
const KINDS: [DeputyKind; 6] = [
    DeputyKind::Role,
    DeputyKind::ClusterRole,
    DeputyKind::Statement,
    DeputyKind::Binding,
    DeputyKind::FederatedBinding,
    DeputyKind::Limit,
];

/// How it becomes known.
const TO_KNOW: &str = "`deputy controller` lists the roles of an account when it is new and every 30 minutes, and says so in its condition \
                       Swept: mend what that says, wait for it, and uninstall again. An AWSAccount of which nothing is left can be deleted.\n";

/// All that is left.
#[derive(Debug, Default)]
pub struct LeftObjects {
    found: Vec<(DeputyKind, Vec<DynamicObject>)>,
    accounts: Vec<DynamicObject>,
}

impl LeftObjects {
    /// # Errors
    /// When the cluster does not list a kind.
    pub async fn of(cluster: &ClusterObjects) -> Result<Self, Failure> {
        let mut found = Vec::new();
        for kind in KINDS {
            found.push((kind, cluster.list(kind).await?));
        }
        let accounts = cluster.list(DeputyKind::Account).await?;
        Ok(Self { found, accounts })
    }

    #[cfg(test)]
    pub fn of_accounts(accounts: Vec<DynamicObject>) -> Self {
        let found = Vec::new();
        Self { found, accounts }
    }

    #[cfg(test)]
    pub fn of_objects(kind: DeputyKind, objects: Vec<DynamicObject>) -> Self {
        Self {
            found: vec![(kind, objects)],
            accounts: Vec::new(),
        }
    }

    pub fn is_nothing(&self) -> bool {
        self.found.iter().all(|(_, objects)| objects.is_empty()) && self.sweeps().all(|sweep| sweep.is_none())
    }

    /// Whether every account says how many IAM roles have no object.
    pub fn is_known(&self) -> bool {
        self.sweeps().all(|sweep| sweep.is_known())
    }

    /// The objects of a kind.
    pub fn of_kind(&self, kind: DeputyKind) -> &[DynamicObject] {
        let found = self.found.iter().find(|(of, _)| *of == kind);
        found.map_or(&[], |(_, objects)| objects)
    }

    pub fn accounts(&self) -> &[DynamicObject] {
        &self.accounts
    }

    /// What each account says of IAM roles without an object.
    pub fn sweeps(&self) -> impl Iterator<Item = AccountSweep> {
        self.accounts.iter().map(AccountSweep::of)
    }

    /// IAM roles without an object that are known.
    pub fn orphans(&self) -> u64 {
        self.sweeps().map(|sweep| sweep.count()).sum()
    }

    /// A line for each account with something to say of them.
    pub fn lines_of_orphans(&self) -> String {
        self.sweeps().map(|sweep| sweep.lines()).collect()
    }

    /// A line for each kind of which there is something.
    pub fn lines(&self) -> String {
        let mut text = String::new();
        for (kind, objects) in self.found.iter().filter(|(_, objects)| !objects.is_empty()) {
            let in_aws: usize = objects.iter().map(|object| in_aws(*kind, object)).sum();
            let what = match kind {
                DeputyKind::Role | DeputyKind::ClusterRole => format!(" (IAM roles in AWS: {in_aws})"),
                DeputyKind::Limit => format!(" (boundary policies in AWS: {in_aws})"),
                DeputyKind::Statement => format!(" (in policies of resources: {in_aws})"),
                _ => String::new(),
            };
            let name = kind.name();
            let (count, names) = (objects.len(), names(objects));
            text.push_str(&format!("- {count} {name}{}{what}: {names}\n", plural(count)));
        }
        text.push_str(&self.lines_of_orphans());
        text
    }

    /// Why Deputy should not go yet, and what to do.
    pub fn refusal(&self) -> String {
        format!(
            "Deputy is not removed: it still has this, and without Deputy nobody takes access away when it has to end, and nobody \
             deletes it in AWS:\n{}Nothing was changed. Delete these objects while Deputy runs, and uninstall again (docs/operations.md, \
             \"Removing Deputy\"). Or say what is to become of them:\n\
             - uninstall.policy=Retain of the chart, or --policy Retain by hand: IAM roles stay in AWS with their ids, shut; their objects go, limits, bindings and accounts stay\n\
             - uninstall.policy=Delete, or --policy Delete: everything of this is deleted, in AWS first\n\
             Where `helm uninstall` asked, Helm calls the release \"uninstalling\" now: first `helm rollback RELEASE REVISION`, with the last revision of \
             `helm history RELEASE`; then `helm upgrade` with the value, and `helm uninstall`.\n\
             To go all the same, and leave everything as it is: `helm uninstall --no-hooks`\n{}",
            self.lines(),
            if self.is_known() { "" } else { TO_KNOW }
        )
    }

    /// Why no policy can be carried out while it is not known what there is.
    pub fn not_known(&self) -> String {
        format!(
            "Deputy is not removed: it is not known whether IAM roles are left in AWS without an object, which nobody would delete or shut:\n{}\
             Nothing was changed. {TO_KNOW}",
            self.lines_of_orphans()
        )
    }
}

/// How many things in AWS an object is, by its status.
pub fn in_aws(kind: DeputyKind, object: &DynamicObject) -> usize {
    let at = |pointer: &str| object.data.pointer(pointer);
    let with = |list: &str, field: &str| {
        let entries = at(list).and_then(Value::as_array).into_iter().flatten();
        entries.filter(|entry| entry.get(field).is_some()).count()
    };
    match kind {
        // What exists already is somebody else's.
        DeputyKind::Role => usize::from(at("/spec/existing").is_none() && at("/status/roleARN").is_some()),
        DeputyKind::ClusterRole => with("/status/instances", "roleARN"),
        DeputyKind::Limit if at("/spec/boundary/type").and_then(Value::as_str) == Some("Reference") => 0,
        DeputyKind::Limit => with("/status/boundaries", "policyARN"),
        DeputyKind::Statement => usize::from(at("/status/sid").is_some()),
        _ => 0,
    }
}

/// The first names, and how many more there are.
pub fn names(objects: &[DynamicObject]) -> String {
    let mut names: Vec<String> = objects.iter().map(place).collect();
    names.sort();
    let more = names.len().saturating_sub(SHOWN);
    names.truncate(SHOWN);
    match more {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(namespace: Option<&str>, name: &str, data: Value) -> DynamicObject {
        let mut whole = json!({"metadata": {"name": name, "namespace": namespace}});
        whole
            .as_object_mut()
            .unwrap()
            .extend(data.as_object().unwrap().clone());
        serde_json::from_value(whole).unwrap()
    }

    fn account(name: &str, swept: &str, reason: &str, orphans: &Value) -> DynamicObject {
        let swept = json!({"type": "Swept", "status": swept, "reason": reason, "message": "it is so"});
        object(
            None,
            name,
            json!({"status": {"conditions": [swept], "orphans": orphans}}),
        )
    }

    #[test]
    fn accounts_alone_keep_nobody_unless_a_role_has_no_object_or_may_have_none() {
        let none = account("production", "True", "UpToDate", &json!({"count": 0}));
        let three = account("staging", "False", "Orphaned", &json!({"count": 3}));
        let unknown = account("sandbox", "Unknown", "AccessDenied", &json!({}));
        let unseen = object(None, "new", json!({}));
        for (accounts, nothing, known, orphans) in [
            (vec![], true, true, 0),
            (vec![none.clone()], true, true, 0),
            (vec![none.clone(), three.clone()], false, true, 3),
            (vec![none.clone(), unknown.clone()], false, false, 0),
            (vec![unseen, none.clone()], false, false, 0),
            (vec![three, unknown], false, false, 3),
        ] {
            let left = LeftObjects::of_accounts(accounts);
            let is = (left.is_nothing(), left.is_known(), left.orphans());
            assert_eq!(is, (nothing, known, orphans), "{left:?}");
            for said in [left.refusal(), left.not_known()] {
                assert_eq!(
                    said.contains("its condition Swept is Unknown"),
                    said.contains("sandbox")
                );
                assert!(said.contains("Nothing was changed"), "{said}");
            }
            assert_eq!(left.refusal().contains(TO_KNOW), !known);
        }
    }

    #[test]
    fn whatever_kind_is_left_is_a_refusal_with_its_number_and_its_names() {
        for kind in KINDS {
            let objects = (0..7)
                .map(|n| object(Some("payments"), &format!("a{n}"), json!({})))
                .collect();
            let left = LeftObjects::of_objects(kind, objects);
            assert!(!left.is_nothing(), "{kind:?}");
            let refusal = left.refusal();
            for part in [
                format!("- 7 {}s", kind.name()),
                "payments/a0, payments/a1, payments/a2, payments/a3, payments/a4 and 2 more".to_owned(),
                "uninstall.policy=Retain".to_owned(),
                "uninstall.policy=Delete".to_owned(),
                "Nothing was changed".to_owned(),
            ] {
                assert!(refusal.contains(&part), "{part}: {refusal}");
            }
        }
    }

    #[test]
    fn what_an_object_is_in_aws_is_in_its_status() {
        let arn = "arn:aws:iam::123456789012:role/deputy/demo/deputy.a.b-c";
        for (kind, data, count) in [
            (
                DeputyKind::Role,
                json!({"spec": {}, "status": {"roleARN": arn}}),
                1,
            ),
            (DeputyKind::Role, json!({"spec": {}}), 0),
            (
                DeputyKind::Role,
                json!({"spec": {"existing": {"roleARN": arn}}, "status": {"roleARN": arn}}),
                0,
            ),
            (
                DeputyKind::ClusterRole,
                json!({"status": {"instances": [{"roleARN": arn}, {"reason": "NoLimit"}, {"roleARN": arn}]}}),
                2,
            ),
            (
                DeputyKind::Limit,
                json!({"spec": {"boundary": {"type": "Generated"}}, "status": {"boundaries": [{"policyARN": "arn"}]}}),
                1,
            ),
            (
                DeputyKind::Limit,
                json!({"spec": {"boundary": {"type": "Reference"}}, "status": {"boundaries": [{"policyARN": "arn"}]}}),
                0,
            ),
            (DeputyKind::Statement, json!({"status": {"sid": "Deputy"}}), 1),
            (DeputyKind::Binding, json!({"status": {"roleARN": arn}}), 0),
        ] {
            assert_eq!(
                in_aws(kind, &object(None, "x", data.clone())),
                count,
                "{kind:?} {data}"
            );
        }
    }
}
