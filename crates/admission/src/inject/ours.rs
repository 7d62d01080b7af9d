//! What is Deputy's in a pod: its names, and how a later pass knows it again.

use super::json::{Json, JsonFields as _};

/// The annotation by which a ServiceAccount has an IAM role from the webhook of EKS.
pub(super) const IRSA_ANNOTATION: &str = "eks.amazonaws.com/role-arn";
/// The label that asks for injection, or forbids it: `enabled` or `disabled`.
pub const INJECT_LABEL: &str = "deputy.dev/inject";
/// The annotation of a pod or namespace that says how credentials reach its pods: `Sidecar` or `Node`.
pub const DELIVERY_ANNOTATION: &str = "deputy.dev/delivery";
/// The annotation with which the webhook says what it did: `v1`, `node`, `web-identity`, or `skipped: <why>`. What else it writes begins
/// with it.
pub const INJECTED_ANNOTATION: &str = "deputy.dev/injected";
/// The sidecar's name; reserved in injected pods.
pub const SIDECAR: &str = "deputy-agent";
pub(crate) const TOKEN_VOLUME: &str = "deputy-token";
/// The volume with the token for AWS. Its name and place are those of the EKS webhook, which other tools know.
pub(crate) const AWS_TOKEN_VOLUME: &str = "aws-iam-token";
pub(super) const AWS_TOKEN_DIR: &str = "/var/run/secrets/eks.amazonaws.com/serviceaccount";
pub(super) const AWS_TOKEN_FILE: &str = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token";
pub(super) const TOKEN_DIR: &str = "/var/run/secrets/deputy.dev/serviceaccount";
pub(super) const TOKEN_FILE: &str = "/var/run/secrets/deputy.dev/serviceaccount/token";
pub(super) const AUDIENCE: &str = "deputy";
/// The broker's port, which meshes must not redirect: one that nobody else uses, so that nobody else is exempted.
pub(super) const BROKER_PORT: &str = "7418";
/// A variable that every sidecar of every release has, by which it is known.
pub(super) const BROKER_URL: &str = "DEPUTY_BROKER_URL";

pub(super) const ENDPOINT: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
pub(super) const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
pub(super) const ROLE: &str = "AWS_ROLE_ARN";
pub(super) const WEB_IDENTITY: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
pub(super) const REGIONAL_STS: &str = "AWS_STS_REGIONAL_ENDPOINTS";
pub(super) const REGION: &str = "AWS_REGION";
pub(super) const DEFAULT_REGION: &str = "AWS_DEFAULT_REGION";
pub(super) const NO_METADATA: &str = "AWS_EC2_METADATA_DISABLED";

/// A sidecar's address but for the port.
const SIDECAR_ORIGIN: &str = "http://127.0.0.1:";
/// The same of the agents on nodes, by IPv4 and IPv6.
const NODE_ORIGINS: [&str; 2] = ["http://169.254.170.23:", "http://[fd00:ec2::23]:"];
pub(super) const PATH: &str = "/v1/credentials";

/// Whether an init container is a sidecar of ours, of any release.
pub(super) fn is_our_sidecar(container: &Json<'_>) -> bool {
    let env = container.at("env").and_then(Json::as_array);
    name(container) == SIDECAR && env.into_iter().flatten().any(|e| name(e) == BROKER_URL)
}

/// Whether a volume is that of the token.
pub(super) fn is_our_volume(volume: &Json<'_>) -> bool {
    is_named_as_ours(volume)
        && volume
            .at("projected")
            .and_then(|projected| projected.at("sources")?.as_array()?.first())
            .and_then(|source| source.at("serviceAccountToken")?.text_at("audience"))
            == Some(AUDIENCE)
}

/// What the ARN of every role that Deputy makes has in it.
const DEPUTYS_ROLES: &str = ":role/deputy/";

/// Whether a volume bears the name of the token's.
pub(super) fn is_named_as_ours(volume: &Json<'_>) -> bool {
    name(volume) == TOKEN_VOLUME
}

/// Which entries of an environment are ours, by which SDKs find the agent.
pub(super) fn our_variables(env: &[Json<'_>]) -> Vec<usize> {
    let first = |e: &Json<'_>| name(e) == ENDPOINT && value(e).is_some_and(is_our_endpoint);
    let last = |e: &Json<'_>| name(e) == TOKEN && value(e) == Some(TOKEN_FILE);
    between_ends(env, first, last, &[REGION, DEFAULT_REGION, NO_METADATA])
}

/// Which entries are ours, by which SDKs call STS themselves.
pub(super) fn our_web_identity(env: &[Json<'_>]) -> Vec<usize> {
    let first = |e: &Json<'_>| name(e) == ROLE && value(e).is_some_and(|arn| arn.contains(DEPUTYS_ROLES));
    let last = |e: &Json<'_>| name(e) == WEB_IDENTITY && value(e) == Some(AWS_TOKEN_FILE);
    between_ends(env, first, last, &[REGIONAL_STS, REGION, DEFAULT_REGION])
}

/// The entries from `first` to `last`. Where both ends are there but not what belongs between them, somebody has sorted the
/// variables: then only the ends are certain.
fn between_ends(
    env: &[Json<'_>],
    first: impl Fn(&Json<'_>) -> bool,
    last: impl Fn(&Json<'_>) -> bool,
    inner: &[&str],
) -> Vec<usize> {
    let (Some(first), Some(last)) = (env.iter().position(first), env.iter().position(last)) else {
        return Vec::new();
    };
    let between = |i: usize| env.get(i).is_some_and(|e| inner.contains(&name(e)));
    if first < last && (first + 1..last).all(between) {
        (first..=last).collect()
    } else {
        vec![first.min(last), first.max(last)]
    }
}

/// Whether what a container has under this name may matter: everything of AWS's SDKs, and proxies.
pub(super) fn is_asked_about(variable: &str) -> bool {
    const PROXIES: [&str; 3] = ["HTTP_PROXY", "ALL_PROXY", "NO_PROXY"];
    variable.starts_with("AWS_") || PROXIES.iter().any(|proxy| variable.eq_ignore_ascii_case(proxy))
}

pub(super) fn name<'v>(entry: &'v Json<'_>) -> &'v str {
    entry.text_at("name").unwrap_or_default()
}

pub(super) fn value<'v>(entry: &'v Json<'_>) -> Option<&'v str> {
    entry.text_at("value")
}

pub(super) fn is_our_endpoint(value: &str) -> bool {
    port_after(SIDECAR_ORIGIN, value).is_some() || node_port(value).is_some()
}

/// The port of an agent on a node, when `value` is the URL of one of Deputy's. That of EKS names no port.
pub(super) fn node_port(value: &str) -> Option<u16> {
    NODE_ORIGINS.iter().find_map(|origin| port_after(origin, value))
}

/// The port in an URL that begins with `origin` and goes on as the agent's do.
fn port_after(origin: &str, value: &str) -> Option<u16> {
    let (port, path) = value.strip_prefix(origin)?.split_once('/')?;
    let port = port.parse().ok()?;
    (path == "v1/credentials" || path.starts_with("v1/credentials/")).then_some(port)
}

/// Enough of a name or value to know it by.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}
