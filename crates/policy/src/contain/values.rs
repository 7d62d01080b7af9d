//! Context values worth trying in a witness.

use crate::{
    condition::{
        atom::{Atom, Predicate, Values},
        value,
    },
    evaluate::Context,
    work::Work,
};

/// Values of one key: absent, or a list.
pub(super) type Choice = Option<Vec<String>>;

/// So many values of one condition are tried.
const MAX_VALUES: usize = 6;

/// What a key could be, judging by the conditions on it. Values that do not fit the type of a condition on the key are
/// left out, because AWS does not say what they do.
pub(super) fn choices(key: &str, atoms: &[&Atom], context: &Context) -> Vec<Choice> {
    let mut texts: Vec<String> = Vec::new();
    let mut typed = false;
    let mut lists = false;
    for atom in atoms {
        let Predicate::Compare { set, values, .. } = &atom.predicate else {
            continue;
        };
        lists |= set.is_some();
        typed |= !matches!(values, Values::Strings(_) | Values::Folded(_));
        samples(values, context, &mut texts);
    }
    if !typed {
        texts.push(fresh(key));
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
    if lists {
        choices.extend(unique.windows(2).map(|pair| Some(pair.to_vec())));
        if let (Some(first), Some(last)) = (unique.first(), unique.last()) {
            choices.push(Some(vec![first.clone(), last.clone()]));
        }
    }
    choices
}

/// A value that nobody is likely to have written.
fn fresh(key: &str) -> String {
    match key {
        "aws:username" => "somebody".to_owned(),
        "aws:requestedregion" => "eu-south-2".to_owned(),
        "aws:principalaccount" | "aws:sourceaccount" | "aws:resourceaccount" => "999999999999".to_owned(),
        _ => "something-else".to_owned(),
    }
}

fn samples(values: &Values, context: &Context, texts: &mut Vec<String>) {
    let mut add = |text: Option<String>| texts.extend(text);
    match values {
        Values::Strings(patterns) | Values::Folded(patterns) => {
            for pattern in patterns.iter().take(MAX_VALUES) {
                add(pattern.instance(context, "a", 'a'));
                if pattern.has_wildcards() {
                    add(pattern.instance(context, "", 'b'));
                    add(pattern.instance(context, "zz", 'z'));
                }
            }
        }
        Values::Arns(patterns) => {
            for arn in patterns.iter().take(MAX_VALUES) {
                for run in ["a", "zz"] {
                    let head: Option<Vec<String>> = arn
                        .head
                        .iter()
                        .map(|part| part.instance(context, run, 'a'))
                        .collect();
                    let rest = arn.rest.instance(context, run, 'a');
                    add(head
                        .zip(rest)
                        .map(|(head, rest)| format!("{}:{rest}", head.join(":"))));
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
            add(Some("198.51.100.7".to_owned()));
            add(Some("2001:db8::7".to_owned()));
        }
    }
}

/// How many of the conditions on a key, which the context does not have yet, hold for a choice.
pub(super) fn holding(
    atoms: &[&Atom],
    key: &str,
    choice: &Choice,
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
