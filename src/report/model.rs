//! What a report says: a contract (docs/contracts.md). The page and the JSON are made from it alone.

use deputy_admission::is_awaiting;
use deputy_delegation::Decision;
use serde::Serialize;

use crate::asked::MayDo;

/// The version of the JSON object.
pub const REPORT_VERSION: u32 = 1;

/// The whole report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessReport {
    pub version: u32,
    /// When it was made, RFC 3339 in UTC.
    pub generated: String,
    /// `deputy 0.1.0`
    pub by: String,
    /// The name of the cluster towards AWS, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Where the objects were read.
    pub sources: Vec<String>,
    /// What was not looked at, a sentence each: no finding about it means nothing.
    pub not_looked_at: Vec<String>,
    pub summary: ReportSummary,
    pub findings: Vec<AccessFinding>,
    pub accounts: Vec<ReportedAccount>,
    pub limits: Vec<ReportedLimit>,
    pub roles: Vec<ReportedRole>,
    pub bindings: Vec<ReportedBinding>,
    pub statements: Vec<ReportedStatement>,
}

/// Counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportSummary {
    pub namespaces: usize,
    pub accounts: usize,
    pub limits: usize,
    pub roles: usize,
    pub bindings: usize,
    /// Those that give somebody sessions.
    pub granting: usize,
    /// Different ones.
    pub subjects: usize,
    pub high: usize,
    pub medium: usize,
    pub low: usize,
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingWeight {
    High,
    Medium,
    Low,
}

impl FindingWeight {
    pub const ALL: [Self; 3] = [Self::High, Self::Medium, Self::Low];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum FindingTopic {
    /// A way to further permissions.
    Escalation,
    /// A grant or a ceiling of more than somebody wrote out.
    WideGrant,
    /// What is refused, or would be.
    Refused,
    /// Something whose other half is not there.
    Orphan,
    /// AWS was, or is, not as the objects say.
    Drift,
    /// What status says is not Ready.
    NotReady,
    /// A part of a ceiling that no grant needs.
    UnusedCeiling,
    /// What the API server would warn of.
    Warning,
    /// What only AWS knows.
    Unknown,
}

impl FindingTopic {
    #[cfg(test)]
    pub const ALL: [Self; 9] = [
        Self::Escalation,
        Self::WideGrant,
        Self::Refused,
        Self::Orphan,
        Self::Drift,
        Self::NotReady,
        Self::UnusedCeiling,
        Self::Warning,
        Self::Unknown,
    ];

    /// As the page says it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Escalation => "escalation",
            Self::WideGrant => "wide grant",
            Self::Refused => "refused",
            Self::Orphan => "orphan",
            Self::Drift => "drift",
            Self::NotReady => "not ready",
            Self::UnusedCeiling => "unused ceiling",
            Self::Warning => "warning",
            Self::Unknown => "only AWS knows",
        }
    }
}

/// Something that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessFinding {
    pub weight: FindingWeight,
    pub topic: FindingTopic,
    /// A reason of decisions or conditions, a code of findings about policies, or one of the report's own.
    pub reason: String,
    /// `AWSRole payments/uploader`
    pub object: String,
    /// Further objects of the namespace of which all the same is said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// Of an object that has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Empty where it is about the whole.
    pub field: String,
    /// `FILE:LINE:COLUMN`, of an object of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    pub message: String,
    /// What to do.
    pub advice: String,
}

/// An AWSAccount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportedAccount {
    pub name: String,
    /// Absent where it can't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Who makes sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    pub limits: usize,
    pub roles: usize,
}

/// A DelegationLimit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportedLimit {
    pub name: String,
    /// `Enforce` or `DryRun`
    pub enforcement: &'static str,
    /// How AWS holds it: `Generated`, `CheckOnly`, or the ARN of a policy of somebody else.
    pub boundary: String,
    pub namespaces: Vec<String>,
    pub accounts: Vec<String>,
    /// Roles that it applies to.
    pub roles: usize,
    /// Roles, bindings and statements under it that are accepted.
    pub accepted: usize,
    pub suspended: usize,
    /// Of a dry run: how many it would refuse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_refuse: Option<usize>,
    pub ceiling: Vec<CeilingPart>,
    /// Why it can't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

/// A statement of a ceiling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CeilingPart {
    /// Its index.
    pub statement: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    pub effect: &'static str,
    pub actions: String,
    pub resources: String,
    pub has_conditions: bool,
    /// How many accepted grants need it; absent of a Deny, of a dry run, and where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grants: Option<usize>,
    /// Why it is not known whether anything needs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// Whether something gives anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GrantOutcome {
    Accepted,
    Refused,
    Undecided,
    Unreadable,
}

impl GrantOutcome {
    /// What a decision comes to.
    pub fn of(decision: &Decision) -> Self {
        match decision {
            Decision::Accepted(_) => Self::Accepted,
            decision if is_awaiting(decision) => Self::Undecided,
            Decision::Refused(_) | Decision::Undecided(_) => Self::Refused,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Undecided => "undecided",
            Self::Unreadable => "unreadable",
        }
    }
}

/// An AWSRole, or what a ClusterAWSRole is in a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportedRole {
    /// As a binding's `target` names it.
    pub object: String,
    /// `AWSRole` or `ClusterAWSRole`
    pub kind: &'static str,
    pub namespace: String,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    pub outcome: GrantOutcome,
    /// The decision in words.
    pub decision: String,
    /// Limits that apply to it.
    pub limits: Vec<String>,
    /// The limit whose ceiling AWS holds it to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boundary: Option<String>,
    pub bindings: usize,
}

/// Somebody who may have a session.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ReportedSubject {
    /// `ServiceAccount`, `user`, `group`, `AWS principal`, `SAML provider` or `OIDC provider`
    pub kind: &'static str,
    pub name: String,
    /// Not there in the cluster that was read.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub missing: bool,
}

/// An AWSRoleBinding or AWSFederatedUserBinding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportedBinding {
    pub kind: &'static str,
    pub namespace: String,
    pub name: String,
    /// The role; the federated user.
    pub target: String,
    /// The AWSAccount, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The role's or the federated user's ARN, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// That of the binding, else that of its role.
    pub outcome: GrantOutcome,
    pub decision: String,
    pub limits: Vec<String>,
    pub subjects: Vec<ReportedSubject>,
    /// Whether a session policy narrows the role.
    pub has_session_policy: bool,
    pub may: Vec<MayDo>,
    /// What only AWS knows, and why something is not known.
    pub unknown: Vec<String>,
}

/// An AWSResourcePolicyStatement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportedStatement {
    pub namespace: String,
    pub name: String,
    pub resource: String,
    pub principals: Vec<String>,
    pub actions: String,
    pub resources: String,
    pub outcome: GrantOutcome,
    pub decision: String,
}
