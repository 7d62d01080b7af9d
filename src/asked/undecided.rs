//! Bindings of which it is not known whether they grant anything: an account, a role or a limit is not among what was looked at. What is
//! not known is never a no.

use std::{collections::BTreeMap, sync::Arc};

use deputy_delegation::{
    Decision,
    decision::MissingFact,
    model::{Binding, BindingRef, FederatedBinding},
};
use serde::Serialize;

use super::{grant::AskedGrant, subject::subject_lines};
use crate::objects::AskedWorld;

/// One such binding: a contract (docs/contracts.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UndecidedBinding {
    pub binding: String,
    /// None of a federated user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    pub subjects: Vec<String>,
    /// What is not there.
    pub why: String,
}

/// One such binding, with what it would grant.
pub struct UndecidedGrant {
    pub said: UndecidedBinding,
    pub of: UndecidedOf,
}

pub enum UndecidedOf {
    /// With the policies that are known to hold its sessions; none where its role is not there.
    Role(Arc<Binding>, Option<Box<AskedGrant>>),
    FederatedUser(Arc<FederatedBinding>),
}

impl UndecidedGrant {
    pub fn of_role(
        world: &AskedWorld,
        binding: &Arc<Binding>,
        decision: &Decision,
        would: Option<AskedGrant>,
    ) -> Self {
        Self {
            said: UndecidedBinding {
                binding: format!("AWSRoleBinding {}", binding.id),
                role: Some(binding.role.title().to_string()),
                subjects: subject_lines(binding, &binding.subjects),
                why: missing_words(world, decision),
            },
            of: UndecidedOf::Role(Arc::clone(binding), would.map(Box::new)),
        }
    }

    pub fn of_user(world: &AskedWorld, binding: Arc<FederatedBinding>, decision: &Decision) -> Self {
        Self {
            said: UndecidedBinding {
                binding: BindingRef::federated_user(binding.id.clone()).to_string(),
                role: None,
                subjects: federated_subjects(&binding),
                why: missing_words(world, decision),
            },
            of: UndecidedOf::FederatedUser(binding),
        }
    }

    /// Whether its sessions may be able to make such a request, once what is not there is.
    pub fn may_allow(&self, action: &str, resource: &str) -> bool {
        match &self.of {
            UndecidedOf::Role(_, Some(grant)) => {
                let asked = grant.request_of(action, resource);
                !grant.may_allow_more.is_empty() || !matches!(asked, Ok(None))
            }
            UndecidedOf::Role(_, None) | UndecidedOf::FederatedUser(_) => true,
        }
    }
}

/// Each subject of a federated user in words.
pub fn federated_subjects(binding: &FederatedBinding) -> Vec<String> {
    let names = binding.service_accounts.iter();
    names
        .map(|name| format!("ServiceAccount {}/{name}", binding.id.namespace))
        .collect()
}

/// What is not there. Of files it may be elsewhere; of a cluster all was listed.
fn missing_words(world: &AskedWorld, decision: &Decision) -> String {
    let among = if world.is_whole { "" } else { " among the files" };
    match decision {
        Decision::Undecided(missing) if !missing.is_empty() => {
            let words = missing.iter().map(|fact| match fact {
                MissingFact::AccountNotFound(name) => format!("no AWSAccount \"{name}\"{among}"),
                MissingFact::RoleNotFound(id) => format!("no {}{among}", id.title()),
            });
            words.collect::<Vec<_>>().join("; ")
        }
        Decision::Undecided(_) => "what is missing is not known".to_owned(),
        _ if !world.is_whole && world.index.all_limits().is_empty() => {
            format!("no DelegationLimit{among}")
        }
        Decision::Refused(violations) => {
            let mut messages: Vec<&str> = violations.iter().map(|one| one.message.as_str()).collect();
            messages.dedup();
            let by = if world.is_whole { "" } else { ", by these files" };
            format!("{}{by}", messages.join("; "))
        }
        Decision::Accepted(_) => String::new(),
    }
}

/// The undecided bindings for people: those of one reason together.
pub fn undecided_lines(world: &AskedWorld, undecided: &[UndecidedBinding]) -> Vec<String> {
    let mut by_reason: BTreeMap<&str, Vec<&UndecidedBinding>> = BTreeMap::new();
    for one in undecided {
        by_reason.entry(&one.why).or_default().push(one);
    }
    let mut lines = Vec::new();
    for (why, bindings) in by_reason {
        let how_many = match bindings.len() {
            1 => "1 binding is undecided".to_owned(),
            many => format!("{many} bindings are undecided"),
        };
        lines.push(match world.is_whole {
            true => format!("{how_many}, and grants nothing now: {why}"),
            false => format!("not known: {how_many}: {why}"),
        });
        lines.extend(bindings.iter().map(|one| {
            let role = one
                .role
                .as_ref()
                .map_or_else(String::new, |role| format!(", as {role}"));
            format!("  {}, by {}{role}", one.subjects.join(", "), one.binding)
        }));
    }
    lines
}
