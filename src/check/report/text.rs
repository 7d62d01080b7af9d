//! A line for each finding, and one for the whole.

use crate::{
    check::answer::{CheckAnswer, CheckFinding, CheckedObject},
    text::printable,
};

/// The answer for people.
pub fn text(answer: &CheckAnswer) -> String {
    let mut out = String::new();
    for (object, finding) in answer.findings() {
        let place = finding.place.as_ref().or(object.place.as_ref());
        if let Some(place) = place {
            out.push_str(&printable(&place.to_string()));
            out.push_str(": ");
        }
        let (level, reason) = (finding.level.as_str(), finding.reason);
        out.push_str(&format!(
            "{level}[{reason}]: {}\n",
            printable(&sentence(object, finding))
        ));
    }
    out.push_str(&answer.summary());
    out.push('\n');
    out
}

/// Object, field, sentence and limit.
pub fn sentence(object: &CheckedObject, finding: &CheckFinding) -> String {
    let mut out = object.object.clone();
    if !finding.field.is_empty() {
        out.push_str(": ");
        out.push_str(&finding.field);
    }
    out.push_str(": ");
    out.push_str(&finding.message);
    if let Some(limit) = &finding.limit {
        out.push_str(&format!(" (limit {limit})"));
    }
    out
}
