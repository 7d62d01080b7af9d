//! A comment for a pull request. It begins with a mark by which a later run finds and replaces it.

use crate::diff::compare::{ChangedRequests, DiffAnswer};

const MARK: &str = "<!-- deputy diff -->";

pub fn markdown(answer: &DiffAnswer) -> String {
    let mut out = format!("{MARK}\n### What this change allows and denies\n");
    if answer.objects.is_empty() {
        out.push_str("\nNothing: every object allows the same as before.\n");
    }
    for one in &answer.objects {
        out.push_str(&format!(
            "\n**{}** ({})\n\n",
            code(&one.object),
            one.change.as_str()
        ));
        rows(&mut out, "🟢 newly allowed", &one.newly_allowed);
        rows(&mut out, "🔴 newly denied", &one.newly_denied);
        for reason in &one.unknown {
            out.push_str(&format!("- ❓ unknown: {}\n", escaped(reason)));
        }
        for field in &one.fields {
            out.push_str(&format!("- {}\n", escaped(&field.to_string())));
        }
    }
    if let Some(passed_over) = answer.passed_over() {
        out.push_str(&format!("\n{passed_over}.\n"));
    }
    out
}

fn rows(out: &mut String, what: &str, classes: &[ChangedRequests]) {
    for requests in classes {
        let at = requests
            .at
            .as_ref()
            .map_or_else(String::new, |at| format!(" ({})", code(at)));
        let (class, witness) = (code(&requests.class()), code(&requests.witness));
        out.push_str(&format!("- {what}: {class}, such as {witness}{at}\n"));
    }
}

/// As code, whatever it has in it.
fn code(text: &str) -> String {
    let text = text.replace(['\n', '\r'], " ");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let space = if longest > 0 { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

/// As text, whatever it has in it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '@' | '#' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_policy_says_stays_text() {
        assert_eq!(code("a`b``c"), "``` a`b``c ```");
        assert_eq!(code("s3:*"), "`s3:*`");
        assert_eq!(escaped("<b>*@team*"), "&lt;b>\\*\\@team\\*");
    }
}
