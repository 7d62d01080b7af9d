//! Objects that a command proposes and nobody has applied, as YAML with what a reader has to know in comments.

use serde_json::Value;

use crate::{
    exit::{Failure, say},
    output::Output,
};

/// An object, and what a reader of it has to do besides.
pub struct ProposedObject {
    pub comments: Vec<String>,
    pub object: Value,
}

/// All that is proposed, and what could not be carried over.
#[derive(Default)]
pub struct Proposal {
    pub objects: Vec<ProposedObject>,
    pub left: Vec<String>,
}

/// Prints what `command` proposes. What is not carried over goes to standard error as well.
pub fn print(command: &str, proposal: &Proposal) -> Result<(), Failure> {
    let mut out = Output::new();
    out.line(format_args!(
        "# Proposed by `{command}`. Nothing is applied: read it, then apply it."
    ))?;
    if !proposal.left.is_empty() {
        out.line("# Not carried over:")?;
    }
    for left in &proposal.left {
        let left = on_one_line(left);
        out.line(format_args!("# - {left}"))?;
        say(&left);
    }
    for proposed in &proposal.objects {
        let yaml = serde_saphyr::to_string(&proposed.object).map_err(Failure::process)?;
        out.line("---")?;
        for comment in &proposed.comments {
            out.line(format_args!("# {}", on_one_line(comment)))?;
        }
        out.write(yaml)?;
    }
    out.flush()
}

/// Values come from files of others: none of them ends a comment.
fn on_one_line(text: &str) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}');
    text.replace(breaks, " ")
}
