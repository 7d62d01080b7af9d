//! A role as it should be, and as it is.

use std::collections::{BTreeMap, BTreeSet};

use deputy_policy::Document;

use crate::names::{IamPath, ManagedPolicyArn, MaxSessionDuration, RoleArn, RoleName, TagKey, TagValue};

/// The role as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredRole {
    /// Its name.
    pub name: RoleName,
    /// Its path.
    pub path: IamPath,
    /// Its trust policy: made of what is there, where it names users or roles ([`crate::trust::CompiledTrust::against`]).
    pub trust: Document,
    /// Deputy's one inline policy; none when managed policies are all it has.
    pub inline: Option<Document>,
    /// Its managed policies.
    pub attached: BTreeSet<ManagedPolicyArn>,
    /// Its permissions boundary.
    pub boundary: Option<ManagedPolicyArn>,
    /// All its tags: the ownership tags, and the account's.
    pub tags: BTreeMap<TagKey, TagValue>,
    /// MaxSessionDuration.
    pub max_session_duration: MaxSessionDuration,
}

/// The role as AWS has it. Documents are the (URL-decoded) text that AWS returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedRole {
    /// Its ARN.
    pub arn: RoleArn,
    /// Its unique id, `AROA…`.
    pub unique_id: String,
    /// Trust policy text.
    pub trust: String,
    /// Inline policies by name.
    pub inline: BTreeMap<String, String>,
    /// ARNs of attached managed policies.
    pub attached: Vec<String>,
    /// ARN of the permissions boundary.
    pub boundary: Option<String>,
    /// Tags as they are.
    pub tags: BTreeMap<String, String>,
    /// MaxSessionDuration in seconds.
    pub max_session_seconds: u32,
}
