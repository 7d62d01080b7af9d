//! Policy variables whose value a tenant may choose.
//!
//! A ceiling with `${aws:PrincipalTag/team}` limits nobody who can set the tag. Tags of the session's principal that begin
//! with `deputy-` come from Deputy alone; what stands in some of them comes from the tenant all the same.

use std::fmt;

use crate::{
    ast::{ResourceElement, Version},
    document::Document,
    pattern::glob::{GlobToken, Pattern, Syntax},
};

/// Tags of Deputy that say where a session belongs. Neither Kubernetes nor Deputy lets a tenant choose their values, so each
/// may stand alone.
pub const TAGS_OF_DEPUTY: &[&str] = &["deputy-cluster", NAMESPACE, "deputy-pod-uid", "deputy-uid"];

/// Tags of Deputy whose values a tenant chooses within a namespace: names of objects. Another namespace may have the same.
pub const TAGS_WITHIN_NAMESPACE: &[&str] = &["deputy-name", "deputy-service-account"];

const NAMESPACE: &str = "deputy-namespace";

/// A policy variable whose value a tenant may choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagVariable {
    /// The context key as spelled, such as `aws:PrincipalTag/team`.
    pub key: String,
    /// The tag's name, such as `team`.
    pub tag: String,
    /// Where, such as `Statement[0].Resource[0]`.
    pub path: String,
    /// Whether it is a tag of Deputy that would be fine beside the namespace.
    pub needs_namespace: bool,
}

impl fmt::Display for TagVariable {
    /// A sentence for people, without the path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.needs_namespace {
            return write!(
                f,
                "${{{}}} is a name that the tenant chooses, and another namespace may have the same; write \
                 ${{aws:PrincipalTag/{NAMESPACE}}} into the same value, with a character between them that no namespace has \
                 in its name, such as /",
                self.key
            );
        }
        write!(
            f,
            "a tenant may be able to set ${{{}}}; nobody but Deputy sets aws:PrincipalTag/{}",
            self.key,
            TAGS_OF_DEPUTY.join(", aws:PrincipalTag/")
        )
    }
}

/// The policy variables from tags (`aws:PrincipalTag/…`, `aws:RequestTag/…`, `ec2:ResourceTag/…`) whose value a tenant may
/// choose, in resources and condition values. Those of [`TAGS_OF_DEPUTY`] are not among them, nor those of
/// [`TAGS_WITHIN_NAMESPACE`] beside the namespace.
pub fn tag_variables(document: &Document) -> Vec<TagVariable> {
    let mut found = Vec::new();
    each_text(document, &mut |text, path| find_tags(text, path, &mut found));
    found
}

/// The places where a wildcard stands beside a tag of Deputy that is a name, with a sentence for people: what begins or ends
/// with the name of one namespace belongs to others, too.
pub(super) fn open_tags(document: &Document) -> Vec<(String, String)> {
    let mut found = Vec::new();
    each_text(document, &mut |text, path| {
        let Ok(pattern) = Pattern::parse(text, Syntax::pattern(Version::V2012)) else {
            return;
        };
        for (id, variable) in pattern.variables().iter().enumerate() {
            let tag = variable.key.strip_prefix("aws:principaltag/");
            let dots = tag.is_some_and(|tag| TAGS_WITHIN_NAMESPACE.contains(&tag));
            if tag.is_some_and(|tag| NAMES.contains(&tag)) && beside_wildcard(pattern.tokens(), id, dots) {
                let message = format!(
                    "a wildcard beside ${{{}}}: whoever is called pay reaches with ${{…}}* what belongs to payments; put a \
                     character between them that no such name has, such as / or _",
                    variable.spelled
                );
                found.push((path.to_owned(), message));
            }
        }
    });
    found
}

/// Tags of Deputy of which one value may be a part of another one. The others are ids of one length.
const NAMES: &[&str] = &[
    "deputy-cluster",
    NAMESPACE,
    "deputy-name",
    "deputy-service-account",
];

/// Whether a place of the variable has a wildcard before or behind it, with nothing between them but what such names may have:
/// those of objects and ServiceAccounts `dots`, too.
fn beside_wildcard(tokens: &[GlobToken], id: usize, dots: bool) -> bool {
    fn reaches<'t>(mut tokens: impl Iterator<Item = &'t GlobToken>, dots: bool) -> bool {
        let stop = tokens.find(|token| match token {
            GlobToken::Char(c) => !(is_of_a_name(*c) || dots && *c == '.'),
            GlobToken::One | GlobToken::Many | GlobToken::Var(_) => true,
        });
        matches!(stop, Some(GlobToken::One | GlobToken::Many))
    }
    tokens.iter().enumerate().any(|(at, token)| {
        let is_it = matches!(token, GlobToken::Var(of) if usize::from(*of) == id);
        let (before, rest) = tokens.split_at_checked(at).unwrap_or_default();
        is_it && (reaches(rest.iter().skip(1), dots) || reaches(before.iter().rev(), dots))
    })
}

/// Whether namespaces may have the character in their names (Kubernetes, Object Names and IDs: RFC 1123 labels).
fn is_of_a_name(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
}

/// All resources and condition values in which variables are expanded, with where they stand.
fn each_text(document: &Document, look: &mut dyn FnMut(&str, &str)) {
    if document.version() == Version::V2008 {
        return;
    }
    for (i, statement) in document.statements().iter().enumerate() {
        let (name, resources) = match &statement.resource {
            Some(ResourceElement::Resource(list)) => ("Resource", list.as_slice()),
            Some(ResourceElement::NotResource(list)) => ("NotResource", list.as_slice()),
            None => ("Resource", &[][..]),
        };
        for (j, text) in resources.iter().enumerate() {
            look(text, &format!("Statement[{i}].{name}[{j}]"));
        }
        for condition in &statement.conditions {
            let path = format!(
                "Statement[{i}].Condition.{}.{}",
                condition.operator, condition.key
            );
            for (j, text) in condition.values.iter().enumerate() {
                look(text, &format!("{path}[{j}]"));
            }
        }
    }
}

fn find_tags(text: &str, path: &str, found: &mut Vec<TagVariable>) {
    let Ok(pattern) = Pattern::parse(text, Syntax::pattern(Version::V2012)) else {
        return;
    };
    for (id, variable) in pattern.variables().iter().enumerate() {
        let (Some((_, tag)), Some((prefix, lower))) =
            (variable.spelled.split_once('/'), variable.key.split_once('/'))
        else {
            continue;
        };
        if !prefix.ends_with("tag") {
            continue;
        }
        let of_session = prefix == "aws:principaltag";
        let within = of_session && TAGS_WITHIN_NAMESPACE.contains(&lower);
        let fine =
            (of_session && TAGS_OF_DEPUTY.contains(&lower)) || (within && beside_namespace(&pattern, id));
        if !fine {
            found.push(TagVariable {
                key: variable.spelled.clone(),
                tag: tag.to_owned(),
                path: path.to_owned(),
                needs_namespace: within,
            });
        }
    }
}

/// Whether every place of the variable is told apart by the namespace: it stands in the same text, and between the two is a
/// character that no namespace has in its name. With `${namespace}-${name}` the namespace `a` could choose the names of `a-b`.
fn beside_namespace(pattern: &Pattern, id: usize) -> bool {
    let is = |token: &GlobToken, wanted: &dyn Fn(usize) -> bool| matches!(token, GlobToken::Var(id) if wanted(usize::from(*id)));
    let namespace = |id: usize| {
        let key = pattern.variables().get(id).map(|variable| variable.key.as_str());
        key.and_then(|key| key.strip_prefix("aws:principaltag/")) == Some(NAMESPACE)
    };
    let tokens = pattern.tokens();
    let places = |wanted: &dyn Fn(usize) -> bool| -> Vec<usize> {
        let found = tokens.iter().enumerate().filter(|(_, token)| is(token, wanted));
        found.map(|(at, _)| at).collect()
    };
    let namespaces = places(&namespace);
    places(&|of| of == id).into_iter().all(|at| {
        namespaces.iter().any(|of| {
            let between = tokens.get(at.min(*of) + 1..at.max(*of)).unwrap_or_default();
            between
                .iter()
                .any(|token| matches!(token, GlobToken::Char(c) if !is_of_a_name(*c)))
        })
    })
}
