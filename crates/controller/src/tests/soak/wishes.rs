//! What people ask for in all objects at once, and what each IAM role may be while that changes.

use std::collections::{BTreeMap, BTreeSet};

use deputy_delegation::{
    NamespaceName, ObjectName,
    model::{RoleId, RoleKind},
};

use crate::fixtures::roles::{DEPLOY, Power};

/// What a policy may allow, by bits; the last one is in no limit.
const ACTIONS: [&str; 3] = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"];
pub const READ: u8 = 1;
pub const WRITE: u8 = 2;
pub const DELETE: u8 = 4;

/// The AWSAccounts: name and id.
pub const ACCOUNTS: [(&str, &str); 2] = [("production", "123456789012"), ("staging", "210987654321")];
pub const NAMESPACES: [&str; 3] = ["payments", "billing", "shipping"];
pub const LIMITS: [&str; 2] = ["payments", "second"];
pub const ISSUERS: [&str; 2] = ["user/deputy-broker", "user/second-broker"];
/// The ClusterAWSRole.
pub const SHARED: &str = "shared";

/// Where an AWSRole may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RolePlace {
    pub namespace: &'static str,
    pub name: &'static str,
    pub account: &'static str,
}

const fn place(namespace: &'static str, name: &'static str, account: &'static str) -> RolePlace {
    RolePlace {
        namespace,
        name,
        account,
    }
}

pub const ROLES: [RolePlace; 4] = [
    place("payments", "uploader", "production"),
    place("payments", "reader", "staging"),
    place("billing", "uploader", "production"),
    place("shipping", "uploader", "staging"),
];

/// What a binding names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The AWSRole of this number.
    Role(usize),
    /// The ClusterAWSRole, in this account.
    Shared(&'static str),
}

/// Where an AWSRoleBinding may be.
#[derive(Debug, Clone, Copy)]
pub struct BindingPlace {
    pub namespace: &'static str,
    pub name: &'static str,
    pub to: Bound,
    /// The ServiceAccounts that it may name; none, and it names a role of AWS.
    pub bearers: &'static [&'static str],
}

const TWO: &[&str] = &["uploader", "second"];

const fn binding(
    namespace: &'static str,
    name: &'static str,
    to: Bound,
    bearers: &'static [&'static str],
) -> BindingPlace {
    BindingPlace {
        namespace,
        name,
        to,
        bearers,
    }
}

pub const BINDINGS: [BindingPlace; 7] = [
    binding("payments", "uploader", Bound::Role(0), TWO),
    binding("payments", "partners", Bound::Role(0), &[]),
    binding("payments", "reader", Bound::Role(1), &["reader"]),
    binding("billing", "uploader", Bound::Role(2), TWO),
    binding("shipping", "uploader", Bound::Role(3), TWO),
    binding("billing", SHARED, Bound::Shared("production"), &[SHARED]),
    binding("shipping", SHARED, Bound::Shared("staging"), &[SHARED]),
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountWish {
    pub issuer: usize,
    /// Whether the other issuer is one of before.
    pub has_previous: bool,
    pub tag: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitWish {
    pub uid: usize,
    pub actions: u8,
    pub namespaces: BTreeSet<&'static str>,
}

/// An AWSRole or the ClusterAWSRole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleWish {
    pub uid: usize,
    pub actions: u8,
    pub is_long: bool,
    /// Of the annotation that has it looked at again; zero and there is none.
    pub requested: usize,
}

/// All that there is, by the numbers of their places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wishes {
    pub accounts: [AccountWish; 2],
    pub limits: BTreeMap<usize, LimitWish>,
    pub roles: BTreeMap<usize, RoleWish>,
    pub shared: Option<RoleWish>,
    /// How many of its ServiceAccounts each names; zero for one that names a role of AWS.
    pub bindings: BTreeMap<usize, usize>,
}

impl Wishes {
    /// Everything is there, and nothing is refused.
    pub fn all() -> Self {
        let account = AccountWish {
            issuer: 0,
            has_previous: false,
            tag: 0,
        };
        let role = |actions| RoleWish {
            uid: 0,
            actions,
            is_long: false,
            requested: 0,
        };
        let limit = |namespaces: &[&'static str]| LimitWish {
            uid: 0,
            actions: READ | WRITE,
            namespaces: namespaces.iter().copied().collect(),
        };
        Self {
            accounts: [account.clone(), account],
            limits: BTreeMap::from([(0, limit(&["payments", "billing"])), (1, limit(&["shipping"]))]),
            roles: (0..ROLES.len()).map(|number| (number, role(READ))).collect(),
            shared: Some(role(WRITE)),
            bindings: (0..BINDINGS.len())
                .map(|number| (number, BINDINGS[number].bearers.len().min(1)))
                .collect(),
        }
    }

    /// The limit over a namespace: its number, uid and actions. There is never more than one.
    fn limit_of(&self, namespace: &str) -> Option<(usize, usize, u8)> {
        let mut all = self.limits.iter();
        all.find(|(_, limit)| limit.namespaces.contains(namespace))
            .map(|(number, limit)| (*number, limit.uid, limit.actions))
    }
}

/// One IAM role that there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    Role(usize),
    /// What the ClusterAWSRole is by the binding of this number.
    Shared(usize),
}

impl Grant {
    pub fn all() -> Vec<Self> {
        let roles = (0..ROLES.len()).map(Self::Role);
        let of_shared = |number: &usize| matches!(BINDINGS[*number].to, Bound::Shared(_));
        roles
            .chain((0..BINDINGS.len()).filter(of_shared).map(Self::Shared))
            .collect()
    }

    /// Namespace and account.
    pub fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::Role(number) => (ROLES[number].namespace, ROLES[number].account),
            Self::Shared(number) => match BINDINGS[number].to {
                Bound::Shared(account) => (BINDINGS[number].namespace, account),
                Bound::Role(_) => panic!("it names an AWSRole"),
            },
        }
    }

    pub fn id(self) -> RoleId {
        let (namespace, account) = self.place();
        let (name, kind) = match self {
            Self::Role(number) => (ROLES[number].name, RoleKind::AWSRole),
            Self::Shared(_) => {
                let account = ObjectName::new(account).unwrap();
                (SHARED, RoleKind::ClusterAWSRole { account })
            }
        };
        RoleId {
            namespace: NamespaceName::new(namespace).unwrap(),
            name: ObjectName::new(name).unwrap(),
            kind,
        }
    }

    /// The role as it is asked for.
    pub fn wish(self, wishes: &Wishes) -> Option<&RoleWish> {
        match self {
            Self::Role(number) => wishes.roles.get(&number),
            Self::Shared(number) => wishes
                .shared
                .as_ref()
                .filter(|_| wishes.bindings.contains_key(&number)),
        }
    }

    /// The numbers of the bindings that may name it.
    fn bindings(self) -> impl Iterator<Item = usize> {
        (0..BINDINGS.len()).filter(move |number| match self {
            Self::Role(role) => BINDINGS[*number].to == Bound::Role(role),
            Self::Shared(own) => *number == own,
        })
    }

    /// The ServiceAccounts that may become it.
    pub fn bearers(self, wishes: &Wishes) -> BTreeSet<&'static str> {
        let named = self.bindings().filter_map(|number| {
            let count = wishes.bindings.get(&number)?;
            Some(BINDINGS[number].bearers.iter().take(*count).copied())
        });
        named.flatten().collect()
    }

    /// Who is let in by its trust policy.
    fn trusted(self, wishes: &Wishes) -> BTreeSet<&'static str> {
        let (_, account) = self.place();
        let number = usize::from(ACCOUNTS[1].0 == account);
        let account = &wishes.accounts[number];
        let mut trusted = BTreeSet::new();
        if !self.bearers(wishes).is_empty() {
            trusted.insert(ISSUERS[account.issuer]);
            trusted.extend(account.has_previous.then_some(ISSUERS[1 - account.issuer]));
        }
        let principal =
            |number: &usize| BINDINGS[*number].bearers.is_empty() && wishes.bindings.contains_key(number);
        trusted.extend(self.bindings().find(principal).map(|_| DEPLOY));
        trusted
    }

    /// What the role may be while these are asked for one after the other, whichever of them is seen of each object: at least, and at most.
    pub fn bounds(self, versions: &[Wishes]) -> (Power, Power) {
        let (namespace, _) = self.place();
        let asked = |wishes: &Wishes| self.wish(wishes).map_or(0, |wish| wish.actions);
        let limit = |wishes: &Wishes| wishes.limit_of(namespace);
        let ceiling = |wishes: &Wishes| limit(wishes).map_or(0, |(_, _, actions)| actions);
        let any = |of: &dyn Fn(&Wishes) -> u8| versions.iter().fold(0, |all, wishes| all | of(wishes));
        let all = |of: &dyn Fn(&Wishes) -> u8| versions.iter().fold(0xff, |all, wishes| all & of(wishes));
        let trusted: Vec<_> = versions.iter().map(|wishes| self.trusted(wishes)).collect();
        let anyone = trusted.iter().flatten().copied().collect();
        let mut always: BTreeSet<&str> = trusted[0].clone();
        always.retain(|who| trusted.iter().all(|trusted| trusted.contains(who)));
        let first = |wishes: &Wishes| {
            let limit = limit(wishes).map(|(number, uid, _)| (number, uid));
            (self.wish(wishes).map(|wish| wish.uid), limit)
        };
        // What may be refused, whichever of each object is seen, may be nothing for a while.
        let is_never_refused = any(&asked) & !all(&ceiling) == 0
            && versions.iter().all(|wishes| first(wishes) == first(&versions[0]));
        let least = if is_never_refused { all(&asked) } else { 0 };
        (power(&always, least), power(&anyone, any(&asked) & any(&ceiling)))
    }
}

fn power(who: &BTreeSet<&str>, actions: u8) -> Power {
    let of = |who: &str| {
        names(actions)
            .map(move |action| (who.to_owned(), action))
            .collect::<Vec<_>>()
    };
    who.iter().flat_map(|who| of(who)).collect()
}

/// What these bits stand for.
pub fn names(actions: u8) -> impl Iterator<Item = &'static str> {
    let all = ACTIONS.iter().enumerate();
    all.filter(move |(bit, _)| actions & (1 << bit) != 0)
        .map(|(_, name)| *name)
}
