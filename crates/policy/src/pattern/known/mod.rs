//! What AWS's service reference knows of the texts that a pattern matches: actions, and forms of ARNs.

#[cfg(test)]
mod tests;

use super::{
    arn::{ArnPattern, ArnText, ResourcePattern},
    glob::{GlobToken, Pattern, fold},
};
use crate::{
    ast::Version,
    context::Context,
    reference::{
        service::{Action, Service},
        shape::Shape,
        table::services_named,
    },
    work::Work,
};

/// The actions that match a pattern of a policy's `Action`, in the order of services and names.
///
/// It is lazy: whoever wants one takes one. Only the services that the pattern can match are decoded, which for `*` are
/// all of them, one after the other.
pub(crate) fn actions_matching(pattern: &Pattern) -> impl Iterator<Item = Action> + use<> {
    let matches = Matches::new(pattern);
    services_named(matches.service()).flat_map(move |service| matches.clone().of(service))
}

/// A pattern of actions, ready to be held against the names of a service.
#[derive(Debug, Clone)]
pub(crate) struct Matches {
    pattern: Pattern,
    /// The service, when the pattern spells it out.
    service: Option<String>,
    /// What every matching name begins with, in lower case.
    begin: String,
    /// What may come after the beginning.
    rest: Rest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Nothing,
    Anything,
    /// As the pattern says.
    Some,
}

impl Matches {
    pub(crate) fn new(pattern: &Pattern) -> Self {
        let mut text = String::with_capacity(pattern.tokens().len());
        let mut tokens = pattern.tokens();
        while let [GlobToken::Char(c), after @ ..] = tokens {
            text.push(fold(*c));
            tokens = after;
        }
        let rest = match tokens {
            [] => Rest::Nothing,
            [GlobToken::Many] => Rest::Anything,
            _ => Rest::Some,
        };
        let (service, begin) = match text.split_once(':') {
            Some((service, begin)) => (Some(service.to_owned()), begin.to_owned()),
            None => (None, String::new()),
        };
        Self {
            pattern: pattern.clone(),
            service,
            begin,
            rest,
        }
    }

    fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// The actions of a service that match.
    fn of(self, service: &'static Service) -> impl Iterator<Item = Action> {
        service
            .actions_beginning_with(self.begin.clone())
            .filter(move |action| self.takes(service, action.name()))
    }

    fn takes(&self, service: &Service, name: &str) -> bool {
        match self.rest {
            Rest::Nothing => return name.len() == self.begin.len(),
            // Without a colon before it the wildcard is not only about the name.
            Rest::Anything if self.service.is_some() => return true,
            Rest::Anything | Rest::Some => {}
        }
        let text: Vec<char> = service
            .prefix
            .chars()
            .chain([':'])
            .chain(name.chars())
            .map(fold)
            .collect();
        // Names have at most some hundred characters, and a policy's text is bounded.
        self.pattern
            .matches(&text, &Context::new(), &mut Work::unlimited())
    }
}

/// A piece of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Char(char),
    /// Any text.
    Any,
    /// Any text without a slash.
    Segment,
}

impl Piece {
    fn of(c: char) -> Self {
        match c {
            '*' => Self::Any,
            '%' => Self::Segment,
            c => Self::Char(c),
        }
    }
}

impl Shape {
    /// Whether an ARN has this form.
    pub(crate) fn matches(&self, arn: &str, work: &mut Work) -> bool {
        let Ok(ResourcePattern::Arn(pattern)) = ResourcePattern::parse(&self.pattern(), Version::V2008)
        else {
            return false;
        };
        let Some(name) = arn.splitn(6, ':').nth(5) else {
            return false;
        };
        // The pattern lets slashes into all names.
        let [.., rest] = self.parts();
        let name: Vec<GlobToken> = name.chars().map(GlobToken::Char).collect();
        pattern.matches(&ArnText::new(arn), &Context::new(), work) && meets(&name, rest, work)
    }

    /// Whether a pattern of a policy may match an ARN of this form; `false` is certain as far as the reference goes, unless
    /// `work` has run out.
    pub(crate) fn may_meet(&self, pattern: &ArnPattern, work: &mut Work) -> bool {
        let [.., rest] = self.parts();
        self.head_meets(pattern) && meets(pattern.rest.tokens(), rest, work)
    }

    /// Whether a pattern of a policy may match an ARN of this form in which all names are `*` or empty, as services make
    /// them up for requests about all resources of a type.
    pub(crate) fn may_list(&self, pattern: &ArnPattern, work: &mut Work) -> bool {
        let [.., rest] = self.parts();
        self.head_meets(pattern)
            && ["*", ""].into_iter().any(|name| {
                let pieces = rest.split(['*', '%']).collect::<Vec<_>>();
                let text: Vec<char> = pieces.join(name).chars().collect();
                pattern.rest.variables().is_empty() && pattern.rest.matches(&text, &Context::new(), work)
            })
    }

    /// Whether service, region and account may agree.
    fn head_meets(&self, pattern: &ArnPattern) -> bool {
        let [_, _, service, region, account, _] = self.parts();
        let [_, _, of_service, of_region, of_account] = &pattern.head;
        let head = [(service, of_service), (region, of_region), (account, of_account)];
        head.into_iter().all(|(part, of)| {
            // What is neither spelled out nor a lone * may be anything.
            part == "*" || of.as_literal().is_none_or(|text| text == part)
        })
    }
}

/// Whether some text matches both. Goes through all pairs of positions, row by row; a variable may be any text.
fn meets(tokens: &[GlobToken], form: &str, work: &mut Work) -> bool {
    let form: Vec<Piece> = form.chars().map(Piece::of).collect();
    if !work.charge((tokens.len() + 1).saturating_mul(form.len() + 1)) {
        return true;
    }
    // Which positions of the form can be reached, with so many tokens used.
    let mut row = vec![false; form.len() + 1];
    if let Some(first) = row.first_mut() {
        *first = true;
    }
    for at in 0..=tokens.len() {
        let token = tokens.get(at).copied();
        let mut next = vec![false; form.len() + 1];
        for j in 0..=form.len() {
            if row.get(j) != Some(&true) {
                continue;
            }
            let reach = |row: &mut Vec<bool>, j: usize| {
                if let Some(cell) = row.get_mut(j) {
                    *cell = true;
                }
            };
            let piece = form.get(j).copied();
            let open = matches!(token, Some(GlobToken::Many | GlobToken::Var(_)));
            // A name may be empty, and so may what a wildcard stands for; what one of them takes, the other may give.
            if matches!(piece, Some(Piece::Any | Piece::Segment)) || (open && piece.is_some()) {
                reach(&mut row, j + 1);
            }
            let slash = token == Some(GlobToken::Char('/'));
            match (token, piece) {
                (Some(GlobToken::Many | GlobToken::Var(_)), _) => reach(&mut next, j),
                (Some(_), Some(Piece::Any)) => reach(&mut next, j),
                (Some(_), Some(Piece::Segment)) if !slash => reach(&mut next, j),
                (Some(GlobToken::Char(a)), Some(Piece::Char(b))) if a == b => reach(&mut next, j + 1),
                (Some(GlobToken::One), Some(Piece::Char(_))) => reach(&mut next, j + 1),
                _ => {}
            }
        }
        if at == tokens.len() {
            break;
        }
        row = next;
    }
    row.last() == Some(&true)
}
