#![doc = include_str!("../README.md")]

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
mod text;
mod work;

pub use ast::{
    ActionElement, Condition, Effect, Operator, PolicyKind, Principal, PrincipalElement, ResourceElement,
    SetOperator, Statement, Test, Version,
};
pub use contain::{
    Budget, Certificate, CheckError, Containment, UnknownKind, UnknownReason, Witness, check, contains,
    contains_layers, contains_within, unverified_certificates,
};
pub use context::Context;
pub use document::{Code, Document, Locator, ParseError, ParseErrorKind, ParseErrors, Severity};
pub use evaluate::{
    AssumeRoleEvaluation, Decision, Evaluation, Explanation, Layer, Layers, Reason, Request, Rule, Situation,
    SituationError, evaluate, evaluate_trust, explain_layers, explain_trust,
};
pub use impossible::impossible;
pub use lint::{
    Escalation, Lint, TAGS_OF_DEPUTY, TAGS_WITHIN_NAMESPACE, TagVariable, escalation, lint, tag_variables,
};
pub use principal::{Account, Caller, Named};
