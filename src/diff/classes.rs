//! Which requests one set of policies allows and another does not, as classes with a request each.
//!
//! Nothing is compared as text: [`contains`] says of each statement whether all that it allows is allowed by the other set, and finds a
//! request where it is not. What exceeds is taken apart, by actions and then by resources, so that a class names no more than it has to.

use deputy_policy::{
    ActionElement, Candidate, Containment, Document, Effect, PolicyKind, Principal, PrincipalElement,
    ResourceElement, Statement, Version, Witness, contains,
};

use crate::policy::words::{actions, resources};

/// So many questions are asked about one set; statements that are left then are not taken apart.
const MAX_QUESTIONS: usize = 2_000;

/// Requests that one set allows, and the other one does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestClass {
    /// Which document of the set, and which statement of it.
    pub at: (usize, usize),
    /// What of the statement it is, as a policy.
    pub part: Document,
    /// Such as `s3:PutObject` or `everything but iam:*`. The request is one of them.
    pub actions: String,
    /// The same of resources; empty where statements have none.
    pub resources: String,
    /// Under which conditions of the statement, each as `StringEquals aws:PrincipalTag/team [a]`.
    pub conditions: Vec<String>,
    /// A request of them, which the evaluator has confirmed.
    pub witness: Witness,
}

/// A statement of which it is not known whether the other set allows all that it allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownStatement {
    /// Which document of the set, and which statement of it; none where it is about all.
    pub at: Option<(usize, usize)>,
    pub reason: String,
}

/// What one set allows and another does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyDifference {
    pub classes: Vec<RequestClass>,
    pub unknown: Vec<UnknownStatement>,
}

/// What the policies `these` allow together, and `those` do not. No policies allow nothing.
pub fn beyond(these: &[Document], those: &[Document], kind: PolicyKind) -> PolicyDifference {
    let mut found = PolicyDifference::default();
    if these.is_empty() {
        return found;
    }
    let ceiling = match union(those, kind) {
        Ok(ceiling) => ceiling,
        Err(reason) => {
            found.unknown.push(UnknownStatement { at: None, reason });
            return found;
        }
    };
    let all: Vec<&Document> = these.iter().collect();
    if contains(&Candidate::new(&all), &ceiling).is_contained() {
        return found;
    }
    let mut search = Search {
        denies: these.iter().filter_map(denies_of).collect(),
        ceiling,
        left: MAX_QUESTIONS,
        found,
    };
    for (i, document) in these.iter().enumerate() {
        for (j, statement) in document.statements().iter().enumerate() {
            if statement.effect == Effect::Allow {
                search.statement((i, j), document, statement);
            }
        }
    }
    search.found
}

struct Search {
    /// What the set denies, it denies whichever statement allows it.
    denies: Vec<Document>,
    ceiling: Document,
    left: usize,
    found: PolicyDifference,
}

impl Search {
    fn statement(&mut self, at: (usize, usize), document: &Document, statement: &Statement) {
        match self.ask(document, statement) {
            Ok(None) => {}
            Err(reason) => self.found.unknown.push(UnknownStatement { at: Some(at), reason }),
            Ok(Some(witness)) => self.by_actions(at, document, statement, witness),
        }
    }

    fn by_actions(&mut self, at: (usize, usize), document: &Document, whole: &Statement, witness: Witness) {
        let parts: Vec<Statement> = match &whole.action {
            ActionElement::Action(actions) if actions.len() > 1 && self.left > actions.len() => {
                let part = |action: &String| Statement {
                    action: ActionElement::Action(vec![action.clone()]),
                    ..whole.clone()
                };
                actions.iter().map(part).collect()
            }
            _ => return self.by_resources(at, document, whole, witness),
        };
        let told = self.parts(at, document, &parts, Self::by_resources);
        if !told {
            // What exceeds as a whole is told as a whole where no part of it does.
            self.tell(at, document, whole, witness);
        }
    }

    fn by_resources(&mut self, at: (usize, usize), document: &Document, whole: &Statement, witness: Witness) {
        let parts: Vec<Statement> = match &whole.resource {
            Some(ResourceElement::Resource(resources))
                if resources.len() > 1 && self.left > resources.len() =>
            {
                let part = |resource: &String| Statement {
                    resource: Some(ResourceElement::Resource(vec![resource.clone()])),
                    ..whole.clone()
                };
                resources.iter().map(part).collect()
            }
            _ => return self.tell(at, document, whole, witness),
        };
        let told = self.parts(at, document, &parts, Self::tell);
        if !told {
            // What exceeds as a whole is told as a whole where no part of it does.
            self.tell(at, document, whole, witness);
        }
    }

    /// Whether any part exceeds, or is not known not to.
    fn parts(
        &mut self,
        at: (usize, usize),
        document: &Document,
        parts: &[Statement],
        go_on: impl Fn(&mut Self, (usize, usize), &Document, &Statement, Witness),
    ) -> bool {
        let mut told = false;
        for part in parts {
            match self.ask(document, part) {
                Ok(None) => {}
                Ok(Some(witness)) => {
                    told = true;
                    go_on(self, at, document, part, witness);
                }
                Err(reason) => {
                    told = true;
                    self.found.unknown.push(UnknownStatement { at: Some(at), reason });
                }
            }
        }
        told
    }

    /// Tells a part, unless all of it that exceeds was told with others: that is asked, since one witness may prove many classes.
    fn tell(&mut self, at: (usize, usize), document: &Document, part: &Statement, witness: Witness) {
        let Ok(alone) = alone(document, part) else {
            // It was asked about, so it is a policy.
            return;
        };
        let told: Vec<Document> = self.found.classes.iter().filter_map(denied).collect();
        let witness = match self.ask_without(&alone, &told) {
            Ok(None) => return,
            Ok(Some(another)) => another,
            Err(_) => witness,
        };
        self.found.classes.push(RequestClass {
            at,
            part: alone,
            actions: actions(&part.action),
            resources: part.resource.as_ref().map_or_else(String::new, resources),
            conditions: conditions(part),
            witness,
        });
    }

    /// A request that the statement allows, for all that the set denies, and the ceiling does not.
    fn ask(&mut self, document: &Document, statement: &Statement) -> Result<Option<Witness>, String> {
        self.ask_without(&alone(document, statement)?, &[])
    }

    /// A request that a part of the set allows, for all that the set and `denied` deny, and the ceiling does not.
    fn ask_without(&mut self, part: &Document, denied: &[Document]) -> Result<Option<Witness>, String> {
        self.left = self.left.saturating_sub(1);
        let mut documents = vec![part];
        documents.extend(&self.denies);
        documents.extend(denied);
        match contains(&Candidate::new(&documents), &self.ceiling) {
            Containment::Contained(_) => Ok(None),
            Containment::Exceeds(witness) => Ok(Some(witness)),
            Containment::Unknown(reason) => Err(reason.to_string()),
        }
    }
}

/// A statement of a document as a policy.
fn alone(of: &Document, statement: &Statement) -> Result<Document, String> {
    let alone = Document::new(of.version(), vec![statement.clone()], of.kind());
    alone.map_err(|error| error.to_string())
}

/// What was told, as a policy that denies it.
fn denied(class: &RequestClass) -> Option<Document> {
    let deny = |statement: &Statement| Statement {
        effect: Effect::Deny,
        ..statement.clone()
    };
    let part = &class.part;
    let statements = part.statements().iter().map(deny).collect();
    // Where it is none, it hides nothing.
    Document::new(part.version(), statements, part.kind()).ok()
}

/// Documents as one; of none one that allows nothing.
fn union(documents: &[Document], kind: PolicyKind) -> Result<Document, String> {
    let merged = if documents.is_empty() {
        Document::new(Version::V2012, vec![everything(Effect::Deny, kind)], kind)
    } else {
        Document::merge(documents)
    };
    merged.map_err(|error| format!("the policies can't be compared as one: {error}"))
}

/// A statement about every request of which policies of this kind speak.
fn everything(effect: Effect, kind: PolicyKind) -> Statement {
    let is_trust = kind == PolicyKind::Trust;
    let action = if is_trust { "sts:*" } else { "*" };
    Statement {
        sid: None,
        effect,
        principal: kind
            .has_principal()
            .then_some(PrincipalElement::Principal(Principal::Anyone)),
        action: ActionElement::Action(vec![action.to_owned()]),
        resource: (!is_trust).then(|| ResourceElement::Resource(vec!["*".to_owned()])),
        conditions: Vec::new(),
    }
}

/// A policy of this kind that allows everything: what a session has that is narrowed by none.
///
/// # Errors
/// When policies of the kind can't say so.
pub fn unlimited(kind: PolicyKind) -> Result<Document, String> {
    let document = Document::new(Version::V2012, vec![everything(Effect::Allow, kind)], kind);
    document.map_err(|error| error.to_string())
}

fn denies_of(document: &Document) -> Option<Document> {
    let denies = document
        .statements()
        .iter()
        .filter(|statement| statement.effect == Effect::Deny);
    let denies: Vec<Statement> = denies.cloned().collect();
    // They were read as part of a document, so they are one.
    Document::new(document.version(), denies, document.kind()).ok()
}

fn conditions(statement: &Statement) -> Vec<String> {
    let one = |condition: &deputy_policy::Condition| {
        format!(
            "{} {} [{}]",
            condition.operator,
            condition.key,
            condition.values.join(", ")
        )
    };
    statement.conditions.iter().map(one).collect()
}
