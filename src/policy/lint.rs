//! `deputy policy lint`

use std::path::PathBuf;

use clap::Args;
use deputy_policy::{Document, Lint, PolicyKind, lint};
use serde::Serialize;

use super::{
    batch::{self, Members, batch},
    namespaces::InNamespaces,
    report::{self, ReportedFinding, Style, text},
    source::{File, Policy},
    types::PolicyType,
};
use crate::{
    exit::{CommandAnswer, CommandResult, Failure},
    output::{Output, OutputFormat},
};

const EXAMPLE: &str = "\
Examples:
  deputy policy lint limit.yaml
  deputy policy lint --type trust --format json trust.json";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct LintArguments {
    /// The policy, or manifests: each policy of an AWSRole, ClusterAWSRole, AWSRoleBinding,
    /// AWSFederatedUserBinding, AWSResourcePolicyStatement or DelegationLimit; JSON or YAML,
    /// - is standard input
    #[arg(required_unless_present = "batch")]
    file: Option<PathBuf>,
    /// What it is used as, unless a manifest says so; identity by default. A boundary is also looked at as the ceiling of
    /// a limit
    #[arg(long, value_enum)]
    r#type: Option<PolicyType>,
    /// How the findings are written
    #[arg(short = 'o', long, visible_alias = "output", value_enum, default_value_t)]
    format: OutputFormat,
    /// JSON lines in, JSON lines out, in the same order; - is standard input
    #[arg(long, value_name = "FILE", exclusive = true)]
    batch: Option<PathBuf>,
}

/// The answer about one policy: a contract (docs/contracts.md).
#[derive(Serialize)]
struct Answered {
    /// Which one, of a manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    valid: bool,
    /// As AWS counts it, of a valid policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<usize>,
    findings: Vec<ReportedFinding>,
    /// Why a line could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Answered {
    fn new(size: Option<usize>, findings: Vec<Lint>, text: &str) -> Self {
        Self {
            policy: None,
            valid: size.is_some(),
            size,
            findings: findings
                .into_iter()
                .map(|f| ReportedFinding::new(f, text))
                .collect(),
            reason: None,
        }
    }
}

impl batch::BatchAnswer for Answered {
    fn invalid(reason: String) -> Self {
        Self {
            reason: Some(reason),
            ..Self::new(None, Vec::new(), "")
        }
    }
}

/// What was found in one policy of a file.
struct Looked {
    /// Which one, of a manifest: `DelegationLimit payments, spec.ceiling`.
    of: Option<String>,
    /// As AWS counts it, when it is a policy.
    size: Option<usize>,
    findings: Vec<Lint>,
}

pub fn run(arguments: &LintArguments) -> CommandResult {
    if let Some(path) = &arguments.batch {
        return batch(path, answer);
    }
    let Some(path) = &arguments.file else {
        return Err(Failure::input("needs FILE, or --batch"));
    };
    let file = File::read(path)?;
    let looked = look(&file, arguments.r#type)?;
    let mut out = Output::new();
    match arguments.format {
        OutputFormat::Json => json(looked, &file, &mut out),
        OutputFormat::Text => plain(&looked, &file, &mut out),
    }
}

/// Looks at every policy of a file.
fn look(file: &File, r#type: Option<PolicyType>) -> Result<Vec<Looked>, Failure> {
    let groups = match file.groups(InNamespaces::Longest) {
        Ok(groups) => groups,
        // Around the policies.
        Err(findings) => {
            return Ok(vec![Looked {
                of: None,
                size: None,
                findings,
            }]);
        }
    };
    let mut looked = Vec::new();
    for policy in groups.iter().flat_map(|group| &group.policies) {
        let kind = kind(policy, r#type).map_err(|e| Failure::input(format!("{}: {e}", file.name)))?;
        let (size, findings) = match policy.parse(kind) {
            Ok(document) => (Some(document.size()), policy.warnings(&document)),
            Err(problems) => (None, problems),
        };
        let of = policy
            .of
            .as_ref()
            .map(|owner| format!("{owner}, {}", policy.path));
        looked.push(Looked { of, size, findings });
    }
    if looked.is_empty() {
        return Err(Failure::input(format!(
            "{}: there is no policy in it, neither by itself nor in an AWSRole, ClusterAWSRole, AWSRoleBinding, \
             AWSFederatedUserBinding, AWSResourcePolicyStatement or \
             DelegationLimit",
            file.name
        )));
    }
    Ok(looked)
}

/// A manifest says itself what its policies are used as.
fn kind(policy: &Policy, r#type: Option<PolicyType>) -> Result<PolicyKind, String> {
    let asked = r#type.map(PolicyKind::from);
    let Some(owner) = &policy.of else {
        return Ok(asked.unwrap_or(PolicyKind::Identity));
    };
    let own = owner.kind.policies();
    match asked {
        Some(asked) if asked != own => Err(format!(
            "the policies of {owner} are of type {}, not {}; leave --type out",
            PolicyType::word(own),
            PolicyType::word(asked)
        )),
        _ => Ok(own),
    }
}

fn json(looked: Vec<Looked>, file: &File, out: &mut Output) -> CommandResult {
    let whole = outcome(&looked);
    let problems = problems(&looked);
    for one in looked {
        out.json(&Answered {
            policy: one.of,
            ..Answered::new(one.size, one.findings, &file.text)
        })?;
    }
    out.flush()?;
    whole.ok_or_else(|| Failure::input(format!("{} is refused: {problems} problems", file.name)))
}

fn plain(looked: &[Looked], file: &File, out: &mut Output) -> CommandResult {
    let source = file.source();
    let mut refused = Vec::new();
    for one in looked {
        let Some(size) = one.size else {
            refused.extend(one.findings.iter().cloned());
            continue;
        };
        out.write(text(&one.findings, &source, Style::of(&std::io::stdout())))?;
        let of = one.of.as_ref().map_or_else(String::new, |of| format!("{of}: "));
        let found = one.findings.len();
        out.line(format_args!(
            "{of}{size} characters as AWS counts them, {found} findings"
        ))?;
    }
    out.flush()?;
    outcome(looked).ok_or_else(|| report::refused(&refused, &source))
}

/// `None` when a policy is refused.
fn outcome(looked: &[Looked]) -> Option<CommandAnswer> {
    let clean = looked.iter().all(|one| one.findings.is_empty());
    let valid = looked.iter().all(|one| one.size.is_some());
    valid.then_some(if clean {
        CommandAnswer::Yes
    } else {
        CommandAnswer::No
    })
}

/// How much is wrong with what is refused.
fn problems(looked: &[Looked]) -> usize {
    let refused = looked.iter().filter(|one| one.size.is_none());
    refused.map(|one| one.findings.len()).sum()
}

fn answer(line: &mut Members<'_>) -> Result<Answered, String> {
    let policy = line.required("policy")?.get();
    let kind = line.word("type", PolicyType::default())?.into();
    line.done()?;
    // The text as it is: a parsed value would have lost duplicate keys.
    Ok(match Document::parse(policy, kind) {
        Ok(document) => Answered::new(Some(document.size()), lint(&document, Some(policy)), policy),
        Err(problems) => Answered::new(None, problems.iter().map(Lint::from).collect(), policy),
    })
}
