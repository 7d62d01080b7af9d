//! The IAM policy language: documents and their dialect, an evaluator, a containment check and lints.
//!
//! Pure: no I/O, no clock, no Kubernetes, no AWS SDK. The rules come from the AWS IAM User Guide; where AWS leaves a
//! construct undefined, the dialect refuses it instead of guessing.
//!
//! * [`Document`] is a parsed and checked policy; [`Document::to_json`] is the canonical form that is sent to AWS.
//! * [`Situation`] decides one request as AWS does, with resource policies, accounts and organisations, and explains the
//!   decision; [`evaluate()`] looks at identity, boundary and session policies only, [`evaluate_trust`] at a trust policy.
//! * [`contains`] says whether everything that a candidate allows is allowed by a ceiling.
//! * [`escalation`] and [`tag_variables`] are the lints for ceilings.

mod arn;
mod compiled;
pub mod condition;
pub mod contain;
pub mod document;
mod elements;
pub mod evaluate;
mod glob;
mod keys;
pub mod lint;
mod positions;
mod principal;
mod variable;
mod work;

pub use condition::{Condition, Operator, SetOperator, Test};
pub use contain::{
    Budget, Certificate, CheckError, Containment, UnknownKind, UnknownReason, Witness, check, contains,
    contains_layers, contains_within,
};
pub use document::{
    ActionElement, Document, Effect, ParseError, ParseErrorKind, ParseErrors, PolicyKind, Principal,
    PrincipalElement, ResourceElement, Statement, Version,
};
pub use evaluate::{
    AssumeRoleEvaluation, Context, Decision, Evaluation, Explanation, Layer, Layers, Reason, Request, Rule,
    Situation, SituationError, evaluate, evaluate_trust, explain_layers, explain_trust,
};
pub use lint::{Escalation, TagVariable, escalation, tag_variables};
pub use principal::{Account, Caller, Named};
