//! The evaluator: one request against the policies that apply.

mod context;

pub use context::Context;

use std::fmt;

use crate::{
    arn::{ResourcePattern, Subject},
    compiled::{Compiled, CompiledStatement},
    document::{Document, Effect},
    elements::{Elements, action_hashes},
    glob::{Pattern, fold},
    principal::Caller,
    work::Work,
};

/// One request: who does what on which resource, with what context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `service:Action`; compared without case.
    pub action: String,
    /// ARN of the resource, or `*` for actions that have none.
    pub resource: String,
    /// Who asks; only policies with a `Principal` look at it.
    pub principal: Option<Caller>,
    /// The context keys and their values.
    pub context: Context,
}

/// The policies that apply to a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Layers<'a> {
    /// Policies of the role or user: their union.
    pub identity: &'a [&'a Document],
    /// The permissions boundary, when there is one.
    pub boundary: Option<&'a Document>,
    /// The session's policies (inline and by ARN: their union), when the session has any.
    pub session: Option<&'a [&'a Document]>,
}

/// The answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Every layer allows and none denies.
    Allowed,
    /// A statement denies.
    ExplicitDeny,
    /// Nothing denies, but a layer does not allow.
    ImplicitDeny,
}

/// Which kind of policy decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    /// Identity policies.
    Identity,
    /// The permissions boundary.
    Boundary,
    /// Session policies.
    Session,
    /// The trust policy.
    Trust,
}

/// What decided: a statement, or the layer in which no statement allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The layer.
    pub layer: Layer,
    /// Index of the document in its layer, and of the statement in the document; `None` when nothing allows.
    pub statement: Option<(usize, usize)>,
    /// The statement's Sid, when it has one.
    pub sid: Option<String>,
}

/// A decision with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// The decision.
    pub decision: Decision,
    /// What decided.
    pub reason: Reason,
}

impl Evaluation {
    /// Whether the request is allowed.
    pub fn is_allowed(&self) -> bool {
        self.decision == Decision::Allowed
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "identity policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
            Self::Trust => "trust policy",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((document, statement)) = self.statement else {
            return write!(f, "no statement of the {} allows it", self.layer);
        };
        write!(f, "statement {statement} of {} document {document}", self.layer)?;
        if let Some(sid) = &self.sid {
            write!(f, " (Sid {sid})")
        } else {
            Ok(())
        }
    }
}

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.decision {
            Decision::Allowed => write!(f, "allowed by {}", self.reason),
            Decision::ExplicitDeny => write!(f, "denied by {}", self.reason),
            Decision::ImplicitDeny => write!(f, "not allowed: {}", self.reason),
        }
    }
}

/// Decides a request of a principal in the resource's own account, without resource policy: no statement denies, and
/// the identity policies, the boundary (when there is one) and the session policies (when there are any) each allow.
/// An empty list of session policies allows nothing.
pub fn evaluate(layers: &Layers<'_>, request: &Request) -> Evaluation {
    let boundary = layers.boundary.as_slice();
    let mut applying = vec![(Layer::Identity, layers.identity)];
    if layers.boundary.is_some() {
        applying.push((Layer::Boundary, boundary));
    }
    if let Some(session) = layers.session {
        applying.push((Layer::Session, session));
    }
    decide(&applying, request)
}

/// Decides whether a trust policy lets `request.principal` do `request.action` (such as `sts:AssumeRole`); the resource
/// is the role itself and is not looked at.
///
/// A statement that names the caller's account matches: within the account the caller then also needs an Allow of its
/// own policies, across accounts it always does. A statement that names a role matches the sessions of that role.
pub fn evaluate_trust(trust: &Document, request: &Request) -> Evaluation {
    decide(&[(Layer::Trust, &[trust])], request)
}

fn decide(layers: &[(Layer, &[&Document])], request: &Request) -> Evaluation {
    let mut work = Work::unlimited();
    let prepared = Prepared::new(request);
    let mut allowed = Vec::with_capacity(layers.len());
    for (layer, documents) in layers {
        let mut first_allow = None;
        for (d, document) in documents.iter().enumerate() {
            match document.compiled().outcome(&prepared, &mut work) {
                Outcome::Denied(s) => {
                    return Evaluation {
                        decision: Decision::ExplicitDeny,
                        reason: reason(*layer, documents, Some((d, s))),
                    };
                }
                Outcome::Allowed(s) if first_allow.is_none() => first_allow = Some((d, s)),
                Outcome::Allowed(_) | Outcome::Silent => {}
            }
        }
        allowed.push(reason(*layer, documents, first_allow));
    }
    // Only now: a Deny of a later layer counts more than a missing Allow of an earlier one.
    let silent = allowed.iter().find(|reason| reason.statement.is_none()).cloned();
    match (silent, allowed.into_iter().next()) {
        (Some(reason), _) => Evaluation {
            decision: Decision::ImplicitDeny,
            reason,
        },
        (None, Some(reason)) => Evaluation {
            decision: Decision::Allowed,
            reason,
        },
        (None, None) => Evaluation {
            decision: Decision::ImplicitDeny,
            reason: Reason {
                layer: Layer::Identity,
                statement: None,
                sid: None,
            },
        },
    }
}

fn reason(layer: Layer, documents: &[&Document], statement: Option<(usize, usize)>) -> Reason {
    let sid = statement
        .and_then(|(d, s)| documents.get(d)?.compiled().statements.get(s))
        .and_then(|statement| statement.sid.clone());
    Reason {
        layer,
        statement,
        sid,
    }
}

/// A request as the patterns want it.
pub(crate) struct Prepared<'a> {
    /// Lower case.
    action: Vec<char>,
    resource: Subject,
    principal: Option<&'a Caller>,
    /// Whether the caller has a permissions boundary.
    bounded: bool,
    context: &'a Context,
}

impl<'a> Prepared<'a> {
    pub(crate) fn new(request: &'a Request) -> Self {
        Self {
            action: request.action.chars().map(fold).collect(),
            resource: Subject::new(&request.resource),
            principal: request.principal.as_ref(),
            bounded: false,
            context: &request.context,
        }
    }

    /// The same for a caller with a permissions boundary.
    pub(crate) fn bounded(self, bounded: bool) -> Self {
        Self { bounded, ..self }
    }
}

/// What one document says to a request, with the index of the statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Denied(usize),
    Allowed(usize),
    Silent,
}

impl Compiled {
    pub(crate) fn outcome(&self, request: &Prepared<'_>, work: &mut Work) -> Outcome {
        let mut outcome = Outcome::Silent;
        for (i, statement) in self.statements.iter().enumerate() {
            let relevant = statement.effect == Effect::Deny || outcome == Outcome::Silent;
            if relevant && statement.matches(request, work) {
                match statement.effect {
                    Effect::Deny => return Outcome::Denied(i),
                    Effect::Allow => outcome = Outcome::Allowed(i),
                }
            }
        }
        outcome
    }
}

impl CompiledStatement {
    pub(crate) fn matches(&self, request: &Prepared<'_>, work: &mut Work) -> bool {
        let principal = match &self.principal {
            None => true,
            Some(element) => request
                .principal
                .is_some_and(|caller| element.is_about(caller, request.bounded)),
        };
        principal
            && self.actions.matches_action(&request.action, work)
            && self
                .resources
                .as_ref()
                .is_none_or(|r| r.matches_resource(&request.resource, request.context, work))
            && self.atoms.iter().all(|atom| atom.holds(request.context, work))
    }
}

impl Elements<Pattern> {
    /// The action in lower case.
    pub(crate) fn matches_action(&self, action: &[char], work: &mut Work) -> bool {
        let none = Context::new();
        let (group, literal) = action_hashes(action);
        self.near(group, Some(literal))
            .any(|pattern| pattern.matches(action, &none, work))
            != self.negated
    }
}

impl Elements<ResourcePattern> {
    pub(crate) fn matches_resource(&self, resource: &Subject, context: &Context, work: &mut Work) -> bool {
        self.items
            .iter()
            .any(|pattern| pattern.matches(resource, context, work))
            != self.negated
    }
}
