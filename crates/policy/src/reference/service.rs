//! A service of the reference, decoded.

use super::{condition_key::ConditionKey, shape::Shape};

/// A service.
#[derive(Debug)]
pub(crate) struct Service {
    /// The prefix of its actions, in lower case: `s3`.
    pub(crate) prefix: &'static str,
    /// Sorted by name but for case.
    pub(super) actions: Vec<ActionEntry>,
    pub(super) groups: Vec<ActionGroup>,
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
pub(super) struct ActionGroup {
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

    /// The actions whose names begin with this text (in lower case), sorted by name but for case.
    pub(crate) fn actions_beginning_with(&'static self, begin: String) -> impl Iterator<Item = Action> {
        let from = self
            .actions
            .partition_point(|entry| lower(&entry.name).lt(begin.bytes()));
        let entries = self.actions.get(from..).unwrap_or_default();
        entries
            .iter()
            .take_while(move |entry| {
                let start = entry.name.get(..begin.len());
                start.is_some_and(|start| start.eq_ignore_ascii_case(&begin))
            })
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

    /// The service whose action it is; its resources may be of another one.
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

    fn group(self) -> Option<&'static ActionGroup> {
        self.service.groups.get(self.entry.group)
    }
}

/// The letters of a text in lower case, as names are sorted and compared.
pub(super) fn lower(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().map(|byte| byte.to_ascii_lowercase())
}
