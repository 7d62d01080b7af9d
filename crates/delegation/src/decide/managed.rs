//! Managed policies of roles and of sessions: by ARN alone.
//!
//! What one says is not asked, since it changes without anybody here: AWS edits its own, and customers theirs. Every limit that applies
//! has to name it, and in AWS the role's boundary holds it, whatever it says.

use std::collections::BTreeSet;

use crate::{
    decision::Reason,
    model::{Account, Limit},
    names::{IamArnPattern, ManagedPolicyArn, PolicyOwner},
    naming,
};

use super::{findings::Findings, limits::Applicable};

/// How many patterns of a limit a refusal repeats.
const PATTERNS_SHOWN: usize = 8;
/// The path of policies that AWS attaches to service-linked roles alone.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachRolePolicy.html>, PolicyNotAttachable
const OF_SERVICES: &str = "/aws-service-role/";

/// Adds a violation for each policy that the role or session in `account` can't have, and for each limit that does not name it.
pub(super) fn allowed(
    arns: &BTreeSet<ManagedPolicyArn>,
    field: &str,
    account: Option<&Account>,
    limits: &Applicable<'_>,
    findings: &mut Findings,
) {
    for arn in arns {
        let field = format!("{field}[{arn}]");
        let unusable = account.and_then(|account| unusable(arn, account));
        if let Some((reason, message)) = unusable {
            findings.refuse(reason, field, message);
            continue;
        }
        let text = arn.to_string();
        for limit in &limits.limits {
            if !limit
                .managed_policies
                .iter()
                .any(|pattern| pattern.matches(&text))
            {
                let message = format!(
                    "limit {:?} does not allow this managed policy: it allows {}",
                    limit.name.as_str(),
                    patterns(limit)
                );
                findings.refuse_under(&limit.name, Reason::ManagedPolicy, &field, message);
            }
        }
    }
}

/// Why no role of `account` can have this policy, whatever a limit says.
fn unusable(arn: &ManagedPolicyArn, account: &Account) -> Option<(Reason, String)> {
    if *arn.partition() != account.partition {
        let message = format!(
            "is of partition {}, and account {} is in {}",
            arn.partition(),
            account.name,
            account.partition
        );
        return Some((Reason::Partition, message));
    }
    let path = arn.path().as_str();
    let message = match arn.owner() {
        PolicyOwner::Aws if path.starts_with(OF_SERVICES) => {
            "AWS attaches it to roles of its services alone".to_owned()
        }
        PolicyOwner::Account(id) if *id != account.id => format!(
            "is of AWS account {id}; a role of account {} takes managed policies of {} and of AWS",
            account.name, account.id
        ),
        PolicyOwner::Account(_) if path.starts_with(naming::OWN_PATH) => {
            "is one of Deputy's own policies, which are boundaries and no grants".to_owned()
        }
        PolicyOwner::Aws | PolicyOwner::Account(_) => return None,
    };
    Some((Reason::ManagedPolicy, message))
}

fn patterns(limit: &Limit) -> String {
    let all = &limit.managed_policies;
    if all.is_empty() {
        return "none".to_owned();
    }
    let shown: Vec<_> = all
        .iter()
        .take(PATTERNS_SHOWN)
        .map(IamArnPattern::as_str)
        .collect();
    let more = match all.len().saturating_sub(PATTERNS_SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", shown.join(", "))
}
