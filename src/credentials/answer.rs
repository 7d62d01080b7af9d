//! The answer: what a `credential_process` writes (AWS SDKs and Tools Reference Guide, "Process credential provider"), or
//! lines for a shell.

use deputy_aws::{ExposeSecret as _, PersonalSession, SecretString};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::arguments::PrintFormat;

/// The version of the format that there is.
const VERSION: u32 = 1;

/// The credentials of a session. No `Debug`.
#[derive(Clone)]
pub struct ProcessCredentials {
    pub access_key_id: String,
    pub secret_access_key: SecretString,
    pub session_token: SecretString,
    pub expiration: Timestamp,
}

/// As they are written: a contract of AWS's.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Written<'a> {
    version: u32,
    access_key_id: std::borrow::Cow<'a, str>,
    secret_access_key: std::borrow::Cow<'a, str>,
    session_token: std::borrow::Cow<'a, str>,
    expiration: Timestamp,
}

impl From<PersonalSession> for ProcessCredentials {
    fn from(session: PersonalSession) -> Self {
        let credentials = session.credentials;
        Self {
            access_key_id: credentials.access_key_id,
            secret_access_key: credentials.secret_access_key,
            session_token: credentials.session_token,
            expiration: session.expiration,
        }
    }
}

impl ProcessCredentials {
    /// The JSON of a `credential_process`, without line end.
    ///
    /// # Errors
    /// None that is known: texts and a time are JSON.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Written {
            version: VERSION,
            access_key_id: self.access_key_id.as_str().into(),
            secret_access_key: self.secret_access_key.expose_secret().into(),
            session_token: self.session_token.expose_secret().into(),
            expiration: self.expiration,
        })
    }

    /// What [`ProcessCredentials::to_json`] wrote, whole.
    pub fn from_json(text: &[u8]) -> Option<Self> {
        let written: Written<'_> = serde_json::from_slice(text).ok()?;
        let whole = written.version == VERSION
            && ![
                &written.access_key_id,
                &written.secret_access_key,
                &written.session_token,
            ]
            .iter()
            .any(|part| part.is_empty());
        whole.then(|| Self {
            access_key_id: written.access_key_id.into_owned(),
            secret_access_key: written.secret_access_key.into_owned().into(),
            session_token: written.session_token.into_owned().into(),
            expiration: written.expiration,
        })
    }

    /// Lines that a shell reads, without the last line end.
    fn to_env(&self) -> String {
        let expiration = self.expiration.to_string();
        [
            ("AWS_ACCESS_KEY_ID", self.access_key_id.as_str()),
            ("AWS_SECRET_ACCESS_KEY", self.secret_access_key.expose_secret()),
            ("AWS_SESSION_TOKEN", self.session_token.expose_secret()),
            ("AWS_CREDENTIAL_EXPIRATION", &expiration),
        ]
        .map(|(name, value)| format!("export {name}={}", quoted(value)))
        .join("\n")
    }

    /// What is printed.
    ///
    /// # Errors
    /// As of [`ProcessCredentials::to_json`].
    pub fn print(&self, format: PrintFormat) -> Result<String, serde_json::Error> {
        match format {
            PrintFormat::Json => self.to_json(),
            PrintFormat::Env => Ok(self.to_env()),
        }
    }
}

/// One word of a POSIX shell, whatever is in it.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> ProcessCredentials {
        ProcessCredentials {
            access_key_id: "ASIAEXAMPLE".into(),
            secret_access_key: "s/e+c'r".into(),
            session_token: "t\"k".into(),
            expiration: "2026-11-29T18:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn json_is_what_aws_reads_of_a_credential_process() {
        let json = credentials().print(PrintFormat::Json).unwrap();
        assert_eq!(
            json,
            r#"{"Version":1,"AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"s/e+c'r","SessionToken":"t\"k","Expiration":"2026-11-29T18:00:00Z"}"#
        );
        let read = ProcessCredentials::from_json(json.as_bytes()).unwrap();
        assert_eq!(read.to_json().unwrap(), json);
    }

    #[test]
    fn a_shell_reads_each_value_as_one_word() {
        assert_eq!(
            credentials().print(PrintFormat::Env).unwrap(),
            "export AWS_ACCESS_KEY_ID='ASIAEXAMPLE'\nexport AWS_SECRET_ACCESS_KEY='s/e+c'\\''r'\n\
             export AWS_SESSION_TOKEN='t\"k'\nexport AWS_CREDENTIAL_EXPIRATION='2026-11-29T18:00:00Z'"
        );
    }

    #[test]
    fn what_is_not_whole_is_not_read() {
        let whole = credentials().to_json().unwrap();
        for (part, other) in [
            ("\"Version\":1", "\"Version\":2"),
            ("ASIAEXAMPLE", ""),
            ("t\\\"k", ""),
            ("\"SessionToken\"", "\"Token\""),
            ("2026-11-29T18:00:00Z", "soon"),
            ("}", ""),
            ("{", "{\"More\":1,"),
        ] {
            let broken = whole.replace(part, other);
            assert_ne!(broken, whole);
            assert!(
                ProcessCredentials::from_json(broken.as_bytes()).is_none(),
                "{broken}"
            );
        }
    }
}
