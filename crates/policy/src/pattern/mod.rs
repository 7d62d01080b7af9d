//! Patterns with `*`, `?` and variables: of texts, of ARNs, in lists, and run letter by letter.

pub(crate) mod arn;
pub(crate) mod elements;
mod fnv;
pub(crate) mod glob;
pub(crate) mod known;
pub(crate) mod track;
pub(crate) mod variable;
