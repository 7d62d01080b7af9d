//! A session of a role for whom a provider vouches: what the token of an OpenID Connect provider and the assertion of a SAML provider
//! have in common. Nobody signs the call.

use deputy_aws::{
    AwsError, NarrowedBy, PersonalIdentity, PersonalSession, PersonalSts, ProviderCall, SecretString,
};
use deputy_delegation::RoleArn;
use deputy_policy::SessionWay;

use super::{
    arguments::{AnswerArguments, PlaceArguments},
    cache::CacheKey,
    connection::connection,
    help::RefusedCall,
    narrowing::fields_of_narrowed,
    obtain::{Unobtained, Wanted, block_on, obtain},
    settings::Settings,
};
use crate::exit::{CommandResult, Failure};

/// What is wanted, and who vouches.
pub struct VouchedSession<'a> {
    pub way: SessionWay,
    pub role: &'a RoleArn,
    pub seconds: u32,
    pub narrowed: NarrowedBy,
    /// The token or the assertion, as AWS takes it.
    pub vouched_by: SecretString,
    /// The same in words.
    pub by: String,
    pub place: &'a PlaceArguments,
    pub answer: &'a AnswerArguments,
}

impl VouchedSession<'_> {
    /// Answers with it. `fields` are what decides which session it is, beside the way, the place and the session policies; `call` asks AWS.
    ///
    /// # Errors
    /// What is wrong with the place or the cache, and what AWS does not take.
    pub fn answer(
        self,
        settings: &Settings<'_>,
        fields: &[(&str, &str)],
        call: impl AsyncFnOnce(PersonalSts, ProviderCall) -> Result<PersonalSession, AwsError>,
    ) -> CommandResult {
        let Self {
            way,
            seconds,
            narrowed,
            by,
            ..
        } = self;
        let partition = Some(self.role.partition().as_str());
        let options = connection(settings, self.place.region.as_deref(), partition)?;
        let fields = fields.iter().copied().chain(fields_of_narrowed(&narrowed));
        let wanted = Wanted::of_aws(CacheKey::of_call(way, &options, fields), seconds, self.answer);
        let sts = PersonalSts::new(options, PersonalIdentity::Nobody);
        let asked = self.role.to_string();
        let provider_call = ProviderCall {
            role_arn: asked.clone(),
            duration: seconds,
            narrowed,
            vouched_by: self.vouched_by,
        };
        obtain(settings, &wanted, || {
            block_on(call(sts, provider_call))?.map_err(|error| {
                Unobtained::from(RefusedCall {
                    way,
                    asked,
                    by,
                    error,
                })
            })
        })
    }
}

/// Seconds of such a session.
///
/// # Errors
/// What AWS never gives.
pub fn seconds(flag: Option<u32>, settings: &Settings<'_>) -> Result<u32, Failure> {
    let seconds = settings.duration(flag)?.unwrap_or(3600);
    if (900..=43_200).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(Failure::input("--duration: a session of a role lives 15m to 12h"))
    }
}
