//! A profile of AWS's configuration file: put in, or put in the place of another one, with everything else left as it is.
//!
//! The file is lines: `[profile NAME]`, then settings `NAME = VALUE`; lines that begin with white space belong to the setting before,
//! `#` and `;` begin comments.

use std::fmt;

/// A profile as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedProfile {
    pub name: String,
    /// In this order.
    pub settings: Vec<(&'static str, String)>,
}

/// What has become of a file's text.
#[derive(Debug, PartialEq, Eq)]
pub enum EditedConfig {
    /// The profile is there, as it is to be.
    Same,
    /// The text with it.
    Changed(String),
}

/// Why a file is left as it is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error(
        "it has a profile {0} already, with other settings: give --replace, or another name by --profile"
    )]
    Other(String),
    #[error(
        "it has more than one profile {0}, and which one counts differs among AWS's tools: remove all but one"
    )]
    Twice(String),
}

impl fmt::Display for WantedProfile {
    /// The lines of it, each with its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only this one has no word before its name.
        match self.name.as_str() {
            "default" => writeln!(f, "[default]")?,
            name => writeln!(f, "[profile {name}]")?,
        }
        self.settings
            .iter()
            .try_for_each(|(name, value)| writeln!(f, "{name} = {value}"))
    }
}

/// Puts `profile` into `text`: behind everything, or in the place of the one of its name if `replace` says so.
///
/// # Errors
/// [`EditError`].
pub fn edit(text: &str, profile: &WantedProfile, replace: bool) -> Result<EditedConfig, EditError> {
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let heads: Vec<usize> = (0..lines.len())
        .filter(|&at| lines.get(at).and_then(|line| head(line)).is_some())
        .collect();
    let is_it = |at: &&usize| lines.get(**at).and_then(|line| head(line)) == Some(profile.name.as_str());
    let found: Vec<usize> = heads.iter().filter(is_it).copied().collect();
    let written = profile.to_string().replace('\n', end);
    let begin = match found.as_slice() {
        [] => {
            let between = match text {
                "" => String::new(),
                text if !text.ends_with('\n') => end.repeat(2),
                text if text.ends_with("\n\n") || text.ends_with("\n\r\n") => String::new(),
                _ => end.to_owned(),
            };
            return Ok(EditedConfig::Changed(format!("{text}{between}{written}")));
        }
        [begin] => *begin,
        _ => return Err(EditError::Twice(profile.name.clone())),
    };
    let next = heads
        .iter()
        .find(|&&at| at > begin)
        .copied()
        .unwrap_or(lines.len());
    let body = lines.get(begin + 1..next).unwrap_or_default();
    if is_same(body, profile) {
        return Ok(EditedConfig::Same);
    }
    if !replace {
        return Err(EditError::Other(profile.name.clone()));
    }
    // Comments and empty lines at its end are about what comes next.
    let length = body
        .iter()
        .rposition(|line| !is_idle(line))
        .map_or(0, |last| last + 1);
    let before = lines.get(..begin).unwrap_or_default().concat();
    let after = lines.get(begin + 1 + length..).unwrap_or_default().concat();
    Ok(EditedConfig::Changed(format!("{before}{written}{after}")))
}

/// The profile whose settings begin behind a line; empty for a section that is no profile.
fn head(line: &str) -> Option<&str> {
    let (inside, _) = line.strip_prefix('[')?.split_once(']')?;
    let inside = inside.trim();
    if inside == "default" {
        return Some(inside);
    }
    let name = inside
        .strip_prefix("profile")
        .filter(|rest| rest.starts_with([' ', '\t', '"', '\'']));
    Some(name.map_or("", |name| name.trim().trim_matches(['"', '\''])))
}

/// A line that sets nothing.
fn is_idle(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with(['#', ';'])
}

fn is_same(body: &[&str], profile: &WantedProfile) -> bool {
    let mut settings = Vec::new();
    for line in body.iter().filter(|line| !is_idle(line)) {
        match line.split_once('=') {
            // One that goes on with the one before, or is none, is none of ours.
            Some((name, value)) if !line.starts_with([' ', '\t']) => {
                settings.push((name.trim(), value.trim()))
            }
            _ => return false,
        }
    }
    let wanted = profile
        .settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()));
    let mut wanted: Vec<_> = wanted.collect();
    wanted.sort_unstable();
    settings.sort_unstable();
    settings == wanted
}
