//! The evaluator: one request against the policies that apply.
//!
//! [`evaluate`] and [`evaluate_trust`] look at the layers they are given and nothing else. [`Situation`] is the whole of
//! AWS's decision: accounts, organisations, resource policies, kinds of callers, and the services' own rules.

mod assume;
mod context;
mod explain;
mod flow;
mod reason;
mod rules;
mod situation;
mod text;

pub use assume::AssumeRoleEvaluation;
pub use context::Context;
pub use explain::{
    ExplainedLayer, ExplainedStatement, Explanation, Mismatch, Need, explain_layers, explain_trust,
};
pub use reason::{Evaluation, Layer, Reason, Rule};
pub use situation::{Situation, SituationError};

use crate::{
    arn::{ResourcePattern, Subject},
    compiled::{Compiled, CompiledStatement},
    condition::atom::{Predicate, Undefined},
    document::{Document, Effect, is_unique_id},
    elements::{ActionText, Elements},
    glob::{Inside, Pattern},
    principal::{Caller, Id, Listed, Match, Who},
    work::Work,
};

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
pub enum Decision {
    /// Every layer allows and none denies.
    Allowed,
    /// A statement denies.
    ExplicitDeny,
    /// Nothing denies, but a layer does not allow.
    ImplicitDeny,
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
    /// As spelled.
    spelled_action: &'a str,
    spelled_resource: &'a str,
    /// Lower case.
    action: ActionText,
    resource: Subject,
    /// With what is known of the caller's ids.
    principal: Option<Who<'a>>,
    /// How a Principal is read of which it is not known whether it means the caller.
    principals: Doubt,
    /// How `NotPrincipal` is read where AWS does not define whom it spares, and conditions where it does not define them;
    /// `None`: as the evaluator takes them.
    undefined: Option<Doubt>,
    context: &'a Context,
}

/// How a statement is read that may or may not be about the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// It denies and does not allow: an error is never an allow.
    Refuses,
    /// It allows and does not deny: what is asked is whether something certainly exceeds.
    Grants,
}

impl<'a> Prepared<'a> {
    pub(crate) fn new(request: &'a Request) -> Self {
        Self {
            spelled_action: &request.action,
            spelled_resource: &request.resource,
            action: ActionText::new(&request.action),
            resource: Subject::new(&request.resource),
            principal: request.principal.as_ref().map(|caller| Who {
                unique_id: unique_id(caller, &request.context),
                ..Who::new(caller)
            }),
            principals: Doubt::Refuses,
            undefined: None,
            context: &request.context,
        }
    }

    /// The same for a caller with a permissions boundary.
    pub(crate) fn bounded(mut self, bounded: bool) -> Self {
        if let Some(who) = &mut self.principal {
            who.bounded = bounded;
        }
        self
    }

    /// The same with Principals read so, of which it is not known whether they mean the caller.
    pub(crate) fn principals_read(self, principals: Doubt) -> Self {
        Self { principals, ..self }
    }

    /// The same with everything read so that is not known or not defined.
    pub(crate) fn read(self, doubt: Doubt) -> Self {
        Self {
            principals: doubt,
            undefined: Some(doubt),
            ..self
        }
    }
}

/// The unique id of the caller, which `aws:userid` has when it is given (IAM User Guide, "Principal key values"): of users
/// alone, of role sessions before the colon.
fn unique_id<'a>(caller: &Caller, context: &'a Context) -> Id<'a> {
    let Some([value]) = context.get_lower("aws:userid") else {
        return Id::Unknown;
    };
    let id = match caller {
        Caller::User { .. } => Some(value.as_str()),
        Caller::RoleSession { .. } => value.split_once(':').map(|(id, _)| id),
        _ => None,
    };
    id.filter(|id| is_unique_id(id)).map_or(Id::Unknown, Id::Is)
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
    /// Whether the statement is about the caller.
    fn is_about(&self, request: &Prepared<'_>) -> bool {
        let Some(element) = &self.principal else {
            return true;
        };
        let Some(who) = &request.principal else {
            return false;
        };
        match element.about(who) {
            Match::Yes => true,
            Match::No => false,
            Match::Maybe => {
                let by_id = || element.uncertain(who).any(Listed::is_id);
                let doubt = if element.is_negated() && !by_id() {
                    request.undefined.unwrap_or(Doubt::Refuses)
                } else {
                    request.principals
                };
                (self.effect == Effect::Deny) == (doubt == Doubt::Refuses)
            }
        }
    }

    pub(crate) fn matches(&self, request: &Prepared<'_>, work: &mut Work) -> bool {
        self.is_about(request) && self.covers(request, work)
    }

    /// Whether the statement matches, whoever asks.
    fn covers(&self, request: &Prepared<'_>, work: &mut Work) -> bool {
        let sure = self.must_be_sure(request);
        self.actions.matches_action(&request.action, work)
            && self
                .resources
                .as_ref()
                .is_none_or(|resources| self.is_about_resource(resources, request, work))
            && self.atoms.iter().all(|atom| match atom.predicate {
                Predicate::Unsaid { .. } => !sure,
                _ => atom.holds_read(request.context, self.undefined(request), work),
            })
            && self.is_attached(request)
    }

    /// Whether the resource is among these of the statement.
    fn is_about_resource(
        &self,
        resources: &Elements<ResourcePattern>,
        request: &Prepared<'_>,
        work: &mut Work,
    ) -> bool {
        let read = (
            self.must_be_sure(request),
            self.undefined(request).inside(resources.negated),
        );
        resources.matches_resource(&request.resource, request.context, read, work)
    }

    /// How conditions of the statement are read that AWS does not define.
    fn undefined(&self, request: &Prepared<'_>) -> Undefined {
        match request.undefined {
            None => Undefined::Ours,
            Some(doubt) if (self.effect == Effect::Deny) == (doubt == Doubt::Refuses) => Undefined::Holds,
            Some(_) => Undefined::Fails,
        }
    }

    /// Whether the statement matches only the resources that it matches whatever undefined constructs mean. The evaluator
    /// takes it that such a construct does not allow and does deny.
    fn must_be_sure(&self, request: &Prepared<'_>) -> bool {
        match self.undefined(request) {
            Undefined::Ours => self.effect == Effect::Allow,
            Undefined::Holds => false,
            Undefined::Fails => true,
        }
    }

    /// Whether a statement without `Resource` is about the request at all: in the policy of a KMS key it is not (KMS API
    /// reference, `PutKeyPolicy`).
    fn is_attached(&self, request: &Prepared<'_>) -> bool {
        let without_resource = || {
            self.atoms
                .iter()
                .any(|atom| atom.predicate == Predicate::Attached)
        };
        !(rules::is_key(request.spelled_resource) && without_resource())
    }
}

impl Elements<Pattern> {
    pub(crate) fn matches_action(&self, action: &ActionText, work: &mut Work) -> bool {
        let none = Context::new();
        self.near(action.group, Some(action.literal))
            .any(|pattern| pattern.matches(&action.chars, &none, work))
            != self.negated
    }
}

impl Elements<ResourcePattern> {
    /// `sure`: only what matches whatever undefined constructs mean; and how values of variables are read.
    pub(crate) fn matches_resource(
        &self,
        resource: &Subject,
        context: &Context,
        (sure, inside): (bool, Inside),
        work: &mut Work,
    ) -> bool {
        // No list that is negated has a variable in the head.
        let mut patterns = self.items.iter();
        patterns
            .any(|p| !(sure && p.has_variable_in_head()) && p.matches_read(resource, context, inside, work))
            != self.negated
    }
}
