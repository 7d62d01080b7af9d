//! What in AWS is Deputy's own, and so nobody's to be granted anything with: the identities of its processes, and where it makes roles.

use crate::{
    bootstrap::{BOUNDARY_WRITER, BROKER, CONTROLLER, LIMITS, PROVISIONER},
    model::{Account, AssumeRole},
    names::{AccountId, IamPath, IssuerArn},
};

/// The path of the roles that Deputy makes, of every cluster.
pub(super) const PATH: &str = "/deputy/";

/// Whether `path` begins with `prefix`; IAM's names differ by more than case.
pub(super) fn is_under(path: &IamPath, prefix: &str) -> bool {
    let begin = path.as_str().get(..prefix.len());
    begin.is_some_and(|begin| begin.eq_ignore_ascii_case(prefix))
}

/// Which of Deputy's own identities has this name in account `owner`. IAM has one role of a name in an account, whatever its path and
/// ignoring case.
pub(super) fn identity(account: &Account, owner: &AccountId, name: &str) -> Option<&'static str> {
    let is = |of: &AccountId, own: &str| of == owner && own.eq_ignore_ascii_case(name);
    let assumed = |assume: &Option<AssumeRole>, suggested: &str| match assume {
        Some(assume) => is(assume.role.account(), assume.role.name()),
        None => is(&account.id, suggested),
    };
    let is_issuer = |issuer: &&IssuerArn| is(issuer.account(), issuer.name());
    if account.issuers().iter().any(is_issuer) || is(&account.id, BROKER) {
        Some("the issuer, with which deputy broker makes sessions")
    } else if account
        .federation_user
        .as_ref()
        .is_some_and(|user| is(user.account(), user.name()))
    {
        Some("the federation user, with which deputy broker makes sessions of federated users")
    } else if assumed(&account.provisioner, PROVISIONER) {
        Some("the provisioner, with which deputy controller writes roles")
    } else if assumed(&account.boundary_writer, BOUNDARY_WRITER) {
        Some("the boundary writer, with which deputy limits writes boundary policies")
    } else if [CONTROLLER, LIMITS].iter().any(|own| is(&account.id, own)) {
        Some("the identity of a process, which becomes provisioner or boundary writer of other accounts")
    } else {
        None
    }
}

/// Whether `deputy bootstrap aws` gives an identity this name, in whichever account it is: where the processes of a cluster have theirs,
/// no AWSAccount says.
pub(super) fn is_suggested(name: &str) -> bool {
    [BROKER, CONTROLLER, LIMITS, PROVISIONER, BOUNDARY_WRITER]
        .iter()
        .any(|own| own.eq_ignore_ascii_case(name))
}
