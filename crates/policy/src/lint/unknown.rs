//! Condition keys against AWS's service reference and the IAM User Guide: keys that no request has.

use std::collections::HashSet;

use super::{finding::Lint, nearest, reference::ListedActions};
use crate::{
    ast::{Condition, ResourceElement, Statement, Version},
    document::code::Code,
    keys,
    pattern::glob::{Pattern, Syntax},
    reference::{self, condition_key::ConditionKey, table::date},
    text::quote,
    work::Work,
};

/// `listed` is what the entries of the statement's `Action` stand for; empty: nothing is known of its actions.
pub(super) fn lint(
    statement: &Statement,
    version: Version,
    listed: &[ListedActions],
    path: &str,
    work: &mut Work,
    found: &mut Vec<Lint>,
) {
    let (name, resources) = match &statement.resource {
        Some(ResourceElement::Resource(texts)) => ("Resource", texts.as_slice()),
        Some(ResourceElement::NotResource(texts)) => ("NotResource", texts.as_slice()),
        None => ("Resource", &[][..]),
    };
    for (i, text) in resources.iter().enumerate() {
        variables(text, version, || format!("{path}.{name}[{i}]"), work, found);
    }
    let asked = |condition: &Condition| depends_on_the_action(&condition.key.to_lowercase());
    let had = if statement.conditions.iter().any(asked) {
        Had::by(listed)
    } else {
        None
    };
    for condition in &statement.conditions {
        let at = format!("{path}.Condition.{}.{}", condition.operator, condition.key);
        for (i, text) in condition.values.iter().enumerate() {
            variables(text, version, || format!("{at}[{i}]"), work, found);
        }
        if let Some(why) = unknown(&condition.key, work) {
            found.push(why.into_lint(Code::UnknownConditionKey, at));
        } else if asked(condition)
            && had
                .as_ref()
                .is_some_and(|had| !had.has(&condition.key.to_lowercase()))
        {
            let message = format!(
                "by AWS's service reference of {} no request for the statement's actions has {}",
                date(),
                condition.key
            );
            found.push(Lint::new(Code::ConditionKeyOfOtherAction, at, message));
        }
    }
}

fn variables(text: &str, version: Version, at: impl Fn() -> String, work: &mut Work, found: &mut Vec<Lint>) {
    if version == Version::V2008 || !text.contains("${") {
        return;
    }
    let Ok(pattern) = Pattern::parse(text, Syntax::pattern(version)) else {
        return;
    };
    for variable in pattern.variables() {
        if let Some(why) = unknown(&variable.spelled, work) {
            let mut lint = why.into_lint(Code::VariableOfUnknownKey, at());
            // It would stand for the variable, not for the value.
            lint.suggestion = None;
            found.push(lint);
        }
    }
}

/// Why a key is taken not to exist, and what was meant.
struct Unknown {
    message: String,
    meant: Vec<String>,
}

impl Unknown {
    fn into_lint(self, code: Code, at: String) -> Lint {
        let mut lint = Lint::new(code, at, self.message);
        if !self.meant.is_empty() {
            lint.message
                .push_str(&format!("; did you mean {}?", self.meant.join(" or ")));
        }
        if let [one] = self.meant.as_slice() {
            lint.suggestion = Some(one.clone());
        }
        lint
    }
}

/// Keys of services are looked up in the service reference. A global key is only doubted when it is nearly one that the guide
/// has: AWS makes new ones. Of identity providers' keys nothing is known.
fn unknown(key: &str, work: &mut Work) -> Option<Unknown> {
    let lower = key.to_lowercase();
    if keys::is_of_guide(&lower) {
        return None;
    }
    let (prefix, name) = lower.split_once(':')?;
    if prefix == "aws" {
        return unknown_global(key, &lower, work);
    }
    let service = reference::service(prefix)?;
    if reference::condition_key(&lower).is_some() {
        return None;
    }
    let own = service.condition_keys().iter();
    let own = own.filter_map(|key| Some(key.name.split_once(':')?).filter(|(of, _)| *of == prefix));
    let near = nearest::near(name, own.map(|(_, name)| name), work);
    let meant = near.into_iter().map(|name| format!("{prefix}:{name}"));
    Some(Unknown {
        message: format!("{} is not in AWS's service reference of {}", quote(key), date()),
        meant: meant.filter(|name| !name.contains('*')).collect(),
    })
}

fn unknown_global(key: &str, lower: &str, work: &mut Work) -> Option<Unknown> {
    let (family, free) = match lower.split_once('/') {
        Some((family, free)) => (family, Some(free)),
        None => (lower, None),
    };
    let names = keys::global_keys().filter_map(|known| match (known.strip_suffix("/*"), free) {
        (Some(known), Some(_)) => Some(known),
        (None, None) => Some(known),
        _ => None,
    });
    let near = nearest::near(family, names, work);
    let message = format!(
        "{} is not a global condition key of the IAM User Guide of {}",
        quote(key),
        keys::GUIDE_DATE
    );
    if near.is_empty() {
        // A tag without its name is no key.
        let known = keys::global_keys()
            .find(|known| known.strip_suffix("/*") == Some(lower.trim_end_matches('/')))?;
        return Some(Unknown {
            message: format!(
                "{message}: the name of the tag is missing in {}",
                known.replace('*', "…")
            ),
            meant: Vec::new(),
        });
    }
    let meant = near.into_iter().map(|name| match free {
        Some(free) => format!("{name}/{free}"),
        None => name.to_owned(),
    });
    Some(Unknown {
        message,
        meant: meant.collect(),
    })
}

/// The condition keys that the actions of a statement have.
struct Had {
    spelled_out: HashSet<&'static str>,
    /// With text of the policy's author.
    open: Vec<&'static ConditionKey>,
}

impl Had {
    /// `None` when something is not known of the actions, or they are all there are.
    fn by(listed: &[ListedActions]) -> Option<Self> {
        let mut had = Self {
            spelled_out: HashSet::new(),
            open: Vec::new(),
        };
        // Many actions have the same keys.
        let mut seen = HashSet::new();
        for listed in listed {
            let ListedActions::Known(actions) = listed else {
                return None;
            };
            for action in actions.iter().filter(|action| seen.insert(action.family())) {
                for key in action.condition_keys() {
                    if key.is_open() {
                        had.open.push(key);
                    } else {
                        had.spelled_out.insert(key.lower());
                    }
                }
            }
        }
        (!seen.is_empty()).then_some(had)
    }

    fn has(&self, key: &str) -> bool {
        self.spelled_out.contains(key) || self.open.iter().any(|open| open.is_of(key))
    }
}

/// Whether a key is one that requests for some actions of a service have, and for others not.
fn depends_on_the_action(key: &str) -> bool {
    !keys::is_of_guide(key) && reference::condition_key(key).is_some()
}
