//! A request, the policies on the principal's side of it, and the answer.

use crate::{context::Context, document::Document, principal::caller::Caller};

/// One request: who does what on which resource, with what context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `service:Action`; compared without case.
    pub action: String,
    /// ARN of the resource, or `*` for actions that have none.
    pub resource: String,
    /// Who asks. Only policies with a `Principal` look at it, and [`Situation`].
    pub principal: Option<Caller>,
    /// The context keys and their values.
    pub context: Context,
}

/// The policies on the principal's side of a request.
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
pub enum AccessDecision {
    /// Every layer allows and none denies.
    Allowed,
    /// A statement denies.
    ExplicitDeny,
    /// Nothing denies, but a layer does not allow.
    ImplicitDeny,
}
