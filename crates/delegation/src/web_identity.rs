//! The grant of a binding by AssumeRoleWithWebIdentity: the statement of its role's trust policy, and what a pod has to know.

use std::collections::BTreeSet;

use deputy_policy::{ActionElement, Condition, Effect, Principal, PrincipalElement, Statement, Test};

use crate::{
    model::{Account, Binding, OidcProvider, RoleId, SessionMethod},
    names::{Audience, ClusterName, NamespaceName, Region, RoleArn, ServiceAccountName},
    naming,
};

/// Trust in tokens of these ServiceAccounts of a namespace: the provider, its audience, and whose token it is. All of it by
/// `StringEquals`, so nobody matches who is not written.
///
/// <https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html>
#[must_use]
pub fn statement(
    provider: &OidcProvider,
    namespace: &NamespaceName,
    accounts: &BTreeSet<&ServiceAccountName>,
) -> Statement {
    let issuer = provider.arn.issuer();
    let subjects = accounts
        .iter()
        .map(|account| format!("system:serviceaccount:{namespace}:{account}"));
    let equals = |claim: &str, values: Vec<String>| {
        Condition::new(Test::StringEquals, format!("{issuer}:{claim}"), values)
    };
    Statement {
        sid: None,
        effect: Effect::Allow,
        principal: Some(PrincipalElement::Principal(Principal::federated([provider
            .arn
            .to_string()]))),
        action: ActionElement::Action(vec!["sts:AssumeRoleWithWebIdentity".to_owned()]),
        resource: None,
        conditions: vec![
            equals("aud", vec![provider.audience.to_string()]),
            equals("sub", subjects.collect()),
        ],
    }
}

/// What an SDK has to be told to call AssumeRoleWithWebIdentity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebIdentity {
    /// `AWS_ROLE_ARN`.
    pub role: RoleArn,
    /// The audience of the token.
    pub audience: Audience,
    /// The region of the account.
    pub region: Region,
}

/// What the pods of a binding have to know; `None` when the method of its sessions is another one, or the account has no
/// provider.
#[must_use]
pub fn of(cluster: &ClusterName, account: &Account, binding: &Binding, role: &RoleId) -> Option<WebIdentity> {
    let is_method = binding.method_in(account) == SessionMethod::AssumeRoleWithWebIdentity;
    let provider = account.oidc.as_ref().filter(|_| is_method)?;
    Some(WebIdentity {
        role: naming::role_arn(cluster, account, role),
        audience: provider.audience.clone(),
        region: account.region.clone(),
    })
}
