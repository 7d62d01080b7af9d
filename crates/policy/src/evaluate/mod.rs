//! The evaluator: one request against the policies that apply.
//!
//! [`evaluate`] and [`evaluate_trust`] look at the layers they are given and nothing else. [`Situation`] is the whole of
//! AWS's decision: accounts, organisations, resource policies, kinds of callers, and the services' own rules.

mod applying;
mod assume;
mod explain;
mod flow;
mod layers;
pub(crate) mod matching;
pub(crate) mod reason;
pub(crate) mod request;
mod rules;
mod situation;
mod text;

pub use assume::CallEvaluation;
pub use explain::{
    ExplainedLayer, ExplainedStatement, Explanation, Mismatch, Need, explain_layers, explain_trust,
};
pub use layers::{evaluate, evaluate_trust};
pub use reason::{Evaluation, EvaluationReason, Layer, Rule};
pub use request::{AccessDecision, Layers, Request};
pub use situation::{Situation, SituationError};
