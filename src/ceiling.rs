//! A DelegationLimit whose ceiling is what roles allow, with the proof that each of them is within it.

use std::fmt::Display;

use deputy_policy::{
    Candidate, Containment, Document, Effect, PolicyKind, Statement, Version, contains, escalation,
};
use serde_json::{Map, Value, json};

use crate::{accounts::parsed_limit, proposal::ProposedObject};

/// All that the documents allow, each statement once and without its name.
pub fn union<'d>(documents: impl Iterator<Item = &'d Document>) -> Result<Document, String> {
    let mut statements: Vec<Statement> = Vec::new();
    for statement in documents.flat_map(Document::statements) {
        let statement = Statement {
            sid: None,
            ..statement.clone()
        };
        if statement.effect == Effect::Allow && !statements.contains(&statement) {
            statements.push(statement);
        }
    }
    if statements.is_empty() {
        return Err("its roles allow nothing".to_owned());
    }
    Document::new(Version::V2012, statements, PolicyKind::Boundary).map_err(|errors| errors.to_string())
}

/// Proves that each of these roles is within the ceiling.
///
/// # Errors
/// The first one that is not, or of which that is not known.
pub fn prove<'d, T: Display>(
    ceiling: &Document,
    roles: impl Iterator<Item = (T, &'d [Document])>,
) -> Result<(), String> {
    for (role, documents) in roles {
        let documents: Vec<&Document> = documents.iter().collect();
        match contains(&Candidate::new(&documents), ceiling) {
            Containment::Contained(_) => {}
            Containment::Exceeds(witness) => return Err(format!("{role} exceeds it: {witness}")),
            Containment::Unknown(reason) => return Err(format!("{role} can't be compared: {reason}")),
        }
    }
    Ok(())
}

/// The limit with this ceiling, of which the roles were proved to be within it, and the rest of its spec.
///
/// # Errors
/// What the API server would refuse of it.
pub fn limit(name: &str, ceiling: &Document, mut spec: Map<String, Value>) -> Result<ProposedObject, String> {
    spec.insert("ceiling".to_owned(), ceiling.to_value());
    let object = json!({
        "apiVersion": "deputy.dev/v1alpha1",
        "kind": "DelegationLimit",
        "metadata": {"name": name},
        "spec": spec,
    });
    parsed_limit(&object)?;
    let mut comments =
        vec!["It allows all that the policies of these roles allow, proved, and nothing else. What they deny is not in it: narrow it where that is too much.".to_owned()];
    comments.extend(escalation(ceiling).into_iter().map(|found| {
        format!("Name the actions in acknowledgeEscalation if they are meant, or this limit is refused: ceiling.{found}")
    }));
    Ok(ProposedObject { comments, object })
}
