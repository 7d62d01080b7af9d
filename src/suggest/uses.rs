//! What the sessions of roles used, by the events.

use std::collections::{BTreeMap, BTreeSet};

use deputy_policy::reference::has_service;

use super::{
    actions::{EventActions, actions, service},
    arns::{copied_from, resources},
    events::TrailEvent,
    guesses::{controlled, guesses},
    unseen::{DATA, NEVER},
};

/// Services whose events are in one Region, wherever they are used, and may be in a trail of one Region for that.
const GLOBAL: &[&str] = &["cloudfront", "iam", "organizations", "route53", "sts"];
/// Of an action so many resources are told apart; of more, none is.
const MAX_RESOURCES: usize = 20_000;

/// The resources that an action was used on.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct UsedResources {
    pub known: BTreeSet<String>,
    /// Of some use the event does not say on what.
    pub has_unknown: bool,
}

/// The use of an action that events do not say.
#[derive(Debug, Default)]
pub struct GuessedUse {
    pub resources: UsedResources,
    /// Those that may have asked for it.
    pub events: BTreeSet<String>,
}

/// What the sessions of one role did.
#[derive(Debug, Default)]
pub struct RoleUses {
    /// By action, such as `s3:GetObject`.
    pub used: BTreeMap<String, UsedResources>,
    /// What events may have asked for besides, and do not say.
    pub maybe: BTreeMap<String, GuessedUse>,
    /// Events that lead to no action that is known, by the prefix of their service.
    pub unmapped: BTreeMap<String, BTreeSet<String>>,
    /// Events of services that the reference does not have, or that act on resources of such a one.
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
    /// Regions of all events of services that have some.
    pub regions: BTreeSet<String>,
    /// Actions that data events are of, of whomever, beside the known ones.
    pub data: BTreeSet<String>,
    /// Somebody says that the trail has all data events. The files can't show it: a trail may have those of some resources alone, or of writes.
    pub has_all_data: bool,
    /// There is a management event that only reads, of whomever: the trail is not one of writes alone.
    pub has_reads: bool,
    /// There is an event of AWS KMS, of whomever, which a trail may leave out.
    pub has_kms: bool,
}

/// Why an action may have been used although no event says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unseen {
    /// Its events are data events, of which nobody says that the files have all.
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
        let is_global = GLOBAL.contains(&service(&event.source));
        if !event.region.is_empty() && !is_global {
            self.regions.insert(event.region.clone());
        }
        self.has_reads |= event.is_read();
        self.has_kms |= service(&event.source) == "kms";
        if event.is_data() {
            let of = actions(&event.source, &event.name, &event.parameters);
            if let EventActions::Known(actions) = of {
                self.data.extend(actions);
            }
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
            .flat_map(|(service, actions)| actions.iter().map(move |action| format!("{service}:{action}")));
        let data: BTreeSet<String> = match self.has_all_data {
            true => BTreeSet::new(),
            false => data.chain(self.data.iter().cloned()).collect(),
        };
        let never = NEVER.iter().map(|action| ((*action).to_owned(), Unseen::Never));
        data.into_iter().map(|action| (action, Unseen::Data)).chain(never)
    }

    /// Whether an action, in any case, leaves data events.
    pub fn is_data(&self, action: &str) -> bool {
        let of = |(service, name): (&str, &str)| {
            let mut known = DATA.iter().filter(|(of, _)| of.eq_ignore_ascii_case(service));
            known.any(|(_, actions)| actions.iter().any(|action| action.eq_ignore_ascii_case(name)))
        };
        action.split_once(':').is_some_and(of)
            || self.data.iter().any(|known| known.eq_ignore_ascii_case(action))
    }

    /// What nothing in the files shows, and the proposal builds on.
    pub fn assumed(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.has_all_data {
            found.push("the trail has every data event, of reads and of writes, as --data-events says: what is in none was not used".to_owned());
        }
        if let Some(region) = self.regions.first().filter(|_| self.regions.len() == 1) {
            found.push(format!(
                "the trail records every Region, although all events of services with Regions are of {region}"
            ));
        }
        found
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
        for action in guesses(&event.source, &event.name, &event.parameters) {
            let resources = resources(event, partition, &action);
            self.maybe(&action, resources, &title);
        }
        if let Some(service) = controlled(&event.source, &event.parameters) {
            match has_service(&service) {
                true => self.unmapped.entry(service).or_default().insert(title.clone()),
                false => self.strange.insert(title.clone()),
            };
        }
        if event.parameters.get("x-amz-copy-source").is_some() {
            let from: Vec<String> = copied_from(event, partition).into_iter().collect();
            self.used("s3:GetObject", from.clone());
            // Which of them a copy needs besides, its source and its tags say, and the event does not.
            for action in [
                "s3:GetObjectVersion",
                "s3:GetObjectTagging",
                "s3:GetObjectVersionTagging",
            ] {
                self.maybe(action, from.clone(), &title);
            }
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
    }

    fn used(&mut self, action: &str, resources: Vec<String>) {
        let of = self.used.entry(action.to_owned()).or_default();
        of.add(resources);
    }

    fn maybe(&mut self, action: &str, resources: Vec<String>, title: &str) {
        let of = self.maybe.entry(action.to_owned()).or_default();
        of.resources.add(resources);
        of.events.insert(title.to_owned());
    }

    /// All actions that were used, or may have been, with their resources.
    pub fn all(&self) -> BTreeMap<&str, UsedResources> {
        let mut all: BTreeMap<&str, UsedResources> = BTreeMap::new();
        let maybe = self.maybe.iter().map(|(action, of)| (action, &of.resources));
        for (action, of) in self.used.iter().chain(maybe) {
            let both = all.entry(action.as_str()).or_default();
            both.known.extend(of.known.iter().cloned());
            both.has_unknown |= of.has_unknown;
        }
        all
    }
}

impl UsedResources {
    fn add(&mut self, resources: Vec<String>) {
        self.has_unknown |= resources.is_empty();
        self.known.extend(resources);
        if self.known.len() > MAX_RESOURCES {
            self.known.clear();
            self.has_unknown = true;
        }
    }
}
