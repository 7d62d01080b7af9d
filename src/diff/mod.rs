//! `deputy diff`: what a change newly allows and newly denies, by what it means and not by how it is written.

mod classes;
mod compare;
mod fields;
mod policies;
mod report;
mod sides;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use deputy_delegation::NamespaceName;
use deputy_policy::PolicyKind;

use self::{
    compare::{DiffAnswer, ObjectDifference, alone, objects},
    sides::DiffSide,
};
use crate::{
    exit::{CommandAnswer, CommandResult, Failure},
    input::once,
    output::Output,
    policy::types::PolicyType,
};

const EXAMPLES: &str = "Examples:

  deputy diff old/ new/                                    all objects of two folders
  git show main:app.yaml | deputy diff - app.yaml          one file, before and after
  deputy diff old.json new.json --type boundary            policies by themselves
  deputy diff old/ new/ --format markdown                  a comment for a pull request

Exit codes: 0 nothing differs, 1 something differs or is not known, 2 something can't be read.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DiffArguments {
    /// How it was: a policy, manifests, or a folder of them; - is standard input
    #[arg(value_name = "OLD", required_unless_present = "filename", requires = "new")]
    old: Option<PathBuf>,
    /// How it is to be
    #[arg(value_name = "NEW")]
    new: Option<PathBuf>,
    /// OLD and NEW, as other commands name files: twice, in this order
    #[arg(short = 'f', long, value_name = "FILE|DIR", conflicts_with = "old")]
    filename: Vec<PathBuf>,
    /// What policies by themselves are used as
    #[arg(long, value_enum, default_value_t)]
    r#type: PolicyType,
    /// The namespace of objects that name none
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<NamespaceName>,
    /// How the answer is written
    #[arg(short = 'o', long, visible_alias = "output", value_enum, default_value_t)]
    format: DiffFormat,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum DiffFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object
    Json,
    /// A comment for a pull request
    Markdown,
}

impl DiffArguments {
    /// OLD and NEW, however they are named.
    fn sides(&self) -> Result<(&Path, &Path), Failure> {
        match (&self.old, &self.new, self.filename.as_slice()) {
            (Some(old), Some(new), []) | (None, None, [old, new]) => Ok((old, new)),
            _ => Err(Failure::input(
                "name two files or folders, OLD and NEW: as they stand, or each by -f, in this order",
            )),
        }
    }
}

pub fn run(arguments: &DiffArguments) -> CommandResult {
    let (old, new) = arguments.sides()?;
    once([("OLD", old), ("NEW", new)])?;
    let kind = arguments.r#type.into();
    let namespace = arguments.namespace.as_ref().map(NamespaceName::as_str);
    let old = DiffSide::read(old, kind, namespace)?;
    let new = DiffSide::read(new, kind, namespace)?;
    if old.is_empty() && new.is_empty() {
        return Err(Failure::input(
            "there is nothing to compare: neither OLD nor NEW has an object of Deputy's or a policy",
        ));
    }
    let mut found = objects(&old.objects, &new.objects).map_err(Failure::input)?;
    found.extend(policies(&old, &new, kind)?);
    let answer = DiffAnswer {
        objects: found,
        passed_over: (old.passed_over, new.passed_over),
    };
    let mut out = Output::new();
    out.write(match arguments.format {
        DiffFormat::Text => report::text(&answer),
        DiffFormat::Json => report::json(&answer),
        DiffFormat::Markdown => report::markdown(&answer),
    })?;
    out.flush()?;
    Ok(if answer.objects.is_empty() {
        CommandAnswer::Yes
    } else {
        CommandAnswer::No
    })
}

/// What is to tell of policies that stand alone: those of two files, or those of two folders by the names of their files.
fn policies(old: &DiffSide, new: &DiffSide, kind: PolicyKind) -> Result<Vec<ObjectDifference>, Failure> {
    let mut found = Vec::new();
    let names: BTreeSet<&String> = old.policies.keys().chain(new.policies.keys()).collect();
    for name in names {
        let (before, after) = (old.policies.get(name), new.policies.get(name));
        if name.is_empty() && (before.is_none() || after.is_none()) {
            return Err(Failure::input(
                "one of OLD and NEW has a policy by itself, and the other one has none: compare policies with policies, a file with a \
                 file or a folder with a folder",
            ));
        }
        let difference = alone(name, before, after, kind);
        found.extend(Some(difference).filter(|difference| !difference.is_empty()));
    }
    Ok(found)
}
