//! Actions and resources against AWS's service reference: actions that do not exist, and actions that take none of the
//! resources of their statement.
//!
//! The reference is of one day and has gaps, so every message names the day, and what the reference does not have is never
//! said not to exist.

use std::collections::HashMap;

use super::{finding::Lint, nearest};
use crate::{
    ast::{ActionElement, ResourceElement, Statement},
    compiled::CompiledStatement,
    document::code::Code,
    pattern::{
        arn::{ArnPattern, ResourcePattern},
        glob::Pattern,
        known::actions_matching,
    },
    reference::{
        self,
        service::{Action, ResourceType, Service},
        table::date,
    },
    text::quote,
    work::Work,
};

/// So many types or actions are listed in a message.
const SHOWN: usize = 3;

/// So many actions of a statement are spoken of one by one.
const EACH: usize = 8;

/// What an entry of `Action` stands for.
pub(super) enum ListedActions {
    /// Everything.
    All,
    /// What the reference does not have: nothing can be said of it.
    Unknown,
    /// These actions.
    Known(Vec<Action>),
}

/// The lints on actions and resources. What the entries of `Action` stand for is the answer; it is empty for `NotAction`, and
/// when the work has run out.
pub(super) fn lint(
    statement: &Statement,
    compiled: &CompiledStatement,
    path: &str,
    work: &mut Work,
    found: &mut Vec<Lint>,
) -> Vec<ListedActions> {
    let (name, texts) = match &statement.action {
        ActionElement::Action(texts) => ("Action", texts),
        ActionElement::NotAction(texts) => ("NotAction", texts),
    };
    let mut listed = Vec::with_capacity(texts.len());
    for (i, (text, pattern)) in texts.iter().zip(&compiled.actions.items).enumerate() {
        listed.push(actions(
            text,
            pattern,
            &format!("{path}.{name}[{i}]"),
            work,
            found,
        ));
        if work.exhausted() {
            return Vec::new();
        }
    }
    if name == "NotAction" {
        return Vec::new();
    }
    if let (Some(ResourceElement::Resource(_)), Some(resources)) = (&statement.resource, &compiled.resources)
    {
        let texts = Texts {
            actions: texts,
            listed: &listed,
            path,
        };
        meetings(&texts, &resources.items, work, found);
    }
    listed
}

fn actions(text: &str, pattern: &Pattern, at: &str, work: &mut Work, found: &mut Vec<Lint>) -> ListedActions {
    let Some((prefix, name)) = text.split_once(':') else {
        return ListedActions::All;
    };
    let Some(service) = reference::service(prefix) else {
        found.push(unknown_service(text, prefix, name, at));
        return ListedActions::Unknown;
    };
    let wildcards = pattern.has_wildcards();
    let candidates = if wildcards { service.actions().count() } else { 1 };
    if !work.charge(candidates.saturating_mul(pattern.tokens().len())) {
        return ListedActions::Unknown;
    }
    let matching: Vec<Action> = actions_matching(pattern).collect();
    if !matching.is_empty() {
        return ListedActions::Known(matching);
    }
    let mut lint = Lint::new(Code::UnknownAction, at, String::new());
    if wildcards {
        lint.message = format!(
            "no action of {} in AWS's service reference of {} matches {}",
            service.prefix,
            date(),
            quote(text)
        );
    } else {
        lint.message = format!("{} is not in AWS's service reference of {}", quote(text), date());
        nearest::action(service, name, work).explain(&mut lint);
    }
    found.push(lint);
    ListedActions::Unknown
}

fn unknown_service(text: &str, prefix: &str, name: &str, at: &str) -> Lint {
    let message = format!(
        "{}: AWS's service reference of {} has no service {}",
        quote(text),
        date(),
        quote(prefix)
    );
    let mut lint = Lint::new(Code::UnknownService, at, message);
    if let Some(meant) = nearest::service(prefix) {
        lint.message.push_str(&format!("; did you mean {meant}?"));
        lint.suggestion = Some(format!("{meant}:{name}"));
    }
    lint
}

struct Texts<'a> {
    actions: &'a [String],
    listed: &'a [ListedActions],
    path: &'a str,
}

/// Which actions of a statement take none of its resources. A resource that no action takes is not spoken of as long as every
/// action has one: `"Resource": [BUCKET, BUCKET/*]` is how people write, and does no harm.
fn meetings(texts: &Texts<'_>, resources: &[ResourcePattern], work: &mut Work, found: &mut Vec<Lint>) {
    let Some(resources) = Resources::of(resources) else {
        return;
    };
    let mut seen = Seen::default();
    let mut without = Vec::new();
    for (i, (text, listed)) in texts.actions.iter().zip(texts.listed).enumerate() {
        let ListedActions::Known(actions) = listed else {
            continue;
        };
        if !actions.iter().any(|action| seen.fits(*action, &resources, work)) {
            without.push((i, text, actions));
        }
        if work.exhausted() {
            return;
        }
    }
    if without.len() > EACH {
        let first: Vec<&str> = without
            .iter()
            .take(SHOWN)
            .map(|(_, text, _)| text.as_str())
            .collect();
        let message = format!(
            "by AWS's service reference of {} {} of the {} actions take none of the statement's resources: {} and {} more",
            date(),
            without.len(),
            texts.actions.len(),
            first.join(", "),
            without.len().saturating_sub(first.len())
        );
        let at = format!("{}.Action", texts.path);
        found.push(Lint::new(Code::ActionWithoutResource, at, message));
        return;
    }
    for (i, text, actions) in without {
        let at = format!("{}.Action[{i}]", texts.path);
        found.push(Lint::new(
            Code::ActionWithoutResource,
            at,
            of_action(text, actions),
        ));
    }
}

fn of_action(text: &str, actions: &[Action]) -> String {
    let types = types_of(actions);
    if types.is_empty() {
        return format!(
            "by AWS's service reference of {} {text} is asked about without a resource, so only \"Resource\": \"*\" is sure to match it",
            date()
        );
    }
    format!(
        "by AWS's service reference of {} {text} takes only {}, and none of the statement's resources can be one",
        date(),
        shown(&types)
    )
}

/// The resource types of actions, each once.
fn types_of(actions: &[Action]) -> Vec<&'static ResourceType> {
    let mut types: Vec<&ResourceType> = Vec::new();
    for of in actions.iter().flat_map(|action| action.resource_types()) {
        if !types.iter().any(|known| std::ptr::eq(*known, of)) {
            types.push(of);
        }
    }
    types
}

fn shown(types: &[&ResourceType]) -> String {
    let first: Vec<String> = types
        .iter()
        .take(SHOWN)
        .map(|of| format!("{} ({})", of.name, of.shapes()))
        .collect();
    let more = types.len().saturating_sub(SHOWN);
    match more {
        0 => first.join(", "),
        _ => format!("{} and {more} more", first.join(", ")),
    }
}

/// The resources of a statement, all of them ARNs.
struct Resources<'a>(Vec<&'a ArnPattern>);

impl<'a> Resources<'a> {
    /// `None` when `*` is among them, which every action takes.
    fn of(resources: &'a [ResourcePattern]) -> Option<Self> {
        resources
            .iter()
            .map(ResourcePattern::arn)
            .collect::<Option<_>>()
            .map(Self)
    }

    fn any(&self, mut accept: impl FnMut(&ArnPattern) -> bool) -> bool {
        self.0.iter().any(|arn| accept(arn))
    }
}

/// What was found out, by the address of a type or service: the table of the reference lives for ever.
#[derive(Default)]
struct Seen {
    types: HashMap<*const ResourceType, bool>,
    listings: HashMap<*const Service, bool>,
}

impl Seen {
    /// Whether a request for the action may be for one of the resources.
    fn fits(&mut self, action: Action, resources: &Resources<'_>, work: &mut Work) -> bool {
        if action.takes_no_resource() {
            return !reads(action.name()) || self.lists(action.service(), resources, work);
        }
        action.resource_types().any(|of| {
            *self.types.entry(std::ptr::from_ref(of)).or_insert_with(|| {
                let shapes = of.shapes.iter();
                shapes
                    .into_iter()
                    .any(|shape| resources.any(|arn| shape.may_meet(arn, work)))
            })
        })
    }

    /// Services ask about some actions that list things as if they were about all of them, whatever the reference says:
    /// about `arn:aws:iam::111122223333:role/` for `iam:ListRoles`, about `arn:aws:s3:::*` for `s3:ListAllMyBuckets`.
    fn lists(&mut self, service: &'static Service, resources: &Resources<'_>, work: &mut Work) -> bool {
        *self
            .listings
            .entry(std::ptr::from_ref(service))
            .or_insert_with(|| {
                resources.any(|arn| {
                    let [_, _, of, ..] = &arn.head;
                    let whole = arn.rest.is_universal() && of.as_literal().as_deref() == Some(service.prefix);
                    let mut shapes = service.resource_types().iter().flat_map(|of| &of.shapes);
                    whole || shapes.any(|shape| shape.may_list(arn, work))
                })
            })
    }
}

/// Whether an action that takes no resource by the reference only reads. Of actions that make something the reference often
/// leaves out what they make, and services ask about it all the same; so they do about what has tags.
fn reads(name: &str) -> bool {
    ["BatchGet", "Describe", "Get", "List", "Lookup", "Search"]
        .iter()
        .any(|verb| name.starts_with(verb))
        && !name.contains("Tag")
}
