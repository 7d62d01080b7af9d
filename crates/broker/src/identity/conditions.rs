//! What an account is told of the identities that sessions of it are made with: conditions `IssuerReady` and `FederationReady`.

use deputy_api::conditions::{ConditionReason, ConditionType, Status};
use deputy_delegation::model::Account;

use super::{BrokerIdentity, IdentityCheck, IdentityError};
use crate::{clients::StsClients, report::ConditionReport};

/// What is to be said of the identities in an account: `None` of what it is to say nothing about. What can't be told now is not among it, and
/// stays as it is.
pub(crate) async fn conditions(
    account: &Account,
    check: &IdentityCheck,
    sts: &dyn StsClients,
) -> Vec<(ConditionType, Option<ConditionReport>)> {
    let issuer = check.issuer(account, &sts.issuer(account)).await;
    let issuer = report(issuer, "deputy broker", |who| issuer_found(account, &who));
    let mut conditions = Vec::new();
    conditions.extend(issuer.map(|report| (ConditionType::IssuerReady, Some(report))));
    if account.federation_user.is_none() {
        conditions.push((ConditionType::FederationReady, None));
    } else {
        let user = federation_user(account, check, sts).await;
        conditions.extend(user.map(|report| (ConditionType::FederationReady, Some(report))));
    }
    conditions
}

async fn federation_user(
    account: &Account,
    check: &IdentityCheck,
    sts: &dyn StsClients,
) -> Option<ConditionReport> {
    let client = match sts.federation_user(account) {
        Ok(client) => client,
        // AWS was not asked.
        Err(error) => {
            return Some(ConditionReport {
                status: Status::False,
                reason: error.class().into(),
                message: error.message().to_owned(),
            });
        }
    };
    let who = check.federation_user(account, &client).await;
    let what = "the owner of deputy broker's keys for federated users";
    report(who, what, |who| {
        let message = format!("deputy broker has keys of {}", who.arn);
        (Status::True, ConditionReason::Ready, message)
    })
}

/// What a condition says of an identity; `None` to leave it as it is.
fn report(
    who: Result<Option<BrokerIdentity>, IdentityError>,
    what: &str,
    found: impl FnOnce(BrokerIdentity) -> (Status, ConditionReason, String),
) -> Option<ConditionReport> {
    let (status, reason, message) = match who {
        Ok(None) => return None,
        Ok(Some(who)) => found(who),
        Err(IdentityError::Mismatch(message)) => (Status::False, ConditionReason::IdentityMismatch, message),
        Err(IdentityError::Aws(error)) => {
            let status = if error.is_retryable() {
                Status::Unknown
            } else {
                Status::False
            };
            let message = format!("AWS does not say who {what} is: {}", error.sentence());
            (status, error.class().into(), message)
        }
    };
    Some(ConditionReport {
        status,
        reason,
        message,
    })
}

/// What is said of a broker that is an issuer of `account`, and how far it is with changing it.
fn issuer_found(account: &Account, who: &BrokerIdentity) -> (Status, ConditionReason, String) {
    let arn = &who.arn;
    let (reason, rest) = if who.is_previous {
        let issuer = &account.issuer;
        let rest =
            format!(", an issuer of before; once all roles trust {issuer} as well, it can become that");
        (ConditionReason::PreviousIssuer, rest)
    } else if account.previous_issuers.is_empty() {
        (ConditionReason::Ready, String::new())
    } else {
        let previous: Vec<String> = account.previous_issuers.iter().map(ToString::to_string).collect();
        let rest = format!(
            "; roles still trust {} as well: once no broker is that any more, take it out of spec.previousIssuers",
            previous.join(" and ")
        );
        (ConditionReason::Ready, rest)
    };
    (Status::True, reason, format!("deputy broker is {arn}{rest}"))
}
