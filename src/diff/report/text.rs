//! For people: `+` what is newly allowed, `-` what is newly denied, `?` what is not known, `~` what else changes.

use crate::{
    diff::compare::{ChangedRequests, ObjectDifference},
    policy::report::printable,
};

pub fn text(found: &[ObjectDifference]) -> String {
    if found.is_empty() {
        return "nothing differs\n".to_owned();
    }
    let mut lines = Vec::new();
    for one in found {
        lines.push(format!("{} ({})", one.object, one.change.as_str()));
        lines.extend(
            one.newly_allowed
                .iter()
                .map(|requests| line('+', "newly allowed", requests)),
        );
        lines.extend(
            one.newly_denied
                .iter()
                .map(|requests| line('-', "newly denied", requests)),
        );
        lines.extend(one.unknown.iter().map(|reason| format!("  ? unknown: {reason}")));
        lines.extend(one.fields.iter().map(|field| format!("  ~ {field}")));
    }
    let mut out = String::new();
    for line in lines {
        out.push_str(&printable(&line));
        out.push('\n');
    }
    out
}

fn line(sign: char, what: &str, requests: &ChangedRequests) -> String {
    let at = requests
        .at
        .as_ref()
        .map_or_else(String::new, |at| format!(" [{at}]"));
    format!(
        "  {sign} {what}: {}, such as {}{at}",
        requests.class(),
        requests.witness
    )
}
