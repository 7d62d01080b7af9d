//! STS as the identities that sessions are made with.

use std::sync::Arc;

use deputy_aws::{AwsError, Clients, FederationClient, Sts};
use deputy_delegation::model::Account;

/// STS in the region of an account, as the identities that sessions are made with.
pub(crate) trait StsClients: Send + Sync {
    /// As this process: the issuer of sessions of roles.
    fn issuer(&self, account: &Account) -> Arc<dyn Sts>;

    /// As the federation user of the account, with its keys as they are now.
    ///
    /// # Errors
    /// There are none.
    fn federation_user(&self, account: &Account) -> Result<FederationClient, AwsError>;
}

impl StsClients for Clients {
    fn issuer(&self, account: &Account) -> Arc<dyn Sts> {
        self.sts(account)
    }

    fn federation_user(&self, account: &Account) -> Result<FederationClient, AwsError> {
        self.federation(account)
    }
}
