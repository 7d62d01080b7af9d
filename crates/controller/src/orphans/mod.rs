//! IAM roles without an object: those that were given up so that a namespace could go (`give_up`), those that were left because too many were
//! to be deleted at once (`brake`), and whatever else a listing of the account shows that nothing explains (`sweep`, pure). What there is of
//! them stands in the status of the AWSAccount (`record`), which no tenant can delete.

mod brake;
mod give_up;
mod record;
mod sweep;
#[cfg(test)]
mod tests;

pub use self::{
    brake::{DeletionBrake, DeletionEnd},
    give_up::{GiveUps, TriedFor},
    record::{HeldDeletion, Orphan, SweptRound, facts, hold, not_listed, note, swept},
    sweep::{LOOKS, ObservedOrphan, OrphanFacts, SweepPlan, SweepScope, UnexplainedRole, sweep},
};
