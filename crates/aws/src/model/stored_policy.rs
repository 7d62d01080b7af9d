//! The policy of a resource as a service stores it.

use std::collections::BTreeMap;

use super::principals::{KnownPrincipals, principals_of, with_principals};

/// A policy as it was written, to the letter, and whom its ARNs meant then.
#[derive(Clone)]
pub(super) struct StoredResourcePolicy {
    text: String,
    /// The unique ids of the principals in it that are users or roles of this account, by ARN.
    ids: BTreeMap<String, String>,
}

impl StoredResourcePolicy {
    pub(super) fn new(text: &str, principals: &KnownPrincipals) -> Self {
        let ids = principals_of(text)
            .into_iter()
            .filter_map(|arn| Some((principals.id(&arn)?, arn)))
            .map(|(id, arn)| (arn, id))
            .collect();
        Self {
            text: text.to_owned(),
            ids,
        }
    }

    /// As AWS shows it: who is gone, by its unique id, also when somebody else has its name by now.
    pub(super) fn shown(&self, principals: &KnownPrincipals) -> String {
        let gone = |arn: &str| {
            let id = self.ids.get(arn)?;
            (principals.id(arn).as_ref() != Some(id)).then(|| id.clone())
        };
        with_principals(&self.text, gone).unwrap_or_else(|| self.text.clone())
    }
}
