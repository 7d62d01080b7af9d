//! Why: what every statement of every layer says to a request. Made on demand only; evaluation does not pay for it.

use super::{
    flow::{Flow, MAX_STEPS, Needs, Side},
    layers::{evaluate, evaluate_trust},
    matching::Prepared,
    reason::{Evaluation, Layer},
    request::{AccessDecision, Layers, Request},
    situation::{Situation, SituationError},
};
use crate::{
    ast::{Condition, Effect, Operator, Statement},
    compiled::CompiledStatement,
    document::Document,
    pattern::arn::{ArnPattern, ResourcePattern},
    principal::{caller::Caller, naming::Named},
    work::Work,
};

/// Statements that are listed of one layer, beside those that match; the others are counted.
const MAX_STATEMENTS: usize = 64;
/// Conditions that are listed of one statement, and values of one condition.
const MAX_VALUES: usize = 8;
/// Bytes of one value.
const MAX_VALUE_BYTES: usize = 160;

/// A decision, and what every layer had to say. Its `Display` is a text of several lines for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The decision with what made it.
    pub evaluation: Evaluation,
    /// The layers that apply, in the order in which AWS looks at them.
    pub layers: Vec<ExplainedLayer>,
}

/// What one layer had to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedLayer {
    /// The layer.
    pub layer: Layer,
    /// Whether it had to allow, and why not.
    pub need: Need,
    /// What its statements come to.
    pub outcome: AccessDecision,
    /// The statements: all that match, and of the others the first 64.
    pub statements: Vec<ExplainedStatement>,
    /// How many more there are.
    pub omitted: usize,
}

/// Whether a layer had to allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It had to.
    MustAllow,
    /// The resource policy names the caller itself: nothing else is needed.
    NamedDirectly,
    /// The resource policy names the caller's role or user: no identity policy is needed.
    NamedBehind,
    /// The caller belongs to no account and has no policies of its own.
    NoAccount,
    /// The root user needs no policies.
    Root,
    /// Within one account the identity policies are enough.
    SameAccount,
    /// `RCPFullAWSAccess` is attached at every level.
    AlwaysAllows,
}

/// What one statement had to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedStatement {
    /// Index of the document in its layer.
    pub document: usize,
    /// Index of the statement in the document.
    pub statement: usize,
    /// The Sid, when it has one.
    pub sid: Option<String>,
    /// What it does when it matches.
    pub effect: Effect,
    /// How its Principal names the caller, when it has one and does.
    pub named: Option<Named>,
    /// Why it does not match: the first of principal, action and resource that differs, or conditions; empty when it
    /// matches.
    pub mismatches: Vec<Mismatch>,
}

/// Why a statement does not match. Values are cut to 160 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    /// `Principal` does not name the caller, or `NotPrincipal` spares it.
    Principal {
        /// The caller.
        caller: String,
    },
    /// `Action` or `NotAction`.
    Action {
        /// The request's action.
        action: String,
    },
    /// `Resource` or `NotResource`.
    Resource {
        /// The request's resource.
        resource: String,
        /// Variables that the patterns need and the context does not have.
        without_value: Vec<String>,
    },
    /// There is no `Resource`, without which a statement in the policy of a KMS key has no effect.
    NoResource,
    /// A condition.
    Condition {
        /// Its operator.
        operator: Operator,
        /// Its key.
        key: String,
        /// The policy's values, at most eight.
        wanted: Vec<String>,
        /// The request's values, at most eight; `None` when the key is absent.
        found: Option<Vec<String>>,
    },
}

impl Situation<'_> {
    /// Decides a request and says why.
    ///
    /// # Errors
    /// As [`Situation::evaluate`].
    pub fn explain(&self, request: &Request) -> Result<Explanation, SituationError> {
        let evaluation = self.evaluate(request)?;
        let mut work = Work::limited(2 * MAX_STEPS);
        let flow = Flow::new(self, request);
        let grant = flow.grant(&mut work).map(|grant| grant.named);
        let needs = flow.needs(grant);
        let layers = flow
            .layers
            .iter()
            .map(|applying| {
                let need = need(applying.layer, &flow, needs, grant);
                layer(
                    applying.layer,
                    need,
                    applying.documents,
                    applying.first,
                    &flow.prepared,
                    &mut work,
                )
            })
            .collect();
        if work.exhausted() {
            return Err(SituationError::Budget(MAX_STEPS));
        }
        Ok(Explanation { evaluation, layers })
    }
}

/// [`evaluate`] with its explanation.
pub fn explain_layers(layers: &Layers<'_>, request: &Request) -> Explanation {
    let prepared = Prepared::new(request);
    let mut work = Work::unlimited();
    let mut explained = vec![(Layer::Identity, layers.identity)];
    if layers.boundary.is_some() {
        explained.push((Layer::Boundary, layers.boundary.as_slice()));
    }
    explained.extend(layers.session.map(|session| (Layer::Session, session)));
    Explanation {
        evaluation: evaluate(layers, request),
        layers: explained
            .into_iter()
            .map(|(of, documents)| layer(of, Need::MustAllow, documents, 0, &prepared, &mut work))
            .collect(),
    }
}

/// [`evaluate_trust`] with its explanation.
pub fn explain_trust(trust: &Document, request: &Request) -> Explanation {
    let prepared = Prepared::new(request);
    let mut work = Work::unlimited();
    Explanation {
        evaluation: evaluate_trust(trust, request),
        layers: vec![layer(
            Layer::Trust,
            Need::MustAllow,
            &[trust],
            0,
            &prepared,
            &mut work,
        )],
    }
}

fn need(layer: Layer, flow: &Flow<'_, '_>, needs: Needs, grant: Option<Named>) -> Need {
    if needs.must_allow(layer) {
        return Need::MustAllow;
    }
    match layer {
        Layer::ResourceControl(_) => Need::AlwaysAllows,
        Layer::Resource | Layer::Trust => Need::SameAccount,
        _ if flow.side == Side::Outside => Need::NoAccount,
        _ if grant == Some(Named::Directly) && flow.side == Side::Same => Need::NamedDirectly,
        _ if matches!(flow.request.principal, Some(Caller::Root(_))) => Need::Root,
        _ => Need::NamedBehind,
    }
}

fn layer(
    layer: Layer,
    need: Need,
    documents: &[&Document],
    first: usize,
    prepared: &Prepared<'_>,
    work: &mut Work,
) -> ExplainedLayer {
    let mut outcome = AccessDecision::ImplicitDeny;
    let (mut statements, mut listed, mut omitted) = (Vec::new(), 0, 0);
    for (d, document) in documents.iter().enumerate() {
        let compiled = &document.compiled().statements;
        for (s, (statement, source)) in compiled.iter().zip(document.statements()).enumerate() {
            let matches = statement.matches(prepared, work);
            if matches {
                outcome = match (outcome, statement.effect) {
                    (AccessDecision::ExplicitDeny, _) | (_, Effect::Deny) => AccessDecision::ExplicitDeny,
                    _ => AccessDecision::Allowed,
                };
            } else if listed >= MAX_STATEMENTS {
                omitted += 1;
                continue;
            }
            listed += usize::from(!matches);
            if matches && statements.len() >= 4 * MAX_STATEMENTS {
                omitted += 1;
                continue;
            }
            let mismatches = if matches {
                Vec::new()
            } else {
                mismatches(statement, source, prepared, work)
            };
            statements.push(ExplainedStatement {
                document: d + first,
                statement: s,
                sid: statement.sid.as_deref().map(cut),
                effect: statement.effect,
                named: named(statement, prepared),
                mismatches,
            });
        }
    }
    ExplainedLayer {
        layer,
        need,
        outcome,
        statements,
        omitted,
    }
}

fn named(statement: &CompiledStatement, request: &Prepared<'_>) -> Option<Named> {
    let element = statement.principal.as_ref()?;
    let surely = |who| element.names(who).1;
    (!element.is_negated()).then(|| request.principal.as_ref().and_then(surely))?
}

fn mismatches(
    statement: &CompiledStatement,
    source: &Statement,
    request: &Prepared<'_>,
    work: &mut Work,
) -> Vec<Mismatch> {
    if !statement.is_about(request) {
        let caller = request
            .principal
            .map_or_else(|| "nobody".to_owned(), |who| cut(&who.caller.to_string()));
        return vec![Mismatch::Principal { caller }];
    }
    if !statement.actions.matches_action(&request.action, work) {
        return vec![Mismatch::Action {
            action: cut(request.spelled_action),
        }];
    }
    if let Some(resources) = &statement.resources
        && !statement.is_about_resource(resources, request, work)
    {
        let mut without_value: Vec<String> = resources
            .items
            .iter()
            .filter_map(ResourcePattern::arn)
            .flat_map(ArnPattern::variables)
            .filter(|v| v.default.is_none() && !matches!(request.context.get_lower(&v.key), Some([_])))
            .map(|v| cut(&v.spelled))
            .take(MAX_VALUES)
            .collect();
        without_value.dedup();
        return vec![Mismatch::Resource {
            resource: cut(request.spelled_resource),
            without_value,
        }];
    }
    if !statement.is_attached(request) {
        return vec![Mismatch::NoResource];
    }
    let failing = statement
        .atoms
        .iter()
        .zip(&source.conditions)
        .filter(|(atom, _)| !atom.holds(request.context, work));
    failing
        .map(|(_, condition)| condition_mismatch(condition, request))
        .take(MAX_VALUES)
        .collect()
}

fn condition_mismatch(condition: &Condition, request: &Prepared<'_>) -> Mismatch {
    let some = |values: &[String]| values.iter().take(MAX_VALUES).map(|v| cut(v)).collect();
    Mismatch::Condition {
        operator: condition.operator,
        key: cut(&condition.key),
        wanted: some(&condition.values),
        found: request.context.get(&condition.key).map(some),
    }
}

/// At most [`MAX_VALUE_BYTES`] of a text.
fn cut(text: &str) -> String {
    if text.len() <= MAX_VALUE_BYTES {
        return text.to_owned();
    }
    let end = (0..=MAX_VALUE_BYTES).rev().find(|i| text.is_char_boundary(*i));
    format!("{}…", text.get(..end.unwrap_or(0)).unwrap_or_default())
}
