//! What is known of condition keys: how many values they have, and of which type.
//!
//! The keys of services are in the table of [`crate::reference`]. Those that every service has, those of AWS STS and those
//! of identity providers are in `guide.rs`, from the IAM User Guide, which wins over the table.

mod guide;

#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::LazyLock};

use crate::reference;

pub(crate) use crate::reference::condition_key::{Arity, KeyType};
pub(crate) use guide::DATE as GUIDE_DATE;

use Arity::{Multi, Single, Unknown};
use KeyType::{Bool, Date, IpAddress, Numeric, String as Text};

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The IAM User Guide.
    Guide,
    /// The service reference.
    Reference,
}

type Entry = (Arity, Option<KeyType>, Source);

/// The keys of the guide that are spelled out.
static GUIDE: LazyLock<HashMap<&str, Entry>> = LazyLock::new(|| {
    let entry = |(key, arity, value_type): &(&'static str, Arity, Option<KeyType>)| {
        (*key, (*arity, *value_type, Source::Guide))
    };
    let spelled_out = guide::KEYS.iter().filter(|(key, ..)| !key.ends_with('*'));
    spelled_out.map(entry).collect()
});

/// What the guide says of a key; one with a part of free text ends in it.
fn in_guide(key: &str) -> Option<Entry> {
    if let Some(entry) = GUIDE.get(key) {
        return Some(*entry);
    }
    let (family, _) = key.split_once('/').filter(|(_, free)| !free.is_empty())?;
    let (_, arity, value_type) = guide::KEYS
        .iter()
        .find(|(known, ..)| known.strip_suffix("/*") == Some(family))?;
    Some((*arity, *value_type, Source::Guide))
}

fn in_reference(key: &str) -> Option<Entry> {
    let known = reference::condition_key(key)?;
    Some((known.arity, known.value_type, Source::Reference))
}

/// The claims of an OpenID Connect provider that is named by its host: `oidc.eks.eu-west-1.amazonaws.com/id/E:sub`.
fn claim(key: &str) -> Option<Entry> {
    let (host, claim) = key.rsplit_once(':')?;
    let name = host.split('/').next().unwrap_or(host);
    if !name.contains('.') || name.contains(':') {
        return None;
    }
    match claim {
        "sub" | "aud" | "oaud" | "azp" => Some((Single, Some(Text), Source::Guide)),
        "amr" => Some((Multi, Some(Text), Source::Guide)),
        _ => None,
    }
}

fn look_up(key: &str) -> Option<Entry> {
    in_guide(key).or_else(|| in_reference(key)).or_else(|| claim(key))
}

/// How many values a key has, as AWS documents it now. `key` is in lower case.
///
/// What is to hold for years asks [`lasting_arity`].
pub(crate) fn arity(key: &str) -> Arity {
    look_up(key).map_or(Unknown, |(arity, ..)| arity)
}

/// How many values a key has, as an answer may believe that is to hold for years. `key` is in lower case;
/// `set_operator_used` says whether a condition in any of the documents that are compared has `ForAllValues` or
/// `ForAnyValue` on it.
///
/// A service may give a key several values that had one: `elasticloadbalancing:ListenerProtocol` became a list. So a
/// service's word that a key has one value counts only where nothing depends on it. A set operator does, since
/// `ForAnyValue` and `ForAllValues` agree on one value and differ on several; then the arity is unknown. Without any set
/// operator a list has no defined meaning in the first place. The keys of the IAM User Guide, which all services share,
/// and the claims of identity providers keep the arity that the guide gives them.
pub(crate) fn lasting_arity(key: &str, set_operator_used: bool) -> Arity {
    match look_up(key) {
        Some((Single, _, Source::Reference)) if set_operator_used => Unknown,
        Some((arity, ..)) => arity,
        None => Unknown,
    }
}

/// The type of a key's values, when it is known. `key` is in lower case.
pub(crate) fn value_type(key: &str) -> Option<KeyType> {
    look_up(key).and_then(|(_, value_type, _)| value_type)
}

/// Whether the guide has the key. `key` is in lower case.
pub(crate) fn is_of_guide(key: &str) -> bool {
    in_guide(key).is_some()
}

/// The global keys of the guide, in lower case; `/*` stands for the name of a tag.
pub(crate) fn global_keys() -> impl Iterator<Item = &'static str> {
    let keys = guide::KEYS.iter().map(|(key, ..)| *key);
    keys.filter(|key| key.starts_with("aws:"))
}

/// Whether a value of the key may hold `*` or `?`. `key` is in lower case.
pub(crate) fn value_may_have_wildcards(key: &str) -> bool {
    let typed = matches!(value_type(key), Some(Bool | Numeric | Date | IpAddress)) || key == "aws:epochtime";
    let of_iam = key
        .strip_prefix("aws:principaltag/")
        .is_some_and(|tag| !tag.is_empty());
    !typed && !of_iam && !guide::PLAIN_TEXTS.contains(&key)
}
