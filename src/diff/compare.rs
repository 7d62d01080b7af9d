//! Objects before and after.

use std::collections::BTreeMap;

use deputy_policy::PolicyKind;
use serde::Serialize;

use super::{
    classes::{PolicyDifference, RequestClass, UnknownStatement, beyond},
    fields::{FieldChange, fields},
    policies::{PolicySet, namespaces, policies, policy_kind},
    sides::PolicyFile,
};
use crate::{objects::ReadObject, text::printable};

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectChange {
    Added,
    Removed,
    Changed,
}

impl ObjectChange {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

/// A class of requests, with where the statement stands that allows them: a contract (docs/contracts.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedRequests {
    /// In which namespace, of a ClusterAWSRole where that makes a difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    pub actions: String,
    pub resources: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<String>,
    /// A request of them.
    pub witness: String,
    /// `spec.policies[0].document.Statement[1]`; empty where no statement says it.
    pub field: String,
    /// `FILE:LINE:COLUMN`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

impl ChangedRequests {
    /// `s3:PutObject on arn:aws:s3:::b/*, if StringEquals …`
    pub fn class(&self) -> String {
        let mut out = self.actions.clone();
        if !self.resources.is_empty() {
            out.push_str(" on ");
            out.push_str(&self.resources);
        }
        if !self.conditions.is_empty() {
            out.push_str(", if ");
            out.push_str(&self.conditions.join(" and "));
        }
        if let Some(namespace) = &self.namespace {
            out.push_str(&format!(", in namespace {namespace}"));
        }
        out
    }
}

/// What a change of one object does: a contract (docs/contracts.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectDifference {
    pub object: String,
    pub change: ObjectChange,
    pub newly_allowed: Vec<ChangedRequests>,
    pub newly_denied: Vec<ChangedRequests>,
    /// What is not known to be the same.
    pub unknown: Vec<String>,
    pub fields: Vec<FieldChange>,
}

impl ObjectDifference {
    fn new(object: String, change: ObjectChange) -> Self {
        Self {
            object,
            change,
            newly_allowed: Vec::new(),
            newly_denied: Vec::new(),
            unknown: Vec::new(),
            fields: Vec::new(),
        }
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.change == ObjectChange::Changed
            && self.newly_allowed.is_empty()
            && self.newly_denied.is_empty()
            && self.unknown.is_empty()
            && self.fields.is_empty()
    }
}

/// The whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffAnswer {
    /// What is not the same on both sides.
    pub objects: Vec<ObjectDifference>,
    /// Documents of OLD and of NEW that are neither objects of Deputy's nor policies.
    pub passed_over: (usize, usize),
}

impl DiffAnswer {
    /// `2 other documents of OLD and 3 of NEW passed over`, if any.
    pub fn passed_over(&self) -> Option<String> {
        let (old, new) = self.passed_over;
        let documents = if old == 1 { "document" } else { "documents" };
        (old + new > 0).then(|| format!("{old} other {documents} of OLD and {new} of NEW passed over"))
    }
}

/// Every object of either side that is not the same in both, in the order of kind and name.
///
/// # Errors
/// What is wrong with an object, with its name and place.
pub fn objects(old: &[ReadObject], new: &[ReadObject]) -> Result<Vec<ObjectDifference>, String> {
    let mut pairs: BTreeMap<_, (Option<&ReadObject>, Option<&ReadObject>)> = BTreeMap::new();
    for object in old {
        pairs.entry(object.id()).or_default().0 = Some(object);
    }
    for object in new {
        pairs.entry(object.id()).or_default().1 = Some(object);
    }
    let mut found = Vec::new();
    for (old, new) in pairs.into_values() {
        let difference = pair(old, new)?;
        found.extend(difference.filter(|difference| !difference.is_empty()));
    }
    Ok(found)
}

fn change<T>(old: Option<T>, new: Option<T>) -> ObjectChange {
    match (old, new) {
        (None, _) => ObjectChange::Added,
        (_, None) => ObjectChange::Removed,
        _ => ObjectChange::Changed,
    }
}

fn pair(old: Option<&ReadObject>, new: Option<&ReadObject>) -> Result<Option<ObjectDifference>, String> {
    let Some(one) = new.or(old) else {
        return Ok(None);
    };
    let mut found = ObjectDifference::new(one.title(), change(old, new));
    let null = serde_json::Value::Null;
    let value = |object: Option<&ReadObject>| object.map_or(&null, |object| &object.value).clone();
    found.fields = fields(one.kind, &value(old), &value(new));
    let both: Vec<&ReadObject> = old.into_iter().chain(new).collect();
    let wrong = |object: &ReadObject, why: String| {
        let place = object
            .place("")
            .map_or_else(String::new, |place| format!("{place}: "));
        printable(&format!("{place}{}: {why}", object.title()))
    };
    let namespaces = namespaces(&both).map_err(|why| wrong(one, why))?;
    found.unknown.extend(namespaces.unknown(old, new));
    for namespace in &namespaces.names {
        let set = |object: Option<&ReadObject>| match object {
            None => Ok(PolicySet::default()),
            Some(object) => policies(object, namespace).map_err(|why| wrong(object, why)),
        };
        let (before, after) = (set(old)?, set(new)?);
        let kind = policy_kind(one.kind);
        let namespace = namespaces.differ.then(|| namespace.to_string());
        let place = |object: Option<&ReadObject>, field: &str| {
            Some(object?.place(field)?.to_string()).filter(|_| !field.is_empty())
        };
        let told = |difference: &PolicyDifference, set: &PolicySet, of: Option<&ReadObject>| {
            let one = |class: &RequestClass| {
                let field = statement_of(&set.paths, class.at);
                requests(class, namespace.clone(), place(of, &field), field)
            };
            difference.classes.iter().map(one).collect::<Vec<_>>()
        };
        let allowed = beyond(&after.documents, &before.documents, kind);
        found.unknown.extend(unknown(&allowed, &after, "newly allows"));
        let denied = beyond(&before.documents, &after.documents, kind);
        found.unknown.extend(unknown(&denied, &before, "newly denies"));
        let (allowed, denied) = (told(&allowed, &after, new), told(&denied, &before, old));
        let beside = before.beside(&after);
        if beside.is_empty() {
            found.newly_allowed.extend(allowed);
            found.newly_denied.extend(denied);
        } else {
            let by_own = |what, classes| by_own_policies(what, classes, &beside);
            found.unknown.extend(by_own("allow", allowed));
            found.unknown.extend(by_own("deny", denied));
        }
        found.unknown.extend(only_aws_knows(&before, &after));
    }
    found.unknown.sort();
    found.unknown.dedup();
    Ok(Some(found))
}

/// What is so of the policies that the object says, and perhaps not of what counts with those of which only AWS knows what they say.
fn by_own_policies(what: &str, classes: Vec<ChangedRequests>, beside: &[&str]) -> Vec<String> {
    let beside = beside.join(", and ");
    let one = |requests: ChangedRequests| {
        let at = requests.at.as_ref();
        let at = at.map_or_else(String::new, |at| format!(" [{at}]"));
        let (class, witness) = (requests.class(), &requests.witness);
        format!(
            "by themselves its own policies newly {what} {class}, such as {witness}{at}; but {beside} counts, too, which only AWS knows"
        )
    };
    classes.into_iter().map(one).collect()
}

/// What one side has and the other has not, of which only AWS knows what it means.
fn only_aws_knows(before: &PolicySet, after: &PolicySet) -> Vec<String> {
    let lacks = |set: &PolicySet, what: &&String| !set.unknown.contains(what);
    let gone = before.unknown.iter().filter(|what| lacks(after, what));
    let come = after.unknown.iter().filter(|what| lacks(before, what));
    let gone = gone.map(|what| format!("{what} counts no longer; only AWS knows what that is"));
    let come = come.map(|what| format!("{what} counts now; only AWS knows what that is"));
    gone.chain(come).collect()
}

fn unknown(difference: &PolicyDifference, set: &PolicySet, what: &str) -> Vec<String> {
    let one = |unknown: &UnknownStatement| {
        let at = unknown.at.map(|at| statement_of(&set.paths, at));
        let at = at.map_or_else(String::new, |at| format!(" by {at}"));
        format!("what it {what}{at} is not known: {}", unknown.reason)
    };
    difference.unknown.iter().map(one).collect()
}

fn statement_of(paths: &[String], (document, statement): (usize, usize)) -> String {
    match paths.get(document).map(String::as_str) {
        None | Some("") => String::new(),
        // It is one, and stands without a list.
        Some(path @ "spec.statement") => path.to_owned(),
        Some(path) => format!("{path}.Statement[{statement}]"),
    }
}

fn requests(
    class: &RequestClass,
    namespace: Option<String>,
    at: Option<String>,
    field: String,
) -> ChangedRequests {
    // What no policy of an object narrows.
    let (actions, resources) = match field.is_empty() {
        true => ("all that its role allows".to_owned(), String::new()),
        false => (class.actions.clone(), class.resources.clone()),
    };
    ChangedRequests {
        namespace,
        actions,
        resources,
        conditions: class.conditions.clone(),
        witness: class.witness.to_string(),
        field,
        at,
    }
}

/// The policies that stand alone in a file, as one object; `name` is empty of files that were named themselves.
pub fn alone(
    name: &str,
    old: Option<&PolicyFile>,
    new: Option<&PolicyFile>,
    kind: PolicyKind,
) -> ObjectDifference {
    let title = match name {
        "" => "the policy".to_owned(),
        name => format!("the policy {name}"),
    };
    let mut found = ObjectDifference::new(title, change(old, new));
    let documents = |file: Option<&PolicyFile>| file.map(PolicyFile::documents).unwrap_or_default();
    let (before, after) = (documents(old), documents(new));
    let many = before.len().max(after.len()) > 1;
    let field = |(document, statement): (usize, usize)| match many {
        true => format!("document {}, Statement[{statement}]", document + 1),
        false => format!("Statement[{statement}]"),
    };
    let told = |difference: &PolicyDifference, file: Option<&PolicyFile>| {
        let place = |at| file.and_then(|file| file.place(at));
        let one = |class: &RequestClass| requests(class, None, place(class.at), field(class.at));
        difference.classes.iter().map(one).collect()
    };
    let paths = PolicySet::default();
    let allowed = beyond(&after, &before, kind);
    found.unknown.extend(unknown(&allowed, &paths, "newly allows"));
    found.newly_allowed = told(&allowed, new);
    let denied = beyond(&before, &after, kind);
    found.unknown.extend(unknown(&denied, &paths, "newly denies"));
    found.newly_denied = told(&denied, old);
    found
}
