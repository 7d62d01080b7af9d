//! What a ceiling says that comes nearest to a request it does not allow: for people who may not read the limit.

use deputy_policy::{
    ActionElement, Document, Effect, Layers, Operator, ResourceElement, Statement, Test, Witness,
    evaluate::{ExplainedStatement, Mismatch},
    explain_layers, reference,
};

use super::excess::{is_about, request};

/// Entries of a list that are shown, and characters of each.
const SHOWN: usize = 3;
const SHOWN_CHARS: usize = 100;

/// How near a statement is; the nearest first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Distance {
    /// It denies the request.
    Denies,
    /// It allows it under so many conditions that do not hold, of which so many are about keys that the request does not have: a wrong
    /// value is nearer than none.
    Conditions(usize, usize),
    /// It allows the action on other resources; the more of the ARN they share, the nearer.
    Resource(std::cmp::Reverse<usize>),
    /// It allows other actions on the resource.
    Action,
}

/// Such as `its Statement[1] allows that only with StringLike s3:prefix "team/*"`.
pub(super) fn nearest(ceiling: &Document, witness: &Witness) -> String {
    let layers = Layers {
        identity: &[ceiling],
        boundary: None,
        session: None,
    };
    let explained = explain_layers(&layers, &request(witness));
    let statements = explained.layers.iter().flat_map(|layer| &layer.statements);
    let near = statements
        .filter_map(|explained| {
            let statement = ceiling.statements().get(explained.statement)?;
            let distance = distance(ceiling, explained, statement, witness)?;
            Some((distance, explained.statement, explained, statement))
        })
        .min_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    let mut text = match near {
        Some((distance, _, explained, statement)) => said(&distance, explained, statement, witness),
        None => format!("nothing in it is about {} or that resource", witness.action),
    };
    if !reference::has_action(&witness.action) {
        text.push_str(&format!(
            " ({} is not in AWS's service reference of {})",
            witness.action,
            reference::date()
        ));
    }
    text
}

fn distance(
    ceiling: &Document,
    explained: &ExplainedStatement,
    statement: &Statement,
    witness: &Witness,
) -> Option<Distance> {
    if explained.effect == Effect::Deny {
        return explained.mismatches.is_empty().then_some(Distance::Denies);
    }
    match explained.mismatches.first()? {
        Mismatch::Condition { .. } => {
            let is_absent =
                |mismatch: &&Mismatch| matches!(mismatch, Mismatch::Condition { found: None, .. });
            let absent = explained.mismatches.iter().filter(is_absent).count();
            Some(Distance::Conditions(explained.mismatches.len(), absent))
        }
        Mismatch::Resource { .. } => {
            let shared = match &statement.resource {
                Some(ResourceElement::Resource(texts)) => texts
                    .iter()
                    .map(|text| shared(text, &witness.resource))
                    .max()
                    .unwrap_or(0),
                _ => 0,
            };
            Some(Distance::Resource(std::cmp::Reverse(shared)))
        }
        Mismatch::Action { .. } => {
            // Not where everything is about every resource: that says nothing.
            let everything = matches!(&statement.resource, Some(ResourceElement::Resource(r)) if r.iter().any(|r| r == "*"));
            (!everything && is_about(ceiling, statement.resource.clone(), witness))
                .then_some(Distance::Action)
        }
        Mismatch::Principal { .. } | Mismatch::NoResource => None,
    }
}

fn shared(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count()
}

fn said(
    distance: &Distance,
    explained: &ExplainedStatement,
    statement: &Statement,
    witness: &Witness,
) -> String {
    let name = match &statement.sid {
        Some(sid) if !sid.is_empty() => format!("Statement[{}] ({})", explained.statement, cut(sid)),
        _ => format!("Statement[{}]", explained.statement),
    };
    match distance {
        Distance::Denies => format!("its {name} denies that"),
        Distance::Conditions(..) => {
            let conditions: Vec<String> = explained.mismatches.iter().filter_map(condition).collect();
            format!("its {name} allows that only with {}", conditions.join(" and "))
        }
        Distance::Resource(_) => match &statement.resource {
            Some(ResourceElement::Resource(texts)) => {
                format!(
                    "its {name} allows {} only on {}",
                    witness.action,
                    some(texts, false)
                )
            }
            Some(ResourceElement::NotResource(texts)) => {
                format!(
                    "its {name} allows {} on everything but {}",
                    witness.action,
                    some(texts, false)
                )
            }
            None => format!("its {name} allows {} elsewhere", witness.action),
        },
        Distance::Action => match &statement.action {
            ActionElement::Action(texts) => format!("its {name} allows only {} there", some(texts, false)),
            ActionElement::NotAction(texts) => {
                format!("its {name} allows everything but {} there", some(texts, false))
            }
        },
    }
}

fn condition(mismatch: &Mismatch) -> Option<String> {
    let Mismatch::Condition {
        operator,
        key,
        wanted,
        ..
    } = mismatch
    else {
        return None;
    };
    let shown = Operator {
        if_exists: false,
        ..*operator
    };
    Some(match (operator.test, wanted.first().map(String::as_str)) {
        (Test::Null, Some("true")) => format!("no {key}"),
        (Test::Null, _) => format!("some {key}"),
        _ => format!("{shown} {key} {}", some(wanted, true)),
    })
}

/// `a, b, c (and 4 more)`
fn some(texts: &[String], quoted: bool) -> String {
    let shown: Vec<String> = texts
        .iter()
        .take(SHOWN)
        .map(|text| {
            if quoted {
                format!("{:?}", cut(text))
            } else {
                cut(text)
            }
        })
        .collect();
    let shown = shown.join(if quoted { " or " } else { ", " });
    match texts.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        Some(more) => format!("{shown} (and {more} more)"),
        None => shown,
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
