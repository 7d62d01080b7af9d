//! JUnit XML: a suite for each file, a case for each object.

use std::fmt::Write as _;

use super::text::sentence;
use crate::check::answer::{CheckAnswer, CheckedObject, CheckedStatus};

/// The answer for reports on tests.
pub fn junit(answer: &CheckAnswer) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let all: Vec<&CheckedObject> = answer.objects.iter().collect();
    let counts = counts(&all);
    element(
        &mut out,
        format_args!("<testsuites name=\"deputy check\" {counts}>\n"),
    );
    for suite in answer.objects.chunk_by(|a, b| file(a) == file(b)) {
        let objects: Vec<&CheckedObject> = suite.iter().collect();
        let name = suite.first().map_or("-", file);
        let counts = self::counts(&objects);
        element(
            &mut out,
            format_args!("  <testsuite name=\"{}\" {counts}>\n", escaped(name)),
        );
        for object in suite {
            case(&mut out, object, name);
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn file(object: &CheckedObject) -> &str {
    object.place.as_ref().map_or("-", |place| &place.file)
}

fn counts(objects: &[&CheckedObject]) -> String {
    let count = |status| objects.iter().filter(|object| object.status == status).count();
    format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
        objects.len(),
        count(CheckedStatus::Refused),
        count(CheckedStatus::Unreadable),
        count(CheckedStatus::Undecided)
    )
}

fn case(out: &mut String, object: &CheckedObject, file: &str) {
    let (name, file) = (escaped(&object.object), escaped(file));
    element(
        out,
        format_args!("    <testcase name=\"{name}\" classname=\"{file}\""),
    );
    if object.findings.is_empty() {
        return out.push_str("/>\n");
    }
    out.push_str(">\n");
    let lines: Vec<String> = object
        .findings
        .iter()
        .map(|finding| {
            let place = finding.place.as_ref().or(object.place.as_ref());
            let place = place.map_or_else(String::new, |place| format!("{place}: "));
            format!(
                "{place}{}[{}]: {}",
                finding.level.as_str(),
                finding.reason,
                sentence(object, finding)
            )
        })
        .collect();
    let text = escaped(&lines.join("\n"));
    let first = object.findings.first();
    let reason = escaped(first.map_or("", |finding| finding.reason));
    let message = escaped(first.map_or("", |finding| &finding.message));
    match object.status {
        CheckedStatus::Refused => element(
            out,
            format_args!("      <failure type=\"{reason}\" message=\"{message}\">{text}</failure>\n"),
        ),
        CheckedStatus::Unreadable => element(
            out,
            format_args!("      <error type=\"{reason}\" message=\"{message}\">{text}</error>\n"),
        ),
        CheckedStatus::Undecided => {
            element(out, format_args!("      <skipped message=\"{message}\"/>\n"));
            element(out, format_args!("      <system-out>{text}</system-out>\n"));
        }
        CheckedStatus::Accepted => element(out, format_args!("      <system-out>{text}</system-out>\n")),
    }
    out.push_str("    </testcase>\n");
}

/// Writing to a text does not fail.
fn element(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _written = out.write_fmt(text).is_ok();
}

/// As text or attribute of XML 1.0, which has no place for most control characters.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_says_does_not_become_markup() {
        assert_eq!(
            escaped("<a b=\"c\">&\u{1b}"),
            "&lt;a b=&quot;c&quot;&gt;&amp;\u{fffd}"
        );
    }
}
