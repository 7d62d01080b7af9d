//! Documents with their patterns parsed, as the evaluator and the containment check use them.

use crate::{
    arn::ResourcePattern,
    condition::atom::Atom,
    document::{Effect, PrincipalElement},
    elements::Elements,
    glob::Pattern,
};

/// One statement.
#[derive(Debug, Clone)]
pub(crate) struct CompiledStatement {
    pub(crate) effect: Effect,
    pub(crate) sid: Option<String>,
    pub(crate) principal: Option<PrincipalElement>,
    /// Lower-cased patterns.
    pub(crate) actions: Elements<Pattern>,
    /// `None` in trust policies. A statement of a resource policy that has none is about every resource, on the condition
    /// [`Predicate::Attached`](crate::condition::atom::Predicate::Attached).
    pub(crate) resources: Option<Elements<ResourcePattern>>,
    pub(crate) atoms: Vec<Atom>,
}

/// A document.
#[derive(Debug, Clone)]
pub(crate) struct Compiled {
    pub(crate) statements: Vec<CompiledStatement>,
}
