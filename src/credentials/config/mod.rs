//! `deputy credentials config`: the profile by which AWS's SDKs and CLI ask `deputy credentials role`.

mod file;
mod process;
mod section;
#[cfg(test)]
mod tests;

use clap::Args;
use deputy_delegation::Region;

use self::{
    file::{ConfigFile, config_file},
    section::{EditedConfig, WantedProfile, edit},
};
use super::{
    arguments::duration,
    kubeconfig::{ChosenContext, KubeconfigArguments},
    role::{AskedBinding, seconds},
    settings::Settings,
};
use crate::{
    exit::{CommandAnswer, CommandResult, Failure},
    input::failed,
    output,
};

/// The longest name of a profile that is written.
const LONGEST_NAME: usize = 128;

const EXAMPLE: &str = "\
Example:
  deputy credentials config payments/uploader --profile uploader";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct WriteProfileArguments {
    /// The AWSRoleBinding; without NAMESPACE/ in the namespace of the context
    #[arg(value_name = "NAMESPACE/NAME")]
    binding: AskedBinding,
    #[command(flatten)]
    kubeconfig: KubeconfigArguments,
    /// The name of the profile; by default NAMESPACE-NAME
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The region of the profile; without it, it has none
    #[arg(long)]
    region: Option<Region>,
    /// How long its sessions live, 30m to 12h; by default as long as the binding says
    #[arg(long, value_parser = duration)]
    duration: Option<u32>,
    /// Write it in the place of a profile of this name that says something else
    #[arg(long)]
    replace: bool,
    /// Show the profile, and write nothing
    #[arg(long)]
    print: bool,
}

pub fn run(arguments: &WriteProfileArguments) -> CommandResult {
    let settings = Settings::of_environment();
    let context = arguments.kubeconfig.choose(&settings)?;
    let profile = arguments.wanted(&context, &settings)?;
    if arguments.print {
        output::print(profile.to_string().trim_end())?;
        return Ok(CommandAnswer::Yes);
    }
    let named = config_file(&settings)?;
    let file = ConfigFile::read(&named)?;
    let edited = edit(file.text(), &profile, arguments.replace).map_err(|error| failed(&named, &error))?;
    let done = match edited {
        EditedConfig::Same => "has the profile already",
        EditedConfig::Changed(text) => {
            file.write(&text)?;
            "has the profile now"
        }
    };
    output::print(format_args!(
        "{} {done}: aws --profile {} sts get-caller-identity",
        named.display(),
        profile.name
    ))?;
    Ok(CommandAnswer::Yes)
}

impl WriteProfileArguments {
    fn wanted(&self, context: &ChosenContext, settings: &Settings<'_>) -> Result<WantedProfile, Failure> {
        let binding = self.binding.of(context)?;
        let name = match &self.profile {
            Some(name) => name.clone(),
            None => format!("{}-{}", binding.namespace, binding.name),
        };
        let is_taken = |c: char| c.is_ascii_alphanumeric() || "_.@+:/-".contains(c);
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(is_taken) {
            return Err(Failure::input(format!(
                "--profile {name:?}: 1 to {LONGEST_NAME} letters, digits or _.@+:/-"
            )));
        }
        let mut words = vec![process::program()?];
        words.extend(["credentials", "role"].map(str::to_owned));
        // By its name, so that it stays this cluster when another context becomes the current one.
        words.extend([binding.to_string(), "--context".to_owned(), context.name.clone()]);
        // An IDE has another environment.
        if let Some(file) = self.kubeconfig.file(settings)? {
            let file = file.canonicalize().map_err(|error| failed(&file, &error))?;
            words.extend(["--kubeconfig".to_owned(), process::text(&file)?]);
        }
        if let Some(seconds) = seconds(self.duration)? {
            words.extend(["--duration".to_owned(), format!("{seconds}s")]);
        }
        let mut wanted = vec![("credential_process", process::line(&words)?)];
        wanted.extend(self.region.iter().map(|region| ("region", region.to_string())));
        Ok(WantedProfile {
            name,
            settings: wanted,
        })
    }
}
