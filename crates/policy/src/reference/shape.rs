//! What the ARNs of a resource type look like.

use std::fmt;

use crate::{
    arn::{ArnPattern, ResourcePattern, Subject},
    document::Version,
    evaluate::Context,
    glob::Token,
    work::Work,
};

/// The form of an ARN: text, and places where AWS or its users put names.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// `arn:*:s3:::%/*`.
    text: String,
}

/// A piece of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// This character.
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
    /// Reads what `reference.txt` says in short: without `arn:PARTITION:`, without the service if it is `service`.
    pub(super) fn read(service: &str, short: &str) -> Self {
        let (owner, between, rest) = match short.split_once([':', '@']) {
            Some((owner, rest)) if short.as_bytes().get(owner.len()) == Some(&b'@') => (owner, ":*:*:", rest),
            Some((owner, rest)) => (owner, ":", rest),
            None => (short, ":", ""),
        };
        let owner = if owner.is_empty() { service } else { owner };
        Self {
            text: format!("arn:*:{owner}{between}{rest}"),
        }
    }

    /// The six parts.
    fn parts(&self) -> [&str; 6] {
        let mut parts = self.text.splitn(6, ':');
        std::array::from_fn(|_| parts.next().unwrap_or_default())
    }

    /// The service in the ARN, `*` for any. It is not always the service whose actions take it.
    #[cfg(test)]
    pub(crate) fn service(&self) -> &str {
        let [_, _, service, ..] = self.parts();
        service
    }

    /// Letters of the form: the shorter, the simpler.
    pub(crate) fn size(&self) -> usize {
        self.text.len()
    }

    /// As a pattern of a policy: `arn:*:s3:::*/*`. It takes somewhat more than the form: names without a slash become `*`.
    pub(crate) fn pattern(&self) -> String {
        self.text.replace('%', "*")
    }

    /// An ARN of this form, with `name` for every name. Partition, region and account go where the form has them.
    pub(crate) fn instance(&self, partition: &str, region: &str, account: &str, name: &str) -> String {
        let [arn, _, service, of_region, of_account, rest] = self.parts();
        let parts = [
            (arn, ""),
            ("*", partition),
            (service, name),
            (of_region, region),
            (of_account, account),
            (rest, name),
        ];
        let mut text = String::with_capacity(128);
        for (i, (part, with)) in parts.into_iter().enumerate() {
            if i > 0 {
                text.push(':');
            }
            for c in part.chars() {
                match c {
                    '*' | '%' => text.push_str(with),
                    c => text.push(c),
                }
            }
        }
        text
    }

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
        let name: Vec<Token> = name.chars().map(Token::Char).collect();
        pattern.matches(&Subject::new(arn), &Context::new(), work) && meets(&name, rest, work)
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

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pattern())
    }
}

/// Whether some text matches both. Goes through all pairs of positions, row by row; a variable may be any text.
fn meets(tokens: &[Token], form: &str, work: &mut Work) -> bool {
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
            let open = matches!(token, Some(Token::Many | Token::Var(_)));
            // A name may be empty, and so may what a wildcard stands for; what one of them takes, the other may give.
            if matches!(piece, Some(Piece::Any | Piece::Segment)) || (open && piece.is_some()) {
                reach(&mut row, j + 1);
            }
            let slash = token == Some(Token::Char('/'));
            match (token, piece) {
                (Some(Token::Many | Token::Var(_)), _) => reach(&mut next, j),
                (Some(_), Some(Piece::Any)) => reach(&mut next, j),
                (Some(_), Some(Piece::Segment)) if !slash => reach(&mut next, j),
                (Some(Token::Char(a)), Some(Piece::Char(b))) if a == b => reach(&mut next, j + 1),
                (Some(Token::One), Some(Piece::Char(_))) => reach(&mut next, j + 1),
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
