//! How long AWS has refused what is granted here: at first that may pass.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use deputy_delegation::{model::BindingRef, people::UserName};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::grant::{ResolveError, SessionGrant};
use crate::issuer::SessionKey;

/// How long AWS may refuse a role before it counts as a "no": IAM takes a while to be the same everywhere.
const GRACE: Duration = Duration::from_secs(120);
/// So long after the last refusal, the next one is the first again: something new has happened to the role.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(300);
/// Roles remembered as refused.
const MOST_DENIED: usize = 10_000;

/// When AWS first and last refused a role.
#[derive(Clone, Copy)]
struct Denied {
    first: Instant,
    last: Instant,
}

/// A binding, the uid of its role or the ARN of its federated user, and the person: what AWS says to one says nothing about another.
type Asked = (BindingRef, String, Option<UserName>);

/// Since when AWS refuses sessions by which binding.
#[derive(Default)]
pub struct Denials {
    since: Mutex<HashMap<Asked, Denied>>,
    /// Whether there is any: asked at every request.
    any: AtomicBool,
}

impl Denials {
    /// AWS gave a session of this role.
    pub fn forget(&self, grant: &SessionGrant) {
        if !self.any.load(Ordering::Relaxed) {
            return;
        }
        let mut since = self.since.lock();
        since.remove(&Self::key(grant));
        self.any.store(!since.is_empty(), Ordering::Relaxed);
    }

    fn key(grant: &SessionGrant) -> Asked {
        let (whose, person) = match &grant.key {
            SessionKey::Role(key) => (key.role_uid.clone(), key.person.clone()),
            SessionKey::FederatedUser(key) => (key.request.user.to_string(), None),
        };
        (grant.key.binding(), whose, person)
    }

    /// What a refusal of AWS means for a grant: "not yet" for the first two minutes, "no" afterwards.
    #[must_use]
    pub fn classify(&self, grant: &SessionGrant, message: &str) -> ResolveError {
        let now = Instant::now();
        let mut since = self.since.lock();
        if since.len() >= MOST_DENIED {
            since.retain(|_, d| d.last.elapsed() < FORGOTTEN_AFTER);
        }
        self.any.store(true, Ordering::Relaxed);
        let key = Self::key(grant);
        let mut fresh = Denied {
            first: now,
            last: now,
        };
        let denied = if since.len() >= MOST_DENIED && !since.contains_key(&key) {
            // Not remembered: it is "not yet" as long as so many others are refused.
            &mut fresh
        } else {
            since.entry(key).or_insert(fresh)
        };
        if denied.last.elapsed() >= FORGOTTEN_AFTER {
            denied.first = now;
        }
        denied.last = now;
        let (whose, binding) = (grant.key.principal(), grant.key.binding());
        if denied.first.elapsed() < GRACE {
            let message = match &grant.key {
                SessionKey::Role(_) => {
                    format!(
                        "{whose} is being made or changed, which takes up to two minutes, or AWS refuses it: {message}"
                    )
                }
                SessionKey::FederatedUser(_) => {
                    format!(
                        "AWS refuses a session of {whose}, or its federation user is being changed: {message}"
                    )
                }
            };
            ResolveError::NotReady { message }
        } else {
            ResolveError::DeniedByAws {
                message: format!(
                    "AWS refuses a session of {whose} ({binding}): {message}. Whoever runs Deputy compares the identity of deputy broker with \
                     what deputy bootstrap aws prints, and looks for an SCP; the conditions of the binding and its role say more"
                ),
                binding,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use deputy_index::Index;
    use serde_json::json;

    use super::*;
    use crate::{
        fixtures::{federated_index, index, pod_of},
        resolve::resolve,
    };

    fn grant(index: &Index) -> Box<SessionGrant> {
        let grant = resolve(index, &pod_of("uploader"), None);
        grant.unwrap_or_else(|error| panic!("{error}"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_of_aws_is_not_yet_for_two_minutes_and_no_afterwards() {
        for grant in [grant(&index()), grant(&federated_index(&json!({})))] {
            judge(&grant).await;
        }
    }

    async fn judge(grant: &SessionGrant) {
        let denials = Denials::default();
        let judged = || match denials.classify(grant, "AccessDenied") {
            ResolveError::NotReady { .. } => "NotReady",
            ResolveError::DeniedByAws { .. } => "AccessDenied",
            ResolveError::Refused { code, .. } => code.as_str(),
        };
        assert_eq!(judged(), "NotReady");
        tokio::time::advance(GRACE - Duration::from_secs(1)).await;
        assert_eq!(judged(), "NotReady");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(judged(), "AccessDenied");
        // A session in between, or a long silence, begins anew.
        denials.forget(grant);
        assert_eq!(judged(), "NotReady");
        tokio::time::advance(FORGOTTEN_AFTER).await;
        assert_eq!(judged(), "NotReady");
    }
}
