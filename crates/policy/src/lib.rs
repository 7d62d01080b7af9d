#![doc = include_str!("../README.md")]
//!
//! # Invariants
//!
//! - Nothing here knows a network, a file, a clock or Kubernetes: `the_pure_crates_ask_no_clock_file_or_socket`.
//! - An error is never an allow: `Containment` and `AccessDecision` have no default: `no_decision_has_a_default`.
//! - *Contained* is answered on a certificate that the checker has verified: `no_forged_certificate_proves_what_exceeds`,
//!   `no_sampled_request_contradicts_contained`.
//! - *Exceeds* is answered with a request that the evaluator has confirmed:
//!   `a_witness_is_possible_and_convinces_both_evaluators`.
//! - What is accepted as a document is written and read again as the same document:
//!   `canonical_json_parses_to_the_same_document`.
//! - Texts, work and memory are bounded: `work_runs_out`.

mod ast;
mod compiled;
pub mod condition;
pub mod contain;
mod context;
pub mod document;
pub mod evaluate;
mod helm;
mod impossible;
mod keys;
pub mod lint;
mod pattern;
mod principal;
pub mod reference;
mod seal;
pub mod session;
mod text;
mod work;

pub use ast::{
    ActionElement, Condition, Effect, Operator, PolicyKind, Principal, PrincipalElement, ResourceElement,
    SetOperator, Statement, Test, Version,
};
pub use contain::{
    Budget, Candidate, Certificate, CheckError, Containment, UnknownKind, UnknownReason, Witness, check,
    contains, unverified_certificates,
};
pub use context::Context;
pub use document::{
    Code, Document, Locator, ParseError, ParseErrorKind, ParseErrors, Severity, StatementRef,
};
pub use evaluate::{
    AccessDecision, CallEvaluation, Evaluation, EvaluationReason, Explanation, Layer, Layers, Request, Rule,
    Situation, SituationError, evaluate, evaluate_trust, explain_layers, explain_trust,
};
pub use impossible::{impossible, impossible_anywhere};
pub use lint::{
    Escalation, EscalationKind, Lint, TAGS_OF_DEPUTY, TAGS_WITHIN_NAMESPACE, TagVariable, escalation, lint,
    tag_variables, unless_meant,
};
pub use principal::{AwsAccount, Caller, Named};
pub use seal::{Seal, SealedAllow, seal};
pub use session::{SessionQuestion, SessionWay};
