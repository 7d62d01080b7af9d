//! What is added to a pod: the token volume and the sidecar.

use serde_json::{Value, json};

use super::{
    config::{InjectionConfig, RunAs},
    options::Options,
    ours::{AUDIENCE, BROKER_URL, SIDECAR, TOKEN_DIR, TOKEN_VOLUME},
    pod::PodView,
};

/// Where the API server's ServiceAccount plugin mounts a token for the Kubernetes API, in every container that has nothing
/// mounted there.
const API_TOKEN_DIR: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// A day. A long life carries pods through an outage of the API server, and is safe: the broker checks that the pod lives.
const TOKEN_SECONDS: u32 = 86_400;
/// The image's own user. Said where the pod's would be root, which `runAsNonRoot` forbids.
const IMAGE_UID: u32 = 65_532;

pub(super) fn token_volume() -> Value {
    json!({
        "name": TOKEN_VOLUME,
        // Readable by every uid: application containers run as users of their own.
        "projected": {"defaultMode": 0o444, "sources": [
            {"serviceAccountToken": {"audience": AUDIENCE, "expirationSeconds": TOKEN_SECONDS, "path": "token"}}
        ]}
    })
}

pub(super) fn token_mount() -> Value {
    json!({"name": TOKEN_VOLUME, "mountPath": TOKEN_DIR, "readOnly": true})
}

/// The sidecar as it is to be.
pub(super) fn sidecar(
    view: &PodView<'_>,
    config: &InjectionConfig,
    options: &Options<'_>,
    bindings: &str,
) -> Value {
    let mut env = vec![
        json!({"name": BROKER_URL, "value": config.broker_url}),
        json!({"name": "DEPUTY_BROKER_CA", "value": config.broker_ca}),
        json!({"name": "DEPUTY_BINDINGS", "value": bindings}),
        json!({"name": "DEPUTY_WAIT_FOR", "value": options.wait_for}),
        json!({"name": "DEPUTY_LISTEN", "value": format!("127.0.0.1:{}", options.port)}),
    ];
    if let Some(address) = &config.broker_address {
        env.insert(1, json!({"name": "DEPUTY_BROKER_ADDRESS", "value": address}));
    }
    let mut sidecar = json!({
        "name": SIDECAR,
        "image": config.agent.image,
        "command": ["/deputy-agent"],
        // A native sidecar: starts before the application's containers, ends after them, and lets Jobs complete.
        "restartPolicy": "Always",
        "env": env,
        // The kubelet starts no other container before the hook has succeeded, and goes on at once when it has; a startup probe
        // would be asked once a second. When it fails, the container is ended, with the reason as its message, and started again.
        "lifecycle": {"postStart": {"exec": {"command": ["/deputy-agent", "ready", "--wait", "--termination-log=/dev/termination-log"]}}},
        "securityContext": security_context(view, config.agent.run_as),
        "volumeMounts": [
            token_mount(),
            // In place of the token for the Kubernetes API: the agent has no use for that one.
            {"name": TOKEN_VOLUME, "mountPath": API_TOKEN_DIR, "readOnly": true},
        ],
    });
    if let Some(fields) = sidecar.as_object_mut()
        && options.resources.as_object().is_some_and(|r| !r.is_empty())
    {
        fields.insert("resources".to_owned(), options.resources.clone());
    }
    sidecar
}

/// Everything that the strictest Pod Security Standard asks for.
fn security_context(view: &PodView<'_>, run_as: RunAs) -> Value {
    let mut context = json!({
        "runAsNonRoot": true, "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}
    });
    // The group is the image's own then, as it is for every container that OpenShift gives a user of its range.
    let of_namespace = first_of_range(view);
    let configured = match run_as {
        RunAs::Uid(uid) => Some(uid),
        RunAs::Image if view.run_as_user() == Some(0) => Some(IMAGE_UID),
        RunAs::Image => None,
    };
    if let (Some(uid), Some(fields)) = (of_namespace.or(configured), context.as_object_mut()) {
        fields.insert("runAsUser".to_owned(), json!(uid));
        if of_namespace.is_none() {
            fields.insert("runAsGroup".to_owned(), json!(uid));
        }
    }
    context
}

/// The first of the users that a namespace's pods may run as, in OpenShift: `1000920000/10000` or `1000920000-1000929999`.
/// <https://docs.openshift.com/container-platform/latest/authentication/managing-security-context-constraints.html>
fn first_of_range(view: &PodView<'_>) -> Option<u32> {
    let range = view
        .facts
        .namespace_info
        .annotations
        .get("openshift.io/sa.scc.uid-range")?;
    range
        .split(['/', '-'])
        .next()?
        .trim()
        .parse()
        .ok()
        .filter(|uid| *uid > 0)
}
