//! The crate's answers, in the words of the second evaluator, and both side by side.

use deputy_policy::{
    Caller, Containment, Decision, Document, Layers, PolicyKind, Request, check, contains_layers, evaluate,
    evaluate_trust,
};
use serde_json::Value;

use super::naive::{self, Answer, Ask, Keys};

/// The answer of the containment check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Contained,
    /// The checker refuses the certificate.
    Unproved(String),
    /// The witness, and whether its caller has a permissions boundary.
    Exceeds(Box<Request>, bool),
    /// Why.
    Unknown(String),
}

impl Verdict {
    pub fn exceeds(&self) -> bool {
        matches!(self, Self::Exceeds(..))
    }
}

/// Whether the layers stay within the ceiling.
pub fn contain(layers: &[&[&Document]], ceiling: &Document) -> Verdict {
    match contains_layers(layers, ceiling) {
        Containment::Contained(certificate) => match check(&certificate, layers, ceiling) {
            Ok(()) => Verdict::Contained,
            Err(why) => Verdict::Unproved(why.to_string()),
        },
        Containment::Exceeds(w) => Verdict::Exceeds(
            Box::new(Request {
                action: w.action,
                resource: w.resource,
                principal: w.principal,
                context: w.context,
            }),
            w.bounded,
        ),
        Containment::Unknown(reason) => Verdict::Unknown(reason.to_string()),
    }
}

/// What the crate's evaluator says of documents that stand in layers.
pub fn decide(layers: &[&[&Document]], request: &Request) -> Answer {
    let evaluation = match layers {
        [[one]] if one.kind() == PolicyKind::Trust => evaluate_trust(one, request),
        [identity] => evaluate(
            &Layers {
                identity,
                ..Layers::default()
            },
            request,
        ),
        [identity, [boundary]] => {
            let boundary = Some(*boundary);
            evaluate(
                &Layers {
                    identity,
                    boundary,
                    ..Layers::default()
                },
                request,
            )
        }
        [identity, [boundary], session] => evaluate(
            &Layers {
                identity,
                boundary: Some(boundary),
                session: Some(session),
            },
            request,
        ),
        other => panic!("{} layers", other.len()),
    };
    match evaluation.decision {
        Decision::Allowed => Answer::Allowed,
        Decision::ExplicitDeny => Answer::ExplicitDeny,
        Decision::ImplicitDeny => Answer::ImplicitDeny,
    }
}

/// What the second evaluator says to the same.
pub fn decide_naively(layers: &[Vec<Value>], request: &Request, bounded: bool) -> Answer {
    let layers: Vec<Vec<&Value>> = layers.iter().map(|layer| layer.iter().collect()).collect();
    asked(request, bounded, |ask| naive::decide(&layers, ask))
}

/// The request in the words of the second evaluator.
pub fn asked<T>(request: &Request, bounded: bool, run: impl FnOnce(&Ask<'_>) -> T) -> T {
    let context: Keys = request
        .context
        .iter()
        .map(|(key, values)| (key.to_lowercase(), values.to_vec()))
        .collect();
    let caller = request.principal.as_ref().map(Caller::to_string);
    let of_user = match &request.principal {
        Some(Caller::FederatedUser { of_user, .. }) => of_user.as_deref(),
        _ => None,
    };
    run(&Ask {
        action: &request.action,
        resource: &request.resource,
        caller: caller.as_deref(),
        of_user,
        bounded,
        context: &context,
    })
}
