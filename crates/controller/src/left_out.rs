//! What is said of principals that a trust policy leaves out although bindings name them.

use deputy_api::{LeftOutPrincipalStatus, conditions::ConditionReason};
use deputy_delegation::{
    quota::{LEFT_OUT_SHOWN, TRUST_POLICY},
    trust::{LeftOutPrincipal, WhyLeftOut},
};

/// As a status has it.
#[must_use]
pub fn shown(left_out: &[LeftOutPrincipal]) -> Vec<LeftOutPrincipalStatus> {
    let shown = left_out.iter().take(LEFT_OUT_SHOWN);
    shown
        .map(|principal| LeftOutPrincipalStatus {
            arn: principal.arn.clone(),
            id: match &principal.why {
                WhyLeftOut::Replaced(former) => former.id().map(ToString::to_string),
                WhyLeftOut::Unknown | WhyLeftOut::NoRoom => None,
            },
            reason: reason(&principal.why).to_string(),
        })
        .collect()
}

fn reason(why: &WhyLeftOut) -> ConditionReason {
    match why {
        WhyLeftOut::Replaced(_) => ConditionReason::PrincipalReplaced,
        WhyLeftOut::Unknown => ConditionReason::InvalidPrincipal,
        WhyLeftOut::NoRoom => ConditionReason::TrustPolicyFull,
    }
}

/// Why it is left out. [`ConditionReason::AWSError`] for a reason that this version does not know.
#[must_use]
pub fn reason_of(principal: &LeftOutPrincipalStatus) -> ConditionReason {
    ConditionReason::from_word(&principal.reason).unwrap_or(ConditionReason::AWSError)
}

/// The sentences about those that are left out for `reason`; `None` when there are none.
#[must_use]
pub fn sentences(left_out: &[LeftOutPrincipalStatus], reason: ConditionReason) -> Option<String> {
    let of_reason = left_out.iter().filter(|principal| reason_of(principal) == reason);
    let sentences: Vec<String> = of_reason.map(sentence).collect();
    (!sentences.is_empty()).then(|| sentences.join(". "))
}

fn sentence(principal: &LeftOutPrincipalStatus) -> String {
    let LeftOutPrincipalStatus { arn, id, reason } = principal;
    match (reason_of(principal), id) {
        (ConditionReason::PrincipalReplaced, Some(id)) => format!(
            "{arn} was deleted: its unique id was {id}. Whoever has the ARN now is not trusted; if they are meant, the subject has to say \
             replaces: {id}"
        ),
        (ConditionReason::PrincipalReplaced, None) => format!(
            "{arn} may have been deleted: the record in the trust policy can't be read, or has no room for its unique id. If whoever has the \
             ARN now is meant, the subject has to say replaces with the unique id of the former one, or of this one"
        ),
        (ConditionReason::InvalidPrincipal, _) => {
            format!("AWS does not know {arn}: it is tried again every ten minutes")
        }
        (ConditionReason::TrustPolicyFull, _) => format!(
            "{arn} has no room in the trust policy beside what is noted down of principals that were replaced; AWS takes {TRUST_POLICY} characters"
        ),
        _ => format!("{arn} is left out: {reason}"),
    }
}
