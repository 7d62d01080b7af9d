//! Behind a session: which role, which binding, and which of its policies does not allow the request.

use deputy_delegation::{RoleId, model::Subjects};
use deputy_policy::{Effect, ResourceElement, reference};
use serde::Serialize;

use super::{
    change::{ProposedStatement, propose},
    conclusion::{conclusion, foreign},
    layers::{DeniedRequest, LayerSays, layers},
    message::{DenialLayer, DenialMessage},
};
use crate::{
    asked::{AskedGrant, Grants, UndecidedOf, grants},
    objects::AskedWorld,
};

/// So many resources of a role are shown where AWS names none.
const RESOURCES_SHOWN: usize = 8;

/// What is behind a denial: a contract (docs/contracts.md).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DenialCause {
    /// Who decides, where that is no object of Deputy's, or where AWS and what was looked at differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decisive: Option<String>,
    /// By what was looked at AWS would not have denied it.
    pub differs: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binding: Option<String>,
    /// The ServiceAccount, and the pod where the session has its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    pub layers: Vec<LayerSays>,
    /// The smallest change by which these policies would allow it.
    pub change: Vec<ProposedStatement>,
    /// Whether the limits would accept that: `accepted`, the refusal, or what is not there to decide it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<String>,
    /// Who else has to be asked, and what helps.
    pub advice: Vec<String>,
}

impl DenialCause {
    /// Whether it is known why, or whom to ask.
    pub fn is_explained(&self) -> bool {
        self.role.is_some() && !self.differs
    }

    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.decisive.iter().cloned().collect();
        let parts = [
            ("role", &self.role),
            ("binding", &self.binding),
            ("subject", &self.subject),
        ];
        for (what, who) in parts {
            lines.extend(who.as_ref().map(|who| format!("{what}: {who}")));
        }
        lines.extend(self.layers.iter().map(LayerSays::line));
        for statement in &self.change {
            lines.push(format!("change {}:\n{}", statement.place(), statement.yaml));
        }
        lines.extend(
            self.limits
                .as_ref()
                .map(|limits| format!("the limits say to that: {limits}")),
        );
        lines.extend(self.advice.iter().cloned());
        lines
    }
}

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
    let Some((account, name, session)) = session_of(&message.caller) else {
        found.advice.push(format!(
            "{} is no session of a role; Deputy's sessions are",
            message.caller
        ));
        return Ok(found);
    };
    let Some(role) = role(world, account, name) else {
        found.advice.push(format!(
            "no role among what was looked at is {name} in account {account}: look at the objects of the cluster that made it, and say its \
             name by --cluster-name"
        ));
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
        found.advice = concluded.advice;
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
    if !change.is_empty() && resource == "*" && reference::takes_no_resource(&asked.action) {
        found.advice.push(format!(
            "by AWS's service reference {} is on no resource that a policy can name: no Resource is narrower than \"*\"",
            asked.action
        ));
    }
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
    let mut parts = caller.splitn(6, ':');
    let (Some("arn"), Some(_), Some("sts"), Some(_), Some(account), Some(rest)) = (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) else {
        return None;
    };
    let (name, session) = rest.strip_prefix("assumed-role/")?.split_once('/')?;
    Some((account, name, session))
}

/// The role whose IAM role has this name in this account.
fn role(world: &AskedWorld, account: &str, name: &str) -> Option<RoleId> {
    let ids = world.index.roles().into_iter();
    ids.into_iter().find(|id| world.is_role(id, account, name))
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
