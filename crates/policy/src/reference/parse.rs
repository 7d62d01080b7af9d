//! From the lines of a service to the service. The form is told in the head of `reference.txt`.
//!
//! The file is part of the program and a test reads all of it, so a line that is not understood is passed over.

use super::{
    condition_key::ConditionKey,
    service::{ActionEntry, ActionGroup, ResourceType, Service, lower},
    shape::Shape,
};

/// What a letter stands for: the beginning of an action's name, and its end.
#[derive(Debug, Default)]
pub(super) struct Verbs(Vec<(char, &'static str, &'static str)>);

impl Verbs {
    /// Reads `c=Create k=List+s`.
    pub(super) fn read(text: &'static str) -> Self {
        let verb = |word: &'static str| {
            let (letter, verb) = word.split_once('=')?;
            let (verb, plural) = verb.split_once('+').unwrap_or((verb, ""));
            Some((letter.chars().next()?, verb, plural))
        };
        Self(text.split(' ').filter_map(verb).collect())
    }

    /// The names that a line of actions is short for.
    fn names(&self, words: &str, mut each: impl FnMut(String)) {
        let mut before = String::new();
        for word in words.split(' ') {
            if let Some(name) = word.strip_prefix('=') {
                each(name.to_owned());
                continue;
            }
            let noun = word.trim_start_matches(|c: char| c.is_ascii_lowercase());
            let letters = word.strip_suffix(noun).unwrap_or_default();
            let rest = noun.trim_start_matches(|c: char| c.is_ascii_digit());
            let shared = noun.strip_suffix(rest).and_then(|digits| digits.parse().ok());
            before.truncate(end_of_words(&before, shared.unwrap_or(0)));
            before.push_str(rest);
            if letters.is_empty() {
                each(before.clone());
            }
            for letter in letters.chars() {
                if let Some((_, verb, plural)) = self.0.iter().find(|(known, ..)| *known == letter) {
                    each([verb, before.as_str(), plural].concat());
                }
            }
        }
    }
}

/// Where so many words of a noun end; a word begins with a capital.
fn end_of_words(noun: &str, words: usize) -> usize {
    let mut begins = noun
        .char_indices()
        .filter(|(at, c)| *at == 0 || c.is_ascii_uppercase())
        .map(|(at, _)| at);
    begins.nth(words).unwrap_or(noun.len())
}

/// The own keys of a service, sorted, and nothing else of it.
pub(super) fn keys(service: &str, text: &'static str) -> Vec<ConditionKey> {
    let mut keys = Vec::new();
    for line in text.lines().take_while(|line| line.starts_with('k')) {
        own_keys(service, line, &mut keys);
    }
    keys.sort_unstable_by(|a, b| a.lower.cmp(&b.lower));
    keys
}

fn own_keys(service: &str, line: &str, keys: &mut Vec<ConditionKey>) {
    let Some((tag, names)) = line.split_once(' ') else {
        return;
    };
    let code = tag.get(1..).unwrap_or_default();
    keys.extend(
        names
            .split(' ')
            .map(|name| ConditionKey::read(code, format!("{service}:{name}"))),
    );
}

/// Reads the lines of a service; `known` finds condition keys of other services, which lines of `f` name.
pub(super) fn service(
    prefix: &'static str,
    text: &'static str,
    verbs: &Verbs,
    known: impl Fn(&str) -> Option<&'static ConditionKey>,
) -> Service {
    let mut service = Service {
        prefix,
        actions: Vec::new(),
        groups: Vec::new(),
        types: Vec::new(),
        keys: Vec::new(),
    };
    for line in text.lines() {
        match line.get(..1) {
            Some("k") => own_keys(prefix, line, &mut service.keys),
            Some("f") => {
                let names = line.split(' ').skip(1);
                let foreign = |name: &str| match known(&name.to_lowercase()) {
                    Some(key) => ConditionKey {
                        name: name.to_owned(),
                        lower: name.to_lowercase(),
                        open: name.find('*'),
                        ..*key
                    },
                    None => ConditionKey::read("?", name.to_owned()),
                };
                service.keys.extend(names.map(foreign));
            }
            Some("t") => service.types.extend(resource_type(prefix, line)),
            Some("a") => actions(line, verbs, &mut service),
            _ => {}
        }
    }
    service
        .actions
        .sort_unstable_by(|a, b| lower(&a.name).cmp(lower(&b.name)));
    service
}

fn resource_type(service: &str, line: &'static str) -> Option<ResourceType> {
    let mut fields = line.get(1..)?.split(' ');
    let name = fields.next()?;
    let arns = fields.next()?;
    Some(ResourceType {
        name,
        shapes: arns
            .split('|')
            .map(|arn| Shape::read(service, &arn.replace('$', name)))
            .collect(),
        keys: numbers(fields.next().unwrap_or_default()),
    })
}

fn actions(line: &str, verbs: &Verbs, service: &mut Service) {
    let Some((group, names)) = line.get(1..).and_then(|line| line.split_once(' ')) else {
        return;
    };
    let (types, keys) = group.split_once(';').unwrap_or((group, ""));
    let group = service.groups.len();
    service.groups.push(ActionGroup {
        types: numbers(types),
        keys: numbers(keys),
    });
    verbs.names(names, |name| {
        service.actions.push(ActionEntry {
            name: name.into_boxed_str(),
            group,
        });
    });
}

fn numbers(text: &str) -> Vec<usize> {
    text.split(',').filter_map(|number| number.parse().ok()).collect()
}
