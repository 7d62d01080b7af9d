//! One set of clients for each account, each with the identity it needs.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_config::{SdkConfig, identity::IdentityCache, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use deputy_delegation::{
    model::{Account, AssumeRole, Endpoints},
    names::{AccountId, Partition, PolicyResourceKind},
};
use secrecy::ExposeSecret as _;

use crate::{
    anywhere::{RolesAnywhere, RolesAnywhereIdentity},
    budget::{BudgetSettings, CallBudget, CallPurpose},
    caller::AccountIdentity,
    config::{Timeouts, client_config, identity_config, timeouts},
    error::AwsError,
    federation_keys,
    fence::WriteFence,
    identity::{self, AssumedIdentity},
    observe::{CallObserver, IgnoreCalls},
    proxy::{Proxy, http_client},
    quotas::{KnownQuotas, WithinQuotas},
    resource_policies::ResourcePolicies,
    sdk::{ApiCaller, SdkPolicies, SdkResourcePolicies, SdkRoles, SdkSts},
    traits::{Policies, Roles, Sts},
};

/// What all accounts share.
#[derive(Clone)]
pub struct AmbientOptions {
    /// Whether the identity of the node may be used.
    pub allow_instance_metadata: bool,
    /// The identity of this process, where a certificate gives it: then nothing else is asked for one.
    pub roles_anywhere: Option<RolesAnywhere>,
    /// How long calls may take.
    pub timeouts: Timeouts,
    /// Attempts of a read of IAM that fails for a passing reason.
    pub iam_read_attempts: u32,
    /// Whether a write to IAM may begin. Closed unless said otherwise.
    pub fence: WriteFence,
    /// Attempts of a call to STS.
    pub sts_attempts: u32,
    /// Each account's call budget.
    pub budget: BudgetSettings,
    /// Who hears of every call.
    pub observer: Arc<dyn CallObserver>,
    /// The proxy through which AWS is reached; directly without one.
    pub proxy: Option<Proxy>,
    /// The folder with the keys of federation users, a file for each AWSAccount.
    pub federation_keys: Option<PathBuf>,
}

impl Default for AmbientOptions {
    fn default() -> Self {
        Self {
            allow_instance_metadata: false,
            roles_anywhere: None,
            timeouts: Timeouts::default(),
            iam_read_attempts: 3,
            fence: WriteFence::closed(),
            sts_attempts: 2,
            budget: BudgetSettings::default(),
            observer: Arc::new(IgnoreCalls),
            proxy: None,
            federation_keys: None,
        }
    }
}

/// Everything about an account that a client is built from: another one, another client.
#[derive(PartialEq, Eq, Hash, Clone)]
struct Access {
    account: AccountId,
    partition: Partition,
    region: deputy_delegation::names::Region,
    endpoints: Endpoints,
    identity: Option<AssumeRole>,
}

impl Access {
    fn new(account: &Account, identity: Option<&AssumeRole>) -> Self {
        Self {
            account: account.id.clone(),
            partition: account.partition.clone(),
            region: account.region.clone(),
            endpoints: account.endpoints.clone(),
            identity: identity.cloned(),
        }
    }
}

/// The latest client of each account, by the account's object name.
type Cache<T> = Mutex<HashMap<String, (Access, Arc<T>)>>;

/// The clients of one account and identity: one for each purpose, in the order of [`CallPurpose::ALL`]. They share connections and
/// credentials.
struct ByPurpose<T: ?Sized>([Arc<T>; 3]);

impl<T: ?Sized> ByPurpose<T> {
    fn of(&self, purpose: CallPurpose) -> Arc<T> {
        let [revoke, provision, look] = &self.0;
        Arc::clone(match purpose {
            CallPurpose::Revoke => revoke,
            CallPurpose::Provision => provision,
            CallPurpose::Look => look,
        })
    }
}

/// STS as the federation user of an account.
pub struct FederationClient {
    /// With keys as they were when it was made.
    pub sts: Arc<dyn Sts>,
    /// Whose they are AWS knows by this; no secret.
    pub access_key_id: String,
}

/// What of an account has a limit on calls of its own.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Limited {
    Iam(AccountId),
    /// The service of such resources. AWS counts the calls to each service apart, and publishes few of these numbers: the same budget as
    /// IAM's each, which learns.
    Policies(AccountId, PolicyResourceKind),
}

/// Clients of all accounts. Made once a process; makes no call and reads no credentials by itself.
pub struct Clients {
    options: AmbientOptions,
    http: SharedHttpClient,
    ambient: Option<SharedCredentialsProvider>,
    budgets: Mutex<HashMap<Limited, Arc<CallBudget>>>,
    roles: Cache<ByPurpose<dyn Roles>>,
    policies: Cache<ByPurpose<dyn Policies>>,
    resource_policies: Cache<dyn ResourcePolicies>,
    sts: Cache<dyn Sts>,
    /// STS as the identities that an account names.
    provisioners: Cache<dyn Sts>,
    boundary_writers: Cache<dyn Sts>,
}

impl Clients {
    /// Clients with the ambient identity of this process: by its certificate where that is said, else environment, profile, web
    /// identity or container. Token files and certificates are read again for every renewal.
    #[must_use]
    pub fn new(options: AmbientOptions) -> Self {
        let by_certificate = options.roles_anywhere.clone().map(|settings| {
            let identity = RolesAnywhereIdentity::new(settings, options.proxy.as_ref(), &options.timeouts);
            SharedCredentialsProvider::new(identity)
        });
        Self {
            http: http_client(options.proxy.clone()),
            options,
            ambient: by_certificate,
            budgets: Mutex::default(),
            roles: Mutex::default(),
            policies: Mutex::default(),
            resource_policies: Mutex::default(),
            sts: Mutex::default(),
            provisioners: Mutex::default(),
            boundary_writers: Mutex::default(),
        }
    }

    /// The same with these long-lived keys as the ambient identity.
    #[cfg(any(test, feature = "test-support"))]
    #[must_use]
    pub fn with_identity(self, access_key_id: &str, secret_access_key: &str) -> Self {
        let keys =
            aws_credential_types::Credentials::new(access_key_id, secret_access_key, None, None, "fixed");
        self.with_provider(keys)
    }

    /// The same with `provider` as the ambient identity.
    #[cfg(any(test, feature = "test-support"))]
    pub(crate) fn with_provider(
        mut self,
        provider: impl aws_credential_types::provider::ProvideCredentials + 'static,
    ) -> Self {
        self.ambient = Some(SharedCredentialsProvider::new(provider));
        self
    }

    /// Roles of `account`, as its provisioner, by calls that are made for `purpose`.
    #[must_use]
    pub fn roles(&self, account: &Account, purpose: CallPurpose) -> Arc<dyn Roles> {
        let identity = account.provisioner.as_ref();
        let clients = cached(&self.roles, account, identity, || {
            let (iam, quotas) = (self.iam(account, identity), Arc::<KnownQuotas>::default());
            Arc::new(ByPurpose(CallPurpose::ALL.map(|purpose| {
                let caller = self.iam_caller(account, purpose);
                let inner = SdkRoles::new(iam.clone(), caller);
                Arc::new(WithinQuotas::new(inner, Arc::clone(&quotas))) as Arc<dyn Roles>
            })))
        });
        clients.of(purpose)
    }

    /// Boundary policies of `account`, as its boundary writer, by calls that are made for `purpose`.
    #[must_use]
    pub fn policies(&self, account: &Account, purpose: CallPurpose) -> Arc<dyn Policies> {
        let identity = account.boundary_writer.as_ref();
        let clients = cached(&self.policies, account, identity, || {
            let (iam, quotas) = (self.iam(account, identity), Arc::<KnownQuotas>::default());
            Arc::new(ByPurpose(CallPurpose::ALL.map(|purpose| {
                let caller = self.iam_caller(account, purpose);
                let inner = SdkPolicies::new(iam.clone(), caller);
                Arc::new(WithinQuotas::new(inner, Arc::clone(&quotas))) as Arc<dyn Policies>
            })))
        });
        clients.of(purpose)
    }

    /// From now on these are the roles of `account`, for all purposes.
    #[cfg(any(test, feature = "test-support"))]
    pub fn set_roles(&self, account: &Account, roles: Arc<dyn Roles>) {
        let access = Access::new(account, account.provisioner.as_ref());
        let clients = Arc::new(ByPurpose(CallPurpose::ALL.map(|_| Arc::clone(&roles))));
        lock(&self.roles).insert(account.name.as_str().to_owned(), (access, clients));
    }

    /// From now on these are the boundary policies of `account`, for all purposes.
    #[cfg(any(test, feature = "test-support"))]
    pub fn set_policies(&self, account: &Account, policies: Arc<dyn Policies>) {
        let access = Access::new(account, account.boundary_writer.as_ref());
        let clients = Arc::new(ByPurpose(CallPurpose::ALL.map(|_| Arc::clone(&policies))));
        lock(&self.policies).insert(account.name.as_str().to_owned(), (access, clients));
    }

    /// Policies of buckets, queues and topics of `account`, as its provisioner.
    #[must_use]
    pub fn resource_policies(&self, account: &Account) -> Arc<dyn ResourcePolicies> {
        let identity = account.provisioner.as_ref();
        cached(&self.resource_policies, account, identity, || {
            let config = self.sending_once(account, identity, account.region.as_str().to_owned(), None);
            Arc::new(SdkResourcePolicies::new(account, &config, |kind| {
                let limited = Limited::Policies(account.id.clone(), kind);
                self.limited_caller(account, limited, CallPurpose::Provision)
            }))
        })
    }

    /// From now on these are the policies of buckets, queues and topics of `account`.
    #[cfg(any(test, feature = "test-support"))]
    pub fn set_resource_policies(&self, account: &Account, policies: Arc<dyn ResourcePolicies>) {
        let access = Access::new(account, account.provisioner.as_ref());
        lock(&self.resource_policies).insert(account.name.as_str().to_owned(), (access, policies));
    }

    /// STS in the region of `account`, as the ambient identity: the one that must be the account's issuer.
    #[must_use]
    pub fn sts(&self, account: &Account) -> Arc<dyn Sts> {
        cached(&self.sts, account, None, || {
            let config = self.sts_config(account, self.ambient_identity(account));
            Arc::new(SdkSts::new(
                aws_sdk_sts::Client::new(&config),
                self.sts_caller(account),
            ))
        })
    }

    /// STS in the region of `account`, as its federation user with the keys that are there now. Reads a small file.
    ///
    /// # Errors
    /// `NoCredentials`: there are no such keys, and why.
    pub fn federation(&self, account: &Account) -> Result<FederationClient, AwsError> {
        let keys = federation_keys::read(self.options.federation_keys.as_deref(), account)?;
        let (id, secret) = (keys.access_key_id, keys.secret_access_key);
        let credentials = Credentials::new(&id, secret.expose_secret(), None, None, "federation user");
        let config = self.sts_config(account, SharedCredentialsProvider::new(credentials));
        let client = aws_sdk_sts::Client::new(&config);
        Ok(FederationClient {
            sts: Arc::new(SdkSts::new(client, self.sts_caller(account))),
            access_key_id: id,
        })
    }

    /// STS as one of the three identities: to ask who it is.
    #[must_use]
    pub fn identity(&self, account: &Account, identity: AccountIdentity) -> Arc<dyn Sts> {
        let (cache, assumed) = match identity {
            AccountIdentity::Issuer => return self.sts(account),
            AccountIdentity::Provisioner => (&self.provisioners, account.provisioner.as_ref()),
            AccountIdentity::BoundaryWriter => (&self.boundary_writers, account.boundary_writer.as_ref()),
        };
        cached(cache, account, assumed, || {
            let config = self.sts_config(account, self.credentials(account, assumed));
            Arc::new(SdkSts::new(
                aws_sdk_sts::Client::new(&config),
                self.sts_caller(account),
            ))
        })
    }

    /// Forgets the clients of an account that is no longer there.
    pub fn forget(&self, account: &deputy_delegation::names::ObjectName) {
        lock(&self.roles).remove(account.as_str());
        lock(&self.policies).remove(account.as_str());
        lock(&self.resource_policies).remove(account.as_str());
        for sts in [&self.sts, &self.provisioners, &self.boundary_writers] {
            lock(sts).remove(account.as_str());
        }
    }

    /// How long calls may take.
    #[must_use]
    pub fn timeouts(&self) -> &Timeouts {
        &self.options.timeouts
    }

    fn iam_caller(&self, account: &Account, purpose: CallPurpose) -> ApiCaller {
        self.limited_caller(account, Limited::Iam(account.id.clone()), purpose)
    }

    fn limited_caller(&self, account: &Account, limited: Limited, purpose: CallPurpose) -> ApiCaller {
        let budget = lock(&self.budgets)
            .entry(limited)
            .or_insert_with(|| Arc::new(CallBudget::new(self.options.budget)))
            .clone();
        ApiCaller {
            budget: Some(budget),
            purpose,
            ..self.sts_caller(account)
        }
    }

    fn sts_caller(&self, account: &Account) -> ApiCaller {
        ApiCaller {
            account: account.id.clone(),
            budget: None,
            purpose: CallPurpose::Provision,
            fence: self.options.fence.clone(),
            longest_write: self.options.timeouts.longest_write(),
            read_attempts: self.options.iam_read_attempts,
            observer: self.options.observer.clone(),
        }
    }

    fn iam(&self, account: &Account, identity: Option<&AssumeRole>) -> aws_sdk_iam::Client {
        let (region, endpoint) = (iam_region(account), account.endpoints.iam.as_deref());
        aws_sdk_iam::Client::new(&self.sending_once(account, identity, region, endpoint))
    }

    /// Sends once: each attempt is to have its turn of the budget, and whether a write may be sent again only its caller knows.
    fn sending_once(
        &self,
        account: &Account,
        identity: Option<&AssumeRole>,
        region: String,
        endpoint: Option<&str>,
    ) -> SdkConfig {
        let attempt = self.options.timeouts.iam_attempt;
        self.base(self.credentials(account, identity), region, endpoint)
            .into_builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(self.timeout(attempt, attempt))
            .build()
    }

    /// The ambient identity, or the one that is assumed from there.
    fn credentials(&self, account: &Account, identity: Option<&AssumeRole>) -> SharedCredentialsProvider {
        let ambient = self.ambient_identity(account);
        match identity {
            None => ambient,
            Some(role) => SharedCredentialsProvider::new(AssumedIdentity::new(
                aws_sdk_sts::Client::new(&self.sts_config(account, ambient)),
                role.clone(),
            )),
        }
    }

    fn sts_config(&self, account: &Account, credentials: SharedCredentialsProvider) -> SdkConfig {
        let timeouts = &self.options.timeouts;
        // With a region set, the SDK takes the regional endpoint.
        self.base(
            credentials,
            account.region.as_str().to_owned(),
            account.endpoints.sts.as_deref(),
        )
        .into_builder()
        .retry_config(RetryConfig::standard().with_max_attempts(self.options.sts_attempts.max(1)))
        .timeout_config(self.timeout(timeouts.sts_attempt, timeouts.sts))
        .build()
    }

    fn timeout(&self, attempt: Duration, operation: Duration) -> TimeoutConfig {
        timeouts(self.options.timeouts.connect, attempt, operation)
    }

    fn base(
        &self,
        credentials: SharedCredentialsProvider,
        region: String,
        endpoint: Option<&str>,
    ) -> SdkConfig {
        client_config(&self.http, region, endpoint.map(str::to_owned))
            .identity_cache(
                IdentityCache::lazy()
                    .buffer_time(identity::REFRESH_BEFORE_EXPIRY)
                    .build(),
            )
            .credentials_provider(credentials)
            .build()
    }

    fn ambient_identity(&self, account: &Account) -> SharedCredentialsProvider {
        if let Some(provider) = &self.ambient {
            return provider.clone();
        }
        let timeouts = &self.options.timeouts;
        let config = identity_config(
            &self.http,
            ambient_region(account),
            self.timeout(timeouts.sts_attempt, timeouts.sts),
        );
        SharedCredentialsProvider::new(identity::ambient(&config, self.options.allow_instance_metadata))
    }
}

fn iam_region(account: &Account) -> String {
    home_region(account.partition.as_str())
        .unwrap_or_else(|| account.region.as_str())
        .to_owned()
}

/// The region that IAM of a partition is in.
#[must_use]
pub fn home_region(partition: &str) -> Option<&'static str> {
    // https://docs.aws.amazon.com/general/latest/gr/iam-service.html
    Some(match partition {
        "aws" => "us-east-1",
        "aws-cn" => "cn-north-1",
        "aws-us-gov" => "us-gov-west-1",
        "aws-iso" => "us-iso-east-1",
        "aws-iso-b" => "us-isob-east-1",
        "aws-iso-e" => "eu-isoe-west-1",
        "aws-iso-f" => "us-isof-south-1",
        "aws-eusc" => "eusc-de-east-1",
        _ => return None,
    })
}

/// Where the ambient identity comes from: the process's own region, which can be in another partition than the account.
fn ambient_region(account: &Account) -> String {
    ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|region| !region.is_empty()))
        .unwrap_or_else(|| account.region.as_str().to_owned())
}

fn cached<T: ?Sized>(
    cache: &Cache<T>,
    account: &Account,
    identity: Option<&AssumeRole>,
    build: impl FnOnce() -> Arc<T>,
) -> Arc<T> {
    let access = Access::new(account, identity);
    let mut cache = lock(cache);
    if let Some((known, client)) = cache.get(account.name.as_str())
        && *known == access
    {
        return client.clone();
    }
    let client = build();
    cache.insert(account.name.as_str().to_owned(), (access, client.clone()));
    client
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A cache: whatever is in it is valid.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
