//! The parts of a certificate, for `deputy-policy-testing`: it forges certificates and shows what they say. No program is
//! built with the feature `testing`.

use super::certificate::Certificate;
pub use super::{
    bits::Bits,
    certificate::{
        CaseEvidence, CaseNode, CaseTree, CertificateEntry, Combination, Goal, Indices, KeyEvidence,
        LayerStatementRef, NextCase, Picks, ProductState, Proof, Used,
    },
};
pub use crate::pattern::track::VariableCase;

impl Certificate {
    /// What it rests on.
    pub fn to_entries(&self) -> Vec<CertificateEntry> {
        self.entries.clone()
    }

    /// A certificate that rests on these, whatever they are worth: [`check`](super::check()) tells.
    pub fn from_entries(entries: Vec<CertificateEntry>) -> Self {
        Self { entries }
    }
}
