//! The question as flags and files.

use std::path::{Path, PathBuf};

use deputy_policy::{Context, PolicyKind, SessionWay};

use super::{
    arguments::SessionArguments,
    scenario::{AskedAction, AssumedRole, Party, PlacedPolicy, Scenario, caller, role},
};
use crate::{
    exit::Failure,
    input::{named, once},
    policy::{
        request::{self, resource_kind},
        select,
    },
};

/// # Errors
/// What is wrong with an argument or a file, with its name.
pub fn scenario(way: SessionWay, arguments: &SessionArguments) -> Result<Scenario, Failure> {
    let a = arguments;
    let (scps, callers) = (select::levels(&a.scps), select::levels(&a.caller_scps));
    let rcps = select::levels(&a.rcps);
    let single = [
        ("--trust", a.trust.as_slice()),
        ("--resource-policy", a.resource_policy.as_slice()),
        ("--policy", &a.policy),
        ("--boundary", &a.boundary),
        ("--session-policy", &a.session_policy),
        ("--caller-policy", &a.caller_policy),
        ("--caller-boundary", &a.caller_boundary),
        ("--caller-session", &a.caller_session),
    ];
    let organisation = [("--scps", &scps), ("--caller-scps", &callers), ("--rcps", &rcps)];
    let organisation = organisation
        .iter()
        .flat_map(|(name, levels)| levels.iter().flat_map(|level| named(name, level)));
    once(
        single
            .into_iter()
            .flat_map(|(name, paths)| named(name, paths))
            .chain(organisation),
    )?;
    if !way.is_of_role() {
        of_users(way, a)?;
    }
    let own = Party {
        identity: all(&a.policy, PolicyKind::Identity)?,
        boundary: all(&a.boundary, PolicyKind::Boundary)?,
        scps: each(&scps, PolicyKind::ServiceControl)?,
    };
    let of_callers = Party {
        identity: all(&a.caller_policy, PolicyKind::Identity)?,
        boundary: all(&a.caller_boundary, PolicyKind::Boundary)?,
        scps: each(&callers, PolicyKind::ServiceControl)?,
    };
    let flag = |name: &'static str| move |why: String| Failure::input(format!("--{name}: {why}"));
    let (of_caller, role) = match &a.role {
        Some(arn) => {
            let role = AssumedRole {
                principal: role(arn).map_err(flag("role"))?,
                unique_id: a.role_id.clone(),
                max_duration: a.role_max_duration,
                trust: all(a.trust.as_slice(), PolicyKind::Trust)?.pop(),
                party: own,
            };
            (of_callers, Some(role))
        }
        None if way.is_of_role() => return Err(Failure::input(format!("{way} needs --role"))),
        None => (own, None),
    };
    let arn = a.caller.as_deref().unwrap_or_default();
    Ok(Scenario {
        way,
        caller: caller(arn, a.caller_role.as_deref()).map_err(flag("caller"))?,
        caller_id: a.caller_id.clone(),
        temporary: a.caller_has_session_token,
        of_caller,
        callers_session: all(&a.caller_session, PolicyKind::Session)?,
        role,
        name: a.name.clone(),
        policies: all(&a.session_policy, PolicyKind::Session)?,
        duration: a.duration,
        mfa: a.mfa,
        context: context("passed", &a.passed)?,
        management_account: None,
        asked: asked(a, &rcps)?.into_iter().collect(),
    })
}

/// Refuses what only the ways of roles have.
fn of_users(way: SessionWay, a: &SessionArguments) -> Result<(), Failure> {
    let given = [
        ("--role", a.role.is_some()),
        ("--trust", a.trust.is_some()),
        ("--role-id", a.role_id.is_some()),
        ("--role-max-duration", a.role_max_duration.is_some()),
        ("--caller-policy", !a.caller_policy.is_empty()),
        ("--caller-boundary", !a.caller_boundary.is_empty()),
        ("--caller-scps", !a.caller_scps.is_empty()),
    ];
    match given.iter().find(|(_, is_there)| *is_there) {
        Some((flag, _)) => Err(Failure::input(format!(
            "{flag} is for the ways of roles; of {way} the policies of the user are --policy, --boundary and --scps"
        ))),
        None => Ok(()),
    }
}

fn asked(a: &SessionArguments, rcps: &[Vec<PathBuf>]) -> Result<Option<AskedAction>, Failure> {
    let (Some(action), Some(resource)) = (&a.action, &a.resource) else {
        return Ok(None);
    };
    let request = request::read(action, resource, None).map_err(|e| Failure::input(format!("--{e}")))?;
    Ok(Some(AskedAction {
        policy: all(a.resource_policy.as_slice(), resource_kind(&request))?.pop(),
        action: request.action,
        resource: request.resource,
        context: context("context", &a.context)?,
        account: a.resource_account.clone(),
        rcps: each(rcps, PolicyKind::ResourceControl)?,
    }))
}

fn context(flag: &str, pairs: &[String]) -> Result<Context, Failure> {
    let mut context = Context::new();
    for (key, values) in request::pairs(flag, pairs)? {
        request::key(key).map_err(|e| Failure::input(format!("--{flag}: {e}")))?;
        context.set(key, values);
    }
    Ok(context)
}

fn all(paths: &[PathBuf], kind: PolicyKind) -> Result<Vec<PlacedPolicy>, Failure> {
    let read = paths.iter().map(|path| placed(path, kind));
    Ok(read
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .flatten()
        .collect())
}

fn each(levels: &[Vec<PathBuf>], kind: PolicyKind) -> Result<Vec<Vec<PlacedPolicy>>, Failure> {
    levels.iter().map(|level| all(level, kind)).collect()
}

/// The policies of the one object, or the one policy, in a file.
fn placed(path: &Path, kind: PolicyKind) -> Result<Vec<PlacedPolicy>, Failure> {
    let (file, judged) = select::only(path, kind)?;
    let policies = judged.policies.iter().zip(judged.documents);
    let placed = policies.map(|(policy, document)| PlacedPolicy::new(document, policy, &file.source()));
    Ok(placed.collect())
}
