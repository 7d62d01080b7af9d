//! What the sidecar asks of its node, and may use.
//!
//! It must not change what the pod was before: a Guaranteed pod stays Guaranteed (it may own whole cores), and a pod that
//! says how much it takes as a whole keeps to that.

use serde_json::{Map, Value, json};

use super::{
    json::{Json, JsonFields as _},
    pod::PodView,
    quantity::{InvalidQuantity, Quantity},
};

/// In a Guaranteed pod, where nothing else says how much CPU the sidecar may use: 5 ms of each 100.
const GUARANTEED_CPU: &str = "50m";
/// Likewise memory: ten times what it needs, so that a leak ends the sidecar and not its neighbours.
const GUARANTEED_MEMORY: &str = "64Mi";

/// One resource of the sidecar.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Amounts {
    /// What the scheduler keeps free for it.
    pub request: Option<Quantity>,
    /// What it never gets more of.
    pub limit: Option<Quantity>,
}

/// What the sidecar asks for, and may use.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Resources {
    /// In cores.
    pub cpu: Amounts,
    /// In bytes.
    pub memory: Amounts,
}

/// An annotation, and one resource's name.
struct Kind {
    name: &'static str,
    request: &'static str,
    limit: &'static str,
    guaranteed: &'static str,
}

const CPU: Kind = Kind {
    name: "cpu",
    request: "deputy.dev/agent-cpu-request",
    limit: "deputy.dev/agent-cpu-limit",
    guaranteed: GUARANTEED_CPU,
};
const MEMORY: Kind = Kind {
    name: "memory",
    request: "deputy.dev/agent-memory-request",
    limit: "deputy.dev/agent-memory-limit",
    guaranteed: GUARANTEED_MEMORY,
};

/// The annotations that say it for one pod.
pub(super) const ANNOTATIONS: [&str; 4] = [CPU.request, CPU.limit, MEMORY.request, MEMORY.limit];

/// The sidecar's `resources`, an empty map where it has none of its own.
pub(super) fn of(view: &PodView<'_>, defaults: &Resources) -> Result<Value, String> {
    let (as_a_whole, guaranteed) = (pod_level(view), is_guaranteed(view));
    let (mut requests, mut limits) = (Map::new(), Map::new());
    for (kind, default) in [(&CPU, &defaults.cpu), (&MEMORY, &defaults.memory)] {
        let asked = Amounts {
            request: annotated(view, kind.request)?,
            limit: annotated(view, kind.limit)?,
        };
        let amounts = if guaranteed && !as_a_whole {
            guarantee(kind, asked, default)?
        } else {
            // In a pod with resources as a whole the containers share those; what the sidecar took for itself would
            // have to fit beside what the others take.
            settle(
                kind,
                asked,
                if as_a_whole {
                    &Amounts {
                        request: None,
                        limit: None,
                    }
                } else {
                    default
                },
            )?
        };
        if let Some(request) = amounts.request {
            requests.insert(kind.name.to_owned(), json!(request.to_string()));
        }
        if let Some(limit) = amounts.limit {
            limits.insert(kind.name.to_owned(), json!(limit.to_string()));
        }
    }
    let mut all = Map::new();
    for (key, map) in [("requests", requests), ("limits", limits)] {
        if !map.is_empty() {
            all.insert(key.to_owned(), map.into());
        }
    }
    Ok(all.into())
}

fn annotated(view: &PodView<'_>, key: &str) -> Result<Option<Quantity>, String> {
    view.annotation(key)
        .map(str::parse)
        .transpose()
        .map_err(|error: InvalidQuantity| format!("annotation {key}: {error}"))
}

/// What is asked for, else the default. A default gives way to what is asked for: a request above its limit would make the
/// pod invalid.
fn settle(kind: &Kind, asked: Amounts, default: &Amounts) -> Result<Amounts, String> {
    let limit_is_asked = asked.limit.is_some();
    let both_are_asked = asked.request.is_some() && limit_is_asked;
    let request = asked.request.or_else(|| default.request.clone());
    let limit = asked.limit.or_else(|| default.limit.clone());
    Ok(match (request, limit) {
        (Some(request), Some(limit)) if request > limit => {
            if both_are_asked {
                return Err(format!(
                    "annotation {}: {request} is more than {limit}, the limit in annotation {}",
                    kind.request, kind.limit
                ));
            }
            let one = if limit_is_asked { limit } else { request };
            Amounts {
                request: Some(one.clone()),
                limit: Some(one),
            }
        }
        (request, limit) => Amounts { request, limit },
    })
}

/// Request and limit the same. Who asks for two different ones has said that the pod need not be Guaranteed.
fn guarantee(kind: &Kind, asked: Amounts, default: &Amounts) -> Result<Amounts, String> {
    if asked.request.is_some() && asked.limit.is_some() {
        return settle(kind, asked, default);
    }
    let one = asked.limit.or(asked.request).or_else(|| default.limit.clone());
    let one = match one {
        Some(one) => one,
        None => kind
            .guaranteed
            .parse()
            .map_err(|error: InvalidQuantity| error.to_string())?,
    };
    Ok(Amounts {
        request: Some(one.clone()),
        limit: Some(one),
    })
}

/// The pod says what it takes as a whole (`spec.resources`).
fn pod_level(view: &PodView<'_>) -> bool {
    let Some(resources) = view.spec("resources") else {
        return false;
    };
    let given = |key: &str| {
        resources
            .at(key)
            .and_then(Json::as_object)
            .is_some_and(|m| !m.is_empty())
    };
    given("requests") || given("limits")
}

/// Every container has limits of CPU and memory, and requests no less: the pod's class is Guaranteed.
/// <https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/>
fn is_guaranteed(view: &PodView<'_>) -> bool {
    let mut any = false;
    for container in view.containers() {
        any = true;
        for name in [CPU.name, MEMORY.name] {
            let amount = |key: &str| {
                container
                    .resource(key, name)
                    .and_then(|q| q.parse::<Quantity>().ok())
            };
            let Some(limit) = amount("limits") else {
                return false;
            };
            // Where a request is not given it is the limit.
            if container.resource("requests", name).is_some()
                && !amount("requests").is_some_and(|request| request.same(&limit))
            {
                return false;
            }
        }
    }
    any
}
