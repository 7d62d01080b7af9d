//! `deputy policy …`: the policy engine on the command line, for one pair of files or for a batch of JSON lines.

mod batch;
mod contains;
mod evaluate;
mod lint;
mod manifest;
mod report;
mod select;
mod source;
mod translate;

use clap::{Subcommand, ValueEnum};
use deputy_policy::{Lint, PolicyKind};

use self::report::{Source, Style};
use crate::exit::{Failure, Outcome};

/// `deputy policy`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Is everything that a policy allows allowed by a ceiling?
    Contains(contains::Arguments),
    /// Is a request allowed by these policies?
    Evaluate(evaluate::Arguments),
    /// What is wrong with a policy, or dangerous in it as a ceiling?
    Lint(lint::Arguments),
}

impl Command {
    pub fn run(&self) -> Outcome {
        match self {
            Self::Contains(a) => contains::run(a),
            Self::Evaluate(a) => evaluate::run(a),
            Self::Lint(a) => lint::run(a),
        }
    }
}

/// What a document is used as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Type {
    /// Attached to a role or user.
    #[default]
    Identity,
    /// Passed to AssumeRole.
    Session,
    /// A permissions boundary or a ceiling.
    Boundary,
    /// Attached to a resource.
    Resource,
    /// The trust policy of a role.
    Trust,
    /// A service control policy of an organisation.
    #[value(name = "scp")]
    ServiceControl,
    /// A resource control policy of an organisation.
    #[value(name = "rcp")]
    ResourceControl,
}

impl From<Type> for PolicyKind {
    fn from(t: Type) -> Self {
        match t {
            Type::Identity => Self::Identity,
            Type::Session => Self::Session,
            Type::Boundary => Self::Boundary,
            Type::Resource => Self::Resource,
            Type::Trust => Self::Trust,
            Type::ServiceControl => Self::ServiceControl,
            Type::ResourceControl => Self::ResourceControl,
        }
    }
}

impl Type {
    /// The word for a kind, as it is given to `--type`.
    fn word(kind: PolicyKind) -> &'static str {
        match kind {
            PolicyKind::Identity => "identity",
            PolicyKind::Session => "session",
            PolicyKind::Boundary => "boundary",
            PolicyKind::Resource => "resource",
            PolicyKind::Trust => "trust",
            PolicyKind::ServiceControl => "scp",
            PolicyKind::ResourceControl => "rcp",
        }
    }
}

/// The failure of a command whose input is no policy.
fn refused(findings: &[Lint], source: &Source<'_>) -> Failure {
    let shown = report::text(findings, source, Style::of(&std::io::stderr()));
    Failure::input(format!("{} is refused\n{}", source.name, shown.trim_end()))
}
