//! What the status of a pod says of what does not run, and why.

use deputy_admission::inject::SIDECAR;
use serde_json::Value;

use super::{about::fact, fact::ExplainedFact};

/// The containers that wait or have failed; of the sidecar also why it ended before.
pub fn facts(pod: &Value) -> Vec<ExplainedFact> {
    let mut facts = Vec::new();
    if let Some(reason) = pod.pointer("/status/reason").and_then(Value::as_str) {
        let message = pod.pointer("/status/message").and_then(Value::as_str);
        facts.push(fact(
            "not ready",
            format!("the pod: {reason}: {}", message.unwrap_or_default()),
        ));
    }
    for list in ["initContainerStatuses", "containerStatuses"] {
        let statuses = pod.get("status").and_then(|status| status.get(list)?.as_array());
        for status in statuses.into_iter().flatten() {
            let name = text(status, "/name");
            for state in ["waiting", "terminated"] {
                let ended = text(status, &format!("/state/{state}/reason"));
                if ended.is_empty() || ended == "Completed" {
                    continue;
                }
                let message = text(status, &format!("/state/{state}/message"));
                facts.push(fact("not ready", said(name, ended, message)));
            }
            let before = text(status, "/lastState/terminated/message");
            if name == SIDECAR && !before.is_empty() {
                let reason = text(status, "/lastState/terminated/reason");
                facts.push(fact("ended before", said(name, reason, before)));
            }
        }
    }
    facts
}

fn said(container: &str, reason: &str, message: &str) -> String {
    match message.trim() {
        "" => format!("container {container}: {reason}"),
        message => format!("container {container}: {reason}: {message}"),
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
