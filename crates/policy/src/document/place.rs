//! Where a statement stands.

/// A statement of one of several documents, such as the policies of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StatementRef {
    /// Index of the document, from 0.
    pub document: usize,
    /// Index of the statement in the document, from 0.
    pub statement: usize,
}
