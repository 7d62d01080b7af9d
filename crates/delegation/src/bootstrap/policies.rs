//! The policies of Deputy's own identities, of what they become, and the service control policy around them.
//!
//! The actions are those of [`crate::plan::IamCall`] and of the reads in the crate for AWS; the tests hold them together.

use std::collections::BTreeSet;

use deputy_policy::{
    ActionElement, Condition, Document, Effect, PolicyKind, Principal, PrincipalElement, ResourceElement,
    Statement, Test, Version,
};

use crate::{
    model::{Account, AssumeRole},
    names::{ClusterName, IssuerArn, PolicyResourceKind, RoleArn},
    trust::deny_everything,
};

use super::scope::{BOUNDARY_WRITER, PROVISIONER, Scope, UnnamedIdentities};

/// A service control policy: only Deputy's own identities change what is under its paths, whoever else is administrator.
///
/// Identities that the account does not name are taken to be `unnamed` with the names that Deputy suggests. Those of `break_glass` may write
/// there, too, and become nothing. AWS takes 5,120 characters.
#[must_use]
pub fn service_control_policy(
    cluster: &ClusterName,
    account: &Account,
    unnamed: UnnamedIdentities,
    break_glass: &[IssuerArn],
) -> Document {
    let scope = Scope::new(cluster, account, &[]);
    let everybody_but_these =
        |these: Vec<String>| vec![Condition::new(Test::ArnNotEquals, "aws:PrincipalArn", these)];
    let everybody_but = |identity: IssuerArn| {
        let these = std::iter::once(&identity).chain(break_glass);
        everybody_but_these(these.map(ToString::to_string).collect())
    };
    let issuers = account.issuers().iter().map(ToString::to_string).collect();
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
                everybody_but(unnamed.works_in(account, account.provisioner.as_ref(), PROVISIONER)),
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
                everybody_but(unnamed.works_in(account, account.boundary_writer.as_ref(), BOUNDARY_WRITER)),
            ),
            deny(
                "OnlyTheBrokerAssumes",
                &["sts:AssumeRole", "sts:TagSession"],
                std::slice::from_ref(&scope.roles),
                everybody_but_these(issuers),
            ),
        ],
    )
}

/// What the broker needs in all accounts; `own` are the identities of Deputy's that it may never become.
pub(super) fn broker(scopes: &[&Scope], own: &BTreeSet<String>) -> Document {
    let mut actions = vec!["sts:AssumeRole", "sts:TagSession"];
    if scopes.iter().any(|scope| scope.names_people) {
        actions.push("sts:SetSourceIdentity");
    }
    let roles: Vec<String> = scopes.iter().map(|scope| scope.roles.clone()).collect();
    let existing: BTreeSet<&String> = scopes.iter().flat_map(|scope| &scope.existing).collect();
    let existing: Vec<String> = existing.into_iter().cloned().collect();
    let mut statements = vec![allow("Sessions", &actions, &roles, vec![])];
    if !existing.is_empty() {
        statements.push(allow("SessionsOfRolesThatExist", &actions, &existing, vec![]));
        // A pattern of a limit may cover them; Deputy refuses them as well.
        let own: Vec<String> = own.iter().cloned().collect();
        statements.push(deny("NeverDeputysOwn", &["sts:AssumeRole"], &own, vec![]));
    }
    document(PolicyKind::Identity, statements)
}

/// What a process's own identity needs: what `scope` says where it works in its own account, and to become what it works as in the others.
pub(super) fn own(of: fn(&Scope) -> Vec<Statement>, scope: Option<&Scope>, becomes: &[RoleArn]) -> Document {
    let mut statements = scope.map(of).unwrap_or_default();
    if !becomes.is_empty() {
        let roles: Vec<String> = becomes.iter().map(ToString::to_string).collect();
        statements.push(allow("BecomeDeputy", &["sts:AssumeRole"], &roles, vec![]));
    }
    document(PolicyKind::Identity, statements)
}

/// Who may become an identity that an account names: the process's own one, by a condition. IAM would store a principal that is
/// named as its unique id, and it would be another one after it was made again.
pub(super) fn trusts(process: &IssuerArn, assume: &AssumeRole) -> Document {
    let root = format!("arn:{}:iam::{}:root", process.partition(), process.account());
    let mut conditions = vec![Condition::new(
        Test::ArnEquals,
        "aws:PrincipalArn",
        [process.to_string()],
    )];
    if let Some(id) = &assume.external_id {
        conditions.push(Condition::new(
            Test::StringEquals,
            "sts:ExternalId",
            [id.to_string()],
        ));
    }
    let statement = Statement {
        principal: Some(PrincipalElement::Principal(Principal::aws([root]))),
        resource: None,
        ..allow("BecomeDeputy", &["sts:AssumeRole"], &[], conditions)
    };
    document(PolicyKind::Trust, vec![statement])
}

/// What writes roles.
pub(super) fn provisioner(scope: &Scope) -> Vec<Statement> {
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
        // One listing of all roles instead of a look at each. Neither has a resource.
        allow(
            "ListRoles",
            &["iam:GetAccountAuthorizationDetails", "iam:ListRoles"],
            &["*".to_owned()],
            vec![],
        ),
        read_quotas(),
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
    statements.extend(resource_policies(scope));
    statements
}

/// What writes statements of resource policies. Whoever may write such a policy may let anybody in: so these are the calls that Deputy makes, on
/// the resources that limits name, and there is nothing where they name none.
fn resource_policies(scope: &Scope) -> impl Iterator<Item = Statement> {
    scope.resource_policies.iter().map(|(kind, resources)| {
        let resources: Vec<String> = resources.iter().cloned().collect();
        match kind {
            // Its ARN says no account.
            PolicyResourceKind::Bucket => allow(
                "BucketPolicies",
                &[
                    "s3:DeleteBucketPolicy",
                    "s3:GetBucketPolicy",
                    "s3:PutBucketPolicy",
                ],
                &resources,
                vec![scope.in_account()],
            ),
            PolicyResourceKind::Queue => allow(
                "QueuePolicies",
                &["sqs:GetQueueAttributes", "sqs:SetQueueAttributes"],
                &resources,
                vec![],
            ),
            PolicyResourceKind::Topic => allow(
                "TopicPolicies",
                &["sns:GetTopicAttributes", "sns:SetTopicAttributes"],
                &resources,
                vec![],
            ),
        }
    })
}

/// What writes boundary policies.
pub(super) fn boundary_writer(scope: &Scope) -> Vec<Statement> {
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
        read_quotas(),
    ];
    if !scope.referenced.is_empty() {
        statements.push(allow(
            "ReadReferencedBoundaries",
            &["iam:GetPolicy", "iam:GetPolicyVersion"],
            &scope.referenced,
            vec![],
        ));
    }
    statements
}

/// What is left of the account's quotas: numbers of the account, which have no resource.
fn read_quotas() -> Statement {
    allow(
        "ReadQuotas",
        &["iam:GetAccountSummary"],
        &["*".to_owned()],
        vec![],
    )
}

pub(super) fn allow(
    sid: &str,
    actions: &[&str],
    resources: &[String],
    conditions: Vec<Condition>,
) -> Statement {
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

pub(super) fn document(kind: PolicyKind, statements: Vec<Statement>) -> Document {
    // Typed names hold no character that a policy could not; an error would still never be an allow.
    Document::new(Version::V2012, statements, kind).unwrap_or_else(|_| deny_everything(kind))
}
