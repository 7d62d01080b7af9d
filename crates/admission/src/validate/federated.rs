//! `AWSFederatedUserBinding`.

use deputy_api::{AWSFederatedUserBinding, convert};

use super::{absent::absent, lints, object::ReviewedObject, role};
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
    absent(facts, &binding.id.namespace, &binding.service_accounts)
        .into_iter()
        .fold(verdict, Verdict::warn)
}
