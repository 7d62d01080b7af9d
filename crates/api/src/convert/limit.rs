//! `DelegationLimit` → [`Limit`].

use std::collections::BTreeSet;

use deputy_delegation::{
    FederatedDuration, FederatedUserPattern, IamArnPattern, ManagedPolicyArn, NameError, NamespacePattern,
    ObjectName, PolicyResourcePattern, Reason, SessionDuration, Violations,
    model::{BoundaryMode, Checked, Enforcement, Limit, LimitScope},
    quota,
};
use deputy_policy::PolicyKind;
use serde_json::Value;

use super::{Findings, SESSION_TAGS, subjects};
use crate::{BoundarySpec, BoundaryType, DelegationLimit, EnforcementType};

/// Reads a limit.
///
/// # Errors
/// Every field that is wrong.
pub fn parse_limit(object: &DelegationLimit) -> Result<Limit, Violations> {
    let spec = &object.spec;
    let mut findings = Findings::default();

    let name = findings.name(&object.metadata);
    let uid = findings.uid(&object.metadata);

    findings.count(
        "spec.namespaces",
        "namespaces",
        spec.namespaces.len(),
        1..=quota::SCOPE_OF_LIMIT,
    );
    let mut namespaces = Vec::new();
    for (i, text) in spec.namespaces.iter().enumerate().take(quota::SCOPE_OF_LIMIT) {
        let at = format!("spec.namespaces[{i}]");
        namespaces.extend(findings.take(at, NamespacePattern::new(text.as_str())));
    }
    findings.count(
        "spec.accounts",
        "accounts",
        spec.accounts.len(),
        1..=quota::SCOPE_OF_LIMIT,
    );
    let mut accounts = BTreeSet::new();
    for (i, text) in spec.accounts.iter().enumerate().take(quota::SCOPE_OF_LIMIT) {
        accounts.extend(findings.take(format!("spec.accounts[{i}]"), ObjectName::new(text.as_str())));
    }

    let ceiling = findings.document("spec.ceiling", &spec.ceiling, PolicyKind::Boundary);

    let max_session_duration = findings.duration(
        "spec.session.maxDuration",
        SessionDuration::parse(&spec.session.max_duration),
    );
    let session_tags = findings.tags(SESSION_TAGS, &spec.session.tags, |f, at, values: &Vec<String>| {
        f.count(at, "values", values.len(), 1..=quota::VALUES_OF_TAG);
        let mut typed = BTreeSet::new();
        for (i, text) in values.iter().enumerate().take(quota::VALUES_OF_TAG) {
            typed.extend(f.tag_value(&format!("{at}[{i}]"), text));
        }
        Some(typed)
    });

    let federated_users = federated_users(&mut findings, &spec.federated_users);
    let resource_policies = resource_policies(&mut findings, &spec.resource_policies);
    let max_federated_duration = match spec.session.max_federated_duration.as_deref() {
        Some(text) => findings.duration(
            "spec.session.maxFederatedDuration",
            FederatedDuration::parse(text),
        ),
        None => max_session_duration.map(Into::into),
    };
    let existing_roles = existing_roles(&mut findings, &spec.existing_roles);
    let boundary = boundary(&mut findings, &spec.boundary);
    let acknowledge_escalation = acknowledged(&mut findings, &spec.acknowledge_escalation);

    let managed_policies = managed_policies(&mut findings, &spec.managed_policies);
    let subjects = subjects::rules(&mut findings, spec);

    let methods = spec.session.methods.iter();
    let limit = (|| {
        Some(Limit {
            name: name?,
            uid,
            scope: LimitScope { namespaces, accounts },
            enforcement: spec.enforcement.into(),
            ceiling: ceiling?,
            boundary: boundary?,
            max_session_duration: max_session_duration?,
            session_methods: methods.map(|method| (*method).into()).collect(),
            session_tags,
            acknowledge_escalation,
            managed_policies,
            existing_roles,
            federated_users,
            resource_policies,
            max_federated_duration: max_federated_duration?,
            allow_retain: spec.roles.allow_retain,
            allow_host_network: spec.pods.allow_host_network,
            subjects,
            checked: Checked::default(),
        })
    })();
    findings.finish(limit)
}

fn federated_users(findings: &mut Findings, texts: &[String]) -> BTreeSet<FederatedUserPattern> {
    let max = quota::FEDERATED_USERS_OF_LIMIT;
    patterns(
        "spec.federatedUsers",
        texts,
        max,
        FederatedUserPattern::new,
        findings,
    )
}

fn resource_policies(findings: &mut Findings, texts: &[String]) -> BTreeSet<PolicyResourcePattern> {
    let max = quota::RESOURCE_POLICIES_OF_LIMIT;
    patterns(
        "spec.resourcePolicies",
        texts,
        max,
        PolicyResourcePattern::new,
        findings,
    )
}

/// Patterns of one kind, as many as there may be.
fn patterns<T: Ord>(
    field: &str,
    texts: &[String],
    max: usize,
    new: impl Fn(String) -> Result<T, NameError>,
    findings: &mut Findings,
) -> BTreeSet<T> {
    findings.count(field, "patterns", texts.len(), 0..=max);
    let texts = texts.iter().enumerate().take(max);
    texts
        .filter_map(|(i, text)| findings.take(format!("{field}[{i}]"), new(text.clone())))
        .collect()
}

fn existing_roles(findings: &mut Findings, patterns: &[String]) -> BTreeSet<IamArnPattern> {
    let max = quota::EXISTING_ROLES_OF_LIMIT;
    patterns_on("role", "spec.existingRoles", patterns, max, findings)
}

fn managed_policies(findings: &mut Findings, patterns: &[String]) -> BTreeSet<IamArnPattern> {
    let max = quota::MANAGED_POLICIES_OF_LIMIT;
    patterns_on("policy", "spec.managedPolicies", patterns, max, findings)
}

/// Patterns on ARNs of this kind of entity (`policy`, `role`), and on nothing else.
fn patterns_on(
    entity: &str,
    field: &str,
    patterns: &[String],
    max: usize,
    findings: &mut Findings,
) -> BTreeSet<IamArnPattern> {
    findings.count(field, "patterns", patterns.len(), 0..=max);
    let mut typed = BTreeSet::new();
    for (i, text) in patterns.iter().enumerate().take(max) {
        let at = format!("{field}[{i}]");
        match findings.take(&at, IamArnPattern::new(text.as_str())) {
            Some(pattern) if !pattern.is_of(entity) => {
                let message =
                    format!("is a pattern on other ARNs than arn:<partition>:iam::<account>:{entity}/…");
                findings.push(Reason::Structure, at, message);
            }
            found => typed.extend(found),
        }
    }
    typed
}

fn boundary(findings: &mut Findings, spec: &BoundarySpec) -> Option<BoundaryMode> {
    let field = "spec.boundary.policyARN";
    let mode = match (spec.type_, &spec.policy_arn) {
        (BoundaryType::Generated, None) => BoundaryMode::Generated,
        (BoundaryType::CheckOnly, None) => BoundaryMode::CheckOnly,
        (BoundaryType::Reference, Some(arn)) => {
            return findings
                .take(field, ManagedPolicyArn::parse(arn))
                .map(BoundaryMode::Reference);
        }
        (BoundaryType::Reference, None) => {
            findings.push(
                Reason::Structure,
                field,
                "boundary type Reference needs it".to_owned(),
            );
            return None;
        }
        (BoundaryType::Generated | BoundaryType::CheckOnly, Some(_)) => {
            findings.push(
                Reason::Structure,
                field,
                "only boundary type Reference takes it".to_owned(),
            );
            return None;
        }
    };
    Some(mode)
}

/// `service:action` patterns, lower case, as decisions compare them.
fn acknowledged(findings: &mut Findings, actions: &[String]) -> BTreeSet<String> {
    let field = "spec.acknowledgeEscalation";
    findings.count(field, "actions", actions.len(), 0..=quota::ACKNOWLEDGED_OF_LIMIT);
    let mut typed = BTreeSet::new();
    for (i, action) in actions.iter().enumerate().take(quota::ACKNOWLEDGED_OF_LIMIT) {
        let good = action.len() <= 128
            && (action == "*"
                || action.split_once(':').is_some_and(|(service, name)| {
                    !service.is_empty()
                        && service.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                        && !name.is_empty()
                        && name
                            .bytes()
                            .all(|b| b.is_ascii_alphanumeric() || b == b'*' || b == b'?')
                }));
        if good {
            typed.insert(action.to_ascii_lowercase());
        } else {
            let shown: String = action.chars().take(80).collect();
            let message = format!("{shown:?} is not an action such as iam:PassRole");
            findings.push(Reason::Structure, format!("{field}[{i}]"), message);
        }
    }
    typed
}

impl From<EnforcementType> for Enforcement {
    fn from(type_: EnforcementType) -> Self {
        match type_ {
            EnforcementType::Enforce => Self::Enforce,
            EnforcementType::DryRun => Self::DryRun,
        }
    }
}

/// Whether a limit refuses what it covers, read from the raw object: for a limit that can't be read otherwise. Whatever is not the
/// word for a dry run refuses.
#[must_use]
pub fn enforcement_of(object: &Value) -> Enforcement {
    let word = object.pointer("/spec/enforcement").and_then(Value::as_str);
    if word == Some("DryRun") {
        Enforcement::DryRun
    } else {
        Enforcement::Enforce
    }
}

/// Where a limit applies, read from the raw object: for a limit that can't be read otherwise, and still limits.
///
/// `None` when any part of the scope can't be read either. Guessing from the rest would leave out what the broken
/// part was meant to cover.
#[must_use]
pub fn scope_of(object: &Value) -> Option<LimitScope> {
    let strings = |field: &str| -> Option<Vec<&str>> {
        let list = object.get("spec")?.get(field)?.as_array()?;
        let list: Vec<&str> = list.iter().map(Value::as_str).collect::<Option<_>>()?;
        (!list.is_empty()).then_some(list)
    };
    let namespaces: Result<Vec<_>, _> = strings("namespaces")?
        .into_iter()
        .map(NamespacePattern::new)
        .collect();
    let accounts: Result<BTreeSet<_>, _> = strings("accounts")?.into_iter().map(ObjectName::new).collect();
    Some(LimitScope {
        namespaces: namespaces.ok()?,
        accounts: accounts.ok()?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_limit_says_nothing_of_host_networks_unless_it_allows_them() {
        for (pods, meant) in [
            (json!(null), false),
            (json!({}), false),
            (json!({"allowHostNetwork": false}), false),
            (json!({"allowHostNetwork": true}), true),
        ] {
            let mut object = json!({
                "apiVersion": "deputy.dev/v1alpha1", "kind": "DelegationLimit",
                "metadata": {"name": "payments", "uid": "11111111-1111-1111-1111-111111111111"},
                "spec": {
                    "namespaces": ["payments"], "accounts": ["production"],
                    "ceiling": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
                }
            });
            if !pods.is_null() {
                object["spec"]["pods"] = pods;
            }
            let object: DelegationLimit = serde_json::from_value(object).unwrap();
            assert_eq!(parse_limit(&object).unwrap().allow_host_network, meant);
        }
    }
}
