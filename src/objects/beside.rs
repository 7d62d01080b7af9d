//! What stands around Deputy's objects in a cluster, read once. Who may not list it is told so, and gets an answer without it.

use std::{collections::BTreeSet, fmt};

use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::{DaemonSet, Deployment, StatefulSet},
        batch::v1::{CronJob, Job},
        core::v1::{Namespace, Pod, ServiceAccount},
    },
};
use kube::{Api, Client, Resource, core::PartialObjectMeta};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    core::{CoreObject, CoreObjects, WantedBeside},
    drift::drift,
    page::{CALL_TIMEOUT, Unanswered, all_pages, answer},
};
use crate::exit::Failure;

/// What is wanted of a cluster. `namespace`: that of a pod whose name says none.
///
/// # Errors
/// When a pod that is asked about can't be read.
pub async fn beside(
    client: &Client,
    wanted: &WantedBeside<'_>,
    namespace: Option<&str>,
) -> Result<CoreObjects, Failure> {
    let mut found = CoreObjects::default();
    match wanted {
        WantedBeside::Nothing => {}
        WantedBeside::Estate => {
            match service_accounts(client).await {
                Ok(objects) => {
                    found.put(objects);
                    found.all_service_accounts = true;
                }
                Err(why) => found.unread.push(format!(
                    "ServiceAccounts could not be listed, so that none is said to be missing: {why}"
                )),
            }
            drift(client, &mut found).await;
        }
        WantedBeside::Pod(which) => pod(client, which, namespace, &mut found).await?,
    }
    Ok(found)
}

async fn pod(
    client: &Client,
    which: &str,
    namespace: Option<&str>,
    found: &mut CoreObjects,
) -> Result<(), Failure> {
    let (namespace, name) = which
        .split_once('/')
        .unwrap_or((namespace.unwrap_or_default(), which));
    if namespace.is_empty() || name.is_empty() {
        // Said with the argument, where it is parsed.
        return Ok(());
    }
    let pods = pods(client, namespace, name).await?;
    if pods.is_empty() {
        return Ok(());
    }
    let accounts: BTreeSet<String> = pods.iter().map(service_account_of).collect();
    let mut objects = pods;
    let api: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    for account in accounts {
        match answer(CALL_TIMEOUT, api.get_metadata_opt(&account)).await {
            Ok(Some(account)) => objects.extend(of_meta("ServiceAccount", &account)),
            Ok(None) => {}
            Err(why) => found.unread.push(format!(
                "ServiceAccount {namespace}/{account} could not be read: {why}"
            )),
        }
    }
    let namespaces: Api<Namespace> = Api::all(client.clone());
    match answer(CALL_TIMEOUT, namespaces.get_metadata_opt(namespace)).await {
        Ok(Some(namespace)) => objects.extend(of_meta("Namespace", &namespace)),
        Ok(None) => {}
        Err(why) => found
            .unread
            .push(format!("namespace {namespace} could not be read: {why}")),
    }
    found.put(objects);
    Ok(())
}

fn service_account_of(pod: &CoreObject) -> String {
    let named = pod
        .value
        .pointer("/spec/serviceAccountName")
        .and_then(Value::as_str);
    let named = named.filter(|name| !name.is_empty());
    named.unwrap_or("default").to_owned()
}

/// The pod of a name, else what the workloads of that name make.
async fn pods(client: &Client, namespace: &str, name: &str) -> Result<Vec<CoreObject>, Failure> {
    let pod = get::<Pod>(client, "v1", "Pod", (namespace, name)).await;
    let pod = pod.map_err(|why| Failure::process(format!("failed to read pod {namespace}/{name}: {why}")))?;
    if let Some(pod) = pod {
        return Ok(vec![pod]);
    }
    let (client, of) = (&client, (namespace, name));
    let workloads = [
        (
            "Deployment",
            get::<Deployment>(client, "apps/v1", "Deployment", of).await,
        ),
        (
            "StatefulSet",
            get::<StatefulSet>(client, "apps/v1", "StatefulSet", of).await,
        ),
        (
            "DaemonSet",
            get::<DaemonSet>(client, "apps/v1", "DaemonSet", of).await,
        ),
        ("Job", get::<Job>(client, "batch/v1", "Job", of).await),
        ("CronJob", get::<CronJob>(client, "batch/v1", "CronJob", of).await),
    ];
    let (mut there, mut unread) = (Vec::new(), Vec::new());
    for (kind, workload) in workloads {
        match workload {
            Ok(workload) => there.extend(workload),
            Err(why) => unread.push(format!("{kind}: {why}")),
        }
    }
    if there.is_empty() && !unread.is_empty() {
        return Err(Failure::process(format!(
            "there is no pod {namespace}/{name}, and whether a workload has that name could not be read: {}",
            unread.join("; ")
        )));
    }
    Ok(there)
}

/// An object of a kind; `None` where it is not there.
async fn get<K>(
    client: &Client,
    version: &str,
    kind: &str,
    (namespace, name): (&str, &str),
) -> Result<Option<CoreObject>, Unanswered>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    K: Clone + fmt::Debug + DeserializeOwned + Serialize,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let object = answer(CALL_TIMEOUT, api.get_opt(name)).await?;
    Ok(object.and_then(|object| {
        let value = serde_json::to_value(&object).ok()?;
        CoreObject::of(version, kind, || value, Some(namespace))
    }))
}

fn of_meta<K>(kind: &str, object: &PartialObjectMeta<K>) -> Option<CoreObject> {
    let metadata = serde_json::to_value(&object.metadata).ok()?;
    CoreObject::of("v1", kind, || json!({ "metadata": metadata }), None)
}

async fn service_accounts(client: &Client) -> Result<Vec<CoreObject>, Unanswered> {
    let api: Api<ServiceAccount> = Api::all(client.clone());
    let all = all_pages(CALL_TIMEOUT, async |parameters| {
        api.list_metadata(parameters).await
    })
    .await?;
    Ok(all
        .iter()
        .filter_map(|one| of_meta("ServiceAccount", one))
        .collect())
}
