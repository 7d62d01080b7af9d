//! Lints on effect, principal, actions and resources.

use std::collections::HashMap;

use super::finding::{Lint, allows};
use crate::{
    ast::{
        ActionElement, Effect, PolicyKind, Principal, PrincipalElement, ResourceElement, Statement, Version,
    },
    compiled::CompiledStatement,
    contain::{
        answer::Containment,
        candidate::{Budget, Candidate},
        contains,
    },
    document::{
        Document,
        code::Code,
        principal::{is_provider, missing_parent},
    },
    keys,
    pattern::{
        arn::{ArnPattern, ResourcePattern},
        elements::Language,
        glob::{Pattern, Syntax},
    },
    principal::listed::is_unique_id,
    text::quote,
    work::Work,
};

/// So many position updates are spent on patterns that include each other, for each list.
const WORK: u64 = 2_000_000;

/// So much work is spent on the conditions of each statement.
const CONTRADICTION: Budget = Budget::updates(100_000);

pub(super) fn lint(
    document: &Document,
    statement: &Statement,
    compiled: &CompiledStatement,
    path: &str,
    found: &mut Vec<Lint>,
) {
    let allow = allows(statement.effect);
    if let Some(element) = &statement.principal {
        principals(element, statement, path, found);
    }
    let (name, texts) = match &statement.action {
        ActionElement::Action(texts) => ("Action", texts),
        ActionElement::NotAction(texts) => ("NotAction", texts),
    };
    // A boundary or an organisation's policy that allows all but some things is how such policies are written.
    let caps = matches!(
        document.kind(),
        PolicyKind::Boundary | PolicyKind::ServiceControl | PolicyKind::ResourceControl
    );
    if allow && name == "NotAction" && !caps {
        let message = "it allows every action that is not listed, those of services to come included";
        found.push(Lint::new(
            Code::AllowNotAction,
            format!("{path}.NotAction"),
            message,
        ));
    }
    redundant(texts, &compiled.actions.items, &format!("{path}.{name}"), found);
    let (name, texts) = match &statement.resource {
        Some(ResourceElement::Resource(texts)) => ("Resource", texts.as_slice()),
        Some(ResourceElement::NotResource(texts)) => ("NotResource", texts.as_slice()),
        None => ("Resource", &[][..]),
    };
    let at = format!("{path}.{name}");
    if allow && name == "NotResource" && !caps {
        let message = "it allows every resource that is not listed, those of other accounts included";
        found.push(Lint::new(Code::AllowNotResource, at.as_str(), message));
    }
    let items: &[ResourcePattern] = compiled.resources.as_ref().map_or(&[], |r| r.items.as_slice());
    redundant(texts, items, &at, found);
    for (i, text) in texts.iter().enumerate() {
        variables(document.version(), text, || format!("{at}[{i}]"), found);
        let without_default = |arn: &ArnPattern| arn.variables().any(|v| v.default.is_none());
        if name == "NotResource"
            && items
                .get(i)
                .and_then(ResourcePattern::arn)
                .is_some_and(without_default)
        {
            let message = "when the variable has no value the pattern excludes nothing, says AWS's guide, and engines differ; \
                           give it a default, as in ${aws:username, 'none'}";
            found.push(Lint::new(
                Code::VariableInNotResource,
                format!("{at}[{i}]"),
                message,
            ));
        }
        if items.get(i).is_some_and(ResourcePattern::has_variable_in_head) {
            let message = "AWS's guide says that no variable is expanded before the fifth colon; one of its own policies has \
                           one, and what it means there is not known";
            found.push(Lint::new(Code::VariableInAccount, format!("{at}[{i}]"), message));
        }
    }
    if never_matches(document, statement) {
        let message = "its conditions contradict each other, so no request can match it";
        found.push(Lint::new(
            Code::NeverMatches,
            format!("{path}.Condition"),
            message,
        ));
    }
}

/// AWS may look at the account first, then at the role, and then at the session (IAM User Guide, "NotPrincipal"): who is
/// listed without them may be denied or not.
fn parents(element: &PrincipalElement, path: &str, found: &mut Vec<Lint>) {
    let PrincipalElement::NotPrincipal(Principal::Listed { aws, .. }) = element else {
        return;
    };
    for (i, text) in aws.iter().enumerate() {
        if let Some(parent) = missing_parent(text, aws) {
            let message = format!(
                "{} is listed without {parent}, and AWS may deny it all the same; list both",
                quote(text)
            );
            let at = format!("{path}.NotPrincipal.AWS[{i}]");
            found.push(Lint::new(Code::NotPrincipalWithoutParents, at, message));
        }
    }
}

fn principals(element: &PrincipalElement, statement: &Statement, path: &str, found: &mut Vec<Lint>) {
    parents(element, path, found);
    let (name, principal) = match element {
        PrincipalElement::Principal(principal) => ("Principal", principal),
        PrincipalElement::NotPrincipal(principal) => ("NotPrincipal", principal),
    };
    let at = format!("{path}.{name}");
    let open = allows(statement.effect) && statement.conditions.is_empty() && name == "Principal";
    let Principal::Listed { aws, federated, .. } = principal else {
        if open {
            let message = "it allows everybody, in every account, without a condition";
            found.push(Lint::new(Code::AllowAnyone, at, message));
        }
        return;
    };
    for (i, text) in aws.iter().enumerate().filter(|(_, text)| is_unique_id(text)) {
        let message = format!(
            "{} is the unique id of a user or role: AWS shows it in place of one that was deleted, and takes it for a living \
             one, whose name and account nobody can see; write the ARN",
            quote(text)
        );
        found.push(Lint::new(
            Code::DeletedPrincipal,
            format!("{at}.AWS[{i}]"),
            message,
        ));
    }
    for (i, text) in federated.iter().enumerate() {
        let at = format!("{at}.Federated[{i}]");
        if text == "*" && open {
            let message = "it allows whoever any identity provider knows, without a condition";
            found.push(Lint::new(Code::AllowAnyone, at, message));
        } else if text != "*" && !is_provider(text) {
            let message = format!(
                "{} is neither the ARN of an identity provider nor a host name; it names nobody",
                quote(text)
            );
            found.push(Lint::new(Code::PlaceholderPrincipal, at, message));
        }
    }
}

/// Patterns of a list that another one includes; of two that mean the same, the later one.
fn redundant<P: Language>(texts: &[String], items: &[P], path: &str, found: &mut Vec<Lint>) {
    let mut by_group: HashMap<u64, Vec<usize>> = HashMap::new();
    for (i, item) in items.iter().enumerate() {
        by_group.entry(item.group()).or_default().push(i);
    }
    let mut work = Work::limited(WORK);
    for (i, item) in items.iter().enumerate() {
        let group = item.group();
        let everything = by_group.get(&0).filter(|_| group != 0);
        let near = everything.into_iter().chain(by_group.get(&group)).flatten();
        let mut by = None;
        for j in near.filter(|j| **j != i) {
            let Some(other) = items.get(*j).filter(|_| work.step()) else {
                return;
            };
            if other.includes(item, &mut work) && (*j < i || !item.includes(other, &mut work)) {
                by = Some(*j);
                break;
            }
        }
        if work.exhausted() {
            return;
        }
        if let Some((text, other)) = texts.get(i).zip(by.and_then(|j| texts.get(j))) {
            let message = format!("{} is included in {}", quote(text), quote(other));
            found.push(Lint::new(Code::RedundantPattern, format!("{path}[{i}]"), message));
        }
    }
}

/// Lints on the variables of a text in which wildcards count.
pub(super) fn variables(version: Version, text: &str, path: impl Fn() -> String, found: &mut Vec<Lint>) {
    if !text.contains("${") {
        return;
    }
    if version == Version::V2008 {
        let message = "under Version 2008-10-17 this is text, not a variable";
        found.push(Lint::new(Code::VariableIn2008, path(), message));
        return;
    }
    let Ok(pattern) = Pattern::parse(text, Syntax::pattern(version)) else {
        return;
    };
    for variable in pattern.variables() {
        if keys::value_may_have_wildcards(&variable.key) {
            let message = format!(
                "a value of {} may hold * or ?, and AWS does not say whether they are wildcards then",
                variable.spelled
            );
            found.push(Lint::new(Code::VariableMayHoldWildcards, path(), message));
        }
    }
}

/// Whether the conditions alone contradict each other: a statement for everything under them allows nothing.
fn never_matches(document: &Document, statement: &Statement) -> bool {
    let mut keys: Vec<String> = statement
        .conditions
        .iter()
        .map(|c| c.key.to_lowercase())
        .collect();
    keys.sort_unstable();
    let twice = keys.iter().zip(keys.iter().skip(1)).any(|(a, b)| a == b);
    // A contradiction needs two conditions on one key.
    if !twice || document.version() != Version::V2012 {
        return false;
    }
    let everything = |effect, conditions: &[_]| {
        let statement = Statement {
            sid: None,
            effect,
            principal: None,
            action: ActionElement::Action(vec!["*".to_owned()]),
            resource: Some(ResourceElement::Resource(vec!["*".to_owned()])),
            conditions: conditions.to_vec(),
        };
        Document::new(Version::V2012, vec![statement], PolicyKind::Identity).ok()
    };
    let (Some(under_conditions), Some(nothing)) = (
        everything(Effect::Allow, &statement.conditions),
        everything(Effect::Deny, &[]),
    ) else {
        return false;
    };
    matches!(
        contains(
            &Candidate::new(&[&under_conditions]).budget(CONTRADICTION),
            &nothing
        ),
        Containment::Contained(_)
    )
}
