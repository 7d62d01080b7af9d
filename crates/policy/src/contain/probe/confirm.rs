//! Whether a request exceeds: what the evaluator says of it, for the candidate and for the ceiling.

use std::cell::OnceCell;

use super::question::UnprovedElement;
use crate::{
    compiled::CompiledStatement,
    contain::search::callers::{CallerFacts, PossibleCaller, subjects},
    document::{Document, place::StatementRef},
    evaluate::{
        matching::{DocumentOutcome, Doubt, Prepared},
        request::Request,
    },
    principal::{caller::Caller, naming::Match},
    work::Work,
};

pub(in crate::contain) struct Probe<'a> {
    pub(super) layers: &'a [Vec<&'a Document>],
    /// Of all layers, the first one's first.
    pub(super) documents: Vec<&'a Document>,
    pub(super) ceiling: &'a Document,
    /// All sorts of callers, when somebody asked; none when they are too many.
    subjects: OnceCell<Vec<PossibleCaller>>,
}

impl<'a> Probe<'a> {
    pub(in crate::contain) fn new(layers: &'a [Vec<&'a Document>], ceiling: &'a Document) -> Self {
        Self {
            layers,
            documents: layers.iter().flat_map(|layer| layer.iter().copied()).collect(),
            ceiling,
            subjects: OnceCell::new(),
        }
    }

    pub(super) fn statement(
        &self,
        question: &UnprovedElement,
    ) -> Option<(&'a Document, &'a CompiledStatement)> {
        let StatementRef { document, statement } = question.statement;
        let document = *self.layers.first()?.get(document)?;
        Some((document, document.compiled().statements.get(statement)?))
    }

    pub(super) fn deny(&self, question: &UnprovedElement) -> Option<&'a CompiledStatement> {
        self.ceiling.compiled().statements.get(question.deny?)
    }

    /// A condition key the way some statement spells it.
    pub(super) fn spelled<'k>(&'k self, key: &'k str) -> &'k str {
        let documents = self.documents.iter().chain([&self.ceiling]);
        let mut atoms = documents
            .flat_map(|document| &document.compiled().statements)
            .flat_map(|statement| &statement.atoms);
        atoms
            .find(|atom| atom.key == key)
            .map_or(key, |atom| &atom.spelled)
    }

    /// Asks for callers that the statement is about, at most so many.
    pub(super) fn with_callers<T>(
        &self,
        statement: &CompiledStatement,
        most: usize,
        mut ask: impl FnMut(Option<Caller>, bool) -> Option<T>,
    ) -> Option<T> {
        let Some(element) = &statement.principal else {
            return ask(None, false);
        };
        let about = |subject: &&PossibleCaller| element.about(&subject.who()) == Match::Yes;
        self.subjects()
            .iter()
            .filter(about)
            .take(most)
            .find_map(|subject| {
                let mut descriptions = subject.descriptions().into_iter();
                descriptions.find_map(|caller| ask(Some(caller), subject.is_bounded()))
            })
    }

    pub(super) fn subjects(&self) -> &[PossibleCaller] {
        self.subjects.get_or_init(|| {
            let documents = self.documents.iter().chain([&self.ceiling]);
            let statements = documents.flat_map(|d| &d.compiled().statements);
            let elements = statements.filter_map(|statement| statement.principal.as_ref());
            subjects(elements.clone(), &CallerFacts::of(elements)).unwrap_or_default()
        })
    }

    /// Whether the candidate certainly allows the request and the ceiling certainly does not, whoever the caller is of whom
    /// not everything is known; where in the first layer it is allowed.
    pub(super) fn exceeds(&self, request: &Request, bounded: bool, work: &mut Work) -> Option<StatementRef> {
        let prepared = Prepared::new(request).bounded(bounded).read(Doubt::Grants);
        if let DocumentOutcome::Allowed(_) = self.ceiling.compiled().outcome(&prepared, work) {
            return None;
        }
        let prepared = prepared.read(Doubt::Refuses);
        let mut first = None;
        for layer in self.layers {
            let mut allowed = None;
            for (d, document) in layer.iter().enumerate() {
                match document.compiled().outcome(&prepared, work) {
                    DocumentOutcome::Denied(_) => return None,
                    DocumentOutcome::Allowed(s) if allowed.is_none() => {
                        allowed = Some(StatementRef {
                            document: d,
                            statement: s,
                        });
                    }
                    DocumentOutcome::Allowed(_) | DocumentOutcome::Silent => {}
                }
            }
            let allowed = allowed?;
            first = first.or(Some(allowed));
        }
        first.filter(|_| !work.exhausted())
    }
}
