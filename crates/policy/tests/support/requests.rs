//! Requests made from policies: what a statement is about, and what lies next to it.

use deputy_policy::{Account, Caller, Context, Request};

use super::{
    choices::Choices,
    model::{Key, Policy, Statement, Theory, key_named},
    pairs::Pair,
    policies::OWN,
    values::{self, LETTERS, PATH, edited, edited_value, instance, request_value, satisfying},
};

/// Requests that share a context.
pub struct Group {
    pub context: Context,
    pub actions: Vec<String>,
    pub resources: Vec<String>,
    pub callers: Vec<Option<Caller>>,
}

impl Group {
    pub fn len(&self) -> usize {
        self.actions.len() * self.resources.len() * self.callers.len()
    }

    /// Calls `visit` with every request; `request` is written over.
    pub fn visit(&self, request: &mut Request, visit: &mut dyn FnMut(&Request)) {
        request.context = self.context.clone();
        for caller in &self.callers {
            request.principal.clone_from(caller);
            for resource in &self.resources {
                request.resource.clone_from(resource);
                for action in &self.actions {
                    request.action.clone_from(action);
                    visit(request);
                }
            }
        }
    }
}

pub fn empty_request() -> Request {
    Request {
        action: String::new(),
        resource: String::new(),
        principal: None,
        context: Context::new(),
    }
}

/// The keys that the policies of a pair mention, in conditions and as variables.
pub fn keys_of(pair: &Pair) -> Vec<&'static Key> {
    let mut keys: Vec<&'static Key> = Vec::new();
    let mut add = |name: &str| {
        if let Some(key) = key_named(name)
            && !keys.contains(&key)
        {
            keys.push(key);
        }
    };
    for statement in pair.policies().flat_map(|policy| &policy.statements) {
        let mut variables = statement.resources.iter().any(|text| text.contains("${"));
        for condition in &statement.conditions {
            add(&condition.key);
            variables |= condition.values.iter().any(|text| text.contains("${"));
        }
        if variables {
            add("aws:username");
            add("aws:PrincipalTag/a");
        }
    }
    keys
}

/// Requests about one statement of the candidate, mostly, or of the ceiling.
pub fn group(c: &mut Choices<'_>, pair: &Pair, keys: &[&'static Key]) -> Group {
    let policy: &Policy = if c.chance(1, 4) {
        &pair.ceiling
    } else {
        let layer = c.pick(&pair.layers);
        c.pick(layer)
    };
    let allows: Vec<&Statement> = policy.statements.iter().filter(|s| !s.deny).collect();
    let statement = if allows.is_empty() || c.chance(1, 6) {
        c.pick(&policy.statements)
    } else {
        c.pick(&allows)
    };
    let context = context(c, statement, keys);
    let mut actions = Vec::new();
    let mut resources = Vec::new();
    for i in 0..3 {
        let action = action(c, statement);
        actions.push(if i == 2 { near_action(c, &action) } else { action });
    }
    for i in 0..4 {
        let resource = resource(c, statement, &context, policy.old);
        resources.push(if i == 3 {
            near_resource(c, &resource)
        } else {
            resource
        });
    }
    actions.dedup();
    resources.dedup();
    if statement.resources.is_empty() {
        resources = vec!["arn:aws:iam::111111111111:role/r".to_owned()];
    }
    let callers = if policy.kind.has_principal() {
        let fused = fused(c, pair).unwrap_or_else(|| any_caller(c));
        vec![Some(caller_of(c, statement)), Some(any_caller(c)), Some(fused)]
    } else {
        vec![None]
    };
    Group {
        context,
        actions,
        resources,
        callers,
    }
}

fn context(c: &mut Choices<'_>, statement: &Statement, keys: &[&'static Key]) -> Context {
    let mut context = Context::new();
    for key in keys {
        if c.chance(1, 2) {
            set(c, &mut context, key);
        }
    }
    for condition in &statement.conditions {
        let Some(key) = key_named(&condition.key) else {
            continue;
        };
        let wanted = {
            let value_of = |name: &str| one_value(&context, name);
            satisfying(c, condition, key, &value_of)
        };
        match wanted {
            Some(value) if key.list && c.chance(1, 3) => {
                let other = request_value(c, key.theory);
                let both = if condition.set == "ForAnyValue:" {
                    vec![value, other]
                } else {
                    vec![value.clone(), value]
                };
                context.set(key.name, both);
            }
            Some(value) => context.set(key.name, [value]),
            None => context = without(&context, key.name),
        }
    }
    if !keys.is_empty() && c.chance(1, 4) {
        let key = *c.pick(keys);
        context = near_context(c, &context, key);
    }
    context
}

fn one_value(context: &Context, name: &str) -> Option<String> {
    context.get(name)?.first().cloned()
}

fn set(c: &mut Choices<'_>, context: &mut Context, key: &Key) {
    let count = if key.list { c.below(3) } else { 1 };
    let values: Vec<String> = (0..count).map(|_| request_value(c, key.theory)).collect();
    context.set(key.name, values);
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
pub fn near_context(c: &mut Choices<'_>, context: &Context, key: &Key) -> Context {
    let mut out = context.clone();
    match context.get(key.name) {
        None => set(c, &mut out, key),
        Some(_) if c.chance(1, 3) => return without(context, key.name),
        Some(values) => {
            let mut values = values.to_vec();
            if values.is_empty() || (key.list && c.chance(1, 3)) {
                values.push(request_value(c, key.theory));
            } else {
                let i = c.below(values.len());
                values[i] = edited_value(c, &values[i], key.theory);
            }
            out.set(key.name, values);
        }
    }
    out
}

const ACTION_LETTERS: &[char] = &['a', 'b'];

fn action(c: &mut Choices<'_>, statement: &Statement) -> String {
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

fn resource(c: &mut Choices<'_>, statement: &Statement, context: &Context, old: bool) -> String {
    if statement.resources.is_empty() {
        return "*".to_owned();
    }
    let element = c.pick(&statement.resources);
    if element == "*" || statement.not_resource {
        if c.chance(1, 6) {
            return "*".to_owned();
        }
        return format!("arn:aws:s3:::{}", values::word(c, PATH, 0, 4));
    }
    // Wildcards of the first five parts stand for parts, which hold no colon.
    let start = element.match_indices(':').nth(4).map_or(0, |(at, _)| at + 1);
    let (head, rest) = element.split_at(start);
    let head = instance(c, head, &['r', '1'], true, false, &|_| None);
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

const CALLERS: &[&str] = &[
    "arn:aws:iam::111111111111:user/a",
    "*",
    "111111111111",
    "arn:aws:iam::111111111111:user/p/a",
    "arn:aws:iam::111111111111:user/c",
    "arn:aws:sts::111111111111:assumed-role/r/s",
    "arn:aws:sts::111111111111:assumed-role/q/s",
    "arn:aws:iam::222222222222:user/a",
    "ec2.amazonaws.com",
    "lambda.amazonaws.com",
    "cognito-identity.amazonaws.com",
    "arn:aws:iam::111111111111:saml-provider/a",
];

/// Every sort of caller; of sessions, every name with everybody who may be behind it.
pub fn any_caller(c: &mut Choices<'_>) -> Caller {
    let account = || Account {
        partition: "aws".to_owned(),
        id: OWN.to_owned(),
    };
    match c.below(8) {
        0 => Caller::FederatedUser {
            account: account(),
            name: (*c.pick(&["f", "g"])).to_owned(),
            of_user: c.pick(&[Some("a"), Some("p/a"), Some("b")]).map(str::to_owned),
        },
        1 => Caller::RoleSession {
            path: None,
            account: account(),
            role: (*c.pick(&["r", "q"])).to_owned(),
            session: c.pick(&[Some("s"), Some("t")]).map(str::to_owned),
        },
        2 => Caller::User {
            account: account(),
            name: (*c.pick(&["a", "p/a", "b", "c"])).to_owned(),
        },
        _ => Caller::parse(c.pick::<&str>(CALLERS)).unwrap(),
    }
}

/// A session that the pair names in two ways: a listed federated user of a listed user.
fn fused(c: &mut Choices<'_>, pair: &Pair) -> Option<Caller> {
    let principals = pair
        .policies()
        .flat_map(|policy| &policy.statements)
        .filter_map(|s| s.principals.as_ref());
    let (mut sessions, mut users) = (Vec::new(), Vec::new());
    for (_, text) in principals.flat_map(|principals| &principals.listed) {
        match Caller::parse(text) {
            Ok(Caller::FederatedUser { account, name, .. }) => sessions.push((account, name)),
            Ok(Caller::User { account, name }) => users.push((account, name)),
            _ => {}
        }
    }
    if sessions.is_empty() || users.is_empty() {
        return None;
    }
    let (account, name) = c.pick(&sessions).clone();
    let (_, user) = c.pick(&users).clone();
    Some(Caller::FederatedUser {
        account,
        name,
        of_user: Some(user),
    })
}

/// Somebody that the statement names, when it names anybody.
pub fn caller_of(c: &mut Choices<'_>, statement: &Statement) -> Caller {
    match &statement.principals {
        Some(principals) if !principals.negated && !principals.listed.is_empty() => {
            let (_, text) = c.pick(&principals.listed);
            let mut caller = Caller::parse(text).unwrap();
            // Everything is known of the callers here.
            match &mut caller {
                Caller::RoleSession { session, .. } if session.is_none() => *session = Some("t".to_owned()),
                Caller::FederatedUser { of_user, .. } => *of_user = Some("b".to_owned()),
                _ => {}
            }
            caller
        }
        _ => any_caller(c),
    }
}

/// Every request that differs in one letter or one value, for the measure of nearness.
pub fn neighbours(request: &Request, pair: &Pair, keys: &[&'static Key]) -> Vec<Request> {
    let mut out = Vec::new();
    let (service, name) = request.action.split_once(':').unwrap_or(("s3", "a"));
    let head = request
        .resource
        .match_indices(':')
        .nth(4)
        .map_or(0, |(at, _)| at + 1);
    let (head, rest) = request.resource.split_at(head);
    for name in one_edit(name, ACTION_LETTERS)
        .into_iter()
        .filter(|name| !name.is_empty())
    {
        let action = format!("{service}:{name}");
        out.push(Request {
            action,
            ..request.clone()
        });
    }
    if !head.is_empty() {
        for rest in one_edit(rest, PATH) {
            let resource = format!("{head}{rest}");
            out.push(Request {
                resource,
                ..request.clone()
            });
        }
    }
    for key in keys {
        let mut values: Vec<Vec<String>> = vec![Vec::new()];
        let given = request.context.get(key.name).unwrap_or_default();
        if let [text] = given
            && matches!(key.theory, Theory::Text)
        {
            values.extend(one_edit(text, LETTERS).into_iter().map(|text| vec![text]));
        }
        let conditions = pair.ceiling.statements.iter().flat_map(|s| &s.conditions);
        for condition in conditions.filter(|one| one.key.eq_ignore_ascii_case(key.name)) {
            for value in &condition.values {
                let edges = values::edges(value, key.theory);
                values.extend(edges.into_iter().map(|text| vec![text]));
            }
        }
        for values in values {
            let mut context = without(&request.context, key.name);
            if !values.is_empty() {
                context.set(key.name, values);
            }
            out.push(Request {
                context,
                ..request.clone()
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
