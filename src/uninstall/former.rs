//! Annotations that accept whatever follows, for as long as `Delete` (and, of ClusterAWSRoles, `Retain`) works. What each said before is kept in
//! an annotation beside it, so that it can be put back however the work ends: the next run finds it, too.

use deputy_admission::{ACCEPT_SUSPENDING, DeputyKind};
use deputy_api::ACCEPT_REMOVING;
use kube::{ResourceExt as _, api::DynamicObject};
use serde_json::{Value, json};

use super::objects::{ChangeAnswer, ClusterObjects, place};
use crate::exit::Failure;

/// Whoever may say so accepts that any number of grants is suspended, or of IAM roles deleted.
const ANY: &str = "1000000";

/// An annotation that accepts something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcceptAnnotation {
    key: &'static str,
    former: &'static str,
}

/// That many IAM roles are deleted at once.
pub const REMOVING: AcceptAnnotation = AcceptAnnotation {
    key: ACCEPT_REMOVING,
    former: "deputy.dev/uninstall-former-accept-removing-orphans",
};
/// That many grants are suspended.
pub const SUSPENDING: AcceptAnnotation = AcceptAnnotation {
    key: ACCEPT_SUSPENDING,
    former: "deputy.dev/uninstall-former-accept-suspending",
};
/// Which objects get one.
const ANNOTATED: [(DeputyKind, AcceptAnnotation); 3] = [
    (DeputyKind::Account, REMOVING),
    (DeputyKind::ClusterRole, SUSPENDING),
    (DeputyKind::Limit, SUSPENDING),
];

impl AcceptAnnotation {
    /// The change by which an object accepts any number.
    fn accepting(self, object: &DynamicObject) -> Value {
        let now = object.annotations().get(self.key);
        let kept = object.annotations().get(self.former);
        let former = match (now, kept) {
            // Of a run that could not put it back.
            (Some(now), Some(kept)) if now == ANY => kept.clone(),
            (now, _) => now.cloned().unwrap_or_default(),
        };
        json!({"metadata": {"annotations": {self.key: ANY, self.former: former}}})
    }

    /// The change by which it says what it said before. `None` where nothing is to be put back.
    fn restoring(self, object: &DynamicObject) -> Option<Value> {
        let kept = object.annotations().get(self.former)?;
        let mut change = json!({self.former: null});
        // What somebody has said since stays.
        if object.annotations().get(self.key).is_some_and(|now| now == ANY) {
            let value = if kept.is_empty() { Value::Null } else { json!(kept) };
            change.as_object_mut()?.insert(self.key.to_owned(), value);
        }
        Some(json!({"metadata": {"annotations": change}}))
    }

    /// Where it still accepts any number, what that means, and how that ends.
    fn stays(self, kind: DeputyKind, object: &DynamicObject, why: &str) -> String {
        let Self { key, former } = self;
        let (name, plural, place) = (kind.name(), kind.plural(), place(object));
        let back = match object.annotations().get(former).filter(|kept| !kept.is_empty()) {
            Some(kept) => format!("{key}={kept}"),
            None => format!("{key}-"),
        };
        format!(
            "- {name} {place} still has {key}: \"{ANY}\", which accepts any number ({why}): \
             kubectl annotate {plural} {place} --overwrite {back} {former}-\n"
        )
    }
}

/// Has objects of a kind accept any number.
///
/// # Errors
/// When one can't be changed.
pub async fn accept(
    cluster: &ClusterObjects,
    kind: DeputyKind,
    objects: &[DynamicObject],
    annotation: AcceptAnnotation,
) -> Result<(), Failure> {
    for object in objects {
        let change = annotation.accepting(object);
        if let ChangeAnswer::Refused(why) = cluster.patch(kind, object, &change, false).await? {
            let (kind, place, key) = (kind.name(), place(object), annotation.key);
            return Err(Failure::process(format!(
                "{kind} {place} can't be annotated with {key}: {why}"
            )));
        }
    }
    Ok(())
}

/// Puts back whatever is still to be put back, of this run or of one before. Gives what could not be.
pub async fn put_back(cluster: &ClusterObjects) -> String {
    let (overridden, mut said) = overridden(cluster).await;
    for (kind, annotation, object) in &overridden {
        let Some(change) = annotation.restoring(object) else {
            continue;
        };
        let why = match cluster.patch(*kind, object, &change, false).await {
            Ok(ChangeAnswer::Done | ChangeAnswer::Gone) => continue,
            Ok(ChangeAnswer::Refused(why)) => why,
            Err(failure) => failure.to_string(),
        };
        said.push_str(&annotation.stays(*kind, object, &why));
    }
    said
}

/// What a run of before could not put back.
pub async fn still_there(cluster: &ClusterObjects) -> String {
    let (overridden, mut said) = overridden(cluster).await;
    for (kind, annotation, object) in &overridden {
        said.push_str(&annotation.stays(
            *kind,
            object,
            "an earlier removal ended before it could put it back",
        ));
    }
    said
}

/// Objects with something to put back, and of which kinds it is not known.
async fn overridden(
    cluster: &ClusterObjects,
) -> (Vec<(DeputyKind, AcceptAnnotation, DynamicObject)>, String) {
    let (mut found, mut unknown) = (Vec::new(), String::new());
    for (kind, annotation) in ANNOTATED {
        match cluster.list(kind).await {
            Ok(objects) => found.extend(
                objects
                    .into_iter()
                    .filter(|object| annotation.restoring(object).is_some())
                    .map(|object| (kind, annotation, object)),
            ),
            Err(failure) => unknown.push_str(&format!(
                "- whether {} still accept any number ({}: \"{ANY}\") is not known: {failure}\n",
                kind.plural(),
                annotation.key
            )),
        }
    }
    (found, unknown)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn object(annotations: &BTreeMap<String, String>) -> DynamicObject {
        serde_json::from_value(json!({"metadata": {"name": "a", "annotations": annotations}})).unwrap()
    }

    /// As the API server merges.
    fn merged(annotations: &BTreeMap<String, String>, change: &Value) -> BTreeMap<String, String> {
        let mut merged = annotations.clone();
        let change = change.pointer("/metadata/annotations").unwrap();
        for (key, value) in change.as_object().unwrap() {
            match value.as_str() {
                Some(value) => merged.insert(key.clone(), value.to_owned()),
                None => merged.remove(key),
            };
        }
        merged
    }

    #[test]
    fn what_was_said_before_comes_back_however_often_it_was_begun() {
        for annotation in [REMOVING, SUSPENDING] {
            for said in [None, Some("3"), Some("0")] {
                for runs in 1..4 {
                    let mut before = BTreeMap::from([("else".to_owned(), "stays".to_owned())]);
                    before.extend(said.map(|said| (annotation.key.to_owned(), said.to_owned())));
                    let mut now = before.clone();
                    for _ in 0..runs {
                        now = merged(&now, &annotation.accepting(&object(&now)));
                        assert_eq!(now.get(annotation.key).map(String::as_str), Some(ANY));
                    }
                    let told = annotation.stays(DeputyKind::Account, &object(&now), "why");
                    let back = said.map_or("-".to_owned(), |said| format!("={said}"));
                    let command = format!("--overwrite {}{back} {}-", annotation.key, annotation.former);
                    assert!(told.contains(&command), "{told}");
                    now = merged(&now, &annotation.restoring(&object(&now)).unwrap());
                    assert_eq!(now, before, "{runs} runs");
                    assert_eq!(annotation.restoring(&object(&now)), None);
                }
            }
        }
    }

    #[test]
    fn what_somebody_said_in_between_is_theirs() {
        let begun = merged(&BTreeMap::new(), &REMOVING.accepting(&object(&BTreeMap::new())));
        let mut theirs = begun;
        theirs.insert(REMOVING.key.to_owned(), "5".to_owned());
        let only = BTreeMap::from([(REMOVING.key.to_owned(), "5".to_owned())]);
        assert_eq!(
            merged(&theirs, &REMOVING.restoring(&object(&theirs)).unwrap()),
            only
        );
        let again = merged(&theirs, &REMOVING.accepting(&object(&theirs)));
        assert_eq!(
            merged(&again, &REMOVING.restoring(&object(&again)).unwrap()),
            only
        );
    }
}
