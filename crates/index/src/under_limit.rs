//! What a limit means for the grants under it, for its status.

use std::collections::BTreeMap;

use deputy_delegation::{Decision, ObjectName, Violation, quota::REFUSALS_SHOWN};

use crate::{decisions::GrantRef, index::Index};

/// The roles that a limit applies to, and their bindings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LimitGrants {
    /// Those accepted.
    pub accepted: usize,
    /// Those not accepted.
    pub suspended: usize,
    /// Of the accepted ones those that would be suspended, were the limit enforced. None where it is.
    pub would_refuse: usize,
    /// The first [`REFUSALS_SHOWN`] of them, in order.
    pub refusals: BTreeMap<GrantRef, WouldBeRefused>,
    /// In how many of the accepted ones each statement of the ceiling is used, by its index. Those used in none are not in it.
    pub ceiling_use: BTreeMap<usize, usize>,
}

/// Why a dry run would refuse a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WouldBeRefused {
    /// The first violation; of a binding, where it has none itself, that of its role.
    pub first: Violation,
    /// How many more there are.
    pub more: usize,
    /// Whether it is its role that would be refused, and not the binding itself.
    pub by_role: bool,
}

impl Index {
    /// What a limit means for the grants under it. What was decided about each is remembered, so that asking again costs no more than
    /// to look at each. `None` as long as [`Index::can_decide`] is false.
    #[must_use]
    pub fn grants_under(&self, limit: &ObjectName) -> Option<LimitGrants> {
        if !self.can_decide() {
            return None;
        }
        let mut grants = LimitGrants::default();
        for id in self.roles_under_limit(limit) {
            let role = self.decide_role(&id);
            let refused_role = role.as_ref().and_then(|(_, role)| refused_by(limit, role));
            for binding in self.bindings_of_role(&id) {
                let Some(binding) = self.decide_binding(&binding.id) else {
                    continue;
                };
                grants.count(limit, &binding.decision);
                if binding.is_accepted() {
                    let by_role = refused_role.clone().map(|refused| WouldBeRefused {
                        by_role: true,
                        ..refused
                    });
                    if let Some(refused) = refused_by(limit, &binding.decision).or(by_role) {
                        grants.note(GrantRef::Binding(binding.binding.id.clone()), refused);
                    }
                }
            }
            if let Some((_, role)) = role {
                grants.count(limit, &role);
            }
            if let Some(refused) = refused_role {
                grants.note(GrantRef::Role(id), refused);
            }
        }
        Some(grants)
    }
}

impl LimitGrants {
    fn count(&mut self, limit: &ObjectName, decision: &Decision) {
        let Decision::Accepted(accepted) = decision else {
            self.suspended += 1;
            return;
        };
        self.accepted += 1;
        let uses = accepted.uses.iter().filter(|of| of.limit == *limit);
        for statement in uses.flat_map(|of| &of.statements) {
            *self.ceiling_use.entry(*statement).or_default() += 1;
        }
    }

    fn note(&mut self, grant: GrantRef, refused: WouldBeRefused) {
        self.would_refuse += 1;
        self.refusals.insert(grant, refused);
        if self.refusals.len() > REFUSALS_SHOWN {
            self.refusals.pop_last();
        }
    }
}

/// Why the dry run `limit` would refuse what is accepted.
fn refused_by(limit: &ObjectName, decision: &Decision) -> Option<WouldBeRefused> {
    let Decision::Accepted(accepted) = decision else {
        return None;
    };
    let mut violations = accepted
        .would_refuse
        .iter()
        .filter(|violation| violation.limit.as_ref() == Some(limit));
    Some(WouldBeRefused {
        first: violations.next()?.clone(),
        more: violations.count(),
        by_role: false,
    })
}
