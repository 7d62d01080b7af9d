//! The API over HTTP. Connections are the API server's alone; what its headers say of the user is therefore true.

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use deputy_delegation::{
    NamespaceName, ObjectName, PersonName,
    model::ObjectId,
    people::{AuthenticatedPerson, UserName},
};
use deputy_runtime::front_proxy::{FrontProxyKeeper, RequestUser};
use tokio::{sync::Semaphore, time::Instant};
use zeroize::Zeroizing;

use super::{
    access::AccessApi,
    discovery::{self, GROUP, RESOURCE, SUBRESOURCE, VERSION},
    wire::{CredentialsAnswer, RequestError, asked_duration, status},
};
use crate::{
    issuer::SessionKey,
    problem::BrokerProblem,
    service::{Broker, PersonsSession},
};

/// Questions about RBAC at a time.
pub const QUESTIONS: usize = 16;
/// The largest body that is read, in bytes.
const BODY_MAX: usize = 16 * 1024;

/// What the API answers with.
pub struct PeopleServer {
    /// Who makes sessions.
    pub broker: Arc<Broker>,
    /// Whom it believes.
    pub front_proxy: FrontProxyKeeper,
    /// Whether RBAC lets them.
    pub access: Arc<dyn AccessApi>,
    /// Leave to ask about that: pods' questions to the API server come first.
    pub questions: Semaphore,
}

/// The API. One handler for all: whatever is asked, the answer is one of Kubernetes'.
pub fn router(server: PeopleServer) -> Router {
    Router::new().fallback(handle).with_state(Arc::new(server))
}

async fn handle(State(server): State<Arc<PeopleServer>>, request: Request) -> Response {
    let began = Instant::now();
    if *request.method() == Method::GET {
        let path = request.uri().path();
        return match (discovery::document(path), path) {
            (Some(document), _) => json(StatusCode::OK, document.to_string().into_bytes()),
            (None, "/healthz" | "/livez" | "/readyz") => "ok".into_response(),
            (None, _) => problem(&not_found(path), None),
        };
    }
    let binding = match binding_of(request.uri().path()) {
        Some(binding) => binding,
        None => return problem(&not_found(request.uri().path()), None),
    };
    let answer = server.create(&binding, request).await;
    let (response, code) = match answer {
        Ok(session) => (created(&binding, &session), "OK"),
        Err(refusal) => (problem(&refusal, Some(binding.name.as_str())), refusal.code),
    };
    let code_of_status = response.status().as_u16();
    server
        .broker
        .metrics()
        .answered_person(code_of_status, code, began.elapsed());
    response
}

impl PeopleServer {
    async fn create(&self, binding: &ObjectId, request: Request) -> Result<PersonsSession, BrokerProblem> {
        if *request.method() != Method::POST {
            let message = format!("{RESOURCE}/{SUBRESOURCE} can be created (POST) and nothing else");
            return Err(BrokerProblem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                message,
            ));
        }
        let (head, body) = request.into_parts();
        // 1. Who asks.
        let user = self.user(&head.headers)?;
        let person = person(&user)?;
        // 2. What they ask for.
        no_dry_run(head.uri.query())?;
        is_json(&head.headers)?;
        let body = to_bytes(body, BODY_MAX).await.map_err(|_| {
            let message = format!("the body has more than {BODY_MAX} bytes, or did not come whole");
            BrokerProblem::new(StatusCode::PAYLOAD_TOO_LARGE, "TooLarge", message)
        })?;
        let asked = asked_duration(&body).map_err(|error| match &error {
            RequestError::Body(_) => bad_request(error.to_string()),
            RequestError::Duration(_) => {
                BrokerProblem::new(StatusCode::UNPROCESSABLE_ENTITY, "Duration", error.to_string())
            }
        })?;
        // 3. Whether the cluster lets them ask.
        let Ok(question) = self.questions.try_acquire() else {
            let message = "too many people ask at the same time; the next request may have an answer";
            return Err(BrokerProblem::retry("Throttled", message));
        };
        let refusal = self.access.refusal(&user, binding).await;
        let refusal = refusal.map_err(|error| BrokerProblem::unavailable(error.to_string()))?;
        if let Some(why) = refusal {
            return Err(self.broker.forbidden_person(&person, binding, &why));
        }
        drop(question);
        // 4. What is granted.
        self.broker.credentials_of_person(&person, binding, asked).await
    }

    fn user(&self, headers: &HeaderMap) -> Result<RequestUser, BrokerProblem> {
        let Some(known) = self.front_proxy.current() else {
            let message = "whom the cluster's API server speaks for is not known yet";
            return Err(BrokerProblem::retry("NotReady", message));
        };
        known
            .user_of(headers)
            .map_err(|error| BrokerProblem::new(StatusCode::UNAUTHORIZED, "Unauthorized", error.to_string()))
    }
}

/// The user as bindings and limits name people.
fn person(user: &RequestUser) -> Result<AuthenticatedPerson, BrokerProblem> {
    let name = UserName::new(&user.name).map_err(|error| bad_request(error.to_string()))?;
    let groups: BTreeSet<PersonName> = user
        .groups
        .iter()
        .filter_map(|group| PersonName::new(group.as_str()).ok())
        .collect();
    Ok(AuthenticatedPerson { user: name, groups })
}

/// `/apis/credentials.deputy.dev/v1alpha1/namespaces/<namespace>/awsrolebindings/<name>/credentials`. A name that needs escapes is none.
fn binding_of(path: &str) -> Option<ObjectId> {
    let rest = path.strip_prefix("/apis/")?.strip_prefix(GROUP)?;
    let rest = rest.strip_prefix('/')?.strip_prefix(VERSION)?;
    let parts: Vec<&str> = rest.split('/').collect();
    match parts.as_slice() {
        ["", "namespaces", namespace, resource, name, subresource]
            if *resource == RESOURCE && *subresource == SUBRESOURCE =>
        {
            Some(ObjectId {
                namespace: NamespaceName::new(*namespace).ok()?,
                name: ObjectName::new(*name).ok()?,
            })
        }
        _ => None,
    }
}

/// A session is made or not: there is no trying.
fn no_dry_run(query: Option<&str>) -> Result<(), BrokerProblem> {
    let is_dry = |pair: &str| pair == "dryRun" || pair.starts_with("dryRun=");
    if query.is_some_and(|query| query.split('&').any(is_dry)) {
        return Err(bad_request(
            "dryRun is not served: kubectl auth can-i create awsrolebindings.credentials.deputy.dev --subresource=credentials says whether RBAC allows it".to_owned(),
        ));
    }
    Ok(())
}

fn is_json(headers: &HeaderMap) -> Result<(), BrokerProblem> {
    let content = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let kind = content
        .and_then(|content| content.split(';').next())
        .map(str::trim);
    if kind.is_none_or(|kind| kind.eq_ignore_ascii_case("application/json")) {
        return Ok(());
    }
    let message = "the body is read as application/json alone";
    Err(BrokerProblem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "MediaType",
        message,
    ))
}

fn bad_request(message: String) -> BrokerProblem {
    BrokerProblem::new(StatusCode::BAD_REQUEST, "BadRequest", message)
}

fn not_found(path: &str) -> BrokerProblem {
    let shown: String = path.chars().take(256).collect();
    BrokerProblem::new(
        StatusCode::NOT_FOUND,
        "NotFound",
        format!("there is nothing at {shown}"),
    )
}

fn created(binding: &ObjectId, session: &PersonsSession) -> Response {
    let SessionKey::Role(key) = &session.key else {
        return problem(
            &BrokerProblem::unavailable("a person's session is of a role"),
            None,
        );
    };
    let (account, issued) = (&session.account, &session.issued);
    let answer = CredentialsAnswer::new(
        binding,
        &key.request,
        &issued.session,
        account.id.as_str(),
        account.region.as_str(),
    );
    match serde_json::to_vec(&answer).map(Zeroizing::new) {
        // Best effort: the copy that the HTTP library makes is not wiped.
        Ok(body) => json(StatusCode::CREATED, body.to_vec()),
        Err(_) => problem(
            &BrokerProblem::unavailable("the credentials could not be written"),
            None,
        ),
    }
}

fn problem(refusal: &BrokerProblem, name: Option<&str>) -> Response {
    let mut response = json(refusal.status, status(refusal, name).to_string().into_bytes());
    if let Some(seconds) = refusal.retry_after {
        let seconds = HeaderValue::from(seconds);
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

fn json(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = (status, Body::from(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
