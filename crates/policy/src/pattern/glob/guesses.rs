//! Texts and patterns that are worth trying; whoever uses them confirms.

use super::{GlobToken, Inside, Pattern, normalise};
use crate::{context::Context, pattern::variable::Variable};

impl Pattern {
    /// The only variable of the pattern, and the text that it would have to stand for to match the same as `other`, which is
    /// spelled out there. Only a guess; whoever uses it confirms.
    pub(crate) fn stands_for(&self, other: &Self) -> Option<(&Variable, String)> {
        let at = self
            .tokens
            .iter()
            .position(|token| matches!(token, GlobToken::Var(_)))?;
        let (before, rest) = self.tokens.split_at_checked(at)?;
        let ([GlobToken::Var(id), after @ ..], [variable]) = (rest, self.variables.as_slice()) else {
            return None;
        };
        let middle = other.tokens.strip_prefix(before)?.strip_suffix(after)?;
        let text: Option<String> = middle
            .iter()
            .map(|token| match token {
                GlobToken::Char(c) => Some(*c),
                _ => None,
            })
            .collect();
        let text = text.filter(|text| *id == 0 && !text.is_empty())?;
        Some((variable, text))
    }

    /// A pattern whose texts match both, when both have a `*`: the longer beginning, the middles one after the other,
    /// the longer end. Only a guess when `?` and letters meet; whoever uses it confirms.
    pub(crate) fn overlap(&self, other: &Self, context: &Context) -> Option<Self> {
        let a = self.expand(context, Inside::Literal)?;
        let b = other.expand(context, Inside::Literal)?;
        let star = |tokens: &[GlobToken]| {
            let first = tokens.iter().position(|t| *t == GlobToken::Many)?;
            let last = tokens.iter().rposition(|t| *t == GlobToken::Many)?;
            Some((
                tokens.get(..first)?.to_vec(),
                tokens.get(first..=last)?.to_vec(),
                tokens.get(last + 1..)?.to_vec(),
            ))
        };
        let tokens = match (star(&a), star(&b)) {
            (Some((pre_a, mid_a, post_a)), Some((pre_b, mid_b, post_b))) => {
                let longer =
                    |x: Vec<GlobToken>, y: Vec<GlobToken>| if x.len() >= y.len() { (x, y) } else { (y, x) };
                let pick = |x: GlobToken, y: Option<&GlobToken>| {
                    if x == GlobToken::One {
                        y.copied().unwrap_or(x)
                    } else {
                        x
                    }
                };
                let (pre, short) = longer(pre_a, pre_b);
                let pre = pre.into_iter().enumerate().map(|(i, x)| pick(x, short.get(i)));
                let (post, short) = longer(post_a, post_b);
                let skip = post.len() - short.len();
                let post = post
                    .into_iter()
                    .enumerate()
                    .map(|(i, x)| pick(x, i.checked_sub(skip).and_then(|i| short.get(i))));
                pre.chain(mid_a).chain(mid_b).chain(post).collect()
            }
            (None, _) => a,
            (_, None) => b,
        };
        Some(Self {
            tokens: normalise(tokens),
            variables: Vec::new(),
            fold: self.fold,
        })
    }
}
