//! What each binding of a world is: given, held, or undecided.

use std::sync::Arc;

use deputy_admission::is_awaiting;
use deputy_delegation::{
    Decision,
    model::{FederatedBinding, LimitEntry, ObjectId},
};

use super::{
    grant::{AskedGrant, grant},
    undecided::UndecidedGrant,
};
use crate::objects::AskedWorld;

/// What is granted.
pub struct Grants {
    pub given: Vec<AskedGrant>,
    /// Accepted bindings of federated users.
    pub users: Vec<Arc<FederatedBinding>>,
    /// Bindings that grant nothing, with the reason.
    pub held: Vec<(ObjectId, String)>,
    /// Bindings of either kind of which it is not known whether they grant anything.
    pub undecided: Vec<UndecidedGrant>,
}

/// What becomes of a binding.
enum Standing {
    Given(Box<AskedGrant>),
    Held(String),
    Undecided(Box<UndecidedGrant>),
}

/// All bindings of a world.
pub fn grants(world: &AskedWorld) -> Grants {
    let mut found = Grants {
        given: Vec::new(),
        users: Vec::new(),
        held: Vec::new(),
        undecided: Vec::new(),
    };
    for id in world.index.federated_bindings() {
        let Some(decided) = world.index.decide_federated(&id) else {
            continue;
        };
        if decided.decision.is_accepted() {
            found.users.push(decided.binding);
        } else if is_awaiting(&decided.decision) {
            let of_user = UndecidedGrant::of_user(world, decided.binding, &decided.decision);
            found.undecided.push(of_user);
        }
    }
    for id in world.index.bindings() {
        match standing(world, &id) {
            Standing::Given(grant) => found.given.push(*grant),
            Standing::Held(why) => found.held.push((id, why)),
            Standing::Undecided(grant) => found.undecided.push(*grant),
        }
    }
    found
}

fn standing(world: &AskedWorld, id: &ObjectId) -> Standing {
    let Some(decided) = world.index.decide_binding(id) else {
        return Standing::Held("it can't be read, or is being deleted".to_owned());
    };
    let binding = &decided.binding;
    let role = decided.role.known();
    let account = decided.account.known();
    let of_role = decided.role_decision.as_deref();
    // Refused is refused, whatever else is not there.
    let refusal = refused(&decided.decision).or_else(|| {
        let why = refused(of_role?)?;
        Some(format!("its role {}: {why}", binding.role.title()))
    });
    if let Some(why) = refusal {
        return Standing::Held(why);
    }
    let undecided = [Some(&*decided.decision), of_role].into_iter().flatten();
    if let Some(decision) = undecided.into_iter().find(|decision| is_awaiting(decision)) {
        let would = role.map(|role| grant(world, binding, role, account, None));
        return Standing::Undecided(Box::new(UndecidedGrant::of_role(world, binding, decision, would)));
    }
    let (Some(role), Some(account), Some(Decision::Accepted(of_role))) = (role, account, of_role) else {
        return Standing::Held("its role or its account is not there, or can't be read".to_owned());
    };
    let boundary = of_role.boundary.as_ref();
    let boundary = boundary.and_then(|name| match world.index.limit(name)?.0 {
        LimitEntry::Valid(limit) => Some(limit),
        LimitEntry::Invalid { .. } => None,
    });
    let given = grant(world, binding, role, Some(account), boundary.as_deref());
    Standing::Given(Box::new(given))
}

/// Why a decision is a no.
fn refused(decision: &Decision) -> Option<String> {
    match decision {
        Decision::Refused(violations) if !is_awaiting(decision) => Some(violations.to_string()),
        _ => None,
    }
}
