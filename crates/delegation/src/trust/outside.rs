//! Statements for subjects outside of the cluster. Deputy is not in their path: the statement is all that is asked.
//!
//! They may assume the role, and nothing else: with `sts:TagSession` they could give a session Deputy's own tags, which ceilings go by,
//! and with `sts:SetSourceIdentity` another's name. Conditions are `StringEquals` and `Bool`, so nothing matches that is not written.
//! Keys are those of the IAM User Guide, "Available keys for AWS OIDC federation", "… SAML-based federation" and "… AWS STS".

use std::collections::BTreeSet;

use deputy_policy::{ActionElement, Condition, Effect, Principal, PrincipalElement, Statement, Test};

use crate::{
    model::{AwsPrincipal, OidcPrincipal, SamlPrincipal, TokenClaims},
    names::{Partition, PrincipalId, PrincipalKind},
};

/// A statement, and whom AWS has to know for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outside {
    /// Their ARNs.
    pub(super) principals: Vec<String>,
    /// It names them all.
    pub(super) statement: Statement,
    /// If it is a user or role, which may have been deleted.
    pub(super) entity: Option<Entity>,
}

/// A user or role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entity {
    pub(super) kind: PrincipalKind,
    /// The ids that its subjects know to be gone.
    pub(super) replaces: BTreeSet<PrincipalId>,
}

impl Outside {
    /// The statement without those that AWS does not know; `None` when nobody is left.
    pub(super) fn without(&self, unknown: &BTreeSet<String>) -> Option<Statement> {
        if self.principals.iter().all(|arn| !unknown.contains(arn)) {
            return Some(self.statement.clone());
        }
        let left: Vec<&String> = self
            .principals
            .iter()
            .filter(|arn| !unknown.contains(*arn))
            .collect();
        // Several are of accounts alone.
        (!left.is_empty()).then(|| Statement {
            principal: Some(PrincipalElement::Principal(Principal::aws(left))),
            ..self.statement.clone()
        })
    }
}

/// Accounts: one statement for all with the same conditions, an account by its id alone being one of `partition`. Users and roles: one
/// for each, so that AWS shows by its Sid whose id it is once only that is left.
pub(super) fn aws(partition: &Partition, principals: &[AwsPrincipal]) -> Vec<Outside> {
    let mut accounts: Vec<(Vec<Condition>, Vec<String>)> = Vec::new();
    let mut entities = Vec::new();
    for principal in principals {
        let conditions = asked(principal);
        let arn = principal.arn().arn(partition);
        if principal.arn().kind() != PrincipalKind::Account {
            let statement = allow(Principal::aws([arn.clone()]), "sts:AssumeRole", conditions);
            entities.push(Outside {
                principals: vec![arn],
                statement,
                entity: Some(Entity {
                    kind: principal.arn().kind(),
                    replaces: principal.replaces().into_iter().cloned().collect(),
                }),
            });
            continue;
        }
        match accounts.iter_mut().find(|(asked, _)| *asked == conditions) {
            Some((_, arns)) => arns.push(arn),
            None => accounts.push((conditions, vec![arn])),
        }
    }
    let accounts = accounts.into_iter().map(|(conditions, arns)| Outside {
        statement: allow(Principal::aws(arns.clone()), "sts:AssumeRole", conditions),
        principals: arns,
        entity: None,
    });
    accounts.chain(entities).collect()
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
pub(super) fn saml(principal: &SamlPrincipal) -> Outside {
    let conditions = said("SAML", principal.audience.as_str(), &principal.claims);
    let who = Principal::federated([principal.provider.to_string()]);
    Outside {
        principals: vec![principal.provider.to_string()],
        statement: allow(who, "sts:AssumeRoleWithSAML", conditions),
        entity: None,
    }
}

/// Whom an OpenID Connect provider vouches for.
pub(super) fn oidc(principal: &OidcPrincipal) -> Outside {
    let issuer = principal.provider().issuer();
    let conditions = said(issuer, principal.audience().as_str(), principal.claims());
    let who = Principal::federated([principal.provider().to_string()]);
    Outside {
        principals: vec![principal.provider().to_string()],
        statement: allow(who, "sts:AssumeRoleWithWebIdentity", conditions),
        entity: None,
    }
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
