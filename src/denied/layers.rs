//! What each policy that holds a session says to a request.

use deputy_delegation::{decide::KnownTags, model::FederatedBinding};
use deputy_policy::{Candidate, Containment, Document, Effect, Statement, contains, reference};
use serde::Serialize;

use super::message::{DenialLayer, DenialMessage};
use crate::asked::{AskedGrant, everything_but, identity, statement};

/// What was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeniedRequest {
    pub action: String,
    /// None where nobody names it.
    pub resource: Option<String>,
}

impl DeniedRequest {
    /// That of a message, on the resource that it names, or else on `named`.
    ///
    /// # Errors
    /// When both name one, and when a policy can't name them.
    pub fn new(message: &DenialMessage, named: Option<&str>) -> Result<Self, String> {
        let told = message.arn();
        if let Some(named) = named {
            is_resource(named).map_err(|why| format!("--resource {named}: {why}"))?;
        }
        let resource = match (told, named) {
            (Some(told), Some(named)) if told != named => {
                return Err(format!(
                    "AWS's message names the resource {told}: --resource is for a message that names none"
                ));
            }
            (Some(told), _) => Some(told),
            (None, Some(named)) => Some(named),
            (None, None) => reference::takes_no_resource(&message.action).then_some("*"),
        };
        let request = Self {
            action: message.action.clone(),
            resource: resource.map(str::to_owned),
        };
        everything_but(&request.action, request.pattern())
            .map_err(|error| format!("the request of the message: {error}"))?;
        Ok(request)
    }

    /// What stands for its resource in a policy that asks about any.
    fn pattern(&self) -> &str {
        self.resource.as_deref().unwrap_or("*")
    }
}

/// Whether a policy can name it: an ARN.
fn is_resource(text: &str) -> Result<(), String> {
    if !text.starts_with("arn:") {
        return Err("it is no ARN".to_owned());
    }
    everything_but("*", text).map(drop)
}

/// What one policy says to the request: a contract (docs/contracts.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerSays {
    /// `role`, `session policy`, `boundary of limit NAME` or `federation user`.
    pub layer: String,
    /// `allows`, `does not allow`, `denies` or `unknown`.
    pub says: &'static str,
    /// The statements that deny it, or why it is not known.
    pub because: Vec<String>,
    /// Which of AWS's layers it is.
    #[serde(skip)]
    pub of: DenialLayer,
    /// Whether it has a Deny that can match.
    #[serde(skip)]
    pub can_deny: bool,
    /// Whether it has policies that only AWS knows.
    #[serde(skip)]
    pub is_open: bool,
}

impl LayerSays {
    /// For people.
    pub fn line(&self) -> String {
        let because = match self.because.as_slice() {
            [] => String::new(),
            because => format!(": {}", because.join("; ")),
        };
        match self.says {
            "unknown" => format!("of the {} it is not known{because}", self.layer),
            says => format!("the {} {says} it{because}", self.layer),
        }
    }
}

/// What each policy that holds the session says.
///
/// # Errors
/// When a part of a policy is none by itself.
pub fn layers(grant: &AskedGrant, asked: &DeniedRequest) -> Result<Vec<LayerSays>, String> {
    let identity: Vec<&Document> = grant.identity.iter().collect();
    let more = &grant.may_allow_more;
    let mut found = vec![says("role", DenialLayer::Identity, &identity, asked, more)?];
    let arns = grant.binding.session.policy_arns.iter();
    let managed: Vec<String> = arns
        .map(|arn| format!("what the managed policy {arn} lets the session do"))
        .collect();
    if let Some(session) = &grant.session {
        let layer = DenialLayer::Session;
        found.push(says("session policy", layer, &[session], asked, &managed)?);
    } else if !managed.is_empty() {
        found.push(LayerSays {
            layer: "session policy".to_owned(),
            says: "unknown",
            because: managed,
            of: DenialLayer::Session,
            can_deny: false,
            is_open: true,
        });
    }
    if let Some((limit, ceiling)) = &grant.boundary {
        let name = format!("boundary of limit {limit}");
        // A role that exists has no boundary of Deputy's: its sessions get it as their policy.
        let layer = match grant.role.existing() {
            Some(_) => DenialLayer::Session,
            None => DenialLayer::Boundary,
        };
        found.push(says(&name, layer, &[ceiling], asked, &[])?);
    }
    Ok(found)
}

/// What the policies say that hold a session of a federated user: its own, and those of the federation user, which only AWS knows.
///
/// # Errors
/// The same.
pub fn of_federated(
    binding: &FederatedBinding,
    tags: &KnownTags<'_>,
    asked: &DeniedRequest,
) -> Result<Vec<LayerSays>, String> {
    let unknown = |layer: &str, says, because: &str, of, is_open| LayerSays {
        layer: layer.to_owned(),
        says,
        because: vec![because.to_owned()],
        of,
        can_deny: false,
        is_open,
    };
    let session = match binding.share.policy() {
        Some(policy) => {
            let policy = tags.put_in(policy);
            says(
                "session policy",
                DenialLayer::Session,
                &[policy.as_ref()],
                asked,
                &[],
            )?
        }
        None => unknown(
            "session policy",
            "does not allow",
            "there is none (resourcePolicyOnly)",
            DenialLayer::Session,
            false,
        ),
    };
    let user = unknown(
        "federation user",
        "unknown",
        "what the policies of the account's federation user allow, only AWS knows",
        DenialLayer::Identity,
        true,
    );
    Ok(vec![session, user])
}

fn says(
    layer: &str,
    of: DenialLayer,
    documents: &[&Document],
    asked: &DeniedRequest,
    unknown: &[String],
) -> Result<LayerSays, String> {
    let besides = everything_but(&asked.action, asked.pattern())?;
    let denies = denying(documents, asked)?;
    let is_named = asked.resource.is_some();
    let partly = |but: &str| {
        let told = denies.iter();
        told.map(|deny| format!("{but}{} denies it for some", deny.place))
            .collect::<Vec<_>>()
    };
    let denied = denies.iter().any(|deny| is_named || deny.of_all);
    let (says, because) = match contains(&Candidate::new(documents), &besides) {
        Containment::Exceeds(_) if is_named => ("allows", partly("but ")),
        Containment::Exceeds(witness) => {
            let mut because = vec![format!(
                "AWS does not name the resource, and it allows it for some, such as {witness}"
            )];
            because.extend(partly(""));
            ("unknown", because)
        }
        _ if denied => ("denies", denies.iter().map(|deny| deny.place.clone()).collect()),
        Containment::Contained(_) if unknown.is_empty() => ("does not allow", partly("")),
        Containment::Contained(_) => ("unknown", unknown.to_vec()),
        Containment::Unknown(reason) => ("unknown", vec![reason.to_string()]),
    };
    Ok(LayerSays {
        layer: layer.to_owned(),
        says,
        because,
        of,
        can_deny: !denies.is_empty(),
        is_open: !unknown.is_empty(),
    })
}

/// A Deny that matches some of the requests.
struct MatchingDeny {
    place: String,
    /// It matches each of them.
    of_all: bool,
}

fn denying(documents: &[&Document], asked: &DeniedRequest) -> Result<Vec<MatchingDeny>, String> {
    let wanted = identity(vec![statement(Effect::Allow, &asked.action, asked.pattern())])?;
    let wanted = Candidate::new(&[&wanted]);
    let mut found = Vec::new();
    for (i, of) in documents.iter().enumerate() {
        for (j, deny) in of.statements().iter().enumerate() {
            if deny.effect != Effect::Deny {
                continue;
            }
            let rest = identity(vec![statement(Effect::Allow, "*", "*"), deny.clone()])?;
            if contains(&wanted, &rest).is_contained() {
                continue;
            }
            let denied = identity(vec![Statement {
                effect: Effect::Allow,
                ..deny.clone()
            }])?;
            found.push(MatchingDeny {
                place: format!("Statement[{j}] of policy {i}"),
                of_all: contains(&wanted, &denied).is_contained(),
            });
        }
    }
    Ok(found)
}
