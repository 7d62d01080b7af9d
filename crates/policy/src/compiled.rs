//! Documents with their patterns parsed, as the evaluator and the containment check use them.

use std::collections::BTreeSet;

use crate::{
    ast::Effect,
    condition::atom::Atom,
    pattern::{arn::ResourcePattern, elements::Elements, glob::Pattern},
    principal::naming::PrincipalList,
};

/// One statement.
#[derive(Debug, Clone)]
pub(crate) struct CompiledStatement {
    pub(crate) effect: Effect,
    pub(crate) sid: Option<String>,
    pub(crate) principal: Option<PrincipalList>,
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
    /// Keys (lower case) that some condition has `ForAllValues` or `ForAnyValue` on.
    pub(crate) listed_keys: BTreeSet<String>,
}

impl Compiled {
    pub(crate) fn new(statements: Vec<CompiledStatement>) -> Self {
        let atoms = statements.iter().flat_map(|statement| &statement.atoms);
        Self {
            listed_keys: atoms.filter_map(Atom::listed_key).map(str::to_owned).collect(),
            statements,
        }
    }
}
