//! Users and roles that were deleted, as the trust policy of a role remembers them. Pure.
//!
//! AWS stores a user or role by its unique id, and shows the ARN while it is there. Once it is deleted the id alone is shown, also when
//! another one of the same ARN was made since; whoever writes the ARN again trusts that one. So before the id is gone from the policy it
//! has to be noted down. It is noted down in the very document that takes its place, in the Sid of a statement that denies nobody: no
//! order of calls, no call that fails and no process that dies can come between. `docs/design/0007-replaced-principals.md` says what was
//! weighed against that.

use std::collections::{BTreeMap, BTreeSet};

use deputy_policy::{
    ActionElement, Condition, Document, Effect, PolicyKind, Principal, PrincipalElement, Statement, Test,
};

use super::deny::{deny_all, written};
use crate::{
    names::{PrincipalId, PrincipalKind},
    naming::principal_mark,
    quota::TRUST_POLICY,
};

/// Begins the Sid of a statement about one user or role; then its mark, and a number where it has several.
const TRUSTED: char = 'P';
/// Begins the Sid of a statement that holds the record; then for each entry the mark and the id.
const RECORD: char = 'R';
/// The Sid of a record that had no room: whose ids they were is not known any more.
const LOST: &str = "Rlost";
/// Letters of a mark.
const MARK: usize = 16;
/// Stands for the mark of an id that was found in a statement that Deputy did not write: it may be anybody's.
const STRAY: &str = "qqqqqqqqqqqqqqqq";
/// Entries in one Sid. AWS says of Sids only which characters they have.
const ENTRIES_OF_SID: usize = 3;

/// The Sid of the statement about the user or role of this ARN; `place` counts those about the same one, from 1.
pub(super) fn sid_of(arn: &str, place: usize) -> String {
    let mark = principal_mark(arn);
    match place {
        0 | 1 => format!("{TRUSTED}{mark}"),
        more => format!("{TRUSTED}{mark}{more}"),
    }
}

fn mark_of(sid: &str) -> Option<&str> {
    let (mark, place) = sid.strip_prefix(TRUSTED)?.split_at_checked(MARK)?;
    let is_ours =
        mark.bytes().all(|b| (b'a'..=b'p').contains(&b)) && place.bytes().all(|b| b.is_ascii_digit());
    is_ours.then_some(mark)
}

/// Who had an ARN before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormerPrincipal {
    /// The one with this id.
    Known(PrincipalId),
    /// Somebody, or nobody: the record had no room, or can't be read.
    Lost,
}

impl FormerPrincipal {
    /// Whether a subject that says this knows of it.
    pub(super) fn is_known_by(&self, replaces: Option<&PrincipalId>) -> bool {
        match self {
            Self::Known(id) => replaces == Some(id),
            Self::Lost => replaces.is_some(),
        }
    }

    /// Its id, if that is known.
    #[must_use]
    pub fn id(&self) -> Option<&PrincipalId> {
        match self {
            Self::Known(id) => Some(id),
            Self::Lost => None,
        }
    }
}

/// What is known of users and roles that were deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplacedPrincipals {
    record: Record,
    /// Ids in statements of Deputy's, by the mark of the ARN for which they are shown.
    dead: BTreeMap<String, PrincipalId>,
    /// All that are shown by their ARN: they are there.
    shown: BTreeSet<String>,
    /// By ARN: what the status of the role says.
    remembered: BTreeMap<String, PrincipalId>,
}

impl ReplacedPrincipals {
    /// What the trust policy says, as AWS shows it.
    #[must_use]
    pub fn shown_by(trust: &str) -> Self {
        let Ok(document) = Document::parse(trust, PolicyKind::Trust) else {
            let may_hold_some = ["AROA", "AIDA", LOST].iter().any(|word| trust.contains(word));
            return Self {
                record: Record {
                    is_lost: may_hold_some,
                    ..Record::default()
                },
                ..Self::default()
            };
        };
        let mut found = Self {
            record: Record::of(&document),
            ..Self::default()
        };
        for statement in document.statements() {
            let Some(
                PrincipalElement::Principal(Principal::Listed { aws, .. })
                | PrincipalElement::NotPrincipal(Principal::Listed { aws, .. }),
            ) = &statement.principal
            else {
                continue;
            };
            let mark = statement.sid.as_deref().and_then(mark_of);
            for who in aws {
                let Ok(id) = PrincipalId::new(who.as_str()) else {
                    found.shown.insert(who.clone());
                    continue;
                };
                match mark {
                    Some(mark) if !found.dead.contains_key(mark) => {
                        found.dead.insert(mark.to_owned(), id);
                    }
                    _ => {
                        found.record.strays.insert(id);
                    }
                }
            }
        }
        found
    }

    /// The same, and what the status of the role says: it knows more when somebody has changed or deleted the role by hand.
    #[must_use]
    pub fn and_remembered(mut self, remembered: BTreeMap<String, PrincipalId>) -> Self {
        self.remembered = remembered;
        self
    }

    /// Whether AWS shows this ARN: whoever has it was trusted, and is there.
    #[must_use]
    pub fn shows(&self, arn: &str) -> bool {
        self.shown.contains(arn)
    }

    /// Who had this ARN and is not there any more. `None` when nobody is known of.
    #[must_use]
    pub fn former(&self, arn: &str, kind: PrincipalKind) -> Option<FormerPrincipal> {
        let mark = principal_mark(arn);
        // What is shown now was trusted after what was noted down.
        let noted = self.dead.get(&mark).or_else(|| self.record.entries.get(&mark));
        if let Some(id) = noted {
            return Some(FormerPrincipal::Known(id.clone()));
        }
        if self.shows(arn) {
            return None;
        }
        let stray = || self.record.strays.iter().find(|id| id.kind() == kind);
        match self.remembered.get(arn).or_else(stray) {
            Some(id) => Some(FormerPrincipal::Known(id.clone())),
            None => self.record.is_lost.then_some(FormerPrincipal::Lost),
        }
    }

    /// All that the policy says, to be noted down.
    pub(super) fn all(&self) -> Record {
        let mut record = self.record.clone();
        let dead = self.dead.iter().map(|(mark, id)| (mark.clone(), id.clone()));
        record.entries.extend(dead);
        record
    }
}

/// What a trust policy has noted down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// By mark.
    pub(super) entries: BTreeMap<String, PrincipalId>,
    /// Whose they were is not known.
    pub(super) strays: BTreeSet<PrincipalId>,
    /// There was more than there is room for.
    pub(super) is_lost: bool,
}

impl Record {
    /// That there was more than there is room for.
    pub(super) fn lost() -> Self {
        Self {
            is_lost: true,
            ..Self::default()
        }
    }

    fn of(document: &Document) -> Self {
        let mut record = Self::default();
        for sid in document.statements().iter().filter_map(|s| s.sid.as_deref()) {
            if sid == LOST {
                record.is_lost = true;
            }
            for (mark, id) in entries(sid).unwrap_or_default() {
                if mark == STRAY {
                    record.strays.insert(id);
                } else {
                    record.entries.insert(mark.to_owned(), id);
                }
            }
        }
        record
    }

    /// The statements that hold it. They deny a principal of a name that none has, so they deny nobody.
    pub(super) fn statements(&self) -> Vec<Statement> {
        let entries = self.entries.iter().map(|(mark, id)| format!("{mark}{id}"));
        let strays = self.strays.iter().map(|id| format!("{STRAY}{id}"));
        let all: Vec<String> = entries.chain(strays).collect();
        let sids = all
            .chunks(ENTRIES_OF_SID)
            .map(|entries| format!("{RECORD}{}", entries.concat()));
        let lost = self.is_lost.then(|| LOST.to_owned());
        sids.chain(lost).map(denies_nobody).collect()
    }
}

fn denies_nobody(sid: String) -> Statement {
    Statement {
        sid: Some(sid),
        effect: Effect::Deny,
        principal: Some(PrincipalElement::Principal(Principal::Anyone)),
        action: ActionElement::Action(vec!["sts:AssumeRole".to_owned()]),
        resource: None,
        conditions: vec![Condition::new(Test::StringEquals, "aws:PrincipalArn", ["none"])],
    }
}

/// Marks and ids in the Sid of a record; `None` when it is none.
fn entries(sid: &str) -> Option<Vec<(&str, PrincipalId)>> {
    let mut rest = sid.strip_prefix(RECORD)?;
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let (mark, after) = rest.split_at_checked(MARK)?;
        if !mark.bytes().all(|b| (b'a'..=b'q').contains(&b)) {
            return None;
        }
        let end = after
            .find(|c: char| c.is_ascii_lowercase())
            .unwrap_or(after.len());
        let (id, next) = after.split_at_checked(end)?;
        entries.push((mark, PrincipalId::new(id).ok()?));
        rest = next;
    }
    Some(entries)
}

/// The trust policy that nobody is trusted by, in place of `observed`, with all that would be lost with that.
#[must_use]
pub fn closed(observed: &str) -> Document {
    let with = |record: &Record| {
        let mut statements = deny_all().statements().to_vec();
        statements.extend(record.statements());
        written(statements)
    };
    let closed = with(&ReplacedPrincipals::shown_by(observed).all());
    if closed.size() <= TRUST_POLICY {
        closed
    } else {
        with(&Record::lost())
    }
}

/// The document without what is noted down in it, which grants and denies nothing. `None` when there is nothing else.
pub(crate) fn without_record(document: &Document) -> Option<Document> {
    let is_record = |statement: &Statement| {
        statement.sid.as_deref().is_some_and(|sid| {
            (sid == LOST || entries(sid).is_some_and(|entries| !entries.is_empty()))
                && *statement == denies_nobody(sid.to_owned())
        })
    };
    let statements = document.statements().iter().filter(|s| !is_record(s));
    Document::new(document.version(), statements.cloned().collect(), document.kind()).ok()
}

/// Whether two trust policies note down the same, and say for the same users and roles whose statement is whose.
pub(crate) fn notes_the_same(a: &Document, b: &Document) -> bool {
    let trusted = |document: &Document| -> BTreeSet<String> {
        let sids = document.statements().iter().filter_map(|s| s.sid.clone());
        sids.filter(|sid| mark_of(sid).is_some()).collect()
    };
    Record::of(a) == Record::of(b) && trusted(a) == trusted(b)
}
