//! What all documents say together.

use std::collections::{BTreeSet, HashSet};

use super::{principals, source::CandidateLayers};
use crate::{ast::Statement, document::Document};

/// What all documents say together.
pub(super) struct SharedBeliefs<'a> {
    /// Keys (lower case) that some condition has a set operator on.
    pub(super) listed: HashSet<String>,
    /// Where callers are.
    pub(super) partitions: BTreeSet<&'a str>,
    /// Roles that may have any path.
    pub(super) wandering: HashSet<String>,
}

impl<'a> SharedBeliefs<'a> {
    pub(super) fn of(layers: CandidateLayers<'a>, ceiling: &'a Document) -> Self {
        let documents = layers
            .iter()
            .flat_map(|layer| layer.iter().copied())
            .chain([ceiling]);
        let statements: Vec<&Statement> = documents.flat_map(Document::statements).collect();
        let conditions = statements.iter().flat_map(|statement| &statement.conditions);
        let listed = conditions.filter(|condition| condition.operator.set.is_some());
        let principals = statements
            .iter()
            .filter_map(|statement| statement.principal.as_ref());
        Self {
            listed: listed.map(|condition| condition.key.to_lowercase()).collect(),
            partitions: principals::partitions(principals.clone()),
            wandering: principals::wandering(principals),
        }
    }
}
