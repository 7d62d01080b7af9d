//! The evaluator: one request against the policies that apply.

mod context;

pub use context::Context;

use std::fmt;

use crate::document::Document;

/// One request: who does what on which resource, with what context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `service:Action`; compared without case.
    pub action: String,
    /// ARN of the resource, or `*` for actions that have none.
    pub resource: String,
    /// ARN of the caller (user, role, role session, account root) or the name of a service or federation provider;
    /// only policies with a `Principal` look at it.
    pub principal: Option<String>,
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

/// Decides a request of a principal in the resource's own account, without resource policy.
pub fn evaluate(layers: &Layers<'_>, request: &Request) -> Evaluation {
    let _ = (layers, request);
    Evaluation {
        decision: Decision::ImplicitDeny,
        reason: Reason { layer: Layer::Identity, statement: None, sid: None },
    }
}

/// Decides whether a trust policy lets `request.principal` do `request.action` (such as `sts:AssumeRole`); the resource
/// is the role itself and is not looked at.
pub fn evaluate_trust(trust: &Document, request: &Request) -> Evaluation {
    let _ = (trust, request);
    Evaluation {
        decision: Decision::ImplicitDeny,
        reason: Reason { layer: Layer::Trust, statement: None, sid: None },
    }
}
