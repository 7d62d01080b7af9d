//! `AWSRole` → [`Role`].

use std::collections::BTreeSet;

use deputy_delegation::{
    MaxSessionDuration, ObjectName, RolePolicyName, Violations,
    model::{NamedPolicy, OwnedRole, PolicyList, Role, RolePoliciesError, RoleSource},
    quota::{MANAGED_POLICIES_OF_ROLE, POLICIES_OF_ROLE},
};
use deputy_policy::PolicyKind;

use super::Findings;
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

    if let Some(listed) = &spec.policies {
        findings.count("spec.policies", "policies", listed.len(), 1..=POLICIES_OF_ROLE);
    }
    let managed = findings.managed_policies(
        "spec.managedPolicyARNs",
        spec.managed_policy_arns.as_ref(),
        MANAGED_POLICIES_OF_ROLE,
    );
    let mut policies = PolicyList::default();
    let mut names = BTreeSet::new();
    let listed = spec.policies.iter().flatten();
    for (i, policy) in listed.enumerate().take(POLICIES_OF_ROLE) {
        let at = format!("spec.policies[{i}]");
        let name = findings.take(format!("{at}.name"), RolePolicyName::new(policy.name.as_str()));
        let document = findings.document(&format!("{at}.document"), &policy.document, PolicyKind::Identity);
        let Some(name) = name else { continue };
        // A name that is taken is said beside whatever is wrong with the document.
        let pushed = match document {
            _ if !names.insert(name.clone()) => Err(RolePoliciesError::Repeated(name)),
            Some(document) => policies.push(NamedPolicy { name, document }),
            None => Ok(()),
        };
        findings.take(format!("{at}.name"), pushed);
    }
    // What is wrong with one of them has been said.
    let policies = if findings.is_empty() {
        findings.take("spec.policies", policies.finish(managed))
    } else {
        None
    };

    let max_session_duration = findings.duration(
        "spec.maxSessionDuration",
        MaxSessionDuration::parse(&spec.max_session_duration),
    );

    let role = (|| {
        Some(Role {
            id: id?.into(),
            uid,
            account: account?,
            source: RoleSource::Owned(OwnedRole {
                policies: policies?,
                max_session_duration: max_session_duration?,
            }),
        })
    })();
    findings.finish(role)
}
