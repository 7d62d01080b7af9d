//! A statement of a role beside what was seen of its sessions: what stays whole of it, and what it may allow.

use std::collections::BTreeMap;

use deputy_policy::{
    ActionElement, Candidate, Containment, Context, Document, Effect, Layers, Request, ResourceElement,
    Statement, contains, evaluate,
};

use super::{
    arns::is_same_thing,
    uses::{RoleUses, TrailSight, UsedResources},
};
use crate::asked::{everything_but, identity};

/// With these begin names of actions that certainly change something. Others may only read.
const WRITES: &[&str] = &[
    "Accept",
    "Add",
    "Allocate",
    "Associate",
    "Attach",
    "Authorize",
    "Cancel",
    "Change",
    "Copy",
    "Create",
    "Delete",
    "Deregister",
    "Detach",
    "Disable",
    "Disassociate",
    "Enable",
    "Import",
    "Modify",
    "Publish",
    "Purge",
    "Put",
    "Reboot",
    "Register",
    "Reject",
    "Release",
    "Remove",
    "Replace",
    "Reset",
    "Restore",
    "Revoke",
    "Run",
    "Send",
    "Set",
    "Stop",
    "Tag",
    "Terminate",
    "Untag",
    "Update",
    "Upload",
];

/// One policy of a role: its name, as it is written, and with the values of Deputy's tags put in.
pub struct OldPolicy<'a> {
    pub name: &'a str,
    pub written: &'a Document,
    pub known: &'a Document,
}

/// What was seen of a role, beside all of its statements.
pub struct SeenUses<'a> {
    pub uses: &'a RoleUses,
    pub sight: &'a TrailSight,
    /// All actions that were used, or may have been.
    pub all: BTreeMap<&'a str, UsedResources>,
    /// By action a resource that it was used on, and no statement has.
    pub uncovered: BTreeMap<&'a str, String>,
}

impl<'a> SeenUses<'a> {
    /// # Errors
    /// When the statements can't be written as a policy.
    pub fn of(policies: &[OldPolicy<'_>], uses: &'a RoleUses, sight: &'a TrailSight) -> Result<Self, String> {
        let all = uses.all();
        let mut uncovered = BTreeMap::new();
        if let Some(allows) = allows(policies, false)? {
            for (action, of) in &all {
                let has = |arn: &&String| may(&allows, action, arn);
                let (covered, rest): (Vec<&String>, Vec<&String>) = of.known.iter().partition(has);
                let mut unknown = rest
                    .into_iter()
                    .filter(|arn| !covered.iter().any(|other| is_same_thing(arn, other)));
                if let Some(arn) = unknown.next() {
                    uncovered.insert(*action, arn.clone());
                }
            }
        }
        Ok(Self {
            uses,
            sight,
            all,
            uncovered,
        })
    }

    /// The events that may have asked for an action, where none says that it was used.
    pub fn only_guessed(&self, action: &str) -> Option<String> {
        let guessed = self.uses.maybe.get(action);
        let guessed = guessed.filter(|_| !self.uses.used.contains_key(action))?;
        let events: Vec<&str> = guessed.events.iter().map(String::as_str).collect();
        Some(events.join(", "))
    }
}

/// All that the statements allow, whatever their conditions and denies, on their resources or `on_everything`. None where they allow nothing.
pub fn allows(policies: &[OldPolicy<'_>], on_everything: bool) -> Result<Option<Document>, String> {
    let statements = policies.iter().flat_map(|policy| policy.known.statements());
    let allows: Vec<Statement> = statements
        .filter(|statement| statement.effect == Effect::Allow)
        .map(|statement| without_conditions(statement, on_everything))
        .collect();
    match allows.is_empty() {
        true => Ok(None),
        false => identity(allows).map(Some),
    }
}

/// Whether a policy allows an action on a resource.
pub fn may(policy: &Document, action: &str, resource: &str) -> bool {
    let request = Request {
        action: action.to_owned(),
        resource: resource.to_owned(),
        principal: None,
        context: Context::new(),
    };
    let documents = [policy];
    let layers = Layers {
        identity: &documents,
        ..Layers::default()
    };
    evaluate(&layers, &request).is_allowed()
}

fn without_conditions(statement: &Statement, on_everything: bool) -> Statement {
    let everything = || Some(ResourceElement::Resource(vec!["*".to_owned()]));
    Statement {
        sid: None,
        conditions: Vec::new(),
        resource: match on_everything {
            true => everything(),
            false => statement.resource.clone(),
        },
        ..statement.clone()
    }
}

/// An Allow of the role.
pub struct OldStatement<'a> {
    pub written: &'a Statement,
    pub known: &'a Statement,
    pub seen: &'a SeenUses<'a>,
}

impl OldStatement<'_> {
    /// Why nothing can be left out.
    pub fn stays_whole(&self) -> Result<Option<String>, String> {
        if let Some(event) = self.seen.uses.strange.first() {
            return Ok(Some(format!(
                "which actions the event {event} asked for is not known"
            )));
        }
        match &self.written.action {
            ActionElement::NotAction(_) => {
                if !self.seen.sight.has_reads {
                    return Ok(Some(NO_READS.to_owned()));
                }
                for (service, why) in self.whole_services() {
                    // Beside what it leaves out it may have any of them.
                    if self.intersects(&format!("{service}:*"))? {
                        return Ok(Some(why));
                    }
                }
                Ok(None)
            }
            ActionElement::Action(elements) => {
                let is_all = |element: &String| element.bytes().all(|b| b == b'*' || b == b':');
                let is_whole = !self.seen.sight.has_reads && elements.iter().any(is_all);
                Ok(is_whole.then(|| NO_READS.to_owned()))
            }
        }
    }

    /// Whether the statement may allow some of a pattern of actions.
    fn intersects(&self, pattern: &str) -> Result<bool, String> {
        let alone = self.alone(false)?;
        let but = everything_but(pattern, "*")?;
        Ok(!matches!(
            contains(&Candidate::new(&[&alone]), &but),
            Containment::Contained(_)
        ))
    }

    /// Services of which all stays, with the reason.
    fn whole_services(&self) -> BTreeMap<&str, String> {
        let mut found = BTreeMap::new();
        if !self.seen.sight.has_kms {
            found.insert(
                "kms",
                "the files have no event of AWS KMS, of nobody, and a trail may leave those out".to_owned(),
            );
        }
        for (service, events) in &self.seen.uses.unmapped {
            let events: Vec<&str> = events.iter().map(String::as_str).collect();
            let why = format!(
                "which actions these events are is not known: {}",
                events.join(", ")
            );
            found.insert(service.as_str(), why);
        }
        found
    }

    /// The elements of the statement that stay as they are, with the reason.
    pub fn whole_elements(&self) -> BTreeMap<String, String> {
        let ActionElement::Action(elements) = &self.written.action else {
            return BTreeMap::new();
        };
        let mut found = BTreeMap::new();
        for (service, why) in self.whole_services() {
            for element in elements {
                match element.split_once(':') {
                    Some((of, _)) if of.eq_ignore_ascii_case(service) => {
                        found.insert(element.clone(), why.clone());
                    }
                    // `*`, or a service with a wildcard: no more of it than the service.
                    None => {
                        found.insert(format!("{service}:*"), why.clone());
                    }
                    Some(_) => {}
                }
            }
        }
        if !self.seen.sight.has_reads {
            let reads = elements.iter().filter(|element| self.may_read(element));
            for element in reads {
                found
                    .entry(element.clone())
                    .or_insert_with(|| NO_READS.to_owned());
            }
        }
        found
    }

    /// Whether an element may have actions that only read and are in management events.
    fn may_read(&self, element: &str) -> bool {
        let Some((_, name)) = element.split_once(':') else {
            return true;
        };
        let begins = |verb: &&str| {
            name.get(..verb.len())
                .is_some_and(|begin| begin.eq_ignore_ascii_case(verb))
        };
        !WRITES.iter().any(begins) && !self.seen.sight.is_data(element)
    }

    /// Whether its resources have variables.
    pub fn has_variables(&self) -> bool {
        match &self.known.resource {
            Some(ResourceElement::Resource(texts) | ResourceElement::NotResource(texts)) => {
                texts.iter().any(|text| text.contains("${"))
            }
            None => false,
        }
    }

    /// Whether the statement, whatever its conditions, allows the action on a resource; or on any, where none is said.
    pub fn may(&self, action: &str, resource: Option<&str>) -> Result<bool, String> {
        let document = self.alone(resource.is_some())?;
        Ok(may(&document, action, resource.unwrap_or("*")))
    }

    /// The statement alone and without its conditions, on its resources or on everything.
    pub fn alone(&self, on_its_own: bool) -> Result<Document, String> {
        identity(vec![without_conditions(self.known, !on_its_own)])
    }

    pub fn is_of_everything(&self) -> bool {
        matches!(&self.written.resource, Some(ResourceElement::Resource(texts)) if texts.iter().any(|text| text == "*"))
    }
}

const NO_READS: &str =
    "the files have no management event that only reads, of nobody: the trail may be one of writes alone";
