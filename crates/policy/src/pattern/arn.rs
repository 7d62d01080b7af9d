//! ARN patterns: six parts compared one by one, so that a wildcard of one of the first five stays in its part.
//!
//! (One page of the IAM User Guide says that a `*` at the end of a part may run on past the colon. Then some odd ARNs,
//! whose last part looks like parts of its own, would match more; AWS's own comparison of policies does not count them.)

use std::borrow::Cow;

use super::{
    glob::{Inside, Pattern, Syntax},
    variable::Variable,
};
use crate::{ast::Version, context::Context, work::Work};

/// A text split for comparison with ARN patterns.
#[derive(Debug, Clone)]
pub(crate) struct ArnText {
    chars: Vec<char>,
    /// Where the first five colons are; `None` when there are fewer.
    colons: Option<[usize; 5]>,
}

impl ArnText {
    pub(crate) fn new(text: &str) -> Self {
        // Most have no other characters than ASCII, and there is one allocation.
        let mut chars = Vec::with_capacity(text.len());
        chars.extend(text.chars());
        let mut colons = chars
            .iter()
            .enumerate()
            .filter(|(_, c)| **c == ':')
            .map(|(i, _)| i);
        let mut next = || colons.next();
        let colons = (|| Some([next()?, next()?, next()?, next()?, next()?]))();
        Self { chars, colons }
    }

    fn parts(&self) -> Option<([&[char]; 5], &[char])> {
        let [a, b, c, d, e] = self.colons?;
        let part = |from: usize, to: usize| self.chars.get(from..to);
        let parts = [
            part(0, a)?,
            part(a + 1, b)?,
            part(b + 1, c)?,
            part(c + 1, d)?,
            part(d + 1, e)?,
        ];
        Some((parts, self.chars.get(e + 1..)?))
    }
}

/// A pattern with six parts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ArnPattern {
    /// `arn`, partition, service, region, account.
    pub(crate) head: [Pattern; 5],
    /// The resource part; its wildcards cross everything.
    pub(crate) rest: Pattern,
    /// A lone `*` under an ARN operator: every ARN, and AWS does not say whether also a text that is none. The guide compares
    /// part by part, so the evaluator takes it that it is not.
    pub(crate) lone_star: bool,
}

impl ArnPattern {
    fn parse(text: &str, version: Version) -> Result<Self, String> {
        let pattern = Pattern::parse(text, Syntax::pattern(version))?;
        let (head, rest) = pattern
            .split_colons::<5>()
            .ok_or_else(|| "an ARN has six parts, this one has fewer".to_owned())?;
        let [arn, ..] = &head;
        if arn.as_literal().as_deref() != Some("arn") {
            return Err("an ARN begins with \"arn:\"".to_owned());
        }
        Ok(Self {
            head,
            rest,
            lone_star: false,
        })
    }

    /// The value of an ARN condition; wildcards may stand anywhere.
    pub(crate) fn parse_value(text: &str, version: Version) -> Result<Self, String> {
        if text == "*" {
            let every = Self::parse("arn:*:*:*:*:*", version)?;
            return Ok(Self {
                lone_star: true,
                ..every
            });
        }
        Self::parse(text, version)
    }

    pub(crate) fn matches(&self, subject: &ArnText, context: &Context, work: &mut Work) -> bool {
        self.matches_read(subject, context, Inside::Literal, work)
    }

    pub(crate) fn matches_read(
        &self,
        subject: &ArnText,
        context: &Context,
        inside: Inside,
        work: &mut Work,
    ) -> bool {
        let Some((parts, rest)) = subject.parts() else {
            return false;
        };
        self.head
            .iter()
            .zip(parts)
            .all(|(pattern, part)| pattern.matches_read(part, context, inside, work))
            && self.rest.matches_read(rest, context, inside, work)
    }

    /// Whether everything in `other` is in `self`, if what variables of the first five parts stand for stays in its part;
    /// `true` is certain then.
    pub(crate) fn includes(&self, other: &Self, work: &mut Work) -> bool {
        (self.lone_star || !other.lone_star)
            && self
                .head
                .iter()
                .zip(&other.head)
                .all(|(a, b)| a.includes(b, work))
            && self.rest.includes(&other.rest, work)
    }

    /// Whether something may be in both; `false` is certain under the same condition.
    pub(crate) fn may_intersect(&self, other: &Self, work: &mut Work) -> bool {
        self.head
            .iter()
            .zip(&other.head)
            .all(|(a, b)| a.may_intersect(b, work))
            && self.rest.may_intersect(&other.rest, work)
    }

    /// All six parts.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Pattern> {
        self.head.iter().chain([&self.rest])
    }

    /// The variables of all parts.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.parts().flat_map(Pattern::variables)
    }
}

/// A resource pattern of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ResourcePattern {
    /// `*`: every resource, and requests that have none.
    Any,
    Arn(Box<ArnPattern>),
}

impl ResourcePattern {
    /// Reads `*`, an ARN, or the beginning of one that ends in a lone `*`. The service is spelled out; variables stand in the
    /// last part, or for the region or the account as a whole.
    pub(crate) fn parse(text: &str, version: Version) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let arn = ArnPattern::parse(&completed(text), version)?;
        let [_, partition, service, region, account] = &arn.head;
        for (name, part) in [
            ("partition", partition),
            ("service", service),
            ("region", region),
            ("account", account),
        ] {
            let fits = part.sole_variable().is_some_and(|variable| variable.fits(name));
            if !part.variables().is_empty() && !fits {
                return Err(format!(
                    "a variable in the {name} of an ARN; AWS expands them after the fifth colon only"
                ));
            }
            if part.has_wildcards() && name == "service" {
                return Err("a wildcard in the service of an ARN; spell the service out".to_owned());
            }
        }
        for (name, part) in [("partition", partition), ("service", service)] {
            if part.as_literal().is_some_and(|text| text.is_empty()) {
                return Err(format!("the {name} of the ARN is empty"));
            }
        }
        Ok(Self::Arn(Box::new(arn)))
    }

    pub(crate) fn matches(&self, subject: &ArnText, context: &Context, work: &mut Work) -> bool {
        self.matches_read(subject, context, Inside::Literal, work)
    }

    pub(crate) fn matches_read(
        &self,
        subject: &ArnText,
        context: &Context,
        inside: Inside,
        work: &mut Work,
    ) -> bool {
        match self {
            Self::Any => true,
            Self::Arn(arn) => arn.matches_read(subject, context, inside, work),
        }
    }

    /// Whether a variable is in it.
    pub(crate) fn has_variables(&self) -> bool {
        self.arn().is_some_and(|arn| arn.variables().next().is_some())
    }

    /// Whether a variable stands for the region or the account. The guide says that none is expanded there, and a policy of
    /// AWS's own has one: it may be what the variable is, or match nothing.
    pub(crate) fn has_variable_in_head(&self) -> bool {
        let in_head = |arn: &ArnPattern| arn.head.iter().any(|part| !part.variables().is_empty());
        self.arn().is_some_and(in_head)
    }

    /// The pattern of the resource part, when there is one.
    pub(crate) fn arn(&self) -> Option<&ArnPattern> {
        match self {
            Self::Any => None,
            Self::Arn(arn) => Some(arn),
        }
    }
}

/// The ARN that a shorter text stands for. AWS puts `*` for the parts that are missing; or it takes the whole for one pattern,
/// depending on the kind of policy. When the text ends in a lone `*` both mean the same.
fn completed(text: &str) -> Cow<'_, str> {
    let parts = text.split(':').count();
    if (4..6).contains(&parts) && text.ends_with(":*") && !text.contains("${") {
        Cow::Owned(format!("{text}{}", ":*".repeat(6 - parts)))
    } else {
        Cow::Borrowed(text)
    }
}
