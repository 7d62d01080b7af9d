//! Who stands for AWS: the model, or a double at an address.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use deputy_delegation::{
    model::Account,
    names::{IamPath, ManagedPolicyArn, PolicyName, PolicyResource, PolicyResourceKind, RoleName},
};

use super::table::Double;
use crate::{
    AmbientOptions, BudgetSettings, CallPurpose, Clients, Policies, ResourcePolicies, Roles, Sts, WriteFence,
    model::InMemoryIam, sdk::tests::account,
};

/// Of queues and topics.
const REGION: &str = "eu-west-1";

/// AWS, or what stands for it.
pub(super) struct World {
    pub(super) double: Double,
    pub(super) roles: Arc<dyn Roles>,
    pub(super) policies: Arc<dyn Policies>,
    pub(super) resource_policies: Arc<dyn ResourcePolicies>,
    pub(super) account: Account,
    pub(super) users: Users,
    /// In the names of what is made here: a double may have been used before.
    pub(super) run: String,
}

/// Who makes and deletes users: whoever administers the account.
pub(super) enum Users {
    Model(Arc<InMemoryIam>),
    Sdk(aws_sdk_iam::Client),
}

impl World {
    pub(super) fn model() -> (Self, Arc<InMemoryIam>) {
        let account = account(Default::default());
        let iam = Arc::new(InMemoryIam::new(account.partition.clone(), account.id.clone()));
        let world = Self {
            double: Double::Model,
            roles: iam.clone(),
            policies: iam.clone(),
            resource_policies: iam.clone(),
            account,
            users: Users::Model(iam.clone()),
            run: "0".to_owned(),
        };
        (world, iam)
    }

    /// The double at the address that the variable has; `None`, and said so, without one.
    pub(super) fn at(double: Double, variable: &str) -> Option<Self> {
        let Ok(url) = std::env::var(variable) else {
            eprintln!("SKIPPED: {variable} names no {double:?}");
            return None;
        };
        let mut account = account(Default::default());
        account.endpoints.iam = Some(url.clone());
        account.endpoints.sts = Some(url.clone());
        account.endpoints.s3 = Some(url.clone());
        account.endpoints.sqs = Some(url.clone());
        account.endpoints.sns = Some(url.clone());
        // The root key: what identities may do is not what is tested here.
        let options = AmbientOptions {
            fence: WriteFence::new(|_| true),
            budget: BudgetSettings {
                burst: 1000.0,
                initial_rate: 1000.0,
                max_rate: 1000.0,
                ..BudgetSettings::default()
            },
            ..AmbientOptions::default()
        };
        let root = Clients::new(options).with_identity("test", "test");
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Some(Self {
            double,
            roles: root.roles(&account, CallPurpose::Provision),
            policies: root.policies(&account, CallPurpose::Provision),
            resource_policies: root.resource_policies(&account),
            account,
            users: Users::Sdk(aws_sdk_iam::Client::new(&administrator(&url, "us-east-1"))),
            run: since.as_millis().to_string(),
        })
    }

    pub(super) fn role(&self, name: &str) -> RoleName {
        RoleName::new(format!("table-{}-{name}", self.run)).unwrap()
    }

    pub(super) fn policy(&self, name: &str) -> PolicyName {
        PolicyName::new(format!("table-{}-{name}", self.run)).unwrap()
    }

    /// A policy that is not there.
    pub(super) fn absent_policy(&self) -> ManagedPolicyArn {
        ManagedPolicyArn::parse(&format!("arn:aws:iam::{}:policy/absent", self.account.id)).unwrap()
    }

    /// Where everything is that is made here.
    pub(super) fn path(&self) -> IamPath {
        IamPath::new(format!("/table/{}/", self.run)).unwrap()
    }

    /// The ARN of a user that this world makes.
    pub(super) fn user_arn(&self, name: &str) -> String {
        format!("arn:aws:iam::{}:user/table-{}-{name}", self.account.id, self.run)
    }

    /// A bucket, queue or topic of that name, which need not be there. Queues and topics are in another region than the account's.
    pub(super) fn resource(&self, kind: PolicyResourceKind, name: &str) -> PolicyResource {
        let (service, id, run) = (kind.service(), &self.account.id, &self.run);
        let home = match kind {
            PolicyResourceKind::Bucket => ":".to_owned(),
            PolicyResourceKind::Queue | PolicyResourceKind::Topic => format!("{REGION}:{id}"),
        };
        PolicyResource::parse(&format!("arn:aws:{service}:{home}:table-{run}-{name}")).unwrap()
    }

    pub(super) async fn make_resource(&self, resource: &PolicyResource) {
        if let Users::Model(iam) = &self.users {
            return iam.add_resource(resource);
        }
        let name = resource.name();
        match resource.kind() {
            PolicyResourceKind::Bucket => {
                let url = self.account.endpoints.s3.as_deref().unwrap();
                let config = aws_sdk_s3::config::Builder::from(&administrator(url, "us-east-1"));
                let s3 = aws_sdk_s3::Client::from_conf(config.force_path_style(true).build());
                s3.create_bucket().bucket(name).send().await.map(drop).unwrap();
            }
            PolicyResourceKind::Queue => {
                let url = self.account.endpoints.sqs.as_deref().unwrap();
                let sqs = aws_sdk_sqs::Client::new(&administrator(url, REGION));
                sqs.create_queue()
                    .queue_name(name)
                    .send()
                    .await
                    .map(drop)
                    .unwrap();
            }
            PolicyResourceKind::Topic => {
                let url = self.account.endpoints.sns.as_deref().unwrap();
                let sns = aws_sdk_sns::Client::new(&administrator(url, REGION));
                sns.create_topic().name(name).send().await.map(drop).unwrap();
            }
        }
    }

    pub(super) async fn make_user(&self, name: &str) {
        match &self.users {
            Users::Model(iam) => iam.add_principal(&self.user_arn(name)),
            Users::Sdk(iam) => {
                let name = format!("table-{}-{name}", self.run);
                iam.create_user().user_name(name).send().await.unwrap();
            }
        }
    }

    pub(super) async fn delete_user(&self, name: &str) {
        match &self.users {
            Users::Model(iam) => iam.remove_principal(&self.user_arn(name)),
            Users::Sdk(iam) => {
                let name = format!("table-{}-{name}", self.run);
                iam.delete_user().user_name(name).send().await.unwrap();
            }
        }
    }

    /// The issuer's STS, for which it has to be able to sign.
    pub(super) async fn sts_of_broker(&self) -> Arc<dyn Sts> {
        match &self.users {
            Users::Model(iam) => iam.clone(),
            Users::Sdk(iam) => {
                let (key, secret) = broker_user(iam).await;
                Clients::new(AmbientOptions::default())
                    .with_identity(&key, &secret)
                    .sts(&self.account)
            }
        }
    }
}

fn administrator(url: &str, region: &'static str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(url)
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "test", "test", None, None, "test",
        )))
        .build()
}

/// The IAM user that is the issuer, and its access key.
async fn broker_user(iam: &aws_sdk_iam::Client) -> (String, String) {
    let name = "deputy-broker";
    // There already, when the tests run a second time.
    let _existing = iam.create_user().user_name(name).send().await;
    let may = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Resource":"*"}]}"#;
    iam.put_user_policy()
        .user_name(name)
        .policy_name("p")
        .policy_document(may)
        .send()
        .await
        .unwrap();
    let created = iam.create_access_key().user_name(name).send().await.unwrap();
    let key = created.access_key.unwrap();
    (key.access_key_id, key.secret_access_key)
}
