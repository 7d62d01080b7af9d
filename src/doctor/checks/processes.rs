//! Whether the processes run, and which versions of them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::doctor::{
    finding::{CheckOutcome, DoctorFinding, FindingSeverity},
    look::{list, of_object, text, where_it_is},
    snapshot::{DoctorSnapshot, PROCESSES},
};

/// So many images are named.
const SHOWN: usize = 8;

pub fn check(snapshot: &DoctorSnapshot) -> CheckOutcome {
    let mut found = Vec::new();
    for process in PROCESSES {
        let name = format!("deputy-{process}");
        let fix = where_it_is(snapshot);
        found.extend(of_object(snapshot, "Deployment", &name, &fix, |object| {
            of_deployment(process, object)
        }));
    }
    found.extend(remembered(snapshot));
    CheckOutcome::Looked(found)
}

fn of_deployment(process: &str, object: &Value) -> Vec<DoctorFinding> {
    let title = format!("Deployment deputy-{process}");
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64);
    let wanted = number("/spec/replicas").unwrap_or(1);
    let ready = number("/status/readyReplicas").unwrap_or(0);
    let fix = format!("see `kubectl describe deployment deputy-{process}`, its pods and what they log");
    if wanted == 0 {
        return vec![DoctorFinding::error(
            &title,
            "it is scaled to 0 pods",
            "scale it up: nobody does its work meanwhile",
        )];
    }
    let mut found = Vec::new();
    let (generation, observed) = (
        number("/metadata/generation"),
        number("/status/observedGeneration"),
    );
    if observed < generation {
        let of = observed.map_or_else(|| "none".to_owned(), |observed| observed.to_string());
        let at = generation.unwrap_or_default();
        found.push(DoctorFinding::of(
            FindingSeverity::Unknown,
            &title,
            format!("its status is of generation {of}, and it is at {at}: its pods are not known"),
            "wait a minute; if it stays, see whether the cluster's controller of Deployments runs",
        ));
    }
    if ready == 0 {
        found.push(DoctorFinding::error(
            &title,
            format!("none of its {wanted} pods is ready"),
            fix.clone(),
        ));
    } else if ready < wanted {
        found.push(DoctorFinding::warning(
            &title,
            format!("{ready} of its {wanted} pods are ready"),
            fix.clone(),
        ));
    }
    if ready > 0 {
        found.extend(of_rollout(&title, object, wanted, &fix));
    }
    found.extend(of_conditions(&title, object, &fix));
    found
}

/// Whether its newest version is the one that runs, as `kubectl rollout status` would have it.
fn of_rollout(title: &str, object: &Value, wanted: i64, fix: &str) -> Option<DoctorFinding> {
    let number = |field: &str| {
        let value = object.pointer(&format!("/status/{field}"));
        value.and_then(Value::as_i64).unwrap_or(0)
    };
    let updated = number("updatedReplicas");
    let older = number("replicas") - updated;
    let unavailable = number("unavailableReplicas");
    let message = if updated < wanted {
        format!("{updated} of its {wanted} pods are of its newest version")
    } else if older > 0 {
        format!("{older} of its pods are of an older version, which is not replaced yet")
    } else if unavailable > 0 && number("readyReplicas") >= wanted {
        format!("{unavailable} of its pods are not available")
    } else {
        return None;
    };
    Some(DoctorFinding::warning(title, message, fix))
}

/// What the controller of Deployments says does not get on.
fn of_conditions(title: &str, object: &Value, fix: &str) -> Vec<DoctorFinding> {
    let mut found = Vec::new();
    for one in list(object, "/status/conditions") {
        let what = match (text(one, "/type"), text(one, "/status")) {
            ("Progressing", "False") => "its newest version does not get to run",
            ("ReplicaFailure", "True") => "its pods can't be made",
            _ => continue,
        };
        found.push(DoctorFinding::error(
            title,
            format!("{what} ({}): {}", text(one, "/reason"), text(one, "/message")),
            fix,
        ));
    }
    if object.pointer("/spec/paused") == Some(&Value::Bool(true)) {
        found.push(DoctorFinding::warning(
            title,
            "it is paused: no further version gets to run",
            "see `kubectl rollout resume deployment`",
        ));
    }
    found
}

/// The name of the cluster.
fn remembered(snapshot: &DoctorSnapshot) -> Vec<DoctorFinding> {
    let fix = "run helm upgrade: the chart has it, and deputy controller fills it";
    of_object(
        snapshot,
        "ConfigMap",
        "deputy-cluster",
        fix,
        |object| match text(object, "/data/clusterName") {
            "" => vec![DoctorFinding::error(
                "ConfigMap deputy-cluster",
                "the name of this cluster is not remembered: nothing is written to AWS",
                "see what deputy controller logs: it writes the name",
            )],
            _ => Vec::new(),
        },
    )
}

/// The container of a process.
fn container<'v>(deployment: &'v Value, process: &str) -> Option<&'v Value> {
    let containers = list(deployment, "/spec/template/spec/containers");
    containers.iter().find(|one| text(one, "/name") == process)
}

/// One version of all, by their templates: whether their pods are of these, `check` says.
pub fn versions(snapshot: &DoctorSnapshot) -> CheckOutcome {
    let mut found = Vec::new();
    let mut images: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for process in PROCESSES {
        let name = format!("deputy-{process}");
        match snapshot.object("Deployment", &name) {
            Err(why) => found.push(DoctorFinding::unknown(&format!("Deployment {name}"), why)),
            // That it is missing is said by another check; which version it is of can't be.
            Ok(None) => found.push(DoctorFinding::absent(
                &format!("Deployment {name}"),
                "it is not there, and so it has no version",
                where_it_is(snapshot),
            )),
            Ok(Some(object)) => {
                let image = container(object, process).map(|own| text(own, "/image"));
                images.entry(image.unwrap_or_default()).or_default().push(process);
            }
        }
    }
    if images.len() > 1 {
        let told: Vec<String> = images
            .iter()
            .map(|(image, processes)| format!("{image} ({})", processes.join(", ")))
            .collect();
        found.push(DoctorFinding::error(
            "Deployments",
            format!("they have different images: {}", told.join("; ")),
            "run helm upgrade: one release has one image",
        ));
    }
    CheckOutcome::Looked(found)
}

/// The agents in pods, beside the one that pods get today.
pub fn sidecars(snapshot: &DoctorSnapshot) -> CheckOutcome {
    let object = "sidecars";
    let unknown = |why: &str| CheckOutcome::Looked(vec![DoctorFinding::unknown(object, why)]);
    let webhook = match snapshot.object("Deployment", "deputy-webhook") {
        Err(why) => return unknown(why),
        Ok(None) => {
            return CheckOutcome::Looked(vec![DoctorFinding::absent(
                object,
                "there is no Deployment deputy-webhook, which says what pods get",
                where_it_is(snapshot),
            )]);
        }
        Ok(Some(webhook)) => webhook,
    };
    let env = container(webhook, "webhook").map_or(&[][..], |own| list(own, "/env"));
    let today = env.iter().find(|one| text(one, "/name") == "DEPUTY_AGENT_IMAGE");
    let Some(today) = today.map(|today| text(today, "/value")) else {
        return unknown("the Deployment deputy-webhook does not say what pods get");
    };
    let agents = match &snapshot.agents {
        Err(why) => return unknown(why),
        Ok(agents) => agents,
    };
    let mut found = Vec::new();
    let older: Vec<(&String, &usize)> = agents
        .images
        .iter()
        .filter(|(image, _)| !is_same(today, image))
        .collect();
    if !older.is_empty() {
        let count: usize = older.iter().map(|(_, count)| **count).sum();
        let images: Vec<&str> = older
            .iter()
            .map(|(image, _)| image.as_str())
            .take(SHOWN)
            .collect();
        found.push(DoctorFinding::warning(
            object,
            format!(
                "{count} pods have the agent from another image than {today}: {}",
                images.join(", ")
            ),
            "restart those pods when it suits: the broker serves every released agent",
        ));
    }
    if !agents.is_whole {
        found.push(DoctorFinding::unknown(
            object,
            "there are more pods than are looked at",
        ));
    }
    CheckOutcome::Looked(found)
}

/// Mirrors give images another host and path: what stands at the end is the image.
fn is_same(a: &str, b: &str) -> bool {
    let end = |image: &str| image.rsplit('/').next().unwrap_or(image).to_owned();
    end(a) == end(b)
}
