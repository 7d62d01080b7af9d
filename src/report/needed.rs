//! Which statements of a ceiling the grants under it need. That a statement is not needed is said only where everything under the limit
//! is known to stay as it is without it.

use std::collections::BTreeSet;

use deputy_delegation::{
    Decision, NamespaceName, ObjectName,
    decision::Accepted,
    model::{BoundaryMode, Limit, Role, RoleId},
};
use deputy_index::Index;
use deputy_policy::{Candidate, Containment, Document, Effect, Statement, contains};

use super::statements;
use crate::{
    asked::{identity, statement},
    objects::AskedWorld,
};

/// What the grants under a limit need of its ceiling.
#[derive(Debug, Default)]
pub struct CeilingNeeds {
    /// The statements on which an acceptance rests.
    needed: BTreeSet<usize>,
    /// Grants that are not accepted now, with what they ask for.
    suspended: Vec<(String, Vec<Document>)>,
    /// Roles that the ceiling holds in AWS, and whose permissions only AWS knows; those that can't be read.
    open: Vec<String>,
}

/// Whether a statement is needed.
#[derive(Debug, PartialEq, Eq)]
pub enum StatementNeed {
    Needed,
    Unneeded,
    /// Why that is not known.
    Unknown(String),
}

impl CeilingNeeds {
    pub fn of(world: &AskedWorld, limit: &Limit) -> Self {
        let index = &world.index;
        let mut needs = Self::default();
        for id in index.roles_under_limit(&limit.name) {
            needs.role(index, limit, &id);
        }
        let is_under = |namespace: &NamespaceName, account: &ObjectName| {
            let limits = index.limits_of(namespace, account);
            limits.iter().any(|entry| *entry.name() == limit.name)
        };
        for id in index.federated_bindings() {
            let parsed = index.federated_binding(&id).and_then(|view| view.parsed().ok());
            let Some(binding) = parsed.filter(|of| is_under(&id.namespace, &of.account)) else {
                continue;
            };
            let Some(decided) = index.decide_federated(&id) else {
                continue;
            };
            let policy = binding.share.policy().map(|policy| (**policy).clone());
            let title = || format!("AWSFederatedUserBinding {id}");
            needs.grant(limit, &decided.decision, title, policy);
        }
        for id in statements::ids(world) {
            let parsed = index.statement(&id).and_then(|view| view.parsed().ok());
            let Some(owned) = parsed.filter(|of| is_under(&id.namespace, &of.account)) else {
                continue;
            };
            let Some(decision) = index.decide_statement(&id) else {
                continue;
            };
            let title = || format!("AWSResourcePolicyStatement {id}");
            needs.grant(limit, &decision, title, [(*owned.grant).clone()]);
        }
        needs
    }

    fn role(&mut self, index: &Index, limit: &Limit, id: &RoleId) {
        let Some((role, decision)) = index.decide_role(id) else {
            if index.role(id).is_some_and(|view| view.parsed().is_err()) {
                self.open.push(format!("{} can't be read", id.title()));
            }
            return;
        };
        let policies = role.policies().iter().map(|policy| policy.document.clone());
        self.grant(limit, &decision, || id.title().to_string(), policies);
        if is_written(&role) {
            // A session gets of it what its policy leaves: no binding needs more than its role.
            return;
        }
        if !matches!(limit.boundary, BoundaryMode::CheckOnly) {
            self.open.push(format!(
                "only AWS knows what {} may do, which this ceiling holds",
                id.title()
            ));
        }
        for binding in index.bindings_of_role(id) {
            if let Some(decided) = index.decide_binding(&binding.id) {
                let policy = binding.session.policy.as_ref().map(|policy| (**policy).clone());
                let title = || format!("AWSRoleBinding {}", binding.id);
                self.grant(limit, &decided.decision, title, policy);
            }
        }
    }

    fn grant(
        &mut self,
        limit: &Limit,
        decision: &Decision,
        title: impl FnOnce() -> String,
        policies: impl IntoIterator<Item = Document>,
    ) {
        match decision {
            Decision::Accepted(Accepted { uses, .. }) => {
                let own = uses.iter().filter(|of| of.limit == limit.name);
                self.needed.extend(own.flat_map(|of| &of.statements));
            }
            Decision::Refused(_) | Decision::Undecided(_) => {
                self.suspended.push((title(), policies.into_iter().collect()));
            }
        }
    }

    /// Whether anything needs the statement of this index.
    pub fn statement(&self, index: usize, of: &Statement) -> StatementNeed {
        if self.needed.contains(&index) {
            return StatementNeed::Needed;
        }
        let mut suspended = self.suspended.iter();
        if let Some((title, _)) = suspended.find(|(_, policies)| may_need(policies, of)) {
            return StatementNeed::Unknown(format!("{title}, which grants nothing now, may need it"));
        }
        match self.open.as_slice() {
            [] => StatementNeed::Unneeded,
            [one] => StatementNeed::Unknown(one.clone()),
            [one, more @ ..] => StatementNeed::Unknown(format!("{one} (and {} more)", more.len())),
        }
    }
}

/// Whether all permissions of a role are in its object.
fn is_written(role: &Role) -> bool {
    role.owned()
        .is_some_and(|owned| owned.policies.managed().is_empty())
}

/// Whether these policies may allow a request that the statement is about. What is not known may be.
fn may_need(policies: &[Document], of: &Statement) -> bool {
    let about = Statement {
        sid: None,
        effect: Effect::Deny,
        conditions: Vec::new(),
        ..of.clone()
    };
    let Ok(besides) = identity(vec![statement(Effect::Allow, "*", "*"), about]) else {
        return true;
    };
    let policies: Vec<&Document> = policies.iter().collect();
    !policies.is_empty()
        && !matches!(
            contains(&Candidate::new(&policies), &besides),
            Containment::Contained(_)
        )
}
