//! What has to be made in which AWS account, for any number of AWSAccounts of one cluster.
//!
//! Each process has one identity of its own. The broker's is the issuer of every account; while it changes, there are two. That of `deputy controller` and
//! that of `deputy limits` work in the one account that names nobody to assume, and become what the others name. Where all
//! of them name somebody, it is taken to live beside the issuer.

use std::collections::{BTreeMap, BTreeSet};

use deputy_policy::{Document, Statement};

use crate::{
    model::{Account, AssumeRole, Limit},
    names::{AccountId, ClusterName, IssuerArn, ObjectName, Partition},
};

use super::{
    federation::federation_user,
    identity::ProcessIdentity,
    policies::{boundary_writer, broker, own, provisioner, service_control_policy, trusts},
    scope::{BOUNDARY_WRITER, CONTROLLER, LIMITS, PROVISIONER, Scope, UnnamedIdentities},
};

/// All of Deputy's in one AWS account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSetup {
    /// The AWS account.
    pub id: AccountId,
    /// Its partition.
    pub partition: Partition,
    /// Its AWSAccount. None where it is only the home of identities that work in others.
    pub name: Option<ObjectName>,
    /// The identities that live in it: of the broker, the controller, the limits, the federation user, in this order, as far as they do.
    pub identities: Vec<ProcessIdentity>,
    /// Keeps everybody else in the account from changing or becoming what is Deputy's. None where nothing is.
    pub service_control_policy: Option<Document>,
}

/// Why there is no answer for these accounts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BootstrapError {
    /// Two objects of one name.
    #[error("AWSAccount {0} is there twice")]
    Name(ObjectName),
    /// Two of one AWS account: the cluster would count the older one.
    #[error(
        "AWSAccounts {first} and {second} are both of AWS account {id}; it has one, and only the older one of two counts"
    )]
    AwsAccount {
        /// The account's id.
        id: AccountId,
        /// One of them.
        first: ObjectName,
        /// The other one.
        second: ObjectName,
    },
    /// The broker is one identity.
    #[error(
        "AWSAccount {first}: spec.issuer.principalARN is {first_issuer}, of {second} it is {second_issuer}; the broker is one \
         identity in all accounts of a cluster"
    )]
    Issuers {
        /// An account.
        first: ObjectName,
        /// Its issuer.
        first_issuer: IssuerArn,
        /// Another account.
        second: ObjectName,
        /// Its issuer.
        second_issuer: IssuerArn,
    },
    /// An identity lives in one AWS account.
    #[error(
        "AWSAccounts {first} and {second} both leave spec.{field} out; the identity of {process} lives in one AWS account, so all \
         but one name a role of theirs in spec.{field}.assumeRole.roleARN"
    )]
    Homes {
        /// Whose identity.
        process: &'static str,
        /// The field that says which.
        field: &'static str,
        /// An account.
        first: ObjectName,
        /// Another one.
        second: ObjectName,
    },
    /// Together they could do what no process may.
    #[error("{arn} would be the identity of {first} and of {second}; each has one of its own")]
    Shared {
        /// Whose it would be.
        arn: IssuerArn,
        /// A process.
        first: &'static str,
        /// Another one, or the same in another part.
        second: &'static str,
    },
}

/// What has to be made in each AWS account for `accounts`, in an order in which it can be: first where the processes' own identities
/// live. Roles that exist, boundaries that somebody else writes, and names of federated users are reached where one of `limits` allows them in
/// that account.
///
/// # Errors
/// Everything by which these can't be the accounts of one cluster.
pub fn setups(
    cluster: &ClusterName,
    accounts: &[Account],
    limits: &[Limit],
) -> Result<Vec<AccountSetup>, Vec<BootstrapError>> {
    setups_with(UnnamedIdentities::Roles, cluster, accounts, limits)
}

/// [`setups`], where what no AWSAccount names is `unnamed`.
///
/// # Errors
/// As of [`setups`].
pub fn setups_with(
    unnamed: UnnamedIdentities,
    cluster: &ClusterName,
    accounts: &[Account],
    limits: &[Limit],
) -> Result<Vec<AccountSetup>, Vec<BootstrapError>> {
    let mut errors = duplicates(accounts);
    if !errors.is_empty() {
        return Err(errors);
    }
    let Some(first) = accounts.first() else {
        return Ok(Vec::new());
    };
    let issuer = &first.issuer;
    errors.extend(other_issuer(first, accounts));
    let scopes: Vec<Scope> = accounts
        .iter()
        .map(|account| Scope::new(cluster, account, limits))
        .collect();
    let mut workers = Vec::new();
    for role in ROLES {
        match role.identities(unnamed, issuer, accounts, &scopes) {
            Ok(identities) => workers.extend(identities),
            Err(error) => errors.push(*error),
        }
    }
    let identities: Vec<ProcessIdentity> = brokers(accounts, &scopes, &workers)
        .into_iter()
        .chain(workers)
        .chain(
            accounts
                .iter()
                .filter_map(|account| federation_user(account, limits)),
        )
        .collect();
    errors.extend(shared(&identities));
    if errors.is_empty() {
        let guard = |account: &Account| service_control_policy(cluster, account, unnamed, &[]);
        Ok(by_account(accounts, identities, guard))
    } else {
        Err(errors)
    }
}

/// A process that writes to IAM.
struct Writer {
    process: &'static str,
    field: &'static str,
    named: fn(&Account) -> Option<&AssumeRole>,
    policy: fn(&Scope) -> Vec<Statement>,
    /// The name of its identity where it works in its own account.
    suggested: &'static str,
    /// Its name where it only becomes others.
    idle: &'static str,
}

const ROLES: [Writer; 2] = [
    Writer {
        process: "deputy controller",
        field: "provisioner",
        named: |account| account.provisioner.as_ref(),
        policy: provisioner,
        suggested: PROVISIONER,
        idle: CONTROLLER,
    },
    Writer {
        process: "deputy limits",
        field: "boundaryWriter",
        named: |account| account.boundary_writer.as_ref(),
        policy: boundary_writer,
        suggested: BOUNDARY_WRITER,
        idle: LIMITS,
    },
];

impl Writer {
    /// Its own identity, and those that it becomes.
    fn identities(
        &self,
        unnamed: UnnamedIdentities,
        issuer: &IssuerArn,
        accounts: &[Account],
        scopes: &[Scope],
    ) -> Result<Vec<ProcessIdentity>, Box<BootstrapError>> {
        let placed = || accounts.iter().zip(scopes);
        let mut homes = placed().filter(|(account, _)| (self.named)(account).is_none());
        let home = homes.next();
        if let (Some((first, _)), Some((second, _))) = (home, homes.next()) {
            return Err(Box::new(BootstrapError::Homes {
                process: self.process,
                field: self.field,
                first: first.name.clone(),
                second: second.name.clone(),
            }));
        }
        let arn = match home {
            Some((account, _)) => unnamed.works_in(account, None, self.suggested),
            None => unnamed.arn(issuer.partition(), issuer.account(), self.idle),
        };
        let named: Vec<(&AssumeRole, &Scope)> = placed()
            .filter_map(|(account, scope)| Some(((self.named)(account)?, scope)))
            .collect();
        let becomes: Vec<_> = named.iter().map(|(assume, _)| assume.role.clone()).collect();
        let assumed = named.iter().map(|(assume, scope)| ProcessIdentity {
            arn: assume.role.clone().into(),
            process: self.process,
            policy: own(self.policy, Some(*scope), &[]),
            trust: Some(trusts(&arn, assume)),
        });
        let itself = ProcessIdentity {
            policy: own(self.policy, home.map(|(_, scope)| scope), &becomes),
            arn: arn.clone(),
            process: self.process,
            trust: None,
        };
        Ok(std::iter::once(itself).chain(assumed).collect())
    }
}

fn duplicates(accounts: &[Account]) -> Vec<BootstrapError> {
    let mut errors = Vec::new();
    let (mut names, mut ids) = (BTreeSet::new(), BTreeMap::new());
    for account in accounts {
        if !names.insert(&account.name) {
            errors.push(BootstrapError::Name(account.name.clone()));
        } else if let Some(first) = ids.insert((&account.partition, &account.id), &account.name) {
            errors.push(BootstrapError::AwsAccount {
                id: account.id.clone(),
                first: first.clone(),
                second: account.name.clone(),
            });
        }
    }
    errors
}

/// One identity for each issuer: one, but while the broker changes it. Each for the accounts that have it as theirs.
fn brokers(accounts: &[Account], scopes: &[Scope], workers: &[ProcessIdentity]) -> Vec<ProcessIdentity> {
    let issuers: BTreeSet<&IssuerArn> = accounts.iter().flat_map(Account::issuers).collect();
    let identity = |issuer: &&IssuerArn| {
        let placed = accounts.iter().zip(scopes);
        let of_it: Vec<&Scope> = placed
            .filter(|(account, _)| account.issuers().contains(issuer))
            .map(|(_, scope)| scope)
            .collect();
        let others = issuers.iter().filter(|other| *other != issuer);
        let others = others.map(ToString::to_string);
        let workers = workers.iter().map(|worker| worker.arn.to_string());
        ProcessIdentity {
            arn: (*issuer).clone(),
            process: "deputy broker",
            policy: broker(&of_it, &workers.chain(others).collect()),
            trust: None,
        }
    };
    issuers.iter().map(identity).collect()
}

/// The first account by which there is no issuer that all have.
fn other_issuer(first: &Account, accounts: &[Account]) -> Option<BootstrapError> {
    let mut common = first.issuers();
    let other = accounts.iter().find(|account| {
        let issuers = account.issuers();
        common.retain(|issuer| issuers.contains(issuer));
        common.is_empty()
    })?;
    Some(BootstrapError::Issuers {
        first: first.name.clone(),
        first_issuer: first.issuer.clone(),
        second: other.name.clone(),
        second_issuer: other.issuer.clone(),
    })
}

/// Identities that are one: IAM has one role of a name in an account, whatever its path and ignoring case.
fn shared(identities: &[ProcessIdentity]) -> Vec<BootstrapError> {
    let mut of = BTreeMap::new();
    let twice = identities.iter().filter_map(|identity| {
        let arn = &identity.arn;
        let name = arn.name().to_ascii_lowercase();
        let key = (arn.partition(), arn.account(), arn.entity().as_str(), name);
        let first = of.insert(key, identity.process)?;
        Some(BootstrapError::Shared {
            arn: identity.arn.clone(),
            first,
            second: identity.process,
        })
    });
    twice.collect()
}

/// Identities where they live; accounts in which a process's own one does come first.
fn by_account(
    accounts: &[Account],
    identities: Vec<ProcessIdentity>,
    guard: impl Fn(&Account) -> Document,
) -> Vec<AccountSetup> {
    let (own, assumed): (Vec<_>, Vec<_>) = identities.iter().partition(|identity| identity.trust.is_none());
    let mut places: Vec<(AccountId, Partition)> = Vec::new();
    let lived_in = own
        .into_iter()
        .chain(assumed)
        .map(|identity| (identity.arn.account(), identity.arn.partition()));
    let worked_in = accounts.iter().map(|account| (&account.id, &account.partition));
    for (id, partition) in lived_in.chain(worked_in) {
        let place = (id.clone(), partition.clone());
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
        .into_iter()
        .map(|(id, partition)| {
            let account = accounts
                .iter()
                .find(|account| account.id == id && account.partition == partition);
            let lives = |identity: &&ProcessIdentity| {
                *identity.arn.account() == id && *identity.arn.partition() == partition
            };
            AccountSetup {
                name: account.map(|account| account.name.clone()),
                identities: identities.iter().filter(lives).cloned().collect(),
                service_control_policy: account.map(&guard),
                id,
                partition,
            }
        })
        .collect()
}
