//! Policies of buckets: Amazon S3.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Mutex, MutexGuard, PoisonError},
};

use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client,
    config::{Builder, RequestChecksumCalculation, ResponseChecksumValidation},
};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use deputy_delegation::{
    model::Account,
    names::{Partition, PolicyResourceKind, Region},
};

use super::{super::ApiCaller, text::policy_text};
use crate::{
    error::AwsError,
    resource_policies::{delete_operation, read_operation, write_operation},
};

const KIND: PolicyResourceKind = PolicyResourceKind::Bucket;
/// What S3 answers when a bucket has no policy.
const NO_POLICY: &str = "NoSuchBucketPolicy";

pub(super) struct BucketPolicies {
    s3: Client,
    caller: ApiCaller,
    regions: BucketRegions,
}

impl BucketPolicies {
    pub(super) fn new(account: &Account, config: &SdkConfig, in_path: bool, caller: ApiCaller) -> Self {
        let config = Builder::from(config)
            // A server of one's own has no name for each bucket.
            .force_path_style(in_path)
            // Whatever a bucket's name ends with, one call is one call: no session of S3 Express before it, no access point.
            .disable_s3_express_session_auth(true)
            .disable_multi_region_access_points(true)
            // As few checksums as the operations need: other servers than AWS's do not know all of them.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        Self {
            s3: Client::from_conf(config),
            caller,
            regions: BucketRegions::new(account),
        }
    }

    pub(super) async fn get(&self, bucket: &str) -> Result<Option<String>, AwsError> {
        let operation = read_operation(KIND);
        match self.at_home(bucket, |region| self.get_in(region, bucket)).await {
            Ok(policy) => policy_text(operation, KIND, policy),
            Err(error) if error.code() == Some(NO_POLICY) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn put(&self, bucket: &str, policy: &str) -> Result<(), AwsError> {
        self.at_home(bucket, |region| self.put_in(region, bucket, policy))
            .await
    }

    pub(super) async fn delete(&self, bucket: &str) -> Result<(), AwsError> {
        match self
            .at_home(bucket, |region| self.delete_in(region, bucket))
            .await
        {
            // AWS says so of no bucket; some other servers do.
            Err(error) if error.code() == Some(NO_POLICY) => Ok(()),
            done => done,
        }
    }

    /// Makes a call where the bucket is known to be; and once more when S3 says that it is elsewhere, for then nothing was done.
    async fn at_home<T, F>(
        &self,
        bucket: &str,
        call: impl Fn(Region) -> F + Send + Sync,
    ) -> Result<T, AwsError>
    where
        F: Future<Output = Result<T, AwsError>> + Send,
    {
        let asked = self.regions.of(bucket);
        let error = match call(asked.clone()).await {
            // Of a write that may have been applied, only a read tells, whatever another call has learnt meanwhile.
            Err(error) if !error.outcome_unknown() => error,
            done => return done,
        };
        let known = self.regions.of(bucket);
        if known == asked {
            return Err(error);
        }
        call(known).await
    }

    async fn get_in(&self, region: Region, bucket: &str) -> Result<Option<String>, AwsError> {
        let request = self
            .s3
            .get_bucket_policy()
            .bucket(bucket)
            .expected_bucket_owner(self.caller.account.as_str());
        let send = || {
            let sent = request
                .clone()
                .customize()
                .config_override(in_region(&region))
                .send();
            async move { sent.await.inspect_err(|error| self.regions.learn(bucket, error)) }
        };
        let output = self.caller.read(read_operation(KIND), send).await?;
        Ok(output.policy)
    }

    async fn put_in(&self, region: Region, bucket: &str, policy: &str) -> Result<(), AwsError> {
        let request = self
            .s3
            .put_bucket_policy()
            .bucket(bucket)
            .policy(policy)
            .expected_bucket_owner(self.caller.account.as_str());
        let send = || {
            let sent = request
                .clone()
                .customize()
                .config_override(in_region(&region))
                .send();
            async move { sent.await.inspect_err(|error| self.regions.learn(bucket, error)) }
        };
        self.caller.write(write_operation(KIND), send).await.map(drop)
    }

    async fn delete_in(&self, region: Region, bucket: &str) -> Result<(), AwsError> {
        let request = self
            .s3
            .delete_bucket_policy()
            .bucket(bucket)
            .expected_bucket_owner(self.caller.account.as_str());
        let send = || {
            let sent = request
                .clone()
                .customize()
                .config_override(in_region(&region))
                .send();
            async move { sent.await.inspect_err(|error| self.regions.learn(bucket, error)) }
        };
        self.caller.write(delete_operation(KIND), send).await.map(drop)
    }
}

fn in_region(region: &Region) -> Builder {
    Builder::new().region(aws_config::Region::new(region.as_str().to_owned()))
}

/// In which region buckets are that are not in the account's. An ARN does not say it, and only S3 knows.
struct BucketRegions {
    /// Where a bucket is asked for first.
    first: Region,
    partition: Partition,
    elsewhere: Mutex<HashMap<String, Region>>,
}

/// More buckets than limits name; when there are so many nevertheless, all are asked for anew.
const MAX_KNOWN: usize = 4096;

impl BucketRegions {
    fn new(account: &Account) -> Self {
        Self {
            first: account.region.clone(),
            partition: account.partition.clone(),
            elsewhere: Mutex::default(),
        }
    }

    fn of(&self, bucket: &str) -> Region {
        self.lock().get(bucket).unwrap_or(&self.first).clone()
    }

    /// Keeps the region that an answer names for the bucket. With the wrong one S3 answers 301 `PermanentRedirect`, 307
    /// `TemporaryRedirect`, or 400 `AuthorizationHeaderMalformed` or `IllegalLocationConstraintException`.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>
    fn learn<E>(&self, bucket: &str, error: &SdkError<E, HttpResponse>) {
        let Some(answer) = error.raw_response() else {
            return;
        };
        if !matches!(answer.status().as_u16(), 301 | 307 | 400) {
            return;
        }
        let Some(region) = answer
            .headers()
            .get("x-amz-bucket-region")
            .and_then(|region| Region::new(region).ok())
        else {
            return;
        };
        // A region is part of the name of the server that is asked next: never one of another partition.
        if region
            .partition()
            .is_some_and(|partition| partition != self.partition.as_str())
        {
            return;
        }
        let mut elsewhere = self.lock();
        if elsewhere.len() >= MAX_KNOWN {
            elsewhere.clear();
        }
        elsewhere.insert(bucket.to_owned(), region);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Region>> {
        // Each entry is valid on its own.
        self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
