//! AWS's own ways to a session, for a person and by what the person has: keys, a token of an OpenID Connect provider, an
//! assertion of a SAML provider. Nothing here is Deputy's own identity, and none of Deputy's processes calls it.

mod profiles;
#[cfg(test)]
mod tests;

use std::time::Duration;

use aws_config::{profile::ProfileFileCredentialsProvider, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::types::{PolicyDescriptorType, Tag};
use aws_smithy_runtime_api::client::{http::SharedHttpClient, orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

pub use self::profiles::{Profiles, ProfilesError};
use crate::{
    config::{self, client_config, identity_config},
    error::AwsError,
    identity,
    proxy::{Proxy, http_client},
    sdk::{issued, senseless},
    traits::Credentials,
};

const CONNECT: Duration = Duration::from_secs(5);
const ATTEMPT: Duration = Duration::from_secs(10);
const OPERATION: Duration = Duration::from_secs(25);
/// A code of MFA is taken once: sent again after an answer that was lost, it would be refused as wrong.
const ATTEMPTS_WITH_MFA: u32 = 1;
const ATTEMPTS: u32 = 3;

/// Keys as a person has them. No `Debug`.
#[derive(Clone)]
pub struct PersonalKeys {
    /// Not a secret.
    pub access_key_id: String,
    /// The secret key.
    pub secret_access_key: SecretString,
    /// Only of temporary credentials.
    pub session_token: Option<SecretString>,
}

/// Whose signature a call has.
#[derive(Clone)]
pub enum PersonalIdentity {
    /// Nobody's: a token or an assertion vouches for whoever calls.
    Nobody,
    /// These keys.
    Keys(PersonalKeys),
    /// A profile that the SDK makes credentials from, such as one with a role and a source profile.
    Profile(String),
    /// What the environment has besides keys: a web identity token, or a container's credentials.
    Ambient,
}

/// Where STS is and how it is reached.
#[derive(Clone)]
pub struct PersonalOptions {
    /// The region of STS.
    pub region: String,
    /// Another endpoint than AWS's own.
    pub endpoint: Option<String>,
    /// The proxy of the environment.
    pub proxy: Option<Proxy>,
}

/// A device and the code that it shows. No `Debug`.
pub struct MfaDevice {
    /// Serial number, or ARN of a virtual device.
    pub serial_number: String,
    /// Its code.
    pub code: SecretString,
}

/// `sts:GetSessionToken`.
pub struct SessionCall {
    /// DurationSeconds.
    pub duration: u32,
    /// MFA.
    pub mfa: Option<MfaDevice>,
}

/// By what a session gets less than its role has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NarrowedBy {
    /// An inline session policy, as JSON.
    pub policy: Option<String>,
    /// ARNs of managed policies.
    pub policy_arns: Vec<String>,
}

/// `sts:AssumeRole`.
pub struct AssumeRoleCall {
    /// The role.
    pub role_arn: String,
    /// RoleSessionName.
    pub session_name: String,
    /// DurationSeconds.
    pub duration: u32,
    /// ExternalId.
    pub external_id: Option<String>,
    /// MFA.
    pub mfa: Option<MfaDevice>,
    /// Session policies.
    pub narrowed: NarrowedBy,
    /// Session tags.
    pub tags: Vec<(String, String)>,
    /// Keys of tags that sessions made from this one have, too.
    pub transitive_tag_keys: Vec<String>,
    /// SourceIdentity.
    pub source_identity: Option<String>,
}

/// `sts:AssumeRoleWithWebIdentity` or `sts:AssumeRoleWithSAML`. No `Debug`.
pub struct ProviderCall {
    /// The role.
    pub role_arn: String,
    /// DurationSeconds.
    pub duration: u32,
    /// Session policies.
    pub narrowed: NarrowedBy,
    /// The token, or the assertion in base64.
    pub vouched_by: SecretString,
}

/// A session, and whose it is where AWS says so. No `Debug`, no `Serialize`.
#[derive(Clone)]
pub struct PersonalSession {
    /// What the holder signs with.
    pub credentials: Credentials,
    /// When it ends, by the clock of AWS.
    pub expiration: Timestamp,
}

/// STS as a person calls it.
#[derive(Clone)]
pub struct PersonalSts {
    http: SharedHttpClient,
    options: PersonalOptions,
    credentials: Option<SharedCredentialsProvider>,
}

impl PersonalSts {
    /// Makes no call and reads nothing by itself.
    #[must_use]
    pub fn new(options: PersonalOptions, identity: PersonalIdentity) -> Self {
        let http = http_client(options.proxy.clone());
        let config = || identity_config(&http, options.region.clone(), timeouts());
        let credentials = match identity {
            PersonalIdentity::Nobody => None,
            PersonalIdentity::Keys(keys) => Some(fixed(&keys)),
            PersonalIdentity::Profile(name) => {
                let builder = ProfileFileCredentialsProvider::builder().configure(&config());
                Some(SharedCredentialsProvider::new(builder.profile_name(name).build()))
            }
            PersonalIdentity::Ambient => Some(SharedCredentialsProvider::new(identity::ambient(
                &config(),
                false,
            ))),
        };
        Self {
            http,
            options,
            credentials,
        }
    }

    /// The same as the holder of a session: the next link of a chain.
    #[must_use]
    pub fn by(&self, session: &PersonalSession) -> Self {
        let keys = PersonalKeys {
            access_key_id: session.credentials.access_key_id.clone(),
            secret_access_key: session.credentials.secret_access_key.clone(),
            session_token: Some(session.credentials.session_token.clone()),
        };
        Self {
            credentials: Some(fixed(&keys)),
            ..self.clone()
        }
    }

    /// A session of the user whose long-term keys sign.
    ///
    /// # Errors
    /// What AWS refuses, or why there is no answer.
    pub async fn session(&self, call: &SessionCall) -> Result<PersonalSession, AwsError> {
        const GET: &str = "sts:GetSessionToken";
        let mfa = call.mfa.as_ref();
        let request = self
            .client(mfa.is_some())
            .get_session_token()
            .duration_seconds(seconds(GET, call.duration)?)
            .set_serial_number(mfa.map(|mfa| mfa.serial_number.clone()))
            .set_token_code(mfa.map(|mfa| mfa.code.expose_secret().to_owned()));
        let sent = [mfa.map(|mfa| &mfa.code)];
        let output = request.send().await.map_err(|e| refused(GET, e, &sent))?;
        self::session(GET, output.credentials)
    }

    /// A session of a role.
    ///
    /// # Errors
    /// The same.
    pub async fn assume_role(&self, call: &AssumeRoleCall) -> Result<PersonalSession, AwsError> {
        const ASSUME: &str = "sts:AssumeRole";
        let mfa = call.mfa.as_ref();
        let tags = call
            .tags
            .iter()
            .map(|(key, value)| Tag::builder().key(key).value(value).build())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| senseless(ASSUME, &e.to_string()))?;
        let request = self
            .client(mfa.is_some())
            .assume_role()
            .role_arn(&call.role_arn)
            .role_session_name(&call.session_name)
            .duration_seconds(seconds(ASSUME, call.duration)?)
            .set_external_id(call.external_id.clone())
            .set_serial_number(mfa.map(|mfa| mfa.serial_number.clone()))
            .set_token_code(mfa.map(|mfa| mfa.code.expose_secret().to_owned()))
            .set_policy(call.narrowed.policy.clone())
            .set_policy_arns(managed(&call.narrowed))
            .set_tags((!tags.is_empty()).then_some(tags))
            .set_transitive_tag_keys(filled(&call.transitive_tag_keys))
            .set_source_identity(call.source_identity.clone());
        let sent = [mfa.map(|mfa| &mfa.code)];
        let output = request.send().await.map_err(|e| refused(ASSUME, e, &sent))?;
        self::session(ASSUME, output.credentials)
    }

    /// A session of a role for whom a token of an OpenID Connect provider vouches.
    ///
    /// # Errors
    /// The same.
    pub async fn web_identity(
        &self,
        call: &ProviderCall,
        session_name: &str,
    ) -> Result<PersonalSession, AwsError> {
        const ASSUME: &str = "sts:AssumeRoleWithWebIdentity";
        let request = self
            .client(false)
            .assume_role_with_web_identity()
            .role_arn(&call.role_arn)
            .role_session_name(session_name)
            .web_identity_token(call.vouched_by.expose_secret())
            .duration_seconds(seconds(ASSUME, call.duration)?)
            .set_policy(call.narrowed.policy.clone())
            .set_policy_arns(managed(&call.narrowed));
        let sent = [Some(&call.vouched_by)];
        let output = request.send().await.map_err(|e| refused(ASSUME, e, &sent))?;
        self::session(ASSUME, output.credentials)
    }

    /// A session of a role for whom an assertion of the SAML provider `provider_arn` vouches.
    ///
    /// # Errors
    /// The same.
    pub async fn saml(&self, call: &ProviderCall, provider_arn: &str) -> Result<PersonalSession, AwsError> {
        const ASSUME: &str = "sts:AssumeRoleWithSAML";
        let request = self
            .client(false)
            .assume_role_with_saml()
            .role_arn(&call.role_arn)
            .principal_arn(provider_arn)
            .saml_assertion(call.vouched_by.expose_secret())
            .duration_seconds(seconds(ASSUME, call.duration)?)
            .set_policy(call.narrowed.policy.clone())
            .set_policy_arns(managed(&call.narrowed));
        let sent = [Some(&call.vouched_by)];
        let output = request.send().await.map_err(|e| refused(ASSUME, e, &sent))?;
        self::session(ASSUME, output.credentials)
    }

    fn client(&self, mfa: bool) -> aws_sdk_sts::Client {
        let attempts = if mfa { ATTEMPTS_WITH_MFA } else { ATTEMPTS };
        let PersonalOptions { region, endpoint, .. } = &self.options;
        let mut builder = client_config(&self.http, region.clone(), endpoint.clone())
            .retry_config(RetryConfig::standard().with_max_attempts(attempts))
            .timeout_config(timeouts());
        builder.set_credentials_provider(self.credentials.clone());
        aws_sdk_sts::Client::new(&builder.build())
    }
}

fn timeouts() -> TimeoutConfig {
    config::timeouts(CONNECT, ATTEMPT, OPERATION)
}

fn fixed(keys: &PersonalKeys) -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(aws_credential_types::Credentials::new(
        keys.access_key_id.clone(),
        keys.secret_access_key.expose_secret(),
        keys.session_token
            .as_ref()
            .map(|token| token.expose_secret().to_owned()),
        None,
        "deputy",
    ))
}

fn seconds(operation: &'static str, duration: u32) -> Result<i32, AwsError> {
    i32::try_from(duration).map_err(|_| senseless(operation, "a duration out of range"))
}

fn filled(list: &[String]) -> Option<Vec<String>> {
    (!list.is_empty()).then(|| list.to_vec())
}

fn managed(narrowed: &NarrowedBy) -> Option<Vec<PolicyDescriptorType>> {
    let descriptors = narrowed
        .policy_arns
        .iter()
        .map(|arn| PolicyDescriptorType::builder().arn(arn).build());
    let descriptors: Vec<_> = descriptors.collect();
    (!descriptors.is_empty()).then_some(descriptors)
}

fn session(
    operation: &'static str,
    credentials: Option<aws_sdk_sts::types::Credentials>,
) -> Result<PersonalSession, AwsError> {
    let (credentials, expiration) = issued(operation, credentials)?;
    Ok(PersonalSession {
        credentials,
        expiration,
    })
}

/// An error without what was sent in confidence: AWS repeats a parameter that it does not take.
fn refused<E>(
    operation: &'static str,
    error: SdkError<E, HttpResponse>,
    sent: &[Option<&SecretString>],
) -> AwsError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let error = AwsError::from_sdk(operation, error);
    let shown = sent
        .iter()
        .flatten()
        .fold(error.message().to_owned(), |text, secret| {
            without(&text, secret.expose_secret())
        });
    error.with_message(&shown)
}

/// `text` without `secret` and without its beginning, of which a message may have been cut.
fn without(text: &str, secret: &str) -> String {
    const SHOWN: usize = 16;
    let whole = text.replace(secret, "…");
    let head: String = secret.chars().take(SHOWN).collect();
    match (secret.len() > SHOWN).then(|| whole.find(&head)).flatten() {
        // Where it ends can't be told.
        Some(at) => format!("{}…", whole.get(..at).unwrap_or_default()),
        None => whole,
    }
}
