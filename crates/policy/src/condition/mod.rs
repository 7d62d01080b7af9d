//! Conditions: operators, their spelling and what they do.

pub(crate) mod atom;
pub(crate) mod case;
pub(crate) mod value;
pub(crate) mod values;

pub use crate::ast::{Condition, Operator, SetOperator, Test};
