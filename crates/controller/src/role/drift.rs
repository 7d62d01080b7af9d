//! What somebody changed of a role in AWS, for people. Pure.

use deputy_delegation::plan::{IamCall, Nature, ObservedRole, Step};

use crate::difference::{only, statements};

/// Differences that are named; how many more there are is said.
const MOST: usize = 4;

/// What somebody changed of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleDrift {
    /// What AWS had, and what it should have.
    pub difference: String,
    /// Whether it is as it should be again.
    pub is_reverted: bool,
}

/// How a role that was found differs from what `steps` make of it. Tags that hang on the account alone count only with `cosmetic`. `None` when
/// nothing that counts differs.
#[must_use]
pub fn difference(found: Option<&ObservedRole>, steps: &[Step], cosmetic: bool) -> Option<String> {
    let Some(found) = found else {
        let is_made = |step: &Step| matches!(step.call, IamCall::CreateRole { .. });
        let what =
            "AWS had no role of its name: one that names it by its unique id does not mean the new one";
        return steps.iter().any(is_made).then(|| what.to_owned());
    };
    let counted = steps
        .iter()
        .filter(|step| cosmetic || step.nature != Nature::Cosmetic);
    let mut parts: Vec<String> = counted.filter_map(|step| part(found, &step.call)).collect();
    parts.dedup();
    let more = parts.len().saturating_sub(MOST);
    parts.truncate(MOST);
    if more > 0 {
        parts.push(format!("and {more} more"));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn part(found: &ObservedRole, call: &IamCall) -> Option<String> {
    Some(match call {
        IamCall::UpdateAssumeRolePolicy { document, .. } => {
            of_documents("the trust policy", &found.trust, document)
        }
        IamCall::PutRolePolicy { policy, document, .. } => match found.inline.get(policy) {
            Some(text) => of_documents(&format!("the inline policy {policy}"), text, document),
            None => format!("there was no inline policy {policy}"),
        },
        IamCall::DeleteRolePolicy { policy, .. } => {
            let text = found.inline.get(policy).map_or("", String::as_str);
            let had = format!("there was an inline policy {policy}, which had");
            only(&had, &statements(text), &[])
                .unwrap_or_else(|| format!("there was an inline policy {policy}"))
        }
        IamCall::AttachRolePolicy { policy_arn, .. } => format!("{policy_arn} was not attached"),
        IamCall::DetachRolePolicy { policy_arn, .. } => format!("{policy_arn} was attached"),
        IamCall::PutRolePermissionsBoundary { boundary, .. } => format!(
            "the permissions boundary was {} instead of {boundary}",
            found.boundary.as_deref().unwrap_or("none")
        ),
        IamCall::TagRole { tags, .. } => {
            let changed = tags.iter().filter(|(key, value)| {
                found.tags.get(key.as_str()).map(String::as_str) != Some(value.as_str())
            });
            let each: Vec<String> = changed
                .map(|(key, value)| match found.tags.get(key.as_str()) {
                    Some(was) => format!("{key} was {was:?} instead of {value:?}", value = value.as_str()),
                    None => format!("{key} was missing"),
                })
                .collect();
            format!("of the tags {}", each.join(", "))
        }
        IamCall::UntagRole { keys, .. } => format!("there were the tags {}", keys.join(", ")),
        IamCall::UpdateRole {
            max_session_duration, ..
        } => format!(
            "sessions lasted up to {} s instead of {} s",
            found.max_session_seconds,
            max_session_duration.as_seconds()
        ),
        IamCall::CreateRole { .. } | IamCall::DeleteRole { .. } => return None,
    })
}

fn of_documents(what: &str, found: &str, wanted: &str) -> String {
    let (found, wanted) = (statements(found), statements(wanted));
    let parts = [
        only(&format!("{what} had"), &found, &wanted),
        only(&format!("{what} had not"), &wanted, &found),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        format!("{what} had other elements")
    } else {
        parts.join("; ")
    }
}
