//! Requests made from policies: what a statement is about, and what lies next to it.

use deputy_policy::{Context, PolicyKind};

use super::{
    callers,
    identities::CallerNames,
    keys::{GeneratedKey, KeyArity, Theory, key_named},
    model::{ConditionDraft, PolicyDraft, StatementDraft},
    pairs::PairDraft,
    values::{self, LETTERS, PATH, edited, edited_value, instance, request_value, satisfying},
};
use crate::{
    choices::Choices,
    engine::KnownRequest,
    naive::{KnownCaller, readings::in_variable},
};

/// All requests that can be made of some contexts, actions, resources and callers.
pub struct RequestGroup {
    pub contexts: Vec<Context>,
    pub actions: Vec<String>,
    pub resources: Vec<String>,
    pub callers: Vec<Option<KnownCaller>>,
}

/// How many of each a group has.
#[derive(Debug, Clone, Copy)]
pub struct GroupSize {
    pub contexts: usize,
    pub actions: usize,
    pub resources: usize,
    pub callers: usize,
}

impl GroupSize {
    pub const SMALL: Self = Self {
        contexts: 1,
        actions: 3,
        resources: 4,
        callers: 3,
    };
    pub const LARGE: Self = Self {
        contexts: 6,
        actions: 8,
        resources: 8,
        callers: 8,
    };
}

impl RequestGroup {
    /// Every request.
    pub fn requests(&self) -> Vec<KnownRequest> {
        let mut all = Vec::new();
        for context in &self.contexts {
            for who in &self.callers {
                for resource in &self.resources {
                    all.extend(self.actions.iter().map(|action| KnownRequest {
                        action: action.clone(),
                        resource: resource.clone(),
                        who: who.clone(),
                        context: context.clone(),
                    }));
                }
            }
        }
        all
    }
}

/// The keys that the policies of a pair mention, in conditions and as variables.
pub fn keys_of(pair: &PairDraft) -> Vec<GeneratedKey> {
    let mut keys: Vec<GeneratedKey> = Vec::new();
    let mut add = |key: &GeneratedKey| {
        if !keys
            .iter()
            .any(|known| known.name.eq_ignore_ascii_case(&key.name))
        {
            keys.push(key.clone());
        }
    };
    let statements = || pair.policies().flat_map(|policy| &policy.statements);
    for statement in statements() {
        let conditions = statement.conditions.iter();
        conditions
            .clone()
            .for_each(|condition| add(&GeneratedKey::of(condition)));
        let texts = conditions
            .flat_map(|condition| &condition.values)
            .chain(&statement.resources);
        for name in texts.flat_map(|text| variables_in(text)) {
            add(&key_named(name).cloned().unwrap_or_else(|| GeneratedKey {
                name: name.to_owned().into(),
                theory: Theory::Text,
                arity: KeyArity::One,
            }));
        }
    }
    // What has one value today may have several once somebody asks for each of them.
    let asks = |condition: &ConditionDraft, key: &GeneratedKey| {
        !condition.set.is_empty() && condition.key.eq_ignore_ascii_case(&key.name)
    };
    for key in &mut keys {
        let mut conditions = statements().flat_map(|statement| &statement.conditions);
        if key.arity == KeyArity::Open && !conditions.any(|condition| asks(condition, key)) {
            key.arity = KeyArity::One;
        }
    }
    keys
}

/// The names of the variables in a text.
fn variables_in(text: &str) -> Vec<&str> {
    let inside = text.split("${").skip(1).filter_map(|rest| rest.split_once('}'));
    let names = inside.map(|(inside, _)| inside.split(',').next().unwrap());
    names.filter(|name| !matches!(*name, "*" | "?" | "$")).collect()
}

fn is_list(key: &GeneratedKey) -> bool {
    key.arity != KeyArity::One
}

/// Requests about a statement of the candidate, mostly, or of the ceiling.
pub fn group(
    c: &mut Choices<'_>,
    pair: &PairDraft,
    keys: &[GeneratedKey],
    names: &CallerNames,
    size: GroupSize,
) -> RequestGroup {
    let policy: &PolicyDraft = if c.chance(1, 4) {
        &pair.ceiling
    } else {
        let layer = c.pick(&pair.layers);
        c.pick(layer)
    };
    let statement = some_statement(c, policy);
    let mut contexts = vec![context(c, statement, keys)];
    while contexts.len() < size.contexts {
        let other = if keys.is_empty() {
            break;
        } else if c.chance(1, 2) {
            let (last, key) = (c.pick(&contexts).clone(), c.pick(keys));
            near_context(c, &last, key)
        } else {
            context(c, statement, keys)
        };
        contexts.push(other);
    }
    let mut actions = Vec::new();
    for i in 0..size.actions {
        let statement = if i % 4 == 1 {
            some_statement(c, &pair.ceiling)
        } else {
            statement
        };
        let action = action(c, statement);
        actions.push(if i % 3 == 2 {
            near_action(c, &action)
        } else {
            action
        });
    }
    let mut resources = Vec::new();
    for i in 0..size.resources {
        let statement = if i % 4 == 1 {
            some_statement(c, &pair.ceiling)
        } else {
            statement
        };
        let context = &contexts[i % contexts.len()];
        let resource = resource(c, statement, context, policy.old);
        resources.push(if i % 4 == 3 {
            near_resource(c, &resource)
        } else {
            resource
        });
    }
    for list in [&mut actions, &mut resources] {
        list.sort();
        list.dedup();
    }
    if policy.kind == PolicyKind::Trust {
        resources = vec!["arn:aws:iam::111111111111:role/r".to_owned()];
    }
    let callers = if policy.kind.has_principal() {
        let mut callers: Vec<Option<KnownCaller>> = Vec::new();
        while callers.len() < size.callers {
            callers.push(Some(callers::of_statement(c, statement, names)));
            callers.push(Some(callers::any(c, names)));
        }
        callers
    } else {
        vec![None]
    };
    RequestGroup {
        contexts,
        actions,
        resources,
        callers,
    }
}

/// An Allow, mostly.
fn some_statement<'a>(c: &mut Choices<'_>, policy: &'a PolicyDraft) -> &'a StatementDraft {
    let allows: Vec<&StatementDraft> = policy.statements.iter().filter(|s| !s.deny).collect();
    if allows.is_empty() || c.chance(1, 6) {
        c.pick(&policy.statements)
    } else {
        c.pick::<&StatementDraft>(&allows)
    }
}

fn context(c: &mut Choices<'_>, statement: &StatementDraft, keys: &[GeneratedKey]) -> Context {
    let mut context = Context::new();
    for key in keys {
        if c.chance(1, 2) {
            set(c, &mut context, key);
        }
    }
    for condition in &statement.conditions {
        let named = |key: &&GeneratedKey| key.name.eq_ignore_ascii_case(&condition.key);
        let Some(key) = keys.iter().find(named) else {
            continue;
        };
        let wanted = {
            let value_of = |name: &str| one_value(&context, name);
            satisfying(c, condition, key, &value_of)
        };
        match wanted {
            Some(value) if is_list(key) && c.chance(1, 3) => {
                let other = request_value(c, key.theory);
                let both = if condition.set == "ForAnyValue:" {
                    vec![value, other]
                } else {
                    vec![value.clone(), value]
                };
                context.set(key.name.as_ref(), both);
            }
            Some(value) => context.set(key.name.as_ref(), [value]),
            None => context = without(&context, &key.name),
        }
    }
    if !keys.is_empty() && c.chance(1, 4) {
        let key = c.pick(keys);
        context = near_context(c, &context, key);
    }
    context
}

fn one_value(context: &Context, name: &str) -> Option<String> {
    context.get(name)?.first().cloned()
}

fn set(c: &mut Choices<'_>, context: &mut Context, key: &GeneratedKey) {
    let count = if is_list(key) { c.below(3) } else { 1 };
    let values: Vec<String> = (0..count).map(|_| value_of(c, key)).collect();
    context.set(key.name.as_ref(), values);
}

/// A value of a request. Only those of tags that a request asks for hold wildcards, among the keys of variables.
fn value_of(c: &mut Choices<'_>, key: &GeneratedKey) -> String {
    if key.name.eq_ignore_ascii_case("aws:RequestTag/w") && c.chance(1, 2) {
        return (*c.pick(&["*", "?", "a*", "*b", "?a", "1:a"])).to_owned();
    }
    if key.name.eq_ignore_ascii_case("aws:PrincipalAccount") {
        return (*c.pick(&["111111111111", "222222222222"])).to_owned();
    }
    request_value(c, key.theory)
}

pub fn without(context: &Context, name: &str) -> Context {
    let mut out = Context::new();
    for (key, values) in context.iter() {
        if !key.eq_ignore_ascii_case(name) {
            out.set(key, values.to_vec());
        }
    }
    out
}

/// The context with one value changed, given or taken away.
pub fn near_context(c: &mut Choices<'_>, context: &Context, key: &GeneratedKey) -> Context {
    let mut out = context.clone();
    match context.get(&key.name) {
        None => set(c, &mut out, key),
        Some(_) if c.chance(1, 3) => return without(context, &key.name),
        Some(values) => {
            let mut values = values.to_vec();
            if values.is_empty() || (is_list(key) && c.chance(1, 3)) {
                values.push(value_of(c, key));
            } else {
                let i = c.below(values.len());
                values[i] = edited_value(c, &values[i], key.theory);
            }
            out.set(key.name.as_ref(), values);
        }
    }
    out
}

const ACTION_LETTERS: &[char] = &['a', 'b'];

fn action(c: &mut Choices<'_>, statement: &StatementDraft) -> String {
    let element = c.pick(&statement.actions);
    if element == "*" || statement.not_action {
        let service = element.split_once(':').map_or("s3", |(service, _)| service);
        return format!("{service}:{}", values::word(c, ACTION_LETTERS, 1, 3));
    }
    let text = instance(c, element, ACTION_LETTERS, true, false, &|_| None);
    if text.ends_with(':') {
        format!("{text}a")
    } else {
        text
    }
}

pub fn near_action(c: &mut Choices<'_>, action: &str) -> String {
    let (service, name) = action.split_once(':').unwrap_or((action, "a"));
    let name = edited(c, name, ACTION_LETTERS);
    if name.is_empty() {
        format!("{service}:a")
    } else {
        format!("{service}:{name}")
    }
}

fn resource(c: &mut Choices<'_>, statement: &StatementDraft, context: &Context, old: bool) -> String {
    if statement.resources.is_empty() {
        return format!("arn:aws:s3:::{}", values::word(c, PATH, 0, 2));
    }
    let element = c.pick(&statement.resources);
    if element == "*" || statement.not_resource {
        if c.chance(1, 6) {
            return "*".to_owned();
        }
        return format!("arn:aws:s3:::{}", values::word(c, PATH, 0, 4));
    }
    // Wildcards of the first five parts stand for parts, which hold no colon.
    let padded = format!(
        "{element}{}",
        ":*".repeat(5_usize.saturating_sub(element.matches(':').count()))
    );
    let colons = padded
        .match_indices(':')
        .filter(|(at, _)| !in_variable(&padded, *at));
    let start = colons.map(|(at, _)| at + 1).nth(4).unwrap_or(0);
    let (head, rest) = padded.split_at(start);
    let head = instance(c, head, &['r', '1'], true, !old, &|name| one_value(context, name));
    let rest = instance(c, rest, PATH, true, !old, &|name| one_value(context, name));
    format!("{head}{rest}")
}

pub fn near_resource(c: &mut Choices<'_>, resource: &str) -> String {
    let Some(start) = resource.match_indices(':').nth(4).map(|(at, _)| at + 1) else {
        return "arn:aws:s3:::a".to_owned();
    };
    let (head, rest) = resource.split_at(start);
    if c.chance(1, 6) {
        let parts: Vec<&str> = head.split(':').collect();
        let region = if parts[3].is_empty() { "r" } else { "" };
        return format!("arn:aws:{}:{region}:{}:{rest}", parts[2], parts[4]);
    }
    format!("{head}{}", edited(c, rest, PATH))
}

/// Every request that differs in one letter, one value or in who asks, for the measure of nearness.
pub fn neighbours(
    c: &mut Choices<'_>,
    asked: &KnownRequest,
    pair: &PairDraft,
    keys: &[GeneratedKey],
    names: &CallerNames,
) -> Vec<KnownRequest> {
    let mut out = Vec::new();
    let (service, name) = asked.action.split_once(':').unwrap_or(("s3", "a"));
    let head = asked
        .resource
        .match_indices(':')
        .nth(4)
        .map_or(0, |(at, _)| at + 1);
    let (head, rest) = asked.resource.split_at(head);
    for name in one_edit(name, ACTION_LETTERS)
        .into_iter()
        .filter(|name| !name.is_empty())
    {
        let action = format!("{service}:{name}");
        out.push(KnownRequest {
            action,
            ..asked.clone()
        });
    }
    if !head.is_empty() {
        for rest in one_edit(rest, PATH) {
            let resource = format!("{head}{rest}");
            out.push(KnownRequest {
                resource,
                ..asked.clone()
            });
        }
    }
    for _ in 0..if asked.who.is_some() { 8 } else { 0 } {
        let who = Some(callers::any(c, names));
        out.push(KnownRequest { who, ..asked.clone() });
    }
    for key in keys {
        let mut values: Vec<Vec<String>> = vec![Vec::new()];
        let given = asked.context.get(&key.name).unwrap_or_default();
        if let [text] = given
            && key.theory == Theory::Text
        {
            values.extend(one_edit(text, LETTERS).into_iter().map(|text| vec![text]));
        }
        let conditions = pair.ceiling.statements.iter().flat_map(|s| &s.conditions);
        for condition in conditions.filter(|one| one.key.eq_ignore_ascii_case(&key.name)) {
            for value in &condition.values {
                let edges = values::edges(value, key.theory);
                values.extend(edges.into_iter().map(|text| vec![text]));
            }
        }
        for values in values {
            let mut context = without(&asked.context, &key.name);
            if !values.is_empty() {
                context.set(key.name.as_ref(), values);
            }
            out.push(KnownRequest {
                context,
                ..asked.clone()
            });
        }
    }
    out
}

fn one_edit(text: &str, letters: &[char]) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = Vec::new();
    for at in 0..=chars.len() {
        let (head, tail) = chars.split_at(at);
        let with =
            |middle: Option<char>, tail: &[char]| head.iter().chain(&middle).chain(tail).collect::<String>();
        for letter in letters {
            out.push(with(Some(*letter), tail));
        }
        if let Some(rest) = tail.get(1..) {
            out.push(with(None, rest));
            for letter in letters {
                out.push(with(Some(*letter), rest));
            }
        }
    }
    out
}
