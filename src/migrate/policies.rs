//! What is known of the policies of former roles, and what they allow together.

use deputy_delegation::RoleArn;
use deputy_policy::{Candidate, Containment, Document, PolicyKind, contains};
use serde_json::Value;

use super::{
    roles::{OldRole, OldRoles},
    version::is_old,
};
use crate::ceiling::union;

/// What is known of a role's policies: each parsed, by what it is called.
pub struct KnownPolicies {
    pub documents: Vec<Document>,
    /// Why they are not all.
    pub gaps: Vec<String>,
    /// Why a limit of all that they allow would be wider than the role, which has a boundary.
    pub beyond: Option<String>,
}

impl KnownPolicies {
    /// The policies of a role that the files have.
    pub fn of(arn: &RoleArn, roles: &OldRoles) -> Self {
        let mut known = Self {
            documents: Vec::new(),
            gaps: Vec::new(),
            beyond: None,
        };
        let Some(role) = roles.get(arn) else {
            known.gaps.push("the files do not have it".to_owned());
            return known;
        };
        if !role.is_whole && role.inline.is_empty() {
            known.gaps.push("the files do not have its policies".to_owned());
        }
        let inline = role
            .inline
            .iter()
            .map(|(name, document)| (format!("policy {name}"), Some(document)));
        let attached = role
            .attached
            .iter()
            .map(|arn| (format!("policy {arn}"), roles.managed.get(arn)));
        for (title, document) in inline.chain(attached) {
            match document.map(read) {
                Some(Ok(document)) => known.documents.push(document),
                Some(Err(why)) => known.gaps.push(format!("{title}: {why}")),
                None => known.gaps.push(format!("{title}: the files do not have it")),
            }
        }
        if known.gaps.is_empty() {
            known.beyond = beyond_boundary(role, &known.documents, roles);
        }
        known
    }
}

/// What would be wider than the boundary. Denys of the policies do not count: the limit does not have them.
fn beyond_boundary(role: &OldRole, documents: &[Document], roles: &OldRoles) -> Option<String> {
    let arn = role.boundary.as_ref()?;
    // Of nothing a boundary cuts off nothing.
    let allowed = union(documents.iter()).ok()?;
    let why = match roles
        .managed
        .get(arn)
        .map(|boundary| parse(boundary, PolicyKind::Boundary))
    {
        None => format!("the files do not have its boundary {arn}"),
        Some(Err(why)) => format!("its boundary {arn} can't be read: {why}"),
        Some(Ok(boundary)) => match contains(&Candidate::new(&[&allowed]), &boundary) {
            Containment::Contained(_) => return None,
            Containment::Exceeds(witness) => {
                format!("its boundary {arn} allows less than its policies: {witness}")
            }
            Containment::Unknown(reason) => {
                format!("its policies can't be compared with its boundary {arn}: {reason}")
            }
        },
    };
    Some(format!(
        "{why}; in a limit made of its policies what the boundary cuts off would be allowed"
    ))
}

/// A policy of a role; the CLI prints it as JSON.
fn read(document: &Value) -> Result<Document, String> {
    if is_old(document) && document.to_string().contains("${") {
        return Err(
            "it is of 2008, where ${…} is no variable; in a policy of today it would be one".to_owned(),
        );
    }
    parse(document, PolicyKind::Identity)
}

fn parse(document: &Value, kind: PolicyKind) -> Result<Document, String> {
    Document::from_value(document, kind).map_err(|errors| errors.to_string())
}
