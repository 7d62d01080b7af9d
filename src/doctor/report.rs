//! What the checks found, for people and for programs.

use serde::Serialize;
use serde_json::json;

use super::{
    checks::{CHECKS, DoctorCheck},
    finding::{CheckOutcome, DoctorFinding, FindingSeverity},
    snapshot::DoctorSnapshot,
};
use crate::{
    exit::{CommandAnswer, CommandResult},
    output::{Output, OutputFormat},
    text::printable,
};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    Fine,
    Skipped,
    Warning,
    Unknown,
    Error,
}

/// One check, and what it found: a contract (docs/contracts.md).
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    pub check: &'static str,
    pub state: CheckState,
    /// Why it was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    pub findings: Vec<DoctorFinding>,
}

/// Runs every check but those that are left out.
pub fn judge(snapshot: &DoctorSnapshot, skip: &[String]) -> Vec<CheckReport> {
    let outcome = |check: &DoctorCheck| match skip.iter().any(|name| name == check.name) {
        true => CheckOutcome::Skipped("as --skip says"),
        false => (check.run)(snapshot),
    };
    let all = CHECKS.iter().map(|check| match outcome(check) {
        CheckOutcome::Skipped(reason) => CheckReport {
            check: check.name,
            state: CheckState::Skipped,
            reason: Some(reason),
            findings: Vec::new(),
        },
        CheckOutcome::Looked(findings) => CheckReport {
            check: check.name,
            state: state(&findings),
            reason: None,
            findings,
        },
    });
    all.collect()
}

fn state(findings: &[DoctorFinding]) -> CheckState {
    match findings.iter().map(|finding| finding.severity).max() {
        None => CheckState::Fine,
        Some(FindingSeverity::Warning) => CheckState::Warning,
        Some(FindingSeverity::Unknown) => CheckState::Unknown,
        Some(FindingSeverity::Error) => CheckState::Error,
    }
}

/// Whether nothing is wrong. What could not be looked at may be.
pub fn is_well(reports: &[CheckReport]) -> bool {
    let bad = |report: &CheckReport| matches!(report.state, CheckState::Unknown | CheckState::Error);
    !reports.iter().any(bad)
}

pub fn answer(format: OutputFormat, snapshot: &DoctorSnapshot, reports: &[CheckReport]) -> CommandResult {
    let mut out = Output::new();
    match format {
        OutputFormat::Json => out.line(format_args!(
            "{:#}",
            json!({
                "version": env!("CARGO_PKG_VERSION"),
                "namespace": snapshot.namespace,
                "time": snapshot.now.to_string(),
                "checks": reports,
            })
        ))?,
        OutputFormat::Text => out.write(text(reports))?,
    }
    out.flush()?;
    Ok(match is_well(reports) {
        true => CommandAnswer::Yes,
        false => CommandAnswer::No,
    })
}

fn text(reports: &[CheckReport]) -> String {
    let mut lines = Vec::new();
    for report in reports {
        let word = match report.state {
            CheckState::Fine => "fine",
            CheckState::Skipped => "skipped",
            CheckState::Warning => "warning",
            CheckState::Unknown => "unknown",
            CheckState::Error => "error",
        };
        let reason = report
            .reason
            .map_or_else(String::new, |reason| format!(": {reason}"));
        lines.push(format!("{word:8}{}{reason}", report.check));
        for finding in &report.findings {
            let severity = match finding.severity {
                FindingSeverity::Warning => "warning",
                FindingSeverity::Unknown => "unknown",
                FindingSeverity::Error => "error",
            };
            lines.push(format!("  {severity}: {}: {}", finding.object, finding.message));
            lines.push(format!("    do: {}", finding.fix));
        }
    }
    let mut out = String::new();
    for line in lines {
        out.push_str(&printable(&line));
        out.push('\n');
    }
    out
}
