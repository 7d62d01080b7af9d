//! What is added to a pod: the token volume and the sidecar.

use std::sync::LazyLock;

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    config::{InjectionConfig, RunAs},
    options::Options,
    ours::{AUDIENCE, BROKER_URL, SIDECAR, TOKEN_DIR, TOKEN_VOLUME},
    pod::PodView,
    variable::EnvVariable,
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

/// The sidecar as it is to be. Fields are in the order of their names, which the hash of it rests on.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sidecar<'a> {
    command: [&'static str; 1],
    env: Vec<EnvVariable<'a>>,
    image: &'a str,
    lifecycle: &'static Value,
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<&'a Value>,
    restart_policy: &'static str,
    security_context: SecurityContext,
    volume_mounts: [Mount; 2],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Mount {
    mount_path: &'static str,
    name: &'static str,
    read_only: bool,
}

/// Everything that the strictest Pod Security Standard asks for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SecurityContext {
    allow_privilege_escalation: bool,
    capabilities: Capabilities,
    read_only_root_filesystem: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_as_group: Option<u32>,
    run_as_non_root: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_as_user: Option<u32>,
    seccomp_profile: SeccompProfile,
}

#[derive(Serialize)]
struct Capabilities {
    drop: [&'static str; 1],
}

#[derive(Serialize)]
struct SeccompProfile {
    #[serde(rename = "type")]
    kind: &'static str,
}

/// The kubelet starts no other container before the hook has succeeded, and goes on at once when it has; a startup probe would be asked once
/// a second. When it fails, the container is ended, with the reason as its message, and started again.
static LIFECYCLE: LazyLock<Value> = LazyLock::new(
    || json!({"postStart": {"exec": {"command": ["/deputy-agent", "ready", "--wait", "--termination-log=/dev/termination-log"]}}}),
);

/// The sidecar as it is to be, for the pod of `view`.
pub(super) fn sidecar<'a>(
    view: &PodView<'_>,
    config: &'a InjectionConfig,
    options: &'a Options<'_>,
    bindings: &'a str,
) -> Sidecar<'a> {
    let mut env = vec![EnvVariable::text(BROKER_URL, &config.broker_url)];
    if let Some(address) = &config.broker_address {
        env.push(EnvVariable::text("DEPUTY_BROKER_ADDRESS", address));
    }
    env.extend([
        EnvVariable::text("DEPUTY_BROKER_CA", &config.broker_ca),
        EnvVariable::text("DEPUTY_BINDINGS", bindings),
        EnvVariable::text("DEPUTY_WAIT_FOR", options.wait_for),
        EnvVariable::text("DEPUTY_LISTEN", format!("127.0.0.1:{}", options.port)),
    ]);
    let mount = |mount_path| Mount {
        mount_path,
        name: TOKEN_VOLUME,
        read_only: true,
    };
    Sidecar {
        command: ["/deputy-agent"],
        env,
        image: &config.agent.image,
        lifecycle: &LIFECYCLE,
        name: SIDECAR,
        resources: Some(&options.resources).filter(|r| r.as_object().is_some_and(|r| !r.is_empty())),
        // A native sidecar: starts before the application's containers, ends after them, and lets Jobs complete.
        restart_policy: "Always",
        security_context: security_context(view, config.agent.run_as),
        // The second in place of the token for the Kubernetes API: the agent has no use for that one.
        volume_mounts: [mount(TOKEN_DIR), mount(API_TOKEN_DIR)],
    }
}

fn security_context(view: &PodView<'_>, run_as: RunAs) -> SecurityContext {
    // The group is the image's own then, as it is for every container that OpenShift gives a user of its range.
    let of_namespace = first_of_range(view);
    let configured = match run_as {
        RunAs::Uid(uid) => Some(uid),
        RunAs::Image if view.run_as_user() == Some(0) => Some(IMAGE_UID),
        RunAs::Image => None,
    };
    SecurityContext {
        allow_privilege_escalation: false,
        capabilities: Capabilities { drop: ["ALL"] },
        read_only_root_filesystem: true,
        run_as_group: configured.filter(|_| of_namespace.is_none()),
        run_as_non_root: true,
        run_as_user: of_namespace.or(configured),
        seccomp_profile: SeccompProfile {
            kind: "RuntimeDefault",
        },
    }
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
