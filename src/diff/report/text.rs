//! For people: `+` what is newly allowed, `-` what is newly denied, `?` what is not known, `~` what else changes.

use crate::{
    diff::compare::{ChangedRequests, DiffAnswer},
    text::printable,
};

pub fn text(answer: &DiffAnswer) -> String {
    let mut lines = Vec::new();
    if answer.objects.is_empty() {
        lines.push("nothing differs".to_owned());
    }
    for one in &answer.objects {
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
    lines.extend(answer.passed_over());
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
