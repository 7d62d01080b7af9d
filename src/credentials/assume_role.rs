//! `deputy credentials assume-role`: AssumeRole, once or through several roles.

use clap::Args;
use deputy_aws::{AssumeRoleCall, NarrowedBy, PersonalSession, PersonalSts};
use deputy_delegation::{ExternalId, RoleArn, SessionName, TagKey, TagValue};
use deputy_policy::SessionWay;

use super::{
    arguments::{AnswerArguments, MfaArguments, PlaceArguments, duration},
    cache::{CacheKey, borrowed},
    connection::connection,
    help::RefusedCall,
    hops::{Chain, Hop},
    narrowing::{NarrowingArguments, fields_of_narrowed},
    obtain::{Unobtained, Wanted, block_on, obtain, profiles},
    prompt::Device,
    settings::Settings,
    signer::signer,
};
use crate::exit::{CommandResult, Failure};

const EXAMPLE: &str = "Example, in ~/.aws/config, with MFA of the user alice:

  [profile reports]
  credential_process = deputy credentials assume-role --profile alice \\
    --role-arn arn:aws:iam::123456789012:role/reports --serial-number arn:aws:iam::123456789012:mfa/alice";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct AssumeRoleArguments {
    /// The role; repeated, each is assumed by the session of the one before. By default the profile's role_arn
    #[arg(long, value_name = "ARN")]
    role_arn: Vec<RoleArn>,
    /// External id; with several roles one for each, in their order, and an empty one where a role needs none
    #[arg(long, value_name = "ID")]
    external_id: Vec<String>,
    /// Name of the session; by default the profile's role_session_name, AWS_ROLE_SESSION_NAME, or who is logged in
    #[arg(long, value_name = "NAME")]
    session_name: Option<SessionName>,
    /// Tag of the session; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    tag: Vec<String>,
    /// A tag that the sessions made from this one have, too; may be repeated
    #[arg(long, value_name = "KEY")]
    transitive_tag: Vec<TagKey>,
    /// Who is behind the session, as every session made from it says for good
    #[arg(long, value_name = "NAME")]
    source_identity: Option<SessionName>,
    #[command(flatten)]
    mfa: MfaArguments,
    #[command(flatten)]
    narrowing: NarrowingArguments,
    /// How long the session lives, 15m to 12h, through several roles 1h; by default the profile's duration_seconds, else 1h
    #[arg(long, value_parser = duration)]
    duration: Option<u32>,
    #[command(flatten)]
    place: PlaceArguments,
    #[command(flatten)]
    answer: AnswerArguments,
}

pub fn run(arguments: &AssumeRoleArguments) -> CommandResult {
    let profiles = profiles()?;
    let settings = Settings::new(arguments.place.profile.as_deref(), &profiles);
    let hops = arguments.chain(&settings)?.hops()?;
    let narrowed = arguments.narrowing.read([])?;
    let session_name = session_name(arguments.session_name.as_ref(), &settings)?;
    let signer = signer(&settings, arguments.role_arn.is_empty())?;
    let device = Device::of(&arguments.mfa, &settings)?;
    let partition = hops.first().map(|hop| hop.role.partition().as_str().to_owned());
    let options = connection(&settings, arguments.place.region.as_deref(), partition.as_deref())?;
    let serial_number = device.as_ref().map_or("", |device| &device.serial_number);
    let mut fields = vec![
        ("session name".to_owned(), session_name.clone()),
        ("serial number".to_owned(), serial_number.to_owned()),
    ];
    fields.extend(hops.iter().flat_map(fields_of));
    let of_narrowed = fields_of_narrowed(&narrowed);
    fields.extend(of_narrowed.map(|(name, value)| (name.to_owned(), value.to_owned())));
    fields.extend(signer.fields);
    let key = CacheKey::of_call(SessionWay::AssumeRole, &options, borrowed(&fields));
    let seconds = hops.last().map_or(0, |hop| hop.duration);
    let wanted = Wanted::of_aws(key, seconds, &arguments.answer);
    let by = signer.name;
    let sts = PersonalSts::new(options, signer.identity);
    obtain(&settings, &wanted, || {
        let parts = (session_name.as_str(), &narrowed, device.as_ref());
        block_on(assume(sts, &hops, by, parts))?
    })
}

/// Goes through the roles.
async fn assume(
    mut sts: PersonalSts,
    hops: &[Hop],
    mut by: String,
    (session_name, narrowed, device): (&str, &NarrowedBy, Option<&Device>),
) -> Result<PersonalSession, Unobtained> {
    let mut made = None;
    for (at, hop) in hops.iter().enumerate() {
        // Only a user has MFA: it is the first who is asked.
        let device = device.filter(|_| at == 0);
        let call = AssumeRoleCall {
            role_arn: hop.role.to_string(),
            session_name: session_name.to_owned(),
            duration: hop.duration,
            external_id: hop.external_id.clone(),
            mfa: device.map(Device::with_code).transpose()?,
            narrowed: if hop.is_last {
                narrowed.clone()
            } else {
                NarrowedBy::default()
            },
            tags: hop.tags.clone(),
            transitive_tag_keys: hop.transitive.clone(),
            source_identity: hop.source_identity.clone(),
        };
        let session = sts.assume_role(&call).await.map_err(|error| {
            Unobtained::from(RefusedCall {
                way: SessionWay::AssumeRole,
                asked: hop.role.to_string(),
                by: by.clone(),
                error,
            })
        })?;
        sts = sts.by(&session);
        by = format!("the session of {}", hop.role);
        made = Some(session);
    }
    made.ok_or_else(|| Unobtained::Failed(Failure::input("no role is named")))
}

impl AssumeRoleArguments {
    fn chain(&self, settings: &Settings<'_>) -> Result<Chain, Failure> {
        let (mut roles, mut external_ids) = (self.role_arn.clone(), self.external_id.clone());
        if roles.is_empty() {
            let Some(role) = settings.get("role_arn") else {
                return Err(Failure::input(format!(
                    "which role? give --role-arn, or role_arn in profile {}",
                    settings.profile().0
                )));
            };
            roles.push(RoleArn::parse(&role)?);
            if external_ids.is_empty() {
                external_ids.extend(settings.get("external_id"));
            }
        }
        for id in external_ids.iter().filter(|id| !id.is_empty()) {
            // It may be all that keeps others out: not shown.
            ExternalId::new(id.as_str())
                .map_err(|_| Failure::input("--external-id: 2 to 1224 letters, digits or _+=,.@:/-"))?;
        }
        let tags = self.tag.iter().map(|pair| tag(pair)).collect::<Result<_, _>>()?;
        Ok(Chain {
            roles,
            external_ids,
            duration: settings.duration(self.duration)?,
            tags,
            transitive: self.transitive_tag.clone(),
            source_identity: self.source_identity.as_ref().map(|name| name.as_str().to_owned()),
        })
    }
}

fn tag(pair: &str) -> Result<(TagKey, TagValue), Failure> {
    let (key, value) = pair
        .split_once('=')
        .ok_or_else(|| Failure::input(format!("--tag {pair:?}: KEY=VALUE is needed")))?;
    Ok((TagKey::new(key)?, TagValue::new(value)?))
}

/// The name that a flag gives, else the settings' own.
///
/// # Errors
/// When a setting is no name.
pub fn session_name(flag: Option<&SessionName>, settings: &Settings<'_>) -> Result<String, Failure> {
    match flag {
        Some(name) => Ok(name.as_str().to_owned()),
        None => Ok(SessionName::new(settings.session_name())?.as_str().to_owned()),
    }
}

fn fields_of(hop: &Hop) -> Vec<(String, String)> {
    let pair = |name: &str, value: String| (name.to_owned(), value);
    let mut fields = vec![
        pair("role", hop.role.to_string()),
        pair("external id", hop.external_id.clone().unwrap_or_default()),
        pair("duration", hop.duration.to_string()),
        pair("source identity", hop.source_identity.clone().unwrap_or_default()),
    ];
    for (key, value) in &hop.tags {
        fields.push(pair("tag", key.clone()));
        fields.push(pair("value", value.clone()));
    }
    fields.extend(hop.transitive.iter().map(|key| pair("transitive", key.clone())));
    fields
}
