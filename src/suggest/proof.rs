//! What the engine says of a role's new policies beside its old ones.

use std::collections::BTreeSet;

use deputy_policy::{
    Candidate, Containment, Context, Document, Effect, Layers, PolicyKind, Request, ResourceElement,
    Statement, Version, contains, evaluate,
};

use super::{narrow::OldPolicy, uses::RoleUses};

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
    let documents: Vec<&Document> = policies.iter().map(|policy| policy.known).collect();
    let statements = documents.iter().flat_map(|document| document.statements());
    let allows = statements
        .filter(|statement| statement.effect == Effect::Allow)
        .map(|statement| Statement {
            sid: None,
            conditions: Vec::new(),
            resource: Some(ResourceElement::Resource(vec!["*".to_owned()])),
            ..statement.clone()
        });
    let allows: Vec<Statement> = allows.collect();
    if allows.is_empty() {
        return Ok(uses.used.keys().cloned().collect());
    }
    let all =
        Document::new(Version::V2012, allows, PolicyKind::Identity).map_err(|error| error.to_string())?;
    let documents = [&all];
    let layers = Layers {
        identity: &documents,
        ..Layers::default()
    };
    let is_allowed = |action: &String| {
        let request = Request {
            action: action.clone(),
            resource: "*".to_owned(),
            principal: None,
            context: Context::new(),
        };
        evaluate(&layers, &request).is_allowed()
    };
    Ok(uses
        .used
        .keys()
        .filter(|action| !is_allowed(action))
        .cloned()
        .collect())
}
