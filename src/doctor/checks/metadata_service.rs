//! Whether a pod here may become its node.

use crate::doctor::{
    finding::{CheckOutcome, DoctorFinding},
    snapshot::{DoctorSnapshot, MetadataAnswer},
};

pub fn check(snapshot: &DoctorSnapshot) -> CheckOutcome {
    if snapshot.metadata_service.is_empty() {
        return CheckOutcome::Skipped("asked from a pod alone, with --in-cluster");
    }
    let mut found = Vec::new();
    for (address, answer) in &snapshot.metadata_service {
        let how = match answer {
            Err(why) => {
                found.push(DoctorFinding::unknown(address, why));
                continue;
            }
            Ok(MetadataAnswer::Closed) => continue,
            Ok(MetadataAnswer::Token) => "it gives this pod a token",
            Ok(MetadataAnswer::Open) => "it answers this pod without a token",
        };
        found.push(DoctorFinding::warning(
            address,
            format!("{how}: whatever runs in such a pod may have the identity of its node, beside all limits"),
            "set the hop limit of the nodes' metadata options to 1 and require tokens, or let a NetworkPolicy keep pods from it",
        ));
    }
    CheckOutcome::Looked(found)
}
