//! Findings on a policy, with where in the user's file they are: in colour on a terminal, a line each otherwise.

use std::{fmt::Write as _, io::IsTerminal, ops::Range};

use deputy_policy::{Lint, Severity};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report};
use serde::Serialize;

/// Width of what is drawn on a terminal.
const WIDTH: usize = 100;

/// A policy and what it is called.
pub struct Source<'a> {
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
pub fn text(findings: &[Lint], source: &Source<'_>, style: Style) -> String {
    let mut out = String::new();
    for finding in findings {
        match style {
            Style::Plain => plain(finding, source, &mut out),
            Style::Drawn { colour } => drawn(finding, source, colour, &mut out),
        }
    }
    out
}

fn plain(finding: &Lint, source: &Source<'_>, out: &mut String) {
    out.push_str(&place(source, finding.span.as_ref()));
    let path = if finding.path.is_empty() { "" } else { ": " };
    let severity = finding.severity().as_str();
    let (code, at, message) = (finding.code, &finding.path, &finding.message);
    // Writing to a string can't fail.
    drop(write!(out, ": {severity}[{code}]{path}{at}: {message}"));
    if let Some(suggestion) = &finding.suggestion {
        drop(write!(out, "; write {suggestion}"));
    }
    out.push('\n');
}

/// `FILE:LINE:COLUMN`, both from 1; columns are characters.
pub fn place(source: &Source<'_>, span: Option<&Range<usize>>) -> String {
    match span.and_then(|span| position(source.text, span.start)) {
        Some((line, column)) => format!("{}:{line}:{column}", source.name),
        None => source.name.to_owned(),
    }
}

fn position(text: &str, at: usize) -> Option<(usize, usize)> {
    let before = text.get(..at)?;
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
    Some((line, column))
}

fn drawn(finding: &Lint, source: &Source<'_>, colour: bool, out: &mut String) {
    let at = if finding.path.is_empty() { "" } else { ": " };
    let mut diagnostic = MietteDiagnostic::new(format!("{}{at}{}", finding.path, finding.message))
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
        diagnostic = diagnostic.with_help(format!("write {suggestion}"));
    }
    let theme = if colour {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let named = NamedSource::new(source.name, source.text.to_owned());
    let report = Report::new(diagnostic).with_source_code(named);
    let handler = GraphicalReportHandler::new_themed(theme).with_width(WIDTH);
    if handler.render_report(out, report.as_ref()).is_err() {
        plain(finding, source, out);
    }
}

/// A finding as JSON: a contract (docs/contracts.md).
#[derive(Serialize)]
pub struct Finding<'a> {
    code: &'static str,
    severity: &'static str,
    path: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<&'a str>,
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

impl<'a> Finding<'a> {
    pub fn new(finding: &'a Lint, text: &str) -> Self {
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
            path: &finding.path,
            message: &finding.message,
            suggestion: finding.suggestion.as_deref(),
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
        let source = Source {
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
    fn a_drawing_shows_the_line_and_colours_only_when_asked() {
        let source = Source {
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
