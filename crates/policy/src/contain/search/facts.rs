//! What is believed of a question because of all documents together.

use super::callers::CallerFacts;
use crate::{compiled::Compiled, keys::lasting_arity, reference::condition_key::Arity};

/// What depends on all documents together: how many values keys have, as far as that is believed, and what is known of callers.
#[derive(Debug)]
pub(crate) struct SharedFacts<'a> {
    documents: Vec<&'a Compiled>,
    pub(in crate::contain) everywhere: CallerFacts<'a>,
}

impl<'a> SharedFacts<'a> {
    pub(crate) fn new(documents: impl Iterator<Item = &'a Compiled>) -> Self {
        let documents: Vec<&Compiled> = documents.collect();
        let statements = documents.iter().flat_map(|d| &d.statements);
        let principals = statements.filter_map(|statement| statement.principal.as_ref());
        Self {
            everywhere: CallerFacts::of(principals),
            documents,
        }
    }

    /// Of a key in lower case.
    pub(crate) fn of(&self, key: &str) -> Arity {
        let listed = self.documents.iter().any(|d| d.listed_keys.contains(key));
        lasting_arity(key, listed)
    }
}
