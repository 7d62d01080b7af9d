//! The long-lived keys of federation users, which alone may call GetFederationToken: files in a folder that a Secret is mounted at.
//!
//! A file is named as the AWSAccount and holds what `aws iam create-access-key` prints, both halves of a pair in one file: it is replaced as
//! a whole. It is read again for each session that is made, so other keys are used without a restart.

use std::{fs::File, io::Read as _, path::Path};

use deputy_delegation::model::Account;
use secrecy::SecretString;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::error::{AwsError, ErrorClass};

/// The longest file, in bytes: that of AWS has some 300.
const MAX_FILE: u64 = 4096;
/// IAM: 16 to 128 characters. <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AccessKey.html>
const KEY_ID_LENGTH: std::ops::RangeInclusive<usize> = 16..=128;
const OPERATION: &str = "sts:GetFederationToken";

/// Keys of a federation user. No `Debug`.
pub(crate) struct FederationKeys {
    /// Not a secret.
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: SecretString,
}

/// What AWS prints, or that which stands in it.
#[derive(Deserialize)]
#[serde(untagged)]
enum KeyFile {
    Created {
        #[serde(rename = "AccessKey")]
        access_key: KeyPair,
    },
    Pair(KeyPair),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyPair {
    access_key_id: String,
    secret_access_key: String,
}

/// The keys of the federation user of `account` in `folder`.
///
/// # Errors
/// `NoCredentials`, with the file and what is wrong with it; never a part of it.
pub(crate) fn read(folder: Option<&Path>, account: &Account) -> Result<FederationKeys, AwsError> {
    let Some(folder) = folder else {
        return Err(none(
            "deputy broker has no keys of federation users: mount their Secret (chart value broker.federation.secretName)",
        ));
    };
    let file = folder.join(account.name.as_str());
    let problem = |what: &str| {
        none(&format!(
            "{}: {what}; it is to hold what `aws iam create-access-key` prints for the federation user of AWSAccount {}",
            file.display(),
            account.name
        ))
    };
    let mut text = Zeroizing::new(Vec::new());
    File::open(&file)
        .and_then(|opened| opened.take(MAX_FILE + 1).read_to_end(&mut text))
        .map_err(|error| problem(&error.to_string()))?;
    if text.len() as u64 > MAX_FILE {
        return Err(problem(&format!("it has more than {MAX_FILE} bytes")));
    }
    // What the parser says may repeat a part of the secret.
    let pair = match serde_json::from_slice(&text) {
        Ok(KeyFile::Created { access_key } | KeyFile::Pair(access_key)) => access_key,
        Err(_) => return Err(problem("it is no JSON with AccessKeyId and SecretAccessKey")),
    };
    let id = &pair.access_key_id;
    let is_id = KEY_ID_LENGTH.contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
    if !is_id {
        return Err(problem("its AccessKeyId is none: 16 to 128 letters and digits"));
    }
    if id.starts_with("ASIA") {
        return Err(problem(
            "its keys are temporary ones, and AWS gives federation tokens to long-lived keys of a user alone",
        ));
    }
    Ok(FederationKeys {
        access_key_id: pair.access_key_id,
        secret_access_key: pair.secret_access_key.into(),
    })
}

fn none(message: &str) -> AwsError {
    AwsError::new(OPERATION, ErrorClass::NoCredentials, message)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::caller::tests::account;

    const ID: &str = "AKIAIOSFODNN7EXAMPLE";

    fn read_file(text: &str) -> Result<FederationKeys, String> {
        let folder = std::env::temp_dir().join(format!("deputy-keys-{}-{}", std::process::id(), text.len()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("production"), text).unwrap();
        let read = read(Some(&folder), &account()).map_err(|error| error.to_string());
        fs::remove_dir_all(&folder).unwrap();
        read
    }

    #[test]
    fn what_aws_prints_is_read_and_so_is_the_pair_in_it() {
        let pair = format!(r#"{{"AccessKeyId":"{ID}","SecretAccessKey":"canary"}}"#);
        let created = format!(
            r#"{{"AccessKey":{{"UserName":"deputy-federation","AccessKeyId":"{ID}","Status":"Active","SecretAccessKey":"canary","CreateDate":"2026-11-29T00:00:00+00:00"}}}}"#
        );
        for text in [pair, created] {
            let keys = read_file(&text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(keys.access_key_id, ID);
            assert_eq!(keys.secret_access_key.expose_secret(), "canary");
        }
    }

    #[test]
    fn what_is_no_pair_of_long_lived_keys_is_told_without_a_part_of_it() {
        let pair = |id: &str| format!(r#"{{"AccessKeyId":"{id}","SecretAccessKey":"canary"}}"#);
        for (text, why) in [
            (String::new(), "no JSON"),
            ("canary".to_owned(), "no JSON"),
            (r#"{"SecretAccessKey":"canary"}"#.to_owned(), "no JSON"),
            (pair("AKIA"), "16 to 128"),
            (pair("AKIAIOSFODNN7 EXAMPLE"), "16 to 128"),
            (pair("ASIAIOSFODNN7EXAMPLE"), "temporary"),
            (format!("{:5000}canary", ""), "more than 4096 bytes"),
        ] {
            let Err(error) = read_file(&text) else {
                panic!("{text} was taken")
            };
            assert!(error.contains(why) && error.contains("production"), "{error}");
            assert!(!error.contains("canary"), "{error}");
        }
        let Err(absent) = read(Some(Path::new("/nonexistent")), &account()) else {
            panic!("there is no such file")
        };
        assert_eq!(absent.class(), ErrorClass::NoCredentials);
        let Err(unset) = read(None, &account()) else {
            panic!("there is no folder")
        };
        assert!(
            unset.message().contains("broker.federation.secretName"),
            "{unset}"
        );
    }
}
