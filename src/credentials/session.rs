//! `deputy credentials session`: GetSessionToken.

use clap::Args;
use deputy_aws::{PersonalIdentity, PersonalSts, SessionCall};
use deputy_policy::SessionWay;

use super::{
    arguments::{AnswerArguments, MfaArguments, PlaceArguments, duration},
    cache::{CacheKey, borrowed},
    connection::connection,
    help::RefusedCall,
    obtain::{Unobtained, Wanted, block_on, obtain, profiles},
    prompt::Device,
    settings::Settings,
    signer::{Signer, signer},
};
use crate::exit::{CommandResult, Failure};

const EXAMPLE: &str = "Example, in ~/.aws/config:

  [profile alice-mfa]
  credential_process = deputy credentials session --profile alice \\
    --serial-number arn:aws:iam::123456789012:mfa/alice";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct SessionTokenArguments {
    #[command(flatten)]
    place: PlaceArguments,
    #[command(flatten)]
    mfa: MfaArguments,
    /// How long the session lives, 15m to 36h; by default the profile's duration_seconds, else 12h
    #[arg(long, value_parser = duration)]
    duration: Option<u32>,
    #[command(flatten)]
    answer: AnswerArguments,
}

/// Seconds of a session that nobody said more of.
const USUAL: u32 = 12 * 60 * 60;

pub fn run(arguments: &SessionTokenArguments) -> CommandResult {
    let profiles = profiles()?;
    let settings = Settings::new(arguments.place.profile.as_deref(), &profiles);
    let seconds = settings.duration(arguments.duration)?.unwrap_or(USUAL);
    if !(900..=129_600).contains(&seconds) {
        return Err(Failure::input("--duration: a session of a user lives 15m to 36h"));
    }
    let signer = signer(&settings, false)?;
    of_a_user(&signer)?;
    let device = Device::of(&arguments.mfa, &settings)?;
    let options = connection(&settings, arguments.place.region.as_deref(), None)?;
    let text = seconds.to_string();
    let mut fields = vec![
        ("duration", text.as_str()),
        (
            "serial number",
            device.as_ref().map_or("", |device| &device.serial_number),
        ),
    ];
    fields.extend(borrowed(&signer.fields));
    let key = CacheKey::of_call(SessionWay::SessionToken, &options, fields);
    let wanted = Wanted::of_aws(key, seconds, &arguments.answer);
    let by = signer.name.clone();
    let sts = PersonalSts::new(options, signer.identity);
    obtain(&settings, &wanted, || {
        let call = SessionCall {
            duration: seconds,
            mfa: device.as_ref().map(Device::with_code).transpose()?,
        };
        block_on(sts.session(&call))?.map_err(|error| {
            Unobtained::from(RefusedCall {
                way: SessionWay::SessionToken,
                asked: "a session".to_owned(),
                by,
                error,
            })
        })
    })
}

/// AWS refuses everybody else; here it is said whose keys are needed.
fn of_a_user(signer: &Signer) -> Result<(), Failure> {
    if signer.is_long_term() {
        return Ok(());
    }
    let what = match signer.identity {
        PersonalIdentity::Keys(_) => "has a session's keys",
        _ => "has a role's session",
    };
    Err(Failure::input(format!(
        "GetSessionToken needs the long-term keys of an IAM user, and {} {what}: name the profile with the keys by --profile",
        signer.name
    )))
}
