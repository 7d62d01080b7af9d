//! What names an object that is deleted. RBAC lets bindings dangle, and so does this: nothing is refused, but said.

use deputy_index::NamingObjects;

use super::{blast_radius::WHERE, listed::listed, object::ReviewedObject};
use crate::{facts::Facts, review::Verdict};

/// `verdict` on the deletion of an object, with a warning of what names it.
pub(super) fn warn(reviewed: &ReviewedObject<'_>, facts: &Facts, verdict: Verdict) -> Verdict {
    let namers = facts.namers(reviewed.kind, reviewed.object);
    let bindings = said(
        reviewed,
        &namers.bindings,
        "AWSRoleBinding, which gives no further credentials",
        "AWSRoleBindings, which give no further credentials",
    );
    let statements = said(
        reviewed,
        &namers.statements,
        "AWSResourcePolicyStatement, which leaves it out in AWS",
        "AWSResourcePolicyStatements, which leave it out in AWS",
    );
    let said = bindings.into_iter().chain(statements);
    said.fold(verdict, Verdict::warn)
}

/// What it is named by: `one` or `many`, with the effect before the names, for a warning that is too long loses its end.
fn said(reviewed: &ReviewedObject<'_>, naming: &NamingObjects, one: &str, many: &str) -> Option<String> {
    let what = match naming.count {
        0 => return None,
        1 => one,
        _ => many,
    };
    let names = if reviewed.tells_names {
        listed(naming.first.iter(), naming.count)
    } else {
        WHERE.to_owned()
    };
    Some(format!(
        "named by {} {what} once it is gone: {names}",
        naming.count
    ))
}
