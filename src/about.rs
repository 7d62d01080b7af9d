//! What `deputy` says of itself: its version, its manual, and how a shell completes it.

use std::path::PathBuf;

use clap::{Args, Command, ValueEnum};
use clap_complete::Shell;
use serde_json::json;

use crate::{
    exit::{CommandAnswer, CommandResult, Failure},
    output::{self, Output},
};

/// The commit that the program was built from. Whoever builds it says so, and a build without is the same from any folder.
const COMMIT: &str = match option_env!("DEPUTY_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

/// The version of the paths by which agents ask the broker.
const AGENT_PROTOCOL: &str = "v1";
/// What the webhook writes into `deputy.dev/injected`.
const INJECTED_FORMAT: &str = "v1";
/// The version of the API for people.
const PEOPLE_API: &str = "v1alpha1";

const VERSION_EXAMPLE: &str = "\
Example:
  deputy version -o json";

#[derive(Debug, Args)]
#[command(after_help = VERSION_EXAMPLE)]
pub struct VersionArguments {
    /// How it is written
    #[arg(short, long, visible_alias = "format", value_enum, default_value_t)]
    output: VersionForm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum VersionForm {
    /// One line
    #[default]
    Text,
    /// With the versions of what others build on
    Json,
}

const COMPLETION_EXAMPLE: &str = "\
Examples:
  deputy completion bash > /etc/bash_completion.d/deputy
  deputy completion zsh > \"${fpath[1]}/_deputy\"
  deputy completion fish > ~/.config/fish/completions/deputy.fish";

#[derive(Debug, Args)]
#[command(after_help = COMPLETION_EXAMPLE)]
pub struct CompletionArguments {
    /// Whose script
    #[arg(value_enum)]
    shell: Shell,
}

const MAN_EXAMPLE: &str = "\
Examples:
  deputy man | man -l -
  deputy man /usr/local/share/man/man1";

#[derive(Debug, Args)]
#[command(after_help = MAN_EXAMPLE)]
pub struct ManArguments {
    /// The folder for a page for each command; without it the page of deputy itself is printed
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// `deputy version`.
pub fn version(arguments: &VersionArguments) -> CommandResult {
    let version = env!("CARGO_PKG_VERSION");
    match arguments.output {
        VersionForm::Text => output::print(format_args!("deputy {version} (commit {COMMIT})"))?,
        VersionForm::Json => {
            let all = json!({
                "version": version,
                "commit": COMMIT,
                "apis": {"deputy.dev": deputy_api::VERSION, "credentials.deputy.dev": PEOPLE_API},
                "protocols": {"agent": AGENT_PROTOCOL},
                "formats": {"auditLog": deputy_runtime::telemetry::AUDIT_VERSION, "injected": INJECTED_FORMAT},
                "serviceReference": deputy_policy::reference::date(),
            });
            output::print(format_args!("{all:#}"))?;
        }
    }
    Ok(CommandAnswer::Yes)
}

/// `deputy completion`.
pub fn completion(arguments: &CompletionArguments, mut command: Command) -> CommandResult {
    // Into memory first: writing there does not fail, and what does ends the library's process.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "deputy", &mut script);
    print(&script)
}

/// `deputy man`.
pub fn man(arguments: &ManArguments, command: Command) -> CommandResult {
    let Some(folder) = &arguments.folder else {
        let mut page = Vec::new();
        let manual = clap_mangen::Man::new(command);
        manual.render(&mut page).map_err(Failure::process)?;
        return print(&page);
    };
    let failed = |error: std::io::Error| Failure::process(format!("{}: {error}", folder.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    clap_mangen::generate_to(command, folder).map_err(failed)?;
    Ok(CommandAnswer::Yes)
}

fn print(text: &[u8]) -> CommandResult {
    let mut out = Output::new();
    out.write(String::from_utf8_lossy(text))?;
    out.flush()?;
    Ok(CommandAnswer::Yes)
}
