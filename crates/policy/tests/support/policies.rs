//! Random policies of the whole language, over alphabets so small that their patterns meet.

use deputy_policy::PolicyKind;

use super::{
    choices::Choices,
    model::{Condition, KEYS, Policy, Principals, Statement},
    values::{self, PATH, condition_value, pattern, tests},
};

/// Letters of action names.
const NAMES: &[char] = &['a', 'b'];

pub const OWN: &str = "111111111111";
const ROLE: &str = "arn:aws:iam::111111111111:role/r";
const ROOT: &str = "arn:aws:iam::111111111111:root";

/// Who may be listed as an AWS principal.
const AWS: &[&str] = &[
    OWN,
    ROOT,
    "arn:aws:iam::111111111111:user/a",
    "arn:aws:iam::111111111111:user/p/a",
    "arn:aws:iam::111111111111:user/b",
    ROLE,
    "arn:aws:iam::111111111111:role/p/r",
    "arn:aws:iam::111111111111:role/q",
    "arn:aws:sts::111111111111:assumed-role/r/s",
    "arn:aws:sts::111111111111:assumed-role/r/t",
    "arn:aws:sts::111111111111:federated-user/f",
    "222222222222",
    "arn:aws-cn:iam::111111111111:user/a",
];
const SERVICES: &[&str] = &["ec2.amazonaws.com", "s3.amazonaws.com"];
const PROVIDERS: &[&str] = &[
    "arn:aws:iam::111111111111:oidc-provider/oidc.example.com/a",
    "arn:aws:iam::111111111111:saml-provider/a",
    "cognito-identity.amazonaws.com",
    "accounts.google.com",
];

/// An action element.
pub fn action(c: &mut Choices<'_>, kind: PolicyKind) -> String {
    let service = match kind {
        PolicyKind::Trust => "sts",
        _ => *c.pick(&["s3", "s3", "s3", "ec2"]),
    };
    if c.chance(1, 12) {
        return "*".to_owned();
    }
    let name = pattern(c, NAMES, 1, 3);
    let name = if c.chance(1, 10) {
        name.to_uppercase()
    } else {
        name
    };
    format!("{service}:{name}")
}

/// A resource element.
pub fn resource(c: &mut Choices<'_>, variables: bool) -> String {
    if c.chance(1, 12) {
        return "*".to_owned();
    }
    let region = *c.pick(&["", "", "r", "*", "r*"]);
    let account = *c.pick(&["", "", "1", "*", "?"]);
    let service = if c.chance(1, 10) { "ec2" } else { "s3" };
    let mut rest = pattern(c, PATH, 0, 4);
    if variables && c.chance(1, 8) {
        rest.push_str(values::variable(c));
        rest.push_str(&pattern(c, PATH, 0, 1));
    }
    format!("arn:aws:{service}:{region}:{account}:{rest}")
}

/// A condition.
pub fn condition(c: &mut Choices<'_>, old: bool) -> Condition {
    // Texts are the hardest, so they are half of all.
    let key = if c.chance(1, 2) {
        c.pick(KEYS)
    } else {
        c.pick(&KEYS[..5])
    };
    let name = if c.chance(1, 10) {
        key.name.to_uppercase()
    } else {
        key.name.to_owned()
    };
    if c.chance(1, 8) {
        return Condition {
            set: "",
            test: "Null",
            if_exists: false,
            key: name,
            values: vec![(*c.pick(&["true", "false"])).to_owned()],
        };
    }
    // Comparing numbers, dates and addresses as texts is rare, and legal.
    let as_text = c.chance(1, 20);
    let test = *c.pick(if as_text {
        &["StringEquals", "StringLike", "StringNotEquals"]
    } else {
        tests(key.theory)
    });
    let set = if key.multi_valued {
        *c.pick(&["ForAnyValue:", "ForAllValues:"])
    } else if key.list {
        *c.pick(&["", "ForAnyValue:", "ForAllValues:"])
    } else {
        ""
    };
    let count = c.between(1, 2);
    let mut values: Vec<String> = (0..count).map(|_| condition_value(c, test, key)).collect();
    if old {
        values.retain(|value| !value.contains("${"));
    }
    values.dedup();
    if values.is_empty() {
        values.push(condition_value(&mut Choices::words(&[]), test, key));
    }
    Condition {
        set,
        test,
        if_exists: c.chance(1, 5),
        key: name,
        values,
    }
}

/// Principals of a statement. Only a Deny has a `NotPrincipal`, and in a trust policy not even that one.
pub fn principals(c: &mut Choices<'_>, kind: PolicyKind, deny: bool) -> Principals {
    let negated = deny && kind != PolicyKind::Trust && c.chance(1, 4);
    let count = c.below(4);
    let mut listed: Vec<(&'static str, String)> = Vec::new();
    for _ in 0..count {
        let one = match c.below(7) {
            0..=4 => ("AWS", *c.pick(AWS)),
            5 => ("Service", *c.pick(SERVICES)),
            _ => ("Federated", *c.pick(PROVIDERS)),
        };
        listed.push((one.0, one.1.to_owned()));
    }
    if negated {
        // NotPrincipal lists the account of everybody it spares, and the role of every session.
        let within = |text: &str| listed.iter().any(|(_, one)| one.contains(text));
        let mut parents = Vec::new();
        if within(":assumed-role/r/") {
            parents.push(ROLE);
        }
        if within(":111111111111:") {
            parents.push(ROOT);
        }
        if within("arn:aws-cn:") {
            parents.push("arn:aws-cn:iam::111111111111:root");
        }
        listed.extend(parents.into_iter().map(|text| ("AWS", text.to_owned())));
        if listed.is_empty() {
            listed.push(("Service", SERVICES[0].to_owned()));
        }
    }
    listed.sort();
    listed.dedup();
    Principals { negated, listed }
}

/// Leaves of several conditions with one operator and key the first one, as JSON does.
pub fn without_duplicates(conditions: &mut Vec<Condition>) {
    let mut seen: Vec<(String, String)> = Vec::new();
    conditions.retain(|condition| {
        let id = (condition.operator(), condition.key.to_lowercase());
        let new = !seen.contains(&id);
        seen.push(id);
        new
    });
}

/// A statement.
pub fn statement(c: &mut Choices<'_>, kind: PolicyKind, old: bool, deny: bool) -> Statement {
    let some = |c: &mut Choices<'_>| c.between(1, 2);
    let actions = (0..some(c)).map(|_| action(c, kind)).collect();
    let resources: Vec<String> = if kind == PolicyKind::Trust {
        Vec::new()
    } else {
        (0..some(c)).map(|_| resource(c, !old)).collect()
    };
    // What NotResource makes of a variable without value is not known.
    let variables = resources.iter().any(|resource| resource.contains("${"));
    let count = *c.pick(&[0, 0, 1, 1, 2, 3]);
    let mut conditions = (0..count).map(|_| condition(c, old)).collect();
    without_duplicates(&mut conditions);
    Statement {
        deny,
        principals: kind.has_principal().then(|| principals(c, kind, deny)),
        not_action: c.chance(1, 8),
        actions,
        not_resource: !variables && !resources.is_empty() && c.chance(1, 10),
        resources,
        conditions,
    }
}

/// A policy; the first statement allows.
pub fn policy(c: &mut Choices<'_>, kind: PolicyKind) -> Policy {
    let old = matches!(kind, PolicyKind::Resource | PolicyKind::Trust) && c.chance(1, 8);
    let count = c.between(1, 3);
    let statements = (0..count)
        .map(|i| {
            let deny = i > 0 && c.chance(1, 2);
            statement(c, kind, old, deny)
        })
        .collect();
    Policy {
        kind,
        old,
        statements,
    }
}
