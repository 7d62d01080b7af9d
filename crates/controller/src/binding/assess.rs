//! *Assess*: from everything that was looked up, what is true of a binding. Pure.

use deputy_api::{
    AWSRoleBindingStatus, LeftOutPrincipalStatus,
    conditions::{ConditionReason, Status},
};
use deputy_delegation::{Decision, quota::TRUST_POLICY};

use super::dereference::{BindingFacts, BindingInputs, BindingTrust, Delivery};
use crate::{
    context::PeopleApi,
    left_out,
    report::{self, ConditionValue},
};

/// What is true of a binding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindingAssessment {
    /// Whether it is within every limit.
    pub accepted: ConditionValue,
    /// Whether its subjects get sessions by it.
    pub ready: ConditionValue,
}

/// What is true of a binding whose status is `old`: there the broker says when STS gives no session.
#[must_use]
pub fn assess(inputs: &BindingInputs, old: &AWSRoleBindingStatus) -> BindingAssessment {
    match &inputs.decision {
        Decision::Accepted(accepted) => BindingAssessment {
            accepted: report::accepted(accepted),
            ready: ready(
                &inputs.facts,
                report::refused_session(&old.conditions, inputs.object.metadata.generation),
            ),
        },
        Decision::Refused(violations) => {
            let (accepted, ready) = report::refused(violations);
            BindingAssessment { accepted, ready }
        }
        Decision::Undecided(missing) => {
            let (accepted, ready) = report::undecided(missing);
            BindingAssessment { accepted, ready }
        }
    }
}

/// Whether the subjects of an accepted binding get sessions: the first thing that keeps them from it.
fn ready(facts: &BindingFacts, refused_session: Option<ConditionValue>) -> ConditionValue {
    if !facts.role_ready {
        let message = facts.role_not_ready.as_deref();
        let message = message.unwrap_or("the role is not ready; see its conditions");
        return ConditionValue::new(Status::False, ConditionReason::RoleNotReady, message);
    }
    if let Some((reason, why)) = &facts.no_session {
        return ConditionValue::new(Status::False, *reason, why.clone());
    }
    match (facts.delivery, facts.trust) {
        (_, BindingTrust::LeftOut(size)) => {
            let message = format!(
                "the role's trust policy has no room for its subjects: it would have {size} characters, and AWS takes {TRUST_POLICY}. It \
                 names those of older bindings; delete one of those, or bind another role"
            );
            return ConditionValue::new(Status::False, ConditionReason::TrustPolicyFull, message);
        }
        (Delivery::People(PeopleApi::Absent), _) => {
            let message = "accepted, and nothing gives people sessions: their API is not served in this cluster (chart value people.enabled)";
            return ConditionValue::new(Status::False, ConditionReason::NotServed, message);
        }
        (Delivery::Outside, BindingTrust::Pending) => {
            let message = "AWS does not have the role's trust policy with its subjects yet";
            return ConditionValue::new(Status::False, ConditionReason::RoleNotReady, message);
        }
        (Delivery::Outside, BindingTrust::Written) if !facts.left_out.is_empty() => {
            return without(&facts.left_out);
        }
        (Delivery::Outside, BindingTrust::Written) => {
            let message = "the role trusts its subjects: they call STS themselves";
            return ConditionValue::new(Status::True, ConditionReason::Ready, message);
        }
        (
            Delivery::Broker | Delivery::WebIdentity | Delivery::People(PeopleApi::Served),
            BindingTrust::Pending | BindingTrust::Written,
        ) => {}
    }
    let by_broker = facts.delivery != Delivery::WebIdentity;
    if let Some(why) = facts.no_issuer.as_ref().filter(|_| by_broker) {
        let message = format!("no session can be made: {why}");
        return ConditionValue::new(Status::False, ConditionReason::IssuerNotReady, message);
    }
    if let Some(refused) = refused_session.filter(|_| by_broker) {
        return refused;
    }
    if facts.shadowed {
        let message = "another binding comes first for its ServiceAccounts (older, or of the same second and first by name); pods get this one by the annotation deputy.dev/binding";
        return ConditionValue::new(Status::True, ConditionReason::Shadowed, message);
    }
    if facts.delivery == Delivery::People(PeopleApi::Served) {
        let message = "its users, and members of its groups, get sessions (deputy credentials role)";
        return ConditionValue::new(Status::True, ConditionReason::Ready, message);
    }
    let who = &facts.service_accounts;
    let message = if by_broker {
        format!("pods of {who} get credentials")
    } else {
        format!("the role trusts {who}: their pods that are created from now on call STS themselves")
    };
    ConditionValue::new(Status::True, ConditionReason::Ready, message)
}

/// That the role does not trust these of its subjects: for the first reason that there is.
fn without(left_out: &[LeftOutPrincipalStatus]) -> ConditionValue {
    let reason = left_out
        .first()
        .map_or(ConditionReason::AWSError, left_out::reason_of);
    let sentences = left_out::sentences(left_out, reason).unwrap_or_default();
    let message = format!("the role does not trust all of its subjects. {sentences}");
    ConditionValue::new(Status::False, reason, message)
}
