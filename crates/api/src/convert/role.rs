//! `AWSRole` → [`Role`].

use std::collections::BTreeSet;

use deputy_delegation::{
    MaxSessionDuration, ObjectName, Reason, RoleArn, RolePolicyName, Violations,
    model::{
        DeletionPolicy, ExistingRole, NamedPolicy, OwnedRole, PolicyList, Revocation, Role,
        RolePoliciesError, RoleSource,
    },
    quota::{MANAGED_POLICIES_OF_ROLE, POLICIES_OF_ROLE},
};
use deputy_policy::PolicyKind;

use super::Findings;
use crate::{AWSRole, AWSRoleSpec, DeletionPolicySpec, ExistingRoleSpec, RevocationSpec, RolePermissions};

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

    let source = match &spec.existing {
        Some(existing) => existing_role(spec, existing, &mut findings).map(RoleSource::Existing),
        None => owned_role(&spec.permissions, &mut findings).map(RoleSource::Owned),
    };

    let role = (|| {
        Some(Role {
            id: id?.into(),
            uid,
            account: account?,
            source: source?,
            allowed_namespaces: None,
        })
    })();
    findings.finish(role)
}

/// A role that Deputy makes.
fn owned_role(spec: &RolePermissions, findings: &mut Findings) -> Option<OwnedRole> {
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

    let max_session_duration = match spec.max_session_duration.as_deref() {
        Some(text) => findings.duration("spec.maxSessionDuration", MaxSessionDuration::parse(text)),
        None => Some(MaxSessionDuration::HOUR),
    };
    Some(OwnedRole {
        policies: policies?,
        max_session_duration: max_session_duration?,
        deletion: match spec.deletion_policy {
            None | Some(DeletionPolicySpec::Delete) => DeletionPolicy::Delete,
            Some(DeletionPolicySpec::Retain) => DeletionPolicy::Retain,
        },
        revocation: match spec.revocation {
            None | Some(RevocationSpec::Distinguishable) => Revocation::Distinguishable,
            Some(RevocationSpec::All) => Revocation::All,
        },
    })
}

/// A role that exists. What else a role may say is its owner's.
fn existing_role(
    spec: &AWSRoleSpec,
    existing: &ExistingRoleSpec,
    findings: &mut Findings,
) -> Option<ExistingRole> {
    let permissions = &spec.permissions;
    let others = [
        ("spec.policies", permissions.policies.is_none()),
        (
            "spec.managedPolicyARNs",
            permissions.managed_policy_arns.is_none(),
        ),
        (
            "spec.maxSessionDuration",
            permissions.max_session_duration.is_none(),
        ),
        ("spec.deletionPolicy", permissions.deletion_policy.is_none()),
        ("spec.revocation", permissions.revocation.is_none()),
    ];
    for (field, _) in others.into_iter().filter(|(_, is_absent)| !is_absent) {
        let message = "is not for a role that exists (spec.existing): it is its owner's; leave it out";
        findings.push(Reason::Structure, field, message);
    }
    let arn = findings.take("spec.existing.roleARN", RoleArn::parse(&existing.role_arn))?;
    Some(ExistingRole { arn })
}
