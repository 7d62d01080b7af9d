//! Behind a session: which role, which binding, and which of its policies does not allow the request.

use deputy_delegation::{RoleId, model::Subjects};
use deputy_policy::{Effect, ResourceElement};

use super::{
    answer::DenialCause,
    change::{propose, takes_no_resource},
    conclusion::{conclusion, foreign},
    federated::federated_cause,
    layers::{DeniedRequest, layers},
    message::{DenialLayer, DenialMessage},
};
use crate::{
    asked::{AskedGrant, Grants, UndecidedOf, arn_parts, grants, is_federated_user},
    objects::AskedWorld,
};

/// So many resources of a role are shown where AWS names none.
const RESOURCES_SHOWN: usize = 8;

/// What is behind a denial, as far as `world` shows it.
///
/// # Errors
/// When a policy can't name what was asked.
pub fn cause(
    world: &AskedWorld,
    message: &DenialMessage,
    asked: &DeniedRequest,
) -> Result<DenialCause, String> {
    let mut found = DenialCause {
        decisive: foreign(message),
        ..DenialCause::default()
    };
    found.advice.extend(trust(message, asked));
    if is_federated_user(&message.caller) {
        return federated_cause(world, message, asked, found);
    }
    let Some((account, name, session)) = session_of(&message.caller) else {
        found.advice.push(format!(
            "{} is no session of a role, and no federated user; Deputy's sessions are one of these",
            message.caller
        ));
        return Ok(found);
    };
    let Some(role) = role(world, account, name) else {
        found.advice.extend(no_role(world, account, name));
        return Ok(found);
    };
    found.role = Some(role.title().to_string());
    let all = grants(world);
    let who = session
        .strip_prefix(role.namespace.as_str())
        .and_then(|rest| rest.strip_prefix('.'));
    let named = of_role(&all, &role).find_map(|(grant, open)| Some((grant, open, subject(grant, who?)?)));
    let Some((grant, open, subject)) = named else {
        let held = all.held.iter().filter(|(id, _)| {
            world
                .index
                .binding(id)
                .is_some_and(|view| view.head().is_some_and(|head| head.role == role))
        });
        found
            .advice
            .extend(held.map(|(id, why)| format!("AWSRoleBinding {id} gives no session now: {why}")));
        let lost = format!("no accepted binding of the role names who has the session {session:?}");
        found.advice.push(lost);
        return Ok(found);
    };
    found.binding = Some(format!("AWSRoleBinding {}", grant.binding.id));
    found.subject = Some(subject);
    found.layers = layers(grant, asked)?;
    if found.decisive.is_none() {
        let concluded = conclusion(message, asked, &found.layers, &role, open.is_some());
        found.decisive = concluded.decisive;
        found.differs = concluded.differs;
        found.advice.extend(concluded.advice);
        changes(world, grant, message, asked, &mut found);
    }
    found.advice.extend(open.map(|why| {
        format!(
            "AWSRoleBinding {} is undecided here, and its boundary is not known: {why}",
            grant.binding.id
        )
    }));
    Ok(found)
}

/// What would allow it, where that is a matter of Deputy's objects and no Deny stands against it.
fn changes(
    world: &AskedWorld,
    grant: &AskedGrant,
    message: &DenialMessage,
    asked: &DeniedRequest,
    found: &mut DenialCause,
) {
    let mut layers = found.layers.iter();
    if layers.any(|one| one.layer.starts_with("boundary") && one.says == "does not allow") {
        let limit = grant.boundary.as_ref().map_or("", |(name, _)| name.as_str());
        let ceiling = format!(
            "the ceiling of DelegationLimit {limit} does not allow it: that is the platform team's to change"
        );
        match message.layer {
            DenialLayer::Boundary => found.decisive = Some(ceiling),
            _ => found.advice.push(ceiling),
        }
    }
    let is_denied = message.explicit || found.layers.iter().any(|one| one.says == "denies");
    if is_denied || message.layer == DenialLayer::Boundary {
        return;
    }
    let Some(resource) = &asked.resource else {
        found.advice.extend(which_resource(grant, message, asked));
        return;
    };
    let lacks = |layer: &str| {
        let mut layers = found.layers.iter();
        layers.any(|one| one.layer == layer && one.says == "does not allow")
    };
    let (of_role, of_session) = (lacks("role"), lacks("session policy"));
    let (change, limits) = propose(world, grant, (&asked.action, resource), of_role, of_session);
    found
        .advice
        .extend(takes_no_resource(&asked.action, resource, &change));
    (found.change, found.limits) = (change, limits);
}

/// That the resource has to be said, and those that the role names for the service.
fn which_resource(grant: &AskedGrant, message: &DenialMessage, asked: &DeniedRequest) -> Vec<String> {
    let mut advice = vec![format!(
        "{}, so no change is proposed: say it by --resource ARN",
        message.unnamed()
    )];
    let service = asked.action.split(':').next().unwrap_or_default();
    let statements = grant.identity.iter().flat_map(|policy| policy.statements());
    let allowed = statements.filter(|statement| statement.effect == Effect::Allow);
    let mut resources: Vec<&str> = allowed
        .filter_map(|statement| match &statement.resource {
            Some(ResourceElement::Resource(listed)) => Some(listed),
            _ => None,
        })
        .flatten()
        .map(String::as_str)
        .filter(|arn| arn.split(':').nth(2) == Some(service))
        .collect();
    resources.sort_unstable();
    resources.dedup();
    if !resources.is_empty() {
        let more = match resources.len().saturating_sub(RESOURCES_SHOWN) {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        resources.truncate(RESOURCES_SHOWN);
        let listed = resources.join(", ");
        advice.push(format!(
            "is it one of those that the role names already: {listed}{more}?"
        ));
    }
    advice
}

/// The grants by a role; of those that are undecided, with what is not there.
fn of_role<'a>(all: &'a Grants, role: &'a RoleId) -> impl Iterator<Item = (&'a AskedGrant, Option<&'a str>)> {
    let given = all.given.iter().map(|grant| (grant, None));
    let undecided = all.undecided.iter().filter_map(|one| match &one.of {
        UndecidedOf::Role(_, Some(grant)) => Some((&**grant, Some(one.said.why.as_str()))),
        UndecidedOf::Role(_, None) | UndecidedOf::FederatedUser(_) => None,
    });
    given.chain(undecided).filter(|(grant, _)| grant.role.id == *role)
}

/// Account, name of the role and of the session.
fn session_of(caller: &str) -> Option<(&str, &str, &str)> {
    let (service, account, rest) = arn_parts(caller)?;
    if service != "sts" {
        return None;
    }
    let (name, session) = rest.strip_prefix("assumed-role/")?.split_once('/')?;
    Some((account, name, session))
}

/// The role whose IAM role has this name in this account.
fn role(world: &AskedWorld, account: &str, name: &str) -> Option<RoleId> {
    let ids = world.index.roles().into_iter();
    ids.into_iter().find(|id| world.is_role(id, account, name))
}

/// That a role has to trust who assumes it: AWS does not say when that is what is missing.
fn trust(message: &DenialMessage, asked: &DeniedRequest) -> Option<String> {
    let about_trust = ["sts:assumerole", "sts:tagsession", "sts:setsourceidentity"];
    let action = asked.action.to_ascii_lowercase();
    let is_about_it = about_trust.iter().any(|name| action.starts_with(name));
    (is_about_it && message.layer == DenialLayer::Unsaid).then(|| {
        let role = asked.resource.as_deref().unwrap_or("the role");
        format!(
            "the trust policy of {role} has to allow {} to {}, too, and AWS does not say whether that is what is missing: its owner sees it",
            asked.action, message.caller
        )
    })
}

/// Why no role among what was looked at is `name` in an account.
fn no_role(world: &AskedWorld, account: &str, name: &str) -> Vec<String> {
    let called = world.roles_called(name);
    let near = called.iter().map(|role| {
        let title = role.id.title();
        match world.index.account(&role.account).known() {
            None => format!(
                "{title} may be it, and its AWSAccount \"{}\" is not among what was looked at, or can't be read: look at that, too",
                role.account
            ),
            Some(of) => format!(
                "{title} has this name in account {} (AWSAccount {}), and the session is of account {account}",
                of.id, role.account
            ),
        }
    });
    let near: Vec<String> = near.collect();
    if !near.is_empty() {
        return near;
    }
    if !is_of_deputy(name) {
        return vec![format!(
            "{name} is no name of a role that Deputy makes (deputy.NAMESPACE.NAME-HASH), and no AWSRole among what was looked at names a role \
             of that name that exists (spec.existing): it is somebody else's, whose owner has to be asked"
        )];
    }
    let cluster = match &world.cluster {
        Some(cluster) => format!(
            "; names follow from that of the cluster, which is taken to be {cluster} (--cluster-name says another one)"
        ),
        None => String::new(),
    };
    vec![format!(
        "no role among what was looked at is {name} in account {account}: look at the objects of the cluster that made it{cluster}"
    )]
}

/// Whether it has the form of a name of Deputy's: `deputy.NAMESPACE.NAME-HASH`.
fn is_of_deputy(name: &str) -> bool {
    let rest = name
        .strip_prefix("deputy.")
        .and_then(|rest| rest.rsplit_once('-'));
    let is_of_hash = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    rest.is_some_and(|(of, hash)| of.contains('.') && !hash.is_empty() && hash.chars().all(is_of_hash))
}

/// Who of a binding has the session `who`: `<serviceaccount>`, or `<serviceaccount>.<pod>`.
fn subject(grant: &AskedGrant, who: &str) -> Option<String> {
    let Subjects::ServiceAccounts(names) = &grant.binding.subjects else {
        return None;
    };
    let namespace = &grant.binding.id.namespace;
    let whole = names.iter().find(|name| name.as_str() == who);
    if let Some(name) = whole {
        return Some(format!("ServiceAccount {namespace}/{name}"));
    }
    names.iter().find_map(|name| {
        let pod = who.strip_prefix(name.as_str())?.strip_prefix('.')?;
        Some(format!(
            "pod {namespace}/{pod} of ServiceAccount {namespace}/{name}"
        ))
    })
}
