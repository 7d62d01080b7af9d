//! What a change would take away.

use std::{sync::Arc, time::Instant};

use deputy_api::{
    conditions::{ConditionReason, Status},
    convert::RoleTemplate,
};
use deputy_delegation::{
    ClusterName, NamespaceName, ObjectName, accepts,
    model::{Account, Binding, LimitEntry, ObjectId, Role, RoleId, RunningBroker, still_reached},
    trust::{self, LeftOut},
};

use crate::{
    cluster_roles::instance_entry,
    decisions::{GrantRef, RoleFacts},
    entry::{AccountState, Entry},
    index::Index,
};

/// The index with one object exchanged, or without it.
#[derive(Debug, Clone, Copy)]
pub enum ProposedChange<'a> {
    /// A limit.
    Limit(&'a ObjectName, Option<&'a LimitEntry>),
    /// An account.
    Account(&'a ObjectName, Option<&'a Arc<Account>>),
    /// A role. Its own decision is not counted: that is the answer to the review.
    Role(&'a RoleId, Option<&'a Arc<Role>>),
    /// A ClusterAWSRole.
    ClusterRole(&'a ObjectName, Option<&'a Arc<RoleTemplate>>),
}

/// What a change would take away.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Suspension {
    /// Grants that the change may matter to.
    pub concerned: usize,
    /// How many of them were looked at: all, unless the time was over before.
    pub looked_at: usize,
    /// Those looked at that are accepted now.
    pub accepted: usize,
    /// Those of them that would no longer be, or whose pods would get no further session, in order.
    pub suspended: Vec<GrantRef>,
    /// How many of them are accepted still, and are given to nobody who has them now: another issuer, method or OIDC provider is asked for
    /// than the broker is, or than pods were made for.
    pub shut_out: usize,
}

impl Suspension {
    /// Whether every grant was looked at. If not, at least these would be suspended.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.looked_at >= self.concerned
    }
}

impl Suspension {
    pub(crate) fn note(&mut self, was: bool, will_be: bool, grant: GrantRef) {
        if was {
            self.accepted += 1;
            if !will_be {
                self.suspended.push(grant);
            }
        }
    }
}

/// An account, what takes its place, and who the broker is there.
struct Successor<'a> {
    before: Arc<Account>,
    after: &'a Account,
    broker: RunningBroker,
}

impl Successor<'_> {
    fn reaches(&self, binding: &Binding) -> bool {
        still_reached(binding, &self.before, self.after, self.broker)
    }

    /// The bindings for which the trust policy of a role has room now, and not when it names other issuers.
    fn without_room(&self, cluster: &ClusterName, id: &RoleId, bindings: &[Arc<Binding>]) -> Vec<ObjectId> {
        if self.before.issuers() == self.after.issuers() && self.before.oidc == self.after.oidc {
            return Vec::new();
        }
        let left_out = |account| trust::compile(cluster, account, id, bindings).left_out;
        let before = left_out(self.before.as_ref());
        let is_new = |one: &LeftOut| before.iter().all(|of| of.binding != one.binding);
        let after = left_out(self.after);
        after.into_iter().filter(is_new).map(|one| one.binding).collect()
    }
}

impl AccountState {
    /// Which of the account's issuers the broker is, as far as it has said so of the account as it is now.
    #[must_use]
    pub fn running_broker(&self) -> RunningBroker {
        let said = self.issuer.as_ref().map(|said| (said.status, said.reason));
        match said {
            Some((Status::True, Some(ConditionReason::Ready))) => RunningBroker::Issuer,
            Some((Status::True, Some(ConditionReason::PreviousIssuer))) => RunningBroker::PreviousIssuer,
            Some((
                Status::False,
                Some(ConditionReason::IdentityMismatch | ConditionReason::AccountMismatch),
            )) => RunningBroker::Stranger,
            _ => RunningBroker::Unknown,
        }
    }
}

impl Index {
    /// What a change would suspend. Looks only at grants that the object concerns, before or after.
    /// With a `deadline`, as far as it gets until then.
    #[must_use]
    pub fn suspended_by(&self, hypothesis: ProposedChange<'_>, deadline: Option<Instant>) -> Suspension {
        let roles = self.concerned(hypothesis);
        let counted = matches!(
            hypothesis,
            ProposedChange::Limit(..) | ProposedChange::Account(..) | ProposedChange::ClusterRole(..)
        );
        let mut suspension = Suspension {
            concerned: {
                let state = self.state.read();
                let bindings = |id| state.bindings_by_role.get(id).map_or(0, Vec::len);
                roles.iter().map(|id| usize::from(counted) + bindings(id)).sum()
            },
            ..Suspension::default()
        };
        let successor = self.successor(hypothesis);
        let is_over = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
        for id in roles {
            if is_over() {
                break;
            }
            suspension.looked_at += usize::from(counted);
            self.look_at(&id, hypothesis, successor.as_ref(), &is_over, &mut suspension);
        }
        for id in self.federated_concerned(hypothesis) {
            suspension.concerned += 1;
            if !is_over() {
                suspension.looked_at += 1;
                self.look_at_federated(&id, hypothesis, &mut suspension);
            }
        }
        for id in self.statements_concerned(hypothesis) {
            suspension.concerned += 1;
            if !is_over() {
                suspension.looked_at += 1;
                self.look_at_statement(&id, hypothesis, &mut suspension);
            }
        }
        suspension.suspended.sort();
        suspension
    }

    /// Counts a role and its bindings.
    fn look_at(
        &self,
        id: &RoleId,
        hypothesis: ProposedChange<'_>,
        successor: Option<&Successor<'_>>,
        is_over: &impl Fn() -> bool,
        suspension: &mut Suspension,
    ) {
        let indexed = self.state.read().bindings_by_role.get(id).map_or(0, Vec::len);
        let Some((role, now)) = self.decide_role(id) else {
            suspension.looked_at += indexed;
            return;
        };
        let exchanged = exchanged(id, &role, hypothesis);
        let facts = exchanged
            .known()
            .map(|role| self.facts_with(&role.account, &role.id.namespace, hypothesis));
        let role_after = match (exchanged.known(), &facts) {
            (Some(role), Some(facts)) => accepts(&self.question_of_role(role, facts)),
            _ => false,
        };
        if !matches!(hypothesis, ProposedChange::Role(..)) {
            suspension.note(now.is_accepted(), role_after, GrantRef::Role(id.clone()));
        }
        let bindings = self.bindings_of_role(id);
        // Those that can't be read, or are on their way out, grant nothing.
        suspension.looked_at += indexed.saturating_sub(bindings.len());
        let mut kept = Vec::new();
        for binding in bindings {
            if is_over() {
                break;
            }
            suspension.looked_at += 1;
            let Some(was) = self.decide_binding(&binding.id) else {
                continue;
            };
            let after = role_after
                && was.is_accepted()
                && accepts(&self.question_of_binding(&binding, &exchanged, facts.as_ref()));
            let is_reached = successor.is_none_or(|of| of.reaches(&binding));
            suspension.shut_out += usize::from(after && !is_reached);
            let grant = GrantRef::Binding(binding.id.clone());
            suspension.note(was.is_accepted(), after && is_reached, grant);
            if after && is_reached {
                kept.push(binding);
            }
        }
        let without_room = successor.map_or_else(Vec::new, |of| of.without_room(&self.cluster, id, &kept));
        suspension.shut_out += without_room.len();
        suspension
            .suspended
            .extend(without_room.into_iter().map(GrantRef::Binding));
    }

    /// The account that a change is of, before and after.
    fn successor<'a>(&self, hypothesis: ProposedChange<'a>) -> Option<Successor<'a>> {
        let ProposedChange::Account(name, Some(after)) = hypothesis else {
            return None;
        };
        let view = self.account_view(name)?;
        Some(Successor {
            before: view.parsed().ok()?,
            after,
            broker: view.state.running_broker(),
        })
    }

    /// Roles that a change may matter to.
    fn concerned(&self, hypothesis: ProposedChange<'_>) -> Vec<RoleId> {
        match hypothesis {
            ProposedChange::Account(name, _) => self.roles_of_account(name),
            ProposedChange::Role(id, _) => vec![id.clone()],
            ProposedChange::ClusterRole(name, _) => self.state.read().bound_to(name).collect(),
            ProposedChange::Limit(name, after) => {
                let state = self.state.read();
                let before = state.limits.by_name.get(name).map(|l| &l.entry);
                let mut roles = std::collections::BTreeSet::new();
                for limit in before.into_iter().chain(after) {
                    roles.extend(state.roles_under(limit));
                }
                roles.into_iter().collect()
            }
        }
    }

    pub(crate) fn facts_with(
        &self,
        account: &ObjectName,
        namespace: &NamespaceName,
        hypothesis: ProposedChange<'_>,
    ) -> RoleFacts {
        let state = self.state.read();
        let mut facts = state.facts(account, namespace);
        match hypothesis {
            ProposedChange::Limit(name, limit) => {
                facts.limits = state.limits.of_account_with(account, name, limit)
            }
            ProposedChange::Account(name, exchange) if name == account => {
                facts.account = exchange.map_or(Entry::Missing, |a| {
                    let taken = state.claims.unless_taken(name, &a.id);
                    taken.unwrap_or_else(|| Entry::Known(Arc::clone(a)))
                });
            }
            ProposedChange::Account(..) | ProposedChange::Role(..) | ProposedChange::ClusterRole(..) => {}
        }
        facts
    }
}

/// A stored role as a change would leave it.
pub(crate) fn exchanged(id: &RoleId, role: &Arc<Role>, change: ProposedChange<'_>) -> Entry<Role> {
    match change {
        ProposedChange::Role(_, role) => role.map_or(Entry::Missing, |r| Entry::Known(Arc::clone(r))),
        ProposedChange::ClusterRole(_, template) => {
            let template = template.map_or(Entry::Missing, |t| Entry::Known(Arc::clone(t)));
            instance_entry(&template, id)
        }
        ProposedChange::Limit(..) | ProposedChange::Account(..) => Entry::Known(Arc::clone(role)),
    }
}
