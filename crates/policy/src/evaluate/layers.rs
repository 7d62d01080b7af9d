//! The layers that are given, and nothing else: no statement denies, and each layer allows.

use super::{
    matching::{DocumentOutcome, Prepared},
    reason::{Evaluation, EvaluationReason, Layer},
    request::{AccessDecision, Layers, Request},
};
use crate::{
    document::{Document, place::StatementRef},
    work::Work,
};

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
                DocumentOutcome::Denied(s) => {
                    return Evaluation {
                        decision: AccessDecision::ExplicitDeny,
                        reason: reason(
                            *layer,
                            documents,
                            Some(StatementRef {
                                document: d,
                                statement: s,
                            }),
                        ),
                    };
                }
                DocumentOutcome::Allowed(s) if first_allow.is_none() => {
                    first_allow = Some(StatementRef {
                        document: d,
                        statement: s,
                    })
                }
                DocumentOutcome::Allowed(_) | DocumentOutcome::Silent => {}
            }
        }
        allowed.push(reason(*layer, documents, first_allow));
    }
    // Only now: a Deny of a later layer counts more than a missing Allow of an earlier one.
    let silent = allowed.iter().find(|reason| reason.statement.is_none()).cloned();
    match (silent, allowed.into_iter().next()) {
        (Some(reason), _) => Evaluation {
            decision: AccessDecision::ImplicitDeny,
            reason,
        },
        (None, Some(reason)) => Evaluation {
            decision: AccessDecision::Allowed,
            reason,
        },
        (None, None) => Evaluation {
            decision: AccessDecision::ImplicitDeny,
            reason: EvaluationReason {
                layer: Layer::Identity,
                statement: None,
                sid: None,
            },
        },
    }
}

pub(super) fn reason(
    layer: Layer,
    documents: &[&Document],
    statement: Option<StatementRef>,
) -> EvaluationReason {
    let sid = statement
        .and_then(|at| {
            documents
                .get(at.document)?
                .compiled()
                .statements
                .get(at.statement)
        })
        .and_then(|statement| statement.sid.clone());
    EvaluationReason {
        layer,
        statement,
        sid,
    }
}
