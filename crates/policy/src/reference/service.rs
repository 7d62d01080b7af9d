//! A service of the reference, decoded.

use super::{lower, shape::Shape};
use crate::{
    evaluate::Context,
    glob::{Pattern, Token, fold},
    keys::{Arity, KeyType},
    work::Work,
};

/// A service.
#[derive(Debug)]
pub(crate) struct Service {
    /// The prefix of its actions, in lower case: `s3`.
    pub(crate) prefix: &'static str,
    /// Sorted by name but for case.
    pub(super) actions: Vec<ActionEntry>,
    pub(super) groups: Vec<Group>,
    pub(super) types: Vec<ResourceType>,
    /// Its own keys, then those of others that its actions have.
    pub(super) keys: Vec<ConditionKey>,
}

/// A name, and what it has in common with other actions.
#[derive(Debug)]
pub(super) struct ActionEntry {
    pub(super) name: Box<str>,
    pub(super) group: usize,
}

/// Actions that take the same resource types and have the same condition keys, by their numbers.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) types: Vec<usize>,
    pub(super) keys: Vec<usize>,
}

/// A resource type of a service.
#[derive(Debug)]
pub(crate) struct ResourceType {
    /// Its name in the reference: `bucket`.
    pub(crate) name: &'static str,
    /// What its ARNs look like; one, seldom two.
    pub(crate) shapes: Vec<Shape>,
    pub(super) keys: Vec<usize>,
}

/// A condition key of the reference.
#[derive(Debug)]
pub(crate) struct ConditionKey {
    /// As AWS spells it, with `*` for text of the policy's author: `s3:ExistingObjectTag/*`.
    pub(crate) name: String,
    /// The same in lower case.
    pub(super) lower: String,
    /// Where its `*` is.
    pub(super) open: Option<usize>,
    /// How many values it has.
    pub(crate) arity: Arity,
    /// Of which type they are, when AWS's sources agree.
    pub(crate) value_type: Option<KeyType>,
}

impl ConditionKey {
    /// `code` is what the head of the table says of types.
    pub(super) fn read(code: &str, name: String) -> Self {
        let arity = match code.get(1..) {
            Some("") => Arity::Single,
            Some("*") => Arity::Multi,
            _ => Arity::Unknown,
        };
        let value_type = match code.get(..1) {
            Some("S") => Some(KeyType::String),
            Some("A") => Some(KeyType::Arn),
            Some("B") => Some(KeyType::Bool),
            Some("N") => Some(KeyType::Numeric),
            Some("D") => Some(KeyType::Date),
            Some("I") => Some(KeyType::IpAddress),
            _ => None,
        };
        Self {
            lower: name.to_lowercase(),
            open: name.find('*'),
            name,
            arity: if value_type.is_some() {
                arity
            } else {
                Arity::Unknown
            },
            value_type,
        }
    }

    /// The name in lower case.
    pub(crate) fn lower(&self) -> &str {
        &self.lower
    }

    /// Whether a part of it is text of the policy's author.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether a key in lower case is this one, with any text but none for its `*`.
    pub(crate) fn is_of(&self, key: &str) -> bool {
        let Some(before) = self.open else {
            return self.lower == key;
        };
        let Some((before, after)) = self.lower.split_at_checked(before) else {
            return false;
        };
        let after = after.strip_prefix('*').unwrap_or_default();
        key.strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after))
            .is_some_and(|free| !free.is_empty())
    }
}

impl ResourceType {
    /// What its ARNs look like, for people: `arn:*:s3:::*`.
    pub(crate) fn shapes(&self) -> String {
        let shapes: Vec<String> = self.shapes.iter().map(Shape::to_string).collect();
        shapes.join(" or ")
    }
}

impl Service {
    /// An action by its name, in any case: `GetObject`.
    pub(crate) fn action(&'static self, name: &str) -> Option<Action> {
        let at = self
            .actions
            .binary_search_by(|entry| lower(&entry.name).cmp(lower(name)))
            .ok()?;
        self.actions.get(at).map(|entry| Action { service: self, entry })
    }

    /// All actions, sorted by name but for case.
    pub(crate) fn actions(&'static self) -> impl Iterator<Item = Action> {
        self.actions
            .iter()
            .map(move |entry| Action { service: self, entry })
    }

    /// All resource types.
    pub(crate) fn resource_types(&self) -> &[ResourceType] {
        &self.types
    }

    /// The condition keys of its actions, those of other services included, global ones not.
    pub(crate) fn condition_keys(&self) -> &[ConditionKey] {
        &self.keys
    }
}

/// An action of the reference.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Action {
    service: &'static Service,
    entry: &'static ActionEntry,
}

impl Action {
    /// The name without the service, as AWS spells it: `GetObject`.
    pub(crate) fn name(self) -> &'static str {
        &self.entry.name
    }

    /// The service.
    pub(crate) fn service(self) -> &'static Service {
        self.service
    }

    /// As a policy writes it: `s3:GetObject`.
    pub(crate) fn text(self) -> String {
        [self.service.prefix, ":", &self.entry.name].concat()
    }

    /// The resource types that it takes. None: its requests have no resource, so only `*` allows it.
    pub(crate) fn resource_types(self) -> impl Iterator<Item = &'static ResourceType> + Clone {
        let types = self.group().map_or(&[][..], |group| group.types.as_slice());
        types.iter().filter_map(|at| self.service.types.get(*at))
    }

    /// Whether it takes `*` only.
    pub(crate) fn takes_no_resource(self) -> bool {
        self.resource_types().next().is_none()
    }

    /// Its condition keys and those of the resource types that it takes, without global ones. None is twice in it.
    pub(crate) fn condition_keys(self) -> impl Iterator<Item = &'static ConditionKey> {
        let mut numbers: Vec<usize> = self.group().map(|group| group.keys.clone()).unwrap_or_default();
        numbers.extend(self.resource_types().flat_map(|of| &of.keys));
        numbers.sort_unstable();
        numbers.dedup();
        numbers.into_iter().filter_map(|at| self.service.keys.get(at))
    }

    /// The same for actions that take the same resource types and have the same condition keys.
    pub(crate) fn family(self) -> impl Eq + std::hash::Hash {
        (std::ptr::from_ref(self.service), self.entry.group)
    }

    fn group(self) -> Option<&'static Group> {
        self.service.groups.get(self.entry.group)
    }
}

/// A pattern of actions, ready to be held against the names of a service.
#[derive(Debug, Clone)]
pub(crate) struct Matches {
    pattern: Pattern,
    /// The service, when the pattern spells it out.
    service: Option<String>,
    /// What every matching name begins with, in lower case.
    begin: String,
    /// What may come after the beginning.
    rest: Rest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Nothing,
    Anything,
    /// As the pattern says.
    Some,
}

impl Matches {
    pub(crate) fn new(pattern: &Pattern) -> Self {
        let mut text = String::with_capacity(pattern.tokens().len());
        let mut tokens = pattern.tokens();
        while let [Token::Char(c), after @ ..] = tokens {
            text.push(fold(*c));
            tokens = after;
        }
        let rest = match tokens {
            [] => Rest::Nothing,
            [Token::Many] => Rest::Anything,
            _ => Rest::Some,
        };
        let (service, begin) = match text.split_once(':') {
            Some((service, begin)) => (Some(service.to_owned()), begin.to_owned()),
            None => (None, String::new()),
        };
        Self {
            pattern: pattern.clone(),
            service,
            begin,
            rest,
        }
    }

    pub(super) fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// The actions of a service that match.
    pub(super) fn of(self, service: &'static Service) -> impl Iterator<Item = Action> {
        let from = service
            .actions
            .partition_point(|entry| lower(&entry.name).lt(self.begin.bytes()));
        let entries = service.actions.get(from..).unwrap_or_default();
        let begin = self.begin.clone();
        entries
            .iter()
            .take_while(move |entry| {
                entry
                    .name
                    .get(..begin.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(&begin))
            })
            .filter(move |entry| self.takes(service, &entry.name))
            .map(move |entry| Action { service, entry })
    }

    fn takes(&self, service: &Service, name: &str) -> bool {
        match self.rest {
            Rest::Nothing => return name.len() == self.begin.len(),
            // Without a colon before it the wildcard is not only about the name.
            Rest::Anything if self.service.is_some() => return true,
            Rest::Anything | Rest::Some => {}
        }
        let text: Vec<char> = service
            .prefix
            .chars()
            .chain([':'])
            .chain(name.chars())
            .map(fold)
            .collect();
        // Names have at most some hundred characters, and a policy's text is bounded.
        self.pattern
            .matches(&text, &Context::new(), &mut Work::unlimited())
    }
}
