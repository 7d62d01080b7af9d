//! Random policies of the whole language, over alphabets so small that their patterns meet.

use deputy_policy::PolicyKind;

use super::{
    keys::KeyArity,
    model::{ConditionDraft, PolicyDraft, PrincipalsDraft, StatementDraft},
    profiles::SoakProfile,
    values::{self, PATH, condition_value, pattern, tests},
};
use crate::{choices::Choices, naive::readings::has_head_variable};

/// Letters of action names.
const NAMES: &[char] = &['a', 'b'];

pub const OWN: &str = "111111111111";
const ROLE: &str = "arn:aws:iam::111111111111:role/r";
const ROOT: &str = "arn:aws:iam::111111111111:root";

/// Who may be listed as an AWS principal: accounts in both spellings, users, roles with and without path, sessions, unique
/// ids of users and roles, an origin access identity.
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
    "AIDAUSERNUMBERONE001",
    "AIDAUSERNUMBERTWO002",
    "AROAROLENUMBERONE001",
    "arn:aws:iam::111111111111:role/R",
    "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity EONE",
];
/// Without what only policies about principals have.
const FEW_AWS: usize = 13;
const SERVICES: &[&str] = &["ec2.amazonaws.com", "s3.amazonaws.com"];
const PROVIDERS: &[&str] = &[
    "arn:aws:iam::111111111111:oidc-provider/oidc.example.com/a",
    "arn:aws:iam::111111111111:saml-provider/a",
    "cognito-identity.amazonaws.com",
    "accounts.google.com",
    "*",
];
const CANONICAL: &[&str] = &[
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
];

/// Words of policies that people write.
const MANAGED_ACTIONS: &[&str] = &[
    "s3:GetObject",
    "s3:Get*",
    "s3:*",
    "s3:ListBucket",
    "ec2:Describe*",
    "ec2:*",
    "ec2:RunInstances",
    "iam:PassRole",
    "iam:Get*",
    "logs:CreateLogGroup",
    "logs:*",
    "kms:Decrypt",
    "sqs:SendMessage",
    "*",
];
const MANAGED_RESOURCES: &[&str] = &[
    "*",
    "arn:aws:s3:::*",
    "arn:aws:s3:::reports/*",
    "arn:aws:s3:::reports/2026/*",
    "arn:aws:ec2:*:*:instance/*",
    "arn:aws:ec2:*:111122223333:instance/*",
    "arn:aws:iam::*:role/service-*",
    "arn:aws:logs:*:*:log-group:/aws/*",
    "arn:aws:kms:eu-west-1:111122223333:key/*",
];

/// An action element.
pub fn action(c: &mut Choices<'_>, kind: PolicyKind, profile: SoakProfile) -> String {
    if profile == SoakProfile::Managed {
        return (*c.pick(MANAGED_ACTIONS)).to_owned();
    }
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
pub fn resource(c: &mut Choices<'_>, variables: bool, profile: SoakProfile) -> String {
    if profile == SoakProfile::Managed {
        return (*c.pick(MANAGED_RESOURCES)).to_owned();
    }
    if c.chance(1, 12) {
        return "*".to_owned();
    }
    let region = *c.pick(&["", "", "r", "*", "r*"]);
    let mut account = *c.pick(&["", "", "1", "*", "?"]);
    if variables && profile == SoakProfile::Variables && c.chance(1, 8) {
        account = *c.pick(&["${aws:PrincipalAccount}", OWN, "*"]);
    }
    let service = if c.chance(1, 10) { "ec2" } else { "s3" };
    if c.chance(1, 16) {
        return (*c.pick(&["arn:aws:s3:*", "arn:aws:s3:r:*", "arn:*:s3:*"])).to_owned();
    }
    let mut rest = pattern(c, PATH, 0, 4);
    let often = if profile == SoakProfile::Variables { 4 } else { 1 };
    if variables && c.chance(often, 8) {
        rest.push_str(values::variable(c));
        rest.push_str(&pattern(c, PATH, 0, 1));
    }
    format!("arn:aws:{service}:{region}:{account}:{rest}")
}

/// A condition.
pub fn condition(c: &mut Choices<'_>, old: bool, profile: SoakProfile) -> ConditionDraft {
    let keys = profile.keys();
    // Texts are the hardest and stand first, so they are half of all; as are tags with values of any type.
    let key = if c.chance(1, 2) {
        c.pick(keys)
    } else {
        c.pick(&keys[..keys.len() * 2 / 5])
    };
    let name = if c.chance(1, 10) {
        key.name.to_uppercase()
    } else {
        key.name.to_string()
    };
    if c.chance(1, 8) {
        return ConditionDraft {
            set: "",
            test: "Null",
            if_exists: false,
            key: name,
            values: vec![(*c.pick(&["true", "false"])).to_owned()],
        };
    }
    // Comparing numbers, dates and addresses as texts is legal, and rare but where it is asked for.
    let others = if profile == SoakProfile::Mixed { 5 } else { 1 };
    let as_text = c.chance(others, 20);
    let test = *c.pick(if as_text {
        &["StringEquals", "StringLike", "StringNotEquals"]
    } else {
        tests(key.theory)
    });
    let set = match key.arity {
        KeyArity::Several => *c.pick(&[
            "ForAnyValue:",
            "ForAllValues:",
            "ForAnyValue:",
            "ForAllValues:",
            "",
        ]),
        KeyArity::Unknown => *c.pick(&["", "ForAnyValue:", "ForAllValues:"]),
        // Legal, and rare.
        _ if c.chance(1, 16) => *c.pick(&["ForAnyValue:", "ForAllValues:"]),
        _ => "",
    };
    let count = c.between(1, 2);
    let mut values: Vec<String> = (0..count).map(|_| condition_value(c, test, key)).collect();
    if old {
        values.retain(|value| !value.contains("${"));
    }
    values.dedup();
    // AWS takes it and does not say what it means.
    if c.chance(1, 40) {
        values.clear();
    } else if values.is_empty() {
        values.push(condition_value(&mut Choices::words(&[]), test, key));
    }
    ConditionDraft {
        set,
        test,
        if_exists: c.chance(1, 5),
        key: name,
        values,
    }
}

/// Principals of a statement. Only a Deny has a `NotPrincipal`, and in a trust policy not even that one.
pub fn principals(
    c: &mut Choices<'_>,
    kind: PolicyKind,
    deny: bool,
    profile: SoakProfile,
) -> PrincipalsDraft {
    let negated = deny && kind != PolicyKind::Trust && c.chance(1, 4);
    let count = c.below(4);
    let all = profile == SoakProfile::Principals || profile == SoakProfile::Trust;
    let mut listed: Vec<(&'static str, String)> = Vec::new();
    for _ in 0..count {
        let one = match c.below(if all { 10 } else { 8 }) {
            0..=4 if all => ("AWS", *c.pick(AWS)),
            0..=4 => ("AWS", *c.pick(&AWS[..FEW_AWS])),
            5 => ("Service", *c.pick(SERVICES)),
            6 => ("Federated", *c.pick(PROVIDERS)),
            7 => ("CanonicalUser", *c.pick(CANONICAL)),
            // Unique ids.
            _ => ("AWS", *c.pick(&AWS[FEW_AWS..FEW_AWS + 3])),
        };
        listed.push((one.0, one.1.to_owned()));
    }
    if negated {
        // NotPrincipal should list the account of everybody it spares, and the role of every session.
        let within = |text: &str| listed.iter().any(|(_, one)| one.contains(text));
        let mut parents = Vec::new();
        if within(":assumed-role/r/") {
            parents.push(("AWS", ROLE));
        }
        if within(":111111111111:") {
            parents.push(if all && c.chance(1, 4) {
                ("CanonicalUser", CANONICAL[0])
            } else {
                ("AWS", ROOT)
            });
        }
        if within("arn:aws-cn:") {
            parents.push(("AWS", "arn:aws-cn:iam::111111111111:root"));
        }
        if all && !parents.is_empty() && c.chance(1, 4) {
            parents.remove(0);
        }
        listed.extend(parents.into_iter().map(|(kind, text)| (kind, text.to_owned())));
        if listed.is_empty() {
            listed.push(("Service", SERVICES[0].to_owned()));
        }
    }
    listed.sort();
    listed.dedup();
    PrincipalsDraft { negated, listed }
}

/// Leaves of several conditions with one operator and key the first one, as JSON does.
pub fn without_duplicates(conditions: &mut Vec<ConditionDraft>) {
    let mut seen: Vec<(String, String)> = Vec::new();
    conditions.retain(|condition| {
        let id = (condition.operator(), condition.key.to_lowercase());
        let new = !seen.contains(&id);
        seen.push(id);
        new
    });
}

/// A statement.
pub fn statement(
    c: &mut Choices<'_>,
    kind: PolicyKind,
    profile: SoakProfile,
    old: bool,
    deny: bool,
) -> StatementDraft {
    let some = |c: &mut Choices<'_>| c.between(1, 2);
    let actions = (0..some(c)).map(|_| action(c, kind, profile)).collect();
    // Some resource policies are about what they are attached to.
    let attached = kind == PolicyKind::Resource && c.chance(1, 10);
    let resources: Vec<String> = if kind == PolicyKind::Trust || attached {
        Vec::new()
    } else {
        (0..some(c)).map(|_| resource(c, !old, profile)).collect()
    };
    // A variable for the account is refused there.
    let variables = resources.iter().any(|resource| has_head_variable(resource));
    let count = *c.pick(profile.conditions());
    let mut conditions = (0..count).map(|_| condition(c, old, profile)).collect();
    without_duplicates(&mut conditions);
    StatementDraft {
        deny,
        principals: kind.has_principal().then(|| principals(c, kind, deny, profile)),
        not_action: c.chance(1, 8),
        actions,
        not_resource: !variables && !resources.is_empty() && c.chance(1, 10),
        resources,
        conditions,
    }
}

/// A policy; the first statement allows.
pub fn policy(c: &mut Choices<'_>, kind: PolicyKind, profile: SoakProfile) -> PolicyDraft {
    let old = matches!(kind, PolicyKind::Resource | PolicyKind::Trust) && c.chance(1, 8);
    let count = c.between(1, 3);
    let statements = (0..count)
        .map(|i| {
            let deny = i > 0 && c.chance(1, 2);
            statement(c, kind, profile, old, deny)
        })
        .collect();
    PolicyDraft {
        kind,
        profile,
        old,
        statements,
    }
}
