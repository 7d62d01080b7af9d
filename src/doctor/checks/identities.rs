//! Who Deputy is in each account, and whether AWS answers it, by the conditions of AWSAccounts.

use serde_json::Value;

use crate::doctor::{
    finding::{CheckOutcome, DoctorFinding, FindingSeverity},
    look::{list, name, text},
    snapshot::DoctorSnapshot,
};

/// Reasons that are about the way to AWS.
const OF_THE_WAY: &[&str] = &["Throttled", "Unavailable", "AWSError", "RegionDisabled"];
/// Conditions that every account has, and the process that writes them.
const IDENTITIES: [(&str, &str); 3] = [
    ("IssuerReady", "broker"),
    ("ProvisionerReady", "controller"),
    ("BoundaryWriterReady", "limits"),
];

pub fn check(snapshot: &DoctorSnapshot) -> CheckOutcome {
    of_accounts(snapshot, |account, found| {
        let title = format!("AWSAccount {}", name(account));
        let conditions = list(account, "/status/conditions");
        for (kind, process) in IDENTITIES {
            if !conditions.iter().any(|one| text(one, "/type") == kind) {
                found.push(DoctorFinding::error(
                    &title,
                    format!("it has no condition {kind}: deputy {process} has not looked at it"),
                    format!("see whether the Deployment deputy-{process} runs, and what it logs"),
                ));
            }
        }
        let generation = account.pointer("/metadata/generation").and_then(Value::as_i64);
        for one in conditions {
            let (kind, status, reason) = (text(one, "/type"), text(one, "/status"), text(one, "/reason"));
            let is_of_identity = kind.ends_with("Ready") && kind != "Ready";
            if OF_THE_WAY.contains(&reason) {
                continue;
            }
            let message = format!("{kind} is {status} ({reason}): {}", text(one, "/message"));
            match (status, reason) {
                ("True", "PreviousIssuer") => found.push(DoctorFinding::warning(
                    &title,
                    message,
                    "let the broker become spec.issuer, then take it out of spec.previousIssuers",
                )),
                ("True", _) => {}
                ("False", _) if is_of_identity || kind == "Ready" => {
                    found.push(DoctorFinding::error(&title, message, fix(reason)));
                }
                ("Unknown", _) if is_of_identity || kind == "Ready" => found.push(DoctorFinding::of(
                    FindingSeverity::Unknown,
                    &title,
                    message,
                    fix(reason),
                )),
                _ => found.push(DoctorFinding::warning(&title, message, fix(reason))),
            }
            let observed = one.get("observedGeneration").and_then(Value::as_i64);
            if let (Some(observed), Some(generation)) = (observed, generation)
                && observed < generation
            {
                found.push(DoctorFinding::warning(
                    &title,
                    format!("{kind} is of its generation {observed}, and it is at {generation}"),
                    "wait a minute; if it stays, see what the process that writes it logs",
                ));
            }
        }
    })
}

/// The endpoints of STS and IAM.
pub fn endpoints(snapshot: &DoctorSnapshot) -> CheckOutcome {
    of_accounts(snapshot, |account, found| {
        let title = format!("AWSAccount {}", name(account));
        let conditions = list(account, "/status/conditions");
        for (kind, process) in IDENTITIES {
            if !conditions.iter().any(|one| text(one, "/type") == kind) {
                found.push(DoctorFinding::of(
                    FindingSeverity::Unknown,
                    &title,
                    format!("it has no condition {kind}: whether AWS answers deputy {process} is not known"),
                    format!("see whether the Deployment deputy-{process} runs, and what it logs"),
                ));
            }
        }
        let unlike_true = conditions.iter().filter(|one| text(one, "/status") != "True");
        for one in unlike_true.filter(|one| OF_THE_WAY.contains(&text(one, "/reason"))) {
            let kind = text(one, "/type");
            let which = match kind {
                "IssuerReady" | "FederationReady" => "sts",
                _ => "iam",
            };
            let at = account.pointer(&format!("/spec/endpoints/{which}"));
            let at = at.and_then(Value::as_str).map_or_else(
                || format!("AWS's own endpoint in {}", text(account, "/spec/region")),
                |at| format!("spec.endpoints.{which}, {at}"),
            );
            found.push(DoctorFinding::error(
                &title,
                format!(
                    "{kind} is {} ({}), by {at}: {}",
                    text(one, "/status"),
                    text(one, "/reason"),
                    text(one, "/message")
                ),
                "see whether pods of the release's namespace reach it (egress, proxy.httpsProxy, a VPC endpoint, a region that is switched off)",
            ));
        }
    })
}

fn of_accounts(snapshot: &DoctorSnapshot, of: impl Fn(&Value, &mut Vec<DoctorFinding>)) -> CheckOutcome {
    let mut found = Vec::new();
    match &snapshot.accounts {
        Err(why) => found.push(DoctorFinding::unknown("AWSAccounts", why)),
        Ok(accounts) if accounts.is_empty() => {
            return CheckOutcome::Skipped("there is no AWSAccount yet");
        }
        Ok(accounts) => accounts.iter().for_each(|account| of(account, &mut found)),
    }
    CheckOutcome::Looked(found)
}

fn fix(reason: &str) -> &'static str {
    match reason {
        "NoCredentials" => {
            "give the process its identity: annotations of its ServiceAccount, EKS Pod Identity or rolesAnywhere (README, Install)"
        }
        "IdentityMismatch" | "AccountMismatch" => {
            "let spec.issuer, spec.provisioner or spec.boundaryWriter name who the process is, or give it the identity that is named"
        }
        "AccessDenied" => "give the identity what `deputy bootstrap aws -f FILE` prints for it",
        "DuplicateAccount" => "delete one of the two AWSAccounts of this AWS account",
        "Orphaned" | "OrphansHeld" | "DeletionsHeld" => {
            "see status.orphans, and the annotation deputy.dev/accept-removing-orphans"
        }
        _ => "docs/operations.md says for each reason what to do",
    }
}
