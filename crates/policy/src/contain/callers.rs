//! The dimension of the caller: a few callers that stand for all there are.
//!
//! Principal elements name accounts, users, roles, sessions, services and providers, one by one and without wildcards, so
//! the named ones and one stranger of each sort tell all elements apart.

use std::collections::BTreeSet;

use crate::{
    document::{Principal, PrincipalElement},
    principal::{Account, Caller},
};

/// More principals than this are not told apart; a resource policy of AWS has 20,480 bytes.
const MAX_NAMES: usize = 512;

/// The same for federated users by name and by user.
const MAX_PAIRS: usize = 4096;

/// Accounts, users, sessions, … that are not named.
struct Strangers {
    /// All names, lower case: the names of roles have none.
    all: String,
}

impl Strangers {
    /// A name that is no part of what is named.
    fn name(&self, stem: &str) -> String {
        let others = (2..10_000).map(|n| format!("{stem}{n}"));
        let mut names = std::iter::once(stem.to_owned()).chain(others);
        names
            .find(|name| !self.all.contains(name.as_str()))
            .unwrap_or_else(|| stem.to_owned())
    }

    fn account(&self) -> String {
        let mut ids = (0..10_000_u64).map(|n| (999_999_999_999 - n).to_string());
        ids.find(|id| !self.all.contains(id.as_str())).unwrap_or_default()
    }
}

/// All sorts of callers that the elements tell apart, with whether they have a permissions boundary (which only
/// `NotPrincipal` looks at); `None` when they are too many.
pub(crate) fn callers<'a>(
    elements: impl Iterator<Item = &'a PrincipalElement>,
) -> Option<Vec<(Caller, bool)>> {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    let mut bounded = false;
    for element in elements {
        let principal = match element {
            PrincipalElement::Principal(principal) => principal,
            PrincipalElement::NotPrincipal(principal) => {
                bounded = true;
                principal
            }
        };
        if let Principal::Listed {
            aws,
            service,
            federated,
            canonical_user,
        } = principal
        {
            names.extend(
                [aws, service, federated, canonical_user]
                    .into_iter()
                    .flatten()
                    .map(String::as_str),
            );
        }
    }
    if names.len() > MAX_NAMES {
        return None;
    }
    let all: Vec<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
    let strangers = Strangers { all: all.join("\n") };
    let [somebody, any_role, any_session, any_federated] =
        ["somebody", "any-role", "any-session", "any-federated-user"].map(|stem| strangers.name(stem));
    let mut callers = vec![Caller::Anonymous];
    let mut accounts: BTreeSet<Account> = BTreeSet::new();
    let mut of_account = |account: &Account, callers: &mut Vec<Caller>| {
        if !accounts.insert(account.clone()) {
            return;
        }
        callers.push(Caller::User {
            account: account.clone(),
            name: somebody.clone(),
        });
        callers.push(Caller::RoleSession {
            account: account.clone(),
            role: any_role.clone(),
            session: Some(any_session.clone()),
        });
        callers.push(Caller::Root(account.clone()));
        callers.push(Caller::FederatedUser {
            account: account.clone(),
            name: any_federated.clone(),
            of_user: None,
        });
    };
    let stranger = Account {
        partition: "aws".to_owned(),
        id: strangers.account(),
    };
    of_account(&stranger, &mut callers);
    let elsewhere = strangers.name("aws-iso");
    let (mut users, mut federated_users) = (Vec::new(), Vec::new());
    for name in &names {
        // A canonical user id, a service and a provider may be written alike.
        callers.push(Caller::Service((*name).to_owned()));
        callers.push(Caller::Federated((*name).to_owned()));
        callers.push(Caller::CanonicalUser((*name).to_owned()));
        let Ok(caller) = Caller::parse(name) else { continue };
        let Some(account) = caller.account().cloned() else {
            continue;
        };
        // An account id means the account in every partition.
        for partition in [account.partition.as_str(), "aws", "aws-cn", &elsewhere] {
            let account = Account {
                partition: partition.to_owned(),
                id: account.id.clone(),
            };
            of_account(&account, &mut callers);
        }
        if let Caller::RoleSession {
            account,
            role,
            session: None,
        } = &caller
        {
            callers.push(Caller::RoleSession {
                account: account.clone(),
                role: role.clone(),
                session: Some(any_session.clone()),
            });
        }
        callers.push(caller.clone());
        match caller {
            Caller::User { account, name } => users.push((account, name)),
            Caller::FederatedUser { account, name, .. } => federated_users.push((account, name)),
            _ => {}
        }
    }
    if users.len().saturating_mul(federated_users.len()) > MAX_PAIRS {
        return None;
    }
    // A federated session may be named by its own name and by the user who made it.
    for (account, user) in users {
        let of_account = federated_users.iter().filter(|(other, _)| *other == account);
        let named = of_account.map(|(_, name)| name.clone());
        for name in named.chain([any_federated.clone()]) {
            callers.push(Caller::FederatedUser {
                account: account.clone(),
                name,
                of_user: Some(user.clone()),
            });
        }
    }
    callers.push(Caller::Service(strangers.name("any-service.amazonaws.com")));
    callers.push(Caller::Federated(strangers.name("any-provider.example.com")));
    callers.push(Caller::CanonicalUser(strangers.name("any-canonical-user")));
    let mut pairs: Vec<(Caller, bool)> = callers.iter().map(|caller| (caller.clone(), false)).collect();
    if bounded {
        let can = callers.into_iter().filter(Caller::can_have_boundary);
        pairs.extend(can.map(|caller| (caller, true)));
    }
    Some(pairs)
}
