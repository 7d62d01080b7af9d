//! Tags as they should be and as they are: what to set, what to remove, and whose they are.
//!
//! Tags of others stay. So it must be known which of those that are there an account once asked for: the tag
//! [`TAG_TAGS`] lists them, in AWS itself, where neither a restart nor a restored cluster loses it.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};

use crate::names::{FromValidParts, TagKey, TagValue};

/// Tag of roles and policies: which of the other tags the AWSAccount asked for, six characters for each key.
pub const TAG_TAGS: &str = "deputy-tags";

/// Tag of roles that stay although their object is gone: the uid of that object.
pub const TAG_RETAINED: &str = "deputy-retained";

/// Characters of the list for each key: 30 bits in base32. Keys themselves would not fit: one may have 128 characters, a tag's value 256.
const MARK_CHARS: usize = 6;
/// Keys in a list: what a tag's value holds.
const MARKS_MAX: usize = 256 / MARK_CHARS;

/// What to do about tags. Deputy's own say whose a role or policy is; the others grant nothing by themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagChanges {
    /// Keys in the way of Deputy's own: the same ones in another spelling, and what says that nobody has the role. First.
    pub remove_own: Vec<String>,
    /// Deputy's own that differ.
    pub set_own: BTreeMap<TagKey, TagValue>,
    /// Keys that the account asks for no more, or in another spelling.
    pub remove: Vec<String>,
    /// The account's that differ, and the list of them.
    pub set: BTreeMap<TagKey, TagValue>,
}

impl TagChanges {
    /// What makes `observed` into `desired`. AWS compares keys ignoring case.
    #[must_use]
    pub fn between(desired: &BTreeMap<TagKey, TagValue>, observed: &BTreeMap<String, String>) -> Self {
        let mut changes = Self::default();
        let listed = marks_of(observed.get(TAG_TAGS).map_or("", String::as_str));
        let mut left_behind = BTreeSet::new();
        for key in observed.keys() {
            if desired.contains_key(key.as_str()) {
                continue;
            }
            let other_spelling = desired
                .keys()
                .find(|ours| ours.as_str().eq_ignore_ascii_case(key));
            if key.eq_ignore_ascii_case(TAG_RETAINED) {
                // It is some object's again.
                changes.remove_own.push(key.clone());
                continue;
            }
            match other_spelling {
                Some(ours) if is_own(ours) => changes.remove_own.push(key.clone()),
                Some(_) => changes.remove.push(key.clone()),
                // Once the account asked for it.
                None if key != TAG_TAGS && listed.contains(&mark(key)) => {
                    left_behind.insert(mark(key));
                    changes.remove.push(key.clone());
                }
                None => {}
            }
        }
        for (key, value) in desired {
            let same = observed.get(key.as_str()).map(String::as_str) == Some(value.as_str());
            if !same && is_own(key) {
                changes.set_own.insert(key.clone(), value.clone());
            } else if !same && key.as_str() != TAG_TAGS {
                changes.set.insert(key.clone(), value.clone());
            }
        }
        changes.list(desired, observed, left_behind);
        changes
    }

    /// The list is set in the same call as what it lists, and names what is to go until that has gone: whichever call fails, or is
    /// the last one, nothing is forgotten.
    fn list(
        &mut self,
        desired: &BTreeMap<TagKey, TagValue>,
        observed: &BTreeMap<String, String>,
        left_behind: BTreeSet<String>,
    ) {
        let wanted = desired.get(TAG_TAGS).map_or("", TagValue::as_str);
        let is = observed.get(TAG_TAGS).map(String::as_str);
        let gone = left_behind.is_empty();
        let mut marks = marks_of(wanted);
        marks.extend(left_behind);
        if marks.len() > MARKS_MAX {
            // One step after the other: these go, then the others come.
            self.set.clear();
        } else if marks.is_empty() && gone {
            if is.is_some() {
                self.remove.push(TAG_TAGS.to_owned());
            }
        } else {
            let list: String = marks.into_iter().collect();
            if is != Some(list.as_str()) {
                self.set.insert(
                    TagKey::from_valid_parts(TAG_TAGS.to_owned()),
                    TagValue::from_valid_parts(list),
                );
            }
        }
    }
}

/// Says whose a role or policy is; the list of the account's tags says nothing of that kind.
fn is_own(key: &TagKey) -> bool {
    key.is_reserved() && key.as_str() != TAG_TAGS
}

/// The list of these keys of an account; `None` when there are none.
pub(crate) fn list_of<'a>(keys: impl Iterator<Item = &'a TagKey>) -> Option<(TagKey, TagValue)> {
    let marks: BTreeSet<String> = keys.map(|key| mark(key.as_str())).collect();
    // An account has at most 40 tags; of more, which would be refused, as many as fit.
    let list: String = marks.into_iter().take(MARKS_MAX).collect();
    (!list.is_empty()).then(|| {
        (
            TagKey::from_valid_parts(TAG_TAGS.to_owned()),
            TagValue::from_valid_parts(list),
        )
    })
}

/// The first 30 bits of SHA-256 over the key in lower case, in lower-case base32.
fn mark(key: &str) -> String {
    let digest = Sha256::digest(key.to_ascii_lowercase().as_bytes());
    let mut text = BASE32_NOPAD.encode(&digest).to_ascii_lowercase();
    text.truncate(MARK_CHARS);
    text
}

fn marks_of(list: &str) -> BTreeSet<String> {
    let characters: Vec<char> = list.chars().collect();
    characters
        .chunks_exact(MARK_CHARS)
        .map(|mark| mark.iter().collect())
        .collect()
}
