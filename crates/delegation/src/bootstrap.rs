//! The AWS policies of Deputy's own processes (`deputy bootstrap aws`): what each needs and nothing else.
//!
//! The actions are those of [`crate::plan::IamCall`] and of the reads in the crate for AWS; the tests hold them together.

use std::collections::BTreeSet;

use deputy_policy::{
    ActionElement, Condition, Document, Effect, PolicyKind, ResourceElement, Statement, Test, Version,
};

use crate::{
    boundary,
    model::{Account, AssumeRole, BoundaryMode, Limit},
    names::{ClusterName, RoleArn},
    naming,
    trust::deny_everything,
};

/// The name of the identity of `deputy broker`.
pub const BROKER: &str = "deputy-broker";
/// The name of the identity with which `deputy controller` writes roles.
pub const PROVISIONER: &str = "deputy-provisioner";
/// The name of the identity with which `deputy limits` writes boundary policies.
pub const BOUNDARY_WRITER: &str = "deputy-boundary-writer";

/// One identity and what it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessIdentity {
    /// Suggested name, such as `deputy-provisioner`.
    pub name: &'static str,
    /// Which process uses it.
    pub process: &'static str,
    /// Its identity policy.
    pub policy: Document,
}

/// The identities of an account, least privilege each: [`BROKER`], [`PROVISIONER`], [`BOUNDARY_WRITER`], in this order. Roles that exist
/// are only reached where one of `limits` allows them in this account. A boundary
/// that somebody else writes is only read, and set, where one of them refers to it.
#[must_use]
pub fn identities(cluster: &ClusterName, account: &Account, limits: &[Limit]) -> Vec<ProcessIdentity> {
    let scope = Scope::new(cluster, account, limits);
    vec![
        ProcessIdentity {
            name: BROKER,
            process: "deputy broker",
            policy: broker(&scope),
        },
        ProcessIdentity {
            name: PROVISIONER,
            process: "deputy controller",
            policy: provisioner(&scope),
        },
        ProcessIdentity {
            name: BOUNDARY_WRITER,
            process: "deputy limits",
            policy: boundary_writer(&scope),
        },
    ]
}

/// What a process needs in its own account to become `target`, when the account names an identity to assume.
#[must_use]
pub fn may_assume(target: &RoleArn) -> Document {
    document(
        PolicyKind::Identity,
        vec![allow(
            "BecomeDeputy",
            &["sts:AssumeRole"],
            &[target.to_string()],
            vec![],
        )],
    )
}

/// A service control policy: only Deputy's own identities change what is under its paths, whoever else is administrator.
///
/// Identities that the account does not name are taken to be roles with the names of [`identities`]. AWS takes
/// 5,120 characters.
#[must_use]
pub fn service_control_policy(cluster: &ClusterName, account: &Account) -> Document {
    let scope = Scope::new(cluster, account, &[]);
    let everybody_but =
        |identity: String| vec![Condition::new(Test::ArnNotEquals, "aws:PrincipalArn", [identity])];
    document(
        PolicyKind::ServiceControl,
        vec![
            deny(
                "OnlyDeputyWritesRoles",
                &[
                    "iam:AttachRolePolicy",
                    "iam:CreateRole",
                    "iam:DeleteRole",
                    "iam:DeleteRolePermissionsBoundary",
                    "iam:DeleteRolePolicy",
                    "iam:DetachRolePolicy",
                    "iam:PassRole",
                    "iam:PutRolePermissionsBoundary",
                    "iam:PutRolePolicy",
                    "iam:TagRole",
                    "iam:UntagRole",
                    "iam:UpdateAssumeRolePolicy",
                    "iam:UpdateRole",
                    "iam:UpdateRoleDescription",
                ],
                std::slice::from_ref(&scope.roles),
                everybody_but(role_of(account, account.provisioner.as_ref(), PROVISIONER)),
            ),
            deny(
                "OnlyDeputyWritesLimits",
                &[
                    "iam:CreatePolicy",
                    "iam:CreatePolicyVersion",
                    "iam:DeletePolicy",
                    "iam:DeletePolicyVersion",
                    "iam:SetDefaultPolicyVersion",
                    "iam:TagPolicy",
                    "iam:UntagPolicy",
                ],
                std::slice::from_ref(&scope.limits),
                everybody_but(role_of(
                    account,
                    account.boundary_writer.as_ref(),
                    BOUNDARY_WRITER,
                )),
            ),
            deny(
                "OnlyTheBrokerAssumes",
                &["sts:AssumeRole", "sts:TagSession"],
                std::slice::from_ref(&scope.roles),
                everybody_but(account.issuer.to_string()),
            ),
        ],
    )
}

/// What everything here is narrowed to.
struct Scope {
    cluster: String,
    /// `arn:…:role/deputy/<cluster>/*`
    roles: String,
    /// Roles that exist and may be bound, as IAM writes such patterns.
    existing: Vec<String>,
    /// Deputy's own identities in the account but for the issuer.
    own: Vec<String>,
    /// `arn:…:policy/deputy/<cluster>/limits/*`
    limits: String,
    /// Those of AWS, and the account's.
    managed_policies: [String; 2],
    /// Boundaries that somebody else writes.
    referenced: Vec<String>,
}

impl Scope {
    fn new(cluster: &ClusterName, account: &Account, limits: &[Limit]) -> Self {
        let here = || {
            let of_account = |limit: &&Limit| limit.scope.accounts.contains(&account.name);
            limits.iter().filter(of_account)
        };
        let patterns: BTreeSet<String> = here()
            .flat_map(|limit| &limit.existing_roles)
            .filter_map(|pattern| pattern.roles_in(&account.partition, &account.id))
            .collect();
        let own = [
            (&account.provisioner, PROVISIONER),
            (&account.boundary_writer, BOUNDARY_WRITER),
        ];
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
            roles: format!("{in_account}:role{}*", naming::role_path(cluster)),
            existing: patterns.into_iter().collect(),
            own: own
                .map(|(named, suggested)| role_of(account, named.as_ref(), suggested))
                .to_vec(),
            limits: format!("{in_account}:policy{}*", naming::limit_path(cluster)),
            managed_policies: [
                format!("arn:{}:iam::aws:policy/*", account.partition),
                format!("{in_account}:policy/*"),
            ],
            referenced: referenced.into_iter().collect(),
        }
    }

    /// The role or policy that is there carries the cluster's tag.
    fn ours(&self) -> Condition {
        let key = format!("aws:ResourceTag/{}", naming::TAG_CLUSTER);
        Condition::new(Test::StringEquals, key, [self.cluster.clone()])
    }

    /// The request sets the cluster's tag.
    fn becomes_ours(&self) -> Condition {
        let key = format!("aws:RequestTag/{}", naming::TAG_CLUSTER);
        Condition::new(Test::StringEquals, key, [self.cluster.clone()])
    }

    /// The role carries, or the request sets, the boundary of a limit.
    fn bounded(&self) -> Condition {
        let boundaries = std::iter::once(&self.limits).chain(&self.referenced);
        Condition::new(Test::ArnLike, "iam:PermissionsBoundary", boundaries.cloned())
    }
}

/// The ARN of one of Deputy's roles: the one that the account names, else the one with the suggested name.
fn role_of(account: &Account, named: Option<&AssumeRole>, suggested: &str) -> String {
    named.map_or_else(
        || format!("arn:{}:iam::{}:role/{suggested}", account.partition, account.id),
        |assume| assume.role.to_string(),
    )
}

fn broker(scope: &Scope) -> Document {
    let actions = ["sts:AssumeRole", "sts:TagSession"];
    let roles = std::slice::from_ref(&scope.roles);
    let mut statements = vec![allow("Sessions", &actions, roles, vec![])];
    if !scope.existing.is_empty() {
        statements.push(allow(
            "SessionsOfRolesThatExist",
            &actions,
            &scope.existing,
            vec![],
        ));
        // A pattern of a limit may cover them; Deputy refuses them as well.
        statements.push(deny("NeverDeputysOwn", &["sts:AssumeRole"], &scope.own, vec![]));
    }
    document(PolicyKind::Identity, statements)
}

fn provisioner(scope: &Scope) -> Document {
    let roles = std::slice::from_ref(&scope.roles);
    let all = ["*".to_owned()];
    let mut statements = vec![
        allow(
            "CreateBoundedRoles",
            &["iam:CreateRole"],
            roles,
            vec![scope.bounded(), scope.becomes_ours()],
        ),
        // CreateRole with tags asks for this, too, when there is no role yet whose tags could be looked at.
        allow("TagNewRoles", &["iam:TagRole"], roles, vec![scope.becomes_ours()]),
        // What gives permissions needs the boundary in force; what takes them away does not.
        allow(
            "GrantWithinBoundary",
            &[
                "iam:AttachRolePolicy",
                "iam:PutRolePermissionsBoundary",
                "iam:PutRolePolicy",
            ],
            roles,
            vec![scope.bounded(), scope.ours()],
        ),
        allow(
            "ChangeOwnRoles",
            &[
                "iam:DeleteRole",
                "iam:DeleteRolePolicy",
                "iam:DetachRolePolicy",
                "iam:TagRole",
                "iam:UntagRole",
                "iam:UpdateAssumeRolePolicy",
                "iam:UpdateRole",
            ],
            roles,
            vec![scope.ours()],
        ),
        allow(
            "ReadRoles",
            &[
                "iam:GetRole",
                "iam:GetRolePolicy",
                "iam:ListAttachedRolePolicies",
                "iam:ListRolePolicies",
            ],
            roles,
            vec![],
        ),
        // What the boundary cuts off from them is said in the status of a role.
        allow(
            "ReadManagedPolicies",
            &["iam:GetPolicy", "iam:GetPolicyVersion"],
            &scope.managed_policies,
            vec![],
        ),
        deny(
            "NeverTheBoundary",
            &[
                "iam:CreatePolicy*",
                "iam:DeletePolicy*",
                "iam:DeleteRolePermissionsBoundary",
                "iam:SetDefaultPolicyVersion",
            ],
            &all,
            vec![],
        ),
    ];
    if !scope.existing.is_empty() {
        statements.push(allow(
            "ReadRolesThatExist",
            &["iam:GetRole"],
            &scope.existing,
            vec![],
        ));
    }
    document(PolicyKind::Identity, statements)
}

fn boundary_writer(scope: &Scope) -> Document {
    let limits = std::slice::from_ref(&scope.limits);
    let mut statements = vec![
        allow(
            "WriteBoundaries",
            &[
                "iam:CreatePolicy",
                "iam:CreatePolicyVersion",
                "iam:DeletePolicy",
                "iam:DeletePolicyVersion",
                "iam:GetPolicy",
                "iam:GetPolicyVersion",
                "iam:ListPolicyVersions",
                "iam:TagPolicy",
                "iam:UntagPolicy",
            ],
            limits,
            vec![],
        ),
        // A list has no resource.
        allow("ListPolicies", &["iam:ListPolicies"], &["*".to_owned()], vec![]),
    ];
    if !scope.referenced.is_empty() {
        statements.push(allow(
            "ReadReferencedBoundaries",
            &["iam:GetPolicy", "iam:GetPolicyVersion"],
            &scope.referenced,
            vec![],
        ));
    }
    document(PolicyKind::Identity, statements)
}

fn allow(sid: &str, actions: &[&str], resources: &[String], conditions: Vec<Condition>) -> Statement {
    statement(Effect::Allow, sid, actions, resources, conditions)
}

fn deny(sid: &str, actions: &[&str], resources: &[String], conditions: Vec<Condition>) -> Statement {
    statement(Effect::Deny, sid, actions, resources, conditions)
}

fn statement(
    effect: Effect,
    sid: &str,
    actions: &[&str],
    resources: &[String],
    conditions: Vec<Condition>,
) -> Statement {
    Statement {
        sid: Some(sid.to_owned()),
        effect,
        principal: None,
        action: ActionElement::Action(actions.iter().map(|&action| action.to_owned()).collect()),
        resource: Some(ResourceElement::Resource(resources.to_vec())),
        conditions,
    }
}

fn document(kind: PolicyKind, statements: Vec<Statement>) -> Document {
    // Typed names hold no character that a policy could not; an error would still never be an allow.
    Document::new(Version::V2012, statements, kind).unwrap_or_else(|_| deny_everything(kind))
}
