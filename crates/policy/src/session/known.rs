//! Context keys that follow from who somebody is. Given with another value they would make an answer about nobody.

use super::question::SessionQuestionError;
use crate::{context::Context, principal::caller::Caller};

/// Keys of a principal, each with its value, or with none when a request of this principal never has it.
pub(super) struct KnownKeys {
    who: &'static str,
    keys: Vec<(String, Option<String>)>,
}

impl KnownKeys {
    /// What is known of `caller` (IAM User Guide, "AWS global condition context keys"), whose unique id may be known.
    pub(super) fn of(who: &'static str, caller: &Caller, unique_id: Option<&str>) -> Self {
        let known = caller.context();
        let mut keys: Vec<_> = [
            "aws:PrincipalIsAWSService",
            "aws:PrincipalType",
            "aws:PrincipalArn",
            "aws:PrincipalAccount",
            "aws:username",
        ]
        .iter()
        .map(|key| ((*key).to_owned(), known.get(key).and_then(|v| v.first()).cloned()))
        .collect();
        let id = match (caller, unique_id) {
            (Caller::User { .. }, Some(id)) => Some(id.to_owned()),
            (
                Caller::RoleSession {
                    session: Some(session),
                    ..
                },
                Some(id),
            ) => Some(format!("{id}:{session}")),
            _ => known.get("aws:userid").and_then(|v| v.first()).cloned(),
        };
        // Whose is not known may be given.
        keys.extend(id.map(|id| ("aws:userid".to_owned(), Some(id))));
        Self { who, keys }
    }

    /// One more key, with its value or never there.
    pub(super) fn and(mut self, key: &str, value: Option<String>) -> Self {
        self.keys.push((key.to_owned(), value));
        self
    }

    /// The MFA keys: `None` of callers who never have them.
    pub(super) fn mfa(self, mfa: Option<bool>) -> Self {
        let with = self.and("aws:MultiFactorAuthPresent", mfa.map(|mfa| mfa.to_string()));
        if mfa == Some(true) {
            with
        } else {
            with.and("aws:MultiFactorAuthAge", None)
        }
    }

    /// Puts the keys into a context.
    pub(super) fn put_into(self, context: &mut Context) -> Result<(), SessionQuestionError> {
        for (key, known) in self.keys {
            if let Some(found) = context.get(&key)
                && found != known.as_slice()
            {
                let found = found.join(", ");
                let who = self.who;
                return Err(SessionQuestionError::Context {
                    key,
                    found,
                    who,
                    known,
                });
            }
            if let Some(value) = known {
                context.set(key, [value]);
            }
        }
        Ok(())
    }
}
