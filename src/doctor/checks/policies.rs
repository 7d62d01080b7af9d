//! What holds while no webhook answers.

use crate::doctor::{
    finding::{CheckOutcome, DoctorFinding, UPGRADE},
    look::{list, of_object, text},
    snapshot::{DoctorSnapshot, POLICIES},
};

pub fn check(snapshot: &DoctorSnapshot) -> CheckOutcome {
    let mut found = Vec::new();
    for policy in POLICIES {
        let title = format!("ValidatingAdmissionPolicy {policy}");
        found.extend(of_object(
            snapshot,
            "ValidatingAdmissionPolicy",
            policy,
            UPGRADE,
            |object| {
                let warnings = list(object, "/status/typeChecking/expressionWarnings");
                let told = warnings.iter().map(|warning| {
                    let (field, why) = (text(warning, "/fieldRef"), text(warning, "/warning"));
                    DoctorFinding::warning(
                        &title,
                        format!(
                            "the API server says of {field}: {}",
                            why.lines().next().unwrap_or_default()
                        ),
                        "report it: the API server may be another one than was tried",
                    )
                });
                told.collect()
            },
        ));
        let binding = "ValidatingAdmissionPolicyBinding";
        found.extend(of_object(snapshot, binding, policy, UPGRADE, |object| {
            let denies = list(object, "/spec/validationActions")
                .iter()
                .any(|action| action == "Deny");
            match denies && text(object, "/spec/policyName") == policy {
                true => Vec::new(),
                false => vec![DoctorFinding::error(
                    &format!("{binding} {policy}"),
                    "it does not deny by the policy of its name",
                    UPGRADE,
                )],
            }
        }));
    }
    CheckOutcome::Looked(found)
}
