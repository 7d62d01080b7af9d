//! Summary, findings, limits and accounts: tables that are read without a script.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    chains::{GrantChain, NamespacePart},
    markup::Markup,
};
use crate::report::model::{AccessFinding, AccessReport, CeilingPart, ReportSummary, ReportedLimit};

/// The namespaces that can be chosen.
pub fn namespaces(report: &AccessReport, parts: &BTreeMap<&str, NamespacePart<'_>>) -> BTreeSet<String> {
    let of_findings = report
        .findings
        .iter()
        .filter_map(|finding| finding.namespace.clone());
    of_findings
        .chain(parts.keys().map(|name| (*name).to_owned()))
        .collect()
}

/// The kinds that can be chosen.
pub fn kinds(report: &AccessReport, parts: &BTreeMap<&str, NamespacePart<'_>>) -> BTreeSet<String> {
    let of_findings = report.findings.iter().flat_map(|finding| {
        let objects = std::iter::once(&finding.object).chain(&finding.also);
        objects.map(|object| kind(object))
    });
    let of_chains = parts
        .values()
        .flat_map(|part| part.chains.iter().flat_map(GrantChain::kinds));
    of_findings.chain(of_chains).map(word).collect()
}

/// A kind as one word: those of a row stand side by side.
pub fn word(kind: &str) -> String {
    kind.replace(' ', "-")
}

fn kinds_of(finding: &AccessFinding) -> String {
    let objects = std::iter::once(&finding.object).chain(&finding.also);
    let kinds: BTreeSet<String> = objects.map(|object| word(kind(object))).collect();
    kinds.into_iter().collect::<Vec<_>>().join(" ")
}

fn kind(object: &str) -> &str {
    object.split(' ').next().unwrap_or_default()
}

pub fn tiles(summary: &ReportSummary, page: &mut Markup) {
    page.raw("<section aria-label=\"Summary\">\n<dl class=\"tiles\">\n");
    let mut tile = |start: &'static str, what: &'static str, count: usize| {
        page.raw(start)
            .raw("<dt>")
            .raw(what)
            .raw("</dt><dd>")
            .shown(count)
            .raw("</dd></div>\n");
    };
    let plain = "<div>";
    tile("<div class=\"high\">", "high findings", summary.high);
    tile("<div class=\"medium\">", "medium findings", summary.medium);
    tile("<div class=\"low\">", "low findings", summary.low);
    tile(plain, "namespaces", summary.namespaces);
    tile(plain, "roles", summary.roles);
    tile(plain, "bindings", summary.bindings);
    tile(plain, "give sessions", summary.granting);
    tile(plain, "subjects", summary.subjects);
    tile(plain, "limits", summary.limits);
    page.raw("</dl>\n</section>\n");
}

pub fn findings(report: &AccessReport, page: &mut Markup) {
    page.raw("<section aria-labelledby=\"findings\">\n<h2 id=\"findings\">Findings</h2>\n");
    if report.findings.is_empty() {
        page.raw(
            "<p class=\"none\">There is nothing to say: see below what was not looked at.</p>\n</section>\n",
        );
        return;
    }
    page.raw("<table class=\"cards\"><caption>What somebody should look at, the weightiest first</caption>\n<thead><tr>");
    page.raw("<th scope=\"col\">Weight</th><th scope=\"col\">About</th><th scope=\"col\">Where</th><th scope=\"col\">What</th>");
    page.raw("<th scope=\"col\">What to do</th></tr></thead>\n<tbody>\n");
    let mut of_limits: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for binding in &report.bindings {
        for limit in &binding.limits {
            of_limits.entry(limit).or_default().insert(&binding.namespace);
        }
    }
    for finding in &report.findings {
        let limit = finding.object.strip_prefix("DelegationLimit ");
        let namespaces: Vec<&str> = match (&finding.namespace, limit.and_then(|name| of_limits.get(name))) {
            (Some(namespace), _) => vec![namespace],
            (None, Some(found)) => found.iter().copied().collect(),
            (None, None) => Vec::new(),
        };
        row(finding, &namespaces.join(" "), page);
    }
    page.raw("</tbody></table>\n</section>\n");
}

fn row(finding: &AccessFinding, namespaces: &str, page: &mut Markup) {
    let weight = finding.weight.as_str();
    page.raw("<tr")
        .attribute("data-k", kinds_of(finding))
        .attribute("data-n", namespaces)
        .attribute("data-w", weight)
        .raw("><td class=\"w\"><span class=\"tag ")
        .raw(weight)
        .raw("\">")
        .raw(weight)
        .raw("</span></td><td class=\"t\">")
        .raw(finding.topic.title())
        .raw("<small>")
        .text(&finding.reason)
        .raw("</small></td><th class=\"o\" scope=\"row\" data-l=\"Where\">")
        .text(&finding.object);
    let field = Some(&finding.field).filter(|field| !field.is_empty());
    for part in field.into_iter().chain(&finding.place) {
        page.raw("<small class=\"code\">").path(part).raw("</small>");
    }
    if !finding.also.is_empty() {
        page.raw("<details class=\"more\"><summary>and ")
            .shown(finding.also.len())
            .raw(" more</summary><ul class=\"plain\">");
        for other in &finding.also {
            page.element("li", other);
        }
        page.raw("</ul></details>");
    }
    page.raw("</th><td data-l=\"What\">")
        .path(&finding.message)
        .raw("</td><td class=\"a\" data-l=\"What to do\">")
        .text(&finding.advice)
        .raw("</td></tr>\n");
}

pub fn limits(report: &AccessReport, page: &mut Markup) {
    page.raw("<section aria-labelledby=\"limits\">\n<h2 id=\"limits\">Limits</h2>\n");
    if report.limits.is_empty() {
        page.raw("<p class=\"none\">There is no DelegationLimit, so nothing is granted.</p>\n");
    }
    let mut namespaces: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for role in &report.roles {
        for limit in &role.limits {
            namespaces.entry(limit).or_default().insert(&role.namespace);
        }
    }
    for limit in &report.limits {
        let of = namespaces.get(limit.name.as_str());
        let of: Vec<&str> = of.into_iter().flatten().copied().collect();
        one_limit(limit, &of.join(" "), page);
    }
    page.raw("</section>\n");
}

fn one_limit(limit: &ReportedLimit, namespaces: &str, page: &mut Markup) {
    page.raw("<details class=\"ns\" open><summary><h3>")
        .text(&limit.name);
    page.raw("</h3><span class=\"soft\">")
        .text(&format!(
            "{} in {}; {}, boundary {}; {} roles, {} accepted grants, {} suspended",
            limit.namespaces.join(", "),
            limit.accounts.join(", "),
            limit.enforcement,
            limit.boundary,
            limit.roles,
            limit.accepted,
            limit.suspended
        ))
        .raw("</span></summary><div>\n");
    if let Some(would) = limit.would_refuse {
        page.raw("<p>A dry run: it would refuse ")
            .shown(would)
            .raw(" of them.</p>\n");
    }
    page.raw("<table class=\"cards\"><caption>Its ceiling, and how many accepted grants need each statement</caption>\n<thead><tr>");
    page.raw("<th scope=\"col\">Statement</th><th scope=\"col\">Effect</th><th scope=\"col\">Actions</th>");
    page.raw("<th scope=\"col\">Resources</th><th scope=\"col\">Grants</th></tr></thead>\n<tbody>\n");
    for part in &limit.ceiling {
        ceiling_row(part, namespaces, page);
    }
    // A row like any other: what is searched and filtered for is found.
    if let Some(why) = &limit.unreadable {
        page.raw("<tr data-k=\"DelegationLimit\"")
            .attribute("data-n", namespaces)
            .raw("><th scope=\"row\" data-l=\"Statement\"><span class=\"tag unreadable\">unreadable</span></th><td colspan=\"4\">")
            .text(why)
            .raw("</td></tr>\n");
    }
    page.raw("</tbody></table>\n</div></details>\n");
}

fn ceiling_row(part: &CeilingPart, namespaces: &str, page: &mut Markup) {
    page.raw("<tr data-k=\"DelegationLimit\"")
        .attribute("data-n", namespaces)
        .raw("><th scope=\"row\" data-l=\"Statement\">")
        .shown(part.statement);
    if let Some(sid) = &part.sid {
        page.raw("<small>").text(sid).raw("</small>");
    }
    page.raw("</th><td data-l=\"Effect\">").raw(part.effect);
    if part.has_conditions {
        page.raw("<small>under conditions</small>");
    }
    page.raw("</td><td class=\"code\" data-l=\"Actions\">")
        .text(&part.actions)
        .raw("</td><td class=\"code\" data-l=\"Resources\">")
        .text(&part.resources)
        .raw("</td><td data-l=\"Grants\">");
    match (part.grants, &part.unknown) {
        (Some(0), _) => page.raw("<span class=\"tag low\">unused</span>"),
        (Some(count), _) => page.shown(count),
        (None, Some(why)) => page
            .raw("<span class=\"tag undecided\">not known</span><small>")
            .text(why)
            .raw("</small>"),
        (None, None) => page.raw("–"),
    };
    page.raw("</td></tr>\n");
}

pub fn accounts(report: &AccessReport, page: &mut Markup) {
    page.raw("<section aria-labelledby=\"accounts\">\n<h2 id=\"accounts\">AWS accounts</h2>\n");
    page.raw("<table class=\"cards\"><caption>Where roles are, and who hands out their sessions</caption>\n<thead><tr>");
    page.raw("<th scope=\"col\">AWSAccount</th><th scope=\"col\">Account</th><th scope=\"col\">Region</th>");
    page.raw("<th scope=\"col\">Issuer</th><th scope=\"col\">Limits</th><th scope=\"col\">Roles</th></tr></thead>\n<tbody>\n");
    for account in &report.accounts {
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "can't be read".to_owned());
        page.raw("<tr data-k=\"AWSAccount\" data-n=\"\"><th scope=\"row\" data-l=\"AWSAccount\">")
            .text(&account.name);
        page.raw("</th><td class=\"code\" data-l=\"Account\">")
            .text(&text(&account.account_id));
        page.raw("</td><td data-l=\"Region\">")
            .text(&text(&account.region));
        page.raw("</td><td class=\"code\" data-l=\"Issuer\">")
            .text(&text(&account.issuer));
        page.raw("</td><td data-l=\"Limits\">").shown(account.limits);
        page.raw("</td><td data-l=\"Roles\">").shown(account.roles);
        page.raw("</td></tr>\n");
    }
    page.raw("</tbody></table>\n</section>\n");
}

pub fn not_looked_at(report: &AccessReport, page: &mut Markup) {
    page.raw("<section aria-labelledby=\"beyond\">\n<h2 id=\"beyond\">Not looked at</h2>\n<ul>\n");
    for what in &report.not_looked_at {
        page.element("li", what).raw("\n");
    }
    page.raw("</ul>\n</section>\n");
}
