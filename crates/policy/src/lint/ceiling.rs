//! What a ceiling should not allow: ways to IAM itself, and to the permissions of others.

use std::{fmt, sync::LazyLock};

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
    reference::{date, managing_permissions},
    work::Work,
};

/// Actions that make or widen permissions wherever they are allowed; first those that say most in a message that names a few.
const ALWAYS: &[&str] = &[
    "iam:CreateRole",
    "iam:PutRolePolicy",
    "iam:AttachRolePolicy",
    "iam:CreateAccessKey",
    "iam:AddClientIDToOpenIDConnectProvider",
    "iam:AddUserToGroup",
    "iam:AttachGroupPolicy",
    "iam:AttachUserPolicy",
    "iam:CreateLoginProfile",
    "iam:CreateOpenIDConnectProvider",
    "iam:CreatePolicyVersion",
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

/// What AWS's service reference marks as "Permissions management", as it is compared; first the policies of resources, which say
/// most in a message that names a few.
static MANAGING: LazyLock<Vec<Way>> = LazyLock::new(|| {
    let is_policy =
        |name: &str| name.starts_with("Put") && name.ends_with("Policy") || name == "AddPermission";
    let (first, further): (Vec<_>, Vec<_>) = managing_permissions().partition(|(_, name)| is_policy(name));
    let marked = first.into_iter().chain(further);
    marked
        .map(|(service, name)| [service, ":", name].concat())
        .filter(|name| !ALWAYS.contains(&name.as_str()) && !ON_WILDCARDS.contains(&name.as_str()))
        .map(Way::new)
        .collect()
});

/// What reaches IAM itself, as it is compared: first what always does, then what does so on wildcards.
static TO_IAM: LazyLock<[Vec<Way>; 2]> = LazyLock::new(|| {
    [ALWAYS, ON_WILDCARDS].map(|names| names.iter().map(|&name| Way::new(name.to_owned())).collect())
});

/// An action that is looked for.
struct Way {
    name: String,
    text: ActionText,
}

impl Way {
    fn new(name: String) -> Self {
        Self {
            text: ActionText::new(&name),
            name,
        }
    }
}

/// So many actions are named in a message; more are counted.
const SHOWN: usize = 4;

/// Where actions lead their holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EscalationKind {
    /// To any permission in the account: they make or widen those of users, groups and roles, or take such a role.
    AnyPermission,
    /// To others: they change who may use a resource. AWS's service reference marks them as "Permissions management".
    ResourcePermissions,
}

/// What an element of a ceiling allows that makes or widens permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// The actions, such as `iam:CreateRole`: at least one, all of one kind.
    pub actions: Vec<&'static str>,
    /// Where they lead.
    pub kind: EscalationKind,
    /// Where they are allowed, such as `Statement[0].Action[1]`.
    pub path: String,
    /// Index of the statement.
    pub statement: usize,
}

impl Escalation {
    /// What is left of it without the actions that are meant; `None` if nothing is.
    #[must_use]
    pub fn unless(mut self, meant: impl Fn(&str) -> bool) -> Option<Self> {
        self.actions.retain(|action| !meant(action));
        (!self.actions.is_empty()).then_some(self)
    }

    /// A sentence for people, without the path: what it allows, and where that leads.
    #[must_use]
    pub fn message(&self) -> String {
        let shown: Vec<&str> = self.actions.iter().take(SHOWN).copied().collect();
        let shown = match self.actions.len().saturating_sub(SHOWN) {
            0 => shown.join(", "),
            more => format!("{} and {more} more", shown.join(", ")),
        };
        match self.kind {
            EscalationKind::AnyPermission => {
                format!("allows {shown}, with which its holder can get any permission in the account")
            }
            EscalationKind::ResourcePermissions => format!(
                "allows {shown}, with which its holder changes what others may do: AWS's service reference of {} calls that \
                 permissions management",
                date()
            ),
        }
    }
}

impl fmt::Display for Escalation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path, self.message())
    }
}

/// The allowed actions that make or widen permissions: what reaches IAM itself, and what AWS calls permissions management of other
/// services. In the order of the statements, those of one element and kind together. Conditions on an Allow are not looked at; a
/// Deny without conditions that covers all resources of the Allow takes an action back.
pub fn escalation(ceiling: &Document) -> Vec<Escalation> {
    let mut work = Work::unlimited();
    let statements = &ceiling.compiled().statements;
    let denies: Vec<&CompiledStatement> = statements
        .iter()
        .filter(|s| s.effect == Effect::Deny && s.atoms.is_empty())
        .collect();
    let mut found: Vec<Escalation> = Vec::new();
    for (i, statement) in statements
        .iter()
        .enumerate()
        .filter(|(_, s)| s.effect == Effect::Allow)
    {
        let open = statement.resources.as_ref().is_none_or(has_wildcards);
        let [always, on_wildcards] = &*TO_IAM;
        let on_wildcards = on_wildcards.iter().filter(|_| open);
        let to_iam = always.iter().chain(on_wildcards);
        let ways = to_iam.map(|way| (way, EscalationKind::AnyPermission)).chain(
            MANAGING
                .iter()
                .map(|way| (way, EscalationKind::ResourcePermissions)),
        );
        for (way, kind) in ways {
            let Some(path) = action_path(i, &statement.actions, &way.text, &mut work) else {
                continue;
            };
            if denies
                .iter()
                .any(|deny| takes_back(deny, statement, &way.text, &mut work))
            {
                continue;
            }
            match found.iter_mut().find(|of| of.kind == kind && of.path == path) {
                Some(of) => of.actions.push(&way.name),
                None => found.push(Escalation {
                    actions: vec![&way.name],
                    kind,
                    path,
                    statement: i,
                }),
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

fn action_path(
    statement: usize,
    actions: &Elements<Pattern>,
    action: &ActionText,
    work: &mut Work,
) -> Option<String> {
    let context = Context::new();
    if !actions.matches_action(action, work) {
        return None;
    }
    if actions.negated {
        return Some(format!("Statement[{statement}].NotAction"));
    }
    let index = actions
        .items
        .iter()
        .position(|pattern| pattern.matches(&action.chars, &context, work))?;
    Some(format!("Statement[{statement}].Action[{index}]"))
}

fn takes_back(
    deny: &CompiledStatement,
    allow: &CompiledStatement,
    action: &ActionText,
    work: &mut Work,
) -> bool {
    let (Some(denied), Some(allowed)) = (&deny.resources, &allow.resources) else {
        return false;
    };
    deny.actions.matches_action(action, work) && parts(allowed).iter().all(|part| part.within(denied, work))
}
