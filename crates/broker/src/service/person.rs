//! Sessions of people: as those of pods, but for who asks and what is said of it.

use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use deputy_delegation::{
    SessionDuration,
    model::{Account, BindingRef, ObjectId},
    people::AuthenticatedPerson,
};
use deputy_index::ResourceKind;
use tracing::Instrument as _;

use super::{Broker, error::SessionError};
use crate::{
    issuer::{Issued, SessionKey},
    problem::BrokerProblem,
    resolve::{RefusalCode, ResolveError, resolve_person},
};

/// How long a person waits at most, all together.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);

/// A session that a person gets.
pub struct PersonsSession {
    pub key: SessionKey,
    pub account: Arc<Account>,
    pub issued: Arc<Issued>,
}

impl Broker {
    /// A session for `person` by `binding`, of `asked` or as long as the binding says. The API server says who they are, and RBAC that they may
    /// ask.
    pub(crate) async fn credentials_of_person(
        &self,
        person: &AuthenticatedPerson,
        binding: &ObjectId,
        asked: Option<SessionDuration>,
    ) -> Result<PersonsSession, BrokerProblem> {
        let span = tracing::info_span!("credentials", user = %person.user, binding = %binding);
        let work = self.answer_person(person, binding, asked).instrument(span);
        match tokio::time::timeout(ANSWER_WITHIN, work).await {
            Ok(answer) => answer,
            Err(_) => {
                let message = "no answer in time; the next request may have it";
                Err(BrokerProblem::retry("NotReady", message))
            }
        }
    }

    async fn answer_person(
        &self,
        person: &AuthenticatedPerson,
        binding: &ObjectId,
        asked: Option<SessionDuration>,
    ) -> Result<PersonsSession, BrokerProblem> {
        // Neither a grant nor a refusal may rest on what was true once.
        let current = self.index.current(&ResourceKind::KINDS);
        current.map_err(|stale| BrokerProblem::retry("NotReady", stale.to_string()))?;
        let grant = resolve_person(&self.index, person, binding, asked);
        let grant = grant.map_err(|error| self.person_problem(person, binding, &error))?;
        let issued = self.session(&grant).await.map_err(|error| match error {
            SessionError::NotYet { code, .. } => BrokerProblem::retry(code, error.to_string()),
            SessionError::Refused { refusal, .. } => self.person_problem(person, binding, &refusal),
        })?;
        self.denials.forget(&grant);
        self.audit.session_given(person, &grant, &issued);
        Ok(PersonsSession {
            key: grant.key,
            account: grant.account,
            issued,
        })
    }

    /// The problem that a refusal is, with its audit line.
    fn person_problem(
        &self,
        person: &AuthenticatedPerson,
        binding: &ObjectId,
        error: &ResolveError,
    ) -> BrokerProblem {
        let (status, code, message) = match error {
            ResolveError::Refused { code, message, .. } => {
                let status = match code {
                    RefusalCode::NoBinding => StatusCode::NOT_FOUND,
                    RefusalCode::Duration => StatusCode::UNPROCESSABLE_ENTITY,
                    _ => StatusCode::FORBIDDEN,
                };
                (status, *code, message)
            }
            ResolveError::DeniedByAws { message, .. } => {
                (StatusCode::FORBIDDEN, RefusalCode::AccessDenied, message)
            }
            ResolveError::NotReady { message } => return BrokerProblem::retry("NotReady", message.clone()),
        };
        self.audit.person_refused(person, binding, code.as_str(), message);
        BrokerProblem::new(status, code.as_str(), message.clone())
    }

    /// That RBAC does not let a person ask, with its audit line. `why` is what the API server said, if anything.
    pub(crate) fn forbidden_person(
        &self,
        person: &AuthenticatedPerson,
        binding: &ObjectId,
        why: &str,
    ) -> BrokerProblem {
        const CODE: &str = "RBAC";
        let why = if why.is_empty() {
            String::new()
        } else {
            format!(": {why}")
        };
        let message = format!(
            "user {:?} may not create awsrolebindings/credentials of {} in API group \"credentials.deputy.dev\"{why}",
            person.user.as_str(),
            BindingRef::role(binding.clone()),
        );
        self.audit.person_refused(person, binding, CODE, &message);
        BrokerProblem::new(StatusCode::FORBIDDEN, CODE, message)
    }
}
