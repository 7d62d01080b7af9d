//! What was probably meant by a name that does not exist.

use super::{apis, finding::Lint};
use crate::{
    reference::{self, service::Service},
    work::Work,
};

/// Words that APIs begin the names of like operations with; people mix them up.
const LIKE: &[&[&str]] = &[
    &["Describe", "Get", "Head", "List", "Lookup", "Search"],
    &["Create", "Modify", "Put", "Set", "Update"],
    &["Delete", "Remove"],
];

/// Prefixes that are not those of IAM, and the services that are meant.
const SERVICES: &[(&str, &str)] = &[
    ("apigatewayv2", "apigateway"),
    ("cloudwatchlogs", "logs"),
    ("cognito", "cognito-idp"),
    ("efs", "elasticfilesystem"),
    ("elasticsearch", "es"),
    ("elb", "elasticloadbalancing"),
    ("elbv2", "elasticloadbalancing"),
    ("emr", "elasticmapreduce"),
    ("eventbridge", "events"),
    ("msk", "kafka"),
    ("mwaa", "airflow"),
    ("stepfunctions", "states"),
];

/// What was meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meant {
    /// Nobody knows.
    Nothing,
    /// An operation of the API that these actions allow.
    Operation(&'static [&'static str]),
    /// One of these, as far as spelling tells.
    Spelling(Vec<String>),
}

impl Meant {
    /// Adds it to a message, and as suggestion when only one can be meant.
    pub(super) fn explain(self, lint: &mut Lint) {
        let mut only = |name: &str, one: bool| {
            if one {
                lint.suggestion = Some(name.to_owned());
            }
        };
        let more = match &self {
            Self::Nothing => return,
            Self::Operation(actions) => {
                only(actions.first().copied().unwrap_or_default(), actions.len() == 1);
                format!(
                    "; that is an operation of the API, which {} allows",
                    actions.join(" or ")
                )
            }
            Self::Spelling(names) => {
                only(
                    names.first().map(String::as_str).unwrap_or_default(),
                    names.len() == 1,
                );
                format!("; did you mean {}?", names.join(" or "))
            }
        };
        lint.message.push_str(&more);
    }
}

/// What was meant by an action that the service does not have.
pub(super) fn action(service: &'static Service, name: &str, work: &mut Work) -> Meant {
    if let Some(actions) = apis::allowed_by(service.prefix, name) {
        return Meant::Operation(actions);
    }
    let full = |names: Vec<&'static str>| {
        let names = names.into_iter().map(|name| format!("{}:{name}", service.prefix));
        Meant::Spelling(names.collect())
    };
    let like: Vec<&str> = service
        .actions()
        .map(|action| action.name())
        .filter(|known| is_like(known, name))
        .collect();
    let near = near(name, service.actions().map(|action| action.name()), work);
    match (near.len(), like.len()) {
        (1..=3, _) => full(near),
        (_, 1..=3) => full(like),
        _ => Meant::Nothing,
    }
}

/// The service that was meant by a prefix that no service has.
pub(super) fn service(prefix: &str) -> Option<&'static str> {
    let lower = prefix.to_ascii_lowercase();
    if let Some((_, meant)) = SERVICES.iter().find(|(known, _)| *known == lower) {
        return Some(meant);
    }
    // Short names are near to everything.
    if lower.len() < 5 {
        return None;
    }
    let near = near(&lower, reference::prefixes(), &mut Work::limited(1_000_000));
    match near.as_slice() {
        [one] => Some(one),
        _ => None,
    }
}

/// Whether two names say the same about the same thing: `ListInstances`, `DescribeInstances`.
fn is_like(known: &str, name: &str) -> bool {
    LIKE.iter().any(|verbs| {
        let noun = |text: &str| {
            let rest = verbs.iter().find_map(|verb| {
                let (begin, rest) = text.split_at_checked(verb.len())?;
                begin
                    .eq_ignore_ascii_case(verb)
                    .then(|| rest.to_ascii_lowercase())
            })?;
            Some(rest.strip_suffix('s').map(str::to_owned).unwrap_or(rest))
        };
        noun(known).is_some_and(|known| !known.is_empty() && noun(name) == Some(known))
    })
}

/// The names that are nearest to a text, if they are near enough: one slip in a short name, two in a longer one.
pub(super) fn near<'a>(text: &str, names: impl Iterator<Item = &'a str>, work: &mut Work) -> Vec<&'a str> {
    let text = text.to_ascii_lowercase();
    let mut limit = if text.len() < 8 { 1 } else { 2 };
    let mut nearest = Vec::new();
    for name in names {
        if name.len().abs_diff(text.len()) > limit {
            continue;
        }
        if !work.charge(name.len().saturating_mul(text.len())) {
            return Vec::new();
        }
        let distance = distance(&text, &name.to_ascii_lowercase());
        if distance < limit {
            limit = distance;
            nearest.clear();
        }
        if distance == limit {
            nearest.push(name);
        }
    }
    nearest
}

/// How many slips lie between two texts: a byte too much, too little or wrong, or two in the wrong order.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = Vec::with_capacity(b.len() + 1);
        next.push(i + 1);
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
            let mut least = (at(&row, j) + usize::from(x != y))
                .min(at(&row, j + 1) + 1)
                .min(at(&next, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                least = least.min(at(&before, j - 1) + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted() {
        for (a, b, slips) in [
            ("", "", 0),
            ("", "ab", 2),
            ("ab", "ab", 0),
            ("getobject", "getobjet", 1),
            ("getobject", "getojbect", 1),
            ("getobject", "getobjects", 1),
            ("getobject", "putobject", 2),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), slips, "{a} {b}");
            assert_eq!(distance(b, a), slips, "{b} {a}");
        }
    }

    #[test]
    fn services_that_are_meant_exist() {
        for (prefix, meant) in SERVICES {
            assert!(reference::service(prefix).is_none(), "{prefix}");
            assert!(reference::service(meant).is_some(), "{meant}");
        }
        assert!(SERVICES.is_sorted());
        assert_eq!(service("dynamdb"), Some("dynamodb"));
        assert_eq!(service("ELB"), Some("elasticloadbalancing"));
        assert_eq!(service("s4"), None);
        assert_eq!(service("nothinglikeit"), None);
    }

    #[test]
    fn what_is_said_alike_is_meant_alike() {
        assert!(is_like("DescribeInstances", "ListInstances"));
        assert!(is_like("GetObject", "headobjects"));
        assert!(!is_like("DeleteObject", "GetObject"));
        assert!(!is_like("List", "Get"));
    }
}
