//! What a container gets: the variables by which SDKs find the agent.
//!
//! They stand together at the beginning of its environment: the endpoint first, the token's file last, and what depends on
//! them between. Others may then refer to them, and a later pass knows its own by these two.

use deputy_delegation::Region;

use super::{
    delivery::ServedBy,
    ours::{
        AWS_TOKEN_DIR, AWS_TOKEN_VOLUME, DEFAULT_REGION, ENDPOINT, NO_METADATA, PATH, REGION, ROLE, TOKEN,
        TOKEN_DIR, TOKEN_FILE, TOKEN_VOLUME, WEB_IDENTITY, cut, value,
    },
    pod::Container,
    variable::EnvVariable,
};

/// Why a container is left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    /// IRSA's variables, which all SDKs prefer.
    WebIdentity,
    /// Another provider of container credentials, such as EKS Pod Identity.
    Provider(&'static str),
    /// Something else is where the token would be: in this folder.
    Mount(&'static str),
}

impl Own {
    /// What to tell who created the pod.
    pub(super) fn warning(self, container: &str) -> String {
        let container = cut(container);
        match self {
            Self::WebIdentity => format!(
                "deputy: container {container} is left as it is: it sets {ROLE} and {WEB_IDENTITY}, which SDKs use first"
            ),
            Self::Provider(name) => {
                format!("deputy: container {container} is left as it is: it sets {name} itself")
            }
            Self::Mount(folder) => {
                format!(
                    "deputy: container {container} is left as it is: it mounts something else at {folder}"
                )
            }
        }
    }
}

/// The credentials that a container brings along; it then gets none of ours, for half of two providers is no provider. `calls_sts`: its
/// binding gives it a token for AWS, of which the author may have half.
pub(super) fn own(container: &Container<'_>, calls_sts: bool) -> Option<Own> {
    if container.env(ROLE).is_some() && container.env(WEB_IDENTITY).is_some() {
        return Some(Own::WebIdentity);
    }
    let halves: &[&'static str] = if calls_sts {
        &[ENDPOINT, TOKEN, ROLE, WEB_IDENTITY]
    } else {
        &[ENDPOINT, TOKEN]
    };
    if let Some(name) = halves.iter().find(|name| container.env(name).is_some()) {
        return Some(Own::Provider(name));
    }
    let (volume, folder) = if calls_sts {
        (AWS_TOKEN_VOLUME, AWS_TOKEN_DIR)
    } else {
        (TOKEN_VOLUME, TOKEN_DIR)
    };
    container.in_place_of(volume, folder).map(|_| Own::Mount(folder))
}

/// The variables of a container that uses `binding` (`None`: the default one), whose region is `known` or not; and what to tell who created
/// the pod.
pub(super) fn variables<'a>(
    container: &Container<'a>,
    binding: Option<&str>,
    by: ServedBy,
    known: Option<&'a Region>,
    warnings: &mut Vec<String>,
) -> Vec<EnvVariable<'a>> {
    let mut uri = format!("{}{PATH}", by.origin());
    if let Some(binding) = binding {
        uri = format!("{uri}/{binding}");
    }
    let mut all = Vec::with_capacity(5);
    all.push(EnvVariable::text(ENDPOINT, uri));
    let has_region = region(container, known, &mut all, warnings);
    // Without a region of its own, an SDK may have to ask the instance metadata service for it.
    if has_region && container.env(NO_METADATA).is_none() {
        all.push(EnvVariable::text(NO_METADATA, "true"));
    }
    all.push(EnvVariable::text(TOKEN, TOKEN_FILE));
    warn(container, by, warnings);
    all
}

/// Adds the region that a container lacks. Whether it is known to have one in the end.
///
/// A variable of `env` wins over one of `envFrom`, whose names can't be seen here: so beside `envFrom` nothing is added.
pub(super) fn region<'a>(
    container: &Container<'a>,
    known: Option<&'a Region>,
    all: &mut Vec<EnvVariable<'a>>,
    warnings: &mut Vec<String>,
) -> bool {
    let name = || cut(container.name());
    let own = (container.env(REGION), container.env(DEFAULT_REGION));
    if container.has_env_from() {
        if own == (None, None) && known.is_some() {
            warnings.push(format!(
                "deputy: container {} has envFrom, which may bring a region: {REGION} is not set; write it into env if none comes",
                name()
            ));
        }
        return false;
    }
    // boto3 and the command line read only the second, Java and others only the first.
    match own {
        (Some(_), Some(_)) => true,
        (Some(set), None) | (None, Some(set)) => {
            let missing = if own.0.is_some() { DEFAULT_REGION } else { REGION };
            let text = value(set);
            if text == Some("") {
                return false;
            }
            // What it refers to may stand further down.
            if text.is_some_and(|t| t.contains("$(")) {
                warnings.push(format!(
                    "deputy: container {} does not set {missing}, which some SDKs read instead of the region it sets",
                    name()
                ));
            } else {
                all.push(EnvVariable::As {
                    name: missing,
                    other: set,
                });
            }
            true
        }
        (None, None) => match known {
            Some(region) => {
                all.push(EnvVariable::text(REGION, region.as_str()));
                all.push(EnvVariable::text(DEFAULT_REGION, region.as_str()));
                true
            }
            None => false,
        },
    }
}

/// Warns of variables of a container that SDKs use before its binding.
pub(super) fn warn_of_others(container: &Container<'_>, others: &[&str], warnings: &mut Vec<String>) {
    for other in others {
        if container.env(other).is_some() {
            warnings.push(format!(
                "deputy: container {} sets {other}, which SDKs use instead of its binding",
                cut(container.name())
            ));
        }
    }
}

/// What is legal and probably not meant.
fn warn(container: &Container<'_>, by: ServedBy, warnings: &mut Vec<String>) {
    let name = || cut(container.name());
    // RELATIVE_URI wins over FULL_URI in every SDK; static keys and a profile win over both.
    let others = [
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
    ];
    warn_of_others(container, &others, warnings);
    if container
        .env(NO_METADATA)
        .is_some_and(|e| value(e) != Some("true"))
    {
        warnings.push(format!(
            "deputy: container {} sets {NO_METADATA} itself; kept as it is",
            name()
        ));
    }
    let proxy = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"]
        .into_iter()
        .find(|proxy| container.literal(proxy).is_some_and(|v| !v.is_empty()));
    let direct = ["NO_PROXY", "no_proxy"]
        .into_iter()
        .filter_map(|n| container.literal(n))
        .flat_map(|list| list.split(','))
        .any(|part| by.reached_directly_by().contains(&part.trim()));
    let unseen = ["NO_PROXY", "no_proxy"]
        .into_iter()
        .any(|n| container.env(n).is_some() && container.literal(n).is_none());
    if let Some(proxy) = proxy
        && !direct
        && !unseen
    {
        let [address, ..] = by.reached_directly_by();
        warnings.push(format!(
            "deputy: container {} sets {proxy} without {address} in NO_PROXY: some clients would send its token to that proxy",
            name()
        ));
    }
}
