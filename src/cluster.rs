//! The name of this cluster towards AWS, remembered in the cluster: every role, policy, path, tag and external id there
//! follows from it, so a process that is started with another name would make everything anew, and nobody would look
//! after what there was. And which cluster of that name it is: the uid of its namespace `kube-system`, on every role and policy, so that
//! one that was made anew under the name, or given one that is taken, leaves alone what the other one made.

use std::{collections::BTreeMap, time::Duration};

use deputy_api::{AWSRole, ClusterAWSRole, DelegationLimit};
use deputy_delegation::{ClusterName, ClusterUid};
use deputy_runtime::{health::ReadyHandle, shutdown::Shutdown};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::{
    Api, Client, CustomResourceExt,
    api::{DynamicObject, ListParams, PostParams},
};
use serde_json::Value;

/// The key of the ConfigMap.
const KEY: &str = "clusterName";
/// The namespace whose uid is the cluster's: it is made with the cluster, and nobody can delete it.
const UID_OF: &str = "kube-system";
/// How long one question to the API server may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is looked again whether the process may begin.
const LOOK: Duration = Duration::from_secs(5);
/// Objects read at a time.
const PAGE: u32 = 500;

/// What a process may do about the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// Writes the name where there is none: one kind of process, so that no two disagree.
    Remembers,
    /// Writes to AWS under the name, so it waits until it is remembered.
    Waits,
    /// Writes nothing: it begins where nothing is remembered.
    Reads,
}

/// What the cluster remembers.
#[derive(Debug, PartialEq, Eq)]
enum Memory {
    /// The ConfigMap is not there.
    Absent,
    /// There is no name in it.
    Empty,
    Named(String),
}

#[derive(Debug, PartialEq, Eq)]
enum Judgement {
    Begin,
    Remember,
    Wait,
    Another(String),
}

fn judge(memory: Memory, own: &ClusterName, duty: Duty) -> Judgement {
    match (memory, duty) {
        (Memory::Named(name), _) if name == own.as_str() => Judgement::Begin,
        (Memory::Named(name), _) => Judgement::Another(name),
        (Memory::Absent | Memory::Empty, Duty::Reads) => Judgement::Begin,
        (Memory::Empty, Duty::Remembers) => Judgement::Remember,
        (Memory::Absent, Duty::Remembers) | (Memory::Absent | Memory::Empty, Duty::Waits) => Judgement::Wait,
    }
}

/// The cluster's memory of its name.
pub struct Cluster<'a> {
    pub client: Client,
    pub namespace: &'a str,
    pub config_map: &'a str,
    pub name: &'a ClusterName,
    pub duty: Duty,
}

impl Cluster<'_> {
    /// Waits until this process may work under its name; meanwhile `ready` says why not.
    ///
    /// # Errors
    /// Why not, when the process is told to stop before.
    pub async fn admit(&self, ready: &ReadyHandle, shutdown: &Shutdown) -> Result<(), String> {
        until_found(
            ready,
            shutdown,
            |why| {
                tracing::error!(
                    error = why,
                    "failed to start: cluster name not confirmed, retrying"
                );
            },
            || self.check(),
        )
        .await
    }

    async fn check(&self) -> Result<(), String> {
        let (memory, object) = self.memory().await?;
        match judge(memory, self.name, self.duty) {
            Judgement::Begin => Ok(()),
            Judgement::Wait => Err(format!(
                "the name of this cluster is not remembered yet: deputy controller writes it into the ConfigMap {}/{}, \
                 which the chart makes",
                self.namespace, self.config_map
            )),
            Judgement::Remember => {
                // A ConfigMap that was emptied is no proof that nothing is there.
                let found = self.names_in_use().await?;
                match found.into_iter().find(|(name, _)| name != self.name.as_str()) {
                    Some((name, left)) => Err(self.refusal(&name, &left)),
                    None => self.remember(object).await,
                }
            }
            Judgement::Another(name) => {
                let left = self.names_in_use().await?.remove(&name).unwrap_or_default();
                Err(self.refusal(&name, &left))
            }
        }
    }

    async fn memory(&self) -> Result<(Memory, Option<ConfigMap>), String> {
        let found = call("read the ConfigMap", self.config_maps().get_opt(self.config_map)).await?;
        let name = found.as_ref().and_then(|c| c.data.as_ref()?.get(KEY).cloned());
        let memory = match (&found, name) {
            (None, _) => Memory::Absent,
            (Some(_), None) => Memory::Empty,
            (Some(_), Some(name)) if name.is_empty() => Memory::Empty,
            (Some(_), Some(name)) => Memory::Named(name),
        };
        Ok((memory, found))
    }

    async fn remember(&self, object: Option<ConfigMap>) -> Result<(), String> {
        let Some(mut object) = object else {
            return Err("the ConfigMap does not exist; the chart makes it".to_owned());
        };
        let data = object.data.get_or_insert_default();
        data.insert(KEY.to_owned(), self.name.to_string());
        let (api, parameters) = (self.config_maps(), PostParams::default());
        // With the version that was read: of two at once one is refused, and reads what the other wrote.
        call(
            "write the ConfigMap",
            api.replace(self.config_map, &parameters, &object),
        )
        .await?;
        tracing::info!(cluster = %self.name, config_map = self.config_map, "cluster name recorded");
        Ok(())
    }

    fn config_maps(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), self.namespace)
    }

    fn refusal(&self, other: &str, left: &Left) -> String {
        format!(
            "this process was started with clusterName {:?}, and this cluster is {other:?} in AWS (ConfigMap {}/{}): under \
             /deputy/{other}/ are {left}, which nobody would look after any more, with open trust policies. Start it with \
             clusterName {other:?}. Only when all of that is deleted in AWS: remove the key {KEY} of that ConfigMap",
            self.name.as_str(),
            self.namespace,
            self.config_map
        )
    }

    /// The cluster names under which objects say that they are in AWS, and how many do.
    async fn names_in_use(&self) -> Result<BTreeMap<String, Left>, String> {
        let mut found: BTreeMap<String, Left> = BTreeMap::new();
        for role in self.all::<AWSRole>().await? {
            let arn = role.data.pointer("/status/roleARN").and_then(Value::as_str);
            if let Some(name) = arn.and_then(cluster_of) {
                found.entry(name.to_owned()).or_default().roles += 1;
            }
        }
        for role in self.all::<ClusterAWSRole>().await? {
            let instances = role.data.pointer("/status/instances").and_then(Value::as_array);
            for instance in instances.into_iter().flatten() {
                let arn = instance.get("roleARN").and_then(Value::as_str);
                if let Some(name) = arn.and_then(cluster_of) {
                    found.entry(name.to_owned()).or_default().roles += 1;
                }
            }
        }
        for limit in self.all::<DelegationLimit>().await? {
            let boundaries = limit.data.pointer("/status/boundaries").and_then(Value::as_array);
            for boundary in boundaries.into_iter().flatten() {
                let arn = boundary.get("policyARN").and_then(Value::as_str);
                if let Some(name) = arn.and_then(cluster_of) {
                    found.entry(name.to_owned()).or_default().policies += 1;
                }
            }
        }
        Ok(found)
    }

    async fn all<K: CustomResourceExt>(&self) -> Result<Vec<DynamicObject>, String> {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &K::api_resource());
        let mut objects = Vec::new();
        let mut parameters = ListParams::default().limit(PAGE);
        loop {
            let page = call("list objects", api.list(&parameters)).await?;
            objects.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => parameters = parameters.continue_token(&token),
                None => return Ok(objects),
            }
        }
    }
}

/// Which cluster of its name this is. Waits until the API server says so; meanwhile `ready` says why not.
///
/// # Errors
/// Why not, when the process is told to stop before.
pub async fn cluster_uid(
    client: &Client,
    ready: &ReadyHandle,
    shutdown: &Shutdown,
) -> Result<ClusterUid, String> {
    let api: Api<Namespace> = Api::all(client.clone());
    until_found(
        ready,
        shutdown,
        |why| tracing::error!(error = why, "failed to start: cluster uid not known, retrying"),
        || async {
            let namespace = call("read the namespace kube-system", api.get_metadata(UID_OF)).await?;
            let uid = namespace.metadata.uid.unwrap_or_default();
            ClusterUid::new(uid).map_err(|error| format!("the uid of the namespace {UID_OF}: {error}"))
        },
    )
    .await
}

/// Looks again and again. What keeps it from being found is in `ready`, and told once each.
async fn until_found<T, F>(
    ready: &ReadyHandle,
    shutdown: &Shutdown,
    tell: impl Fn(&str),
    look: impl Fn() -> F,
) -> Result<T, String>
where
    F: Future<Output = Result<T, String>>,
{
    let mut said = String::new();
    loop {
        let why = match look().await {
            Ok(found) => {
                ready.ready();
                return Ok(found);
            }
            Err(why) => why,
        };
        ready.not_ready(why.clone());
        if why != said {
            tell(&why);
            said.clone_from(&why);
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = shutdown.draining() => return Err(why),
        }
    }
}

/// What is under a name in AWS, by what objects say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Left {
    roles: usize,
    policies: usize,
}

impl std::fmt::Display for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { roles, policies } = self;
        write!(
            f,
            "{roles} IAM roles of AWSRoles and {policies} boundary policies of DelegationLimits"
        )
    }
}

/// The cluster in the ARN of a role or policy of ours.
fn cluster_of(arn: &str) -> Option<&str> {
    let (_, path) = arn.split_once("/deputy/")?;
    path.split('/').next().filter(|name| !name.is_empty())
}

async fn call<T>(
    action: &'static str,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, String> {
    match tokio::time::timeout(CALL_TIMEOUT, request).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(format!("failed to {action}: {error}")),
        Err(_) => Err(format!(
            "failed to {action}: no answer in {} s",
            CALL_TIMEOUT.as_secs()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_works_under_another_name_than_the_remembered_one() {
        let own = ClusterName::new("production-1").unwrap();
        let named = |name: &str| Memory::Named(name.to_owned());
        let another = || Judgement::Another("renamed".to_owned());
        for (memory, duty, expected) in [
            (named("production-1"), Duty::Remembers, Judgement::Begin),
            (named("production-1"), Duty::Waits, Judgement::Begin),
            (named("production-1"), Duty::Reads, Judgement::Begin),
            (named("renamed"), Duty::Remembers, another()),
            (named("renamed"), Duty::Waits, another()),
            (named("renamed"), Duty::Reads, another()),
            (Memory::Empty, Duty::Remembers, Judgement::Remember),
            (Memory::Empty, Duty::Waits, Judgement::Wait),
            (Memory::Empty, Duty::Reads, Judgement::Begin),
            (Memory::Absent, Duty::Remembers, Judgement::Wait),
            (Memory::Absent, Duty::Waits, Judgement::Wait),
            (Memory::Absent, Duty::Reads, Judgement::Begin),
        ] {
            let what = format!("{memory:?} {duty:?}");
            assert_eq!(judge(memory, &own, duty), expected, "{what}");
        }
    }

    #[test]
    fn the_cluster_is_read_from_what_is_in_aws() {
        for (arn, cluster) in [
            (
                "arn:aws:iam::123456789012:role/deputy/production-1/deputy.a.b-c",
                Some("production-1"),
            ),
            (
                "arn:aws:iam::123456789012:policy/deputy/production-1/limits/deputy-limit.a-b",
                Some("production-1"),
            ),
            ("arn:aws:iam::123456789012:role/others/x", None),
            ("arn:aws:iam::123456789012:role/deputy//x", None),
            ("", None),
        ] {
            assert_eq!(cluster_of(arn), cluster, "{arn}");
        }
    }
}
