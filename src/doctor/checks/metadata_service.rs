//! Whether a pod here may become its node.

use crate::doctor::{
    finding::{CheckOutcome, DoctorFinding},
    snapshot::{DoctorSnapshot, MetadataAnswer},
};

pub fn check(snapshot: &DoctorSnapshot) -> CheckOutcome {
    let object = "169.254.169.254";
    let how = match &snapshot.metadata_service {
        None => return CheckOutcome::Skipped("asked from a pod alone, with --in-cluster"),
        Some(Err(why)) => return CheckOutcome::Looked(vec![DoctorFinding::unknown(object, why)]),
        Some(Ok(MetadataAnswer::Closed)) => return CheckOutcome::Looked(Vec::new()),
        Some(Ok(MetadataAnswer::Token)) => "it gives this pod a token",
        Some(Ok(MetadataAnswer::Open)) => "it answers this pod without a token",
    };
    CheckOutcome::Looked(vec![DoctorFinding::warning(
        object,
        format!("{how}: whatever runs in such a pod may have the identity of its node, beside all limits"),
        "set the hop limit of the nodes' metadata options to 1 and require tokens, or let a NetworkPolicy keep pods from it",
    )])
}
