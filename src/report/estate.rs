//! What there is: accounts and limits.

use deputy_delegation::{
    ObjectName,
    model::{BoundaryMode, Enforcement, Limit, LimitEntry},
};
use deputy_index::LimitGrants;
use deputy_policy::{Document, Effect, Statement};

use super::{
    model::{CeilingPart, ReportedAccount, ReportedLimit},
    needed::{CeilingNeeds, StatementNeed},
};
use crate::{objects::AskedWorld, policy::words};

/// Every AWSAccount, by name.
pub fn accounts(world: &AskedWorld) -> Vec<ReportedAccount> {
    let index = &world.index;
    let all = index.all_limits();
    let reported = |name: ObjectName| {
        let known = index.account(&name).known().cloned();
        let of = |entry: &&LimitEntry| entry.scope().is_some_and(|scope| scope.accounts.contains(&name));
        ReportedAccount {
            account_id: known.as_ref().map(|account| account.id.to_string()),
            partition: known.as_ref().map(|account| account.partition.to_string()),
            region: known.as_ref().map(|account| account.region.to_string()),
            issuer: known.as_ref().map(|account| account.issuer.to_string()),
            limits: all.iter().filter(of).count(),
            roles: index.roles_of_account(&name).len(),
            name: name.to_string(),
        }
    };
    index.accounts().into_iter().map(reported).collect()
}

/// How often the statements of each limit are used; `None` where that can't be told.
pub fn grants_under(world: &AskedWorld, limit: &ObjectName) -> Option<LimitGrants> {
    let tally = world.index.tally(limit)?;
    Some(world.index.counted(limit, &tally))
}

/// Every DelegationLimit, by name.
pub fn limits(world: &AskedWorld) -> Vec<ReportedLimit> {
    let all = world.index.all_limits().into_iter();
    all.map(|entry| limit(world, &entry)).collect()
}

fn limit(world: &AskedWorld, entry: &LimitEntry) -> ReportedLimit {
    let grants = grants_under(world, entry.name());
    let is_dry_run = entry.enforcement() == Enforcement::DryRun;
    let used = grants.as_ref().filter(|_| !is_dry_run);
    let (ceiling, boundary, unreadable) = match entry {
        LimitEntry::Valid(limit) => {
            let used = used.map(|used| (used, CeilingNeeds::of(world, limit)));
            (ceiling(&limit.ceiling, used.as_ref()), boundary(limit), None)
        }
        LimitEntry::Invalid { error, .. } => (Vec::new(), String::new(), Some(error.clone())),
    };
    let scope = entry.scope();
    ReportedLimit {
        name: entry.name().to_string(),
        enforcement: if is_dry_run { "DryRun" } else { "Enforce" },
        boundary,
        namespaces: scope.map_or_else(Vec::new, |scope| {
            scope.namespaces.iter().map(ToString::to_string).collect()
        }),
        accounts: scope.map_or_else(Vec::new, |scope| {
            scope.accounts.iter().map(ToString::to_string).collect()
        }),
        roles: world.index.roles_under_limit(entry.name()).len(),
        accepted: grants.as_ref().map_or(0, |grants| grants.accepted),
        suspended: grants.as_ref().map_or(0, |grants| grants.suspended),
        would_refuse: grants
            .as_ref()
            .filter(|_| is_dry_run)
            .map(|grants| grants.would_refuse),
        ceiling,
        unreadable,
    }
}

fn boundary(limit: &Limit) -> String {
    match &limit.boundary {
        BoundaryMode::Generated => "Generated".to_owned(),
        BoundaryMode::CheckOnly => "CheckOnly".to_owned(),
        BoundaryMode::Reference(arn) => arn.to_string(),
    }
}

fn ceiling(document: &Document, used: Option<&(&LimitGrants, CeilingNeeds)>) -> Vec<CeilingPart> {
    let statements = document.statements().iter().enumerate();
    let part = |(index, statement): (usize, &Statement)| {
        let is_allow = statement.effect == Effect::Allow;
        let used = used.filter(|_| is_allow);
        let (grants, unknown) = match used.map(|(used, needs)| (used, needs.statement(index, statement))) {
            None => (None, None),
            Some((used, StatementNeed::Needed)) => (
                Some(used.ceiling_use.get(&index).copied().unwrap_or_default()),
                None,
            ),
            Some((_, StatementNeed::Unneeded)) => (Some(0), None),
            Some((_, StatementNeed::Unknown(why))) => (None, Some(why)),
        };
        CeilingPart {
            statement: index,
            sid: statement.sid.as_ref().map(ToString::to_string),
            effect: if is_allow { "Allow" } else { "Deny" },
            actions: words::actions(&statement.action),
            resources: statement
                .resource
                .as_ref()
                .map_or_else(String::new, words::resources),
            has_conditions: !statement.conditions.is_empty(),
            grants,
            unknown,
        }
    };
    statements.map(part).collect()
}
