//! Findings on a policy, with where in the user's file they are: in colour on a terminal, a line each otherwise.

use std::{io::IsTerminal, ops::Range};

use deputy_policy::{Lint, Severity};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report};
use serde::Serialize;

use crate::{
    exit::Failure,
    text::{position, printable, steers},
};

/// Width of what is drawn on a terminal.
const WIDTH: usize = 100;

/// A policy and what it is called.
pub struct ReportSource<'a> {
    pub name: &'a str,
    pub text: &'a str,
}

/// How findings are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A line each: `FILE:LINE:COLUMN: error[name]: path: message`.
    Plain,
    /// With the lines of the file, in colour or not.
    Drawn { colour: bool },
}

impl Style {
    /// Drawn on a terminal, in colour unless `NO_COLOR` is set (<https://no-color.org>).
    pub fn of(stream: &impl IsTerminal) -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if stream.is_terminal() {
            Self::Drawn { colour: !no_colour }
        } else {
            Self::Plain
        }
    }
}

/// The findings as text, each with a line end.
pub fn text(findings: &[Lint], source: &ReportSource<'_>, style: Style) -> String {
    let mut out = String::new();
    for finding in findings {
        match style {
            Style::Plain => plain(finding, source, &mut out),
            Style::Drawn { colour } => drawn(finding, source, colour, &mut out),
        }
    }
    out
}

/// The failure of a command whose input is no policy.
pub fn refused(findings: &[Lint], source: &ReportSource<'_>) -> Failure {
    let style = Style::of(&std::io::stderr());
    let shown = text(findings, source, style);
    let message = format!("{} is refused\n{}", printable(source.name), shown.trim_end());
    match style {
        Style::Plain => Failure::Input(message),
        Style::Drawn { .. } => Failure::Drawn(message),
    }
}

fn plain(finding: &Lint, source: &ReportSource<'_>, out: &mut String) {
    out.push_str(&place(source, finding.span.as_ref()));
    let colon = if finding.path.is_empty() { "" } else { ": " };
    let severity = finding.severity().as_str();
    let (at, message) = (printable(&finding.path), printable(&finding.message));
    out.push_str(&format!(": {severity}[{}]{colon}{at}: {message}", finding.code));
    if let Some(suggestion) = &finding.suggestion {
        out.push_str("; write ");
        out.push_str(&printable(suggestion));
    }
    out.push('\n');
}

/// What [`printable`] is for, of lines of a file, whose bytes must stay where they are.
fn harmless(text: &str) -> String {
    let stand_in = |c: char| match c.len_utf8() {
        1 => '?',
        2 => '\u{a4}',
        _ => '\u{fffd}',
    };
    let kept = |c: char| matches!(c, '\n' | '\r' | '\t') || !steers(c);
    text.chars()
        .map(|c| if kept(c) { c } else { stand_in(c) })
        .collect()
}

/// `FILE:LINE:COLUMN`, both from 1; columns are characters.
pub fn place(source: &ReportSource<'_>, span: Option<&Range<usize>>) -> String {
    match span.and_then(|span| position(source.text, span.start)) {
        Some((line, column)) => format!("{}:{line}:{column}", source.name),
        None => source.name.to_owned(),
    }
}

fn drawn(finding: &Lint, source: &ReportSource<'_>, colour: bool, out: &mut String) {
    let at = if finding.path.is_empty() { "" } else { ": " };
    let title = format!("{}{at}{}", printable(&finding.path), printable(&finding.message));
    let mut diagnostic = MietteDiagnostic::new(title)
        .with_code(finding.code.as_str())
        .with_severity(match finding.severity() {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        });
    if let Some(span) = &finding.span {
        let label = LabeledSpan::new_primary_with_span(None, span.clone());
        diagnostic = diagnostic.with_label(label);
    }
    if let Some(suggestion) = &finding.suggestion {
        diagnostic = diagnostic.with_help(format!("write {}", printable(suggestion)));
    }
    let theme = if colour {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let named = NamedSource::new(source.name, harmless(source.text));
    let report = Report::new(diagnostic).with_source_code(named);
    let handler = GraphicalReportHandler::new_themed(theme).with_width(WIDTH);
    if handler.render_report(out, report.as_ref()).is_err() {
        plain(finding, source, out);
    }
}

/// A finding as JSON: a contract (docs/contracts.md).
#[derive(Serialize)]
pub struct ReportedFinding {
    code: &'static str,
    severity: &'static str,
    path: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span: Option<Span>,
}

/// Bytes of the policy's text, and where its first one is.
#[derive(Serialize)]
struct Span {
    start: usize,
    end: usize,
    line: usize,
    column: usize,
}

impl ReportedFinding {
    pub fn new(finding: Lint, text: &str) -> Self {
        let span = finding.span.as_ref().and_then(|span| {
            let (line, column) = position(text, span.start)?;
            Some(Span {
                start: span.start,
                end: span.end,
                line,
                column,
            })
        });
        Self {
            code: finding.code.as_str(),
            severity: finding.severity().as_str(),
            path: finding.path,
            message: finding.message,
            suggestion: finding.suggestion,
            span,
        }
    }
}

#[cfg(test)]
mod tests {
    use deputy_policy::{Document, PolicyKind};

    use super::*;

    const TEXT: &str = "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": {\"Effect\": \"Allow\", \"Action\": \"é\",\n    \"Resource\": \"s3:::b\"}\n}\n";

    fn findings() -> Vec<Lint> {
        let problems = Document::parse(TEXT, PolicyKind::Identity).unwrap_err();
        problems.iter().map(Lint::from).collect()
    }

    #[test]
    fn a_line_says_where_and_what_to_write() {
        let source = ReportSource {
            name: "p.json",
            text: TEXT,
        };
        let shown = text(&findings(), &source, Style::Plain);
        let lines: Vec<&str> = shown.lines().collect();
        assert!(
            lines[0].starts_with("p.json:3:46: error[invalid-action]: Statement[0].Action[0]: "),
            "{shown}"
        );
        assert!(
            lines[1].starts_with("p.json:4:17: error[short-arn]: Statement[0].Resource[0]: "),
            "{shown}"
        );
        assert!(lines[1].ends_with("; write arn:aws:s3:::b"), "{shown}");
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn a_policy_does_not_steer_the_terminal() {
        let text_with = "{\"a\\u001b[31m\": 1, \"Version\": \"\u{202e}\"}\u{1b}[0m";
        for style in [Style::Plain, Style::Drawn { colour: false }] {
            for policy in [text_with, text_with.trim_end_matches("\u{1b}[0m")] {
                let problems = Document::parse(policy, PolicyKind::Identity).unwrap_err();
                let findings: Vec<Lint> = problems.iter().map(Lint::from).collect();
                let shown = text(
                    &findings,
                    &ReportSource {
                        name: "p",
                        text: policy,
                    },
                    style,
                );
                assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown:?}");
            }
        }
    }

    #[test]
    fn a_drawing_shows_the_line_and_colours_only_when_asked() {
        let source = ReportSource {
            name: "p.json",
            text: TEXT,
        };
        let shown = text(&findings(), &source, Style::Drawn { colour: false });
        assert!(
            shown.contains("short-arn") && shown.contains("p.json:4:17"),
            "{shown}"
        );
        assert!(
            shown.contains("\"Resource\": \"s3:::b\"") && shown.contains("help: write arn:aws:s3:::b"),
            "{shown}"
        );
        assert!(!shown.contains('\u{1b}'), "{shown}");
        let coloured = text(&findings(), &source, Style::Drawn { colour: true });
        assert!(coloured.contains('\u{1b}'), "{coloured}");
    }
}
