//! Requests close to what is written.

use std::cell::LazyCell;

use super::{
    forms::Form,
    names,
    question::UnprovedElement,
    values::{choices, holding},
};
use crate::{
    ast::ActionElement,
    compiled::CompiledStatement,
    condition::atom::Atom,
    context::Context,
    document::Document,
    pattern::{
        elements::ActionText,
        glob::{Pattern, Syntax},
        known::actions_matching,
        variable::Variable,
    },
    reference::service::Action,
    work::Work,
};

/// A context in which the conditions of the statements hold, looking at nothing else.
pub(super) fn simple_context(
    statement: &CompiledStatement,
    deny: Option<&CompiledStatement>,
    variables: &[&Variable],
    work: &mut Work,
) -> Option<Context> {
    let mut context = Context::new();
    let statements = || std::iter::once(statement).chain(deny);
    if variables.is_empty() && statements().all(|statement| statement.atoms.is_empty()) {
        return Some(context);
    }
    let atoms = statements().flat_map(|statement| &statement.atoms);
    let atoms: Vec<&Atom> = atoms.filter(|atom| !atom.is_open()).collect();
    // Values that others are made of come first.
    for variable in variables
        .iter()
        .copied()
        .chain(atoms.iter().flat_map(|atom| atom.variables()))
    {
        if !atoms.iter().any(|atom| atom.key == variable.key) {
            context.set(
                &*variable.spelled,
                Form::of(&variable.key).examples().first().copied(),
            );
        }
    }
    for (i, atom) in atoms.iter().enumerate() {
        if atoms.iter().take(i).any(|earlier| earlier.key == atom.key) {
            continue;
        }
        let of_key: Vec<&Atom> = atoms
            .iter()
            .copied()
            .filter(|other| other.key == atom.key)
            .collect();
        let choice = choices(&atom.key, &of_key, &context).into_iter().find(|choice| {
            work.charge(8) && holding(&of_key, &atom.spelled, choice, &mut context, work) == of_key.len()
        })?;
        if let Some(values) = choice {
            context.set(&*atom.spelled, values);
        }
    }
    Some(context)
}

/// The action of the element as written; `None` when it is a negated list.
pub(super) fn own_action<'d>(document: &'d Document, question: &UnprovedElement) -> Option<&'d str> {
    match &document.statements().get(question.statement.statement)?.action {
        ActionElement::Action(list) => list.get(question.action).map(String::as_str),
        ActionElement::NotAction(_) => None,
    }
}

/// A few names for the action as written: itself, or well-known ones that it stands for.
pub(super) fn near_actions(own: &str) -> impl Iterator<Item = String> {
    let plain = !own.contains(['*', '?']);
    let everything = own == "*";
    let (service, name) = own.split_once(':').unwrap_or((own, ""));
    let wild = !plain && !everything;
    let known = names::ACTIONS.iter().filter(move |known| {
        wild && known
            .strip_prefix(service)
            .is_some_and(|rest| rest.starts_with(':'))
    });
    // Parsed only when there is something to compare it with.
    let pattern = LazyCell::new(move || {
        if name == "*" {
            None
        } else {
            action_pattern(own, true)
        }
    });
    let stands_for = move |known: &&&str| {
        let mut work = Work::unlimited();
        let text = ActionText::new(known);
        pattern
            .as_ref()
            .is_none_or(|pattern| pattern.matches(&text.chars, &Context::new(), &mut work))
    };
    let any = [
        "s3:GetObject",
        "iam:CreateUser",
        "ec2:RunInstances",
        "service:Action",
    ];
    let any = any.into_iter().filter(move |_| everything).map(str::to_owned);
    // What AWS's reference has for it, looked up when nobody well known exceeds.
    let existing = std::iter::once_with(move || if wild { action_pattern(own, true) } else { None })
        .flatten()
        .flat_map(|pattern| actions_matching(&pattern).take(3))
        .map(Action::text);
    plain
        .then(|| own.to_owned())
        .into_iter()
        .chain(any)
        .chain(known.filter(stands_for).take(6).map(|known| (*known).to_owned()))
        .chain(existing)
        .chain(std::iter::once_with(move || if wild { action_instance(own, "Any") } else { None }).flatten())
}

fn action_pattern(text: &str, fold: bool) -> Option<Pattern> {
    let syntax = Syntax {
        wildcards: true,
        variables: false,
        fold,
    };
    Pattern::parse(text, syntax).ok()
}

/// Names that a pattern for actions matches, in its own spelling.
pub(super) fn action_instances(text: &str) -> Vec<String> {
    if !text.contains(['*', '?']) {
        return vec![text.to_owned()];
    }
    let runs = ["Any", "", "Object"].into_iter();
    runs.filter_map(|run| action_instance(text, run)).collect()
}

fn action_instance(text: &str, run: &str) -> Option<String> {
    action_pattern(text, false)?.instance(&Context::new(), run, 'a')
}
