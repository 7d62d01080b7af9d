//! Everything of a grant that exceeds a ceiling: each statement, each element of it, with a request that proves it.
//!
//! Containment answers with one request. Here the Allow statements are asked about one by one, and of one that exceeds its
//! actions and resources, each time with all Denys of the grant. Together these questions say the same as the one about
//! the whole.

use deputy_policy::{
    ActionElement, Budget, Candidate, Containment, Document, Effect, Layers, Request, ResourceElement,
    Statement, UnknownReason, Witness, contains, evaluate,
};

/// So many questions are asked for one limit, with so much work each: at most some ten milliseconds.
const MAX_QUESTIONS: usize = 192;
const WORK: Budget = Budget::updates(100_000);

/// A part of a grant that exceeds.
pub(super) struct Excess {
    /// Index of the policy.
    pub(super) policy: usize,
    /// Index of its statement.
    pub(super) statement: usize,
    /// `Action[1]` or `Resource[0]`; none when the statement has one of each.
    pub(super) element: Option<String>,
    /// A request of it.
    pub(super) witness: Witness,
}

/// What exceeds, and what could not be found out.
#[derive(Default)]
pub(super) struct Excesses {
    /// In the order of the documents.
    pub(super) found: Vec<Excess>,
    /// Statements about which there is no answer.
    pub(super) open: Vec<(usize, usize, UnknownReason)>,
    /// Statements that nobody asked about any more.
    pub(super) not_asked: usize,
}

/// A grant and a ceiling.
pub(super) struct Comparison<'a> {
    /// The policies.
    pub(super) policies: &'a [&'a Document],
    /// What their statements grant is only granted if these do not deny it.
    pub(super) denies: &'a [Document],
    /// Other layers, each of which has to allow it, too.
    pub(super) others: &'a [Vec<&'a Document>],
    /// What may be granted.
    pub(super) ceiling: &'a Document,
}

impl Comparison<'_> {
    /// Everything that exceeds.
    pub(super) fn excesses(&self) -> Excesses {
        let mut all = Excesses::default();
        let mut left = MAX_QUESTIONS;
        for (policy, document) in self.policies.iter().enumerate() {
            for (index, statement) in document.statements().iter().enumerate() {
                if statement.effect == Effect::Deny {
                    continue;
                }
                match self.ask(document, statement.clone(), &mut left) {
                    None => all.not_asked += 1,
                    Some(Containment::Contained(_)) => {}
                    Some(Containment::Unknown(reason)) => all.open.push((policy, index, reason)),
                    Some(Containment::Exceeds(witness)) => {
                        let of_elements = self.elements(document, statement, &mut left);
                        let found = if of_elements.is_empty() {
                            vec![(None, witness)]
                        } else {
                            of_elements
                        };
                        all.found
                            .extend(found.into_iter().map(|(element, witness)| Excess {
                                policy,
                                statement: index,
                                element,
                                witness,
                            }));
                    }
                }
            }
        }
        all
    }

    /// The elements of a statement that exceed: each action, then each resource of which none of the requests so far is.
    fn elements(
        &self,
        document: &Document,
        statement: &Statement,
        left: &mut usize,
    ) -> Vec<(Option<String>, Witness)> {
        let mut found = Vec::new();
        if let ActionElement::Action(actions) = &statement.action
            && actions.len() > 1
        {
            for (i, action) in actions.iter().enumerate() {
                let mut one = statement.clone();
                one.action = ActionElement::Action(vec![action.clone()]);
                if let Some(Containment::Exceeds(witness)) = self.ask(document, one, left) {
                    found.push((Some(format!("Action[{i}]")), witness));
                }
            }
        }
        if let Some(ResourceElement::Resource(resources)) = &statement.resource
            && resources.len() > 1
        {
            for (i, resource) in resources.iter().enumerate() {
                let only = Some(ResourceElement::Resource(vec![resource.clone()]));
                let shown = found
                    .iter()
                    .any(|(_, witness)| is_about(document, only.clone(), witness));
                if shown {
                    continue;
                }
                let one = Statement {
                    resource: only,
                    ..statement.clone()
                };
                if let Some(Containment::Exceeds(witness)) = self.ask(document, one, left) {
                    found.push((Some(format!("Resource[{i}]")), witness));
                }
            }
        }
        found
    }

    fn ask(&self, document: &Document, mut statement: Statement, left: &mut usize) -> Option<Containment> {
        *left = left.checked_sub(1)?;
        statement.sid = None;
        let alone = Document::new(document.version(), vec![statement], document.kind()).ok()?;
        let first: Vec<&Document> = std::iter::once(&alone).chain(self.denies).collect();
        let candidate = Candidate::new(&first).budget(WORK);
        let others = self.others.iter();
        let candidate = others.fold(candidate, |candidate, layer| candidate.layer(layer));
        Some(contains(&candidate, self.ceiling))
    }
}

/// Whether a request is about these resources.
pub(super) fn is_about(document: &Document, resource: Option<ResourceElement>, witness: &Witness) -> bool {
    let statement = Statement {
        sid: None,
        effect: Effect::Allow,
        principal: None,
        action: ActionElement::Action(vec!["*".to_owned()]),
        resource,
        conditions: Vec::new(),
    };
    let Ok(of_resource) = Document::new(document.version(), vec![statement], document.kind()) else {
        return false;
    };
    let layers = Layers {
        identity: &[&of_resource],
        boundary: None,
        session: None,
    };
    evaluate(&layers, &request(witness)).is_allowed()
}

/// The request of a witness.
pub(super) fn request(witness: &Witness) -> Request {
    Request {
        action: witness.action.clone(),
        resource: witness.resource.clone(),
        principal: witness.principal.clone(),
        context: witness.context.clone(),
    }
}
