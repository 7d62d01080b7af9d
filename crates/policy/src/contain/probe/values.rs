//! Context values worth trying in a witness: values that the key can have.

use super::{
    arns::{self, HEAD},
    forms::Form,
};
use crate::{
    condition::{
        atom::{Atom, Predicate},
        value::{self, Cidr},
        values::Values,
    },
    context::Context,
    keys::arity,
    reference::condition_key::Arity,
    work::Work,
};

/// Values of one key: absent, or a list.
pub(super) type ValueChoice = Option<Vec<String>>;

/// So many values of one condition are tried.
const MAX_VALUES: usize = 6;

/// What a key could be, judging by its type and the conditions on it. Values that do not fit the type of a condition on
/// the key are left out, because AWS does not say what they do. `key` is in lower case.
pub(super) fn choices(key: &str, atoms: &[&Atom], context: &Context) -> Vec<ValueChoice> {
    let form = Form::of(key);
    let mut texts: Vec<String> = Vec::new();
    let mut typed = false;
    let mut lists = false;
    for atom in atoms {
        let Predicate::Compare { set, values, .. } = &atom.predicate else {
            continue;
        };
        lists |= set.is_some();
        typed |= !matches!(values, Values::Strings(_) | Values::Folded(_));
        samples(values, form, context, &mut texts);
    }
    texts.retain(|text| form.has(text));
    if form.is_typed() || !typed {
        texts.extend(form.examples().iter().map(|text| (*text).to_owned()));
    }
    texts.truncate(48);
    let mut unique: Vec<String> = Vec::with_capacity(texts.len());
    for text in texts {
        if !unique.contains(&text) {
            unique.push(text);
        }
    }
    let mut choices = vec![None];
    choices.extend(unique.iter().map(|text| Some(vec![text.clone()])));
    if lists && arity(key) != Arity::Single {
        choices.extend(unique.windows(2).map(|pair| Some(pair.to_vec())));
        if let (Some(first), Some(last)) = (unique.first(), unique.last()) {
            choices.push(Some(vec![first.clone(), last.clone()]));
        }
    }
    choices
}

/// Values inside and outside of a set.
fn samples(values: &Values, form: Form, context: &Context, texts: &mut Vec<String>) {
    let mut add = |text: Option<String>| texts.extend(text);
    match values {
        Values::Strings(patterns) | Values::Folded(patterns) => {
            for pattern in patterns.iter().take(MAX_VALUES) {
                if pattern.has_wildcards() {
                    form.instances(pattern, context, &mut add);
                } else {
                    add(pattern.instance(context, "", 'a'));
                }
            }
        }
        Values::Arns(patterns) => {
            for arn in patterns.iter().take(MAX_VALUES) {
                for run in ["a", "zz"] {
                    add(arns::instance(arn, context, HEAD, run));
                }
            }
            add(Some("arn:aws:iam::999999999999:role/something-else".to_owned()));
        }
        Values::Numbers(_, numbers) => {
            let unit = 10_i128.pow(18);
            for number in numbers.iter().take(MAX_VALUES) {
                for n in [*number, number - unit, number + unit] {
                    add(Some(value::decimal_text(n)));
                }
            }
        }
        Values::Dates(_, dates) => {
            let second = 1_000_000_000;
            for date in dates.iter().take(MAX_VALUES) {
                for d in [*date, date - second, date + second] {
                    add(Some(value::instant_text(d)));
                }
            }
        }
        Values::Bool { .. } => {
            add(Some("true".to_owned()));
            add(Some("false".to_owned()));
        }
        Values::Binary(values) => {
            for bytes in values.iter().take(MAX_VALUES) {
                add(Some(value::to_base64(bytes)));
            }
            add(Some("c29tZXRoaW5nIGVsc2U=".to_owned()));
        }
        Values::Addresses(ranges) => {
            for range in ranges.iter().take(MAX_VALUES) {
                add(Some(range.first()));
            }
            for range in ranges.iter().take(MAX_VALUES) {
                add(Cidr::after(range));
            }
            add(Some("198.51.100.7".to_owned()));
            add(Some("2001:db8::7".to_owned()));
        }
    }
}

/// How many of the conditions on a key, which the context does not have yet, hold for a choice.
pub(super) fn holding(
    atoms: &[&Atom],
    key: &str,
    choice: &ValueChoice,
    context: &mut Context,
    work: &mut Work,
) -> usize {
    if let Some(values) = choice {
        context.set(key, values.iter().cloned());
    }
    let count = atoms.iter().filter(|atom| atom.holds(context, work)).count();
    context.remove(key);
    count
}
