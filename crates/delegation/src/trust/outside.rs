//! Statements for subjects outside of the cluster. Deputy is not in their path: the statement is all that is asked.
//!
//! They may assume the role, and nothing else: with `sts:TagSession` they could give a session Deputy's own tags, which ceilings go by,
//! and with `sts:SetSourceIdentity` another's name. Conditions are `StringEquals` and `Bool`, so nothing matches that is not written.
//! Keys are those of the IAM User Guide, "Available keys for AWS OIDC federation", "… SAML-based federation" and "… AWS STS".

use deputy_policy::{ActionElement, Condition, Effect, Principal, PrincipalElement, Statement, Test};

use crate::{
    model::{AwsPrincipal, OidcPrincipal, SamlPrincipal, TokenClaims},
    names::Partition,
};

/// Accounts: one statement for all with the same conditions. An account by its id alone is one of `partition`.
pub(super) fn aws(partition: &Partition, principals: &[AwsPrincipal]) -> Vec<Statement> {
    let mut accounts: Vec<(Vec<Condition>, Vec<String>)> = Vec::new();
    for principal in principals {
        let conditions = asked(principal);
        let arn = principal.arn().arn(partition);
        match accounts.iter_mut().find(|(asked, _)| *asked == conditions) {
            Some((_, arns)) => arns.push(arn),
            None => accounts.push((conditions, vec![arn])),
        }
    }
    accounts
        .into_iter()
        .map(|(conditions, arns)| allow(Principal::aws(arns), "sts:AssumeRole", conditions))
        .collect()
}

fn asked(principal: &AwsPrincipal) -> Vec<Condition> {
    let external_id = principal
        .external_id()
        .map(|id| Condition::new(Test::StringEquals, "sts:ExternalId", [id.to_string()]));
    let mfa = principal
        .requires_mfa()
        .then(|| Condition::new(Test::Bool, "aws:MultiFactorAuthPresent", ["true"]));
    external_id.into_iter().chain(mfa).collect()
}

/// Whom a SAML provider vouches for.
pub(super) fn saml(principal: &SamlPrincipal) -> Statement {
    let conditions = said("SAML", principal.audience.as_str(), &principal.claims);
    let who = Principal::federated([principal.provider.to_string()]);
    allow(who, "sts:AssumeRoleWithSAML", conditions)
}

/// Whom an OpenID Connect provider vouches for.
pub(super) fn oidc(principal: &OidcPrincipal) -> Statement {
    let issuer = principal.provider().issuer();
    let conditions = said(issuer, principal.audience().as_str(), principal.claims());
    let who = Principal::federated([principal.provider().to_string()]);
    allow(who, "sts:AssumeRoleWithWebIdentity", conditions)
}

/// What a token or assertion must say; the keys begin with `prefix`.
fn said(prefix: &str, audience: &str, claims: &TokenClaims) -> Vec<Condition> {
    let equals = |claim: &str, values: Vec<String>| {
        Condition::new(Test::StringEquals, format!("{prefix}:{claim}"), values)
    };
    let mut conditions = vec![equals("aud", vec![audience.to_owned()])];
    conditions.extend(claims.iter().map(|(claim, values)| {
        let values = values.iter().map(ToString::to_string).collect();
        equals(claim.as_str(), values)
    }));
    conditions
}

fn allow(principal: Principal, action: &str, conditions: Vec<Condition>) -> Statement {
    Statement {
        sid: None,
        effect: Effect::Allow,
        principal: Some(PrincipalElement::Principal(principal)),
        action: ActionElement::Action(vec![action.to_owned()]),
        resource: None,
        conditions,
    }
}
