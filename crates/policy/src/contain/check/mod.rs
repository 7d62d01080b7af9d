//! Verifies a [`Certificate`] without searching, and without anything of the search.
//!
//! What is trusted is this folder, what documents and conditions mean ([`crate::compiled`], [`crate::condition`],
//! [`crate::principal`]) and the two questions that patterns answer ([`crate::glob`], [`crate::positions`]).

mod product;
mod tree;
mod values;

use std::fmt;

use super::certificate::{Certificate, Entry, Proof, Target};
use crate::{
    compiled::CompiledStatement,
    document::{Document, Effect, Principal, PrincipalElement},
    elements::{Elements, Language},
    work::Work,
};

/// Why a certificate proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckError {
    /// What is wrong.
    reason: &'static str,
    /// Index of the entry; `None` when something is missing.
    entry: Option<usize>,
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry {
            Some(entry) => write!(
                f,
                "entry {entry} of the certificate does not hold: {}",
                self.reason
            ),
            None => write!(f, "the certificate does not hold: {}", self.reason),
        }
    }
}

impl std::error::Error for CheckError {}

/// What a part of the check says: nothing, or what is wrong.
type Checked = Result<(), &'static str>;

fn ensure(holds: bool, reason: &'static str) -> Checked {
    if holds { Ok(()) } else { Err(reason) }
}

/// An element of a list: one pattern, or everything outside of the list.
enum Element<'a, P> {
    One(&'a P),
    Except(&'a Elements<P>),
}

impl<P> Clone for Element<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Element<'_, P> {}

/// Whether the certificate proves that what all layers allow is allowed by the ceiling.
///
/// # Errors
/// What does not hold, or what is not proved at all.
pub fn check(
    certificate: &Certificate,
    layers: &[&[&Document]],
    ceiling: &Document,
) -> Result<(), CheckError> {
    let Some(first) = layers.first() else {
        return Ok(());
    };
    for (i, entry) in certificate.entries.iter().enumerate() {
        check_entry(entry, layers, ceiling).map_err(|reason| CheckError {
            reason,
            entry: Some(i),
        })?;
    }
    let denies = statements(ceiling, Effect::Deny).map(|(e, _)| Target::Spared(e));
    let targets: Vec<Target> = std::iter::once(Target::Granted).chain(denies).collect();
    for (d, document) in first.iter().enumerate() {
        for (s, allow) in statements(document, Effect::Allow) {
            for target in &targets {
                let of_target = |entry: &&Entry| entry.allow == (d, s) && entry.target == *target;
                let entries: Vec<&Entry> = certificate.entries.iter().filter(of_target).collect();
                let proved = (0..elements(&allow.actions).len()).all(|a| {
                    let (rows, all) = (
                        entries.iter().filter(|e| e.actions.contains(&a)),
                        resources(allow),
                    );
                    (0..all).all(|r| rows.clone().any(|e| e.resources.contains(&r)))
                });
                let reason = "an element of the candidate is not proved";
                ensure(proved, reason).map_err(|reason| CheckError { reason, entry: None })?;
            }
        }
    }
    Ok(())
}

fn statements(document: &Document, effect: Effect) -> impl Iterator<Item = (usize, &CompiledStatement)> {
    let all = document.compiled().statements.iter().enumerate();
    all.filter(move |(_, statement)| statement.effect == effect)
}

fn elements<P>(list: &Elements<P>) -> Vec<Element<'_, P>> {
    if list.negated {
        vec![Element::Except(list)]
    } else {
        list.items.iter().map(Element::One).collect()
    }
}

/// How many resource elements there are; a statement of a trust policy is about its one role.
fn resources(statement: &CompiledStatement) -> usize {
    statement
        .resources
        .as_ref()
        .map_or(1, |list| elements(list).len())
}

fn statement(document: &Document, s: usize, effect: Effect) -> Result<&CompiledStatement, &'static str> {
    let statement = document.compiled().statements.get(s);
    statement
        .filter(|s| s.effect == effect)
        .ok_or("it names a statement that is not there")
}

fn check_entry(entry: &Entry, layers: &[&[&Document]], ceiling: &Document) -> Checked {
    let no_layer = "it names a document that is not there";
    let document = layers
        .first()
        .and_then(|layer| layer.get(entry.allow.0))
        .ok_or(no_layer)?;
    let allow = statement(document, entry.allow.1, Effect::Allow)?;
    let deny = match entry.target {
        Target::Granted => None,
        Target::Spared(e) => Some(statement(ceiling, e, Effect::Deny)?),
    };
    let out = "it names an element that is not there";
    let all = elements(&allow.actions);
    let actions = all.get(entry.actions.clone()).ok_or(out)?;
    let all = allow.resources.as_ref().map(elements).unwrap_or_default();
    let resources = match &allow.resources {
        Some(_) => all.get(entry.resources.clone()).ok_or(out)?,
        None => &[],
    };
    match (&entry.proof, deny) {
        (Proof::Allowed(n), None) => {
            let n = statement(ceiling, *n, Effect::Allow)?;
            let includes = actions.iter().all(|a| within(*a, &n.actions)) && resources_within(resources, n);
            ensure(
                includes && implied(&[allow], n),
                "the ceiling's statement does not include it",
            )
        }
        (Proof::Denied((layer, d, s)), deny) => {
            let document = layers
                .get(*layer)
                .and_then(|layer| layer.get(*d))
                .ok_or(no_layer)?;
            let d = statement(document, *s, Effect::Deny)?;
            let by_actions = actions.iter().all(|a| within(*a, &d.actions))
                || deny.is_some_and(|e| elements(&e.actions).into_iter().all(|a| within(a, &d.actions)));
            let of_deny = |e: &CompiledStatement| {
                let list = e.resources.as_ref().map(elements).unwrap_or_default();
                e.resources.is_some() && resources_within(&list, d)
            };
            let by_resources = resources_within(resources, d) || deny.is_some_and(of_deny);
            let given: Vec<&CompiledStatement> = std::iter::once(allow).chain(deny).collect();
            ensure(
                by_actions && by_resources && implied(&given, d),
                "the candidate's Deny does not include it",
            )
        }
        (Proof::OtherActions, Some(e)) => ensure(
            actions.iter().all(|a| apart(*a, &e.actions)),
            "its actions may be denied",
        ),
        (Proof::OtherResources, Some(e)) => {
            let others = e
                .resources
                .as_ref()
                .is_some_and(|list| resources.iter().all(|r| apart(*r, list)));
            ensure(others && !resources.is_empty(), "its resources may be denied")
        }
        (Proof::Trees(trees), deny) => {
            ensure(
                entry.actions.len() == 1 && entry.resources.len() == 1,
                "a tree proves one element",
            )?;
            tree::check(
                trees,
                layers,
                ceiling,
                allow,
                (entry.actions.start, entry.resources.start),
                deny,
            )
        }
        (Proof::Allowed(_), Some(_)) | (Proof::OtherActions | Proof::OtherResources, None) => {
            Err("its proof is about something else")
        }
    }
}

/// Whether an element lies in what a list describes; for a plain list, in one of its patterns.
fn within<P: Language>(element: Element<'_, P>, of: &Elements<P>) -> bool {
    let mut work = Work::unlimited();
    match (element, of.negated) {
        (Element::One(one), false) => of.items.iter().any(|item| item.includes(one, &mut work)),
        (Element::One(one), true) => of.items.iter().all(|item| !item.may_intersect(one, &mut work)),
        (Element::Except(list), false) => [list, of]
            .iter()
            .any(|list| list.items.iter().any(P::is_everything)),
        (Element::Except(list), true) => of
            .items
            .iter()
            .all(|item| list.items.iter().any(|mine| mine.includes(item, &mut work))),
    }
}

/// Whether an element has nothing in common with what a list describes.
fn apart<P: Language>(element: Element<'_, P>, of: &Elements<P>) -> bool {
    let mut work = Work::unlimited();
    match (element, of.negated) {
        (Element::One(one), false) => of.items.iter().all(|item| !item.may_intersect(one, &mut work)),
        (Element::One(one), true) => of.items.iter().any(|item| item.includes(one, &mut work)),
        (Element::Except(list), false) => of
            .items
            .iter()
            .all(|item| list.items.iter().any(|mine| mine.includes(item, &mut work))),
        (Element::Except(list), true) => [list, of]
            .iter()
            .any(|list| list.items.iter().any(P::is_everything)),
    }
}

fn resources_within(resources: &[Element<'_, crate::arn::ResourcePattern>], of: &CompiledStatement) -> bool {
    of.resources
        .as_ref()
        .is_none_or(|list| !resources.is_empty() && resources.iter().all(|r| within(*r, list)))
}

/// Whether the principal and all conditions of a statement are among those of others that hold.
fn implied(given: &[&CompiledStatement], of: &CompiledStatement) -> bool {
    let anyone = Some(PrincipalElement::Principal(Principal::Anyone));
    let principal =
        of.principal.is_none() || of.principal == anyone || given.iter().any(|g| g.principal == of.principal);
    principal
        && of
            .atoms
            .iter()
            .all(|atom| given.iter().any(|g| g.atoms.contains(atom)))
}
