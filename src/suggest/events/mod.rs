//! CloudTrail's events, in the forms in which people have them.

#[cfg(test)]
mod tests;

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, value::RawValue};

use crate::{
    exit::Failure,
    input::{failed, open},
};

/// The most that is read of one file, unpacked. CloudTrail's own have some 50 MB at most.
const MAX_BYTES: u64 = 256 * 1024 * 1024;
/// A file has lists of events, and an answer of `lookup-events` has events as text: no event is deeper.
const MAX_DEPTH: usize = 3;
/// Deeper than CloudTrail writes, which has a folder for the account, the Region and each part of the date.
const MAX_FOLDERS: usize = 64;
const GZIP: [u8; 2] = [0x1F, 0x8B];
/// So many files are read of folders: a trail of all Regions writes some 5,000 a day.
const MAX_FILES: usize = 1_000_000;
/// Codes of errors that say that a permission is missing, and nothing else.
const DENIALS: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "AuthorizationErrorException",
    "NotAuthorized",
    "UnauthorizedException",
    "UnauthorizedOperation",
];

/// One event, as far as it says what was used.
#[derive(Debug, Default, Deserialize)]
pub struct TrailEvent {
    #[serde(rename = "eventSource", default, deserialize_with = "text")]
    pub source: String,
    #[serde(rename = "eventName", default, deserialize_with = "text")]
    pub name: String,
    #[serde(rename = "eventTime", default, deserialize_with = "text")]
    pub time: String,
    #[serde(rename = "awsRegion", default, deserialize_with = "text")]
    pub region: String,
    #[serde(rename = "recipientAccountId", default, deserialize_with = "text")]
    pub account: String,
    #[serde(rename = "errorCode")]
    pub error: Option<String>,
    #[serde(rename = "eventCategory")]
    category: Option<String>,
    #[serde(rename = "managementEvent")]
    is_management: Option<bool>,
    #[serde(rename = "readOnly")]
    is_read_only: Option<bool>,
    #[serde(rename = "userIdentity")]
    identity: Option<TrailIdentity>,
    #[serde(default)]
    resources: Option<Vec<TouchedResource>>,
    #[serde(rename = "requestParameters", default)]
    pub parameters: Value,
}

#[derive(Debug, Deserialize)]
struct TrailIdentity {
    #[serde(rename = "sessionContext")]
    session: Option<SessionContext>,
}

#[derive(Debug, Deserialize)]
struct SessionContext {
    #[serde(rename = "sessionIssuer")]
    issuer: Option<SessionIssuer>,
}

#[derive(Debug, Deserialize)]
struct SessionIssuer {
    arn: Option<String>,
}

#[derive(Debug, Deserialize)]
struct TouchedResource {
    #[serde(rename = "ARN")]
    arn: Option<String>,
}

/// A text; null is none.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl TrailEvent {
    /// The role whose session made the request, with its path.
    pub fn role(&self) -> Option<&str> {
        let session = self.identity.as_ref()?.session.as_ref()?;
        session.issuer.as_ref()?.arn.as_deref()
    }

    /// Whether it is of the kind that a trail has only where somebody asked for it.
    pub fn is_data(&self) -> bool {
        match self.category.as_deref() {
            // Events of network activity are no management events either.
            Some(category) => category == "Data",
            None => self.is_management == Some(false),
        }
    }

    /// Whether it is a management event of a request that changes nothing, which a trail of writes alone has not.
    pub fn is_read(&self) -> bool {
        let is_management = self.category.as_deref().is_none_or(|of| of == "Management") && !self.is_data();
        is_management && self.is_read_only == Some(true)
    }

    /// Whether AWS refused the request for want of permission. Codes that only may say so, such as `NotAuthorizedException` of Amazon
    /// Cognito for a wrong password, and `KMSAccessDeniedException` of a key that a function uses, count as use: too much stays, not too
    /// little.
    pub fn is_denied(&self) -> bool {
        let code = self.error.as_deref().unwrap_or_default();
        DENIALS.contains(&code.strip_prefix("Client.").unwrap_or(code))
    }

    /// What the event says that it was about.
    pub fn arns(&self) -> impl Iterator<Item = &str> {
        let all = self.resources.iter().flatten();
        all.filter_map(|one| one.arn.as_deref())
    }

    /// A text of the request.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .get(name)?
            .as_str()
            .filter(|text| !text.is_empty())
    }
}

/// A document of a file: a list of events, an answer of `aws cloudtrail lookup-events`, or an event. What is not looked at yet stays text.
#[derive(Deserialize)]
struct TrailDocument<'a> {
    #[serde(rename = "Records", borrow)]
    records: Option<Vec<&'a RawValue>>,
    #[serde(rename = "Events", borrow)]
    events: Option<Vec<&'a RawValue>>,
    #[serde(rename = "CloudTrailEvent")]
    text: Option<String>,
    #[serde(rename = "eventSource")]
    source: Option<serde::de::IgnoredAny>,
}

/// Hands over every event of the files, one after the other; `-` is standard input, and of a folder all `*.json` and `*.json.gz` count.
///
/// # Errors
/// What can't be read, what is no event, a file that is too large, and more files than a million.
pub fn read(named: &[PathBuf], mut each: impl FnMut(&TrailEvent)) -> Result<(), Failure> {
    let mut files = Vec::new();
    for path in named {
        if path != Path::new("-") && path.is_dir() {
            folder(path, 0, &mut files)?;
        } else {
            files.push(path.clone());
        }
    }
    for file in &files {
        let text = unpacked(file)?;
        read_text(&text, &mut each).map_err(|what| failed(file, &what))?;
    }
    Ok(())
}

/// The files of a folder in the order of their names. Links to folders are not followed.
fn folder(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if depth > MAX_FOLDERS {
        return Err(failed(path, &format!("more than {MAX_FOLDERS} folders deep")));
    }
    let mut inner = Vec::new();
    for entry in std::fs::read_dir(path).map_err(|error| failed(path, &error))? {
        inner.push(entry.map_err(|error| failed(path, &error))?.path());
    }
    inner.sort();
    for path in inner {
        let name = path.to_string_lossy();
        if path.is_dir() {
            if !path.is_symlink() {
                folder(&path, depth + 1, files)?;
            }
        } else if name.ends_with(".json") || name.ends_with(".json.gz") {
            files.push(path);
        }
        if files.len() > MAX_FILES {
            return Err(Failure::input(format!(
                "more than {MAX_FILES} files of events: give a part of them"
            )));
        }
    }
    Ok(())
}

fn unpacked(path: &Path) -> Result<Vec<u8>, Failure> {
    let whole = |reader: &mut dyn std::io::Read| {
        let mut bytes = Vec::new();
        reader
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| failed(path, &error))?;
        match bytes.len() as u64 > MAX_BYTES {
            true => Err(failed(
                path,
                &format!(
                    "more than {MAX_BYTES} bytes of events, which is the most that is read of a file: give several"
                ),
            )),
            false => Ok(bytes),
        }
    };
    let bytes = whole(&mut open(path)?)?;
    if bytes.starts_with(&GZIP) {
        return whole(&mut MultiGzDecoder::new(bytes.as_slice()));
    }
    Ok(bytes)
}

/// The events of a text: JSON documents, one after the other.
fn read_text(text: &[u8], each: &mut impl FnMut(&TrailEvent)) -> Result<(), String> {
    let documents = serde_json::Deserializer::from_slice(text).into_iter::<&RawValue>();
    for document in documents {
        let document = document.map_err(|error| format!("no JSON: {error}"))?;
        take(document.get(), 0, each)?;
    }
    Ok(())
}

fn take(text: &str, depth: usize, each: &mut impl FnMut(&TrailEvent)) -> Result<(), String> {
    let not_one = || {
        "neither events of CloudTrail ({\"Records\": [...]}, or one event a line) nor an answer of `aws cloudtrail lookup-events`"
            .to_owned()
    };
    if depth > MAX_DEPTH {
        return Err(not_one());
    }
    if text.starts_with('[') {
        let all: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        return all.iter().try_for_each(|one| take(one.get(), depth + 1, each));
    }
    if !text.starts_with('{') {
        return Err(not_one());
    }
    let document: TrailDocument<'_> =
        serde_json::from_str(text).map_err(|error| format!("{}: {error}", not_one()))?;
    if let Some(inner) = &document.text {
        return take(inner.trim(), depth + 1, each);
    }
    let lists = [document.records, document.events];
    if lists.iter().any(Option::is_some) {
        let mut all = lists.into_iter().flatten().flatten();
        return all.try_for_each(|one| take(one.get(), depth + 1, each));
    }
    if document.source.is_none() {
        return Err(not_one());
    }
    let event: TrailEvent =
        serde_json::from_str(text).map_err(|error| format!("an event can't be read: {error}"))?;
    each(&event);
    Ok(())
}
