//! What is added to a pod: the token volume and the sidecar.

use serde_json::{Value, json};

use super::{InjectionConfig, SIDECAR};

pub(super) const TOKEN_VOLUME: &str = "deputy-token";
pub(super) const TOKEN_DIR: &str = "/var/run/secrets/deputy.dev/serviceaccount";
pub(super) const TOKEN_FILE: &str = "/var/run/secrets/deputy.dev/serviceaccount/token";
pub(super) const AUDIENCE: &str = "deputy";
pub(super) const ENDPOINT: &str = "http://127.0.0.1:7419/v1/credentials";
/// The broker's port, which meshes must not redirect: the agent speaks TLS to it by itself.
pub(super) const BROKER_PORT: &str = "7418";
/// A day. A long life carries pods through an outage of the API server, and is safe: the broker checks that the pod lives.
const TOKEN_SECONDS: u32 = 86_400;
/// Ten times what it needs: a leak ends the sidecar, not its neighbours.
const MEMORY_LIMIT: &str = "64Mi";
/// Any uid but root; the same as the image's own, said explicitly because `runAsNonRoot` of the pod may apply to it.
const UID: u32 = 65_532;

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

/// What the pod's annotations ask of the sidecar.
pub(super) struct SidecarOptions<'a> {
    pub(super) bindings: &'a [&'a str],
    pub(super) wait_for: &'a str,
    pub(super) cpu_request: &'a str,
    pub(super) memory_request: &'a str,
}

/// A request above the limit would make the pod invalid.
fn memory_limit(request: &str) -> &str {
    let more = bytes(request)
        .zip(bytes(MEMORY_LIMIT))
        .is_some_and(|(request, limit)| request > limit);
    if more { request } else { MEMORY_LIMIT }
}

/// A quantity of memory in bytes.
fn bytes(quantity: &str) -> Option<f64> {
    let number = quantity.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match quantity.get(number.len()..)? {
        "" => 1.0,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "Ki" => 1024.0,
        "Mi" => 1_048_576.0,
        "Gi" => 1_073_741_824.0,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|n| n * factor)
}

pub(super) fn sidecar(config: &InjectionConfig, options: &SidecarOptions<'_>) -> Value {
    let mut env = vec![
        json!({"name": "DEPUTY_BROKER_URL", "value": config.broker_url}),
        json!({"name": "DEPUTY_BROKER_CA", "value": config.broker_ca}),
        json!({"name": "DEPUTY_BINDINGS", "value": options.bindings.join(",")}),
        json!({"name": "DEPUTY_WAIT_FOR", "value": options.wait_for}),
    ];
    if let Some(address) = &config.broker_address {
        env.insert(1, json!({"name": "DEPUTY_BROKER_ADDRESS", "value": address}));
    }
    json!({
        "name": SIDECAR,
        "image": config.agent_image,
        "command": ["/deputy-agent"],
        // A native sidecar: starts before the application's containers, ends after them, and lets Jobs complete.
        "restartPolicy": "Always",
        "env": env,
        // The listener is on loopback, which the kubelet can't reach: hence exec. Ten minutes, then the container is started again.
        "startupProbe": {"exec": {"command": ["/deputy-agent", "ready"]}, "periodSeconds": 1, "timeoutSeconds": 2, "failureThreshold": 600},
        "resources": {"requests": {"cpu": options.cpu_request, "memory": options.memory_request}, "limits": {"memory": memory_limit(options.memory_request)}},
        "securityContext": {
            "runAsNonRoot": true, "runAsUser": UID, "runAsGroup": UID,
            "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}
        },
        "volumeMounts": [token_mount()],
    })
}
