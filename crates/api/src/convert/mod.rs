//! From the kinds to what [`deputy_delegation`] decides about: parse, don't validate.
//!
//! Each `parse_*` gives the typed value or *every* field that is wrong, as the violations that refusals list. Reading
//! is lenient towards fields that are not known (an older process reads what a newer definition stored) and strict
//! towards everything else.

mod account;
mod binding;
mod cluster_role;
mod federated;
mod limit;
mod role;
mod statement;
mod subjects;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    ops::RangeInclusive,
};

use deputy_delegation::{
    ManagedPolicyArn, NameError, ObjectName, Reason, TagKey, TagValue, Uid, Violation, Violations,
    model::{Account, Binding, ChosenTags, Limit, NOT_STORED, ObjectId, Role, TagKeyError},
    names::NamespaceName,
    quota,
};
use deputy_policy::{Document, ParseErrorKind, PolicyKind};
use kube::api::ObjectMeta;
use serde_json::Value;

pub use self::{
    account::{is_endpoint, parse_account},
    binding::{NotReadable, cluster_role_of, parse_binding},
    cluster_role::{NAMESPACE_ELEMENTS, NAMESPACE_VARIABLE, RoleTemplate, parse_cluster_role},
    federated::{federated_user_of, parse_federated_binding},
    limit::{enforcement_of, parse_limit, scope_of},
    role::parse_role,
    statement::parse_statement,
    subjects::subjects_of,
};
use crate::{AWSAccount, AWSRole, AWSRoleBinding, DelegationLimit};

/// Session tags: of bindings, and of what limits allow.
const SESSION_TAGS: &str = "spec.session.tags";
/// The policy of a session.
const SESSION_POLICY: &str = "spec.session.policy";

/// Unix seconds of creation. An object without a time is not stored: it would be made now, after all that are.
#[must_use]
pub fn created(metadata: &ObjectMeta) -> i64 {
    metadata
        .creation_timestamp
        .as_ref()
        .map_or(NOT_STORED, |time| time.0.as_second())
}

impl TryFrom<&AWSAccount> for Account {
    type Error = Violations;
    fn try_from(object: &AWSAccount) -> Result<Self, Self::Error> {
        parse_account(object)
    }
}
impl TryFrom<&DelegationLimit> for Limit {
    type Error = Violations;
    fn try_from(object: &DelegationLimit) -> Result<Self, Self::Error> {
        parse_limit(object)
    }
}
impl TryFrom<&AWSRole> for Role {
    type Error = Violations;
    fn try_from(object: &AWSRole) -> Result<Self, Self::Error> {
        parse_role(object)
    }
}
impl TryFrom<&AWSRoleBinding> for Binding {
    type Error = Violations;
    fn try_from(object: &AWSRoleBinding) -> Result<Self, Self::Error> {
        parse_binding(object)
    }
}

/// All violations found so far.
#[derive(Default)]
struct Findings(Vec<Violation>);

impl Findings {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn extend(&mut self, violations: Violations) {
        self.0.extend(violations.iter().cloned());
    }

    fn push(&mut self, reason: Reason, field: impl Into<String>, message: impl Display) {
        self.0.push(Violation::new(reason, field, message.to_string()));
    }

    /// The value, or a note of why there is none.
    fn take<T, E: Display>(&mut self, field: impl Into<String>, result: Result<T, E>) -> Option<T> {
        result
            .map_err(|error| self.push(Reason::Structure, field, error))
            .ok()
    }

    /// `value`, when nothing is wrong. Whoever calls it has a value exactly then.
    fn finish<T>(self, value: Option<T>) -> Result<T, Violations> {
        match (value, Violations::from_vec(self.0)) {
            (Some(value), None) => Ok(value),
            (_, Some(violations)) => Err(violations),
            // No value and no finding would be a refusal that says nothing.
            (None, None) => Err(Violation::new(Reason::Structure, "", "can't be read").into()),
        }
    }

    /// Whether there are as many as there may be.
    fn count(&mut self, field: &str, what: &str, have: usize, allowed: RangeInclusive<usize>) -> bool {
        let is_allowed = allowed.contains(&have);
        if !is_allowed {
            let (min, max) = (allowed.start(), allowed.end());
            self.push(
                Reason::Structure,
                field,
                format_args!("{have} {what}; it must be {min} to {max}"),
            );
        }
        is_allowed
    }

    fn name(&mut self, meta: &ObjectMeta) -> Option<ObjectName> {
        match meta.name.as_deref() {
            Some(name) => self.take("metadata.name", ObjectName::new(name)),
            None => {
                self.push(
                    Reason::Structure,
                    "metadata.name",
                    "a name is required; generateName alone is not enough",
                );
                None
            }
        }
    }

    fn id(&mut self, meta: &ObjectMeta) -> Option<ObjectId> {
        let name = self.name(meta);
        let namespace = match meta.namespace.as_deref() {
            Some(namespace) => self.take("metadata.namespace", NamespaceName::new(namespace)),
            None => {
                self.push(Reason::Structure, "metadata.namespace", "a namespace is required");
                None
            }
        };
        Some(ObjectId {
            namespace: namespace?,
            name: name?,
        })
    }

    /// `None` when there is no uid, `Some(None)` never: an unreadable uid is a finding.
    fn uid(&mut self, meta: &ObjectMeta) -> Option<Uid> {
        let uid = meta.uid.as_deref()?;
        self.take("metadata.uid", Uid::new(uid))
    }

    /// A duration, of the type that its range makes it.
    fn duration<T>(&mut self, field: &str, parsed: Result<T, NameError>) -> Option<T> {
        parsed
            .map_err(|error| self.push(Reason::Duration, field, error))
            .ok()
    }

    /// A policy document; what is wrong in it is reported below `field`.
    fn document(&mut self, field: &str, value: &Value, kind: PolicyKind) -> Option<Document> {
        self.document_at(value, kind, |path| {
            if path.is_empty() {
                field.to_owned()
            } else {
                format!("{field}.{path}")
            }
        })
    }

    /// The same, with what is wrong where `field_of` says that a path in the document is.
    fn document_at(
        &mut self,
        value: &Value,
        kind: PolicyKind,
        field_of: impl Fn(&str) -> String,
    ) -> Option<Document> {
        let problems = match Document::from_value(value, kind) {
            Ok(document) => return Some(document),
            Err(problems) => problems,
        };
        for problem in &problems {
            let reason = match problem.kind() {
                ParseErrorKind::Size => Reason::TooLarge,
                _ => Reason::Structure,
            };
            self.push(reason, field_of(problem.path()), problem.message());
        }
        None
    }

    /// ARNs of managed policies; none when the list is absent.
    fn managed_policies(
        &mut self,
        field: &str,
        arns: Option<&Vec<String>>,
        max: usize,
    ) -> BTreeSet<ManagedPolicyArn> {
        let Some(arns) = arns else {
            return BTreeSet::new();
        };
        self.count(field, "managed policies", arns.len(), 1..=max);
        let mut typed = BTreeSet::new();
        for (i, text) in arns.iter().enumerate().take(max) {
            let at = format!("{field}[{i}]");
            if let Some(arn) = self.take(&at, ManagedPolicyArn::parse(text))
                && !typed.insert(arn)
            {
                self.push(Reason::Structure, at, "is there twice");
            }
        }
        typed
    }

    /// Tags that people choose.
    fn tags<V, T>(
        &mut self,
        field: &str,
        tags: &BTreeMap<String, V>,
        mut value: impl FnMut(&mut Self, &str, &V) -> Option<T>,
    ) -> ChosenTags<T> {
        self.count(field, "tags", tags.len(), 0..=quota::CHOSEN_TAGS);
        let mut chosen = ChosenTags::default();
        for (key, text) in tags.iter().take(quota::CHOSEN_TAGS) {
            let at = format!("{field}[{key:?}]");
            let Some(key) = self.take(&at, TagKey::new(key.as_str())) else {
                continue;
            };
            // A key stands in the way of another one, whatever its value.
            let value = value(self, &at, text);
            if let Err(error) = chosen.insert(key, value) {
                let reason = match error {
                    TagKeyError::Reserved(_) if field == SESSION_TAGS => Reason::SessionTag,
                    TagKeyError::Reserved(_) | TagKeyError::Same { .. } => Reason::Structure,
                };
                self.push(reason, at, error);
            }
        }
        chosen.with_values()
    }

    fn tag_value(&mut self, at: &str, text: &str) -> Option<TagValue> {
        self.take(at, TagValue::new(text))
    }
}

#[cfg(test)]
pub(crate) mod tests;
