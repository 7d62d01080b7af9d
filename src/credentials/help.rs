//! What is said of a call that AWS refuses, and what would help.

use deputy_aws::{AwsError, ErrorClass};
use deputy_policy::SessionWay;

use crate::exit::{CommandAnswer, CommandResult, Failure};

/// That there is no session, from whoever was asked for one.
pub trait WhyNoSession {
    /// Whether it was not refused, but nobody is there: a session of before is good enough.
    fn is_passing(&self) -> bool;
    /// All of it in one sentence, and a second one with what would help.
    fn sentence(&self) -> String;
    /// The sentence, and the exit code by what kind of trouble it is: a refusal is an answer, and it is no.
    fn outcome(&self) -> CommandResult;
}

/// A call that failed: what was asked, by whom, and what AWS said.
pub struct RefusedCall {
    pub way: SessionWay,
    /// For what: a role or a user's session.
    pub asked: String,
    /// By whom.
    pub by: String,
    pub error: AwsError,
}

impl WhyNoSession for RefusedCall {
    fn is_passing(&self) -> bool {
        matches!(
            self.error.class(),
            ErrorClass::Throttled | ErrorClass::Unreachable | ErrorClass::Service
        )
    }

    fn sentence(&self) -> String {
        let Self {
            way,
            asked,
            by,
            error,
        } = self;
        let said = match (error.code(), error.message()) {
            (Some(code), "") => code.to_owned(),
            (Some(code), message) => format!("{code}: {message}"),
            (None, message) => message.to_owned(),
        };
        let said = said.trim_end_matches('.');
        let request = error
            .request_id()
            .map_or_else(String::new, |id| format!(" (request {id})"));
        let who = if error.operation() == way.action() {
            String::new()
        } else {
            format!(" (of {})", error.operation())
        };
        let verb = if error.code().is_some() {
            "AWS refuses"
        } else if self.is_unsigned() {
            "there are no keys to sign with"
        } else {
            "no answer of AWS"
        };
        format!(
            "{way} for {asked} by {by}: {verb}{who}: {said}{request}. {}",
            self.help()
        )
    }

    fn outcome(&self) -> CommandResult {
        match self.error.class() {
            ErrorClass::AccessDenied
            | ErrorClass::InvalidCredentials
            | ErrorClass::ExpiredCredentials
            | ErrorClass::NotFound => {
                crate::exit::say(&self.sentence());
                Ok(CommandAnswer::No)
            }
            ErrorClass::InvalidInput
            | ErrorClass::MalformedPolicy
            | ErrorClass::PackedPolicyTooLarge
            | ErrorClass::NoCredentials => Err(Failure::input(self.sentence())),
            _ => Err(Failure::process(self.sentence())),
        }
    }
}

impl RefusedCall {
    /// Whether the call was not made, because whoever was to sign it has no credentials.
    fn is_unsigned(&self) -> bool {
        let class = self.error.class();
        self.error.code().is_none()
            && matches!(class, ErrorClass::InvalidCredentials | ErrorClass::NoCredentials)
    }

    fn help(&self) -> &'static str {
        if self.is_unsigned() {
            return "The credentials of the profile or the environment are made from others, and that failed: see role_arn and \
                    source_profile, or AWS_WEB_IDENTITY_TOKEN_FILE";
        }
        let message = self.error.message();
        if message.contains("MultiFactorAuthentication") {
            return "A code is good once and for half a minute: wait for the next one, and see that the device is this user's";
        }
        match (self.error.class(), self.way) {
            (ErrorClass::AccessDenied, SessionWay::AssumeRole) => {
                "The role's trust policy must let the caller in, with external id, MFA, source identity (sts:SetSourceIdentity) and \
                 tags (sts:TagSession) as they are sent, and a policy of the caller must allow sts:AssumeRole for the role; \
                 deputy explain session --way assume-role says which statement decides"
            }
            (ErrorClass::AccessDenied, SessionWay::AssumeRoleWithWebIdentity) => {
                "The role's trust policy must name the provider of the token, and take its aud and sub"
            }
            (ErrorClass::AccessDenied, SessionWay::AssumeRoleWithSaml) => {
                "The role's trust policy must name the SAML provider, and the assertion must name the role with it"
            }
            (ErrorClass::AccessDenied, _) => {
                "Only an IAM user's long-term keys may ask for it; a Deny for the user with MFA as its condition is the usual reason"
            }
            (ErrorClass::ExpiredCredentials, way) | (ErrorClass::InvalidCredentials, way)
                if way == SessionWay::AssumeRoleWithWebIdentity =>
            {
                "Get a new token; the account needs an OIDC provider of exactly its issuer, with its aud as a client id"
            }
            (ErrorClass::ExpiredCredentials, way) | (ErrorClass::InvalidCredentials, way)
                if way == SessionWay::AssumeRoleWithSaml =>
            {
                "Get a new assertion: AWS takes one for five minutes, of the provider whose metadata the account has"
            }
            (ErrorClass::ExpiredCredentials, _) => "The credentials that made the call are over: renew them",
            (ErrorClass::InvalidCredentials, _) => {
                "The access key may be gone or inactive, or of another partition than the region; a clock that is minutes off \
                 does the same"
            }
            (ErrorClass::NoCredentials, _) => {
                "Name a profile with keys by --profile, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            }
            (ErrorClass::PackedPolicyTooLarge, _) => {
                "Shorten the session policy and the tags: AWS packs them into the session's token"
            }
            (ErrorClass::MalformedPolicy, _) => {
                "deputy policy lint --type session FILE names what AWS does not take"
            }
            (ErrorClass::InvalidInput, SessionWay::SessionToken) => "See --duration and --serial-number",
            (ErrorClass::InvalidInput, _) => {
                "A duration above the role's MaxSessionDuration is the usual reason: see --duration"
            }
            (ErrorClass::Throttled | ErrorClass::Service, _) => "Ask again in a moment",
            (ErrorClass::Unreachable, _) => {
                "See that the region's STS can be reached: --region, AWS_ENDPOINT_URL_STS, HTTPS_PROXY"
            }
            _ => "Ask again; with the request id AWS's support can say more",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(way: SessionWay, class: ErrorClass, message: &str) -> RefusedCall {
        RefusedCall {
            way,
            asked: "arn:aws:iam::123456789012:role/r".into(),
            by: "profile alice (access key AKIA)".into(),
            error: AwsError::new(way.action(), class, message).with_code("TheCode"),
        }
    }

    #[test]
    fn a_refusal_says_what_of_whom_what_aws_said_and_what_would_help() {
        let call = refused(
            SessionWay::AssumeRole,
            ErrorClass::AccessDenied,
            "User is not authorized.",
        );
        assert!(
            call.sentence().starts_with(
                "AssumeRole for arn:aws:iam::123456789012:role/r by profile alice (access key AKIA): AWS refuses: \
                 TheCode: User is not authorized. The role's trust policy must let the caller in"
            ),
            "{}",
            call.sentence()
        );
        for way in SessionWay::ALL {
            for class in ErrorClass::ALL {
                assert!(refused(way, class, "x").help().len() > 15, "{way} {class}");
            }
        }
        let mut unsigned = refused(SessionWay::AssumeRole, ErrorClass::InvalidCredentials, "x");
        unsigned.error = AwsError::new("sts:AssumeRole", ErrorClass::InvalidCredentials, "x");
        assert!(
            unsigned
                .sentence()
                .contains("no keys to sign with: x. The credentials of the profile")
        );
        let code = refused(
            SessionWay::SessionToken,
            ErrorClass::AccessDenied,
            "MultiFactorAuthentication failed",
        );
        assert!(code.help().contains("good once"));
    }

    #[test]
    fn a_refusal_is_a_no_and_what_is_no_answer_is_none() {
        let of = |class| refused(SessionWay::AssumeRole, class, "x").outcome();
        assert!(matches!(of(ErrorClass::AccessDenied), Ok(CommandAnswer::No)));
        assert!(matches!(
            of(ErrorClass::PackedPolicyTooLarge),
            Err(Failure::Input(_))
        ));
        assert!(matches!(of(ErrorClass::Unreachable), Err(Failure::Process(_))));
    }
}
