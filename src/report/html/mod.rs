//! The report as one page that needs nothing beside it: no network, no script to be read, and no text that becomes markup.

mod access;
mod chains;
mod map;
mod markup;
mod sections;
#[cfg(test)]
mod tests;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest::{SHA256, digest};

use self::{
    chains::{NamespacePart, by_namespace},
    markup::Markup,
};
use super::model::{AccessReport, FindingWeight};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The most that a page may have: no browser is a help with more.
pub const MAX_PAGE: usize = 256 * 1024 * 1024;

/// The page.
///
/// # Errors
/// When it would be larger than [`MAX_PAGE`].
pub fn page(report: &AccessReport) -> Result<String, String> {
    let parts = by_namespace(report);
    let mut page = Markup::default();
    page.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.raw("<meta http-equiv=\"Content-Security-Policy\"")
        .attribute("content", policy())
        .raw(">\n<meta name=\"referrer\" content=\"no-referrer\">\n");
    page.raw(
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Access report",
    );
    if let Some(cluster) = &report.cluster {
        page.text(&format!(" of {cluster}"));
    }
    page.raw("</title>\n<style>")
        .raw(STYLE)
        .raw("</style>\n</head>\n<body>\n");
    page.raw("<a class=\"skip\" href=\"#findings\">To the findings</a>\n");
    head(report, &mut page);
    page.raw("<main>\n");
    sections::tiles(&report.summary, &mut page);
    filter(report, &parts, &mut page);
    sections::findings(report, &mut page);
    page.raw("<section aria-labelledby=\"access\">\n<h2 id=\"access\">Access by namespace</h2>\n");
    page.raw(
        "<p class=\"soft\">From limits to roles to bindings to whoever becomes them. Red and dashed: nothing is given by it now.</p>\n",
    );
    if parts.is_empty() {
        page.raw("<p class=\"none\">Nothing is granted, and nothing is written that would be.</p>\n");
    }
    let is_open = parts.len() <= OPEN;
    for (namespace, part) in &parts {
        access::namespace(namespace, part, is_open, &mut page);
        if page.len() > MAX_PAGE {
            return Err(format!(
                "the page would have more than {} MiB: report fewer namespaces at a time, or use --format json",
                MAX_PAGE / 1024 / 1024
            ));
        }
    }
    page.raw("</section>\n");
    sections::limits(report, &mut page);
    sections::accounts(report, &mut page);
    sections::not_looked_at(report, &mut page);
    page.raw("</main>\n<footer>").text(&report.by);
    page.raw(" · made from objects and their status; AWS was not asked.</footer>\n<script>");
    page.raw(SCRIPT).raw("</script>\n</body>\n</html>\n");
    Ok(page.into_html())
}

/// With more namespaces each is closed until somebody opens it, or a search finds something in it.
const OPEN: usize = 6;

/// What the page may do: have the one style and the one script that stand in it.
fn policy() -> String {
    let hash = |text: &str| STANDARD.encode(digest(&SHA256, text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

fn head(report: &AccessReport, page: &mut Markup) {
    page.raw("<header>\n<h1>Access report");
    if let Some(cluster) = &report.cluster {
        page.text(&format!(" of {cluster}"));
    }
    page.raw("</h1>\n<p class=\"soft\">Who may become which AWS role, within which limits, as of <time");
    page.attribute("datetime", &report.generated)
        .raw(">")
        .text(&report.generated.replace('T', " ").replace('Z', " UTC"))
        .raw("</time>. Read from ");
    page.text(&report.sources.join(", "))
        .raw(".</p>\n<nav aria-label=\"Sections\"><ul>");
    page.raw(
        "<li><a href=\"#findings\">Findings</a></li><li><a href=\"#access\">Access by namespace</a></li>",
    );
    page.raw("<li><a href=\"#limits\">Limits</a></li><li><a href=\"#accounts\">AWS accounts</a></li>");
    page.raw("<li><a href=\"#beyond\">Not looked at</a></li></ul></nav>\n</header>\n");
}

fn filter(
    report: &AccessReport,
    parts: &std::collections::BTreeMap<&str, NamespacePart<'_>>,
    page: &mut Markup,
) {
    page.raw("<form id=\"filter\" class=\"filter\" role=\"search\" hidden>\n<label class=\"grow\">Search");
    page.raw("<input name=\"text\" type=\"search\" autocomplete=\"off\" placeholder=\"name, action, ARN, words of a finding\"></label>\n");
    let mut select = |name: &'static str, label: &'static str, values: &mut dyn Iterator<Item = String>| {
        page.raw("<label>").raw(label).raw("<select name=\"").raw(name);
        page.raw("\"><option value=\"\">all</option>");
        for value in values {
            page.raw("<option")
                .attribute("value", &value)
                .raw(">")
                .text(&value)
                .raw("</option>");
        }
        page.raw("</select></label>\n");
    };
    select(
        "namespace",
        "Namespace",
        &mut sections::namespaces(report, parts).into_iter(),
    );
    select("kind", "Kind", &mut sections::kinds(report, parts).into_iter());
    let weights = FindingWeight::ALL.iter().map(|weight| weight.as_str().to_owned());
    select("weight", "Findings", &mut weights.into_iter());
    page.raw("<button type=\"reset\">Reset</button>\n<output id=\"count\" aria-live=\"polite\"></output>\n</form>\n");
}
