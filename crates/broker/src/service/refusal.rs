//! What whoever asks hears when there is no session: what STS, a decision and a token come to.

use std::sync::Arc;

use axum::http::StatusCode;
use deputy_aws::{AwsError, ErrorClass};

use super::{Broker, error::SessionError};
use crate::{
    asker::AskedFrom,
    issuer::Renewal,
    problem::BrokerProblem,
    report::is_region_disabled,
    resolve::{RefusalCode, ResolveError, SessionGrant},
    token::{PodIdentity, TokenError},
};

/// The code of a token that is not accepted.
const INVALID_TOKEN: &str = "InvalidToken";
/// When a pod that AWS refuses asks again, in seconds.
const DENIED_RETRY: u32 = 5;

impl Broker {
    /// What an error of STS means for a pod. What no later try would change is reported to whoever wrote the binding.
    pub(super) fn sts_error(&self, grant: &SessionGrant, error: Arc<AwsError>) -> SessionError {
        let refusal = match error.class() {
            ErrorClass::Throttled => return SessionError::not_yet(grant, "Throttled", error),
            // Not a role that is not known everywhere yet: somebody has to enable the region, or name another one.
            ErrorClass::AccessDenied if is_region_disabled(&error) => ResolveError::DeniedByAws {
                message: format!(
                    "the region {} of AWSAccount {} is not enabled in the AWS account: {error}. Whoever owns the AWS account enables it, or \
                     the AWSAccount names another one",
                    grant.account.region, grant.account.name
                ),
                binding: grant.key.binding(),
            },
            // Also a duration that is more than the role's, which is being changed.
            ErrorClass::AccessDenied | ErrorClass::NotFound | ErrorClass::InvalidInput => {
                self.denials.classify(grant, &error.to_string())
            }
            // What was asked for, AWS will never give.
            ErrorClass::PackedPolicyTooLarge | ErrorClass::MalformedPolicy => ResolveError::Refused {
                code: RefusalCode::AccessDenied,
                message: format!(
                    "AWS does not take the request for {}: {error}. Whoever may write in the namespace changes the session policy or the tags \
                     of the binding",
                    grant.key.binding()
                ),
                binding: Some(grant.key.binding()),
            },
            _ => return SessionError::not_yet(grant, "Unavailable", error),
        };
        // What AWS says to one person is no word about the others of the binding.
        let of_person = grant.renewal == Renewal::OnRequest;
        if !of_person && !matches!(refusal, ResolveError::NotReady { .. }) {
            self.reports.refused(&grant.key.binding(), &error);
        }
        SessionError::Refused { refusal, aws: error }
    }

    /// The problem that a refusal is, with its audit line.
    pub(super) fn refusal_problem(
        &self,
        who: (&PodIdentity, &AskedFrom),
        error: &ResolveError,
    ) -> BrokerProblem {
        match error {
            ResolveError::Refused {
                code,
                message,
                binding,
            } => {
                self.audit.refused(who, code.as_str(), binding.as_ref(), message);
                BrokerProblem::new(StatusCode::FORBIDDEN, code.as_str(), message.clone())
            }
            ResolveError::NotReady { message } => BrokerProblem::retry("NotReady", message.clone()),
            // Not decided here: what a pod holds may be good for AWS still, and AWS may say yes later.
            ResolveError::DeniedByAws { message, binding } => {
                let code = RefusalCode::AccessDenied.as_str();
                self.audit.refused(who, code, Some(binding), message);
                BrokerProblem {
                    retry_after: Some(DENIED_RETRY),
                    ..BrokerProblem::retry(code, message.clone())
                }
            }
        }
    }

    /// The problem that a token which is not accepted is, with its audit line.
    pub(super) fn token_problem(&self, error: &TokenError, from: &AskedFrom) -> BrokerProblem {
        let text = error.to_string();
        match error {
            TokenError::Unavailable(_) => return BrokerProblem::retry("Unavailable", text),
            // Decided: nobody may have anything by this token any more.
            TokenError::PodGone(pod) => {
                self.audit.refused((pod, from), "PodGone", None, &text);
                return BrokerProblem::new(StatusCode::FORBIDDEN, "PodGone", text);
            }
            // Whose it is nobody knows: one line a minute for each reason there is.
            _ => self
                .audit
                .untrusted(from.peer, (INVALID_TOKEN, error.category()), &text),
        }
        BrokerProblem::new(StatusCode::UNAUTHORIZED, INVALID_TOKEN, text)
    }
}
