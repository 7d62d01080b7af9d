//! How AWS puts the policies of a situation together (IAM User Guide, "Policy evaluation logic").

use super::{
    applying::{Applying, layers, resource_account},
    layers::reason,
    matching::{DocumentOutcome, Doubt, Prepared},
    reason::{Evaluation, Layer, Rule},
    request::{AccessDecision, Request},
    rules,
    situation::{Situation, SituationError},
};
use crate::{
    ast::Effect,
    document::place::StatementRef,
    principal::{caller::Caller, naming::Named},
    work::Work,
};

/// Position updates that one evaluation may take; policies of AWS's sizes take a few thousand.
pub(super) const MAX_STEPS: u64 = 10_000_000;

/// Where the caller stands towards the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// No caller was given: the principal's own side alone is asked.
    Unnamed,
    /// A caller without account.
    Outside,
    /// The caller's account owns the resource.
    Same,
    /// Another account owns it.
    Other,
}

/// Which layers must allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) resource: bool,
    pub(super) identity: bool,
    /// Boundary and session policies.
    pub(super) caps: bool,
}

/// An Allow of the resource policy that matches, with how it names the caller.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResourceAllow {
    pub(super) named: Named,
    /// Index of the statement.
    pub(super) statement: usize,
}

impl Situation<'_> {
    /// Decides a request.
    ///
    /// # Errors
    /// When something does not fit together: a document of the wrong kind, an account id that is none, a policy with
    /// principals but no caller; or when the patterns are too costly to compare. An error is never an allow.
    pub fn evaluate(&self, request: &Request) -> Result<Evaluation, SituationError> {
        self.check(request)?;
        let mut work = Work::limited(MAX_STEPS);
        let flow = Flow::new(self, request);
        let evaluation = flow.decide(&mut work);
        let doubt = flow.doubt(evaluation.decision, &mut work);
        if work.exhausted() {
            return Err(SituationError::Budget(MAX_STEPS));
        }
        doubt.map_or(Ok(evaluation), |who| Err(SituationError::UnknownCaller(who)))
    }
}

/// One evaluation.
pub(super) struct Flow<'s, 'a> {
    pub(super) situation: &'s Situation<'a>,
    pub(super) request: &'s Request,
    pub(super) prepared: Prepared<'s>,
    pub(super) layers: Vec<Applying<'s, 'a>>,
    pub(super) side: Side,
}

impl<'s, 'a> Flow<'s, 'a> {
    pub(super) fn new(situation: &'s Situation<'a>, request: &'s Request) -> Self {
        let side = match request.principal.as_ref().map(Caller::account) {
            None => Side::Unnamed,
            Some(None) => Side::Outside,
            Some(Some(account)) if resource_account(situation, request) == Some(account.id.as_str()) => {
                Side::Same
            }
            Some(Some(_)) => Side::Other,
        };
        Self {
            situation,
            request,
            prepared: Prepared::new(request).bounded(!situation.boundaries.is_empty()),
            layers: layers(situation, request),
            side,
        }
    }

    pub(super) fn decide(&self, work: &mut Work) -> Evaluation {
        if rules::always_allowed(self.request, self.situation.session_token) {
            return Evaluation::by_rule(AccessDecision::Allowed, Rule::NoPermissionNeeded);
        }
        // Every Deny before any missing Allow.
        let mut allows = Vec::with_capacity(self.layers.len());
        for applying in &self.layers {
            let mut allow = None;
            for (d, document) in applying.documents.iter().enumerate() {
                match document.compiled().outcome(&self.prepared, work) {
                    DocumentOutcome::Denied(s) => {
                        return evaluation(
                            AccessDecision::ExplicitDeny,
                            applying,
                            Some(StatementRef {
                                document: d,
                                statement: s,
                            }),
                        );
                    }
                    DocumentOutcome::Allowed(s) if allow.is_none() => {
                        allow = Some(StatementRef {
                            document: d,
                            statement: s,
                        })
                    }
                    DocumentOutcome::Allowed(_) | DocumentOutcome::Silent => {}
                }
            }
            allows.push(allow);
        }
        if let Some(rule) = rules::refused(self.request, self.situation.session_token) {
            return Evaluation::by_rule(AccessDecision::ImplicitDeny, rule);
        }
        let grant = self.grant(work);
        let needs = self.needs(grant.map(|grant| grant.named));
        if needs.resource && self.situation.resource.is_none() {
            return Evaluation::by_rule(AccessDecision::ImplicitDeny, self.missing_resource_policy());
        }
        let silent = self
            .layers
            .iter()
            .zip(&allows)
            .find(|(applying, allow)| allow.is_none() && needs.must_allow(applying.layer));
        if let Some((applying, _)) = silent {
            return evaluation(AccessDecision::ImplicitDeny, applying, None);
        }
        if needs.caps && self.situation.session.is_empty() && self.is_federated_user() {
            return Evaluation::by_rule(
                AccessDecision::ImplicitDeny,
                Rule::FederatedUserWithoutSessionPolicy,
            );
        }
        self.allowed(needs, grant, &allows)
    }

    /// Nothing stands against it; says what grants it.
    fn allowed(
        &self,
        needs: Needs,
        grant: Option<ResourceAllow>,
        allows: &[Option<StatementRef>],
    ) -> Evaluation {
        let granting = |layer: fn(&Layer) -> bool| {
            let (applying, allow) = self.layers.iter().zip(allows).find(|(a, _)| layer(&a.layer))?;
            Some((applying, (*allow)?))
        };
        if needs.identity
            && let Some((applying, allow)) = granting(|layer| *layer == Layer::Identity)
        {
            return evaluation(AccessDecision::Allowed, applying, Some(allow));
        }
        if let Some((applying, _)) = granting(|layer| matches!(layer, Layer::Resource | Layer::Trust))
            && let Some(ResourceAllow { statement, .. }) = grant
        {
            return evaluation(
                AccessDecision::Allowed,
                applying,
                Some(StatementRef {
                    document: 0,
                    statement,
                }),
            );
        }
        match self.request.principal {
            Some(Caller::Root(_)) => Evaluation::by_rule(AccessDecision::Allowed, Rule::RootUser),
            // Nobody else comes here: what is needed has been found to allow.
            _ => Evaluation::by_rule(AccessDecision::ImplicitDeny, Rule::ResourcePolicyMissing),
        }
    }

    /// A principal that a statement names and that the caller, of whom not everything is known, may be, when the decision
    /// depends on it.
    fn doubt(&self, decision: AccessDecision, work: &mut Work) -> Option<String> {
        let who = self.prepared.principal?;
        let documents = self.layers.iter().flat_map(|applying| applying.documents);
        let doubtful = documents
            .flat_map(|document| &document.compiled().statements)
            .find_map(|statement| {
                let element = statement.principal.as_ref()?;
                // The session or the user behind the caller can be given, and who gives neither is not allowed by their names.
                let listed = element.uncertain(&who).find(|listed| {
                    let deny = statement.effect == Effect::Deny && !element.is_negated();
                    deny || listed.is_id()
                })?;
                statement.covers(&self.prepared, work).then(|| listed.to_string())
            })?;
        let other = Self {
            prepared: Prepared::new(self.request)
                .bounded(who.bounded)
                .principals_read(Doubt::Grants),
            layers: layers(self.situation, self.request),
            ..*self
        };
        (other.decide(work).decision != decision).then_some(doubtful)
    }

    /// The Allow of the resource policy that names the caller most directly.
    pub(super) fn grant(&self, work: &mut Work) -> Option<ResourceAllow> {
        let who = self.prepared.principal.as_ref()?;
        let statements = &self.situation.resource?.compiled().statements;
        let mut best: Option<ResourceAllow> = None;
        for (i, statement) in statements.iter().enumerate() {
            let named = match &statement.principal {
                Some(element) if statement.effect == Effect::Allow && !element.is_negated() => {
                    let (possibly, surely) = element.names(who);
                    if self.prepared.principals == Doubt::Grants {
                        possibly
                    } else {
                        surely
                    }
                }
                _ => None,
            };
            if let Some(named) = named
                && best.is_none_or(|found| found.named < named)
                && statement.matches(&self.prepared, work)
            {
                best = Some(ResourceAllow { named, statement: i });
            }
        }
        best
    }

    pub(super) fn needs(&self, grant: Option<Named>) -> Needs {
        let root = matches!(self.request.principal, Some(Caller::Root(_)));
        let own_side = Needs {
            resource: false,
            identity: !root,
            caps: true,
        };
        let both = Needs {
            resource: true,
            ..own_side
        };
        match (self.side, grant) {
            (Side::Unnamed, _) => own_side,
            (Side::Outside, _) => Needs {
                resource: true,
                identity: false,
                caps: false,
            },
            (Side::Other, _) => both,
            (Side::Same, _) if rules::needs_both_sides(self.request) => both,
            (Side::Same, Some(Named::Directly)) => Needs {
                resource: true,
                identity: false,
                caps: false,
            },
            (Side::Same, Some(Named::Behind)) => Needs {
                identity: false,
                ..both
            },
            (Side::Same, Some(Named::Account) | None) => Needs {
                resource: rules::is_trust_question(self.request) || rules::is_key_question(self.request),
                ..own_side
            },
        }
    }

    fn missing_resource_policy(&self) -> Rule {
        if rules::is_trust_question(self.request) {
            Rule::TrustPolicyMissing
        } else if rules::is_key_question(self.request) {
            Rule::KeyPolicyMissing
        } else {
            Rule::ResourcePolicyMissing
        }
    }

    pub(super) fn is_federated_user(&self) -> bool {
        matches!(self.request.principal, Some(Caller::FederatedUser { .. }))
    }
}

impl Needs {
    pub(super) fn must_allow(self, layer: Layer) -> bool {
        match layer {
            Layer::Identity => self.identity,
            Layer::Boundary | Layer::Session => self.caps,
            Layer::Trust | Layer::Resource => self.resource,
            Layer::Endpoint | Layer::ServiceControl(_) => true,
            // AWS keeps RCPFullAWSAccess attached.
            Layer::ResourceControl(_) | Layer::Rule(_) => false,
        }
    }
}

/// A decision of a layer; `statement` counts documents from the first of `applying`.
fn evaluation(
    decision: AccessDecision,
    applying: &Applying<'_, '_>,
    statement: Option<StatementRef>,
) -> Evaluation {
    let mut reason = reason(applying.layer, applying.documents, statement);
    reason.statement = statement.map(|at| StatementRef {
        document: at.document + applying.first,
        ..at
    });
    Evaluation { decision, reason }
}
