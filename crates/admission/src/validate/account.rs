//! `AWSAccount`.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use deputy_api::{AWSAccount, convert};
use deputy_delegation::{ObjectName, Reason, Violation, model::Account};
use deputy_index::AccountUse;
use serde_json::Value;

use super::{blast_radius, object::ReviewedObject};
use crate::{
    facts::{Facts, Impact},
    review::Verdict,
};

/// Names in a refusal.
const NAMES_SHOWN: usize = 20;

pub(super) fn review(reviewed: &ReviewedObject<'_>, facts: &Facts) -> Verdict {
    match reviewed.parse::<AWSAccount, _>(convert::parse_account) {
        Ok(account) => {
            if let Some(owner) = facts.account_of_id(&account.id).filter(|o| *o != account.name) {
                return Verdict::refused(&reviewed.title(), &[taken(&account, &owner)])
                    .audit("decision", "refused");
            }
            braked(reviewed, &facts.impact_of_account(&Arc::new(account)))
        }
        Err(refusal) => refusal,
    }
}

/// A change that takes away more than a little has to be meant: also where all stays accepted, and the broker, or pods, are not let in any
/// more.
fn braked(reviewed: &ReviewedObject<'_>, impact: &Impact) -> Verdict {
    let verdict = Verdict::allow().audit("decision", "accepted");
    let what = match impact.shut_out {
        0 => "would, changed like this, suspend".to_owned(),
        count => format!(
            "would, changed like this, leave pods of {count} bindings without further sessions (they get them by a broker whose identity is in \
             neither issuer nor previousIssuers, or by another method or oidc than is asked for now), and in all suspend"
        ),
    };
    let verdict = blast_radius::guard(reviewed, &what, impact, blast_radius::is_small(impact), verdict);
    match impact.shut_out {
        0 => verdict,
        count => verdict.warn_of(blast_radius::would_suspend(format!(
            "pods of {count} of them get no further sessions: a broker gives them whose identity is in neither issuer nor previousIssuers, or \
             another method or oidc is asked for"
        ))),
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

/// An account that something names stays: without it, what is in AWS could not even be deleted.
pub(super) fn delete(reviewed: &ReviewedObject<'_>, facts: &Facts) -> Verdict {
    let name = reviewed.object.pointer("/metadata/name").and_then(Value::as_str);
    let Some(name) = name.and_then(|n| ObjectName::new(n).ok()) else {
        return Verdict::allow();
    };
    let uses = facts.uses_of_account(&name);
    if uses.is_empty() {
        let verdict = Verdict::allow().audit("decision", "deleted");
        return match orphans(reviewed.object) {
            0 => verdict,
            orphans => verdict.warn(format!(
                "{orphans} IAM roles of it have no object (status.orphans), and stay in AWS: without the account nobody deletes them, or gives \
                 them back to their objects"
            )),
        };
    }
    let mut text = format!(
        "{} is in use by {}; delete them first:",
        reviewed.title(),
        counted(&uses)
    );
    if !reviewed.tells_names {
        return Verdict::forbidden(format!("{text} {}", blast_radius::WHERE)).audit("decision", "refused");
    }
    for one in uses.iter().take(NAMES_SHOWN) {
        text.push_str(&format!("\n- {}", title(one)));
    }
    if let Some(more) = uses.len().checked_sub(NAMES_SHOWN).filter(|n| *n > 0) {
        text.push_str(&format!("\n- and {more} more"));
    }
    Verdict::forbidden(text).audit("decision", "refused")
}

/// How many IAM roles without an object the account names.
fn orphans(object: &Value) -> i64 {
    let count = object.pointer("/status/orphans/count").and_then(Value::as_i64);
    count.unwrap_or(0)
}

/// How many there are of each kind, as far as there are any.
fn counted(uses: &BTreeSet<AccountUse>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for one in uses {
        *counts.entry(kind(one)).or_default() += 1;
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    counts.join(", ")
}

fn kind(one: &AccountUse) -> &'static str {
    match one {
        AccountUse::Role(_) => "AWSRoles",
        AccountUse::Instance(_) => "roles of ClusterAWSRoles",
        AccountUse::Binding(_) => "AWSRoleBindings",
        AccountUse::FederatedUser(_) => "AWSFederatedUserBindings",
        AccountUse::Statement(_) => "AWSResourcePolicyStatements",
        AccountUse::Limit(_) => "DelegationLimits",
    }
}

fn title(one: &AccountUse) -> String {
    match one {
        AccountUse::Role(id) | AccountUse::Instance(id) => id.title().to_string(),
        AccountUse::Binding(id) => format!("AWSRoleBinding {id}"),
        AccountUse::FederatedUser(id) => format!("AWSFederatedUserBinding {id}"),
        AccountUse::Statement(id) => format!("AWSResourcePolicyStatement {id}"),
        AccountUse::Limit(name) => {
            format!("DelegationLimit {name}, or take the account out of its spec.accounts")
        }
    }
}
