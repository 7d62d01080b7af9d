//! From what bindings ask for and what AWS shows: the trust policy that is written. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use data_encoding::HEXLOWER;
use deputy_policy::{Document, Statement};
use sha2::{Digest, Sha256};

use super::{
    deny::{deny_all, written},
    outside::Outside,
    replaced::{FormerPrincipal, Record, ReplacedPrincipals, sid_of},
};
use crate::{
    model::{Binding, ObjectId, Subjects},
    names::{PrincipalId, PrincipalKind},
    naming::principal_mark,
    quota::TRUST_POLICY,
};

/// The trust policy that bindings ask for, and whom it has no room for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompiledTrust {
    /// With all of them, as if AWS knew each, and nobody had been replaced.
    pub document: Document,
    /// Bindings whose subjects it does not name, because it would be larger than [`TRUST_POLICY`] with them.
    pub left_out: Vec<LeftOut>,
    parts: Parts,
}

/// A binding that a trust policy has no room for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Which.
    pub binding: ObjectId,
    /// What the policy would have with it, in characters.
    pub size: usize,
}

/// The trust policy as it is to be in AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenTrust {
    /// What is written.
    pub document: Document,
    /// Whom it does not name although accepted bindings do.
    pub left_out: Vec<LeftOutPrincipal>,
}

/// Somebody outside of the cluster whom an accepted binding names, and the trust policy does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOutPrincipal {
    /// Its ARN.
    pub arn: String,
    /// Why.
    pub why: WhyLeftOut,
}

/// Why a principal is not named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyLeftOut {
    /// The user or role that was trusted was deleted; whoever has its ARN now is not known to be meant.
    Replaced(FormerPrincipal),
    /// AWS does not know it.
    Unknown,
    /// What is noted down about others leaves no room.
    NoRoom,
}

/// Users and roles that bindings of a role name, accepted or not: what is noted down about them stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPrincipals {
    /// By ARN: what each of their subjects says that it replaces.
    by_arn: BTreeMap<String, (PrincipalKind, Vec<Option<PrincipalId>>)>,
    /// Whether that is all: not when a binding can't be read.
    is_whole: bool,
}

impl NamedPrincipals {
    /// Those of `bindings`; `is_whole` says whether these are all bindings of the role.
    #[must_use]
    pub fn of(bindings: &[Arc<Binding>], is_whole: bool) -> Self {
        let mut by_arn: BTreeMap<String, (PrincipalKind, Vec<_>)> = BTreeMap::new();
        for binding in bindings {
            let Subjects::AwsPrincipals(list) = &binding.subjects else {
                continue;
            };
            for principal in list.iter().filter(|p| p.arn().kind() != PrincipalKind::Account) {
                let kind = principal.arn().kind();
                let entry = by_arn.entry(principal.arn().to_string());
                let (_, replaces) = entry.or_insert_with(|| (kind, Vec::new()));
                replaces.push(principal.replaces().cloned());
            }
        }
        Self { by_arn, is_whole }
    }
}

/// The statements that a trust policy is made of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Parts {
    /// About Deputy and the pods of its cluster.
    pub(super) inside: Vec<Statement>,
    /// About all others.
    outside: Vec<Outside>,
}

impl Parts {
    /// Adds a statement, unless it is there; then what its subjects know to be gone is known there, too.
    pub(super) fn push(&mut self, mut part: Outside) {
        let same = |there: &&mut Outside| {
            let sid = part.statement.sid.clone();
            let there_without_its = Statement {
                sid,
                ..there.statement.clone()
            };
            there.principals == part.principals && there_without_its == part.statement
        };
        if let Some(there) = self.outside.iter_mut().find(same) {
            if let (Some(there), Some(more)) = (&mut there.entity, part.entity) {
                there.replaces.extend(more.replaces);
            }
            return;
        }
        if let (Some(_), Some(arn)) = (&part.entity, part.principals.first()) {
            let before = self.outside.iter().filter(|o| o.principals == part.principals);
            part.statement.sid = Some(sid_of(arn, before.filter(|o| o.entity.is_some()).count() + 1));
        }
        self.outside.push(part);
    }

    /// All of them.
    pub(super) fn document(&self) -> Document {
        let outside = self.outside.iter().map(|part| part.statement.clone());
        written(self.inside.iter().cloned().chain(outside).collect())
    }

    /// Characters of the policy, which is `document`, with what is kept free for the record of a user or role: where the record takes the
    /// place of more than one, each had more than it leaves.
    pub(super) fn size(&self, document: &Document) -> usize {
        if self.outside.iter().all(|part| part.entity.is_none()) {
            return document.size();
        }
        let one = PrincipalId::new("AROADBQP57FF2AEXAMPLE").ok();
        let entries = one.map(|id| (principal_mark(""), id)).into_iter().collect();
        let record = Record {
            entries,
            ..Record::default()
        };
        let mut statements = document.statements().to_vec();
        statements.extend(record.statements());
        written(statements).size()
    }
}

/// Nobody's.
impl Default for CompiledTrust {
    fn default() -> Self {
        Self {
            document: deny_all(),
            left_out: Vec::new(),
            parts: Parts::default(),
        }
    }
}

impl CompiledTrust {
    /// From now on it is this `document`, of these parts.
    pub(super) fn trusts(&mut self, parts: Parts, document: Document) {
        (self.parts, self.document) = (parts, document);
    }

    /// SHA-256, in hexadecimal, of what is asked for: of the policy, and where subjects say what they replace, of that.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut text = self.document.to_json();
        for part in &self.parts.outside {
            let replaces = part.entity.iter().flat_map(|entity| &entity.replaces);
            for id in replaces {
                let sid = part.statement.sid.as_deref().unwrap_or_default();
                text.push_str(&format!("\n{sid} {id}"));
            }
        }
        HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
    }

    /// All whom AWS has to know for it, outside of the cluster.
    pub fn principals(&self) -> impl Iterator<Item = &str> {
        let outside = self.parts.outside.iter();
        outside.flat_map(|part| part.principals.iter().map(String::as_str))
    }

    /// The policy that takes the place of what `known` was read from. It leaves out who was replaced, unless its subject says so, and
    /// those in `unknown`, whom AWS does not know; and it notes down whatever would be lost.
    #[must_use]
    pub fn against(
        &self,
        named: &NamedPrincipals,
        known: &ReplacedPrincipals,
        unknown: &BTreeSet<String>,
    ) -> WrittenTrust {
        let choice = self.choose(named, known, unknown, false);
        if choice.is_only_inside() {
            // Nobody is left out of it, and nothing noted down: it is what was compiled.
            return choice.written_as(self.document.clone());
        }
        let document = choice.document();
        if document.size() <= TRUST_POLICY {
            return choice.written_as(document);
        }
        // The record has no room: then no user or role is trusted that is not trusted already, unless its subject says what it replaces.
        let mut choice = self.choose(named, known, unknown, true);
        let mut document = choice.document();
        while document.size() > TRUST_POLICY && choice.drop_last() {
            document = choice.document();
        }
        choice.written_as(document)
    }

    fn choose(
        &self,
        named: &NamedPrincipals,
        known: &ReplacedPrincipals,
        unknown: &BTreeSet<String>,
        loses: bool,
    ) -> Choice {
        let mut choice = Choice {
            inside: self.parts.inside.clone(),
            ..Choice::default()
        };
        let mut trusted = BTreeSet::new();
        for part in &self.parts.outside {
            if let (Some(entity), Some(arn)) = (&part.entity, part.principals.first()) {
                let lost = || (loses && !known.shows(arn)).then_some(FormerPrincipal::Lost);
                let former = known.former(arn, entity.kind).or_else(lost);
                let known_to_be_gone =
                    |former: &FormerPrincipal| entity.replaces.iter().any(|id| former.is_known_by(Some(id)));
                if let Some(former) = former.filter(|former| !known_to_be_gone(former)) {
                    choice.leave_out(arn, &WhyLeftOut::Replaced(former));
                    continue;
                }
            }
            for arn in part.principals.iter().filter(|arn| unknown.contains(*arn)) {
                choice.leave_out(arn, &WhyLeftOut::Unknown);
            }
            if let Some(statement) = part.without(unknown) {
                let arns = part.principals.iter().filter(|arn| !unknown.contains(*arn));
                trusted.extend(arns.map(String::as_str));
                choice.outside.push((part.principals.clone(), statement));
            }
        }
        choice.record = if loses {
            Record::lost()
        } else {
            named.record(known, &trusted)
        };
        choice
    }
}

impl NamedPrincipals {
    /// What stays noted down when these are trusted: who was replaced, until all who name the ARN know it, and it is trusted anew.
    fn record(&self, known: &ReplacedPrincipals, trusted: &BTreeSet<&str>) -> Record {
        let mut record = if self.is_whole {
            Record::default()
        } else {
            known.all()
        };
        for (arn, (kind, replaces)) in &self.by_arn {
            let mark = principal_mark(arn);
            let Some(former) = known.former(arn, *kind) else {
                continue;
            };
            let all_know = replaces.iter().all(|id| former.is_known_by(id.as_ref()));
            let is_over = all_know && trusted.contains(arn.as_str());
            match former {
                _ if is_over => {
                    record.entries.remove(&mark);
                }
                FormerPrincipal::Known(id) => {
                    record.entries.insert(mark, id);
                }
                FormerPrincipal::Lost => record.is_lost = true,
            }
        }
        record
    }
}

/// What goes into a policy.
#[derive(Default)]
struct Choice {
    inside: Vec<Statement>,
    outside: Vec<(Vec<String>, Statement)>,
    record: Record,
    left_out: Vec<LeftOutPrincipal>,
}

impl Choice {
    fn leave_out(&mut self, arn: &str, why: &WhyLeftOut) {
        if self.left_out.iter().all(|there| there.arn != arn) {
            self.left_out.push(LeftOutPrincipal {
                arn: arn.to_owned(),
                why: why.clone(),
            });
        }
    }

    /// Leaves out the last ones. Whether there were any.
    fn drop_last(&mut self) -> bool {
        let Some((principals, _)) = self.outside.pop() else {
            return false;
        };
        for arn in &principals {
            self.leave_out(arn, &WhyLeftOut::NoRoom);
        }
        true
    }

    /// Whether it says nothing of anybody outside of the cluster.
    fn is_only_inside(&self) -> bool {
        self.outside.is_empty() && self.left_out.is_empty() && self.record == Record::default()
    }

    fn document(&self) -> Document {
        let outside = self.outside.iter().map(|(_, statement)| statement.clone());
        let mut statements: Vec<Statement> = self.inside.iter().cloned().chain(outside).collect();
        if statements.is_empty() {
            statements = deny_all().statements().to_vec();
        }
        statements.extend(self.record.statements());
        written(statements)
    }

    fn written_as(self, document: Document) -> WrittenTrust {
        WrittenTrust {
            document,
            left_out: self.left_out,
        }
    }
}
