//! A request that exceeds, and changes of it that still do.

use super::confirm::Probe;
use crate::{
    contain::answer::Witness, document::place::StatementRef, evaluate::request::Request, work::Work,
};

/// A request that the evaluator has confirmed: the candidate allows it and the ceiling does not.
#[derive(Debug, Clone)]
pub(super) struct ExceedingRequest {
    request: Request,
    bounded: bool,
    /// The statement of the candidate's first layer that allows it.
    place: StatementRef,
}

impl ExceedingRequest {
    pub(super) fn request(&self) -> &Request {
        &self.request
    }

    pub(super) fn witness(self) -> Witness {
        let request = self.request;
        Witness {
            action: request.action,
            resource: request.resource,
            principal: request.principal,
            bounded: self.bounded,
            context: request.context,
            candidate: self.place,
        }
    }
}

impl Probe<'_> {
    /// The request, if it exceeds.
    pub(super) fn found(&self, request: Request, bounded: bool, work: &mut Work) -> Option<ExceedingRequest> {
        let place = self.exceeds(&request, bounded, work)?;
        Some(ExceedingRequest {
            request,
            bounded,
            place,
        })
    }

    /// Makes the change if the request still exceeds then, and says whether it does.
    pub(super) fn change(
        &self,
        found: &mut ExceedingRequest,
        work: &mut Work,
        edit: impl FnOnce(&mut Request),
    ) -> bool {
        let mut changed = found.request.clone();
        edit(&mut changed);
        let place = self.exceeds(&changed, found.bounded, work);
        if let Some(place) = place {
            found.request = changed;
            found.place = place;
        }
        place.is_some()
    }
}
