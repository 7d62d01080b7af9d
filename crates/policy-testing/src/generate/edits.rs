//! Near misses: a policy with one thing changed.

use deputy_policy::PolicyKind;

use super::{
    keys::{GeneratedKey, theory_of},
    model::{ConditionDraft, PolicyDraft, StatementDraft},
    policies::{self, without_duplicates},
    profiles::SoakProfile,
    values::{condition_value, tests},
};
use crate::{choices::Choices, naive::readings::in_variable};

/// Changes one thing; `wider` prefers changes after which an Allow allows more.
pub fn edit(c: &mut Choices<'_>, policy: &mut PolicyDraft, wider: bool) {
    let at = c.below(policy.statements.len());
    match c.below(12) {
        0..=3 => element(c, policy, at, wider),
        4 | 5 => conditions(c, policy, at, wider),
        6 => split(c, policy, at),
        7 if wider => policy.statements[at].conditions.clear(),
        7 => drop_statement(policy, at),
        8 => {
            let deny = !wider && c.chance(1, 2);
            let more = policies::statement(c, policy.kind, policy.profile, policy.old, deny);
            policy.statements.push(more);
        }
        9 => {
            let last = policy.statements.len() - 1;
            policy.statements.swap(at, last);
        }
        10 => principals(c, policy, at, wider),
        _ => {
            // A copy with something of it changed, of the other effect sometimes.
            let mut copy = policy.statements[at].clone();
            if policy.statements.len() > 1 && !wider && c.chance(1, 2) {
                copy.deny = true;
            }
            policy.statements.push(copy);
            let last = policy.statements.len() - 1;
            element(c, policy, last, wider);
        }
    }
}

fn drop_statement(policy: &mut PolicyDraft, at: usize) {
    let allows = policy.statements.iter().filter(|s| !s.deny).count();
    if policy.statements.len() > 1 && (policy.statements[at].deny || allows > 1) {
        policy.statements.remove(at);
    }
}

fn principals(c: &mut Choices<'_>, policy: &mut PolicyDraft, at: usize, wider: bool) {
    let (kind, profile) = (policy.kind, policy.profile);
    let statement = &mut policy.statements[at];
    let deny = statement.deny;
    if let Some(element) = &mut statement.principals {
        if wider && !deny && c.chance(1, 2) {
            element.listed.clear();
        } else {
            *element = policies::principals(c, kind, deny, profile);
        }
    }
}

/// Changes one action or resource: a letter or wildcard of it, the whole of it, or whether it is there.
fn element(c: &mut Choices<'_>, policy: &mut PolicyDraft, at: usize, wider: bool) {
    let (kind, old, profile) = (policy.kind, policy.old, policy.profile);
    let statement = &mut policy.statements[at];
    let on_action = statement.resources.is_empty() || c.chance(1, 2);
    let (list, head) = if on_action {
        (&mut statement.actions, 1)
    } else {
        (&mut statement.resources, 5)
    };
    let wider = wider
        != (statement.deny
            || (if on_action {
                statement.not_action
            } else {
                statement.not_resource
            }));
    let i = c.below(list.len());
    match c.below(6) {
        0 => {
            let more = if on_action {
                policies::action(c, kind, profile)
            } else {
                policies::resource(c, !old && !statement.not_resource, profile)
            };
            list.push(more);
        }
        1 if list.len() > 1 && !wider => drop(list.remove(i)),
        _ => list[i] = pattern_edit(c, &list[i], head, wider),
    }
}

/// Edits the part of a pattern after so many colons.
fn pattern_edit(c: &mut Choices<'_>, text: &str, colons: usize, wider: bool) -> String {
    let letters = if colons == 1 {
        &['a', 'b'][..]
    } else {
        &['a', 'b', '/', ':']
    };
    let mut outside = text.match_indices(':').filter(|(at, _)| !in_variable(text, *at));
    let start = outside.nth(colons - 1).map(|(at, _)| at + 1);
    let Some(start) = start else {
        // A lone star.
        return if wider || colons != 1 {
            text.to_owned()
        } else {
            "s3:*".to_owned()
        };
    };
    let (head, rest) = text.split_at(start);
    if colons == 5 && !head.contains("${") && c.chance(1, 6) {
        let parts: Vec<&str> = head.split(':').collect();
        let part = |text: &str| if wider || text.is_empty() { "*" } else { "" }.to_owned();
        return format!("arn:aws:{}:{}:{}:{rest}", parts[2], part(parts[3]), parts[4]);
    }
    let mut chars: Vec<char> = rest.chars().collect();
    let end = rest.find("${").unwrap_or(chars.len());
    let at = c.below(end + 1);
    let wild = if c.chance(1, 3) { '?' } else { '*' };
    match (wider, c.below(3)) {
        (true, 0) if at < end => chars[at] = wild,
        (true, 1) => {
            chars.truncate(at);
            chars.push('*');
        }
        (true, _) => chars.insert(at, '*'),
        (false, 0) if at < end && chars.len() > 1 => drop(chars.remove(at)),
        (false, 1) if at < end => chars[at] = *c.pick(letters),
        (false, _) => match chars[..end].iter().position(|x| *x == '*') {
            Some(star) => chars[star] = if c.chance(1, 2) { '?' } else { *c.pick(letters) },
            None => chars.insert(at, *c.pick(letters)),
        },
    }
    format!("{head}{}", chars.into_iter().collect::<String>())
}

/// Changes, adds or drops a condition.
fn conditions(c: &mut Choices<'_>, policy: &mut PolicyDraft, at: usize, wider: bool) {
    let (old, profile) = (policy.old, policy.profile);
    let statement = &mut policy.statements[at];
    let weaker = wider != statement.deny;
    if statement.conditions.is_empty() || (!weaker && c.chance(1, 4)) {
        if !weaker {
            statement.conditions.push(policies::condition(c, old, profile));
        }
    } else {
        let i = c.below(statement.conditions.len());
        match c.below(5) {
            0 if weaker => drop(statement.conditions.remove(i)),
            1 => {
                let condition = &mut statement.conditions[i];
                condition.if_exists = condition.test != "Null" && !condition.if_exists;
            }
            2 => swap_test(c, &mut statement.conditions[i]),
            _ => change_values(c, &mut statement.conditions[i], old, weaker),
        }
    }
    without_duplicates(&mut statement.conditions);
}

fn swap_test(c: &mut Choices<'_>, condition: &mut ConditionDraft) {
    let key = GeneratedKey::of(condition);
    let tests = tests(key.theory);
    if !tests.contains(&condition.test) {
        return;
    }
    let before = theory_of(condition.test);
    condition.test = *c.pick::<&str>(tests);
    if theory_of(condition.test) != before {
        condition.values = vec![condition_value(c, condition.test, &key)];
    }
}

fn change_values(c: &mut Choices<'_>, condition: &mut ConditionDraft, old: bool, weaker: bool) {
    if condition.test == "Null" {
        let flipped = if condition.values[0] == "true" {
            "false"
        } else {
            "true"
        };
        condition.values = vec![flipped.to_owned()];
        return;
    }
    if condition.values.is_empty() {
        condition
            .values
            .push(condition_value(c, condition.test, &GeneratedKey::of(condition)));
        return;
    }
    let more = weaker != condition.is_negated();
    let value = condition_value(c, condition.test, &GeneratedKey::of(condition));
    if old && value.contains("${") {
        return;
    }
    let i = c.below(condition.values.len());
    if more && !condition.values.contains(&value) {
        condition.values.push(value);
    } else if condition.values.len() > 1 && c.chance(1, 2) {
        condition.values.remove(i);
    } else if !condition.values.contains(&value) {
        condition.values[i] = value;
    }
}

/// Replaces a statement by two that say the same together.
fn split(c: &mut Choices<'_>, policy: &mut PolicyDraft, at: usize) {
    let original = policy.statements[at].clone();
    let mut other = original.clone();
    let lists = !original.not_action && original.actions.len() > 1;
    let stars = policy.kind != PolicyKind::Trust && !original.not_resource;
    let profile = policy.profile;
    let statement = &mut policy.statements[at];
    match c.below(3) {
        0 if lists => {
            let tail = statement.actions.split_off(1);
            other.actions = tail;
        }
        1 if stars && split_star(statement, &mut other) => {}
        _ => split_by_condition(c, statement, &mut other, profile),
    }
    policy.statements.insert(at + 1, other);
}

/// `…*` becomes `…` and `…?*`.
fn split_star(statement: &mut StatementDraft, other: &mut StatementDraft) -> bool {
    let tail = |text: &&mut String| text.ends_with('*') && text.len() > 1 && !text.ends_with(":*");
    let Some(last) = statement.resources.iter_mut().rfind(tail) else {
        return false;
    };
    let stem = last.trim_end_matches('*').to_owned();
    other.resources = vec![format!("{stem}?*")];
    if !stem.ends_with('}') {
        // The shorter half is the stem alone.
        *last = stem;
    }
    true
}

/// One half has a condition, the other one its opposite.
fn split_by_condition(
    c: &mut Choices<'_>,
    statement: &mut StatementDraft,
    other: &mut StatementDraft,
    profile: SoakProfile,
) {
    let plain = |test, key: &str, value: &str| ConditionDraft {
        set: "",
        test,
        if_exists: false,
        key: key.to_owned(),
        values: vec![value.to_owned()],
    };
    let (mut yes, no) = match c.below(5) {
        _ if profile == SoakProfile::Mixed => {
            let (test, not, value) = *c.pick(&[
                ("NumericEquals", "NumericNotEquals", "5"),
                ("DateEquals", "DateNotEquals", "2020-01-01"),
                ("IpAddress", "NotIpAddress", "10.0.0.0/8"),
                ("ArnLike", "ArnNotLike", "arn:aws:s3:::*"),
                ("StringLike", "StringNotLike", "4*"),
                ("NumericLessThan", "NumericGreaterThanEquals", "5"),
            ]);
            let key = *c.pick(&["aws:PrincipalTag/t", "a:m"]);
            (plain(test, key, value), plain(not, key, value))
        }
        0 => (
            plain("StringEquals", "s3:prefix", "a"),
            plain("StringNotEquals", "s3:prefix", "a"),
        ),
        1 => (
            plain("Null", "aws:SourceIp", "true"),
            plain("Null", "aws:SourceIp", "false"),
        ),
        2 => (
            plain("StringLike", "aws:PrincipalTag/a", "a*"),
            plain("StringNotLike", "aws:PrincipalTag/a", "a*"),
        ),
        3 => (
            plain("NumericLessThan", "s3:max-keys", "2"),
            plain("NumericGreaterThanEquals", "s3:max-keys", "2"),
        ),
        _ => (
            plain("IpAddress", "aws:SourceIp", "10.0.0.0/9"),
            plain("NotIpAddress", "aws:SourceIp", "10.0.0.0/9"),
        ),
    };
    // Of a request without the key the positive half does not speak, so that the two would say less than the whole.
    yes.if_exists = yes.test != "Null" && !c.chance(1, 8);
    statement.conditions.push(yes);
    other.conditions.push(no);
    without_duplicates(&mut statement.conditions);
    without_duplicates(&mut other.conditions);
}
