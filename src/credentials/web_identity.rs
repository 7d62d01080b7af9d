//! `deputy credentials web-identity`: AssumeRoleWithWebIdentity.

use std::path::PathBuf;

use clap::Args;
use deputy_aws::ExposeSecret as _;
use deputy_delegation::{RoleArn, SessionName};
use deputy_policy::SessionWay;

use super::{
    arguments::{AnswerArguments, PlaceArguments, duration},
    assume_role::session_name,
    narrowing::NarrowingArguments,
    obtain::profiles,
    secret_input,
    settings::Settings,
    vouched::{self, VouchedSession},
};
use crate::exit::{CommandResult, Failure};

const EXAMPLE: &str = "Example, in ~/.aws/config, with a token that a CI system puts into a file:

  [profile deploy]
  credential_process = deputy credentials web-identity --token-file /run/ci/token \\
    --role-arn arn:aws:iam::123456789012:role/deploy";

/// Characters of the longest token that AWS takes (parameter `WebIdentityToken`).
const LONGEST: u64 = 20_000;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct WebIdentityArguments {
    /// The token; - is standard input. By default AWS_WEB_IDENTITY_TOKEN_FILE, else the profile's web_identity_token_file
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The role; by default AWS_ROLE_ARN, else the profile's role_arn
    #[arg(long, value_name = "ARN")]
    role_arn: Option<RoleArn>,
    /// Name of the session; by default the profile's role_session_name, AWS_ROLE_SESSION_NAME, or who is logged in
    #[arg(long, value_name = "NAME")]
    session_name: Option<SessionName>,
    #[command(flatten)]
    narrowing: NarrowingArguments,
    /// How long the session lives, 15m to 12h; by default the profile's duration_seconds, else 1h
    #[arg(long, value_parser = duration)]
    duration: Option<u32>,
    #[command(flatten)]
    place: PlaceArguments,
    #[command(flatten)]
    answer: AnswerArguments,
}

pub fn run(arguments: &WebIdentityArguments) -> CommandResult {
    let profiles = profiles()?;
    let settings = Settings::new(arguments.place.profile.as_deref(), &profiles);
    let file = arguments.token_file.clone().or_else(|| {
        let named = settings
            .variable("AWS_WEB_IDENTITY_TOKEN_FILE")
            .or_else(|| settings.get("web_identity_token_file"));
        named.map(PathBuf::from)
    });
    let Some(file) = file else {
        return Err(Failure::input(
            "where is the token? give --token-file (- is standard input), or AWS_WEB_IDENTITY_TOKEN_FILE",
        ));
    };
    let role = match &arguments.role_arn {
        Some(role) => role.clone(),
        None => match settings
            .variable("AWS_ROLE_ARN")
            .or_else(|| settings.get("role_arn"))
        {
            Some(role) => RoleArn::parse(&role)?,
            None => return Err(Failure::input("which role? give --role-arn, or AWS_ROLE_ARN")),
        },
    };
    let seconds = vouched::seconds(arguments.duration, &settings)?;
    let session_name = session_name(arguments.session_name.as_ref(), &settings)?;
    let narrowed = arguments.narrowing.read([("--token-file", file.as_path())])?;
    let token = secret_input::read(&file, "the token", LONGEST)?;
    if !token.expose_secret().bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Failure::input(format!(
            "{}: the token has white space or characters that no token has",
            file.display()
        )));
    }
    let (asked, duration) = (role.to_string(), seconds.to_string());
    // Any claim of the token may decide. What is kept is a digest over all of it.
    let of_token = token.clone();
    let fields = [
        ("role", asked.as_str()),
        ("duration", &duration),
        ("session name", &session_name),
        ("token", of_token.expose_secret()),
    ];
    let session = VouchedSession {
        way: SessionWay::AssumeRoleWithWebIdentity,
        role: &role,
        seconds,
        narrowed,
        vouched_by: token,
        by: format!("the token in {}", file.display()),
        place: &arguments.place,
        answer: &arguments.answer,
    };
    session.answer(&settings, &fields, async |sts, call| {
        sts.web_identity(&call, &session_name).await
    })
}
