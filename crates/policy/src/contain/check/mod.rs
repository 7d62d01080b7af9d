//! Verifies a [`Certificate`] without searching, and without anything of the search.
//!
//! What is trusted is this folder, what the values of conditions mean ([`crate::condition::atom`]) and the two questions
//! that patterns answer ([`crate::pattern::glob`], [`crate::pattern::track`]). Whom principals mean, how values lie to conditions and
//! how what AWS does not define is read stands here a second time.

mod branches;
mod conditions;
mod principals;
mod product;
#[cfg(test)]
mod tests;
mod tree;
mod values;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt,
};

use super::{
    bits::Bits,
    certificate::{Certificate, Entry, Indices, Proof, Target},
};
use crate::{
    ast::{Effect, Principal, PrincipalElement, Statement},
    compiled::CompiledStatement,
    document::Document,
    pattern::{
        arn::ResourcePattern,
        elements::{Elements, Key, Language},
    },
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

impl CheckError {
    /// Whether the work ran out, so that nothing is known of the certificate.
    pub(super) fn is_budget(&self) -> bool {
        self.reason == values::TOO_MUCH
    }
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
    One(&'a P, Key),
    Except(&'a Elements<P>),
}

impl<P> Clone for Element<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Element<'_, P> {}

/// A candidate's layers of documents.
type Layers<'a> = &'a [&'a [&'a Document]];

/// A statement with what was written.
#[derive(Clone, Copy)]
struct Source<'a> {
    compiled: &'a CompiledStatement,
    written: &'a Statement,
}

/// Whether the certificate proves that what all layers allow is allowed by the ceiling.
///
/// # Errors
/// What does not hold, or what is not proved at all.
pub fn check(
    certificate: &Certificate,
    layers: &[&[&Document]],
    ceiling: &Document,
) -> Result<(), CheckError> {
    check_within(certificate, layers, ceiling, &mut Work::unlimited())
}

/// The same with a limit of work; more is an error.
pub(super) fn check_within(
    certificate: &Certificate,
    layers: Layers<'_>,
    ceiling: &Document,
    work: &mut Work,
) -> Result<(), CheckError> {
    let Some(first) = layers.first() else {
        return Ok(());
    };
    // Made when a proof by case distinction asks for it; most have none.
    let mut whole = None;
    let mut by_claim: HashMap<((usize, usize), Target), Vec<&Entry>> = HashMap::new();
    for (i, entry) in certificate.entries.iter().enumerate() {
        let trees = matches!(entry.proof, Proof::Trees(_));
        if trees && whole.is_none() {
            whole = Some(Whole::of(layers, ceiling));
        }
        check_entry(entry, layers, ceiling, whole.as_ref(), work).map_err(|reason| CheckError {
            reason,
            entry: Some(i),
        })?;
        by_claim
            .entry((entry.allow, entry.target))
            .or_default()
            .push(entry);
    }
    let denies = statements(ceiling, Effect::Deny).map(|(e, _)| Target::Spared(e));
    let targets: Vec<Target> = std::iter::once(Target::Granted).chain(denies).collect();
    for (d, document) in first.iter().enumerate() {
        for (s, allow) in statements(document, Effect::Allow) {
            for target in &targets {
                let entries = by_claim.get(&((d, s), *target)).map_or(&[][..], Vec::as_slice);
                let proved = covered(
                    entries,
                    elements(&allow.compiled.actions).len(),
                    resources(allow.compiled),
                    work,
                );
                let reason = "an element of the candidate is not proved";
                ensure(proved, reason).map_err(|reason| CheckError { reason, entry: None })?;
            }
        }
    }
    ensure(!work.exhausted(), values::TOO_MUCH).map_err(|reason| CheckError { reason, entry: None })
}

/// Whether the entries' rectangles cover so many rows and columns.
fn covered(entries: &[&Entry], rows: usize, columns: usize, work: &mut Work) -> bool {
    let whole = |indices: &Indices, count: usize| *indices == Indices::Range(0..count);
    if entries
        .iter()
        .any(|e| whole(&e.actions, rows) && whole(&e.resources, columns))
    {
        return true;
    }
    let mut of_row: Vec<Bits> = vec![Bits::empty(columns); rows];
    for entry in entries {
        let mut some = Bits::empty(columns);
        entry.resources.iter().for_each(|r| some.insert(r));
        for row in entry.actions.iter() {
            if !work.charge(1 + columns / 64) {
                return false;
            }
            if let Some(bits) = of_row.get_mut(row) {
                *bits = bits.or(&some);
            }
        }
    }
    let all = Bits::full(columns);
    of_row.iter().all(|bits| all.is_subset_of(bits))
}

/// What all documents say together.
struct Whole<'a> {
    /// Keys (lower case) that some condition has a set operator on.
    listed: HashSet<String>,
    /// Where callers are.
    partitions: BTreeSet<&'a str>,
    /// Roles that may have any path.
    wandering: HashSet<String>,
}

impl<'a> Whole<'a> {
    fn of(layers: Layers<'a>, ceiling: &'a Document) -> Self {
        let documents = layers
            .iter()
            .flat_map(|layer| layer.iter().copied())
            .chain([ceiling]);
        let statements: Vec<&Statement> = documents.flat_map(Document::statements).collect();
        let conditions = statements.iter().flat_map(|statement| &statement.conditions);
        let listed = conditions.filter(|condition| condition.operator.set.is_some());
        let principals = statements
            .iter()
            .filter_map(|statement| statement.principal.as_ref());
        Self {
            listed: listed.map(|condition| condition.key.to_lowercase()).collect(),
            partitions: principals::partitions(principals.clone()),
            wandering: principals::wandering(principals),
        }
    }
}

fn statements(document: &Document, effect: Effect) -> impl Iterator<Item = (usize, Source<'_>)> {
    let all = document
        .compiled()
        .statements
        .iter()
        .zip(document.statements())
        .enumerate();
    all.filter(move |(_, (compiled, _))| compiled.effect == effect)
        .map(|(s, (compiled, written))| (s, Source { compiled, written }))
}

fn elements<P>(list: &Elements<P>) -> Vec<Element<'_, P>> {
    if list.negated {
        vec![Element::Except(list)]
    } else {
        let keyed = list.items.iter().zip(&list.keys);
        keyed.map(|(item, key)| Element::One(item, *key)).collect()
    }
}

/// How many resource elements there are; a statement of a trust policy is about its one role.
fn resources(statement: &CompiledStatement) -> usize {
    statement
        .resources
        .as_ref()
        .map_or(1, |list| if list.negated { 1 } else { list.items.len() })
}

fn statement(document: &Document, s: usize, effect: Effect) -> Result<Source<'_>, &'static str> {
    let compiled = document.compiled().statements.get(s);
    let both = compiled
        .filter(|s| s.effect == effect)
        .zip(document.statements().get(s));
    both.map(|(compiled, written)| Source { compiled, written })
        .ok_or("it names a statement that is not there")
}

/// The elements with these indices, which must ascend.
fn chosen<'a, P>(all: &[Element<'a, P>], indices: &Indices) -> Result<Vec<Element<'a, P>>, &'static str> {
    let mut last = None;
    let mut chosen = Vec::new();
    for i in indices.iter() {
        let in_order = last.is_none_or(|last| last < i);
        last = Some(i);
        let element = all.get(i).filter(|_| in_order);
        chosen.push(*element.ok_or("it names an element that is not there")?);
    }
    Ok(chosen)
}

fn check_entry(
    entry: &Entry,
    layers: Layers<'_>,
    ceiling: &Document,
    whole: Option<&Whole<'_>>,
    work: &mut Work,
) -> Checked {
    let no_layer = "it names a document that is not there";
    let document = layers
        .first()
        .and_then(|layer| layer.get(entry.allow.0))
        .ok_or(no_layer)?;
    let source = statement(document, entry.allow.1, Effect::Allow)?;
    let allow = source.compiled;
    let deny = match entry.target {
        Target::Granted => None,
        Target::Spared(e) => Some(statement(ceiling, e, Effect::Deny)?),
    };
    let of_actions = elements(&allow.actions);
    let actions = chosen(&of_actions, &entry.actions)?;
    let of_resources = allow.resources.as_ref().map(elements).unwrap_or_default();
    let resources = match &allow.resources {
        Some(_) => chosen(&of_resources, &entry.resources)?,
        None => Vec::new(),
    };
    ensure(work.charge(1 + actions.len() + resources.len()), values::TOO_MUCH)?;
    match (&entry.proof, deny) {
        (Proof::Allowed(n), None) => {
            let n = statement(ceiling, *n, Effect::Allow)?;
            let includes = actions.iter().all(|a| within(*a, &n.compiled.actions, work))
                && resources_within(&resources, n.compiled, work);
            ensure(
                includes && implied(&[source], n, work),
                "the ceiling's statement does not include it",
            )
        }
        (Proof::Denied((layer, d, s)), deny) => {
            let document = layers
                .get(*layer)
                .and_then(|layer| layer.get(*d))
                .ok_or(no_layer)?;
            let d = statement(document, *s, Effect::Deny)?;
            let of_deny = deny.map(|e| e.compiled);
            let by_actions = actions.iter().all(|a| within(*a, &d.compiled.actions, work))
                || of_deny.is_some_and(|e| {
                    elements(&e.actions)
                        .into_iter()
                        .all(|a| within(a, &d.compiled.actions, work))
                });
            let mut of_deny_resources = |e: &CompiledStatement| {
                let list = e.resources.as_ref().map(elements).unwrap_or_default();
                e.resources.is_some() && resources_within(&list, d.compiled, work)
            };
            let by_deny = of_deny.is_some_and(&mut of_deny_resources);
            let by_resources = by_deny || resources_within(&resources, d.compiled, work);
            let given: Vec<Source<'_>> = std::iter::once(source).chain(deny).collect();
            ensure(
                by_actions && by_resources && implied(&given, d, work),
                "the candidate's Deny does not include it",
            )
        }
        (Proof::OtherActions, Some(e)) => ensure(
            actions.iter().all(|a| apart(*a, &e.compiled.actions, work)),
            "its actions may be denied",
        ),
        (Proof::OtherResources, Some(e)) => {
            let list = e.compiled.resources.as_ref();
            let others = list.is_some_and(|list| resources.iter().all(|r| apart(*r, list, work)));
            ensure(others && !resources.is_empty(), "its resources may be denied")
        }
        (Proof::Trees(trees), deny) => {
            let whole = whole.ok_or("it has no case distinction")?;
            let claim = tree::Claim {
                allow: source,
                actions: &entry.actions,
                resources: &entry.resources,
                deny,
                whole,
            };
            tree::check(trees, layers, ceiling, &claim, work)
        }
        (Proof::Allowed(_), Some(_)) | (Proof::OtherActions | Proof::OtherResources, None) => {
            Err("its proof is about something else")
        }
    }
}

/// Whether an element lies in what a list describes; for a plain list, in one of its patterns.
fn within<P: Language>(element: Element<'_, P>, of: &Elements<P>, work: &mut Work) -> bool {
    match (element, of.negated) {
        // The list's index only says where to look; what is found is compared.
        (Element::One(one, key), false) => of.covers(one, key, work),
        (Element::One(one, key), true) => of
            .items
            .iter()
            .zip(&of.keys)
            .all(|item| disjoint(item, (one, &key), work)),
        (Element::Except(list), false) => [list, of]
            .iter()
            .any(|list| list.items.iter().any(P::is_everything)),
        (Element::Except(list), true) => of
            .items
            .iter()
            .zip(&of.keys)
            .all(|(item, key)| list.covers(item, *key, work)),
    }
}

/// Whether an element has nothing in common with what a list describes.
fn apart<P: Language>(element: Element<'_, P>, of: &Elements<P>, work: &mut Work) -> bool {
    match (element, of.negated) {
        (Element::One(one, key), false) => of
            .items
            .iter()
            .zip(&of.keys)
            .all(|item| disjoint(item, (one, &key), work)),
        (Element::One(one, key), true) => of.covers(one, key, work),
        (Element::Except(list), false) => of
            .items
            .iter()
            .zip(&of.keys)
            .all(|(item, key)| list.covers(item, *key, work)),
        (Element::Except(list), true) => [list, of]
            .iter()
            .any(|list| list.items.iter().any(P::is_everything)),
    }
}

/// Whether two patterns have nothing in common.
fn disjoint<P: Language>((a, key): (&P, &Key), (b, other): (&P, &Key), work: &mut Work) -> bool {
    work.step() && (key.is_of_another_service(*other) || !a.may_intersect(b, work)) && !work.exhausted()
}

fn resources_within(
    resources: &[Element<'_, ResourcePattern>],
    of: &CompiledStatement,
    work: &mut Work,
) -> bool {
    of.resources
        .as_ref()
        .is_none_or(|list| !resources.is_empty() && resources.iter().all(|r| within(*r, list, work)))
}

/// Whether the principal of a statement is that of one that matches, and all its conditions follow from those that hold.
fn implied(given: &[Source<'_>], of: Source<'_>, work: &mut Work) -> bool {
    let wanted = &of.written.principal;
    let anyone = Some(PrincipalElement::Principal(Principal::Anyone));
    let principal = wanted.is_none()
        || *wanted == anyone
        || given.iter().any(|g| g.written.principal == *wanted)
        || wanted.as_ref().is_some_and(principals::is_everybody);
    let mut among = |atom| {
        given.iter().any(|g| {
            g.compiled
                .atoms
                .iter()
                .any(|own| conditions::follows(atom, own, work))
        })
    };
    principal && of.compiled.atoms.iter().all(&mut among)
}
