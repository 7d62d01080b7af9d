//! What people do, one thing after the other.

use std::collections::BTreeMap;

use super::{
    dice::Dice,
    wishes::{BINDINGS, DELETE, LIMITS, LimitWish, NAMESPACES, READ, ROLES, RoleWish, WRITE, Wishes},
};

/// What somebody does. The names are for telling what a run has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    Made,
    Changed,
    Deleted,
    /// Deleted and made again at once, under another uid, as a restore does.
    Restored,
    Bound,
    Unbound,
    LimitChanged,
    LimitMade,
    LimitDeleted,
    /// A namespace goes from one limit to another, or from all.
    Moved,
    IssuerRotated,
    Tagged,
    Requested,
}

impl Deed {
    pub const ALL: [Self; 13] = [
        Self::Made,
        Self::Changed,
        Self::Deleted,
        Self::Restored,
        Self::Bound,
        Self::Unbound,
        Self::LimitChanged,
        Self::LimitMade,
        Self::LimitDeleted,
        Self::Moved,
        Self::IssuerRotated,
        Self::Tagged,
        Self::Requested,
    ];
}

/// Gives fresh numbers: for uids, and for annotations.
#[derive(Debug, Default)]
pub struct Numbers(usize);

impl Numbers {
    fn next(&mut self) -> usize {
        self.0 += 1;
        self.0
    }
}

/// Somebody does something; gives what, if it is something in these circumstances.
pub fn act(wishes: &mut Wishes, dice: &mut Dice, numbers: &mut Numbers) -> Option<Deed> {
    match dice.below(16) {
        0..=5 => of_role(wishes, dice, numbers),
        6..=8 => of_binding(wishes, dice),
        9..=12 => of_limit(wishes, dice, numbers),
        13 => {
            let account = &mut wishes.accounts[dice.below(2)];
            // First beside the former one, and then without it.
            if account.has_previous {
                account.has_previous = false;
            } else {
                account.issuer = 1 - account.issuer;
                account.has_previous = dice.chance(70);
            }
            Some(Deed::IssuerRotated)
        }
        14 => {
            wishes.accounts[dice.below(2)].tag = dice.below(3);
            Some(Deed::Tagged)
        }
        _ => {
            let number = dice.below(ROLES.len());
            wishes.roles.get_mut(&number)?.requested = numbers.next();
            Some(Deed::Requested)
        }
    }
}

/// Of the AWSRoles, and the ClusterAWSRole.
fn of_role(wishes: &mut Wishes, dice: &mut Dice, numbers: &mut Numbers) -> Option<Deed> {
    let number = dice.below(ROLES.len() + 1);
    let mut wish = match wishes.roles.get(&number) {
        Some(wish) => Some(wish.clone()),
        None if number == ROLES.len() => wishes.shared.clone(),
        None => None,
    };
    let deed = match &mut wish {
        None => {
            wish = Some(RoleWish {
                uid: numbers.next(),
                actions: actions(dice),
                is_long: false,
                requested: 0,
            });
            Deed::Made
        }
        Some(_) if dice.chance(25) => {
            wish = None;
            Deed::Deleted
        }
        Some(role) if dice.chance(15) => {
            role.uid = numbers.next();
            Deed::Restored
        }
        Some(role) => {
            role.actions = actions(dice);
            // A role of AWS that takes on another one has sessions of an hour: a binding of one to a role with longer ones is refused.
            role.is_long = number > 0 && dice.chance(20);
            Deed::Changed
        }
    };
    if number == ROLES.len() {
        wishes.shared = wish;
    } else {
        put(&mut wishes.roles, number, wish);
    }
    Some(deed)
}

/// What a role asks for: now and then what no limit has.
fn actions(dice: &mut Dice) -> u8 {
    [READ, READ, WRITE, READ | WRITE, READ | WRITE, READ | DELETE][dice.below(6)]
}

fn of_binding(wishes: &mut Wishes, dice: &mut Dice) -> Option<Deed> {
    let number = dice.below(BINDINGS.len());
    let most = BINDINGS[number].bearers.len();
    let was = wishes.bindings.get(&number).copied();
    let now = match was {
        Some(_) if dice.chance(50) => None,
        _ if most == 0 => Some(0),
        _ => Some(1 + dice.below(most)),
    };
    put(&mut wishes.bindings, number, now);
    Some(if now > was { Deed::Bound } else { Deed::Unbound })
}

fn of_limit(wishes: &mut Wishes, dice: &mut Dice, numbers: &mut Numbers) -> Option<Deed> {
    let number = dice.below(LIMITS.len());
    let Some(limit) = wishes.limits.get_mut(&number) else {
        let taken = |namespace: &&str| {
            let mut limits = wishes.limits.values();
            limits.any(|limit| limit.namespaces.contains(namespace))
        };
        let free = NAMESPACES
            .into_iter()
            .filter(|namespace| !taken(namespace))
            .collect();
        let limit = LimitWish {
            uid: numbers.next(),
            actions: ceiling(dice),
            namespaces: free,
        };
        wishes.limits.insert(number, limit);
        return Some(Deed::LimitMade);
    };
    if dice.chance(15) {
        wishes.limits.remove(&number);
        return Some(Deed::LimitDeleted);
    }
    if dice.chance(60) {
        limit.actions = ceiling(dice);
        return Some(Deed::LimitChanged);
    }
    let namespace = NAMESPACES[dice.below(NAMESPACES.len())];
    if limit.namespaces.remove(namespace) {
        return Some(Deed::Moved);
    }
    // Two limits over one namespace are refused at admission: another one gives it up first.
    let other = wishes.limits.get_mut(&(1 - number));
    let had = other.is_some_and(|other| other.namespaces.remove(namespace));
    if !had {
        let limit = wishes.limits.get_mut(&number)?;
        limit.namespaces.insert(namespace);
    }
    Some(Deed::Moved)
}

fn ceiling(dice: &mut Dice) -> u8 {
    [READ, WRITE, READ | WRITE, READ | WRITE][dice.below(4)]
}

fn put<T>(all: &mut BTreeMap<usize, T>, number: usize, wish: Option<T>) {
    match wish {
        Some(wish) => all.insert(number, wish),
        None => all.remove(&number),
    };
}
