//! Behind a session: which role, which binding, and which of its policies does not allow the request.

use deputy_delegation::{RoleId, model::Subjects};
use deputy_policy::{Candidate, Containment, Document, Effect, contains};
use serde::Serialize;

use super::{
    change::{ProposedStatement, propose},
    message::{DenialLayer, DenialMessage},
};
use crate::{
    asked::{AskedGrant, everything_but, grants, identity, statement},
    objects::AskedWorld,
};

/// What one policy says to the request: a contract (docs/contracts.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerSays {
    /// `role`, `session policy` or `boundary of limit NAME`.
    pub layer: String,
    /// `allows`, `does not allow`, `denies` or `unknown`.
    pub says: &'static str,
    /// The statements that deny it, or why it is not known.
    pub because: Vec<String>,
}

/// What is behind a denial: a contract (docs/contracts.md).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DenialCause {
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
    /// Whether the limits would accept that: `accepted`, or the refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<String>,
    /// Who else has to be asked.
    pub advice: Vec<String>,
}

impl DenialCause {
    /// Whether it is known why, or whom to ask.
    pub fn is_explained(&self) -> bool {
        self.role.is_some()
    }

    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let parts = [
            ("role", &self.role),
            ("binding", &self.binding),
            ("subject", &self.subject),
        ];
        for (what, who) in parts {
            lines.extend(who.as_ref().map(|who| format!("{what}: {who}")));
        }
        for layer in &self.layers {
            let because = match layer.because.as_slice() {
                [] => String::new(),
                because => format!(": {}", because.join("; ")),
            };
            lines.push(format!("the {} {} it{because}", layer.layer, layer.says));
        }
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
/// When the action or resource of the message is none that a policy can name.
pub fn cause(world: &AskedWorld, message: &DenialMessage) -> Result<DenialCause, String> {
    let resource = message.resource.as_deref().unwrap_or("*");
    everything_but(&message.action, resource)
        .map_err(|error| format!("the request of the message: {error}"))?;
    let mut found = DenialCause {
        advice: advice(message),
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
    let who = session
        .strip_prefix(role.namespace.as_str())
        .and_then(|rest| rest.strip_prefix('.'));
    let all = grants(world);
    let of_role = all.given.iter().filter(|grant| grant.role.id == role);
    let mut named = of_role.filter_map(|grant| Some((grant, subject(grant, who?)?)));
    let Some((grant, subject)) = named.next() else {
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
    found.layers = layers(grant, &message.action, resource)?;
    let lacks = |layer: &str| {
        found
            .layers
            .iter()
            .any(|one| one.layer.starts_with(layer) && one.says == "does not allow")
    };
    let (change, limits) = propose(
        world,
        grant,
        (&message.action, resource),
        lacks("role"),
        lacks("session policy"),
    );
    found.limits = limits;
    if lacks("boundary") {
        let limit = grant.boundary.as_ref().map_or("", |(name, _)| name.as_str());
        found.advice.push(format!(
            "the ceiling of DelegationLimit {limit} does not allow it: that is the platform team's to change"
        ));
    }
    found.change = change;
    Ok(found)
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

/// What each policy that holds the session says.
fn layers(grant: &AskedGrant, action: &str, resource: &str) -> Result<Vec<LayerSays>, String> {
    let identity: Vec<&Document> = grant.identity.iter().collect();
    let mut found = vec![says(
        "role".to_owned(),
        &identity,
        (action, resource),
        &grant.may_allow_more,
    )?];
    if let Some(session) = &grant.session {
        found.push(says(
            "session policy".to_owned(),
            &[session],
            (action, resource),
            &[],
        )?);
    }
    if let Some((limit, ceiling)) = &grant.boundary {
        let name = format!("boundary of limit {limit}");
        found.push(says(name, &[ceiling], (action, resource), &[])?);
    }
    Ok(found)
}

fn says(
    layer: String,
    documents: &[&Document],
    (action, resource): (&str, &str),
    unknown: &[String],
) -> Result<LayerSays, String> {
    let asked = everything_but(action, resource)?;
    let denies = denying(documents, action, resource)?;
    let (says, because) = match contains(&Candidate::new(documents), &asked) {
        Containment::Exceeds(_) if denies.is_empty() => ("allows", Vec::new()),
        Containment::Exceeds(_) => (
            "allows",
            denies
                .iter()
                .map(|deny| format!("but {deny} denies it for some"))
                .collect(),
        ),
        _ if !denies.is_empty() => ("denies", denies),
        Containment::Contained(_) if unknown.is_empty() => ("does not allow", Vec::new()),
        Containment::Contained(_) => ("unknown", unknown.to_vec()),
        Containment::Unknown(reason) => ("unknown", vec![reason.to_string()]),
    };
    Ok(LayerSays { layer, says, because })
}

/// The Deny statements that match such a request.
fn denying(documents: &[&Document], action: &str, resource: &str) -> Result<Vec<String>, String> {
    let asked = identity(vec![statement(Effect::Allow, action, resource)])?;
    let mut found = Vec::new();
    for (i, of) in documents.iter().enumerate() {
        for (j, deny) in of.statements().iter().enumerate() {
            if deny.effect != Effect::Deny {
                continue;
            }
            let rest = identity(vec![statement(Effect::Allow, "*", "*"), deny.clone()])?;
            if !contains(&Candidate::new(&[&asked]), &rest).is_contained() {
                found.push(format!("Statement[{j}] of policy {i}"));
            }
        }
    }
    Ok(found)
}

/// Whom a layer belongs to that is none of Deputy's objects.
fn advice(message: &DenialMessage) -> Vec<String> {
    let text = match (message.layer, message.explicit) {
        (DenialLayer::ServiceControl | DenialLayer::ResourceControl, _) => {
            "a policy of the organisation: whoever administers it has to be asked; no object of Deputy's changes it"
        }
        (DenialLayer::Endpoint, _) => {
            "the policy of the VPC endpoint: whoever administers the network has to be asked"
        }
        (DenialLayer::Resource, true) => "the policy of the resource denies it: its owner has to be asked",
        (DenialLayer::Resource, false) => {
            "the resource is of another account, or its policy has to allow it: its owner has to be asked; of a bucket, queue or topic an \
             AWSResourcePolicyStatement can"
        }
        (DenialLayer::Trust, _) => {
            "the trust policy of the role that was to be assumed: its owner has to be asked"
        }
        (DenialLayer::Identity, true) => {
            "where no statement below denies it, it is one by which Deputy ends sessions (revocation): a new session may do it again"
        }
        (DenialLayer::Boundary, true) => {
            "a generated boundary also denies what lies outside of the ceiling, whatever a policy of the resource says"
        }
        (DenialLayer::Unsaid, _) => "AWS does not say which policy decided; what is Deputy's is below",
        _ => return Vec::new(),
    };
    let named = message
        .policy
        .as_ref()
        .map_or_else(String::new, |policy| format!(" ({policy})"));
    vec![format!("{text}{named}")]
}
