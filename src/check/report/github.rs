//! Annotations of GitHub Actions
//! (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#setting-an-error-message>).

use super::text::sentence;
use crate::check::answer::{CheckAnswer, FindingLevel};

/// The answer as workflow commands, and a line for the whole.
pub fn github(answer: &CheckAnswer) -> String {
    let mut out = String::new();
    for (object, finding) in answer.findings() {
        let command = match finding.level {
            FindingLevel::Error => "error",
            FindingLevel::Undecided | FindingLevel::Warning => "warning",
        };
        let place = finding.place.as_ref().or(object.place.as_ref());
        let place = place.map_or_else(String::new, |place| {
            format!(
                "file={},line={},col={},",
                property(&place.file),
                place.line,
                place.column
            )
        });
        let title = property(&format!("deputy: {}", finding.reason));
        let message = data(&sentence(object, finding));
        out.push_str(&format!("::{command} {place}title={title}::{message}\n"));
    }
    out.push_str(&data(&answer.summary()));
    out.push('\n');
    out
}

/// So that no message begins a command of its own.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_begins_a_command_of_its_own() {
        assert_eq!(data("a\n::error::b%"), "a%0A::error::b%25");
        assert_eq!(property("a:b,c\r"), "a%3Ab%2Cc%0D");
    }
}
