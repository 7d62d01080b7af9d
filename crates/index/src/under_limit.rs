//! What a limit means for the grants under it, for its status.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use deputy_delegation::{Decision, ObjectName, Violation, model::RoleId, quota::REFUSALS_SHOWN};

use crate::{decisions::GrantRef, federated::FederatedDecision, index::Index};

/// The roles that a limit applies to, their bindings, bindings of federated users, and statements of resource policies.
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

/// What each role under a limit comes to, with its bindings: when one of them changes, the others are not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LimitTally {
    roles: HashMap<RoleId, GrantCount>,
    /// But for why they would be refused.
    total: LimitGrants,
    /// All that would be refused.
    refused: BTreeSet<GrantRef>,
}

/// What one role comes to, with its bindings; or what all federated users and statements do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct GrantCount {
    accepted: usize,
    suspended: usize,
    /// In how many of them a statement is used.
    uses: Vec<(usize, usize)>,
    refused: Vec<GrantRef>,
}

impl Index {
    /// What each role under a limit comes to, counted from the beginning. `None` as long as [`Index::can_decide`] is false.
    #[must_use]
    pub fn tally(&self, limit: &ObjectName) -> Option<LimitTally> {
        if !self.can_decide() {
            return None;
        }
        let mut tally = LimitTally::default();
        for id in self.roles_under_limit(limit) {
            let count = self.count_role(limit, &id);
            tally.put(id, Some(count));
        }
        Some(tally)
    }

    /// Counts these roles again, which have changed since. Gives false, and counts nothing, as long as [`Index::can_decide`] is false.
    pub fn count_again(&self, limit: &ObjectName, tally: &mut LimitTally, roles: &BTreeSet<RoleId>) -> bool {
        if !self.can_decide() {
            return false;
        }
        for id in roles {
            let is_under = self.is_under_limit(limit, id);
            tally.put(id.clone(), is_under.then(|| self.count_role(limit, id)));
        }
        true
    }

    /// The counts of a tally with those of federated users and statements, and why the first of those that would be refused would be. They
    /// are few beside roles, and each is looked at.
    #[must_use]
    pub fn counted(&self, limit: &ObjectName, tally: &LimitTally) -> LimitGrants {
        let others = self.count_others(limit);
        // In the order of grants: those are the last.
        let first = tally.refused.iter().chain(&others.refused).take(REFUSALS_SHOWN);
        let refusals = first.filter_map(|grant| Some((grant.clone(), self.why_refused(limit, grant)?)));
        let mut ceiling_use = tally.total.ceiling_use.clone();
        for (statement, times) in others.uses {
            *ceiling_use.entry(statement).or_default() += times;
        }
        LimitGrants {
            accepted: tally.total.accepted + others.accepted,
            suspended: tally.total.suspended + others.suspended,
            would_refuse: tally.refused.len() + others.refused.len(),
            refusals: refusals.collect(),
            ceiling_use,
        }
    }

    fn count_others(&self, limit: &ObjectName) -> GrantCount {
        let mut count = GrantCount::default();
        for id in self.federated_under(limit) {
            let Some(FederatedDecision { decision, .. }) = self.decide_federated(&id) else {
                continue;
            };
            count.add(limit, &decision);
            if refused_by(limit, &decision).is_some() {
                count.refused.push(GrantRef::FederatedUser(id));
            }
        }
        for id in self.statements_under(limit) {
            let Some(decision) = self.decide_statement(&id) else {
                continue;
            };
            count.add(limit, &decision);
            if refused_by(limit, &decision).is_some() {
                count.refused.push(GrantRef::Statement(id));
            }
        }
        count
    }

    fn count_role(&self, limit: &ObjectName, id: &RoleId) -> GrantCount {
        let mut count = GrantCount::default();
        let role = self.decide_role(id).map(|(_, decision)| decision);
        let is_role_refused = role
            .as_ref()
            .is_some_and(|role| refused_by(limit, role).is_some());
        for binding in self.bindings_of_role(id) {
            let Some(binding) = self.decide_binding(&binding.id) else {
                continue;
            };
            count.add(limit, &binding.decision);
            let is_refused = is_role_refused || refused_by(limit, &binding.decision).is_some();
            if binding.is_accepted() && is_refused {
                count.refused.push(GrantRef::Binding(binding.binding.id.clone()));
            }
        }
        if let Some(role) = role {
            count.add(limit, &role);
        }
        if is_role_refused {
            count.refused.push(GrantRef::Role(id.clone()));
        }
        count
    }

    fn why_refused(&self, limit: &ObjectName, grant: &GrantRef) -> Option<WouldBeRefused> {
        match grant {
            GrantRef::Role(id) => refused_by(limit, &self.decide_role(id)?.1),
            GrantRef::FederatedUser(id) => refused_by(limit, &self.decide_federated(id)?.decision),
            GrantRef::Statement(id) => {
                let decision = self.decide_statement(id)?;
                refused_by(limit, &decision)
            }
            GrantRef::Binding(id) => {
                let binding = self.decide_binding(id)?;
                refused_by(limit, &binding.decision).or_else(|| {
                    let (_, role) = self.decide_role(&binding.binding.role)?;
                    Some(WouldBeRefused {
                        by_role: true,
                        ..refused_by(limit, &role)?
                    })
                })
            }
        }
    }
}

impl LimitTally {
    /// The role comes to this now; to nothing where it is not under the limit.
    fn put(&mut self, id: RoleId, count: Option<GrantCount>) {
        let old = match count.clone() {
            Some(new) => self.roles.insert(id, new),
            None => self.roles.remove(&id),
        };
        if let Some(old) = old {
            self.total.accepted -= old.accepted;
            self.total.suspended -= old.suspended;
            for (statement, times) in old.uses {
                let left = self
                    .total
                    .ceiling_use
                    .get(&statement)
                    .copied()
                    .unwrap_or_default()
                    - times;
                match left {
                    0 => self.total.ceiling_use.remove(&statement),
                    left => self.total.ceiling_use.insert(statement, left),
                };
            }
            for grant in &old.refused {
                self.refused.remove(grant);
            }
        }
        if let Some(new) = count {
            self.total.accepted += new.accepted;
            self.total.suspended += new.suspended;
            for (statement, times) in new.uses {
                *self.total.ceiling_use.entry(statement).or_default() += times;
            }
            self.refused.extend(new.refused);
        }
    }
}

impl GrantCount {
    fn add(&mut self, limit: &ObjectName, decision: &Decision) {
        let Decision::Accepted(accepted) = decision else {
            self.suspended += 1;
            return;
        };
        self.accepted += 1;
        let uses = accepted.uses.iter().filter(|of| of.limit == *limit);
        for statement in uses.flat_map(|of| &of.statements) {
            match self.uses.iter_mut().find(|(known, _)| known == statement) {
                Some((_, times)) => *times += 1,
                None => self.uses.push((*statement, 1)),
            }
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
