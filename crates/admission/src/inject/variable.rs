//! An environment variable as a container is to have it.

use std::borrow::Cow;

use serde::{Serialize, Serializer, ser::SerializeMap as _};

use super::json::{Json, JsonFields as _};

pub(super) enum EnvVariable<'a> {
    /// Written out.
    Text { name: &'static str, value: Cow<'a, str> },
    /// With the value, or the source of the value, that another one has.
    As { name: &'static str, other: &'a Json<'a> },
}

impl<'a> EnvVariable<'a> {
    pub(super) fn text(name: &'static str, value: impl Into<Cow<'a, str>>) -> Self {
        Self::Text {
            name,
            value: value.into(),
        }
    }

    /// Whether an entry of an environment is this, and nothing more.
    pub(super) fn is(&self, entry: &Json<'_>) -> bool {
        let Some(found) = entry.as_object() else {
            return false;
        };
        match self {
            Self::Text { name, value } => {
                found.len() == 2
                    && entry.text_at("name") == Some(name)
                    && entry.text_at("value") == Some(value)
            }
            Self::As { name, other } => {
                let others = || other.as_object().into_iter().flat_map(|o| o.iter());
                entry.text_at("name") == Some(name)
                    && found.len() == others().count()
                    && others().all(|(key, value)| key == "name" || found.get(key) == Some(value))
            }
        }
    }
}

impl Serialize for EnvVariable<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entry = serializer.serialize_map(None)?;
        match self {
            Self::Text { name, value } => {
                entry.serialize_entry("name", name)?;
                entry.serialize_entry("value", value)?;
            }
            Self::As { name, other } => {
                entry.serialize_entry("name", name)?;
                let others = other.as_object().into_iter().flat_map(|o| o.iter());
                for (key, value) in others.filter(|(key, _)| *key != "name") {
                    entry.serialize_entry(key, value)?;
                }
            }
        }
        entry.end()
    }
}
