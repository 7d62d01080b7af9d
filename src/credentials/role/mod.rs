//! `deputy credentials role`: a session of the role of an AWSRoleBinding that names the person, by way of the cluster.

mod binding;
mod call;
mod refusal;
mod reply;
#[cfg(test)]
mod tests;

use std::time::Duration;

use clap::Args;
use deputy_runtime::client::install_crypto_provider;

pub use self::binding::AskedBinding;
use self::{
    call::ask,
    refusal::{ClusterRefusal, WhyNone},
};
use super::{
    answer::ProcessCredentials,
    arguments::{AnswerArguments, duration},
    cache::{CacheKey, borrowed},
    kubeconfig::{ChosenContext, KubeconfigArguments, LOGIN_DEADLINE, client_config, identity},
    obtain::{Unobtained, Wanted, block_on, obtain},
    settings::Settings,
};
use crate::exit::{CommandResult, Failure};

const EXAMPLE: &str = "Example, in ~/.aws/config (deputy credentials config writes it):

  [profile payments-reports]
  credential_process = deputy credentials role payments/reports --context production";

/// How long the cluster has for an answer, with all tries.
const DEADLINE: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct PeopleRoleArguments {
    /// The AWSRoleBinding; without NAMESPACE/ in the namespace of the context
    #[arg(value_name = "NAMESPACE/NAME")]
    binding: AskedBinding,
    #[command(flatten)]
    kubeconfig: KubeconfigArguments,
    /// How long the session lives, 30m to 12h, and not longer than the binding says; by default as long as that
    #[arg(long, value_parser = duration)]
    duration: Option<u32>,
    /// Ask for a session whatever the cache has, and keep that one
    #[arg(long, conflicts_with = "no_cache")]
    refresh: bool,
    #[command(flatten)]
    answer: AnswerArguments,
}

pub fn run(arguments: &PeopleRoleArguments) -> CommandResult {
    let seconds = seconds(arguments.duration)?;
    let settings = Settings::of_environment();
    let context = arguments.kubeconfig.choose(&settings)?;
    let binding = arguments.binding.of(&context)?;
    let wanted = Wanted {
        key: key(&context, &binding, seconds)?,
        seconds,
        refresh: arguments.refresh,
        turn: LOGIN_DEADLINE + DEADLINE + Duration::from_secs(10),
        answer: &arguments.answer,
    };
    obtain(&settings, &wanted, || make(context, binding, seconds, &settings))
}

/// What the binding may give at all; what it gives, the cluster says.
///
/// # Errors
/// Another duration.
pub fn seconds(duration: Option<u32>) -> Result<Option<u32>, Failure> {
    match duration {
        Some(seconds) if !(1800..=43_200).contains(&seconds) => Err(Failure::input(
            "--duration: a session of a binding lives 30m to 12h",
        )),
        duration => Ok(duration),
    }
}

fn key(
    context: &ChosenContext,
    binding: &binding::NamedBinding,
    seconds: Option<u32>,
) -> Result<CacheKey, Failure> {
    let who = identity(context)?;
    let duration = seconds.map(|seconds| seconds.to_string()).unwrap_or_default();
    let what = [
        ("way", "role"),
        ("namespace", binding.namespace.as_str()),
        ("name", binding.name.as_str()),
        ("duration", &duration),
    ];
    Ok(CacheKey::of(what.into_iter().chain(borrowed(&who))))
}

fn make(
    context: ChosenContext,
    binding: binding::NamedBinding,
    seconds: Option<u32>,
    settings: &Settings<'_>,
) -> Result<ProcessCredentials, Unobtained> {
    install_crypto_provider().map_err(Failure::error)?;
    let server = context.server.to_string();
    let by = format!("context {:?} of {}", context.name, server.trim_end_matches('/'));
    let body = reply::request(seconds).map_err(Failure::error)?;
    let config = client_config(context, settings)?;
    let why = match block_on(ask(config, &binding.path(), &body, DEADLINE))? {
        Ok(answer) if answer.status == 201 => match reply::session(&answer.body) {
            Some(session) => return Ok(session),
            None => WhyNone::Other {
                code: 201,
                message: "it has no session that can be read".to_owned(),
            },
        },
        Ok(answer) => WhyNone::of(&answer),
        Err(none) => WhyNone::NoAnswer(none),
    };
    Err(ClusterRefusal { binding, by, why }.into())
}
