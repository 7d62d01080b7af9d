//! Whose keys make the call.

use deputy_aws::{PersonalIdentity, PersonalKeys};

use super::settings::Settings;
use crate::exit::Failure;

/// So many profiles name each other as their source at most.
const LONGEST_CHAIN: usize = 8;
/// What a profile's credentials may follow from.
const OF_CREDENTIALS: [&str; 7] = [
    "role_arn",
    "source_profile",
    "credential_source",
    "external_id",
    "role_session_name",
    "web_identity_token_file",
    "aws_access_key_id",
];
/// Where credentials of a profile begin, each in another way.
const BEGINNINGS: [&str; 7] = [
    "aws_access_key_id",
    "aws_secret_access_key",
    "role_arn",
    "credential_process",
    "sso_session",
    "sso_start_url",
    "login_session",
];
/// Variables that name credentials other than keys.
const AMBIENT: [&str; 4] = [
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];

/// Whoever signs.
pub struct Signer {
    pub identity: PersonalIdentity,
    /// For messages: no secret.
    pub name: String,
    /// All that decides who it is, for the cache: no secret.
    pub fields: Vec<(String, String)>,
}

impl Signer {
    /// Whether these are keys of an IAM user, as far as can be seen.
    pub fn is_long_term(&self) -> bool {
        matches!(&self.identity, PersonalIdentity::Keys(keys) if keys.session_token.is_none())
    }

    fn keys(name: String, keys: PersonalKeys) -> Self {
        Self {
            fields: vec![("access key".to_owned(), keys.access_key_id.clone())],
            identity: PersonalIdentity::Keys(keys),
            name,
        }
    }
}

/// Who signs: keys of the environment unless a flag names a profile, as of every AWS SDK; else the profile; else what the
/// environment has besides keys. A profile whose role is asked for, or whose credentials are this command's, has its keys
/// from another one.
///
/// # Errors
/// When there are none, or none that can be used here.
pub fn signer(settings: &Settings<'_>, role_of_profile: bool) -> Result<Signer, Failure> {
    if settings.asked().is_none()
        && let Some(keys) = keys_of_environment(settings)?
    {
        return Ok(keys);
    }
    let (profile, chosen) = settings.profile();
    if chosen && !settings.has(&profile) {
        return Err(missing(&profile));
    }
    // A profile that nobody chose need not have any: other settings may stand in it.
    let has_any = BEGINNINGS
        .iter()
        .any(|name| settings.of_profile(&profile, name).is_some());
    if !chosen && !has_any {
        return ambient(settings);
    }
    let own_process = settings.of_profile(&profile, "credential_process").is_some();
    if !own_process && !role_of_profile {
        return of_profile(settings, &profile);
    }
    let source = settings.of_profile(&profile, "source_profile");
    match (source, settings.of_profile(&profile, "credential_source")) {
        (Some(source), _) => of_profile(settings, &source),
        (None, Some(source)) if source == "Environment" => keys_of_environment(settings)?.ok_or_else(|| {
            Failure::input(format!(
                "profile {profile} has its credentials from the environment, and AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY \
                 are not set"
            ))
        }),
        (None, Some(source)) => Err(Failure::input(format!(
            "profile {profile} has credential_source {source}, which is not for people; give source_profile"
        ))),
        (None, None) if settings.of_profile(&profile, "aws_access_key_id").is_some() => {
            of_profile(settings, &profile)
        }
        (None, None) => Err(Failure::input(format!(
            "profile {profile} says what to become and not by whose keys: give it source_profile, or name the profile with the \
             keys by --profile"
        ))),
    }
}

fn missing(profile: &str) -> Failure {
    Failure::input(format!(
        "there is no profile {profile} in AWS_CONFIG_FILE (~/.aws/config) or AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials)"
    ))
}

fn keys_of_environment(settings: &Settings<'_>) -> Result<Option<Signer>, Failure> {
    let id = settings.variable("AWS_ACCESS_KEY_ID");
    let secret = settings.variable("AWS_SECRET_ACCESS_KEY");
    match (id, secret) {
        (None, None) => Ok(None),
        (Some(access_key_id), Some(secret)) => Ok(Some(Signer::keys(
            format!("access key {access_key_id} of the environment"),
            PersonalKeys {
                access_key_id,
                secret_access_key: secret.into(),
                session_token: settings.variable("AWS_SESSION_TOKEN").map(Into::into),
            },
        ))),
        _ => Err(Failure::input(
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together, and one of them is not set",
        )),
    }
}

fn ambient(settings: &Settings<'_>) -> Result<Signer, Failure> {
    let fields: Vec<_> = AMBIENT
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), settings.variable(name)?)))
        .collect();
    if fields.is_empty() {
        return Err(Failure::input(
            "there are no credentials to call AWS with: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile by \
             --profile or AWS_PROFILE",
        ));
    }
    Ok(Signer {
        identity: PersonalIdentity::Ambient,
        name: "the environment's web identity or container".to_owned(),
        fields,
    })
}

/// What a profile has by itself.
fn of_profile(settings: &Settings<'_>, profile: &str) -> Result<Signer, Failure> {
    if !settings.has(profile) {
        return Err(missing(profile));
    }
    let get = |name: &str| settings.of_profile(profile, name);
    match (get("aws_access_key_id"), get("aws_secret_access_key")) {
        (Some(access_key_id), Some(secret)) => {
            return Ok(Signer::keys(
                format!("profile {profile} (access key {access_key_id})"),
                PersonalKeys {
                    access_key_id,
                    secret_access_key: secret.into(),
                    session_token: get("aws_session_token").map(Into::into),
                },
            ));
        }
        (None, None) => {}
        _ => {
            return Err(Failure::input(format!(
                "profile {profile}: aws_access_key_id and aws_secret_access_key belong together, and one of them is not there"
            )));
        }
    }
    // Programs are not started: it may be this one, over and over.
    for (setting, what) in [
        ("credential_process", "of another program"),
        ("sso_session", "of IAM Identity Center"),
        ("sso_start_url", "of IAM Identity Center"),
        ("login_session", "of aws login"),
    ] {
        if get(setting).is_some() {
            return Err(Failure::input(format!(
                "profile {profile} has its credentials by {setting}, {what}, which deputy does not ask; put them into the \
                 environment: eval \"$(aws configure export-credentials --profile {profile} --format env)\""
            )));
        }
    }
    if get("role_arn").is_none() {
        return Err(Failure::input(format!("profile {profile} has no credentials")));
    }
    Ok(Signer {
        identity: PersonalIdentity::Profile(profile.to_owned()),
        name: format!("profile {profile}"),
        fields: chain(settings, profile),
    })
}

/// What decides about the credentials of a profile and of those that it has them from.
fn chain(settings: &Settings<'_>, profile: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let mut next = Some(profile.to_owned());
    for _ in 0..LONGEST_CHAIN {
        let Some(profile) = next else { break };
        fields.push(("profile".to_owned(), profile.clone()));
        let found = |name: &str| Some((name.to_owned(), settings.of_profile(&profile, name)?));
        fields.extend(OF_CREDENTIALS.iter().filter_map(|name| found(name)));
        next = settings
            .of_profile(&profile, "source_profile")
            .filter(|source| *source != profile);
    }
    fields.extend(
        [
            "AWS_CONFIG_FILE",
            "AWS_SHARED_CREDENTIALS_FILE",
            "AWS_ACCESS_KEY_ID",
        ]
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), settings.variable(name)?))),
    );
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: &[(&str, &str)] = &[
        ("aws_access_key_id", "AKIAALICE"),
        ("aws_secret_access_key", "hunter2"),
    ];
    const ENVIRONMENT: &[(&str, &str)] = &[
        ("AWS_ACCESS_KEY_ID", "AKIAENV"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
    ];
    const ROLE: &[(&str, &str)] = &[
        ("role_arn", "arn:aws:iam::123456789012:role/r"),
        ("source_profile", "alice"),
    ];
    const PROCESS: &[(&str, &str)] = &[("credential_process", "deputy credentials session")];
    const PROCESS_OF: &[(&str, &str)] = &[("credential_process", "deputy"), ("source_profile", "alice")];
    const SSO: &[(&str, &str)] = &[("sso_session", "corp")];
    const HALF: &[(&str, &str)] = &[("aws_access_key_id", "AKIAHALF")];
    const IN_CONTAINER: &[(&str, &str)] = &[("role_arn", "r"), ("credential_source", "EcsContainer")];
    const BY_ENVIRONMENT: &[(&str, &str)] = &[("role_arn", "r"), ("credential_source", "Environment")];
    const PROFILES: &[(&str, &[(&str, &str)])] = &[
        ("default", &[("region", "eu-west-1")]),
        ("alice", KEYS),
        ("role", ROLE),
        ("process", PROCESS),
        ("process-of", PROCESS_OF),
        ("sso", SSO),
        ("half", HALF),
        ("container", IN_CONTAINER),
        ("environment", BY_ENVIRONMENT),
    ];

    /// The name of whoever signs, or what is wrong.
    fn name(
        profile: Option<&str>,
        variables: &[(&str, &str)],
        role_of_profile: bool,
    ) -> Result<String, String> {
        let found = signer(&Settings::of(profile, variables, PROFILES), role_of_profile);
        found
            .map(|signer| signer.name)
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn keys_come_from_where_every_sdk_takes_them() {
        let alice = "profile alice (access key AKIAALICE)";
        let environment = "access key AKIAENV of the environment";
        let of = |profile| [("AWS_PROFILE", profile)];
        for (flag, variables, role, is) in [
            (Some("alice"), ENVIRONMENT, false, alice),
            (None, ENVIRONMENT, false, environment),
            (None, &of("alice")[..], false, alice),
            // The role is the one that is asked for, or it is whoever asks.
            (Some("role"), &[], true, alice),
            (Some("role"), &[], false, "profile role"),
            (Some("process-of"), &[], false, alice),
            (Some("environment"), ENVIRONMENT, true, environment),
            (
                None,
                &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/")],
                false,
                "the environment's web identity or container",
            ),
        ] {
            assert_eq!(name(flag, variables, role).unwrap(), is);
        }
    }

    #[test]
    fn what_can_not_be_used_is_named_and_no_key_is_shown() {
        for (flag, variables, says) in [
            (None, &[][..], "there are no credentials"),
            (Some("none"), &[], "there is no profile none"),
            (None, &[("AWS_PROFILE", "none")], "there is no profile none"),
            (Some("process"), &[], "source_profile"),
            (Some("sso"), &[], "export-credentials --profile sso"),
            (Some("half"), &[], "belong together"),
            (Some("container"), &[], "not for people"),
            (Some("environment"), &[], "AWS_ACCESS_KEY_ID"),
            (None, &[("AWS_SECRET_ACCESS_KEY", "hunter2")], "belong together"),
        ] {
            let said = name(flag, variables, flag != Some("sso")).unwrap_err();
            assert!(said.contains(says), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
