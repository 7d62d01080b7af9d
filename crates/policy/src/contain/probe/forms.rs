//! Which values a condition key can have in a request, as far as AWS says.
//!
//! Types are those of the Service Authorization Reference and of the IAM User Guide ([`crate::keys`]); the form of account
//! ids, regions and user names is documented there, too. A witness with a value that a key never has would be none.

use std::sync::LazyLock;

use crate::{
    ast::Version,
    condition::value::{self, Cidr},
    context::Context,
    keys::{value_may_have_wildcards, value_type},
    pattern::glob::{GlobToken, Pattern, Syntax},
    reference::condition_key::KeyType,
};

const WILDCARDS: [char; 2] = ['*', '?'];

/// Digits of an account id.
const ACCOUNT_DIGITS: usize = 12;

/// ARNs that a pattern without an ARN's beginning may mean.
static SOME_ARNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let texts = ["arn:aws:iam::999999999999:role/*", "arn:aws:s3:::*"];
    let patterns = texts.map(|text| Pattern::parse(text, Syntax::pattern(Version::V2012)).ok());
    patterns.into_iter().flatten().collect()
});

/// The form of a key's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Any text.
    Text,
    /// A text without `*` and `?`.
    Plain,
    Type(KeyType),
    /// [`ACCOUNT_DIGITS`] digits.
    Account,
    /// `us-east-1`.
    Region,
    /// A name of IAM: up to 64 characters of `[\w+=,.@-]`.
    Name,
}

impl Form {
    /// Of a key in lower case.
    pub(super) fn of(key: &str) -> Self {
        match key {
            "aws:principalaccount" | "aws:resourceaccount" | "aws:sourceaccount" | "aws:vpceaccount" => {
                Self::Account
            }
            "aws:requestedregion" => Self::Region,
            "aws:username" | "sts:rolesessionname" | "aws:sourceidentity" | "sts:sourceidentity" => {
                Self::Name
            }
            key => match value_type(key) {
                None | Some(KeyType::String) if value_may_have_wildcards(key) => Self::Text,
                None | Some(KeyType::String) => Self::Plain,
                Some(of) => Self::Type(of),
            },
        }
    }

    /// Whether values have a type other than text.
    pub(super) fn is_typed(self) -> bool {
        matches!(self, Self::Type(_))
    }

    /// Whether it is certain that no request has the value: it is of another type, or holds what the key's values can't hold.
    pub(super) fn excludes(self, text: &str) -> bool {
        !self.has(text) && (self.is_typed() || text.contains(WILDCARDS))
    }

    /// Whether a request can have the value.
    pub(super) fn has(self, text: &str) -> bool {
        match self {
            Self::Text | Self::Type(KeyType::String) => true,
            Self::Plain => !text.contains(WILDCARDS),
            Self::Type(KeyType::Bool) => {
                text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
            }
            Self::Type(KeyType::Numeric) => value::decimal(text).is_some(),
            Self::Type(KeyType::Date) => value::instant(text).is_some(),
            // Requests come from one address.
            Self::Type(KeyType::IpAddress) => !text.contains('/') && Cidr::parse(text).is_some(),
            Self::Type(KeyType::Arn) => is_arn(text),
            Self::Account => text.len() == ACCOUNT_DIGITS && text.bytes().all(|b| b.is_ascii_digit()),
            Self::Region => is_region(text),
            Self::Name => {
                let plain = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
                (1..=64).contains(&text.len()) && text.chars().all(plain)
            }
        }
    }

    /// Texts that a pattern with wildcards matches; some may not be of the form.
    pub(super) fn instances(self, pattern: &Pattern, context: &Context, add: &mut dyn FnMut(Option<String>)) {
        let mut fill = |runs: &[&str], one: char| {
            for run in runs {
                add(pattern.instance(context, run, one));
                add(with_last_run(pattern, run, one));
            }
        };
        match self {
            Self::Text | Self::Plain | Self::Name | Self::Type(KeyType::String | KeyType::Bool) => {
                add(pattern.instance(context, "a", 'a'));
                add(pattern.instance(context, "", 'b'));
                add(pattern.instance(context, "zz", 'z'));
            }
            Self::Type(KeyType::Numeric) => fill(&["1", "", "7"], '1'),
            Self::Type(KeyType::IpAddress) => {
                fill(
                    &["7", ".7", "", "0.7", ".0.7", "0.0.7", ".0.0.7", "198.51.100.7"],
                    '7',
                );
            }
            Self::Type(KeyType::Date) => fill(&["1", "01", "", "1-01", "01-01", "-01-01T00:00:00Z"], '1'),
            Self::Region => fill(&["1", "", "west-1", "eu-west-1"], '1'),
            Self::Account => {
                let fixed = pattern.tokens().iter().filter(|token| **token != GlobToken::Many);
                let digits = "0".repeat(ACCOUNT_DIGITS.saturating_sub(fixed.count()));
                fill(&[&digits], '0');
            }
            Self::Type(KeyType::Arn) => {
                fill(&["a", ""], 'a');
                for kind in SOME_ARNS.iter() {
                    let overlap = kind.overlap(pattern, context);
                    add(overlap.and_then(|both| both.instance(context, "", 'a')));
                }
            }
        }
    }

    /// Values that nobody is likely to have written, the most likely one to read well first.
    pub(super) fn examples(self) -> &'static [&'static str] {
        match self {
            Self::Text | Self::Plain | Self::Type(KeyType::String) => &["something-else"],
            Self::Type(KeyType::Bool) => &["true", "false"],
            Self::Type(KeyType::Numeric) => &["1", "0"],
            Self::Type(KeyType::Date) => &["2001-02-03T04:05:06Z"],
            Self::Type(KeyType::IpAddress) => &["198.51.100.7", "2001:db8::7"],
            Self::Type(KeyType::Arn) => &["arn:aws:iam::999999999999:role/something-else"],
            Self::Account => &["999999999999", "123456789012"],
            Self::Region => &["eu-south-2", "us-east-1"],
            Self::Name => &["somebody"],
        }
    }
}

/// A text that a pattern without variables matches: `run` for its last `*`, nothing for the others.
fn with_last_run(pattern: &Pattern, run: &str, one: char) -> Option<String> {
    let tokens = pattern.tokens();
    let last = tokens.iter().rposition(|token| *token == GlobToken::Many);
    let mut text = String::new();
    for (i, token) in tokens.iter().enumerate() {
        match token {
            GlobToken::Char(c) => text.push(*c),
            GlobToken::One => text.push(one),
            GlobToken::Many if Some(i) == last => text.push_str(run),
            GlobToken::Many => {}
            GlobToken::Var(_) => return None,
        }
    }
    Some(text)
}

/// Six parts, of which the partition, the service and the last one are not empty.
fn is_arn(text: &str) -> bool {
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (arn, partition, service, _region, _account, rest) = (next(), next(), next(), next(), next(), next());
    arn == "arn" && !partition.is_empty() && !service.is_empty() && !rest.is_empty()
}

/// Lower-case words and a number, such as `us-gov-west-1`; `aws-global` stands for no region.
fn is_region(text: &str) -> bool {
    let Some((words, number)) = text.rsplit_once('-') else {
        return false;
    };
    let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    let numbered = !number.is_empty() && number.len() <= 2 && number.bytes().all(|b| b.is_ascii_digit());
    text == "aws-global" || (numbered && words.contains('-') && words.split('-').all(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_of_the_keys_type() {
        for (key, yes, no) in [
            ("aws:securetransport", "True", "yes"),
            ("s3:max-keys", "-1.5", "ten"),
            ("aws:currenttime", "2020-01-01", "today"),
            ("aws:sourceip", "2001:db8::1", "10.0.0.0/8"),
            ("aws:sourcearn", "arn:aws:sns:::t", "arn:::::any"),
            ("aws:principalaccount", "012345678901", "12345"),
            ("aws:requestedregion", "us-gov-west-1", "something-else"),
            ("aws:username", "a.b@c", "a/b"),
            ("aws:username", "a", ""),
            ("aws:principaltag/team", "a/b", "a*"),
            ("aws:principalorgid", "o-a", "o-?"),
        ] {
            assert!(Form::of(key).has(yes), "{key}={yes}");
            assert!(!Form::of(key).has(no), "{key}={no}");
        }
        assert!(Form::of("aws:principaltag/team").has(""));
    }

    #[test]
    fn examples_are_possible() {
        for key in [
            "x:y",
            "aws:securetransport",
            "s3:max-keys",
            "aws:currenttime",
            "aws:sourceip",
            "aws:sourcearn",
            "aws:sourceaccount",
            "aws:requestedregion",
            "aws:username",
        ] {
            let form = Form::of(key);
            assert!(!form.examples().is_empty(), "{key}");
            assert!(form.examples().iter().all(|text| form.has(text)), "{key}");
        }
    }
}
