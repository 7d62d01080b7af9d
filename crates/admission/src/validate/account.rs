//! `AWSAccount`.

use std::sync::Arc;

use deputy_api::{AWSAccount, convert};
use deputy_delegation::{ObjectName, Reason, Violation, model::Account};
use serde_json::Value;

use super::{blast_radius, object::ReviewedObject};
use crate::{facts::Facts, review::Verdict};

/// Names in a refusal.
const NAMES_SHOWN: usize = 20;

pub(super) fn review(reviewed: &ReviewedObject<'_>, facts: &Facts) -> Verdict {
    match reviewed.parse::<AWSAccount, _>(convert::parse_account) {
        Ok(account) => {
            if let Some(owner) = facts.account_of_id(&account.id).filter(|o| *o != account.name) {
                return Verdict::refused(&reviewed.title(), &[taken(&account, &owner)])
                    .audit("decision", "refused");
            }
            let verdict = Verdict::allow().audit("decision", "accepted");
            blast_radius::warn(reviewed, &facts.impact_of_account(&Arc::new(account)), verdict)
        }
        Err(refusal) => refusal,
    }
}

/// Two AWSAccounts of one AWS account would write to the same roles and policies, each its own way.
fn taken(account: &Account, owner: &ObjectName) -> Violation {
    let message = format!(
        "AWS account {} is AWSAccount {owner} already, and has one AWSAccount: use {owner}, or delete it first (its partition and \
         accountID can't be changed)",
        account.id
    );
    Violation::new(Reason::AccountInvalid, "spec.accountID", message)
}

/// An account with roles stays: without it they could not even be deleted in AWS.
pub(super) fn delete(reviewed: &ReviewedObject<'_>, facts: &Facts) -> Verdict {
    let name = reviewed.object.pointer("/metadata/name").and_then(Value::as_str);
    let Some(name) = name.and_then(|n| ObjectName::new(n).ok()) else {
        return Verdict::allow();
    };
    let roles = facts.roles_in(&name);
    if roles.is_empty() {
        return Verdict::allow().audit("decision", "deleted");
    }
    let mut text = format!(
        "{} is in use by {} AWSRoles; delete them first:",
        reviewed.title(),
        roles.len()
    );
    if !reviewed.tells_names {
        return Verdict::forbidden(format!("{text} {}", blast_radius::WHERE)).audit("decision", "refused");
    }
    for role in roles.iter().take(NAMES_SHOWN) {
        text.push_str(&format!("\n- {role}"));
    }
    if let Some(more) = roles.len().checked_sub(NAMES_SHOWN).filter(|n| *n > 0) {
        text.push_str(&format!("\n- and {more} more"));
    }
    Verdict::forbidden(text).audit("decision", "refused")
}
