//! `AWSFederatedUserBinding`.

use deputy_api::{AWSFederatedUserBinding, convert};
use deputy_delegation::model::BindingRef;

use super::{
    absent::{NAMES_SHOWN, absent},
    lints,
    object::ReviewedObject,
    role,
    shadowed::shadowed,
};
use crate::{facts::Facts, live::LookAgain, review::Verdict};

pub(super) fn review(reviewed: &ReviewedObject<'_>, facts: &Facts) -> Verdict {
    let binding = match reviewed.parse::<AWSFederatedUserBinding, _>(convert::parse_federated_binding) {
        Ok(binding) => binding,
        Err(refusal) => return refusal,
    };
    let verdict = role::answer(reviewed, facts.decide_federated(&binding), LookAgain::Limits);
    let verdict = lints::warn_about_session_policy(binding.share.policy(), verdict);
    if verdict.is_denied() {
        return verdict;
    }
    let verdict = absent(facts, &binding.id.namespace, &binding.service_accounts)
        .into_iter()
        .fold(verdict, Verdict::warn);
    let reference = BindingRef::federated_user(binding.id.clone());
    shadowed(
        reviewed,
        facts,
        &reference,
        binding.created,
        &binding.service_accounts,
    )
    .into_iter()
    .take(NAMES_SHOWN)
    .fold(verdict, Verdict::warn)
}
