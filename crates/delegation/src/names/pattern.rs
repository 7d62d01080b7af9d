//! Patterns on names.

use std::fmt;

use super::{AccountId, NameError, NamespaceName, Partition};

/// Whether `pattern`, in which `*` is any run of characters, covers all of `text`.
#[must_use]
pub fn wildcard_match(pattern: &str, text: &str) -> bool {
    // Greedy with one point of return: linear in pattern times name.
    let (p, s) = (pattern.as_bytes(), text.as_bytes());
    let (mut i, mut j, mut back) = (0, 0, None);
    while j < s.len() {
        match p.get(i) {
            Some(b'*') => {
                back = Some((i + 1, j));
                i += 1;
            }
            Some(c) if Some(c) == s.get(j) => {
                i += 1;
                j += 1;
            }
            _ => match back {
                Some((star, at)) => {
                    i = star;
                    j = at + 1;
                    back = Some((star, at + 1));
                }
                None => return false,
            },
        }
    }
    p.get(i..).is_some_and(|rest| rest.iter().all(|b| *b == b'*'))
}

/// Whether some text is covered by both patterns, in which `*` is any run of characters.
fn wildcards_overlap(a: &[u8], b: &[u8]) -> bool {
    // Which positions of `b` are reached with what was read of `a`: a row for each character of `a`.
    let stars = |row: &mut Vec<bool>| {
        for j in 0..b.len() {
            if row.get(j) == Some(&true)
                && b.get(j) == Some(&b'*')
                && let Some(next) = row.get_mut(j + 1)
            {
                *next = true;
            }
        }
    };
    let mut row = vec![false; b.len() + 1];
    if let Some(first) = row.first_mut() {
        *first = true;
    }
    stars(&mut row);
    for c in a {
        let mut next = vec![false; b.len() + 1];
        for (j, _) in row.iter().enumerate().filter(|(_, reached)| **reached) {
            let mut reach = |at: usize| {
                if let Some(cell) = next.get_mut(at) {
                    *cell = true;
                }
            };
            if *c == b'*' {
                // Nothing, or as much of `b` as there is.
                (j..=b.len()).for_each(reach);
            } else if b.get(j) == Some(&b'*') {
                reach(j);
            } else if b.get(j) == Some(c) {
                reach(j + 1);
            }
        }
        stars(&mut next);
        row = next;
    }
    row.last() == Some(&true)
}

/// A pattern on namespace names: literal characters and `*` (any run of characters, also none).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamespacePattern(String);

impl NamespacePattern {
    /// # Errors
    /// Empty, longer than 63 characters, or with characters no namespace has.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        let good = !text.is_empty()
            && text.len() <= 63
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'*');
        if good {
            Ok(Self(text))
        } else {
            Err(NameError::new(
                "namespace pattern",
                &text,
                "1 to 63 of lower-case letters, digits, - and *",
            ))
        }
    }
    /// Whether there may be a namespace that both cover.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        wildcards_overlap(self.0.as_bytes(), other.0.as_bytes())
    }
    /// Whether `namespace` is covered.
    #[must_use]
    pub fn matches(&self, namespace: &NamespaceName) -> bool {
        wildcard_match(&self.0, namespace.as_str())
    }
    /// The pattern's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl fmt::Display for NamespacePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A pattern on ARNs of IAM: `arn:<partition>:iam::<account>:<rest>` in which `*` stands for any characters of one of these parts, as
/// `ArnLike` has it (IAM User Guide, "Amazon Resource Name (ARN) condition operators"). ARNs are compared with case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IamArnPattern(String);

impl IamArnPattern {
    /// # Errors
    /// Not of that form, longer than 640 characters, or with characters that no ARN of IAM has.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        let bad = |rule| Err(NameError::new("ARN pattern", &text, rule));
        if text.len() > 640 {
            return bad("at most 640 characters");
        }
        if !text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_+=,.@/:*-".contains(&b))
        {
            return bad("letters, digits and _+=,.@/:-, and * for any characters");
        }
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        match parts.as_slice() {
            ["arn", partition, "iam", "", account, rest]
                if !partition.is_empty() && !account.is_empty() && !rest.is_empty() =>
            {
                Ok(Self(text))
            }
            _ => bad("arn:<partition>:iam::<account>:…, each part with * where any characters will do"),
        }
    }
    /// Whether it covers ARNs of this kind of entity alone, such as `policy` or `role`.
    #[must_use]
    pub fn is_of(&self, entity: &str) -> bool {
        let rest = self.0.splitn(6, ':').nth(5);
        rest.and_then(|rest| rest.split_once('/'))
            .is_some_and(|(kind, _)| kind == entity)
    }
    /// The roles of an account that it may cover, as a pattern of IAM; `None` when it covers none there.
    #[must_use]
    pub fn roles_in(&self, partition: &Partition, account: &AccountId) -> Option<String> {
        let parts: Vec<&str> = self.0.splitn(6, ':').collect();
        let &[_, of_partition, _, _, of_account, rest] = parts.as_slice() else {
            return None;
        };
        let there =
            wildcard_match(of_partition, partition.as_str()) && wildcard_match(of_account, account.as_str());
        (there && self.is_of("role")).then(|| format!("arn:{partition}:iam::{account}:{rest}"))
    }
    /// Whether it may cover an OpenID Connect provider of `issuer`, or of one below its path.
    pub(super) fn may_be_issuer(&self, issuer: &str) -> bool {
        let rest = self.0.splitn(6, ':').nth(5).unwrap_or_default();
        ["", "/*"].iter().any(|path| {
            wildcards_overlap(
                rest.as_bytes(),
                format!("oidc-provider/{issuer}{path}").as_bytes(),
            )
        })
    }
    /// Whether `arn` is covered, part by part.
    #[must_use]
    pub fn matches(&self, arn: &str) -> bool {
        let mut patterns = self.0.splitn(6, ':');
        let mut parts = arn.splitn(6, ':');
        loop {
            match (patterns.next(), parts.next()) {
                (Some(pattern), Some(part)) if wildcard_match(pattern, part) => {}
                (None, None) => return true,
                _ => return false,
            }
        }
    }
    /// The pattern's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl fmt::Display for IamArnPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A pattern on names that others choose (of people, of a claim's values): literal characters and `*` (any run of characters, also none).
/// Compared with case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextPattern(String);

impl TextPattern {
    /// # Errors
    /// Empty, longer than 256 characters, or with other characters than printable ASCII.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        if (1..=256).contains(&text.len()) && text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
            Ok(Self(text))
        } else {
            let rule = "1 to 256 printable ASCII characters, * for any characters";
            Err(NameError::new("pattern", &text, rule))
        }
    }
    /// Whether all of `text` is covered.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        wildcard_match(&self.0, text)
    }
    /// Whether every text is covered.
    #[must_use]
    pub fn matches_all(&self) -> bool {
        self.0.bytes().all(|b| b == b'*')
    }
    /// The pattern's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl fmt::Display for TextPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
