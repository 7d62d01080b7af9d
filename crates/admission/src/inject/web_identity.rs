//! A container whose binding has the method AssumeRoleWithWebIdentity: the SDK in it calls STS itself. It gets what the webhook of EKS
//! gives for IAM roles for service accounts, at the same places, and no sidecar.
//! <https://docs.aws.amazon.com/eks/latest/userguide/pod-configuration.html>

use deputy_delegation::web_identity::WebIdentity;
use serde_json::{Value, json};

use super::{
    credentials::{self, Own},
    options::binding_named,
    ours::{AWS_TOKEN_DIR, AWS_TOKEN_FILE, AWS_TOKEN_VOLUME, REGIONAL_STS, ROLE, WEB_IDENTITY, cut},
    pod::{Container, PodView},
    variable::EnvVariable,
};

/// The life of the token for AWS, in seconds: the default of the EKS webhook. The kubelet makes a new one in time.
const TOKEN_SECONDS: u32 = 86_400;

/// What a container gets.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Gets {
    /// The way to the agent.
    Agent,
    /// What it needs to call STS itself.
    WebIdentity(WebIdentity),
    /// Nothing: it brings a provider of its own.
    Nothing(Own),
}

impl Gets {
    /// The provider that it brings.
    pub(super) fn own(&self) -> Option<Own> {
        match self {
            Self::Nothing(own) => Some(*own),
            Self::Agent | Self::WebIdentity(_) => None,
        }
    }
}

/// What a container gets, by the method of its binding and by what it brings.
pub(super) fn gets(view: &PodView<'_>, container: &Container<'_>) -> Gets {
    let told = (view.facts.web_identity)(binding_named(view, container.name()));
    match (credentials::own(container, told.is_some()), told) {
        (Some(own), _) => Gets::Nothing(own),
        (None, Some(told)) => Gets::WebIdentity(told),
        (None, None) => Gets::Agent,
    }
}

/// Whether every container calls STS itself: then nothing is served on the loopback of the pod.
pub(super) fn serves_all(view: &PodView<'_>) -> bool {
    let mut containers = view.containers();
    containers.all(|c| (view.facts.web_identity)(binding_named(view, c.name())).is_some())
}

/// The one audience of all tokens for AWS in a pod; `None` when no container has one.
pub(super) fn audience(gets: &[Gets]) -> Result<Option<&str>, String> {
    let mut all = gets.iter().filter_map(|gets| match gets {
        Gets::WebIdentity(told) => Some(told.audience.as_str()),
        Gets::Agent | Gets::Nothing(_) => None,
    });
    let Some(first) = all.next() else {
        return Ok(None);
    };
    match all.find(|other| *other != first) {
        None => Ok(Some(first)),
        Some(other) => Err(format!(
            "the pod's containers use bindings of accounts whose spec.oidc.audience differ ({:?} and {:?}), and a pod has one token for AWS",
            cut(first),
            cut(other)
        )),
    }
}

/// The variables of a container, in order: the role first, the token's file last, as a later pass knows its own by these two. What a
/// container sets itself of the others stays.
pub(super) fn variables<'a>(
    container: &Container<'a>,
    told: &'a WebIdentity,
    warnings: &mut Vec<String>,
) -> Vec<EnvVariable<'a>> {
    let mut all = vec![EnvVariable::text(ROLE, told.role.to_string())];
    let has_region = credentials::region(container, Some(&told.region), &mut all, warnings);
    // Without a region an SDK has no regional endpoint to call.
    if has_region && container.env(REGIONAL_STS).is_none() {
        all.push(EnvVariable::text(REGIONAL_STS, "regional"));
    }
    all.push(EnvVariable::text(WEB_IDENTITY, AWS_TOKEN_FILE));
    // <https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>: keys come first; a profile may bring its own.
    let others = ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"];
    credentials::warn_of_others(container, &others, warnings);
    all
}

/// The volume with the token for AWS.
pub(super) fn token_volume(audience: &str) -> Value {
    json!({
        "name": AWS_TOKEN_VOLUME,
        "projected": {"sources": [
            {"serviceAccountToken": {"audience": audience, "expirationSeconds": TOKEN_SECONDS, "path": "token"}}
        ]}
    })
}

/// Where it is mounted.
pub(super) fn token_mount() -> Value {
    json!({"name": AWS_TOKEN_VOLUME, "mountPath": AWS_TOKEN_DIR, "readOnly": true})
}
