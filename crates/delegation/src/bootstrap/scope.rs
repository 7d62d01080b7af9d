//! What the identities of an account are called, and what their policies are narrowed to.

use std::collections::BTreeSet;

use deputy_policy::{Condition, Test};

use crate::{
    boundary,
    model::{Account, AssumeRole, BoundaryMode, Limit},
    names::{
        AccountId, ClusterName, FromValidParts, IamPath, IssuerArn, Partition, RoleArn, RoleName, UserArn,
    },
    naming,
};

use super::resource_policies::{PolicyResources, policy_resources};

/// The name of the identity of `deputy broker`.
pub const BROKER: &str = "deputy-broker";
/// The name of the identity with which `deputy controller` writes roles.
pub const PROVISIONER: &str = "deputy-provisioner";
/// The name of the identity with which `deputy limits` writes boundary policies.
pub const BOUNDARY_WRITER: &str = "deputy-boundary-writer";

/// The name of the identity of `deputy controller`, where all that it does is to become what the accounts name.
pub const CONTROLLER: &str = "deputy-controller";
/// The name of the identity of `deputy limits`, likewise.
pub const LIMITS: &str = "deputy-limits";

/// What everything here is narrowed to.
pub(super) struct Scope {
    cluster: String,
    account: AccountId,
    /// `arn:…:role/deputy/<cluster>/*`
    pub(super) roles: String,
    /// Roles that exist and may be bound, as IAM writes such patterns.
    pub(super) existing: Vec<String>,
    /// `arn:…:policy/deputy/<cluster>/limits/*`
    pub(super) limits: String,
    /// Those of AWS, and the account's.
    pub(super) managed_policies: [String; 2],
    /// Boundaries that somebody else writes.
    pub(super) referenced: Vec<String>,
    /// Whether sessions of people get a source identity.
    pub(super) names_people: bool,
    /// Resources whose policies may have statements.
    pub(super) resource_policies: PolicyResources,
}

impl Scope {
    pub(super) fn new(cluster: &ClusterName, account: &Account, limits: &[Limit]) -> Self {
        let here = || {
            let of_account = |limit: &&Limit| limit.scope.accounts.contains(&account.name);
            limits.iter().filter(of_account)
        };
        let patterns: BTreeSet<String> = here()
            .flat_map(|limit| &limit.existing_roles)
            .filter_map(|pattern| pattern.roles_in(&account.partition, &account.id))
            .collect();
        let referenced: BTreeSet<String> = here()
            .filter(|limit| boundary::problem(cluster, account, limit).is_none())
            .filter_map(|limit| match &limit.boundary {
                BoundaryMode::Reference(policy) => Some(policy.to_string()),
                BoundaryMode::Generated | BoundaryMode::CheckOnly => None,
            })
            .collect();
        let in_account = format!("arn:{}:iam::{}", account.partition, account.id);
        Self {
            cluster: cluster.to_string(),
            account: account.id.clone(),
            roles: format!("{in_account}:role{}*", naming::role_path(cluster)),
            existing: patterns.into_iter().collect(),
            limits: format!("{in_account}:policy{}*", naming::limit_path(cluster)),
            managed_policies: [
                format!("arn:{}:iam::aws:policy/*", account.partition),
                format!("{in_account}:policy/*"),
            ],
            referenced: referenced.into_iter().collect(),
            names_people: account.names_people,
            resource_policies: policy_resources(account, here()),
        }
    }

    /// The role or policy that is there carries the cluster's tag.
    pub(super) fn ours(&self) -> Condition {
        let key = format!("aws:ResourceTag/{}", naming::TAG_CLUSTER);
        Condition::new(Test::StringEquals, key, [self.cluster.clone()])
    }

    /// The request sets the cluster's tag.
    pub(super) fn becomes_ours(&self) -> Condition {
        let key = format!("aws:RequestTag/{}", naming::TAG_CLUSTER);
        Condition::new(Test::StringEquals, key, [self.cluster.clone()])
    }

    /// What is asked about is in this account.
    pub(super) fn in_account(&self) -> Condition {
        Condition::new(
            Test::StringEquals,
            "aws:ResourceAccount",
            [self.account.to_string()],
        )
    }

    /// The role carries, or the request sets, the boundary of a limit.
    pub(super) fn bounded(&self) -> Condition {
        let boundaries = std::iter::once(&self.limits).chain(&self.referenced);
        Condition::new(Test::ArnLike, "iam:PermissionsBoundary", boundaries.cloned())
    }
}

/// What the processes' own identities are where no AWSAccount names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnnamedIdentities {
    /// Roles: of pods, or of IAM Roles Anywhere.
    #[default]
    Roles,
    /// Users, with keys.
    Users,
}

impl UnnamedIdentities {
    /// The ARN of the one called `name`.
    pub(super) fn arn(self, partition: &Partition, account: &AccountId, name: &str) -> IssuerArn {
        let [path, name] = ["/", name].map(str::to_owned);
        let (path, name) = (IamPath::from_valid_parts(path), RoleName::from_valid_parts(name));
        match self {
            Self::Roles => RoleArn::of(partition, account, &path, &name).into(),
            Self::Users => UserArn::of(partition, account, &path, &name).into(),
        }
    }

    /// What works in `account`: what the account names, else the identity with the suggested name.
    pub(super) fn works_in(
        self,
        account: &Account,
        named: Option<&AssumeRole>,
        suggested: &str,
    ) -> IssuerArn {
        named.map_or_else(
            || self.arn(&account.partition, &account.id, suggested),
            |assume| assume.role.clone().into(),
        )
    }
}
