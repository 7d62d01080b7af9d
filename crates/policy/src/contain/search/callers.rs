//! The dimension of the caller: a few callers that stand for all there are.
//!
//! Principal elements name accounts, users, roles, sessions, services and providers, one by one and without wildcards, so
//! the named ones and one stranger of each sort tell all elements apart. Which unique id belongs to which user or role, and
//! which canonical user id to which account, only AWS knows: every combination is a caller of its own.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    contain::certificate::MAX_CALLERS,
    principal::{
        account::AwsAccount,
        caller::Caller,
        listed::{IdKind, Listed},
        naming::{Id, PrincipalList, Who},
    },
};

/// Somebody who may ask: a caller with the ids of it that some policy lists.
#[derive(Debug, Clone)]
pub(crate) struct PossibleCaller {
    caller: Caller,
    /// `None`: none that is listed.
    unique_id: Option<String>,
    canonical_user: Option<String>,
    /// Whether it has a permissions boundary.
    bounded: bool,
}

impl PossibleCaller {
    fn new(caller: Caller) -> Self {
        Self {
            caller,
            unique_id: None,
            canonical_user: None,
            bounded: false,
        }
    }

    /// The caller with everything known.
    pub(in crate::contain) fn who(&self) -> Who<'_> {
        Who {
            caller: &self.caller,
            unique_id: self.unique_id.as_deref().map_or(Id::Other, Id::Is),
            canonical_user: self.canonical_user.as_deref().map_or(Id::Other, Id::Is),
            bounded: self.bounded,
        }
    }

    pub(in crate::contain) fn is_bounded(&self) -> bool {
        self.bounded
    }

    /// What a witness can say of the caller, the most telling first. An ARN and an id that may belong to it are never said
    /// of one caller, because nobody knows whether they do.
    pub(in crate::contain) fn descriptions(&self) -> Vec<Caller> {
        let mut all = Vec::with_capacity(2);
        all.extend(self.unique_id.clone().map(Caller::UniqueId));
        all.extend(self.canonical_user.clone().map(Caller::CanonicalUser));
        // The ARN of a session does not show the path of its role.
        if let Caller::RoleSession {
            account,
            path: Some(path),
            role,
            ..
        } = &self.caller
            && !path.is_empty()
        {
            all.push(Caller::RoleSession {
                account: account.clone(),
                path: Some(path.clone()),
                role: role.clone(),
                session: None,
            });
        }
        all.push(self.caller.clone());
        all
    }
}

/// Accounts, users, sessions, … that are not named.
struct Strangers<'a> {
    names: BTreeSet<&'a str>,
}

impl Strangers<'_> {
    /// A name that is not among the named ones, whatever its case.
    fn name(&self, stem: &str) -> String {
        let taken = |name: &str| self.names.iter().any(|named| named.eq_ignore_ascii_case(name));
        let others = (2..10_000).map(|n| format!("{stem}{n}"));
        let mut names = std::iter::once(stem.to_owned()).chain(others);
        names.find(|name| !taken(name)).unwrap_or_default()
    }

    fn account(&self) -> String {
        let mut ids = (0..10_000_u64).map(|n| (999_999_999_999 - n).to_string());
        ids.find(|id| !self.names.contains(id.as_str()))
            .unwrap_or_default()
    }
}

/// What the elements name.
#[derive(Default)]
struct Named<'a> {
    everywhere: CallerFacts<'a>,
    /// By their numbers.
    accounts: BTreeSet<&'a str>,
    /// Account, and name with path.
    users: BTreeSet<(&'a AwsAccount, &'a str)>,
    federated_users: BTreeSet<(&'a AwsAccount, &'a str)>,
    /// Account and name in lower case, to paths and names as spelled, and to sessions with the role's name as spelled.
    roles: BTreeMap<(&'a AwsAccount, String), Role<'a>>,
    unique_ids: BTreeSet<&'a str>,
    canonical_users: BTreeSet<&'a str>,
    identities: BTreeSet<&'a str>,
    services: BTreeSet<&'a str>,
    providers: BTreeSet<&'a str>,
}

#[derive(Default)]
struct Role<'a> {
    paths: BTreeSet<(&'a str, &'a str)>,
    sessions: BTreeSet<(&'a str, &'a str)>,
}

impl<'a> Named<'a> {
    fn add(&mut self, listed: &'a Listed) {
        self.accounts.extend(listed.account_id());
        match listed {
            Listed::User(account, name) => drop(self.users.insert((account, name))),
            Listed::FederatedUser(account, name) => drop(self.federated_users.insert((account, name))),
            Listed::Role(account, path, name) => {
                let role = self
                    .roles
                    .entry((account, name.to_ascii_lowercase()))
                    .or_default();
                role.paths.insert((path, name));
            }
            Listed::Session(account, name, session) => {
                let role = self
                    .roles
                    .entry((account, name.to_ascii_lowercase()))
                    .or_default();
                role.sessions.insert((name, session));
            }
            Listed::UniqueId(id) => drop(self.unique_ids.insert(id)),
            Listed::CanonicalUser(id) => drop(self.canonical_users.insert(id)),
            Listed::OriginAccessIdentity(id) => drop(self.identities.insert(id)),
            Listed::Service(name) => drop(self.services.insert(name)),
            Listed::Federated(name) => drop(self.providers.insert(name)),
            Listed::Everybody | Listed::EveryProvider | Listed::AccountId(_) | Listed::Root(_) => {}
        }
    }

    /// How many callers by ARN or name [`callers`] makes at most.
    fn at_most(&self) -> usize {
        let of_accounts = 4 * (1 + self.accounts.len()) * self.everywhere.partitions.len().max(1);
        let mut federated: BTreeMap<&AwsAccount, usize> = BTreeMap::new();
        for (account, _) in &self.federated_users {
            *federated.entry(account).or_default() += 1;
        }
        let of_user = |account: &AwsAccount| 2 + federated.get(account).copied().unwrap_or(0);
        let of_role = |role: &Role<'_>| (1 + role.paths.len()).saturating_mul(1 + role.sessions.len());
        let users: usize = self.users.iter().map(|(account, _)| of_user(account)).sum();
        let roles = self.roles.values().map(of_role).fold(0, usize::saturating_add);
        let others = self.services.len() + self.providers.len() + self.identities.len();
        [of_accounts, users, self.federated_users.len(), roles, others, 8]
            .into_iter()
            .fold(0, usize::saturating_add)
    }

    fn names(&self) -> BTreeSet<&'a str> {
        let last = |name: &'a str| name.rsplit('/').next().unwrap_or(name);
        let mut names: BTreeSet<&'a str> = self.accounts.clone();
        names.extend(self.users.iter().flat_map(|(_, name)| [*name, last(name)]));
        names.extend(self.federated_users.iter().map(|(_, name)| *name));
        for role in self.roles.values() {
            names.extend(role.paths.iter().flat_map(|(path, name)| [*path, *name]));
            names.extend(role.sessions.iter().flat_map(|(name, session)| [*name, *session]));
        }
        names.extend(
            self.identities
                .iter()
                .chain(&self.services)
                .chain(&self.providers),
        );
        names.extend(&self.canonical_users);
        names
    }
}

/// What all documents say of callers, also where a question is about some of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallerFacts<'a> {
    /// The partitions that callers are in.
    partitions: BTreeSet<&'a str>,
    /// Accounts and names (in lower case) of roles that are listed with a path.
    with_path: BTreeSet<(&'a AwsAccount, String)>,
}

impl<'a> CallerFacts<'a> {
    /// `elements` are all that there are.
    pub(crate) fn of(elements: impl Iterator<Item = &'a PrincipalList>) -> Self {
        let mut everywhere = Self::default();
        for listed in elements.flat_map(PrincipalList::listed) {
            everywhere.partitions.extend(listed.partition());
            if let Listed::Role(account, path, name) = listed
                && !path.is_empty()
            {
                everywhere.with_path.insert((account, name.to_ascii_lowercase()));
            }
        }
        everywhere
    }
}

/// All sorts of callers that the elements tell apart, with and without a permissions boundary when one has `NotPrincipal`
/// (which alone looks at it); `None` when they are too many.
pub(crate) fn subjects<'a>(
    elements: impl Iterator<Item = &'a PrincipalList>,
    everywhere: &CallerFacts<'a>,
) -> Option<Vec<PossibleCaller>> {
    let mut named = Named {
        everywhere: everywhere.clone(),
        ..Named::default()
    };
    let mut bounded = false;
    for element in elements {
        bounded |= element.is_negated();
        element.listed().iter().for_each(|listed| named.add(listed));
    }
    let ids = (1 + named.unique_ids.len()).saturating_mul(1 + named.canonical_users.len());
    if named.at_most().saturating_mul(ids) > MAX_CALLERS {
        return None;
    }
    let strangers = Strangers { names: named.names() };
    let base = callers(&named, &strangers);
    let mut subjects: Vec<PossibleCaller> = base.iter().cloned().map(PossibleCaller::new).collect();
    for id in &named.unique_ids {
        let kind = IdKind::of(id);
        let may_be = |caller: &&Caller| match caller {
            Caller::User { .. } | Caller::FederatedUser { .. } => kind.may_be_user(),
            Caller::RoleSession { .. } => kind.may_be_role(),
            _ => false,
        };
        subjects.extend(base.iter().filter(may_be).map(|caller| PossibleCaller {
            unique_id: Some((*id).to_owned()),
            ..PossibleCaller::new(caller.clone())
        }));
    }
    let without: Vec<PossibleCaller> = subjects.clone();
    for id in &named.canonical_users {
        let may_be = |subject: &&PossibleCaller| {
            subject.caller.account().is_some() || matches!(subject.caller, Caller::OriginAccessIdentity(_))
        };
        subjects.extend(without.iter().filter(may_be).map(|subject| PossibleCaller {
            canonical_user: Some((*id).to_owned()),
            ..subject.clone()
        }));
    }
    if bounded {
        let can = subjects
            .iter()
            .filter(|subject| subject.caller.can_have_boundary());
        let more: Vec<PossibleCaller> = can
            .map(|subject| PossibleCaller {
                bounded: true,
                ..subject.clone()
            })
            .collect();
        subjects.extend(more);
    }
    Some(subjects)
}

/// The callers by their ARNs and names: all that are named, and strangers of every sort.
#[expect(
    clippy::too_many_lines,
    reason = "one list: a step of its own for each kind of caller would hide that no kind is left out"
)]
fn callers(named: &Named<'_>, strangers: &Strangers<'_>) -> Vec<Caller> {
    let [somebody, any_role, any_session, any_federated, any_path] = [
        "somebody",
        "any-role",
        "any-session",
        "any-federated-user",
        "any-path",
    ]
    .map(|stem| strangers.name(stem));
    let stranger = strangers.account();
    let session = |account: &AwsAccount, path: &str, role: &str, session: &str| Caller::RoleSession {
        account: account.clone(),
        path: Some(path.to_owned()),
        role: role.to_owned(),
        session: Some(session.to_owned()),
    };
    let federated = |account: &AwsAccount, name: &str, user: &str| Caller::FederatedUser {
        account: account.clone(),
        name: name.to_owned(),
        of_user: Some(user.to_owned()),
    };
    let mut callers = vec![Caller::Anonymous];
    // All callers are of the partition that the policies are in. Which one that is their ARNs say.
    let partitions = if named.everywhere.partitions.is_empty() {
        BTreeSet::from(["aws"])
    } else {
        named.everywhere.partitions.clone()
    };
    for id in std::iter::once(stranger.as_str()).chain(named.accounts.iter().copied()) {
        for partition in &partitions {
            let account = AwsAccount {
                partition: (*partition).to_owned(),
                id: id.to_owned(),
            };
            callers.extend([
                Caller::User {
                    account: account.clone(),
                    name: somebody.clone(),
                },
                session(&account, "", &any_role, &any_session),
                Caller::Root(account.clone()),
                federated(&account, &any_federated, &somebody),
            ]);
        }
    }
    for (account, user) in &named.users {
        callers.push(Caller::User {
            account: (*account).clone(),
            name: (*user).to_owned(),
        });
        // A federated session may be named by its own name and by the user who made it.
        let from = (*account, "");
        let of_account = named
            .federated_users
            .range(from..)
            .take_while(|(other, _)| other == account);
        let names = of_account.map(|(_, name)| *name).chain([any_federated.as_str()]);
        callers.extend(names.map(|name| federated(account, name, user)));
    }
    for (account, name) in &named.federated_users {
        callers.push(federated(account, name, &somebody));
    }
    // IAM has one role of a name in an account ("IAM identifiers"), and the ARN of a session does not show its path. A session
    // that is listed is of the role that is listed with this name and without path, since no policy is saved that names a
    // role which does not exist ("Principal"). Where paths matter, because one is listed with it, the role may have any.
    for (key, role) in &named.roles {
        let (account, _) = key;
        let named_sessions = role.sessions.iter().copied();
        for (path, name) in &role.paths {
            callers.push(session(account, path, name, &any_session));
            // The name as the session's ARN has it; roles are told apart without case.
            callers.extend(
                named_sessions
                    .clone()
                    .map(|(own, of)| session(account, path, own, of)),
            );
        }
        if named.everywhere.with_path.contains(key) {
            let path = format!("{any_path}/");
            callers.extend(named_sessions.map(|(own, of)| session(account, &path, own, of)));
        } else if role.paths.is_empty() {
            callers.extend(named_sessions.map(|(own, of)| session(account, "", own, of)));
        }
    }
    let of = |make: fn(String) -> Caller, named: &BTreeSet<&str>, stem: &str| {
        let names = named.iter().map(|name| (*name).to_owned());
        names.chain([strangers.name(stem)]).map(make).collect::<Vec<_>>()
    };
    callers.extend(of(Caller::Service, &named.services, "any-service.amazonaws.com"));
    callers.extend(of(
        Caller::Federated,
        &named.providers,
        "any-provider.example.com",
    ));
    callers.extend(of(Caller::OriginAccessIdentity, &named.identities, "EANY"));
    callers
}
