//! Statements with what was written.

use crate::{
    ast::{Effect, Statement},
    compiled::CompiledStatement,
    document::Document,
};

/// A candidate's layers of documents.
pub(super) type CandidateLayers<'a> = &'a [Vec<&'a Document>];

/// A statement with what was written.
#[derive(Clone, Copy)]
pub(super) struct SourceStatement<'a> {
    pub(super) compiled: &'a CompiledStatement,
    pub(super) written: &'a Statement,
}

pub(super) fn statements(
    document: &Document,
    effect: Effect,
) -> impl Iterator<Item = (usize, SourceStatement<'_>)> {
    let all = document
        .compiled()
        .statements
        .iter()
        .zip(document.statements())
        .enumerate();
    all.filter(move |(_, (compiled, _))| compiled.effect == effect)
        .map(|(s, (compiled, written))| (s, SourceStatement { compiled, written }))
}

pub(super) fn statement(
    document: &Document,
    s: usize,
    effect: Effect,
) -> Result<SourceStatement<'_>, &'static str> {
    let compiled = document.compiled().statements.get(s);
    let both = compiled
        .filter(|s| s.effect == effect)
        .zip(document.statements().get(s));
    both.map(|(compiled, written)| SourceStatement { compiled, written })
        .ok_or("it names a statement that is not there")
}
