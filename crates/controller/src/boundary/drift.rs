//! What somebody changed of a boundary policy, for people.

use deputy_policy::{Document, PolicyKind};

use super::policy::VersionInForce;
use crate::difference::{only, statements};

/// How the version that was found differs from the document that there should be: the first statement of each that the other has not, and
/// how many more there are. Both documents are written in the same way first.
#[must_use]
pub fn difference(found: &VersionInForce, wanted: &Document) -> String {
    let Ok(document) = Document::parse(&found.document, PolicyKind::Boundary) else {
        return format!("version {} could not be read", found.id);
    };
    let (found_in, wanted) = (statements(&document.to_json()), statements(&wanted.to_json()));
    let id = &found.id;
    let mut parts = Vec::new();
    parts.extend(only(&format!("version {id} had"), &found_in, &wanted));
    parts.extend(only(&format!("version {id} had not"), &wanted, &found_in));
    if parts.is_empty() {
        return format!("version {id} had the same statements in another way");
    }
    parts.join("; ")
}
