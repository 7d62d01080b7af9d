//! What stands for the variables in a request that the search put together.

use super::forms::Form;
use crate::{
    contain::search::{
        keys::question::KeyTexts,
        query::{Dimension, RequestPart},
    },
    pattern::track::{Letter, VariableCases},
};

/// The value that stands for a variable, and the text of a word with such values put in.
pub(crate) struct VariableValues {
    values: Vec<String>,
}

impl VariableValues {
    /// A value for every variable: what the key was chosen to be, or something harmless.
    pub(crate) fn choose(parts: &[RequestPart], dimensions: &[Dimension], cases: &VariableCases) -> Self {
        let chosen = |key: &str| {
            let (_, part) = dimensions
                .iter()
                .zip(parts)
                .find(|(dimension, _)| matches!(dimension, Dimension::Key(name) if name == key))?;
            match part {
                RequestPart::Key(Some(texts)) => plain_text(texts.first()?),
                _ => None,
            }
        };
        let usual = |key: &str| {
            Form::of(key)
                .examples()
                .first()
                .map_or_else(String::new, |text| (*text).to_owned())
        };
        let values = cases
            .iter()
            .map(|(key, _)| chosen(key).unwrap_or_else(|| usual(key)));
        Self {
            values: values.collect(),
        }
    }

    pub(crate) fn get(&self, variable: usize) -> &str {
        self.values.get(variable).map_or("", String::as_str)
    }

    /// The text of a word.
    pub(crate) fn text(&self, word: &[Letter]) -> String {
        let mut text = String::new();
        for letter in word {
            match letter {
                Letter::Char(c) => text.push(*c),
                Letter::Var(v) | Letter::Word(v) | Letter::Like(v) => {
                    text.push_str(self.get(usize::from(*v)))
                }
                Letter::Folded(v) => text.push_str(&in_other_case(self.get(usize::from(*v)))),
            }
        }
        text
    }

    pub(crate) fn texts(&self, texts: &KeyTexts) -> Vec<String> {
        texts.iter().map(|word| self.text(word)).collect()
    }
}

/// The text in another case, when it has one.
fn in_other_case(text: &str) -> String {
    let upper = text.to_ascii_uppercase();
    if upper == text {
        text.to_ascii_lowercase()
    } else {
        upper
    }
}

fn plain_text(word: &[Letter]) -> Option<String> {
    word.iter()
        .map(|letter| match letter {
            Letter::Char(c) => Some(*c),
            Letter::Var(_) | Letter::Folded(_) | Letter::Word(_) | Letter::Like(_) => None,
        })
        .collect()
}
