//! One look at a cluster. Every call has a deadline; what is not seen is said so, and goes on.

use std::{collections::BTreeMap, time::Duration};

use deputy_admission::{DeputyKind, inject::SIDECAR};
use http::Request;
use jiff::{Timestamp, fmt::rfc2822};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams, PostParams},
    client::Body,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    expected::definitions,
    snapshot::{
        DoctorSnapshot, OBJECTS_WEBHOOK, SeenAgents, SeenName, ServerClock, Sight, TrialAnswer, looked_at,
    },
};
use crate::objects::{Unanswered, answer, each_page, resource};

/// How long one call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the dry run may take: the API server waits for the webhook meanwhile.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(20);
/// Pages of a kind; of pods there may be more than anybody waits for.
const MAX_PAGES: usize = 40;

/// What is looked at, and from where.
pub struct Gathering {
    pub client: Client,
    /// Of the release; by default where the webhook's Service is.
    pub namespace: Option<String>,
    /// Whether the pods of all namespaces are listed: who leaves that check out may have no right to.
    pub pods: bool,
}

/// Whether there is an API server, and its clock.
///
/// # Errors
/// Why there is none.
pub async fn clock(client: &Client) -> Sight<ServerClock> {
    let request = Request::get("/version")
        .body(Body::empty())
        .map_err(|error| error.to_string())?;
    let asked = Timestamp::now();
    let answer = answer(CALL_TIMEOUT, client.send(request)).await;
    let answer = answer.map_err(|why| why.to_string())?;
    let answered = Timestamp::now();
    let date = answer.headers().get(http::header::DATE);
    let date = date.and_then(|date| date.to_str().ok());
    let date = date.ok_or("the API server says no Date")?;
    let said = rfc2822::DateTimeParser::new()
        .parse_timestamp(date)
        .map_err(|error| format!("its Date {date:?}: {error}"))?;
    Ok(ServerClock {
        said,
        asked,
        answered,
    })
}

impl Gathering {
    /// Whether the API server answers at all, and lets in who asks.
    ///
    /// # Errors
    /// Why not.
    pub async fn is_there(&self) -> Sight<()> {
        let version = answer(CALL_TIMEOUT, self.client.apiserver_version()).await;
        version.map(|_| ()).map_err(|why| why.to_string())
    }

    /// Looks at everything once.
    pub async fn snapshot(&self, clock: Sight<ServerClock>) -> DoctorSnapshot {
        let namespace = self.namespace().await;
        let mut objects = BTreeMap::new();
        let definitions: Vec<String> = definitions().iter().map(|(name, _)| name.clone()).collect();
        let mut looks = JoinSet::new();
        for (kind, name) in looked_at(&definitions) {
            let (client, namespace) = (self.client.clone(), namespace.clone());
            looks.spawn(async move {
                let seen = get(&client, kind, &namespace, &name).await;
                ((kind, name), seen)
            });
        }
        while let Some(look) = looks.join_next().await {
            // A look that panicked is not there, which is not known.
            if let Ok((name, seen)) = look {
                let (name, seen): (SeenName, _) = (name, seen);
                objects.insert(name, seen);
            }
        }
        let slices = of_kubernetes("discovery.k8s.io/v1", "EndpointSlice", "endpointslices");
        let trial = self.trial(&namespace).await;
        DoctorSnapshot {
            now: Timestamp::now(),
            clock,
            objects,
            accounts: self.list(&resource(DeputyKind::Account), None).await,
            cluster_roles: self.list(&resource(DeputyKind::ClusterRole), None).await,
            limits: self.list(&resource(DeputyKind::Limit), None).await,
            endpoint_slices: self.list(&slices, Some(&namespace)).await,
            agents: self.agents().await,
            trial,
            metadata_service: BTreeMap::new(),
            namespace,
        }
    }

    async fn namespace(&self) -> String {
        if let Some(namespace) = &self.namespace {
            return namespace.clone();
        }
        for kind in ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"] {
            let seen = get(&self.client, kind, "", "deputy").await;
            if let Some(namespace) = seen.ok().flatten().as_ref().and_then(of_service) {
                return namespace;
            }
        }
        // Where the documents install it.
        "deputy".to_owned()
    }

    /// All objects of a kind.
    async fn list(&self, resource: &ApiResource, namespace: Option<&str>) -> Sight<Vec<Value>> {
        let mut all = Vec::new();
        let is_whole = self.pages(resource, namespace, |object| all.push(object)).await?;
        match is_whole {
            true => Ok(all),
            false => Err(format!("there are more {} than are looked at", resource.plural)),
        }
    }

    /// Hands over the objects of a kind, page by page; whether they were all.
    async fn pages(
        &self,
        resource: &ApiResource,
        namespace: Option<&str>,
        mut each: impl FnMut(Value),
    ) -> Sight<bool> {
        let api: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, resource),
            None => Api::all_with(self.client.clone(), resource),
        };
        let (mut pages, mut is_whole, mut unreadable) = (0, true, None);
        let listed = each_page(
            CALL_TIMEOUT,
            ListParams::default(),
            async |parameters| api.list(parameters).await,
            |page, has_next| {
                for object in page {
                    match serde_json::to_value(object) {
                        Ok(object) => each(object),
                        Err(error) => unreadable = Some(error.to_string()),
                    }
                }
                pages += 1;
                is_whole = !has_next || pages < MAX_PAGES;
                is_whole && unreadable.is_none()
            },
        );
        listed.await.map_err(|why| match why {
            why @ Unanswered::Error(_) => format!("failed to list {}: {why}", resource.plural),
            late => late.to_string(),
        })?;
        unreadable.map_or(Ok(is_whole), Err)
    }

    /// The sidecars of all pods.
    async fn agents(&self) -> Sight<SeenAgents> {
        let mut agents = SeenAgents::default();
        if !self.pods {
            return Err("the pods were not asked for".to_owned());
        }
        let pods = of_kubernetes("v1", "Pod", "pods");
        agents.is_whole = self
            .pages(&pods, None, |pod| {
                let containers = pod.pointer("/spec/initContainers").and_then(Value::as_array);
                let is_agent = |one: &&Value| one.get("name").and_then(Value::as_str) == Some(SIDECAR);
                let agent = containers.into_iter().flatten().find(is_agent);
                if let Some(image) = agent.and_then(|agent| agent.get("image")).and_then(Value::as_str) {
                    *agents.images.entry(image.to_owned()).or_default() += 1;
                }
            })
            .await?;
        Ok(agents)
    }

    /// Applies a role with a policy that is none, as a dry run: the schema takes it, and the webhook has to refuse it.
    async fn trial(&self, namespace: &str) -> Sight<TrialAnswer> {
        let resource = resource(DeputyKind::Role);
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &resource);
        let object = json!({
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": {"name": "deputy-doctor", "namespace": namespace},
            "spec": {
                "accountRef": {"name": "deputy-doctor"},
                "policies": [{"name": "none", "document": {"Version": "2012-10-17", "Statement": "none"}}],
            },
        });
        let object: DynamicObject = serde_json::from_value(object).map_err(|error| error.to_string())?;
        let parameters = PostParams {
            dry_run: true,
            field_manager: Some("deputy-doctor".to_owned()),
        };
        match answer(TRIAL_TIMEOUT, api.create(&parameters, &object)).await {
            Ok(_) => Ok(TrialAnswer::Taken),
            Err(Unanswered::Error(error)) => judged(&error),
            Err(late) => Err(late.to_string()),
        }
    }
}

/// The namespace of the Service by which a configuration's webhooks are called: that of any, for one may be called by URL.
fn of_service(configuration: &Value) -> Option<String> {
    let webhooks = configuration.get("webhooks").and_then(Value::as_array)?;
    let namespace = |webhook: &Value| {
        webhook
            .pointer("/clientConfig/service/namespace")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    webhooks.iter().find_map(namespace)
}

/// What the API server's refusal says of Deputy's webhook. All that others say (another webhook, a policy, the schema, the API server
/// itself) leaves open what Deputy's would have said.
fn judged(error: &kube::Error) -> Sight<TrialAnswer> {
    match error {
        kube::Error::Api(status) => {
            let message = status.message.as_str();
            let denied = format!("admission webhook \"{OBJECTS_WEBHOOK}\" denied the request");
            let failed = format!("Internal error occurred: failed calling webhook \"{OBJECTS_WEBHOOK}\": ");
            if message.starts_with(&denied) {
                Ok(TrialAnswer::Refused)
            } else if message.starts_with(&failed) {
                Ok(TrialAnswer::Failed(message.to_owned()))
            } else if status.code == 404 && message.starts_with("namespaces ") {
                Ok(TrialAnswer::NoNamespace)
            } else {
                Err(message.to_owned())
            }
        }
        other => Err(other.to_string()),
    }
}

async fn get(client: &Client, kind: &'static str, namespace: &str, name: &str) -> Sight<Option<Value>> {
    let (version, plural, is_namespaced) = match kind {
        "ValidatingWebhookConfiguration" => (
            "admissionregistration.k8s.io/v1",
            "validatingwebhookconfigurations",
            false,
        ),
        "MutatingWebhookConfiguration" => (
            "admissionregistration.k8s.io/v1",
            "mutatingwebhookconfigurations",
            false,
        ),
        "ValidatingAdmissionPolicy" => (
            "admissionregistration.k8s.io/v1",
            "validatingadmissionpolicies",
            false,
        ),
        "ValidatingAdmissionPolicyBinding" => (
            "admissionregistration.k8s.io/v1",
            "validatingadmissionpolicybindings",
            false,
        ),
        "CustomResourceDefinition" => ("apiextensions.k8s.io/v1", "customresourcedefinitions", false),
        "APIService" => ("apiregistration.k8s.io/v1", "apiservices", false),
        "ClusterRole" => ("rbac.authorization.k8s.io/v1", "clusterroles", false),
        "ClusterRoleBinding" => ("rbac.authorization.k8s.io/v1", "clusterrolebindings", false),
        "Role" => ("rbac.authorization.k8s.io/v1", "roles", true),
        "RoleBinding" => ("rbac.authorization.k8s.io/v1", "rolebindings", true),
        "Deployment" => ("apps/v1", "deployments", true),
        "ConfigMap" => ("v1", "configmaps", true),
        _ => return Err(format!("{kind} is not looked at")),
    };
    let resource = of_kubernetes(version, kind, plural);
    let (namespace, name) = name.split_once('/').unwrap_or((namespace, name));
    let api: Api<DynamicObject> = match is_namespaced {
        true => Api::namespaced_with(client.clone(), namespace, &resource),
        false => Api::all_with(client.clone(), &resource),
    };
    let found = answer(CALL_TIMEOUT, api.get_opt(name)).await;
    found
        .map_err(|why| said(&why))?
        .map(|object| serde_json::to_value(object).map_err(|error| error.to_string()))
        .transpose()
}

/// The API server's words, where it says some.
fn said(why: &Unanswered) -> String {
    match why {
        Unanswered::Error(kube::Error::Api(status)) => status.message.clone(),
        other => other.to_string(),
    }
}

fn of_kubernetes(api_version: &str, kind: &str, plural: &str) -> ApiResource {
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api_error(code: u16, message: &str) -> kube::Error {
        let status = json!({"status": "Failure", "message": message, "reason": "", "code": code});
        kube::Error::Api(serde_json::from_value(status).unwrap())
    }

    #[test]
    fn the_namespace_is_that_of_any_webhook_with_a_service() {
        let by_url = json!({"clientConfig": {"url": "https://127.0.0.1:9443/validate"}});
        let by_service =
            json!({"clientConfig": {"service": {"name": "deputy-webhook", "namespace": "deputy-system"}}});
        for (webhooks, found) in [
            (vec![&by_service], Some("deputy-system")),
            (vec![&by_url, &by_service], Some("deputy-system")),
            (vec![&by_url], None),
            (vec![], None),
        ] {
            assert_eq!(of_service(&json!({ "webhooks": webhooks })).as_deref(), found);
        }
        assert_eq!(of_service(&json!({})), None);
    }

    #[test]
    fn only_what_deputys_own_webhook_says_is_of_it() {
        let denied = "admission webhook \"objects.deputy.dev\" denied the request: AWSRole a/b is refused";
        for code in [400, 403, 422] {
            assert_eq!(judged(&api_error(code, denied)), Ok(TrialAnswer::Refused));
        }
        let gone = "namespaces \"deputy\" not found";
        assert_eq!(judged(&api_error(404, gone)), Ok(TrialAnswer::NoNamespace));
        let down =
            "Internal error occurred: failed calling webhook \"objects.deputy.dev\": connection refused";
        let failed = Ok(TrialAnswer::Failed(down.to_owned()));
        assert_eq!(judged(&api_error(500, down)), failed);
        for (code, others) in [
            (401, "Unauthorized"),
            (
                403,
                "awsroles.deputy.dev is forbidden: User \"x\" cannot create resource",
            ),
            (404, "the server could not find the requested resource"),
            (409, "the operation can't be done: please try again"),
            (429, "too many requests"),
            (
                500,
                "Internal error occurred: failed calling webhook \"kyverno.example.com\": connection refused",
            ),
            (500, "Internal error occurred: etcdserver: request timed out"),
            (
                403,
                "admission webhook \"other.example.com\" denied the request: no labels",
            ),
            (
                400,
                "admission webhook \"other.example.com\" does not support dry run",
            ),
            (
                403,
                "admission webhook \"other.example.com\" denied the request: as if admission webhook \"objects.deputy.dev\" denied the request",
            ),
            (
                422,
                "ValidatingAdmissionPolicy 'labels' with binding 'labels' denied request: no labels",
            ),
            (
                422,
                "AWSRole.deputy.dev \"deputy-doctor\" is invalid: spec.more: Required value",
            ),
            (
                504,
                "Timeout: request did not complete within the allotted duration",
            ),
        ] {
            assert_eq!(judged(&api_error(code, others)), Err(others.to_owned()), "{code}");
        }
    }
}
