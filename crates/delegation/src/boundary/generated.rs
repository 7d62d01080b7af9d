//! The permissions boundary that repeats a limit's ceiling in AWS.

use data_encoding::HEXLOWER;
use deputy_policy::{ActionElement, Document, Effect, PolicyKind, ResourceElement, Statement, Version};
use sha2::{Digest as _, Sha256};

use super::sealed::{GeneratedBoundary, seal_into};
use crate::{
    bootstrap::{BOUNDARY_WRITER, BROKER, CONTROLLER, LIMITS, PROVISIONER},
    decision::{Reason, Violation},
    model::{Account, Limit},
    names::ClusterName,
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

/// The ceiling, a deny of IAM writes, PassRole and AssumeRole on Deputy's own roles, policies and identities, and as much of the
/// ceiling's [`deputy_policy::seal`] as fits: of actions first, then of resources in the order of the ceiling. No seal is in it unless it is
/// proved that the ceiling loses nothing by it.
///
/// The broker's own AssumeRole is made by the issuer, which carries no such boundary.
///
/// # Errors
/// When it would be larger than the 6,144 characters that AWS takes, or names a resource of another partition than the
/// account's; the violation says the numbers, or the right spelling.
pub fn compile(
    cluster: &ClusterName,
    account: &Account,
    limit: &Limit,
) -> Result<GeneratedBoundary, Violation> {
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
    let document = held(cluster, account, limit)?;
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
    let (document, sealed) = seal_into(document, &limit.ceiling);
    Ok(GeneratedBoundary {
        hash: document_hash(&document),
        document,
        sealed,
    })
}

/// What a boundary of `limit` may allow at most in `account`: the ceiling without IAM writes, PassRole and AssumeRole on Deputy's own
/// roles, policies and identities.
///
/// # Errors
/// When the two can't be one document.
pub(super) fn held(cluster: &ClusterName, account: &Account, limit: &Limit) -> Result<Document, Violation> {
    let own = Statement {
        sid: Some("DeputyOwn".to_owned()),
        effect: Effect::Deny,
        principal: None,
        action: ActionElement::Action(DENIED.map(str::to_owned).to_vec()),
        resource: Some(ResourceElement::Resource(own_resources(cluster, account))),
        conditions: Vec::new(),
    };
    Document::new(Version::V2012, vec![own], PolicyKind::Boundary)
        .and_then(|own| Document::merge([&limit.ceiling, &own]))
        .map_err(|error| Violation {
            reason: Reason::Structure,
            field: "spec.ceiling".to_owned(),
            limit: Some(limit.name.clone()),
            message: format!("no boundary can be made of it: {error}"),
        })
}

/// The resources of Deputy itself in `account`.
pub(super) fn own_resources(cluster: &ClusterName, account: &Account) -> Vec<String> {
    let in_account = format!("arn:{}:iam::{}", account.partition, account.id);
    let path = naming::role_path(cluster);
    let mut own = vec![
        format!("{in_account}:role{path}*"),
        format!("{in_account}:policy{path}*"),
    ];
    own.extend(account.issuers().iter().map(ToString::to_string));
    own.extend(account.federation_user.iter().map(ToString::to_string));
    // Which identity a process has in its own account, an AWSAccount does not say: it is taken to have the name that Deputy suggests, as where
    // `crate::decide` says what nobody is granted to become.
    let suggested = |name: &str| format!("{in_account}:role/{name}");
    own.extend([BROKER, CONTROLLER, LIMITS].map(suggested));
    for (named, name) in [
        (&account.provisioner, PROVISIONER),
        (&account.boundary_writer, BOUNDARY_WRITER),
    ] {
        own.push(
            named
                .as_ref()
                .map_or_else(|| suggested(name), |assume| assume.role.to_string()),
        );
    }
    own.sort_unstable();
    own.dedup();
    own
}

/// SHA-256 of a document's canonical form, in hexadecimal: how a limit's status says which boundary AWS has.
#[must_use]
pub fn document_hash(document: &Document) -> String {
    text_hash(&document.to_json())
}

/// SHA-256, in hexadecimal.
pub(super) fn text_hash(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
}
