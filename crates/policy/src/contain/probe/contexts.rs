//! Contexts for a witness: one in which the ceiling's Allows hold least, and variations of it.

use std::collections::BTreeMap;

use super::{
    forms::Form,
    values::{ValueChoice, choices, holding},
};
use crate::{
    ast::Effect,
    compiled::CompiledStatement,
    condition::atom::Atom,
    context::Context,
    document::Document,
    pattern::{arn::ResourcePattern, glob::Pattern, variable::Variable},
    work::Work,
};

const MAX_KEYS: usize = 64;
/// So many patterns are looked at for what a variable could stand for, and so many texts are kept.
const MAX_PATTERNS: usize = 64;
const MAX_LITERALS: usize = 4;
const MAX_VARIATIONS: usize = 24;
const MAX_VARIATIONS_OF_A_KEY: usize = 6;

/// The conditions on one key, by what a witness wants of them.
#[derive(Default)]
struct Key<'a> {
    spelled: &'a str,
    /// Of the statement in question, and of the ceiling's Deny in question: must hold.
    must: Vec<&'a Atom>,
    /// Of the ceiling's Allows: should not hold.
    allow: Vec<&'a Atom>,
    /// Of the ceiling's Denys: may well hold.
    deny: Vec<&'a Atom>,
    /// Of the candidate's Denys: should not hold.
    own: Vec<&'a Atom>,
    /// The key is used as a variable.
    variable: bool,
    /// Values of the key are made from other keys.
    dependent: bool,
    /// As a variable the key could stand for these: what is written where it stands in other patterns.
    literals: Vec<String>,
}

/// Contexts in which all conditions of the statement (and of `deny`) hold, the most telling first.
pub(super) fn contexts(
    candidate: &[&Document],
    ceiling: &Document,
    statement: &CompiledStatement,
    deny: Option<&CompiledStatement>,
    work: &mut Work,
) -> Vec<Context> {
    let mut keys: Vec<Key<'_>> = by_key(candidate, ceiling, statement, deny)
        .into_values()
        .take(MAX_KEYS)
        .collect();
    // Variables first, because values are made from them; last the keys whose values are made from others.
    keys.sort_by_key(|key| (key.dependent, !key.variable));
    let mut base = Context::new();
    let mut variations: Vec<(&str, ValueChoice)> = Vec::new();
    for key in &keys {
        let mut ranked = key.choices(&mut base, work).into_iter();
        if let Some(Some(values)) = ranked.next() {
            base.set(key.spelled, values);
        }
        variations.extend(
            ranked
                .take(MAX_VARIATIONS_OF_A_KEY)
                .map(|choice| (key.spelled, choice)),
        );
    }
    let mut contexts = vec![base.clone()];
    for (key, choice) in variations.into_iter().take(MAX_VARIATIONS) {
        let mut varied = base.clone();
        match choice {
            Some(values) => varied.set(key, values),
            None => varied.remove(key),
        }
        contexts.push(varied);
    }
    contexts
}

fn by_key<'a>(
    candidate: &'a [&'a Document],
    ceiling: &'a Document,
    statement: &'a CompiledStatement,
    deny: Option<&'a CompiledStatement>,
) -> BTreeMap<&'a str, Key<'a>> {
    let mut keys: BTreeMap<&str, Key<'a>> = BTreeMap::new();
    let mut add =
        |atoms: &'a [Atom], list: for<'k> fn(&'k mut Key<'a>) -> &'k mut Vec<&'a Atom>, must: bool| {
            for atom in atoms {
                let key = keys.entry(&atom.key).or_default();
                key.spelled = &atom.spelled;
                list(key).push(atom);
                let variables = atom.variables();
                key.dependent |= must && !variables.is_empty();
                for variable in variables {
                    use_variable(&mut keys, variable);
                }
            }
        };
    for questioned in [Some(statement), deny].into_iter().flatten() {
        add(&questioned.atoms, |key| &mut key.must, true);
    }
    for other in &ceiling.compiled().statements {
        match other.effect {
            Effect::Allow => add(&other.atoms, |key| &mut key.allow, false),
            Effect::Deny => add(&other.atoms, |key| &mut key.deny, false),
        }
    }
    for document in candidate {
        for other in document
            .compiled()
            .statements
            .iter()
            .filter(|other| other.effect == Effect::Deny)
        {
            add(&other.atoms, |key| &mut key.own, false);
        }
    }
    let resources = [Some(statement), deny]
        .into_iter()
        .flatten()
        .filter_map(|s| s.resources.as_ref());
    let documents = candidate.iter().copied().chain([ceiling]);
    let others: Vec<&Pattern> = documents
        .flat_map(|document| &document.compiled().statements)
        .filter_map(|other| other.resources.as_ref())
        .flat_map(|r| &r.items)
        .filter_map(ResourcePattern::arn)
        .map(|arn| &arn.rest)
        .take(MAX_PATTERNS)
        .collect();
    for arn in resources.flat_map(|r| &r.items).filter_map(ResourcePattern::arn) {
        for variable in arn.variables() {
            use_variable(&mut keys, variable);
        }
        for (variable, text) in others.iter().filter_map(|other| arn.rest.stands_for(other)) {
            let key = keys.entry(&variable.key).or_default();
            if key.literals.len() < MAX_LITERALS && !key.literals.contains(&text) {
                key.literals.push(text);
            }
        }
    }
    keys
}

fn use_variable<'a>(keys: &mut BTreeMap<&'a str, Key<'a>>, variable: &'a Variable) {
    let key = keys.entry(&variable.key).or_default();
    key.variable = true;
    if key.spelled.is_empty() {
        key.spelled = &variable.spelled;
    }
}

impl Key<'_> {
    /// What the key can be so that all that must hold holds, the most telling first; absence before presence.
    fn choices(&self, base: &mut Context, work: &mut Work) -> Vec<ValueChoice> {
        let all: Vec<&Atom> = self
            .must
            .iter()
            .chain(&self.allow)
            .chain(&self.deny)
            .chain(&self.own)
            .copied()
            .collect();
        let mut ranked = Vec::new();
        let name = self.spelled.to_lowercase();
        let form = Form::of(&name);
        let literals = self.literals.iter().filter(|text| form.has(text));
        let literals = literals.map(|text| Some(vec![text.clone()]));
        for choice in choices(&name, &all, base).into_iter().chain(literals) {
            let length = choice.iter().flatten().map(String::len).sum();
            if !work.charge(length) {
                break;
            }
            let mut count = |atoms: &[&Atom]| holding(atoms, self.spelled, &choice, base, work);
            if count(&self.must) < self.must.len() {
                continue;
            }
            let unresolved = self.variable && choice.is_none();
            let harm = count(&self.own) + count(&self.allow);
            let missed = self.deny.len() - count(&self.deny);
            ranked.push(((unresolved, harm, missed), choice));
        }
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.into_iter().map(|(_, choice)| choice).collect()
    }
}
