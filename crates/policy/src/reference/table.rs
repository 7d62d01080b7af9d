//! The table: where the services are in its text, and how they are found.

use super::{
    condition_key::ConditionKey,
    parse,
    service::{Action, Service, lower},
};
use std::sync::{LazyLock, OnceLock};

pub(super) static TEXT: &str = include_str!("reference.txt");

pub(super) static TABLE: LazyLock<ReferenceTable> = LazyLock::new(|| ReferenceTable::read(TEXT));

/// The day that the table is of, such as `2026-09-26`.
///
/// AWS publishes the Service Authorization Reference; actions, resource types and condition keys that are newer are not in
/// the table.
pub fn date() -> &'static str {
    TABLE.date
}

/// What the table was made from: a package and its version.
pub fn source() -> &'static str {
    TABLE.source
}

/// Where the services are in the text.
pub(super) struct ReferenceTable {
    date: &'static str,
    source: &'static str,
    /// The letters that stand for the verbs of actions.
    verbs: parse::Verbs,
    /// Keys of no service: those of identity providers, and those that a service has but does not list;
    /// sorted.
    strangers: Vec<ConditionKey>,
    /// Sorted by name.
    pub(super) services: Vec<Block>,
}

/// The lines of a service.
pub(super) struct Block {
    pub(super) name: &'static str,
    text: &'static str,
    service: OnceLock<Service>,
    /// Sorted.
    keys: OnceLock<Vec<ConditionKey>>,
}

impl ReferenceTable {
    fn read(text: &'static str) -> Self {
        let (head, rest) = text.split_once("\n=").unwrap_or((text, ""));
        let mut table = Self {
            date: "",
            source: "",
            verbs: parse::Verbs::default(),
            strangers: Vec::new(),
            services: Vec::with_capacity(512),
        };
        for line in head.lines() {
            match line.split_once(' ') {
                Some(("date", date)) => table.date = date,
                Some(("version", source)) => table.source = source,
                Some(("verbs", verbs)) => table.verbs = parse::Verbs::read(verbs),
                Some((tag, key)) if tag.starts_with('x') => {
                    table.strangers.push(ConditionKey::read(
                        tag.get(1..).unwrap_or_default(),
                        key.to_owned(),
                    ));
                }
                _ => {}
            }
        }
        for block in rest.split("\n=") {
            let (name, text) = block.split_once('\n').unwrap_or((block, ""));
            table.services.push(Block {
                name,
                text,
                service: OnceLock::new(),
                keys: OnceLock::new(),
            });
        }
        table
    }

    fn block(&self, service: &str) -> Option<&Block> {
        let at = self
            .services
            .binary_search_by(|block| block.name.bytes().cmp(lower(service)))
            .ok()?;
        self.services.get(at)
    }
}

impl Block {
    fn service(&'static self) -> &'static Service {
        self.service
            .get_or_init(|| parse::service(self.name, self.text, &TABLE.verbs, condition_key))
    }

    fn keys(&self) -> &[ConditionKey] {
        self.keys.get_or_init(|| parse::keys(self.name, self.text))
    }
}

/// A service by the prefix of its actions, in any case: `s3`. `None` when the reference has no such service.
pub(crate) fn service(prefix: &str) -> Option<&'static Service> {
    TABLE.block(prefix).map(Block::service)
}

/// All services, in the order of their prefixes. Each is decoded when the iterator comes to it.
#[cfg(test)]
pub(crate) fn services() -> impl Iterator<Item = &'static Service> {
    TABLE.services.iter().map(Block::service)
}

/// The prefixes of all services.
pub(crate) fn prefixes() -> impl Iterator<Item = &'static str> {
    TABLE.services.iter().map(|block| block.name)
}

/// An action as written in a policy, in any case: `s3:GetObject`. `None` when the reference does not have it, or not its
/// service.
pub(crate) fn action(text: &str) -> Option<Action> {
    let (prefix, name) = text.split_once(':')?;
    service(prefix)?.action(name)
}

/// What the reference says of a condition key of a service or identity provider, such as `s3:prefix`, in lower case.
/// `None` when it does not have the key. Global keys (`aws:`) are not in the table.
pub(crate) fn condition_key(key: &str) -> Option<&'static ConditionKey> {
    let (prefix, _) = key.split_once(':')?;
    let own = TABLE.block(prefix).and_then(|block| find(block.keys(), key));
    own.or_else(|| find(&TABLE.strangers, key))
}

/// The key among `keys`, which are sorted, that is meant: spelled out, or with `*` for text of the policy's author.
fn find<'a>(keys: &'a [ConditionKey], key: &str) -> Option<&'a ConditionKey> {
    match keys.binary_search_by(|known| known.lower.as_str().cmp(key)) {
        Ok(at) => keys.get(at),
        Err(_) => keys.iter().find(|known| known.is_of(key)),
    }
}

/// The actions whose access level is "Permissions management", each with the prefix of its service, in the order of services and
/// names. No service is decoded for it.
pub(crate) fn managing_permissions() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE.services.iter().flat_map(|block| {
        let lines = block.text.lines().filter_map(|line| line.strip_prefix("p "));
        lines.flat_map(|names| names.split(' ').map(|name| (block.name, name)))
    })
}

/// Whether AWS's service reference has an action such as `s3:GetObject`, in any case.
pub fn has_action(text: &str) -> bool {
    action(text).is_some()
}

/// Whether AWS's service reference says of an action such as `ec2:DescribeInstances`, in any case, that it is on no resource that a
/// policy can name. `false` of an action that it does not have.
pub fn takes_no_resource(text: &str) -> bool {
    action(text).is_some_and(Action::takes_no_resource)
}

/// Whether AWS's service reference has a service by the prefix of its actions, such as `s3`, in any case.
pub fn has_service(prefix: &str) -> bool {
    TABLE.block(prefix).is_some()
}

/// The services that a pattern of actions may be about: the one that it spells out, or all.
pub(crate) fn services_named(prefix: Option<&str>) -> impl Iterator<Item = &'static Service> + use<> {
    let blocks: &'static [Block] = match prefix {
        Some(prefix) => match TABLE.block(prefix) {
            Some(block) => std::slice::from_ref(block),
            None => &[],
        },
        None => &TABLE.services,
    };
    blocks.iter().map(Block::service)
}
