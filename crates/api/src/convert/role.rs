//! `AWSRole` → [`Role`].

use std::collections::BTreeSet;

use deputy_delegation::{
    ObjectName, Reason, Violations,
    model::{NamedPolicy, Role},
};
use deputy_policy::PolicyKind;

use super::{Findings, MAX_POLICIES, MIN_MAX_SESSION_SECONDS};
use crate::AWSRole;

/// Reads a role.
///
/// # Errors
/// Every field that is wrong.
pub fn parse_role(object: &AWSRole) -> Result<Role, Violations> {
    let spec = &object.spec;
    let mut findings = Findings::default();

    let id = findings.id(&object.metadata);
    let uid = findings.uid(&object.metadata);
    let account = findings.take(
        "spec.accountRef.name",
        ObjectName::new(spec.account_ref.name.as_str()),
    );

    findings.count("spec.policies", "policies", spec.policies.len(), 1, MAX_POLICIES);
    let mut names = BTreeSet::new();
    let mut policies = Vec::new();
    for (i, policy) in spec.policies.iter().enumerate().take(MAX_POLICIES) {
        let at = format!("spec.policies[{i}]");
        if !is_label(&policy.name) {
            let shown: String = policy.name.chars().take(80).collect();
            let message = format!("{shown:?} is not a lower-case DNS label of at most 63 characters");
            findings.push(Reason::Structure, format!("{at}.name"), message);
        } else if !names.insert(policy.name.as_str()) {
            let message = format!("there is another policy named {:?}", policy.name);
            findings.push(Reason::Structure, format!("{at}.name"), message);
        }
        let document = findings.document(&format!("{at}.document"), &policy.document, PolicyKind::Identity);
        policies.extend(document.map(|document| NamedPolicy {
            name: policy.name.clone(),
            document,
        }));
    }

    let max_session_duration = findings.duration(
        "spec.maxSessionDuration",
        &spec.max_session_duration,
        MIN_MAX_SESSION_SECONDS,
    );

    let role = (|| {
        Some(Role {
            id: id?,
            uid,
            account: account?,
            policies,
            max_session_duration: max_session_duration?,
        })
    })();
    findings.finish(role)
}

fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}
