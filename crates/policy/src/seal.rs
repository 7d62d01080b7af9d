//! What a ceiling does not allow, as statements that deny it.

use std::collections::BTreeSet;

use crate::{
    ast::{ActionElement, Condition, Effect, Operator, ResourceElement, Statement, Test},
    compiled::CompiledStatement,
    contain::cover::{Element, parts},
    document::Document,
    pattern::{elements::Elements, glob::Pattern},
    work::Work,
};

/// Position updates that are spent on it.
const WORK: u64 = 20_000_000;

/// Statements that deny what a ceiling does not allow. None of them denies anything that it allows, alone or together; the
/// ceiling's own Denys and its conditions are no part of this.
///
/// A permissions boundary that says nothing of a request denies it *implicitly*, and that does not hold where a resource policy of
/// the same account names the session that asks, or everybody (IAM User Guide, "Policy evaluation logic"). A Deny holds always.
///
/// They are about requests that the session makes itself, and not about those that a service makes with its rights
/// (`aws:ViaAWSService`; IAM User Guide, "Forward access sessions"). The policies of the keys that AWS manages, such as
/// `aws/secretsmanager`, let everybody of the account use them through their service, so who may read a secret needs no permission
/// for its key; with a Deny of those nobody could.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// Denies the actions that no Allow has. `None` when every action is in one, or when there is no way to write it.
    pub actions: Option<Statement>,
    /// Whether no action is left that neither an Allow has nor `actions` denies.
    pub has_all_actions: bool,
    /// Each denies some actions on all resources but those that the ceiling may allow them on.
    pub resources: Vec<Statement>,
    /// What becomes of each Allow, in their order.
    pub allows: Vec<SealedAllow>,
}

/// How the resources of an Allow are sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedAllow {
    /// Its index in the ceiling.
    pub statement: usize,
    /// The statements of [`Seal::resources`] that its actions are in.
    pub needs: Vec<usize>,
    /// Whether those leave none of its actions on a resource on which nothing allows it.
    pub is_whole: bool,
    /// Whether it has conditions: what they ask for can't be sealed.
    pub has_conditions: bool,
}

impl SealedAllow {
    /// Whether its resources are sealed where only those of [`Seal::resources`] are there of which `has` is true.
    pub fn is_sealed(&self, has: impl Fn(usize) -> bool) -> bool {
        self.is_whole && self.needs.iter().all(|at| has(*at))
    }
}

/// The statements that deny what `ceiling` does not allow.
pub fn seal(ceiling: &Document) -> Seal {
    let mut work = Work::limited(WORK);
    let compiled = &ceiling.compiled().statements;
    let allows: Vec<Allow<'_>> = ceiling
        .statements()
        .iter()
        .zip(compiled)
        .enumerate()
        .filter(|(_, (statement, _))| statement.effect == Effect::Allow)
        .map(|(index, (statement, compiled))| Allow {
            index,
            statement,
            compiled,
        })
        .collect();
    let (actions, has_all_actions) = seal_actions(&allows, &mut work);
    let mut groups = Groups {
        ceiling,
        list: Vec::new(),
    };
    let found: Vec<SealedAllow> = allows
        .iter()
        .map(|allow| groups.add(allow, &allows, &mut work))
        .collect();
    groups.finish(Seal {
        actions,
        has_all_actions,
        resources: Vec::new(),
        allows: found,
    })
}

/// An Allow of the ceiling.
struct Allow<'a> {
    index: usize,
    statement: &'a Statement,
    compiled: &'a CompiledStatement,
}

impl<'a> Allow<'a> {
    fn actions(&self) -> &'a Elements<Pattern> {
        &self.compiled.actions
    }

    /// Its actions one by one, with their spelling. None for `NotAction`.
    fn patterns(&self) -> Vec<(&'a str, Element<'a, Pattern>)> {
        match &self.statement.action {
            ActionElement::Action(texts) => texts
                .iter()
                .map(String::as_str)
                .zip(parts(self.actions()))
                .collect(),
            ActionElement::NotAction(_) => Vec::new(),
        }
    }

    /// Whether it is about every resource.
    fn has_every_resource(&self) -> bool {
        let resources = self.compiled.resources.as_ref();
        resources.is_some_and(|of| !of.negated && of.has_everything())
    }

    /// Its resources, when they are listed and not everything.
    fn resources(&self) -> Option<&'a [String]> {
        match &self.statement.resource {
            Some(ResourceElement::Resource(texts)) if !self.has_every_resource() => Some(texts),
            _ => None,
        }
    }
}

/// The deny of what no Allow has, and whether that is all of it.
fn seal_actions(allows: &[Allow<'_>], work: &mut Work) -> (Option<Statement>, bool) {
    let all = ResourceElement::Resource(vec!["*".to_owned()]);
    let (negated, listed): (Vec<&Allow<'_>>, Vec<&Allow<'_>>) =
        allows.iter().partition(|allow| allow.actions().negated);
    if listed.iter().any(|allow| allow.actions().has_everything()) {
        return (None, true);
    }
    if allows.is_empty() {
        return (Some(deny(ActionElement::Action(vec!["*".to_owned()]), all)), true);
    }
    if negated.is_empty() {
        let patterns: Vec<_> = listed.iter().flat_map(|allow| allow.patterns()).collect();
        let texts = widest(&patterns, work);
        return (Some(deny(ActionElement::NotAction(texts), all)), true);
    }
    // What no NotAction lets through and no Action has.
    let mut denied = Vec::new();
    let mut has_all = false;
    for allow in &negated {
        let ActionElement::NotAction(texts) = &allow.statement.action else {
            continue;
        };
        let items = allow.actions().items.iter().zip(&allow.actions().keys);
        let of_allow: Vec<(&str, Element<'_, Pattern>)> = texts
            .iter()
            .zip(items)
            .map(|(text, (item, key))| (text.as_str(), Element::One(item, *key)))
            .filter(|(_, one)| allows.iter().all(|other| one.apart_from(other.actions(), work)))
            .collect();
        has_all |= of_allow.len() == texts.len();
        denied.extend(of_allow);
    }
    let texts = widest(&denied, work);
    let statement = (!texts.is_empty()).then(|| deny(ActionElement::Action(texts), all));
    (statement, has_all)
}

/// Actions that the ceiling may allow on the same resources.
struct Group<'a> {
    resources: Vec<&'a str>,
    patterns: Vec<(&'a str, Element<'a, Pattern>)>,
}

struct Groups<'a> {
    ceiling: &'a Document,
    list: Vec<Group<'a>>,
}

impl<'a> Groups<'a> {
    /// Puts the actions of an Allow where they belong.
    fn add(&mut self, allow: &Allow<'a>, allows: &[Allow<'a>], work: &mut Work) -> SealedAllow {
        let mut sealed = SealedAllow {
            statement: allow.index,
            needs: Vec::new(),
            is_whole: allow.has_every_resource() || !allow.actions().negated,
            has_conditions: !allow.statement.conditions.is_empty(),
        };
        for (text, one) in allow.patterns() {
            let meeting: Vec<&Allow<'_>> = allows
                .iter()
                .filter(|other| !one.apart_from(other.actions(), work))
                .collect();
            if meeting.iter().any(|m| m.resources().is_none()) {
                // Wherever the action is allowed everywhere, nothing is outside.
                sealed.is_whole &= meeting
                    .iter()
                    .any(|m| m.has_every_resource() && one.within(m.actions(), work));
                continue;
            }
            // On the resources of an Allow that has the action in part the other part stays open.
            sealed.is_whole &= meeting.iter().all(|m| one.within(m.actions(), work));
            let mut seen = BTreeSet::new();
            let resources: Vec<&str> = meeting
                .iter()
                .filter_map(|m| m.resources())
                .flatten()
                .map(String::as_str)
                .filter(|resource| seen.insert(*resource))
                .collect();
            let at = self.group(resources);
            if let Some(group) = self.list.get_mut(at) {
                group.patterns.push((text, one));
            }
            if !sealed.needs.contains(&at) {
                sealed.needs.push(at);
            }
        }
        sealed
    }

    fn group(&mut self, resources: Vec<&'a str>) -> usize {
        let same = |group: &Group<'_>| {
            let there: BTreeSet<_> = group.resources.iter().collect();
            there == resources.iter().collect()
        };
        self.list.iter().position(same).unwrap_or_else(|| {
            self.list.push(Group {
                resources,
                patterns: Vec::new(),
            });
            self.list.len() - 1
        })
    }

    /// Writes the statements. What the language has no way to write, such as a variable in a `NotResource` before the name, is left
    /// out.
    fn finish(self, mut seal: Seal) -> Seal {
        let mut work = Work::limited(WORK);
        for (at, group) in self.list.into_iter().enumerate() {
            let resources = group.resources.iter().map(|&text| text.to_owned()).collect();
            let actions = ActionElement::Action(widest(&group.patterns, &mut work));
            let statement = deny(actions, ResourceElement::NotResource(resources));
            let is_written = Document::new(
                self.ceiling.version(),
                vec![statement.clone()],
                self.ceiling.kind(),
            )
            .is_ok();
            let number = seal.resources.len();
            for allow in &mut seal.allows {
                if let Some(need) = allow.needs.iter().position(|need| *need == at) {
                    if is_written {
                        if let Some(need) = allow.needs.get_mut(need) {
                            *need = number;
                        }
                    } else {
                        allow.needs.remove(need);
                        allow.is_whole = false;
                    }
                }
            }
            if is_written {
                seal.resources.push(statement);
            }
        }
        seal
    }
}

/// Those patterns that are in no other one, by their spelling.
fn widest(patterns: &[(&str, Element<'_, Pattern>)], work: &mut Work) -> Vec<String> {
    let mut kept: Vec<&(&str, Element<'_, Pattern>)> = Vec::new();
    for pattern in patterns {
        if kept.iter().any(|other| includes(other.1, pattern.1, work)) {
            continue;
        }
        kept.retain(|other| !includes(pattern.1, other.1, work));
        kept.push(pattern);
    }
    kept.into_iter().map(|(text, _)| (*text).to_owned()).collect()
}

/// Whether one pattern includes another one; `true` is certain.
fn includes(wide: Element<'_, Pattern>, narrow: Element<'_, Pattern>, work: &mut Work) -> bool {
    match (wide, narrow) {
        (Element::One(wide, _), Element::One(narrow, _)) => wide.includes(narrow, work),
        _ => false,
    }
}

fn deny(action: ActionElement, resource: ResourceElement) -> Statement {
    Statement {
        sid: None,
        effect: Effect::Deny,
        principal: None,
        action,
        resource: Some(resource),
        conditions: vec![Condition {
            operator: Operator {
                if_exists: true,
                ..Operator::plain(Test::Bool)
            },
            key: "aws:ViaAWSService".to_owned(),
            values: vec!["false".to_owned()],
        }],
    }
}
