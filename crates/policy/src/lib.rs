#![doc = include_str!("../README.md")]

mod arn;
mod compiled;
pub mod condition;
pub mod contain;
pub mod document;
mod elements;
pub mod evaluate;
mod glob;
mod helm;
mod keys;
pub mod lint;
mod positions;
mod principal;
pub mod reference;
mod variable;
mod work;

pub use condition::{Condition, Operator, SetOperator, Test};
pub use contain::{
    Budget, Certificate, CheckError, Containment, UnknownKind, UnknownReason, Witness, check, contains,
    contains_layers, contains_within, unverified_certificates,
};
pub use document::{
    ActionElement, Code, Document, Effect, Locator, ParseError, ParseErrorKind, ParseErrors, PolicyKind,
    Principal, PrincipalElement, ResourceElement, Severity, Statement, Version,
};
pub use evaluate::{
    AssumeRoleEvaluation, Context, Decision, Evaluation, Explanation, Layer, Layers, Reason, Request, Rule,
    Situation, SituationError, evaluate, evaluate_trust, explain_layers, explain_trust,
};
pub use lint::{
    Escalation, Lint, TAGS_OF_DEPUTY, TAGS_WITHIN_NAMESPACE, TagVariable, escalation, lint, tag_variables,
};
pub use principal::{Account, Caller, Named};
