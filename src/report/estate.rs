//! What there is: accounts, limits, and statements of resource policies.

use deputy_delegation::{
    Decision, ObjectName,
    model::{BoundaryMode, Enforcement, Limit, LimitEntry, ObjectId, OwnedStatement},
};
use deputy_index::LimitGrants;
use deputy_policy::{Document, Effect, Statement};

use super::model::{CeilingPart, GrantOutcome, ReportedAccount, ReportedLimit, ReportedStatement};
use crate::{asked::decision_words, objects::AskedWorld, policy::words};

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
        LimitEntry::Valid(limit) => (ceiling(&limit.ceiling, used), boundary(limit), None),
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

fn ceiling(document: &Document, used: Option<&LimitGrants>) -> Vec<CeilingPart> {
    let statements = document.statements().iter().enumerate();
    let part = |(index, statement): (usize, &Statement)| {
        let is_allow = statement.effect == Effect::Allow;
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
            grants: used
                .filter(|_| is_allow)
                .map(|grants| grants.ceiling_use.get(&index).copied().unwrap_or_default()),
        }
    };
    statements.map(part).collect()
}

/// What a decision comes to.
pub fn outcome(decision: &Decision) -> GrantOutcome {
    match decision {
        Decision::Accepted(_) => GrantOutcome::Accepted,
        Decision::Refused(_) => GrantOutcome::Refused,
        Decision::Undecided(_) => GrantOutcome::Undecided,
    }
}

/// An AWSResourcePolicyStatement.
pub fn statement(world: &AskedWorld, id: &ObjectId) -> Option<ReportedStatement> {
    let parsed = world.index.statement(id)?.parsed();
    let decision = world.index.decide_statement(id);
    let (outcome, decision) = match (&parsed, &decision) {
        (Err(why), _) => (GrantOutcome::Unreadable, why.to_string()),
        (Ok(_), Some(decision)) => (outcome(decision), decision_words(decision)),
        (Ok(_), None) => (GrantOutcome::Undecided, "it is being deleted".to_owned()),
    };
    let of = |what: fn(&OwnedStatement) -> String| parsed.as_deref().map_or_else(|_| String::new(), what);
    let first = |owned: &OwnedStatement| owned.grant.statements().first().cloned();
    Some(ReportedStatement {
        namespace: id.namespace.to_string(),
        name: id.name.to_string(),
        resource: of(|owned| owned.resource.to_string()),
        principals: parsed.as_ref().map_or_else(
            |_| Vec::new(),
            |owned| owned.principals.iter().map(ToString::to_string).collect(),
        ),
        actions: parsed
            .as_deref()
            .ok()
            .and_then(first)
            .map_or_else(String::new, |statement| words::actions(&statement.action)),
        resources: parsed
            .as_deref()
            .ok()
            .and_then(first)
            .and_then(|statement| statement.resource)
            .map_or_else(String::new, |resource| words::resources(&resource)),
        outcome,
        decision,
    })
}
