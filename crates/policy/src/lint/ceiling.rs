//! What a ceiling should not allow: ways to IAM itself.

use std::fmt;

use crate::{
    ast::Effect,
    compiled::CompiledStatement,
    contain::cover::parts,
    context::Context,
    document::Document,
    pattern::{
        arn::ResourcePattern,
        elements::{ActionText, Elements},
        glob::Pattern,
    },
    work::Work,
};

/// Actions that make or widen permissions wherever they are allowed.
const ALWAYS: &[&str] = &[
    "iam:AddClientIDToOpenIDConnectProvider",
    "iam:AddUserToGroup",
    "iam:AttachGroupPolicy",
    "iam:AttachRolePolicy",
    "iam:AttachUserPolicy",
    "iam:CreateAccessKey",
    "iam:CreateLoginProfile",
    "iam:CreateOpenIDConnectProvider",
    "iam:CreatePolicyVersion",
    "iam:CreateRole",
    "iam:CreateSAMLProvider",
    "iam:CreateServiceSpecificCredential",
    "iam:CreateUser",
    "iam:DeactivateMFADevice",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteRolePolicy",
    "iam:DeleteUserPermissionsBoundary",
    "iam:DeleteUserPolicy",
    "iam:DetachRolePolicy",
    "iam:DetachUserPolicy",
    "iam:PutGroupPolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
    "iam:PutUserPermissionsBoundary",
    "iam:PutUserPolicy",
    "iam:SetDefaultPolicyVersion",
    "iam:TagRole",
    "iam:TagUser",
    "iam:UntagRole",
    "iam:UntagUser",
    "iam:UpdateAccessKey",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateLoginProfile",
    "iam:UpdateOpenIDConnectProviderThumbprint",
    "iam:UpdateSAMLProvider",
    "iam:UploadSigningCertificate",
];

/// Actions that hand over the permissions of a role: harmless on roles that are spelled out, which whoever wrote the
/// ceiling has looked at.
const ON_WILDCARDS: &[&str] = &["iam:PassRole", "sts:AssumeRole"];

/// A way from a ceiling to IAM itself: an allowed action that lets its holder make or widen permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// The action, such as `iam:CreateRole`.
    pub action: &'static str,
    /// Where it is allowed, such as `Statement[0].Action[1]`.
    pub path: String,
    /// Index of the statement.
    pub statement: usize,
}

impl fmt::Display for Escalation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} allows {}", self.path, self.action)
    }
}

/// The allowed actions that reach IAM itself, in the order of the statements. Conditions on an Allow are not looked at; a
/// Deny without conditions that covers all resources of the Allow takes an action back.
pub fn escalation(ceiling: &Document) -> Vec<Escalation> {
    let mut work = Work::unlimited();
    let statements = &ceiling.compiled().statements;
    let denies: Vec<&CompiledStatement> = statements
        .iter()
        .filter(|s| s.effect == Effect::Deny && s.atoms.is_empty())
        .collect();
    let mut found = Vec::new();
    for (i, statement) in statements
        .iter()
        .enumerate()
        .filter(|(_, s)| s.effect == Effect::Allow)
    {
        let open = statement.resources.as_ref().is_none_or(has_wildcards);
        let on_wildcards = ON_WILDCARDS.iter().filter(|_| open);
        for name in ALWAYS.iter().chain(on_wildcards).copied() {
            let Some(path) = action_path(i, &statement.actions, name, &mut work) else {
                continue;
            };
            if !denies
                .iter()
                .any(|deny| takes_back(deny, statement, name, &mut work))
            {
                found.push(Escalation {
                    action: name,
                    path,
                    statement: i,
                });
            }
        }
    }
    found
}

/// Whether a list of resources reaches more than what is spelled out.
fn has_wildcards(resources: &Elements<ResourcePattern>) -> bool {
    let open = |pattern: &ResourcePattern| {
        pattern.arn().is_none_or(|arn| {
            arn.parts()
                .any(|part| part.has_wildcards() || !part.variables().is_empty())
        })
    };
    resources.negated || resources.items.iter().any(open)
}

fn action_path(statement: usize, actions: &Elements<Pattern>, name: &str, work: &mut Work) -> Option<String> {
    let action = ActionText::new(name);
    let context = Context::new();
    if actions.negated {
        return actions
            .matches_action(&action, work)
            .then(|| format!("Statement[{statement}].NotAction"));
    }
    let index = actions
        .items
        .iter()
        .position(|pattern| pattern.matches(&action.chars, &context, work))?;
    Some(format!("Statement[{statement}].Action[{index}]"))
}

fn takes_back(deny: &CompiledStatement, allow: &CompiledStatement, name: &str, work: &mut Work) -> bool {
    let action = ActionText::new(name);
    let (Some(denied), Some(allowed)) = (&deny.resources, &allow.resources) else {
        return false;
    };
    deny.actions.matches_action(&action, work) && parts(allowed).iter().all(|part| part.within(denied, work))
}
