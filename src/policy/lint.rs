//! `deputy policy lint`

use std::path::PathBuf;

use clap::Args;
use deputy_policy::{escalation, tag_variables};

use super::{Type, read_document};
use crate::exit::{Answer, Outcome};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The policy (JSON)
    file: PathBuf,
    /// What it is used as; a boundary is also looked at as the ceiling of a limit
    #[arg(long, value_enum, default_value_t)]
    r#type: Type,
}

pub fn run(arguments: &Arguments) -> Outcome {
    let document = read_document(&arguments.file, arguments.r#type.into())?;
    let mut findings = Vec::new();
    if arguments.r#type == Type::Boundary {
        findings.extend(escalation(&document).iter().map(ToString::to_string));
        findings.extend(
            tag_variables(&document)
                .iter()
                .map(|v| format!("{}: a tenant may be able to set ${{{}}}", v.path, v.key)),
        );
    }
    for finding in &findings {
        println!("{finding}");
    }
    println!(
        "{} characters as AWS counts them, {} findings",
        document.size(),
        findings.len()
    );
    Ok(if findings.is_empty() {
        Answer::Yes
    } else {
        Answer::No
    })
}
