//! IAM of one account, which can be out of reach, and fails by a script.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use deputy_aws::{
    AccountSummaries, AccountSummary, AwsError, DefaultVersion, ErrorClass, ListedPolicy, ManagedPolicies,
    NewPolicy, ObservedPolicy, Policies, model::InMemoryIam,
};
use deputy_delegation::{IamPath, ManagedPolicyArn, PolicyArn, TagKey, TagValue, model::Account};
use deputy_policy::Document;
use parking_lot::Mutex;

use crate::fixtures::script::{Call, Script, Trouble};

/// As long as the SDK waits for a read, with all its attempts.
pub const DEADLINE: Duration = Duration::from_secs(15);

/// IAM of one account. Where it can't be reached each call takes its whole time.
pub struct Cloud {
    pub iam: InMemoryIam,
    pub is_reachable: AtomicBool,
    pub calls: AtomicUsize,
    script: Arc<Script>,
    /// Whether a list did not show what there is.
    pub is_list_late: AtomicBool,
    /// Calls that AWS granted.
    granted: AtomicUsize,
    /// After how many of them what was in force after each write, in order; an empty text where the policy was gone.
    in_force: Mutex<Vec<(usize, String)>>,
}

impl Cloud {
    pub fn new(account: &Account, script: &Arc<Script>) -> Arc<Self> {
        Arc::new(Self {
            iam: InMemoryIam::new(account.partition.clone(), account.id.clone()),
            is_reachable: AtomicBool::new(true),
            calls: AtomicUsize::new(0),
            script: Arc::clone(script),
            is_list_late: AtomicBool::new(false),
            granted: AtomicUsize::new(0),
            in_force: Mutex::default(),
        })
    }

    /// A history begins.
    pub fn begin(&self) {
        self.is_list_late.store(false, Ordering::SeqCst);
        self.granted.store(0, Ordering::SeqCst);
        self.in_force.lock().clear();
    }

    /// What was in force after each write of this history.
    pub fn documents(&self) -> Vec<String> {
        let in_force = self.in_force.lock();
        in_force.iter().map(|(_, document)| document.clone()).collect()
    }

    /// After how many granted calls of this history a document was in force first.
    pub fn granted_until(&self, document: &str) -> Option<usize> {
        let in_force = self.in_force.lock();
        let first = in_force.iter().find(|(_, found)| found == document);
        first.map(|(granted, _)| *granted)
    }

    fn note(&self, document: String) {
        let granted = self.granted.load(Ordering::SeqCst);
        self.in_force.lock().push((granted, document));
    }

    async fn reach(&self, operation: &'static str) -> Result<(), AwsError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.is_reachable.load(Ordering::SeqCst) {
            return Ok(());
        }
        tokio::time::sleep(DEADLINE).await;
        Err(AwsError::new(operation, ErrorClass::Unreachable, "no answer"))
    }

    /// One read: `hidden` is what it says of what is not visible yet.
    async fn read<T: Send>(
        &self,
        operation: &'static str,
        hidden: T,
        real: impl Future<Output = Result<T, AwsError>> + Send,
    ) -> Result<T, AwsError> {
        self.reach(operation).await?;
        match self.script.next(Call::ReadAws) {
            None => {
                self.granted.fetch_add(1, Ordering::SeqCst);
                real.await
            }
            Some(Trouble::NotYetVisible) => {
                self.is_list_late
                    .fetch_or(operation == "iam:ListPolicies", Ordering::SeqCst);
                Ok(hidden)
            }
            Some(trouble) => Err(trouble.of_aws(operation)),
        }
    }

    /// One write, of a policy that is there already unless `arn` is none.
    async fn write<T: Send>(
        &self,
        operation: &'static str,
        arn: Option<&PolicyArn>,
        real: impl Future<Output = Result<T, AwsError>> + Send,
    ) -> Result<T, AwsError> {
        self.reach(operation).await?;
        let trouble = self.script.next(Call::WriteAws);
        if let Some(trouble) = trouble.filter(|trouble| !trouble.is_done()) {
            return Err(trouble.of_aws(operation));
        }
        self.granted.fetch_add(1, Ordering::SeqCst);
        let done = real.await;
        if let Some(arn) = arn {
            let now = self.iam.get_policy(arn).await?;
            self.note(now.map_or_else(String::new, |now| now.document));
        }
        match trouble {
            Some(trouble) => Err(trouble.of_aws(operation)),
            None => done,
        }
    }
}

#[async_trait]
impl AccountSummaries for Cloud {
    async fn account_summary(&self) -> Result<AccountSummary, AwsError> {
        self.reach("iam:GetAccountSummary").await?;
        self.iam.account_summary().await
    }
}

#[async_trait]
impl ManagedPolicies for Cloud {
    async fn default_version(&self, arn: &ManagedPolicyArn) -> Result<Option<DefaultVersion>, AwsError> {
        self.read("iam:GetPolicyVersion", None, self.iam.default_version(arn))
            .await
    }
}

#[async_trait]
impl Policies for Cloud {
    async fn get_policy(&self, arn: &PolicyArn) -> Result<Option<ObservedPolicy>, AwsError> {
        self.read("iam:GetPolicy", None, self.iam.get_policy(arn)).await
    }
    async fn create_policy(&self, policy: &NewPolicy) -> Result<PolicyArn, AwsError> {
        let real = async {
            let created = self.iam.create_policy(policy).await;
            if created.is_ok() {
                self.note(policy.document.to_json());
            }
            created
        };
        self.write("iam:CreatePolicy", None, real).await
    }
    async fn create_policy_version(&self, arn: &PolicyArn, document: &Document) -> Result<String, AwsError> {
        let real = self.iam.create_policy_version(arn, document);
        self.write("iam:CreatePolicyVersion", Some(arn), real).await
    }
    async fn delete_policy_version(&self, arn: &PolicyArn, version: &str) -> Result<(), AwsError> {
        let real = self.iam.delete_policy_version(arn, version);
        self.write("iam:DeletePolicyVersion", Some(arn), real).await
    }
    async fn tag_policy(&self, arn: &PolicyArn, tags: &BTreeMap<TagKey, TagValue>) -> Result<(), AwsError> {
        self.write("iam:TagPolicy", Some(arn), self.iam.tag_policy(arn, tags))
            .await
    }
    async fn untag_policy(&self, arn: &PolicyArn, keys: &[String]) -> Result<(), AwsError> {
        self.write("iam:UntagPolicy", Some(arn), self.iam.untag_policy(arn, keys))
            .await
    }
    async fn delete_policy(&self, arn: &PolicyArn) -> Result<(), AwsError> {
        self.write("iam:DeletePolicy", Some(arn), self.iam.delete_policy(arn))
            .await
    }
    async fn list_policies(&self, path: &IamPath) -> Result<Vec<ListedPolicy>, AwsError> {
        self.read("iam:ListPolicies", Vec::new(), self.iam.list_policies(path))
            .await
    }
}
