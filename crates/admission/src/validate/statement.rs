//! `AWSResourcePolicyStatement`.

use deputy_api::{AWSResourcePolicyStatement, convert};

use super::{absent::NAMES_SHOWN, lints, object::ReviewedObject, role};
use crate::{facts::Facts, live::LookAgain, review::Verdict};

pub(super) fn review(reviewed: &ReviewedObject<'_>, facts: &Facts) -> Verdict {
    let statement = match reviewed.parse::<AWSResourcePolicyStatement, _>(convert::parse_statement) {
        Ok(statement) => statement,
        Err(refusal) => return refusal,
    };
    let verdict = role::answer(reviewed, facts.decide_statement(&statement), LookAgain::Limits);
    let verdict = lints::warn_about_statement(&statement.grant, verdict);
    if verdict.is_denied() {
        return verdict;
    }
    let absent = facts.absent_principals(&statement);
    absent
        .iter()
        .take(NAMES_SHOWN)
        .fold(verdict, |verdict, principal| {
            verdict.warn(format!(
                "{principal} does not exist: the statement names it in AWS once it does"
            ))
        })
}
