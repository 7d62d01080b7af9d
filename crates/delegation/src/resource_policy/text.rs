//! The text of a policy as its statements, none of which is written anew.

use std::borrow::Cow;

use deputy_policy::{Document, PolicyKind};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use crate::names::StatementSid;

/// Why the text of a policy can't be taken apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PolicyTextError(String);

/// A policy: what is before its statements, and the text of each.
#[derive(Debug, Default, PartialEq)]
pub(super) struct PolicyText<'a> {
    /// `Version` and `Id` with their text.
    head: Vec<(&'static str, &'a str)>,
    statements: Vec<&'a str>,
    /// Whether there is a policy.
    is_there: bool,
}

/// What a policy has under a Sid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing.
    Absent,
    /// What is wanted, and once.
    AsWanted,
    /// Something else: its text.
    Other(String),
}

/// The elements of a policy. Whatever else is there, is not known to be without meaning.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Elements<'a> {
    #[serde(borrow, default)]
    version: Option<&'a RawValue>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    statement: &'a RawValue,
}

impl<'a> PolicyText<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, PolicyTextError> {
        let bad = |error: serde_json::Error| PolicyTextError(error.to_string());
        let elements: Elements<'a> = serde_json::from_str(text).map_err(bad)?;
        let statement = elements.statement.get();
        let statements: Vec<&'a RawValue> = if statement.starts_with('[') {
            serde_json::from_str(statement).map_err(bad)?
        } else {
            vec![elements.statement]
        };
        for statement in &statements {
            // Nothing but an object is a statement.
            serde_json::from_str::<Map<String, Value>>(statement.get()).map_err(bad)?;
        }
        let head = [("Version", elements.version), ("Id", elements.id)];
        Ok(Self {
            head: head
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?.get())))
                .collect(),
            statements: statements.into_iter().map(RawValue::get).collect(),
            is_there: true,
        })
    }

    /// The version of its language, when that is one without policy variables.
    pub(super) fn old_version(&self) -> Option<String> {
        if !self.is_there {
            return None;
        }
        match self.head.iter().find(|(name, _)| *name == "Version") {
            Some((_, r#""2012-10-17""#)) => None,
            Some((_, version)) => Some(version.trim_matches('"').to_owned()),
            None => Some("2008-10-17, as it says none".to_owned()),
        }
    }

    pub(super) fn standing(&self, sid: &StatementSid, wanted: Option<&Document>) -> Standing {
        let under: Vec<&str> = self.under(sid).collect();
        match under.as_slice() {
            [] => Standing::Absent,
            [one] if wanted.is_some_and(|wanted| self.says(one, wanted)) => Standing::AsWanted,
            all => Standing::Other(all.join(",")),
        }
    }

    /// Whether a statement means what `wanted` does, in the language of this policy.
    fn says(&self, statement: &'a str, wanted: &Document) -> bool {
        let alone = Self {
            head: self.head.clone(),
            statements: vec![statement],
            is_there: true,
        };
        let Ok(found) = Document::parse(&alone.print(), PolicyKind::Resource) else {
            return false;
        };
        let same_language = Document::new(
            found.version(),
            wanted.statements().to_vec(),
            PolicyKind::Resource,
        );
        same_language.is_ok_and(|wanted| found.semantically_eq(&wanted))
    }

    /// The policy with `statement` in the place of what it has under the Sid, or at its end.
    pub(super) fn with(&self, sid: &StatementSid, statement: &'a str) -> String {
        let mut new = Self {
            head: self.head.clone(),
            statements: Vec::new(),
            is_there: true,
        };
        if !self.is_there {
            new.head.push(("Version", r#""2012-10-17""#));
        }
        let mut is_in = false;
        for there in &self.statements {
            if !is_of(there, sid) {
                new.statements.push(there);
            } else if !is_in {
                new.statements.push(statement);
                is_in = true;
            }
        }
        if !is_in {
            new.statements.push(statement);
        }
        new.print()
    }

    /// The policy, in which the statements that `is_own` knows by their Sid name nobody who is gone: AWS takes no policy with the unique id of
    /// such a user or role, whichever statement has it, and their own turn puts these statements right. One that named nobody else is
    /// not in it.
    pub(super) fn without_the_gone(&self, is_own: &dyn Fn(&str) -> bool) -> Vec<Cow<'a, str>> {
        let statements = self.statements.iter().copied();
        statements
            .filter_map(|there| match gone_from(there, is_own) {
                Gone::Nobody => Some(Cow::Borrowed(there)),
                Gone::Some(left) => Some(Cow::Owned(left)),
                Gone::All => None,
            })
            .collect()
    }

    /// The policy with other statements.
    pub(super) fn of<'b>(&self, statements: &'b [Cow<'a, str>]) -> PolicyText<'b>
    where
        'a: 'b,
    {
        PolicyText {
            head: self.head.clone(),
            statements: statements.iter().map(AsRef::as_ref).collect(),
            is_there: self.is_there,
        }
    }

    /// The policy with nothing under the Sid; `None` when nothing is left.
    pub(super) fn without(&self, sid: &StatementSid) -> Option<String> {
        let others = self.statements.iter().copied().filter(|there| !is_of(there, sid));
        let left = Self {
            head: self.head.clone(),
            statements: others.collect(),
            is_there: true,
        };
        (!left.statements.is_empty()).then(|| left.print())
    }

    /// The policy with this statement and no other.
    pub(super) fn with_alone(&self, statement: &str) -> String {
        let alone = PolicyText {
            head: self.head.clone(),
            statements: vec![statement],
            is_there: true,
        };
        alone.print()
    }

    fn under(&self, sid: &StatementSid) -> impl Iterator<Item = &'a str> {
        self.statements
            .iter()
            .copied()
            .filter(move |there| is_of(there, sid))
    }

    fn print(&self) -> String {
        let mut out = String::from("{");
        for (name, value) in &self.head {
            out.push_str(&format!(r#""{name}":{value},"#));
        }
        out.push_str(&format!(r#""Statement":[{}]}}"#, self.statements.join(",")));
        out
    }
}

/// Whether a statement has the Sid.
fn is_of(statement: &str, sid: &StatementSid) -> bool {
    sid_of(statement).is_some_and(|found| found == sid.as_str())
}

fn sid_of(statement: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Known {
        #[serde(rename = "Sid", default)]
        sid: Option<Value>,
    }
    let known: Known = serde_json::from_str(statement).ok()?;
    known.sid?.as_str().map(str::to_owned)
}

/// Who of a statement's principals is gone.
enum Gone {
    Nobody,
    /// Somebody; the statement without them.
    Some(String),
    All,
}

fn gone_from(statement: &str, is_own: &dyn Fn(&str) -> bool) -> Gone {
    if !sid_of(statement).is_some_and(|sid| is_own(&sid)) {
        return Gone::Nobody;
    }
    let Ok(mut parsed) = serde_json::from_str::<Value>(statement) else {
        return Gone::Nobody;
    };
    let is_gone = |principal: &Value| principal.as_str().is_some_and(is_unique_id);
    match parsed.pointer_mut("/Principal/AWS") {
        Some(Value::Array(principals)) if principals.iter().any(is_gone) => {
            principals.retain(|principal| !is_gone(principal));
            if principals.is_empty() {
                return Gone::All;
            }
        }
        Some(one) if is_gone(one) => return Gone::All,
        _ => return Gone::Nobody,
    }
    Gone::Some(parsed.to_string())
}

/// A user's or role's, which AWS shows in place of an ARN once that one is gone.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
fn is_unique_id(principal: &str) -> bool {
    ["AROA", "AIDA"]
        .iter()
        .any(|prefix| principal.starts_with(prefix))
}
