//! Whether this process is the issuer that an account names: trust policies name nobody else.

use std::{collections::HashMap, sync::Arc, time::Duration};

use deputy_aws::{AwsError, CallerIdentity, Sts};
use deputy_delegation::{IamEntity, IssuerArn, ObjectName, model::Account};
use parking_lot::Mutex;
use tokio::time::Instant;

/// How long an answer is trusted: identities of a process change with its deployment.
const TRUSTED_FOR: Duration = Duration::from_secs(600);

/// What was found, and for which issuer.
type Known = HashMap<ObjectName, (IssuerArn, Instant)>;

/// Remembers which accounts name this process as their issuer.
#[derive(Default)]
pub struct IssuerCheck {
    known: Mutex<Known>,
}

/// Why sessions of an account can't be made.
#[derive(Debug, Clone)]
pub enum IdentityError {
    /// AWS did not answer.
    Aws(Arc<AwsError>),
    /// Somebody else is the issuer.
    Mismatch(String),
}

impl IssuerCheck {
    /// Makes sure that this process is the issuer of `account`.
    ///
    /// # Errors
    /// [`IdentityError`]; a mismatch is asked about again at the next request.
    pub async fn check(&self, account: &Account, sts: &Arc<dyn Sts>) -> Result<(), IdentityError> {
        let fresh =
            |(issuer, at): &(IssuerArn, Instant)| *issuer == account.issuer && at.elapsed() < TRUSTED_FOR;
        if self.known.lock().get(&account.name).is_some_and(fresh) {
            return Ok(());
        }
        let caller = sts
            .caller_identity()
            .await
            .map_err(|e| IdentityError::Aws(Arc::new(e)))?;
        if !is_issuer(&caller, &account.issuer) {
            return Err(IdentityError::Mismatch(format!(
                "IssuerMismatch: AWSAccount {} names {} as its issuer, and the broker is {}",
                account.name, account.issuer, caller.arn
            )));
        }
        self.known
            .lock()
            .insert(account.name.clone(), (account.issuer.clone(), Instant::now()));
        Ok(())
    }
}

/// A role's session has another ARN than the role, and not its path.
fn is_issuer(caller: &CallerIdentity, issuer: &IssuerArn) -> bool {
    if caller.account != *issuer.account() {
        return false;
    }
    match issuer.entity() {
        IamEntity::User => caller.arn == issuer.to_string(),
        IamEntity::Role => {
            let prefix = format!(
                "arn:{}:sts::{}:assumed-role/{}/",
                issuer.partition(),
                issuer.account(),
                issuer.name()
            );
            caller.arn.starts_with(&prefix)
        }
        IamEntity::Policy => false,
    }
}

#[cfg(test)]
mod tests {
    use deputy_delegation::AccountId;

    use super::*;

    fn caller(arn: &str) -> CallerIdentity {
        let account = AccountId::new(arn.split(':').nth(4).unwrap()).unwrap();
        CallerIdentity {
            account,
            arn: arn.into(),
            user_id: "x".into(),
        }
    }

    #[test]
    fn a_session_of_the_role_is_the_issuer_whatever_its_path() {
        let issuer = IssuerArn::parse("arn:aws:iam::123456789012:role/infra/deputy-broker").unwrap();
        for (arn, expected) in [
            ("arn:aws:sts::123456789012:assumed-role/deputy-broker/s", true),
            ("arn:aws:sts::123456789012:assumed-role/deputy-broker-2/s", false),
            ("arn:aws:sts::999999999999:assumed-role/deputy-broker/s", false),
            ("arn:aws-cn:sts::123456789012:assumed-role/deputy-broker/s", false),
            ("arn:aws:iam::123456789012:user/deputy-broker", false),
        ] {
            assert_eq!(is_issuer(&caller(arn), &issuer), expected, "{arn}");
        }
    }

    #[test]
    fn a_user_is_the_issuer_by_its_whole_arn() {
        let issuer = IssuerArn::parse("arn:aws:iam::123456789012:user/deputy-broker").unwrap();
        assert!(is_issuer(
            &caller("arn:aws:iam::123456789012:user/deputy-broker"),
            &issuer
        ));
        assert!(!is_issuer(
            &caller("arn:aws:iam::123456789012:user/other/deputy-broker"),
            &issuer
        ));
        assert!(!is_issuer(
            &caller("arn:aws:sts::123456789012:federated-user/deputy-broker"),
            &issuer
        ));
    }
}
