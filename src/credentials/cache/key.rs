//! What a session is kept under: a digest of all that decides which one it is.

use std::fmt;

use deputy_aws::PersonalOptions;
use deputy_policy::SessionWay;
use ring::digest::{Context, SHA256};

/// Another one with every change of what goes into it, or of what is in the files.
const FORMAT: &str = "deputy credentials 1";

/// SHA-256 over fields, in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheKey(String);

impl CacheKey {
    /// Of a call to STS: which, where, and these fields of it, in this order.
    pub fn of_call<'a>(
        way: SessionWay,
        place: &'a PersonalOptions,
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let place = [
            ("way", way.name()),
            ("region", &place.region),
            ("endpoint", place.endpoint.as_deref().unwrap_or_default()),
        ];
        Self::of(place.into_iter().chain(fields))
    }

    /// Of these fields, in this order. Each is taken with its length, so that no two lists look alike.
    pub fn of<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut context = Context::new(&SHA256);
        let mut take = |text: &str| {
            context.update(&(text.len() as u64).to_be_bytes());
            context.update(text.as_bytes());
        };
        take(FORMAT);
        for (name, value) in fields {
            take(name);
            take(value);
        }
        let digest = context.finish();
        Self(digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// Fields that somebody else holds.
pub fn borrowed(fields: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
