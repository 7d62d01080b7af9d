//! What an AWS account has of what it may have: looked at now and then, and told when it is worth a look. Nothing waits for it.

use std::collections::HashMap;

use deputy_api::{AccountQuotas, QuotaCount};
use deputy_aws::{AccountSummary, CallPurpose, QuotaUse};
use deputy_delegation::{ObjectName, model::Account};
use parking_lot::Mutex;

use crate::context::ControllerContext;

/// The numbers of the accounts, as AWS gave them last. `None`: it does not.
#[derive(Default)]
pub struct WatchedQuotas {
    latest: Mutex<HashMap<ObjectName, Option<AccountSummary>>>,
}

impl WatchedQuotas {
    /// Asks AWS for the numbers of an account; what it said within ten minutes is taken again. `None` when it does not say.
    pub async fn look(&self, ctx: &ControllerContext, account: &Account) -> Option<AccountSummary> {
        let answer = ctx.aws.roles(account, CallPurpose::Look).account_summary().await;
        let summary = match &answer {
            Ok(summary) => Some(*summary),
            // The latest ones are better than none.
            Err(error) if error.is_retryable() => return None,
            Err(_) => None,
        };
        let before = self.latest.lock().insert(account.name.clone(), summary);
        if let (Err(error), None | Some(Some(_))) = (&answer, before) {
            tracing::warn!(
                account = %account.name, %error,
                "the quotas of the AWS account are not known: what exceeds them is refused by AWS alone"
            );
        }
        self.measure(ctx);
        summary
    }

    /// The account is gone.
    pub fn forget(&self, ctx: &ControllerContext, name: &ObjectName) {
        self.latest.lock().remove(name);
        self.measure(ctx);
    }

    fn measure(&self, ctx: &ControllerContext) {
        let latest = self.latest.lock();
        for (quota, used) in fullest(latest.values().flatten()) {
            ctx.metrics.quota_used(quota, used);
        }
    }
}

/// How much of each quota is used in the account that has used most of it: 1 when it is used up.
fn fullest<'a>(all: impl Iterator<Item = &'a AccountSummary>) -> [(&'static str, f64); 2] {
    let ratio = |of: Option<QuotaUse>| of.map_or(0.0, |of| f64::from(of.used) / f64::from(of.quota.max(1)));
    all.fold(
        [("roles", 0.0), ("policies", 0.0)],
        |[roles, policies], summary| {
            [
                (roles.0, roles.1.max(ratio(summary.roles))),
                (policies.0, policies.1.max(ratio(summary.policies))),
            ]
        },
    )
}

/// What the status says, which said `old`: a number is as it was until a person would look at another one.
#[must_use]
pub fn told(old: Option<&AccountQuotas>, found: &AccountSummary) -> AccountQuotas {
    AccountQuotas {
        roles: count(old.and_then(|old| old.roles), found.roles),
        policies: count(old.and_then(|old| old.policies), found.policies),
        trust_policy_size: found.trust_policy_size.map(i64::from),
        attached_policies_per_role: found.attached_policies_per_role.map(i64::from),
    }
}

fn count(old: Option<QuotaCount>, found: Option<QuotaUse>) -> Option<QuotaCount> {
    let found = found.map(|found| QuotaCount {
        used: found.used.into(),
        quota: found.quota.into(),
    })?;
    let is_worth_a_look = old.is_none_or(|old| {
        let moved = (old.used - found.used).unsigned_abs();
        old.quota != found.quota
            || level(old) != level(found)
            || moved.saturating_mul(20) >= found.quota.unsigned_abs()
    });
    if is_worth_a_look { Some(found) } else { old }
}

/// Enough is left, little is, or nothing.
fn level(of: QuotaCount) -> u8 {
    match of {
        QuotaCount { used, quota } if used >= quota => 2,
        QuotaCount { used, quota } if used.saturating_mul(5) >= quota.saturating_mul(4) => 1,
        QuotaCount { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(used: u32, quota: u32) -> AccountSummary {
        AccountSummary {
            roles: Some(QuotaUse { used, quota }),
            ..AccountSummary::default()
        }
    }

    #[test]
    fn a_number_is_told_anew_when_a_person_would_look_at_it() {
        let before = told(None, &summary(100, 1000));
        assert_eq!(
            before.roles,
            Some(QuotaCount {
                used: 100,
                quota: 1000
            })
        );
        for (used, quota, is_told) in [
            (100, 1000, false),
            (149, 1000, false),
            (150, 1000, true),
            (51, 1000, false),
            (50, 1000, true),
            // AWS gave more.
            (100, 2000, true),
        ] {
            let after = told(Some(&before), &summary(used, quota));
            assert_eq!(after != before, is_told, "{used} of {quota}");
        }
        // Little is left, nothing is, and there is room again: each at once.
        for (old, new) in [(799, 800), (999, 1000), (1000, 999), (800, 799)] {
            let before = told(None, &summary(old, 1000));
            assert_ne!(told(Some(&before), &summary(new, 1000)), before, "{old} to {new}");
        }
        // What AWS says no more is not known.
        assert_eq!(told(Some(&before), &AccountSummary::default()).roles, None);
    }

    #[test]
    fn the_metric_is_of_the_account_that_has_least_left() {
        let all = [summary(100, 1000), summary(40, 50), AccountSummary::default()];
        assert_eq!(fullest(all.iter()), [("roles", 0.8), ("policies", 0.0)]);
        assert_eq!(fullest([].into_iter()), [("roles", 0.0), ("policies", 0.0)]);
    }
}
