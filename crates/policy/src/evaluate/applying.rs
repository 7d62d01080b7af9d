//! Which policies of a situation apply to a request, and whether they fit together.

use super::{
    reason::Layer,
    request::Request,
    rules,
    situation::{MAX_TEXT_BYTES, Situation, SituationError},
};
use crate::{
    ast::PolicyKind,
    document::Document,
    principal::{account::is_account_id, caller::Caller},
    text::quote,
};

/// One kind of policy that applies.
pub(super) struct Applying<'s, 'a> {
    pub(super) layer: Layer,
    pub(super) documents: &'s [&'a Document],
    /// Index of the first document.
    pub(super) first: usize,
}

/// The layers that apply, in the order in which AWS looks at them.
pub(super) fn layers<'s, 'a>(situation: &'s Situation<'a>, request: &Request) -> Vec<Applying<'s, 'a>> {
    let mut layers = Vec::new();
    let mut add = |layer, documents: &'s [&'a Document], first| {
        layers.push(Applying {
            layer,
            documents,
            first,
        });
    };
    let account = request.principal.as_ref().and_then(Caller::account);
    let managed = |id: Option<&str>| id.is_some() && id == situation.management_account.as_deref();
    let bound = request.principal.is_none() || account.is_some();
    if !situation.service_linked {
        if !managed(resource_account(situation, request)) {
            for (level, documents) in situation.resource_control.iter().enumerate() {
                add(Layer::ResourceControl(level), documents, 0);
            }
        }
        if bound && !managed(account.map(|a| a.id.as_str())) {
            for (level, documents) in situation.service_control.iter().enumerate() {
                add(Layer::ServiceControl(level), documents, 0);
            }
        }
    }
    if situation.endpoint.is_some() {
        add(Layer::Endpoint, situation.endpoint.as_slice(), 0);
    }
    if situation.resource.is_some() {
        let trust = rules::is_trust_question(request);
        let layer = if trust { Layer::Trust } else { Layer::Resource };
        add(layer, situation.resource.as_slice(), 0);
    }
    add(Layer::Identity, &situation.identity, 0);
    for (i, boundary) in situation.boundaries.iter().enumerate() {
        add(Layer::Boundary, std::slice::from_ref(boundary), i);
    }
    if !situation.session.is_empty() {
        add(Layer::Session, &situation.session, 0);
    }
    layers
}

/// The account that owns the resource, as far as it is known.
pub(super) fn resource_account<'s>(situation: &'s Situation<'_>, request: &'s Request) -> Option<&'s str> {
    let in_arn = || rules::ResourceArn::split(&request.resource)?.account_id();
    let own = || Some(request.principal.as_ref()?.account()?.id.as_str());
    situation.resource_account.as_deref().or_else(in_arn).or_else(own)
}

impl Situation<'_> {
    /// Refuses what does not fit together.
    pub(super) fn check(&self, request: &Request) -> Result<(), SituationError> {
        if let Some(caller) = request.principal.as_ref().filter(|c| c.is_of_unknown_account()) {
            return Err(SituationError::UnknownAccount(caller.to_string()));
        }
        for (name, text) in [("action", &request.action), ("resource", &request.resource)] {
            if text.len() > MAX_TEXT_BYTES {
                return Err(SituationError::TooLong {
                    what: name,
                    bytes: text.len(),
                });
            }
        }
        for (name, id) in [
            ("resource", &self.resource_account),
            ("management", &self.management_account),
        ] {
            if let Some(id) = id.as_ref().filter(|id| !is_account_id(id)) {
                return Err(SituationError::Account {
                    what: name,
                    found: quote(id),
                });
            }
        }
        let resource = if rules::is_trust_question(request) {
            PolicyKind::Trust
        } else {
            PolicyKind::Resource
        };
        for applying in layers(self, request) {
            let expected = match applying.layer {
                Layer::Identity => PolicyKind::Identity,
                Layer::Boundary => PolicyKind::Boundary,
                Layer::Session => PolicyKind::Session,
                Layer::Resource | Layer::Trust => resource,
                Layer::Endpoint => PolicyKind::Resource,
                Layer::ServiceControl(_) => PolicyKind::ServiceControl,
                Layer::ResourceControl(_) => PolicyKind::ResourceControl,
                Layer::Rule(_) => continue,
            };
            if request.principal.is_none() && expected.has_principal() {
                return Err(SituationError::NoPrincipal(applying.layer.to_string()));
            }
            let without_resource = |d: &&Document| d.statements().iter().any(|s| s.resource.is_none());
            if applying.layer == Layer::Endpoint && applying.documents.iter().any(without_resource) {
                return Err(SituationError::EndpointWithoutResource);
            }
            if let Some(found) = applying.documents.iter().find(|d| d.kind() != expected) {
                return Err(SituationError::Kind {
                    layer: applying.layer.to_string(),
                    found: found.kind(),
                    expected,
                });
            }
        }
        if request.principal.is_none() && self.resource_account.is_some() {
            return Err(SituationError::NoPrincipal("resource's account".to_owned()));
        }
        Ok(())
    }
}
