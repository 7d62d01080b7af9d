//! What the sessions of roles used, by the events.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    actions::{EventActions, actions, service},
    arns::{copied_from, resources},
    events::TrailEvent,
    unseen::{DATA, NEVER},
};

/// Of an action so many resources are told apart; of more, none is.
const MAX_RESOURCES: usize = 20_000;

/// The resources that an action was used on.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct UsedResources {
    pub known: BTreeSet<String>,
    /// Of some use the event does not say on what.
    pub has_unknown: bool,
}

/// What the sessions of one role did.
#[derive(Debug, Default)]
pub struct RoleUses {
    /// By action, such as `s3:GetObject`.
    pub used: BTreeMap<String, UsedResources>,
    /// Events that lead to no action that is known, by the prefix of their service.
    pub unmapped: BTreeMap<String, BTreeSet<String>>,
    /// Events of services that the reference does not have.
    pub strange: BTreeSet<String>,
    /// Requests that AWS refused for want of permission, with their number.
    pub denied: BTreeMap<String, u64>,
    pub events: u64,
}

/// All that was seen.
#[derive(Debug, Default)]
pub struct TrailSight {
    /// By the ARN of the role.
    pub roles: BTreeMap<String, RoleUses>,
    pub events: u64,
    pub first: Option<String>,
    pub last: Option<String>,
    /// Services of which there are data events, of whomever.
    pub data: BTreeSet<String>,
    /// Somebody says that the trail has all data events.
    pub has_all_data: bool,
}

/// Why an action may have been used although no event says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unseen {
    /// The files have no data events of its service.
    Data,
    /// It never leaves an event.
    Never,
}

impl TrailSight {
    /// Takes in one event, where it is of a session of one of these roles.
    pub fn see(&mut self, event: &TrailEvent, is_asked: impl Fn(&str) -> bool) {
        self.events += 1;
        if !event.time.is_empty() {
            if self.first.as_ref().is_none_or(|first| event.time < *first) {
                self.first = Some(event.time.clone());
            }
            if self.last.as_ref().is_none_or(|last| event.time > *last) {
                self.last = Some(event.time.clone());
            }
        }
        if event.is_data() {
            self.data.insert(service(&event.source).to_owned());
        }
        let Some(role) = event.role().filter(|role| is_asked(role)) else {
            return;
        };
        let partition = role.split(':').nth(1).unwrap_or("aws").to_owned();
        let uses = self.roles.entry(role.to_owned()).or_default();
        uses.see(event, &partition);
    }

    /// The time that the events are of, in words.
    pub fn span(&self) -> String {
        match (&self.first, &self.last) {
            (Some(first), Some(last)) => format!("from {first} to {last}"),
            _ => "of unknown times".to_owned(),
        }
    }

    /// All actions that may be used without an event in the files.
    pub fn unseen(&self) -> impl Iterator<Item = (String, Unseen)> {
        let data = DATA
            .iter()
            .filter(|(service, _)| !self.has_all_data && !self.data.contains(*service));
        let data = data.flat_map(|(service, actions)| {
            actions
                .iter()
                .map(move |action| (format!("{service}:{action}"), Unseen::Data))
        });
        data.chain(NEVER.iter().map(|action| ((*action).to_owned(), Unseen::Never)))
    }
}

impl RoleUses {
    fn see(&mut self, event: &TrailEvent, partition: &str) {
        self.events += 1;
        let title = format!("{} of {}", event.name, event.source);
        if event.is_denied() {
            *self.denied.entry(title).or_default() += 1;
            return;
        }
        match actions(&event.source, &event.name, &event.parameters) {
            EventActions::Known(actions) => {
                for action in &actions {
                    self.used(action, resources(event, partition, action));
                }
            }
            EventActions::OfService(service) => {
                self.unmapped.entry(service).or_default().insert(title);
            }
            EventActions::Unknown => {
                self.strange.insert(title);
            }
        }
        if event.parameters.get("x-amz-copy-source").is_some() {
            let from: Vec<String> = copied_from(event, partition).into_iter().collect();
            // Which of them a copy needs, its source and its tags say, and the event does not.
            for action in ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging"] {
                self.used(action, from.clone());
            }
        }
    }

    fn used(&mut self, action: &str, resources: Vec<String>) {
        let of = self.used.entry(action.to_owned()).or_default();
        of.has_unknown |= resources.is_empty();
        of.known.extend(resources);
        if of.known.len() > MAX_RESOURCES {
            of.known.clear();
            of.has_unknown = true;
        }
    }
}
