//! The permissions boundary that repeats a limit's ceiling in AWS, and what a limit may not contain.

use std::collections::BTreeSet;

use data_encoding::HEXLOWER;
use deputy_policy::{
    ActionElement, Document, Effect, PolicyKind, ResourceElement, Statement, Version, escalation,
    tag_variables,
};
use sha2::{Digest as _, Sha256};

use crate::{
    decision::{Reason, Violation},
    model::{Account, BoundaryMode, Limit},
    names::{ClusterName, wildcard_match},
    naming,
    partition::foreign_arns,
    quota::MANAGED_POLICY,
};

/// What nobody under a limit may do to Deputy's own roles, policies and identities: IAM writes, PassRole and AssumeRole.
/// Prefixes rather than a list: a write that IAM gets tomorrow is most likely called like those it has.
const DENIED: [&str; 14] = [
    "iam:Add*",
    "iam:Attach*",
    "iam:Create*",
    "iam:Delete*",
    "iam:Detach*",
    "iam:PassRole",
    "iam:Put*",
    "iam:Remove*",
    "iam:Set*",
    "iam:Tag*",
    "iam:Untag*",
    "iam:Update*",
    "iam:Upload*",
    "sts:AssumeRole",
];

/// The ceiling plus a deny of IAM writes, PassRole and AssumeRole on Deputy's own roles, policies and identities.
///
/// The broker's own AssumeRole is made by the issuer, which carries no such boundary.
///
/// # Errors
/// When it would be larger than the 6,144 characters that AWS takes, or names a resource of another partition than the
/// account's; the violation says the numbers, or the right spelling.
pub fn compile(cluster: &ClusterName, account: &Account, limit: &Limit) -> Result<Document, Violation> {
    let violation = |reason, message| Violation {
        reason,
        field: "spec.ceiling".to_owned(),
        limit: Some(limit.name.clone()),
        message,
    };
    let foreign = foreign_arns(&limit.ceiling, &account.partition);
    if let Some(first) = foreign.first() {
        let more = match foreign.len() {
            1 => String::new(),
            n => format!(" ({n} ARNs in all)"),
        };
        return Err(Violation {
            field: format!("spec.ceiling.{}", first.path),
            ..violation(
                Reason::Partition,
                format!(
                    "{:?} is of another partition than account {}, which is in {}, and AWS takes no boundary policy with it{more}; \
                     write {:?}, and a limit of its own for each partition",
                    first.arn, account.name, account.partition, first.corrected
                ),
            )
        });
    }
    let own = Statement {
        sid: Some("DeputyOwn".to_owned()),
        effect: Effect::Deny,
        principal: None,
        action: ActionElement::Action(DENIED.map(str::to_owned).to_vec()),
        resource: Some(ResourceElement::Resource(own_resources(cluster, account))),
        conditions: Vec::new(),
    };
    let document = Document::new(Version::V2012, vec![own], PolicyKind::Boundary)
        .and_then(|own| Document::merge([&limit.ceiling, &own]))
        .map_err(|error| {
            violation(
                Reason::Structure,
                format!("no boundary can be made of it: {error}"),
            )
        })?;
    let size = document.size();
    if size > MANAGED_POLICY {
        return Err(violation(
            Reason::TooLarge,
            format!(
                "the boundary policy in account {} would have {size} characters ({} of the ceiling, {} of Deputy's own \
                 deny); AWS takes {MANAGED_POLICY}",
                account.name,
                limit.ceiling.size(),
                size.saturating_sub(limit.ceiling.size()),
            ),
        ));
    }
    Ok(document)
}

/// The resources of Deputy itself in `account`.
pub(crate) fn own_resources(cluster: &ClusterName, account: &Account) -> Vec<String> {
    let in_account = format!("arn:{}:iam::{}", account.partition, account.id);
    let path = naming::role_path(cluster);
    let mut own = vec![
        format!("{in_account}:role{path}*"),
        format!("{in_account}:policy{path}*"),
        account.issuer.to_string(),
    ];
    let identities = [&account.provisioner, &account.boundary_writer];
    own.extend(identities.into_iter().flatten().map(|a| a.role.to_string()));
    own.sort_unstable();
    own.dedup();
    own
}

/// SHA-256 of a document's canonical form, in hexadecimal: how a limit's status says which boundary AWS has.
#[must_use]
pub fn document_hash(document: &Document) -> String {
    HEXLOWER.encode(&Sha256::digest(document.to_json().as_bytes()))
}

/// What is wrong with a limit by itself: escalation without acknowledgement, tenant-settable variables, sizes, reserved tags.
/// Nothing may be granted under a limit for which this is not empty.
#[must_use]
pub fn check_limit(limit: &Limit) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut add = |reason, field: String, message: String| {
        violations.push(Violation {
            reason,
            field,
            limit: Some(limit.name.clone()),
            message,
        });
    };

    for found in escalation(&limit.ceiling) {
        if !is_acknowledged(&limit.acknowledge_escalation, found.action) {
            add(
                Reason::Escalation,
                format!("spec.ceiling.{}", found.path),
                format!(
                    "allows {}, with which its holder can get any permission in the account; leave it out, or name it in \
                     spec.acknowledgeEscalation",
                    found.action
                ),
            );
        }
    }
    for found in tag_variables(&limit.ceiling) {
        add(
            Reason::TenantVariable,
            format!("spec.ceiling.{}", found.path),
            found.to_string(),
        );
    }
    let size = limit.ceiling.size();
    if limit.boundary == BoundaryMode::Generated && size > MANAGED_POLICY {
        add(
            Reason::TooLarge,
            "spec.ceiling".to_owned(),
            format!("has {size} characters; AWS takes {MANAGED_POLICY} in a boundary policy"),
        );
    }
    for key in limit.session_tags.keys().filter(|key| key.is_reserved()) {
        add(
            Reason::SessionTag,
            format!("spec.session.tags[{key}]"),
            "tags that begin with deputy- are set by Deputy alone".to_owned(),
        );
    }
    violations
}

/// Whether a limit with these patterns in `acknowledgeEscalation` allows an action such as `iam:PassRole` knowingly. Case does
/// not matter.
#[must_use]
pub fn is_acknowledged(patterns: &BTreeSet<String>, action: &str) -> bool {
    let action = action.to_ascii_lowercase();
    patterns
        .iter()
        .any(|pattern| wildcard_match(&pattern.to_ascii_lowercase(), &action))
}
