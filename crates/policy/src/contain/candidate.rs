//! What is compared with a ceiling, and how much work that may take.

use crate::document::Document;

/// What identity policies, a permissions boundary and session policies allow together. Each is a layer: the union of its
/// documents. A request is allowed when every layer has an Allow for it; the Denys of each hold for all.
#[derive(Debug, Clone)]
pub struct Candidate<'a> {
    /// INVARIANT: never empty, because the identity policies are the first layer. Without documents nothing is allowed.
    layers: Vec<Vec<&'a Document>>,
    budget: Budget,
}

impl<'a> Candidate<'a> {
    /// The union of these documents, such as the policies of a role.
    pub fn new(identity: &[&'a Document]) -> Self {
        Self {
            layers: vec![identity.to_vec()],
            budget: Budget::default(),
        }
    }

    /// Within this permissions boundary.
    #[must_use]
    pub fn boundary(self, boundary: &'a Document) -> Self {
        self.layer(&[boundary])
    }

    /// Within the union of these session policies. To pass none allows nothing.
    #[must_use]
    pub fn session(self, session: &[&'a Document]) -> Self {
        self.layer(session)
    }

    /// Within the union of these documents, whatever they are.
    #[must_use]
    pub fn layer(mut self, documents: &[&'a Document]) -> Self {
        self.layers.push(documents.to_vec());
        self
    }

    /// With as much work as this instead of the default.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// The layers; the identity policies are the first.
    pub(super) fn layers(&self) -> &[Vec<&'a Document>] {
        &self.layers
    }

    pub(super) fn work(&self) -> u64 {
        self.budget.updates
    }
}

/// How much work an answer may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    pub(super) updates: u64,
}

impl Budget {
    /// At most so many updates of positions in patterns, or as much other work; a few nanoseconds each. As much again may be
    /// spent on verifying what was found.
    pub const fn updates(updates: u64) -> Self {
        Self { updates }
    }
}

impl Default for Budget {
    /// Some ten milliseconds, and no input that is known takes 50: fit for an admission webhook.
    fn default() -> Self {
        Self::updates(3_000_000)
    }
}
