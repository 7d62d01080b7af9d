//! A role's policies without what was not used.

use std::collections::{BTreeMap, BTreeSet};

use deputy_policy::{
    ActionElement, Candidate, Containment, Document, Effect, PolicyKind, ResourceElement, Statement, contains,
};

use super::{
    resources::patterns,
    statement::{OldPolicy, OldStatement, SeenUses},
    uses::{RoleUses, TrailSight, Unseen, UsedResources},
};
use crate::{asked::identity, policy::words};

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

/// Leaves of each statement what was used of it, and what may have been used unseen.
///
/// # Errors
/// When the rest can't be written as policies.
pub fn narrow(
    policies: &[OldPolicy<'_>],
    uses: &RoleUses,
    sight: &TrailSight,
) -> Result<NarrowedPolicies, String> {
    let seen = SeenUses::of(policies, uses, sight)?;
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
                seen: &seen,
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

impl OldStatement<'_> {
    fn narrowed(&self, place: &str, narrowed: &mut NarrowedPolicies) -> Result<Vec<Statement>, String> {
        if let Some(why) = self.stays_whole()? {
            narrowed.kept.push(format!("{place}: it stays as it is: {why}"));
            return Ok(vec![self.written.clone()]);
        }
        let mut kept: BTreeMap<String, Kept> = BTreeMap::new();
        let mut unseen: BTreeMap<Unseen, BTreeSet<String>> = BTreeMap::new();
        for (action, why) in self.seen.sight.unseen() {
            if self.may(&action, None)? {
                kept.insert(action.clone(), Kept::Own);
                unseen.entry(why).or_default().insert(action);
            }
        }
        for (action, resources) in &self.seen.all {
            if kept.contains_key(*action) {
                continue;
            }
            let Some((of, why)) = self.kept_of(action, resources)? else {
                continue;
            };
            if let Some(why) = why.filter(|_| !self.is_of_everything()) {
                narrowed.kept.push(format!(
                    "{place}: {action} keeps the resources of the statement: {why}"
                ));
            }
            if let Some(events) = self.seen.only_guessed(action) {
                narrowed.kept.push(format!(
                    "{place}: {action}, which may have been used, and the events do not say: {events}"
                ));
            }
            kept.insert((*action).to_owned(), of);
        }
        let whole = self.whole_elements();
        for (element, why) in &whole {
            kept.insert(element.clone(), Kept::Own);
            narrowed
                .kept
                .push(format!("{place}: {element} stays whole: {why}"));
        }
        for (why, actions) in unseen {
            let why = match why {
                Unseen::Data => {
                    "are in data events, of which a trail has what it was told to: some resources, or writes alone (--data-events says that it has all)"
                }
                Unseen::Never => "never have an event of their own",
            };
            let actions: Vec<String> = actions.into_iter().collect();
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

    /// What of the statement stays for an action that was used, and why all of its resources do.
    fn kept_of(
        &self,
        action: &str,
        resources: &UsedResources,
    ) -> Result<Option<(Kept, Option<String>)>, String> {
        if !self.may(action, None)? {
            return Ok(None);
        }
        let own = |why: &str| Ok(Some((Kept::Own, Some(why.to_owned()))));
        if resources.has_unknown {
            return own("events of it do not say on which it was used");
        }
        // What a variable stands for, the events do not say.
        if self.has_variables() {
            return own("they have variables");
        }
        // Then it is not known by what AWS allowed it, so it may be by this statement.
        if let Some(arn) = self.seen.uncovered.get(action) {
            return own(&format!(
                "it was used on {arn}, which no statement of the role has: an access point or another name of it may be in between, or a policy of the resource allows it"
            ));
        }
        let mut used = Vec::new();
        for resource in &resources.known {
            if self.may(action, Some(resource))? {
                used.push(resource.clone());
            }
        }
        if used.is_empty() {
            // Other statements allow all of it.
            return Ok(None);
        }
        let Some(patterns) = patterns(&used) else {
            return own("it was used on more than can be listed");
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
            Containment::Contained(_) => (Kept::These(patterns), None),
            _ => (Kept::Own, None),
        }))
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
