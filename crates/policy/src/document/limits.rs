//! How much of a text is read.

/// Largest policy text that is read, in bytes. The largest policy that AWS itself has published, that of the service-linked
/// role of AWS Support, has 156,916; customers' own end at 131,072 characters (IAM API reference, `policyDocumentType`).
pub const MAX_TEXT_BYTES: usize = 262_144;

/// A policy nests seven deep: document, statements, statement, conditions, operator, key, values.
pub(super) const MAX_DEPTH: usize = 12;
