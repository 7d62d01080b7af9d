//! A role's policies without what was not used.

use std::collections::BTreeMap;

use deputy_policy::{
    ActionElement, Candidate, Containment, Context, Document, Effect, Layers, PolicyKind, Request,
    ResourceElement, Statement, contains, evaluate,
};

use super::{
    resources::patterns,
    uses::{RoleUses, TrailSight, Unseen, UsedResources},
};
use crate::{
    asked::{everything_but, identity},
    policy::words,
};

/// What is to become of a role's policies.
#[derive(Debug)]
pub struct NarrowedPolicies {
    /// In the order of the role's; none of a policy that says nothing any more.
    pub documents: Vec<Option<Document>>,
    /// What is taken away.
    pub taken: Vec<String>,
    /// What stays although no event has it, and why.
    pub kept: Vec<String>,
}

/// The resources that stay for an action.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kept {
    /// Those that the statement has.
    Own,
    /// These of them.
    These(Vec<String>),
}

/// One policy of a role: its name, as it is written, and with the values of Deputy's tags put in.
pub struct OldPolicy<'a> {
    pub name: &'a str,
    pub written: &'a Document,
    pub known: &'a Document,
}

/// Leaves of each statement what was used of it, and what may have been used unseen.
///
/// # Errors
/// When the rest can't be written as policies.
pub fn narrow(
    policies: &[OldPolicy<'_>],
    uses: &RoleUses,
    sight: &TrailSight,
) -> Result<NarrowedPolicies, String> {
    let mut narrowed = NarrowedPolicies {
        documents: Vec::new(),
        taken: Vec::new(),
        kept: Vec::new(),
    };
    for policy in policies {
        let mut statements = Vec::new();
        let pairs = policy.written.statements().iter().zip(policy.known.statements());
        for (i, (written, known)) in pairs.enumerate() {
            let place = format!("policy {:?}, Statement[{i}]", policy.name);
            if written.effect == Effect::Deny {
                statements.push(written.clone());
                continue;
            }
            let one = OldStatement {
                written,
                known,
                uses,
                sight,
            };
            statements.extend(one.narrowed(&place, &mut narrowed)?);
        }
        let document = match statements.is_empty() {
            true => None,
            false => Some(
                Document::new(policy.written.version(), statements, PolicyKind::Identity)
                    .map_err(|error| error.to_string())?,
            ),
        };
        narrowed.documents.push(document);
    }
    Ok(narrowed)
}

/// An Allow of the role.
struct OldStatement<'a> {
    written: &'a Statement,
    known: &'a Statement,
    uses: &'a RoleUses,
    sight: &'a TrailSight,
}

impl OldStatement<'_> {
    fn narrowed(&self, place: &str, narrowed: &mut NarrowedPolicies) -> Result<Vec<Statement>, String> {
        if let Some(why) = self.stays_whole()? {
            narrowed.kept.push(format!("{place}: it stays as it is: {why}"));
            return Ok(vec![self.written.clone()]);
        }
        let mut kept: BTreeMap<String, Kept> = BTreeMap::new();
        for (action, resources) in &self.uses.used {
            if let Some(of) = self.kept_of(action, resources)? {
                if of == Kept::Own && resources.has_unknown && !self.is_of_everything() {
                    narrowed.kept.push(format!(
                        "{place}: {action} keeps the resources of the statement: events of it do not say on which it was used"
                    ));
                }
                kept.insert(action.clone(), of);
            }
        }
        let mut unseen: BTreeMap<Unseen, Vec<String>> = BTreeMap::new();
        for (action, why) in self.sight.unseen() {
            if !kept.contains_key(&action) && self.may(&action, None)? {
                kept.insert(action.clone(), Kept::Own);
                unseen.entry(why).or_default().push(action);
            }
        }
        let whole = self.of_unmapped_services();
        for (element, events) in &whole {
            kept.insert(element.clone(), Kept::Own);
            narrowed.kept.push(format!(
                "{place}: {element} stays whole: which actions these events are is not known: {events}"
            ));
        }
        for (why, actions) in unseen {
            let why = match why {
                Unseen::Data => {
                    "are in data events, of which the files have none of that service (--data-events says that the trail has them)"
                }
                Unseen::Never => "never have an event of their own",
            };
            narrowed.kept.push(format!(
                "{place}: kept unseen, for they {why}: {}",
                actions.join(", ")
            ));
        }
        self.without_covered(&mut kept, &whole);
        self.written_anew(place, kept, narrowed)
    }

    /// Single actions of a service that stays whole say nothing beside it.
    fn without_covered(&self, kept: &mut BTreeMap<String, Kept>, whole: &BTreeMap<String, String>) {
        let covering: Vec<&str> = whole
            .keys()
            .filter_map(|element| element.strip_suffix('*'))
            .collect();
        kept.retain(|action, _| {
            whole.contains_key(action) || !covering.iter().any(|prefix| starts_with(action, prefix))
        });
    }

    /// Why nothing can be left out.
    fn stays_whole(&self) -> Result<Option<String>, String> {
        if let Some(event) = self.uses.strange.first() {
            return Ok(Some(format!(
                "of which service the event {event} is, is not known"
            )));
        }
        if let ActionElement::NotAction(_) = &self.written.action {
            for (service, events) in &self.uses.unmapped {
                let events: Vec<&str> = events.iter().map(String::as_str).collect();
                let element = format!("{service}:*");
                // Beside what it leaves out it may have any of them.
                if self.intersects(&element)? {
                    return Ok(Some(format!(
                        "which actions these events are is not known: {}",
                        events.join(", ")
                    )));
                }
            }
        }
        Ok(None)
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

    /// The elements of the statement that may be of services of which events lead to no action, with those events.
    fn of_unmapped_services(&self) -> BTreeMap<String, String> {
        let ActionElement::Action(elements) = &self.written.action else {
            return BTreeMap::new();
        };
        let mut found = BTreeMap::new();
        for (service, events) in &self.uses.unmapped {
            let events: Vec<&str> = events.iter().map(String::as_str).collect();
            let events = events.join(", ");
            for element in elements {
                match element.split_once(':') {
                    Some((of, _)) if of.eq_ignore_ascii_case(service) => {
                        found.insert(element.clone(), events.clone());
                    }
                    // `*`, or a service with a wildcard: no more of it than the service.
                    None => {
                        found.insert(format!("{service}:*"), events.clone());
                    }
                    Some(_) => {}
                }
            }
        }
        found
    }

    /// What of the statement stays for an action that was used.
    fn kept_of(&self, action: &str, resources: &UsedResources) -> Result<Option<Kept>, String> {
        if !self.may(action, None)? {
            return Ok(None);
        }
        // What a variable stands for, the events do not say.
        let has_variables = || match &self.known.resource {
            Some(ResourceElement::Resource(texts) | ResourceElement::NotResource(texts)) => {
                texts.iter().any(|text| text.contains("${"))
            }
            None => false,
        };
        if resources.has_unknown || has_variables() {
            return Ok(Some(Kept::Own));
        }
        let mut own = Vec::new();
        for resource in &resources.known {
            if self.may(action, Some(resource))? {
                own.push(resource.clone());
            }
        }
        if own.is_empty() {
            // Another statement allows it, or the resource's own policy.
            return Ok(None);
        }
        let Some(patterns) = patterns(&own) else {
            return Ok(Some(Kept::Own));
        };
        let narrower = identity(vec![Statement {
            sid: None,
            action: ActionElement::Action(vec![action.to_owned()]),
            resource: Some(ResourceElement::Resource(patterns.clone())),
            conditions: Vec::new(),
            ..self.known.clone()
        }])?;
        let alone = self.alone(true)?;
        // A folder may be wider than the statement: then what the statement has stays.
        Ok(Some(match contains(&Candidate::new(&[&narrower]), &alone) {
            Containment::Contained(_) => Kept::These(patterns),
            _ => Kept::Own,
        }))
    }

    /// Whether the statement, whatever its conditions, allows the action on a resource; or on any, where none is said.
    fn may(&self, action: &str, resource: Option<&str>) -> Result<bool, String> {
        let document = self.alone(resource.is_some())?;
        let request = Request {
            action: action.to_owned(),
            resource: resource.unwrap_or("*").to_owned(),
            principal: None,
            context: Context::new(),
        };
        let documents = [&document];
        let layers = Layers {
            identity: &documents,
            ..Layers::default()
        };
        Ok(evaluate(&layers, &request).is_allowed())
    }

    /// The statement alone and without its conditions, on its resources or on everything.
    fn alone(&self, on_its_own: bool) -> Result<Document, String> {
        let everything = || Some(ResourceElement::Resource(vec!["*".to_owned()]));
        identity(vec![Statement {
            sid: None,
            conditions: Vec::new(),
            resource: match on_its_own {
                true => self.known.resource.clone(),
                false => everything(),
            },
            ..self.known.clone()
        }])
    }

    fn is_of_everything(&self) -> bool {
        matches!(&self.written.resource, Some(ResourceElement::Resource(texts)) if texts.iter().any(|text| text == "*"))
    }

    /// The statements that stay, one for each set of resources.
    fn written_anew(
        &self,
        place: &str,
        kept: BTreeMap<String, Kept>,
        narrowed: &mut NarrowedPolicies,
    ) -> Result<Vec<Statement>, String> {
        let was = words_of(self.written);
        if kept.is_empty() {
            narrowed
                .taken
                .push(format!("{place} goes: none of it was used: {was}"));
            return Ok(Vec::new());
        }
        let mut groups: BTreeMap<Option<Vec<String>>, Vec<String>> = BTreeMap::new();
        for (action, of) in kept {
            let resources = match of {
                Kept::Own => None,
                Kept::These(patterns) => Some(patterns),
            };
            groups.entry(resources).or_default().push(action);
        }
        let mut statements: Vec<Statement> = groups
            .into_iter()
            .map(|(resources, actions)| Statement {
                sid: None,
                action: ActionElement::Action(actions),
                resource: match resources {
                    Some(patterns) => Some(ResourceElement::Resource(patterns)),
                    None => self.written.resource.clone(),
                },
                ..self.written.clone()
            })
            .collect();
        let rest = identity(statements.clone())?;
        let whole = identity(vec![self.written.clone()])?;
        // As it is written, if it says the same.
        if let Containment::Contained(_) = contains(&Candidate::new(&[&whole]), &rest) {
            return Ok(vec![self.written.clone()]);
        }
        if let Some(first) = statements.first_mut() {
            first.sid.clone_from(&self.written.sid);
        }
        let is: Vec<String> = statements.iter().map(words_of).collect();
        narrowed
            .taken
            .push(format!("{place}: of {was} stays {}", is.join("; ")));
        Ok(statements)
    }
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn words_of(statement: &Statement) -> String {
    let resources = statement
        .resource
        .as_ref()
        .map_or_else(String::new, words::resources);
    format!("{} on {resources}", words::actions(&statement.action))
}
