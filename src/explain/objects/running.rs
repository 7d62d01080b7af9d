//! What the status of a pod says of what does not run, and why.

use deputy_admission::inject::SIDECAR;
use serde_json::Value;

use super::{about::fact, fact::ExplainedFact};
use crate::objects::conditions;

/// The containers that wait or have failed; of the sidecar also why it ended before.
pub fn facts(pod: &Value) -> Vec<ExplainedFact> {
    let mut facts = of_pod(pod);
    for list in ["initContainerStatuses", "containerStatuses"] {
        let statuses = pod.get("status").and_then(|status| status.get(list)?.as_array());
        for status in statuses.into_iter().flatten() {
            let name = text(status, "/name");
            let container = format!("container {name}");
            for state in ["waiting", "terminated"] {
                let ended = text(status, &format!("/state/{state}/reason"));
                if ended.is_empty() || ended == "Completed" {
                    continue;
                }
                // Of what has ended it is the application's own words, or the end of its log: secrets may be in it.
                let message = match state == "terminated" && name != SIDECAR {
                    true => "",
                    false => text(status, &format!("/state/{state}/message")),
                };
                facts.push(fact("not ready", said(&container, ended, message)));
            }
            let before = text(status, "/lastState/terminated/message");
            if name == SIDECAR && !before.is_empty() {
                let reason = text(status, "/lastState/terminated/reason");
                facts.push(fact("ended before", said(&container, reason, before)));
            }
        }
    }
    if facts.is_empty() {
        let phase = text(pod, "/status/phase");
        let is_off = matches!(phase, "Pending" | "Failed" | "Unknown");
        facts.extend(is_off.then(|| fact("not ready", said("the pod", phase, "its status says no reason"))));
    }
    facts
}

/// Of the pod as a whole: that it is on no node, or why it was ended.
fn of_pod(pod: &Value) -> Vec<ExplainedFact> {
    let unscheduled = conditions(pod).filter(|one| one.of == "PodScheduled" && one.status == "False");
    unscheduled
        .map(|one| (one.reason, one.message))
        .chain(
            pod.get("status")
                .map(|status| (text(status, "/reason"), text(status, "/message"))),
        )
        .filter(|(reason, _)| !reason.is_empty())
        .map(|(reason, message)| fact("not ready", said("the pod", reason, message)))
        .collect()
}

fn said(what: &str, reason: &str, message: &str) -> String {
    match message.trim() {
        "" => format!("{what}: {reason}"),
        message => format!("{what}: {reason}: {message}"),
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
