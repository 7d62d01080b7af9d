//! A cluster with one statement, a bucket in an account in memory, and the controller between them: all that it reads and writes goes
//! through one [`Script`].

use std::sync::Arc;

use async_trait::async_trait;
use deputy_aws::{AmbientOptions, AwsError, Clients, ResourcePolicies, model::InMemoryIam};
use deputy_delegation::{
    PolicyResource, StatementSid,
    model::ObjectId,
    naming::{self, statement_sid},
};
use deputy_index::{Index, ResourceKind};
use deputy_runtime::lease::{LeaseConfig, LeaseTask, campaign};
use kube::api::DynamicObject;
use parking_lot::Mutex;
use serde_json::{Value, json, value::RawValue};

use crate::{
    fixtures::{
        account,
        api_server::{ApiServer, path_of},
        cluster, context, index, limit_object, nothing_there, object, role_object,
        script::{Call, Gate, Script},
        uploader,
    },
    queue::Requeue,
    statement::StatementController,
};

pub const BUCKET: &str = "arn:aws:s3:::productionapp";
/// Somebody else's statement, as he wrote it.
pub const THEIRS: &str = r#"{ "Sid": "Theirs","Effect":"Deny", "Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::productionapp/secret/*" }"#;

/// What the next read shows in the place of the policy.
type Shown = Arc<Mutex<Option<Option<String>>>>;

pub struct World {
    pub script: Arc<Script>,
    pub iam: Arc<InMemoryIam>,
    pub api: Arc<ApiServer>,
    pub index: Arc<Index>,
    ctx: Arc<crate::context::ControllerContext>,
    pub controller: StatementController,
    /// Policies of the bucket that lacked somebody else's statement, or had another one of his.
    pub faults: Arc<Mutex<Vec<String>>>,
    shown: Shown,
    _lease: LeaseTask,
}

/// The policies of the bucket, which fail as the script says.
struct ScriptedPolicies {
    iam: Arc<InMemoryIam>,
    script: Arc<Script>,
    faults: Arc<Mutex<Vec<String>>>,
    shown: Shown,
}

impl ScriptedPolicies {
    async fn write(
        &self,
        operation: &'static str,
        resource: &PolicyResource,
        real: impl Future<Output = Result<(), AwsError>> + Send,
    ) -> Result<(), AwsError> {
        let trouble = self.script.pass(Call::WriteAws, operation).await;
        let done = if trouble.is_none_or(|trouble| trouble.is_done()) {
            real.await
        } else {
            Ok(())
        };
        let now = self.iam.resource_policy_of(resource).unwrap_or_default();
        if !now.contains(THEIRS) {
            self.faults.lock().push(now);
        }
        trouble.map_or(done, |trouble| Err(trouble.of_aws(operation)))
    }
}

#[async_trait]
impl ResourcePolicies for ScriptedPolicies {
    async fn resource_policy(&self, resource: &PolicyResource) -> Result<Option<String>, AwsError> {
        match self.script.pass(Call::ReadAws, "s3:GetBucketPolicy").await {
            None => match self.shown.lock().take() {
                Some(shown) => Ok(shown),
                None => Ok(self.iam.resource_policy_of(resource)),
            },
            Some(trouble) => Err(trouble.of_aws("s3:GetBucketPolicy")),
        }
    }

    async fn put_resource_policy(&self, resource: &PolicyResource, policy: &str) -> Result<(), AwsError> {
        let real = self.iam.put_resource_policy(resource, policy);
        self.write("s3:PutBucketPolicy", resource, real).await
    }

    async fn delete_resource_policy(&self, resource: &PolicyResource) -> Result<(), AwsError> {
        let real = self.iam.delete_resource_policy(resource);
        self.write("s3:DeleteBucketPolicy", resource, real).await
    }
}

pub fn bucket() -> PolicyResource {
    PolicyResource::parse(BUCKET).unwrap()
}

pub fn id() -> ObjectId {
    uploader()
        .aws_role()
        .map(|role| ObjectId {
            name: deputy_delegation::ObjectName::new("read").unwrap(),
            ..role
        })
        .unwrap()
}

pub fn sid() -> StatementSid {
    statement_sid(&cluster(), &id())
}

pub fn path() -> String {
    path_of("awsresourcepolicystatements", Some("payments"), "read")
}

/// A statement that grants the role `uploader` this action.
pub fn statement_object(action: &str) -> DynamicObject {
    let spec = json!({
        "accountRef": {"name": "production"}, "resourceARN": BUCKET,
        "principals": [{"kind": "AWSRole", "name": "uploader"}],
        "statement": {"Action": action, "Resource": format!("{BUCKET}/reports/*")},
    });
    object("AWSResourcePolicyStatement", Some("payments"), "read", spec)
}

/// Another one of the same bucket, which has been claimed, and its Sid.
pub fn another_statement() -> (DynamicObject, String) {
    let mut other = statement_object("s3:GetObject");
    other.metadata.name = Some("other".to_owned());
    let name = deputy_delegation::ObjectName::new("other").unwrap();
    let sid = statement_sid(&cluster(), &ObjectId { name, ..id() }).to_string();
    other.data["status"] = json!({"sid": sid});
    (other, sid)
}

/// The limit, which names these resources.
pub fn allowing(patterns: &[&str]) -> DynamicObject {
    let mut limit = limit_object(&["s3:GetObject", "s3:PutObject"]);
    limit.data["spec"]["resourcePolicies"] = json!(patterns);
    limit.metadata.generation = Some(2 + i64::try_from(patterns.len()).unwrap());
    limit
}

/// The role as it is once it is in AWS.
pub fn role_in_aws() -> DynamicObject {
    let mut role = role_object(&["s3:GetObject"]);
    role.data["status"] = json!({"roleID": "AROAUPLOADER", "roleARN": role_arn()});
    role
}

pub fn role_arn() -> String {
    naming::role_arn(&cluster(), &account(), &uploader()).to_string()
}

impl World {
    /// With the statement in the cluster, the role in AWS, and somebody else's statement in the policy of the bucket.
    pub fn new() -> Self {
        let lease = LeaseConfig::new("deputy".to_owned(), "deputy-controller", "pod-0".to_owned());
        let (leadership, lease) = campaign(nothing_there(), lease);
        let (script, faults, index) = (Arc::<Script>::default(), Arc::default(), index());
        let shown = Shown::default();
        index.apply(ResourceKind::Limits, allowing(&[BUCKET]));
        index.apply(ResourceKind::Roles, role_in_aws());
        let account = account();
        let iam = Arc::new(InMemoryIam::new(account.partition.clone(), account.id.clone()));
        iam.add_principal(&role_arn());
        let there = format!(r#"{{"Version":"2012-10-17","Statement":[{THEIRS}]}}"#);
        iam.set_resource_policy(&bucket(), Some(&there));
        let api = ApiServer::new(Box::new(|_, _| ()));
        let aws = Arc::new(Clients::new(AmbientOptions::default()));
        let policies = ScriptedPolicies {
            iam: Arc::clone(&iam),
            script: Arc::clone(&script),
            faults: Arc::clone(&faults),
            shown: Arc::clone(&shown),
        };
        aws.set_resource_policies(&account, Arc::new(policies));
        let client = api.client(script.clone());
        let ctx = Arc::new(context("controller", client, aws, Arc::clone(&index), leadership));
        let world = Self {
            controller: StatementController::new(Arc::clone(&ctx)),
            script,
            iam,
            api,
            index,
            ctx,
            faults,
            shown,
            _lease: lease,
        };
        world.put(statement_object("s3:GetObject"));
        world
    }

    /// The process ends, and another one begins.
    pub fn restart(&mut self) {
        self.controller = StatementController::new(Arc::clone(&self.ctx));
    }

    /// Somebody makes the object, or changes its spec.
    pub fn put(&self, object: DynamicObject) {
        let mut new = serde_json::to_value(object).unwrap();
        if let Some(old) = self.api.get(&path()) {
            new["metadata"]["finalizers"] = old["metadata"]["finalizers"].clone();
            new["status"] = old["status"].clone();
        }
        self.api.put(&path(), Some(new));
    }

    /// Somebody deletes the object.
    pub fn delete(&self) {
        if let Some(mut object) = self.api.get(&path()) {
            object["metadata"]["deletionTimestamp"] = json!("2026-01-03T03:04:05Z");
            self.api.put(&path(), Some(object));
        }
    }

    pub fn change(&self, change: impl FnOnce(&mut Value)) {
        let mut object = self.api.get(&path()).unwrap();
        change(&mut object);
        self.api.put(&path(), Some(object));
    }

    /// Reconciles until nothing is left to do, in as many lives as that takes.
    pub async fn settle(&mut self) -> Requeue {
        for _ in 0..20 {
            let ended = self.controller.reconcile(&id()).await;
            if self.script.revive() {
                self.restart();
                continue;
            }
            match ended {
                Ok(Requeue::Retry | Requeue::RetryWithin(_)) | Err(_) => {}
                Ok(Requeue::After(later)) if self.ready().is_none_or(|ready| ready.starts_with("False")) => {
                    tokio::time::advance(later).await;
                }
                Ok(later) => return later,
            }
        }
        panic!("it never comes to rest: {:?}", self.ready());
    }

    /// Status and reason of `Ready`; `None` when the object is gone.
    pub fn ready(&self) -> Option<String> {
        let object = self.api.get(&path())?;
        let conditions = object["status"]["conditions"].as_array()?.clone();
        let ready = conditions.iter().find(|c| c["type"] == "Ready")?.clone();
        Some(format!(
            "{} {}",
            ready["status"].as_str()?,
            ready["reason"].as_str()?
        ))
    }

    pub fn message(&self) -> String {
        let object = self.api.get(&path()).unwrap();
        let conditions = object["status"]["conditions"].as_array().unwrap().clone();
        let ready = conditions.iter().find(|c| c["type"] == "Ready").unwrap().clone();
        ready["message"].as_str().unwrap().to_owned()
    }

    /// The statement of the object in AWS.
    pub fn ours(&self) -> Option<Value> {
        let policy: Value = serde_json::from_str(&self.iam.resource_policy_of(&bucket())?).unwrap();
        let statements = policy["Statement"].as_array()?.clone();
        let ours: Vec<Value> = statements
            .into_iter()
            .filter(|s| s["Sid"] == sid().as_str())
            .collect();
        assert!(ours.len() < 2, "{ours:?}");
        ours.into_iter().next()
    }

    /// The next read of the policy shows this.
    pub fn show_once(&self, policy: Option<String>) {
        *self.shown.lock() = Some(policy);
    }

    /// Somebody writes the policy anew in the language of 2008, with these statements.
    pub fn write_older(&self, statements: &[&str]) {
        let policy = format!(
            r#"{{"Version":"2008-10-17","Statement":[{}]}}"#,
            statements.join(",")
        );
        self.iam.set_resource_policy(&bucket(), Some(&policy));
    }

    /// Somebody writes the policy anew, with these statements.
    pub fn write_by_hand(&self, statements: &[&str]) {
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[{}]}}"#,
            statements.join(",")
        );
        assert!(serde_json::from_str::<&RawValue>(&policy).is_ok());
        self.iam.set_resource_policy(&bucket(), Some(&policy));
    }
}
