//! What one statement, and one document, says to a request.

use super::{request::Request, rules};
use crate::{
    ast::Effect,
    compiled::{Compiled, CompiledStatement},
    condition::atom::{Predicate, Undefined},
    context::Context,
    pattern::{
        arn::{ArnText, ResourcePattern},
        elements::{ActionText, Elements},
        glob::{Inside, Pattern},
    },
    principal::{
        caller::Caller,
        listed::{Listed, is_unique_id},
        naming::{Id, Match, Who},
    },
    work::Work,
};

/// A request as the patterns want it.
pub(crate) struct Prepared<'a> {
    /// As spelled.
    pub(super) spelled_action: &'a str,
    pub(super) spelled_resource: &'a str,
    /// Lower case.
    pub(super) action: ActionText,
    pub(super) resource: ArnText,
    /// With what is known of the caller's ids.
    pub(super) principal: Option<Who<'a>>,
    /// How a Principal is read of which it is not known whether it means the caller.
    pub(super) principals: Doubt,
    /// How `NotPrincipal` is read where AWS does not define whom it spares, and conditions where it does not define them;
    /// `None`: as the evaluator takes them.
    pub(super) undefined: Option<Doubt>,
    pub(super) context: &'a Context,
}

/// How a statement is read that may or may not be about the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// It denies and does not allow: an error is never an allow.
    Refuses,
    /// It allows and does not deny: what is asked is whether something certainly exceeds.
    Grants,
}

impl<'a> Prepared<'a> {
    pub(crate) fn new(request: &'a Request) -> Self {
        Self {
            spelled_action: &request.action,
            spelled_resource: &request.resource,
            action: ActionText::new(&request.action),
            resource: ArnText::new(&request.resource),
            principal: request.principal.as_ref().map(|caller| Who {
                unique_id: unique_id(caller, &request.context),
                ..Who::new(caller)
            }),
            principals: Doubt::Refuses,
            undefined: None,
            context: &request.context,
        }
    }

    /// The same for a caller with a permissions boundary.
    pub(crate) fn bounded(mut self, bounded: bool) -> Self {
        if let Some(who) = &mut self.principal {
            who.bounded = bounded;
        }
        self
    }

    /// The same with Principals read so, of which it is not known whether they mean the caller.
    pub(crate) fn principals_read(self, principals: Doubt) -> Self {
        Self { principals, ..self }
    }

    /// The same with everything read so that is not known or not defined.
    pub(crate) fn read(self, doubt: Doubt) -> Self {
        Self {
            principals: doubt,
            undefined: Some(doubt),
            ..self
        }
    }
}

/// The unique id of the caller, which `aws:userid` has when it is given (IAM User Guide, "Principal key values"): of users
/// alone, of role sessions before the colon.
fn unique_id<'a>(caller: &Caller, context: &'a Context) -> Id<'a> {
    let Some([value]) = context.get_lower("aws:userid") else {
        return Id::Unknown;
    };
    let id = match caller {
        Caller::User { .. } => Some(value.as_str()),
        Caller::RoleSession { .. } => value.split_once(':').map(|(id, _)| id),
        _ => None,
    };
    id.filter(|id| is_unique_id(id)).map_or(Id::Unknown, Id::Is)
}

/// What one document says to a request, with the index of the statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DocumentOutcome {
    Denied(usize),
    Allowed(usize),
    Silent,
}

impl Compiled {
    pub(crate) fn outcome(&self, request: &Prepared<'_>, work: &mut Work) -> DocumentOutcome {
        let mut outcome = DocumentOutcome::Silent;
        for (i, statement) in self.statements.iter().enumerate() {
            let relevant = statement.effect == Effect::Deny || outcome == DocumentOutcome::Silent;
            if relevant && statement.matches(request, work) {
                match statement.effect {
                    Effect::Deny => return DocumentOutcome::Denied(i),
                    Effect::Allow => outcome = DocumentOutcome::Allowed(i),
                }
            }
        }
        outcome
    }
}

impl CompiledStatement {
    /// Whether the statement is about the caller.
    pub(super) fn is_about(&self, request: &Prepared<'_>) -> bool {
        let Some(element) = &self.principal else {
            return true;
        };
        let Some(who) = &request.principal else {
            return false;
        };
        match element.about(who) {
            Match::Yes => true,
            Match::No => false,
            Match::Maybe => {
                let by_id = || element.uncertain(who).any(Listed::is_id);
                let doubt = if element.is_negated() && !by_id() {
                    request.undefined.unwrap_or(Doubt::Refuses)
                } else {
                    request.principals
                };
                (self.effect == Effect::Deny) == (doubt == Doubt::Refuses)
            }
        }
    }

    pub(crate) fn matches(&self, request: &Prepared<'_>, work: &mut Work) -> bool {
        self.is_about(request) && self.covers(request, work)
    }

    /// Whether the statement matches, whoever asks.
    pub(super) fn covers(&self, request: &Prepared<'_>, work: &mut Work) -> bool {
        let sure = self.must_be_sure(request);
        self.actions.matches_action(&request.action, work)
            && self
                .resources
                .as_ref()
                .is_none_or(|resources| self.is_about_resource(resources, request, work))
            && self.atoms.iter().all(|atom| match atom.predicate {
                Predicate::Unsaid { .. } => !sure,
                _ => atom.holds_read(request.context, self.undefined(request), work),
            })
            && self.is_attached(request)
    }

    /// Whether the resource is among these of the statement.
    pub(super) fn is_about_resource(
        &self,
        resources: &Elements<ResourcePattern>,
        request: &Prepared<'_>,
        work: &mut Work,
    ) -> bool {
        let read = (
            self.must_be_sure(request),
            self.undefined(request).inside(resources.negated),
        );
        resources.matches_resource(&request.resource, request.context, read, work)
    }

    /// How conditions of the statement are read that AWS does not define.
    fn undefined(&self, request: &Prepared<'_>) -> Undefined {
        match request.undefined {
            None => Undefined::Ours,
            Some(doubt) if (self.effect == Effect::Deny) == (doubt == Doubt::Refuses) => Undefined::Holds,
            Some(_) => Undefined::Fails,
        }
    }

    /// Whether the statement matches only the resources that it matches whatever undefined constructs mean. The evaluator
    /// takes it that such a construct does not allow and does deny.
    fn must_be_sure(&self, request: &Prepared<'_>) -> bool {
        match self.undefined(request) {
            Undefined::Ours => self.effect == Effect::Allow,
            Undefined::Holds => false,
            Undefined::Fails => true,
        }
    }

    /// Whether a statement without `Resource` is about the request at all: in the policy of a KMS key it is not (KMS API
    /// reference, `PutKeyPolicy`).
    pub(super) fn is_attached(&self, request: &Prepared<'_>) -> bool {
        let without_resource = || {
            self.atoms
                .iter()
                .any(|atom| atom.predicate == Predicate::Attached)
        };
        !(rules::is_key(request.spelled_resource) && without_resource())
    }
}

impl Elements<Pattern> {
    pub(crate) fn matches_action(&self, action: &ActionText, work: &mut Work) -> bool {
        let none = Context::new();
        self.near(action.group, Some(action.literal))
            .any(|pattern| pattern.matches(&action.chars, &none, work))
            != self.negated
    }
}

impl Elements<ResourcePattern> {
    /// `sure`: only what matches whatever undefined constructs mean; and how values of variables are read.
    pub(crate) fn matches_resource(
        &self,
        resource: &ArnText,
        context: &Context,
        (sure, inside): (bool, Inside),
        work: &mut Work,
    ) -> bool {
        // No list that is negated has a variable in the head.
        let mut patterns = self.items.iter();
        patterns
            .any(|p| !(sure && p.has_variable_in_head()) && p.matches_read(resource, context, inside, work))
            != self.negated
    }
}
