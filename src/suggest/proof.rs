//! What the engine says of a role's new policies beside its old ones.

use std::collections::BTreeSet;

use deputy_policy::{Candidate, Containment, Document, contains};

use super::{
    statement::{OldPolicy, allows, may},
    uses::RoleUses,
};

/// Proves that the new policies of a role allow nothing that its old ones do not, in sessions with these tags.
///
/// # Errors
/// A request that they newly allow, or why that is not known: then they are not safe.
pub fn prove(new: &[Document], old: &[Document], tags: Option<&Document>) -> Result<(), String> {
    let old = Document::merge(old).map_err(|error| error.to_string())?;
    match compared(new, &old, tags) {
        Containment::Contained(_) => Ok(()),
        Containment::Exceeds(witness) => Err(format!("it would newly allow {witness}")),
        Containment::Unknown(reason) => Err(format!(
            "whether it newly allows something is not known: {reason}"
        )),
    }
}

/// A request that the old policies allow and the new ones do not; none where there is none, or none is known.
pub fn taken_away(new: &[Document], old: &[Document], tags: Option<&Document>) -> Option<String> {
    let new = Document::merge(new).ok()?;
    match compared(old, &new, tags) {
        Containment::Exceeds(witness) => Some(witness.to_string()),
        Containment::Contained(_) | Containment::Unknown(_) => None,
    }
}

fn compared(policies: &[Document], ceiling: &Document, tags: Option<&Document>) -> Containment {
    let policies: Vec<&Document> = policies.iter().collect();
    let mut candidate = Candidate::new(&policies);
    if let Some(tags) = tags {
        candidate = candidate.layer(&[tags]);
    }
    contains(&candidate, ceiling)
}

/// All used actions that no statement of the role allows: something else does.
pub fn elsewhere(policies: &[OldPolicy<'_>], uses: &RoleUses) -> Result<BTreeSet<String>, String> {
    let all = allows(policies, true)?;
    let is_allowed = |action: &&String| all.as_ref().is_some_and(|all| may(all, action, "*"));
    Ok(uses
        .used
        .keys()
        .filter(|action| !is_allowed(action))
        .cloned()
        .collect())
}
