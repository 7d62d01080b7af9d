//! What stands around Deputy's objects in a cluster, read once. Who may not list it is told so, and gets an answer without it.

use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use kube::{Api, Client, core::PartialObjectMeta};
use serde_json::json;

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
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let pod = answer(CALL_TIMEOUT, pods.get_opt(name)).await;
    let pod = pod.map_err(|why| Failure::process(format!("failed to read pod {namespace}/{name}: {why}")))?;
    let Some(pod) = pod else { return Ok(()) };
    let account = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.service_account_name.clone());
    let account = account.unwrap_or_else(|| "default".to_owned());
    let value = serde_json::to_value(&pod).map_err(Failure::error)?;
    let mut objects: Vec<CoreObject> = CoreObject::of("v1", "Pod", || value, Some(namespace))
        .into_iter()
        .collect();
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    match answer(CALL_TIMEOUT, accounts.get_metadata_opt(&account)).await {
        Ok(Some(account)) => objects.extend(of_meta("ServiceAccount", &account)),
        Ok(None) => {}
        Err(why) => found.unread.push(format!(
            "ServiceAccount {namespace}/{account} could not be read: {why}"
        )),
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
