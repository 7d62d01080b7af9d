//! Decisions with what made them.

use std::fmt;

use super::request::AccessDecision;
use crate::document::place::StatementRef;

/// What decided: a kind of policy, or a rule of AWS's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    /// Identity policies.
    Identity,
    /// The permissions boundary.
    Boundary,
    /// Session policies.
    Session,
    /// The trust policy.
    Trust,
    /// The policy of the resource.
    Resource,
    /// The policy of the VPC endpoint that the request comes through.
    Endpoint,
    /// Service control policies of one level of the organisation; 0 is the root.
    ServiceControl(usize),
    /// Resource control policies of one level of the organisation; 0 is the root.
    ResourceControl(usize),
    /// No policy.
    Rule(Rule),
}

/// Rules that hold whatever the policies say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// `sts:GetCallerIdentity` and `sts:GetSessionToken` need no permission and no policy can deny them.
    NoPermissionNeeded,
    /// The root user needs no identity policy.
    RootUser,
    /// The root user can't assume roles.
    RootAssumesNothing,
    /// A federated user can't call IAM, and of STS `GetCallerIdentity` only.
    FederatedUserOperation,
    /// Without a session policy a federated user has no permissions but those of resource policies that name it.
    FederatedUserWithoutSessionPolicy,
    /// A role session can't call `sts:GetFederationToken` and `sts:GetSessionToken`.
    RoleSessionOperation,
    /// Credentials of `sts:GetSessionToken` can't call IAM without MFA, and of STS `AssumeRole` and `GetCallerIdentity`
    /// only.
    SessionTokenOperation,
    /// A role can't be assumed unless its trust policy allows it, and none was given.
    TrustPolicyMissing,
    /// A KMS key can't be used unless its key policy allows it, and none was given.
    KeyPolicyMissing,
    /// Callers from outside of the resource's account need its policy's leave, and none was given.
    ResourcePolicyMissing,
    /// What AWS manages (`policy/…` of account `aws`, `role/aws-reserved/…`, `alias/aws/…`) can't be changed.
    ManagedByAws,
    /// Credentials of one partition are worth nothing in another.
    OtherPartition,
}

impl Rule {
    /// The rule as a sentence.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoPermissionNeeded => "the action needs no permission and no policy can deny it",
            Self::RootUser => "the root user needs no identity policy",
            Self::RootAssumesNothing => "the root user can't assume roles",
            Self::FederatedUserOperation => {
                "a federated user can't call IAM, and of STS it can call GetCallerIdentity only"
            }
            Self::FederatedUserWithoutSessionPolicy => {
                "a federated user without session policy has no permissions but those of resource policies that name it"
            }
            Self::RoleSessionOperation => "a role session can't call GetFederationToken or GetSessionToken",
            Self::SessionTokenOperation => {
                "credentials of GetSessionToken can't call IAM without MFA, and of STS they can call AssumeRole and \
                 GetCallerIdentity only"
            }
            Self::TrustPolicyMissing => "a role's trust policy must allow it, and none was given",
            Self::KeyPolicyMissing => "a KMS key's policy must allow it, and none was given",
            Self::ResourcePolicyMissing => {
                "a caller from outside of the resource's account needs a resource policy that allows it, and none was given"
            }
            Self::ManagedByAws => "what AWS manages can't be changed",
            Self::OtherPartition => "credentials of one partition are worth nothing in another",
        }
    }
}

/// What decided: a statement, the layer in which no statement allows, or a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluationReason {
    /// The layer.
    pub layer: Layer,
    /// The statement among the documents of the layer; `None` when nothing allows, and for rules.
    pub statement: Option<StatementRef>,
    /// The statement's Sid, when it has one.
    pub sid: Option<String>,
}

/// A decision with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// The decision.
    pub decision: AccessDecision,
    /// What decided. Of several layers that do not allow, the first that AWS looks at; of several that do, the one that
    /// grants.
    pub reason: EvaluationReason,
}

impl Evaluation {
    /// Whether the request is allowed.
    pub fn is_allowed(&self) -> bool {
        self.decision == AccessDecision::Allowed
    }

    pub(super) fn by_rule(decision: AccessDecision, rule: Rule) -> Self {
        Self {
            decision,
            reason: EvaluationReason {
                layer: Layer::Rule(rule),
                statement: None,
                sid: None,
            },
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "identity policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
            Self::Trust => "trust policy",
            Self::Resource => "resource policy",
            Self::Endpoint => "VPC endpoint policy",
            Self::ServiceControl(level) => return write!(f, "level {level} service control policy"),
            Self::ResourceControl(level) => return write!(f, "level {level} resource control policy"),
            Self::Rule(rule) => rule.as_str(),
        })
    }
}

impl fmt::Display for EvaluationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Layer::Rule(rule) = self.layer {
            return f.write_str(rule.as_str());
        }
        let Some(StatementRef { document, statement }) = self.statement else {
            return write!(f, "no statement of the {} allows it", self.layer);
        };
        write!(f, "statement {statement} of {} document {document}", self.layer)?;
        if let Some(sid) = &self.sid {
            write!(f, " (Sid {sid})")
        } else {
            Ok(())
        }
    }
}

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.decision, self.reason.layer) {
            (AccessDecision::Allowed, Layer::Rule(rule)) => write!(f, "allowed: {}", rule.as_str()),
            (AccessDecision::Allowed, _) => write!(f, "allowed by {}", self.reason),
            (AccessDecision::ExplicitDeny, _) => write!(f, "denied by {}", self.reason),
            (AccessDecision::ImplicitDeny, _) => write!(f, "not allowed: {}", self.reason),
        }
    }
}
