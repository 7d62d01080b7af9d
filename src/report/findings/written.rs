//! The policies that are accepted, of whatever kind of object, and where each of their fields is written.

use std::{collections::BTreeSet, sync::Arc};

use deputy_delegation::model::{FederatedBinding, FederatedShare, OwnedStatement, Role};
use deputy_policy::Document;

use super::basis::object_of;
use crate::{objects::AskedWorld, report::statements};

/// Whose policy one is.
pub enum PolicyHolder {
    Role(Arc<Role>, usize),
    FederatedUser(Arc<FederatedBinding>),
    Statement(Arc<OwnedStatement>),
}

impl PolicyHolder {
    /// Those of accepted grants.
    pub fn all(world: &AskedWorld) -> Vec<Self> {
        let index = &world.index;
        let mut found = Vec::new();
        for id in index.roles() {
            let decided = index.decide_role(&id);
            if let Some((role, _)) = decided.filter(|(_, decision)| decision.is_accepted()) {
                let all = 0..role.policies().len();
                found.extend(all.map(|i| Self::Role(Arc::clone(&role), i)));
            }
        }
        for id in index.federated_bindings() {
            let decided = index.decide_federated(&id);
            if decided.is_some_and(|decided| decided.decision.is_accepted()) {
                let parsed = index.federated_binding(&id).and_then(|view| view.parsed().ok());
                found.extend(parsed.map(Self::FederatedUser));
            }
        }
        let ids: BTreeSet<_> = statements::ids(world).collect();
        for id in ids {
            let decided = index.decide_statement(&id);
            if decided.is_some_and(|decision| decision.is_accepted()) {
                let parsed = index.statement(&id).and_then(|view| view.parsed().ok());
                found.extend(parsed.map(Self::Statement));
            }
        }
        found
    }

    pub fn object(&self) -> String {
        match self {
            Self::Role(role, _) => object_of(&role.id),
            Self::FederatedUser(binding) => format!("AWSFederatedUserBinding {}", binding.id),
            Self::Statement(statement) => format!("AWSResourcePolicyStatement {}", statement.id),
        }
    }

    /// The policy; of a federated user whose permissions are others' to say there is none.
    pub fn document(&self) -> Option<&Document> {
        match self {
            Self::Role(role, i) => role.policies().get(*i).map(|policy| &policy.document),
            Self::FederatedUser(binding) => match &binding.share {
                FederatedShare::Policy(policy) => Some(policy),
                FederatedShare::ResourcePolicyOnly => None,
            },
            Self::Statement(statement) => Some(&statement.grant),
        }
    }

    /// What a sentence about the policy begins with.
    pub fn title(&self) -> String {
        match self {
            Self::Role(role, i) => {
                let name = role.policies().get(*i).map(|policy| policy.name.to_string());
                format!("policy {:?}", name.unwrap_or_default())
            }
            Self::FederatedUser(_) => "the session policy".to_owned(),
            Self::Statement(statement) => format!("the statement in the policy of {}", statement.resource),
        }
    }

    /// The field of the object at a path of the document, such as `Statement[0].Action[1]`.
    pub fn field(&self, path: &str) -> String {
        match self {
            Self::Role(_, i) => format!("spec.policies[{i}].document.{path}"),
            Self::FederatedUser(_) => format!("spec.session.policy.{path}"),
            // The object has the one statement itself.
            Self::Statement(_) => format!("spec.statement{}", path.trim_start_matches("Statement[0]")),
        }
    }
}
