//! What is nearly full, by what statuses say.

use deputy_delegation::quota::INSTANCES_OF_CLUSTER_ROLE;
use serde_json::Value;

use crate::doctor::{
    finding::{CheckOutcome, DoctorFinding, FindingSeverity},
    look::{list, name},
    snapshot::DoctorSnapshot,
};

/// From so many hundredths on there is a warning.
const NEAR: i64 = 90;

pub fn check(snapshot: &DoctorSnapshot) -> CheckOutcome {
    let mut found = Vec::new();
    match &snapshot.accounts {
        Ok(accounts) => accounts
            .iter()
            .for_each(|account| of_account(account, &mut found)),
        Err(why) => found.push(DoctorFinding::unknown("AWSAccounts", why)),
    }
    match &snapshot.cluster_roles {
        Ok(roles) => roles.iter().for_each(|role| of_cluster_role(role, &mut found)),
        Err(why) => found.push(DoctorFinding::unknown("ClusterAWSRoles", why)),
    }
    match &snapshot.limits {
        Ok(limits) => limits.iter().for_each(|limit| of_limit(limit, &mut found)),
        Err(why) => found.push(DoctorFinding::unknown("DelegationLimits", why)),
    }
    CheckOutcome::Looked(found)
}

fn of_account(account: &Value, found: &mut Vec<DoctorFinding>) {
    let title = format!("AWSAccount {}", name(account));
    for (what, words) in [("roles", "IAM roles"), ("policies", "customer managed policies")] {
        let number = |field: &str| {
            let value = account.pointer(&format!("/status/quotas/{what}/{field}"));
            value.and_then(Value::as_i64)
        };
        let (Some(used), Some(quota)) = (number("used"), number("quota")) else {
            found.push(DoctorFinding::of(
                FindingSeverity::Unknown,
                &title,
                format!("it is not known how many {words} it has and may have: status.quotas does not say"),
                "let deputy controller call iam:GetAccountSummary (`deputy bootstrap aws -f FILE` prints it), and see the condition ProvisionerReady",
            ));
            continue;
        };
        let message = format!("it has {used} of {quota} {words} that it may have");
        let fix = "ask AWS for more (Service Quotas, IAM), or delete what nobody uses";
        if used >= quota {
            found.push(DoctorFinding::error(&title, message, fix));
        } else if used.saturating_mul(100) >= quota.saturating_mul(NEAR) {
            found.push(DoctorFinding::warning(&title, message, fix));
        }
    }
    let orphans = account.pointer("/status/orphans/count").and_then(Value::as_i64);
    if let Some(count) = orphans.filter(|count| *count > 0) {
        found.push(DoctorFinding::warning(
            &title,
            format!("AWS has {count} IAM roles of this cluster without an object"),
            "see status.orphans: they go by themselves, or with the annotation deputy.dev/accept-removing-orphans",
        ));
    }
}

/// What nobody has looked at yet may be full.
fn without_status(title: &str, process: &str) -> DoctorFinding {
    DoctorFinding::of(
        FindingSeverity::Unknown,
        title,
        format!("it has no status: deputy {process} has not looked at it"),
        format!("see whether the Deployment deputy-{process} runs, and what it logs"),
    )
}

fn of_cluster_role(role: &Value, found: &mut Vec<DoctorFinding>) {
    if role.get("status").is_none() {
        let title = format!("ClusterAWSRole {}", name(role));
        return found.push(without_status(&title, "controller"));
    }
    let count = list(role, "/status/instances").len();
    if count * 100 >= INSTANCES_OF_CLUSTER_ROLE * 90 {
        found.push(DoctorFinding::warning(
            &format!("ClusterAWSRole {}", name(role)),
            format!("it is {count} IAM roles of the {INSTANCES_OF_CLUSTER_ROLE} that one may be"),
            "make another ClusterAWSRole for further namespaces",
        ));
    }
}

fn of_limit(limit: &Value, found: &mut Vec<DoctorFinding>) {
    if limit.get("status").is_none() {
        let title = format!("DelegationLimit {}", name(limit));
        return found.push(without_status(&title, "limits"));
    }
    for boundary in list(limit, "/status/boundaries") {
        let Some(problem) = boundary.get("problem") else {
            continue;
        };
        let said = |field: &str| problem.get(field).and_then(Value::as_str).unwrap_or_default();
        if said("reason") == "QuotaExceeded" {
            found.push(DoctorFinding::error(
                &format!("DelegationLimit {}", name(limit)),
                format!("its boundary has no room in AWS: {}", said("message")),
                "ask AWS for more, or shorten the ceiling",
            ));
        }
    }
}
