//! Lints: what a document probably does not mean, although it is in the dialect.
//!
//! Only rules that are certain are here: each follows from the language as AWS documents it, or from what AWS leaves open.
//! Those that compare with AWS's service reference are as certain as it is, and name its date.

mod apis;
mod ceiling;
mod condition;
mod finding;
mod helm;
mod nearest;
mod reference;
mod statement;
mod template;
mod tenant;
mod unknown;

pub use ceiling::{Escalation, EscalationKind, escalation};
pub use finding::Lint;
pub use tenant::{TAGS_OF_DEPUTY, TAGS_WITHIN_NAMESPACE, TagVariable, tag_variables};

use crate::{
    ast::PolicyKind,
    document::{Document, code::Code, span::Locator},
    work::Work,
};

/// So many position updates are spent on comparing a document with AWS's service reference. What comes after is not
/// compared.
const REFERENCE: u64 = 20_000_000;

/// The warnings of a document, statement by statement. `source` is the text that the document was read from; with it,
/// every warning says which bytes it is about. Of a [`PolicyKind::Boundary`], the warnings for ceilings come with it.
pub fn lint(document: &Document, source: Option<&str>) -> Vec<Lint> {
    let mut found = Vec::new();
    let mut work = Work::limited(REFERENCE);
    let statements = document.statements().iter().zip(&document.compiled().statements);
    for (i, (statement, compiled)) in statements.enumerate() {
        let path = format!("Statement[{i}]");
        statement::lint(document, statement, compiled, &path, &mut found);
        condition::lint(document, statement, &path, &mut found);
        helm::lint(statement, &path, &mut found);
        template::lint(statement, &path, &mut found);
        let listed = reference::lint(statement, compiled, &path, &mut work, &mut found);
        unknown::lint(
            statement,
            document.version(),
            &listed,
            &path,
            &mut work,
            &mut found,
        );
    }
    if document.kind() == PolicyKind::Boundary {
        of_ceiling(document, &mut found);
    }
    if let Some(source) = source {
        let locator = Locator::new(source);
        for lint in &mut found {
            lint.span = locator.find(&lint.path, lint.code.is_about_a_key());
        }
    }
    found
}

/// The warnings of a ceiling without those that are meant: of a [`Code::Escalation`] only those actions are left
/// that `meant` does not have.
pub fn unless_meant(found: Vec<Lint>, ceiling: &Document, meant: impl Fn(&str) -> bool) -> Vec<Lint> {
    // They stand in the order of the warnings.
    let mut escalations = escalation(ceiling).into_iter();
    found
        .into_iter()
        .filter_map(|lint| {
            if lint.code != Code::Escalation {
                return Some(lint);
            }
            let left = escalations.next()?.unless(&meant)?;
            let message = message_of(&left);
            Some(Lint { message, ..lint })
        })
        .collect()
}

fn message_of(escalation: &Escalation) -> String {
    format!("it {}", escalation.message())
}

fn of_ceiling(document: &Document, found: &mut Vec<Lint>) {
    for escalation in escalation(document) {
        let message = message_of(&escalation);
        found.push(Lint::new(Code::Escalation, escalation.path, message));
    }
    for variable in tag_variables(document) {
        let message = variable.to_string();
        found.push(Lint::new(Code::TagVariable, variable.path, message));
    }
    for (path, message) in tenant::open_tags(document) {
        found.push(Lint::new(Code::OpenTag, path, message));
    }
}
