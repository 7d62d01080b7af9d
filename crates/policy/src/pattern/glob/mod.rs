//! Patterns with `*`, `?` and variables: matching, inclusion, intersection.

use std::collections::HashMap;

use super::{
    fnv::Fnv,
    variable::{self, Expansion, Variable},
};
use crate::{ast::Version, context::Context, work::Work};

/// One position of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum GlobToken {
    /// The character itself; of a pattern that folds, in lower case.
    Char(char),
    /// `?`: exactly one character.
    One,
    /// `*`: any run of characters, the empty one included.
    Many,
    /// The value of the variable with this index.
    Var(u16),
}

/// How text becomes tokens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Syntax {
    /// `*` and `?` are wildcards.
    pub(crate) wildcards: bool,
    /// `${…}` is a variable.
    pub(crate) variables: bool,
    /// Case does not matter: both sides are lower-cased.
    pub(crate) fold: bool,
}

impl Syntax {
    /// Patterns with wildcards and variables, as far as the language version has them.
    pub(crate) fn pattern(version: Version) -> Self {
        Self {
            wildcards: true,
            variables: version == Version::V2012,
            fold: false,
        }
    }
}

/// How `*` and `?` inside the value of a variable are read, of which AWS does not say whether they are wildcards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inside {
    Literal,
    /// Where wildcards count. What is matched so is never less.
    Wildcards,
}

/// A pattern in normal form: runs of wildcards have their `?` first and at most one `*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Pattern {
    tokens: Vec<GlobToken>,
    variables: Vec<Variable>,
    fold: bool,
}

/// Lower-cases character by character, which keeps lengths.
pub(crate) fn fold(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

impl Pattern {
    pub(crate) fn parse(text: &str, syntax: Syntax) -> Result<Self, String> {
        let mut tokens = Vec::with_capacity(text.len());
        let mut variables: Vec<Variable> = Vec::new();
        let mut ids: HashMap<Variable, u16> = HashMap::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if syntax.variables
                && let Some(after) = rest.strip_prefix("${")
            {
                let (inner, after) = after
                    .split_once('}')
                    .ok_or_else(|| "a variable is opened by ${ and never closed".to_owned())?;
                match variable::parse(inner, syntax.wildcards)? {
                    Expansion::Literal(c) => tokens.push(GlobToken::Char(c)),
                    Expansion::Variable(variable) => {
                        let next =
                            u16::try_from(variables.len()).map_err(|_| "too many variables".to_owned())?;
                        let id = *ids.entry(variable.clone()).or_insert(next);
                        if id == next {
                            variables.push(variable);
                        }
                        tokens.push(GlobToken::Var(id));
                    }
                }
                rest = after;
                continue;
            }
            tokens.push(match c {
                '*' if syntax.wildcards => GlobToken::Many,
                '?' if syntax.wildcards => GlobToken::One,
                c if syntax.fold => GlobToken::Char(fold(c)),
                c => GlobToken::Char(c),
            });
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
        Ok(Self {
            tokens: normalise(tokens),
            variables,
            fold: syntax.fold,
        })
    }

    /// Whether the empty text matches. `None`: that depends on the values of variables.
    pub(crate) fn takes_nothing(&self) -> Option<bool> {
        let mut varies = false;
        for token in &self.tokens {
            match token {
                GlobToken::Char(_) | GlobToken::One => return Some(false),
                GlobToken::Many => {}
                GlobToken::Var(_) => varies = true,
            }
        }
        (!varies).then_some(true)
    }

    /// Whether the pattern is a lone `*`.
    pub(crate) fn is_universal(&self) -> bool {
        self.tokens == [GlobToken::Many]
    }

    /// The only text that matches, when there are neither wildcards nor variables.
    pub(crate) fn as_literal(&self) -> Option<String> {
        self.tokens
            .iter()
            .map(|token| {
                if let GlobToken::Char(c) = token {
                    Some(*c)
                } else {
                    None
                }
            })
            .collect()
    }

    /// A hash of the characters before the first `end` (of all, without one); `None` when there is none, or a wildcard or
    /// variable comes first.
    pub(crate) fn hash_until(&self, end: Option<char>) -> Option<u64> {
        let mut hash = Fnv::default();
        for token in &self.tokens {
            match token {
                GlobToken::Char(c) if Some(*c) == end => return Some(hash.0),
                GlobToken::Char(c) => hash.add(u32::from(*c)),
                _ => return None,
            }
        }
        end.is_none().then_some(hash.0)
    }

    /// A hash of the whole pattern.
    pub(crate) fn hash_whole(&self) -> u64 {
        let mut hash = Fnv::default();
        for token in &self.tokens {
            // Beyond all characters, which end at U+10FFFF.
            hash.add(match token {
                GlobToken::Char(c) => u32::from(*c),
                GlobToken::One => 0x0020_0000,
                GlobToken::Many => 0x0020_0001,
                GlobToken::Var(id) => 0x0040_0000 | u32::from(*id),
            });
        }
        hash.0
    }

    /// The tokens; a position of the pattern is an index of them.
    pub(crate) fn tokens(&self) -> &[GlobToken] {
        &self.tokens
    }

    /// Whether case does not matter.
    pub(crate) fn folds(&self) -> bool {
        self.fold
    }

    pub(crate) fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// Whether a wildcard is in it.
    pub(crate) fn has_wildcards(&self) -> bool {
        self.tokens
            .iter()
            .any(|token| matches!(token, GlobToken::One | GlobToken::Many))
    }

    /// Whether the text matches. Wildcard characters inside the value of a variable are literal; a variable without
    /// value and default matches nothing. For a folding pattern the text must be folded.
    pub(crate) fn matches(&self, text: &[char], context: &Context, work: &mut Work) -> bool {
        self.matches_read(text, context, Inside::Literal, work)
    }

    /// The same with wildcard characters inside the value of a variable read so.
    pub(crate) fn matches_read(
        &self,
        text: &[char],
        context: &Context,
        inside: Inside,
        work: &mut Work,
    ) -> bool {
        let accept = |token: GlobToken, c: &char| match token {
            GlobToken::Char(expected) => expected == *c,
            GlobToken::One => true,
            GlobToken::Many | GlobToken::Var(_) => false,
        };
        if self.variables.is_empty() {
            return run(&self.tokens, text, |token| token == GlobToken::Many, accept, work);
        }
        if !work.charge(self.expanded_len(context)) {
            return false;
        }
        let Some(tokens) = self.expand(context, inside) else {
            return false;
        };
        run(&tokens, text, |token| token == GlobToken::Many, accept, work)
    }

    /// Bytes that variables expand to; values may be long, and there may be many places for them.
    fn expanded_len(&self, context: &Context) -> usize {
        let lengths = self.tokens.iter().map(|token| match token {
            GlobToken::Var(id) => self.variables.get(usize::from(*id)),
            _ => None,
        });
        lengths
            .flatten()
            .filter_map(|variable| resolve(variable, context))
            .fold(0, |sum, value| sum.saturating_add(value.len()))
    }

    /// The tokens with variables replaced by their values.
    fn expand(&self, context: &Context, inside: Inside) -> Option<Vec<GlobToken>> {
        let mut tokens = Vec::with_capacity(self.tokens.len());
        for token in &self.tokens {
            let GlobToken::Var(id) = token else {
                tokens.push(*token);
                continue;
            };
            let variable = self.variables.get(usize::from(*id))?;
            let value = resolve(variable, context)?;
            tokens.extend(value.chars().map(|c| match c {
                '*' if variable.wild && inside == Inside::Wildcards => GlobToken::Many,
                '?' if variable.wild && inside == Inside::Wildcards => GlobToken::One,
                c => GlobToken::Char(if self.fold { fold(c) } else { c }),
            }));
        }
        Some(tokens)
    }

    /// Whether everything that `other` matches is matched by `self`, whatever the values of the variables: a variable
    /// is a letter that only `*` and itself accept. Where wildcards count, what its value matches may be more than the value.
    /// Exact without `?`, sound with it.
    pub(crate) fn includes(&self, other: &Self, work: &mut Work) -> bool {
        let accept = |token: GlobToken, letter: &GlobToken| match (token, *letter) {
            (GlobToken::Char(a), GlobToken::Char(b)) => a == b,
            (GlobToken::One, GlobToken::Char(_) | GlobToken::One) => true,
            (GlobToken::Var(a), GlobToken::Var(b)) => {
                match (
                    self.variables.get(usize::from(a)),
                    other.variables.get(usize::from(b)),
                ) {
                    (Some(a), Some(b)) => a.key == b.key && a.default == b.default && (a.wild || !b.wild),
                    _ => false,
                }
            }
            _ => false,
        };
        run(
            &self.tokens,
            &other.tokens,
            |token| token == GlobToken::Many,
            accept,
            work,
        )
    }

    /// Whether some text may match both, for some values of the variables. `false` is certain.
    pub(crate) fn may_intersect(&self, other: &Self, work: &mut Work) -> bool {
        let (a, b) = (self.tokens.as_slice(), other.tokens.as_slice());
        let open = |token: GlobToken| matches!(token, GlobToken::Many | GlobToken::Var(_));
        let agree = |x: GlobToken, y: GlobToken| match (x, y) {
            (GlobToken::Char(x), GlobToken::Char(y)) => x == y,
            _ => true,
        };
        match (a.iter().any(|t| open(*t)), b.iter().any(|t| open(*t))) {
            (false, false) => a.len() == b.len() && a.iter().zip(b).all(|(x, y)| agree(*x, *y)),
            (true, false) => run(a, b, open, |x, y| agree(x, *y), work),
            (false, true) => run(b, a, open, |x, y| agree(x, *y), work),
            // Between the ends either can absorb whatever the other wants, so only the ends can disagree.
            (true, true) => {
                let closed = |(x, y): &(&GlobToken, &GlobToken)| !open(**x) && !open(**y);
                a.iter().zip(b).take_while(closed).all(|(x, y)| agree(*x, *y))
                    && a.iter()
                        .rev()
                        .zip(b.iter().rev())
                        .take_while(closed)
                        .all(|(x, y)| agree(*x, *y))
            }
        }
    }

    /// A text that matches, with `run` for every `*` and `one` for every `?`; `None` when a variable has no value.
    pub(crate) fn instance(&self, context: &Context, run: &str, one: char) -> Option<String> {
        let mut text = String::with_capacity(self.tokens.len() + run.len());
        self.write_instance(context, run, one, &mut text)?;
        Some(text)
    }

    /// The same, appended to a text.
    pub(crate) fn write_instance(
        &self,
        context: &Context,
        run: &str,
        one: char,
        text: &mut String,
    ) -> Option<()> {
        for token in &self.tokens {
            match token {
                GlobToken::Char(c) => text.push(*c),
                GlobToken::One => text.push(one),
                GlobToken::Many => text.push_str(run),
                GlobToken::Var(id) => {
                    let value = resolve(self.variables.get(usize::from(*id))?, context)?;
                    text.extend(value.chars().map(|c| if self.fold { fold(c) } else { c }));
                }
            }
        }
        Some(())
    }

    /// Splits at the first `parts - 1` colons; `None` when there are fewer.
    pub(crate) fn split_colons<const N: usize>(&self) -> Option<([Self; N], Self)> {
        let mut rest = self.tokens.as_slice();
        let mut parts = Vec::with_capacity(N);
        for _ in 0..N {
            let colon = rest.iter().position(|token| *token == GlobToken::Char(':'))?;
            parts.push(self.part(rest.get(..colon)?));
            rest = rest.get(colon + 1..)?;
        }
        Some((parts.try_into().ok()?, self.part(rest)))
    }

    /// Some of the tokens, with the variables that they use.
    fn part(&self, tokens: &[GlobToken]) -> Self {
        let mut ids: HashMap<u16, u16> = HashMap::new();
        let mut variables = Vec::new();
        let renumbered = tokens.iter().map(|token| match *token {
            GlobToken::Var(id) => GlobToken::Var(*ids.entry(id).or_insert_with(|| {
                variables.extend(self.variables.get(usize::from(id)).cloned());
                // There are no more than in the whole, whose ids have as many bits.
                u16::try_from(variables.len().saturating_sub(1)).unwrap_or(u16::MAX)
            })),
            token => token,
        });
        Self {
            tokens: renumbered.collect(),
            variables,
            fold: self.fold,
        }
    }

    /// The variable, when the pattern is one and nothing else.
    pub(crate) fn sole_variable(&self) -> Option<&Variable> {
        match self.tokens.as_slice() {
            [GlobToken::Var(id)] => self.variables.get(usize::from(*id)),
            _ => None,
        }
    }
}

/// The value of a variable: the key's only value, or the default when the key is absent.
fn resolve<'a>(variable: &'a Variable, context: &'a Context) -> Option<&'a str> {
    match context.get_lower(&variable.key) {
        Some([value]) => Some(value),
        Some([_, _, ..]) => None,
        Some([]) | None => variable.default.as_deref(),
    }
}

/// Runs of wildcards become their `?`s followed by one `*`.
fn normalise(tokens: Vec<GlobToken>) -> Vec<GlobToken> {
    let mut out = Vec::with_capacity(tokens.len());
    let mut star = false;
    for token in tokens {
        match token {
            GlobToken::Many => star = true,
            GlobToken::One => out.push(GlobToken::One),
            token => {
                if std::mem::take(&mut star) {
                    out.push(GlobToken::Many);
                }
                out.push(token);
            }
        }
    }
    if star {
        out.push(GlobToken::Many);
    }
    out
}

/// Greedy two-pointer matching: on a mismatch only the latest star is extended, because an earlier one can absorb
/// nothing that the later can't.
fn run<T>(
    pattern: &[GlobToken],
    text: &[T],
    star: impl Fn(GlobToken) -> bool,
    accept: impl Fn(GlobToken, &T) -> bool,
    work: &mut Work,
) -> bool {
    let (mut p, mut t) = (0, 0);
    if !work.step() {
        return false;
    }
    let mut retry: Option<(usize, usize)> = None;
    while let Some(letter) = text.get(t) {
        if !work.step() {
            return false;
        }
        match pattern.get(p) {
            Some(token) if star(*token) => {
                p += 1;
                retry = Some((p, t));
            }
            Some(token) if accept(*token, letter) => {
                p += 1;
                t += 1;
            }
            _ => match &mut retry {
                Some((after_star, from)) => {
                    *from += 1;
                    p = *after_star;
                    t = *from;
                }
                None => return false,
            },
        }
    }
    pattern
        .get(p..)
        .unwrap_or_default()
        .iter()
        .all(|token| star(*token))
}

mod guesses;
#[cfg(test)]
mod tests;
