//! As a ClusterConfig of eksctl (<https://schema.eksctl.io/>), which makes roles of pods of one cluster and writes their trust itself.

use deputy_delegation::{
    EksClusterArn,
    bootstrap::{AccountSetup, ProcessIdentity},
    quota::ROLE_INLINE_POLICIES,
};
use serde_json::{Value, json};

use super::making::Making;
use crate::exit::Failure;

/// The document, and what it has not.
pub struct ClusterConfig {
    pub text: String,
    pub missing: Vec<String>,
}

/// What makes the roles of the cluster's pods.
///
/// # Errors
/// What eksctl can't say.
pub fn cluster_config(
    making: &Making<'_>,
    cluster: &EksClusterArn,
    title: &str,
    setups: &[AccountSetup],
) -> Result<ClusterConfig, Failure> {
    let all = || setups.iter().flat_map(|setup| &setup.identities);
    let mut entries = Vec::new();
    for identity in all() {
        if let Some(account) = making.service_account(identity) {
            entries.push(entry(making, identity, account)?);
        }
    }
    let missing = all().filter(|identity| making.service_account(identity).is_none());
    let missing = missing.map(|identity| {
        format!(
            "eksctl makes roles that its cluster's ServiceAccounts get, and {} of {} is none of those: make it by another --format",
            identity.arn, identity.process
        )
    });
    let iam = match making.pod_identity {
        Some(_) => json!({"podIdentityAssociations": entries}),
        None => json!({"withOIDC": true, "serviceAccounts": entries}),
    };
    let config = json!({
        "apiVersion": "eksctl.io/v1alpha5",
        "kind": "ClusterConfig",
        "metadata": {"name": cluster.name(), "region": cluster.region().as_str()},
        "iam": iam,
    });
    let yaml = serde_saphyr::to_string(&config).map_err(Failure::process)?;
    Ok(ClusterConfig {
        text: format!("# {title}\n{yaml}"),
        missing: missing.collect(),
    })
}

fn entry(making: &Making<'_>, identity: &ProcessIdentity, account: &str) -> Result<Value, Failure> {
    let arn = &identity.arn;
    let size = identity.policy.size();
    if arn.path().as_str() != "/" {
        let message = format!("{arn}: eksctl makes roles on the path / alone; use another --format");
        return Err(Failure::input(message));
    }
    if size > ROLE_INLINE_POLICIES {
        return Err(Failure::input(format!(
            "the policy of {arn} has {size} characters; eksctl makes an inline policy of it, which has at most {ROLE_INLINE_POLICIES}: use \
             another --format"
        )));
    }
    let (namespace, policy) = (making.namespace.as_str(), identity.policy.to_value());
    Ok(match making.pod_identity {
        Some(_) => json!({
            "namespace": namespace,
            "serviceAccountName": account,
            "roleName": arn.name(),
            "permissionPolicy": policy,
        }),
        // The chart makes the ServiceAccount.
        None => json!({
            "metadata": {"name": account, "namespace": namespace},
            "roleName": arn.name(),
            "roleOnly": true,
            "attachPolicy": policy,
        }),
    })
}
