//! Tags that people choose: of an account's roles, and of sessions.

use std::collections::BTreeMap;

use crate::names::{TagKey, TagValue};

/// Tags that somebody else than Deputy chose. No key is one of Deputy's, and no two are one to AWS, which compares the keys of
/// IAM's tags and of session tags ignoring case: of two that differ in case only it would refuse the call or keep one.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html#id_tags_rules_creating>,
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_know>
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChosenTags<V = TagValue>(BTreeMap<TagKey, V>);

/// Why a tag can't be among those that people choose.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagKeyError {
    /// Keys that begin with `deputy-` are Deputy's own.
    #[error("{}", reserved(.0))]
    Reserved(TagKey),
    /// To AWS it is another one of them.
    #[error("{:?} and {:?} are one tag key to AWS, which ignores case", .other.as_str(), .key.as_str())]
    Same {
        /// This one.
        key: TagKey,
        /// The one that is there already.
        other: TagKey,
    },
}

fn reserved(key: &TagKey) -> String {
    let lower = key.as_str().to_ascii_lowercase();
    let key = key.as_str();
    if key == lower {
        format!("{key:?} is Deputy's own: tag keys starting with deputy- are reserved")
    } else {
        format!(
            "{key:?} is {lower:?} to AWS, which ignores case, and Deputy's own: tag keys starting with deputy- are reserved"
        )
    }
}

impl<V> ChosenTags<V> {
    /// All of these.
    ///
    /// # Errors
    /// At the first key that [`ChosenTags::insert`] does not take.
    pub fn of(tags: impl IntoIterator<Item = (TagKey, V)>) -> Result<Self, TagKeyError> {
        let mut chosen = Self::default();
        for (key, value) in tags {
            chosen.insert(key, value)?;
        }
        Ok(chosen)
    }

    /// Adds a tag.
    ///
    /// # Errors
    /// When the key is Deputy's own, or the same as another one to AWS; these stay as they were.
    pub fn insert(&mut self, key: TagKey, value: V) -> Result<(), TagKeyError> {
        if key.is_reserved() {
            return Err(TagKeyError::Reserved(key));
        }
        if let Some((other, _)) = self.in_any_case(&key) {
            let other = other.clone();
            return Err(TagKeyError::Same { key, other });
        }
        self.0.insert(key, value);
        Ok(())
    }

    /// The value of the key in exactly this spelling.
    #[must_use]
    pub fn get(&self, key: &TagKey) -> Option<&V> {
        self.0.get(key)
    }

    /// The tag that AWS would take `key` for, in its spelling here.
    #[must_use]
    pub fn in_any_case(&self, key: &TagKey) -> Option<(&TagKey, &V)> {
        self.iter()
            .find(|(other, _)| other.as_str().eq_ignore_ascii_case(key.as_str()))
    }

    /// All of them, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&TagKey, &V)> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<V> ChosenTags<Option<V>> {
    /// Those that have a value.
    #[must_use]
    pub fn with_values(self) -> ChosenTags<V> {
        let tags = self.0.into_iter();
        ChosenTags(tags.filter_map(|(key, value)| Some((key, value?))).collect())
    }
}

impl<V> Default for ChosenTags<V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<V, const N: usize> TryFrom<[(TagKey, V); N]> for ChosenTags<V> {
    type Error = TagKeyError;

    fn try_from(tags: [(TagKey, V); N]) -> Result<Self, TagKeyError> {
        Self::of(tags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> TagKey {
        TagKey::new(text).unwrap()
    }

    #[test]
    fn no_two_keys_are_one_to_aws_and_none_is_deputys() {
        let mut tags = ChosenTags::default();
        for (text, said) in [
            ("team", None),
            ("cost-center", None),
            (
                "Team",
                Some("\"team\" and \"Team\" are one tag key to AWS, which ignores case"),
            ),
            (
                "team",
                Some("\"team\" and \"team\" are one tag key to AWS, which ignores case"),
            ),
            (
                "Deputy-Cluster",
                Some(
                    "\"Deputy-Cluster\" is \"deputy-cluster\" to AWS, which ignores case, and Deputy's own: tag keys starting \
                     with deputy- are reserved",
                ),
            ),
            (
                "deputy-cluster",
                Some("\"deputy-cluster\" is Deputy's own: tag keys starting with deputy- are reserved"),
            ),
            (
                "DEPUTY-x",
                Some(
                    "\"DEPUTY-x\" is \"deputy-x\" to AWS, which ignores case, and Deputy's own: tag keys starting with deputy- are \
                     reserved",
                ),
            ),
            ("deputy", None),
        ] {
            let answer = tags.insert(key(text), text.to_owned());
            assert_eq!(answer.err().map(|e| e.to_string()).as_deref(), said, "{text}");
        }
        let left: Vec<_> = tags.iter().map(|(key, value)| (key.as_str(), &**value)).collect();
        assert_eq!(
            left,
            [
                ("cost-center", "cost-center"),
                ("deputy", "deputy"),
                ("team", "team")
            ]
        );
        assert_eq!(
            tags.in_any_case(&key("TEAM")),
            Some((&key("team"), &"team".to_owned()))
        );
        assert_eq!(tags.get(&key("TEAM")), None);
    }
}
