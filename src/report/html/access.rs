//! A namespace: its picture, and who gets what as a table.

use super::{
    chains::{GrantChain, NamespacePart},
    map::map,
    markup::Markup,
    sections::word,
};
use crate::report::model::{GrantOutcome, ReportedBinding, ReportedRole, ReportedStatement};

/// So many lines of what a session may do are shown at once; more are a click away.
const SHOWN: usize = 6;

pub fn namespace(name: &str, part: &NamespacePart<'_>, is_open: bool, page: &mut Markup) {
    page.raw("<details class=\"ns\"");
    if is_open {
        page.raw(" open");
    }
    page.raw("><summary><h3>")
        .text(name)
        .raw("</h3><span class=\"soft\">");
    page.text(&counts(part)).raw("</span></summary><div>\n");
    if !part.chains.is_empty() {
        page.raw("<div class=\"scroll\" tabindex=\"0\" role=\"region\"")
            .attribute("aria-label", format_args!("Access map of {name}"))
            .raw(">")
            .add(map(name, part))
            .raw("</div>\n");
        page.raw("<table class=\"cards\"><caption>Who gets what in ")
            .text(name);
        page.raw("</caption>\n<thead><tr><th scope=\"col\">Who</th><th scope=\"col\">By</th><th scope=\"col\">Becomes</th>");
        page.raw("<th scope=\"col\">Within</th><th scope=\"col\">May</th><th scope=\"col\">State</th></tr></thead>\n<tbody>\n");
        for (i, chain) in part.chains.iter().enumerate() {
            row(name, part.first + i, chain, page);
        }
        page.raw("</tbody></table>\n");
    }
    if !part.statements.is_empty() {
        statements(name, &part.statements, page);
    }
    page.raw("</div></details>\n");
}

fn counts(part: &NamespacePart<'_>) -> String {
    let is_given = |chain: &&GrantChain<'_>| match chain {
        GrantChain::Bound(binding, _) => binding.outcome == GrantOutcome::Accepted,
        GrantChain::Unbound(_) => false,
    };
    let bindings = part.chains.iter().filter(|c| matches!(c, GrantChain::Bound(..)));
    let unbound = part.chains.len() - bindings.clone().count();
    let mut said = format!(
        "bindings: {}, giving sessions: {}",
        bindings.count(),
        part.chains.iter().filter(is_given).count()
    );
    if unbound > 0 {
        said.push_str(&format!("; roles without a binding: {unbound}"));
    }
    if !part.statements.is_empty() {
        said.push_str(&format!(
            "; statements of resource policies: {}",
            part.statements.len()
        ));
    }
    said
}

fn row(namespace: &str, number: usize, chain: &GrantChain<'_>, page: &mut Markup) {
    let kinds: Vec<String> = chain.kinds().into_iter().map(word).collect();
    page.raw("<tr")
        .attribute("data-k", kinds.join(" "))
        .attribute("data-n", namespace)
        .attribute("data-c", number)
        .raw("><th class=\"who\" scope=\"row\" data-l=\"Who\">");
    match chain {
        GrantChain::Bound(binding, role) => bound(binding, *role, page),
        GrantChain::Unbound(role) => {
            page.raw("nobody</th><td class=\"by\" data-l=\"By\">no binding</td><td class=\"as\" data-l=\"Becomes\">");
            becomes(
                &format!("{} {}", role.kind, role.name),
                role.account.as_deref(),
                role.role_arn.as_deref(),
                page,
            );
            within(&role.limits, page);
            why(role.outcome, &role.decision, page);
            state(role.outcome, page);
        }
    }
    page.raw("</td></tr>\n");
}

fn bound(binding: &ReportedBinding, role: Option<&ReportedRole>, page: &mut Markup) {
    page.raw("<ul class=\"plain\">");
    for subject in &binding.subjects {
        page.raw("<li>")
            .text(&subject.name)
            .raw("<small>")
            .raw(subject.kind);
        if subject.missing {
            page.raw(", which is not there");
        }
        page.raw("</small></li>");
    }
    page.raw("</ul></th><td class=\"by\" data-l=\"By\">")
        .text(&binding.name)
        .raw("<small>")
        .raw(binding.kind);
    if binding.has_session_policy {
        page.raw(", with a session policy");
    }
    page.raw("</small></td><td class=\"as\" data-l=\"Becomes\">");
    let target = role.map_or_else(
        || binding.target.clone(),
        |role| format!("{} {}", role.kind, role.name),
    );
    becomes(&target, binding.account.as_deref(), binding.arn.as_deref(), page);
    within(&binding.limits, page);
    let line = |may: &crate::asked::MayDo| format!("{} on {}", may.actions, may.resources);
    let lines: Vec<String> = binding.may.iter().map(line).collect();
    let (first, rest) = lines.split_at_checked(SHOWN).unwrap_or((&lines, &[]));
    list(first, page);
    if !rest.is_empty() {
        page.raw("<details class=\"more\"><summary>")
            .shown(rest.len())
            .raw(" more</summary>");
        list(rest, page);
        page.raw("</details>");
    }
    for unknown in &binding.unknown {
        page.raw("<small>not known: ").text(unknown).raw("</small>");
    }
    if lines.is_empty() && binding.unknown.is_empty() || binding.outcome != GrantOutcome::Accepted {
        why(binding.outcome, &binding.decision, page);
    }
    state(binding.outcome, page);
}

fn list(lines: &[String], page: &mut Markup) {
    page.raw("<ul class=\"plain code\">");
    for line in lines {
        page.element("li", line);
    }
    page.raw("</ul>");
}

fn becomes(target: &str, account: Option<&str>, arn: Option<&str>, page: &mut Markup) {
    page.text(target);
    if let Some(account) = account {
        page.raw("<small>in AWSAccount ").text(account).raw("</small>");
    }
    if let Some(arn) = arn {
        page.raw("<small class=\"code\">").text(arn).raw("</small>");
    }
}

fn within(limits: &[String], page: &mut Markup) {
    page.raw("</td><td class=\"in\" data-l=\"Within\">");
    match limits.is_empty() {
        true => page.raw("no limit"),
        false => page.text(&limits.join(", ")),
    };
    page.raw("</td><td data-l=\"May\">");
}

/// Why something gives nothing. Why it is accepted is in the columns before.
fn why(outcome: GrantOutcome, decision: &str, page: &mut Markup) {
    page.raw("nothing");
    if outcome != GrantOutcome::Accepted {
        page.raw("<small>").path(decision).raw("</small>");
    }
}

fn state(outcome: GrantOutcome, page: &mut Markup) {
    page.raw("</td><td class=\"s\" data-l=\"State\"><span class=\"tag ");
    page.raw(outcome.as_str())
        .raw("\">")
        .raw(outcome.as_str())
        .raw("</span>");
}

fn statements(namespace: &str, all: &[&ReportedStatement], page: &mut Markup) {
    page.raw("<table class=\"cards\"><caption>Statements of resource policies in ")
        .text(namespace);
    page.raw("</caption>\n<thead><tr><th scope=\"col\">Statement</th><th scope=\"col\">Resource</th><th scope=\"col\">Whom</th>");
    page.raw("<th scope=\"col\">May</th><th scope=\"col\">State</th></tr></thead>\n<tbody>\n");
    for one in all {
        page.raw("<tr data-k=\"AWSResourcePolicyStatement\"")
            .attribute("data-n", namespace)
            .raw("><th scope=\"row\" data-l=\"Statement\">")
            .text(&one.name)
            .raw("</th><td class=\"code\" data-l=\"Resource\">")
            .text(&one.resource)
            .raw("</td><td data-l=\"Whom\">")
            .text(&one.principals.join(", "))
            .raw("</td><td class=\"code\" data-l=\"May\">")
            .text(&format!("{} on {}", one.actions, one.resources));
        if one.outcome != GrantOutcome::Accepted {
            page.raw("<small>").path(&one.decision).raw("</small>");
        }
        state(one.outcome, page);
        page.raw("</td></tr>\n");
    }
    page.raw("</tbody></table>\n");
}
