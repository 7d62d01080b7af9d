//! Whether a Principal or `NotPrincipal` element means a caller.
//!
//! A real caller has an ARN, and its account has a number and a canonical user id; users and roles have a unique id besides.
//! A policy may list any of these, and which of them belong together only AWS knows. So there are three answers.

use super::{
    account::AwsAccount,
    caller::Caller,
    listed::{IdKind, Listed},
};
use crate::ast::{Principal, PrincipalElement};

/// How a Principal element means a caller; the order is that of strength (IAM User Guide, "Policy evaluation logic").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Named {
    /// The caller's account: it may delegate to the caller by its own policies.
    Account,
    /// The role of the session, or the user that made the federated session.
    Behind,
    /// The caller itself, or everybody.
    Directly,
}

/// Whether a principal means a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Match {
    No,
    /// It depends on what is not known of the caller, or on what AWS does not define.
    Maybe,
    Yes,
}

/// An id of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Id<'a> {
    Unknown,
    /// None that is listed anywhere.
    Other,
    Is(&'a str),
}

impl Id<'_> {
    fn is(self, listed: &str) -> Match {
        match self {
            Self::Unknown => Match::Maybe,
            Self::Is(id) if id == listed => Match::Yes,
            Self::Other | Self::Is(_) => Match::No,
        }
    }
}

/// A caller with what is known of its ids.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Who<'a> {
    pub(crate) caller: &'a Caller,
    /// Of the user, of the session's role, or of the user behind a federated user.
    pub(crate) unique_id: Id<'a>,
    /// Of the account, or of the origin access identity.
    pub(crate) canonical_user: Id<'a>,
    /// Whether the caller has a permissions boundary, which `NotPrincipal` never spares.
    pub(crate) bounded: bool,
}

impl<'a> Who<'a> {
    /// A caller of whose ids nothing is known.
    pub(crate) fn new(caller: &'a Caller) -> Self {
        Self {
            caller,
            unique_id: Id::Unknown,
            canonical_user: Id::Unknown,
            bounded: false,
        }
    }

    fn can_have_boundary(&self) -> bool {
        self.bounded && self.caller.can_have_boundary()
    }
}

fn yes_if(holds: bool) -> Match {
    if holds { Match::Yes } else { Match::No }
}

fn maybe_if(possible: bool) -> Match {
    if possible { Match::Maybe } else { Match::No }
}

impl Listed {
    /// Whether this means the caller, and how.
    pub(crate) fn names(&self, who: &Who<'_>) -> (Match, Named) {
        let account = |of: &AwsAccount| who.caller.account().map(|account| account == of);
        match self {
            Self::Everybody => (Match::Yes, Named::Directly),
            Self::EveryProvider => (
                yes_if(matches!(who.caller, Caller::Federated(_))),
                Named::Directly,
            ),
            Self::AccountId(id) => (
                match who.caller.account() {
                    Some(account) => yes_if(account.id == *id),
                    None => maybe_if(who.caller.is_of_unknown_account()),
                },
                Named::Account,
            ),
            Self::Root(of) => (
                match account(of) {
                    Some(same) => yes_if(same),
                    None => maybe_if(who.caller.is_of_unknown_account()),
                },
                Named::Account,
            ),
            Self::User(of, name) => named_by_user(of, name, who),
            Self::Role(of, path, name) => (named_by_role(of, path, name, who.caller), Named::Behind),
            Self::Session(of, role, session) => {
                (named_by_session(of, role, session, who.caller), Named::Directly)
            }
            Self::FederatedUser(of, name) => (
                match who.caller {
                    Caller::FederatedUser {
                        account, name: own, ..
                    } => yes_if(account == of && own == name),
                    _ => Match::No,
                },
                Named::Directly,
            ),
            Self::UniqueId(id) => named_by_unique_id(id, who),
            Self::OriginAccessIdentity(id) => (
                yes_if(matches!(who.caller, Caller::OriginAccessIdentity(own) if own == id)),
                Named::Directly,
            ),
            Self::CanonicalUser(id) => named_by_canonical_user(id, who),
            Self::Service(name) => (
                yes_if(matches!(who.caller, Caller::Service(own) if own == name)),
                Named::Directly,
            ),
            Self::Federated(name) => (
                yes_if(matches!(who.caller, Caller::Federated(own) if own == name)),
                Named::Directly,
            ),
        }
    }
}

fn named_by_user(of: &AwsAccount, name: &str, who: &Who<'_>) -> (Match, Named) {
    match who.caller {
        Caller::User { account, name: own } => (yes_if(account == of && own == name), Named::Directly),
        Caller::FederatedUser { account, of_user, .. } => {
            let named = match of_user {
                Some(user) => yes_if(account == of && user == name),
                None => maybe_if(account == of),
            };
            (named, Named::Behind)
        }
        Caller::UniqueId(id) => (maybe_if(IdKind::of(id).may_be_user()), Named::Directly),
        _ => (Match::No, Named::Directly),
    }
}

/// IAM lets no two roles of an account differ in case only. Two ARNs that differ in path are two roles, of which only one
/// can exist; a caller whose path is not known has whichever there is.
fn named_by_role(of: &AwsAccount, path: &str, name: &str, caller: &Caller) -> Match {
    match caller {
        Caller::RoleSession {
            account,
            path: own,
            role,
            ..
        } => yes_if(
            account == of && role.eq_ignore_ascii_case(name) && own.as_deref().is_none_or(|own| own == path),
        ),
        Caller::UniqueId(id) => maybe_if(IdKind::of(id).may_be_role()),
        _ => Match::No,
    }
}

fn named_by_session(of: &AwsAccount, role: &str, session: &str, caller: &Caller) -> Match {
    match caller {
        Caller::RoleSession {
            account,
            role: own,
            session: known,
            ..
        } => {
            if account != of || !own.eq_ignore_ascii_case(role) {
                return Match::No;
            }
            match known {
                // AWS does not say whether the name of the role is compared with its case here.
                Some(known) if known == session && own != role => Match::Maybe,
                Some(known) => yes_if(known == session),
                None => Match::Maybe,
            }
        }
        Caller::UniqueId(id) => maybe_if(IdKind::of(id).may_be_role()),
        _ => Match::No,
    }
}

/// A unique id stands for a living user or role, or for one that was deleted; it equals itself (IAM User Guide, "IAM
/// identifiers", and "Principal", on what a policy shows when its principal is deleted).
fn named_by_unique_id(id: &str, who: &Who<'_>) -> (Match, Named) {
    let kind = IdKind::of(id);
    let given = |possible: bool| if possible { who.unique_id.is(id) } else { Match::No };
    match who.caller {
        Caller::User { .. } => (given(kind.may_be_user()), Named::Directly),
        Caller::FederatedUser { .. } => (given(kind.may_be_user()), Named::Behind),
        Caller::RoleSession { .. } => (given(kind.may_be_role()), Named::Behind),
        Caller::UniqueId(own) => {
            // A role stands behind its sessions, and what may be a role counts as one.
            let named = if kind == IdKind::User {
                Named::Directly
            } else {
                Named::Behind
            };
            (yes_if(own == id), named)
        }
        _ => (Match::No, Named::Directly),
    }
}

/// A canonical user id is another form of an account's number (IAM User Guide, "AWS account principals"), or that of an
/// origin access identity.
fn named_by_canonical_user(id: &str, who: &Who<'_>) -> (Match, Named) {
    match who.caller {
        Caller::CanonicalUser(own) => (yes_if(own == id), Named::Account),
        Caller::OriginAccessIdentity(_) => (who.canonical_user.is(id), Named::Directly),
        Caller::Root(_)
        | Caller::User { .. }
        | Caller::RoleSession { .. }
        | Caller::FederatedUser { .. }
        | Caller::UniqueId(_) => (who.canonical_user.is(id), Named::Account),
        Caller::Anonymous | Caller::Service(_) | Caller::Federated(_) => (Match::No, Named::Account),
    }
}

/// A Principal or `NotPrincipal` element, read once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PrincipalList {
    negated: bool,
    /// Sorted by the number of the account, then by the rest; those of no account first.
    listed: Vec<Listed>,
}

impl PrincipalList {
    /// Reads an element; the error is the text that is no AWS principal.
    pub(crate) fn new(element: &PrincipalElement) -> Result<Self, String> {
        let (negated, principal) = match element {
            PrincipalElement::Principal(principal) => (false, principal),
            PrincipalElement::NotPrincipal(principal) => (true, principal),
        };
        let mut listed = match principal {
            Principal::Anyone => vec![Listed::Everybody],
            Principal::Listed {
                aws,
                service,
                federated,
                canonical_user,
            } => {
                let mut listed = Vec::with_capacity(aws.len());
                for text in aws {
                    listed.push(Listed::aws(text).ok_or_else(|| text.clone())?);
                }
                listed.extend(service.iter().cloned().map(Listed::Service));
                listed.extend(federated.iter().map(|text| match text.as_str() {
                    "*" => Listed::EveryProvider,
                    name => Listed::Federated(name.to_owned()),
                }));
                listed.extend(canonical_user.iter().cloned().map(Listed::CanonicalUser));
                listed
            }
        };
        listed.sort_by(|a, b| (a.account_id(), a).cmp(&(b.account_id(), b)));
        listed.dedup();
        Ok(Self { negated, listed })
    }

    /// Whether it is `NotPrincipal`.
    pub(crate) fn is_negated(&self) -> bool {
        self.negated
    }

    /// Whether it is `Principal` and means everybody.
    pub(crate) fn is_everybody(&self) -> bool {
        !self.negated && self.listed.contains(&Listed::Everybody)
    }

    pub(crate) fn listed(&self) -> &[Listed] {
        &self.listed
    }

    /// The principals that can mean the caller: those of its account and those of none.
    fn near<'s>(&'s self, caller: &Caller) -> impl Iterator<Item = &'s Listed> {
        let until = |id: Option<&str>| self.listed.partition_point(|listed| listed.account_id() <= id);
        let of_none = until(None);
        let (from, to) = match caller.account() {
            Some(account) => (
                self.listed
                    .partition_point(|listed| listed.account_id() < Some(&account.id)),
                until(Some(&account.id)),
            ),
            None if caller.is_of_unknown_account() => (of_none, self.listed.len()),
            None => (of_none, of_none),
        };
        let slice = |from: usize, to: usize| self.listed.get(from..to).unwrap_or_default();
        slice(0, of_none).iter().chain(slice(from.max(of_none), to))
    }

    /// How many principals are looked at for a caller.
    pub(crate) fn cost(&self, caller: &Caller) -> usize {
        self.near(caller).count()
    }

    /// The strongest way in which the list means the caller: at all, and for sure.
    pub(crate) fn names(&self, who: &Who<'_>) -> (Option<Named>, Option<Named>) {
        let (mut possibly, mut surely) = (None, None);
        for listed in self.near(who.caller) {
            let (named, how) = listed.names(who);
            if named != Match::No {
                possibly = possibly.max(Some(how));
            }
            if named == Match::Yes {
                surely = surely.max(Some(how));
            }
        }
        (possibly, surely)
    }

    /// The principals listed that may mean the caller, of whom not everything is known.
    pub(crate) fn uncertain(&self, who: &Who<'_>) -> impl Iterator<Item = &Listed> {
        self.near(who.caller)
            .filter(|listed| listed.names(who).0 == Match::Maybe)
    }

    /// Whether a statement with this element is about the caller.
    pub(crate) fn about(&self, who: &Who<'_>) -> Match {
        if !self.negated {
            return match self.names(who) {
                (_, Some(_)) => Match::Yes,
                (Some(_), None) => Match::Maybe,
                (None, None) => Match::No,
            };
        }
        if who.can_have_boundary() {
            return Match::Yes;
        }
        if self.surely_spares(who) {
            Match::No
        } else if self.possibly_spares(who) {
            Match::Maybe
        } else {
            Match::Yes
        }
    }

    /// Whether `NotPrincipal` spares the caller however it is read. AWS may check the account first, then the role, then
    /// the session, so each must be listed; the account alone spares its root user alone (the guide's example with Bob
    /// denies everybody else in Bob's account).
    fn surely_spares(&self, who: &Who<'_>) -> bool {
        let lists = |wanted| {
            self.near(who.caller)
                .any(|listed| *listed == Listed::Everybody || listed.names(who) == (Match::Yes, wanted))
        };
        match who.caller {
            Caller::Anonymous
            | Caller::OriginAccessIdentity(_)
            | Caller::Service(_)
            | Caller::Federated(_) => self.names(who).1.is_some(),
            Caller::Root(_) | Caller::CanonicalUser(_) => lists(Named::Account),
            Caller::User { .. } | Caller::FederatedUser { .. } => {
                lists(Named::Account) && lists(Named::Directly)
            }
            Caller::RoleSession { .. } | Caller::UniqueId(_) => {
                lists(Named::Account) && lists(Named::Behind) && lists(Named::Directly)
            }
        }
    }

    /// Whether `NotPrincipal` spares the caller in some reading: AWS does not say clearly whether it spares who is listed
    /// without its account or role, so whoever relies on a Deny may not rely on that.
    fn possibly_spares(&self, who: &Who<'_>) -> bool {
        let named = self.names(who).0;
        match who.caller {
            Caller::User { .. } => named == Some(Named::Directly),
            // A role whose sessions are listed one by one does not stand for all of them.
            Caller::RoleSession { account, role, .. } => {
                let of_role = |listed: &Listed| matches!(listed, Listed::Session(of, name, _) if of == account && name.eq_ignore_ascii_case(role));
                named == Some(Named::Directly)
                    || (named == Some(Named::Behind) && !self.listed.iter().any(of_role))
            }
            Caller::FederatedUser { .. } => named > Some(Named::Account),
            _ => named.is_some(),
        }
    }
}
