//! What lies outside of a ceiling, denied.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use deputy_policy::{
    AccessDecision, Caller, Candidate, Context, Document, Effect, Layers, PolicyKind, Request, Seal,
    Situation, evaluate, seal,
};
use deputy_policy_testing::generate::{
    model::PolicyDraft,
    pairs::{PairDraft, pair},
    profiles::SoakProfile,
    requests::{GroupSize, group, keys_of},
};
use deputy_policy_testing::{
    choices::Choices,
    engine::{CheckedVerdict, contain},
};
use proptest::test_runner::Config;
use serde_json::{Value, json};

fn boundary(statements: Value) -> Document {
    let value = json!({"Version": "2012-10-17", "Statement": statements});
    Document::from_value(&value, PolicyKind::Boundary).unwrap()
}

/// The ceiling with all of its seal.
fn with_seal(ceiling: &Document, seal: &Seal) -> Document {
    let added = seal.actions.iter().chain(&seal.resources).cloned();
    let statements = ceiling.statements().iter().cloned().chain(added).collect();
    Document::new(ceiling.version(), statements, ceiling.kind()).unwrap()
}

fn sealed(statements: Value) -> Vec<Value> {
    let ceiling = boundary(statements);
    let all = with_seal(&ceiling, &seal(&ceiling)).to_value();
    let all = all.get("Statement").unwrap().as_array().unwrap();
    all.get(ceiling.statements().len()..).unwrap().to_vec()
}

/// Whether each Allow is sealed by all that is there.
fn is_sealed(statements: Value) -> Vec<bool> {
    let seal = seal(&boundary(statements));
    seal.allows
        .iter()
        .map(|allow| allow.is_sealed(|_| true))
        .collect()
}

fn deny(action: &str, actions: &[&str], resource: &str, resources: &[&str]) -> Value {
    let direct = json!({"BoolIfExists": {"aws:ViaAWSService": "false"}});
    let one_or_more = |texts: &[&str]| match texts {
        [one] => json!(one),
        texts => json!(texts),
    };
    json!({"Effect": "Deny", action: one_or_more(actions), resource: one_or_more(resources), "Condition": direct})
}

#[test]
fn actions_are_denied_on_all_but_their_resources_and_others_everywhere() {
    let statements = json!([
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b"},
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "s3:Put*"], "Resource": "arn:aws:s3:::b/*"},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::other/*"},
        {"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"},
    ]);
    assert_eq!(
        sealed(statements.clone()),
        [
            deny(
                "NotAction",
                &["s3:ListBucket", "s3:GetObject", "s3:Put*", "ec2:Describe*"],
                "Resource",
                &["*"]
            ),
            deny("Action", &["s3:ListBucket"], "NotResource", &["arn:aws:s3:::b"]),
            deny(
                "Action",
                &["s3:GetObject"],
                "NotResource",
                &["arn:aws:s3:::b/*", "arn:aws:s3:::other/*"]
            ),
            deny("Action", &["s3:Put*"], "NotResource", &["arn:aws:s3:::b/*"]),
        ]
    );
    assert_eq!(is_sealed(statements), [true, true, true, true]);
}

#[test]
fn what_no_deny_says_exactly_is_said_to_be_open() {
    let on =
        |action: Value, resource: &str| json!({"Effect": "Allow", "Action": action, "Resource": resource});
    // Elsewhere than in its bucket a part of s3:* is allowed.
    let statements = json!([
        on(json!("s3:*"), "arn:aws:s3:::b/*"),
        on(json!("s3:ListAllMyBuckets"), "*"),
        on(json!("sqs:*"), "arn:aws:sqs:*:*:q"),
    ]);
    assert_eq!(is_sealed(statements.clone()), [false, true, true]);
    assert_eq!(
        sealed(statements).get(1..).unwrap(),
        [deny("Action", &["sqs:*"], "NotResource", &["arn:aws:sqs:*:*:q"])]
    );
    // Nobody can write all but all but.
    let statements = json!([
        {"Effect": "Allow", "NotAction": ["iam:*", "sts:*", "kms:De*"], "Resource": "*"},
        on(json!("kms:Decrypt"), "arn:aws:kms:eu-west-1:123456789012:key/k"),
        {"Effect": "Allow", "Action": "ec2:*", "NotResource": "arn:aws:ec2:*:*:vpc/*"},
    ]);
    let found = seal(&boundary(statements.clone()));
    assert!(!found.has_all_actions);
    assert_eq!(
        sealed(statements.clone()),
        [
            deny("Action", &["iam:*", "sts:*"], "Resource", &["*"]),
            deny(
                "Action",
                &["kms:Decrypt"],
                "NotResource",
                &["arn:aws:kms:eu-west-1:123456789012:key/k"]
            ),
        ]
    );
    assert_eq!(is_sealed(statements), [true, true, true]);
    let statements = json!([{"Effect": "Allow", "Action": "ec2:*", "NotResource": "arn:aws:ec2:*:*:vpc/*"}]);
    assert_eq!(is_sealed(statements), [false]);
}

#[test]
fn where_everything_is_allowed_nothing_is_outside_and_where_nothing_is_all_is() {
    let everything = json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}]);
    assert_eq!(sealed(everything.clone()), Vec::<Value>::new());
    assert!(seal(&boundary(everything)).has_all_actions);
    let nothing = json!([{"Effect": "Deny", "Action": "iam:*", "Resource": "*"}]);
    assert_eq!(sealed(nothing), [deny("Action", &["*"], "Resource", &["*"])]);
}

/// Ceilings of every sort, with requests that are near to them.
fn ceilings(mut each: impl FnMut(SoakProfile, &PairDraft, &Document, &mut Choices<'_>)) {
    use SoakProfile::{Conditions, Everything, Managed, Mixed, Patterns, Variables};
    for profile in [Everything, Patterns, Mixed, Variables, Conditions, Managed] {
        for seed in 0..u64::from(Config::default().cases) {
            let mut c = Choices::seeded(seed);
            let mut pair = pair(&mut c, profile);
            if pair.kind() != PolicyKind::Identity || pair.ceiling.old {
                continue;
            }
            pair.ceiling.kind = PolicyKind::Boundary;
            let ceiling = read(&pair.ceiling);
            each(profile, &pair, &ceiling, &mut c);
        }
    }
}

fn read(draft: &PolicyDraft) -> Document {
    let value = draft.to_value();
    Document::from_value(&value, draft.kind).unwrap_or_else(|e| panic!("{value}: {e}"))
}

#[test]
fn a_seal_takes_nothing_away_from_its_ceiling_and_adds_nothing() {
    let (mut all, mut statements, mut undecided) = (0, 0, 0);
    ceilings(|_, _, ceiling, _| {
        let seal = seal(ceiling);
        let sealed = with_seal(ceiling, &seal);
        all += 1;
        statements += seal.resources.len() + usize::from(seal.actions.is_some());
        for (a, b) in [(ceiling, &sealed), (&sealed, ceiling)] {
            match contain(&Candidate::new(&[a]), b) {
                CheckedVerdict::Contained => {}
                CheckedVerdict::Unknown(_) => undecided += 1,
                wrong => panic!("{wrong:?}\n{}\n{}", a.to_json(), b.to_json()),
            }
        }
    });
    eprintln!("{all} ceilings, {statements} denies, {undecided} comparisons undecided");
    assert!(all > 100 && statements > all, "the check says too little");
    assert!(undecided * 20 < all, "{undecided} of {all}");
}

#[test]
fn a_request_that_a_sealed_ceiling_does_not_allow_is_denied_explicitly() {
    let everything =
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
    let identity = Document::from_value(&everything, PolicyKind::Identity).unwrap();
    let (mut whole, mut denied, mut allowed) = (0, 0, 0);
    ceilings(|_, pair, ceiling, c| {
        let seal = seal(ceiling);
        let is_whole = seal.has_all_actions
            && seal
                .allows
                .iter()
                .all(|allow| allow.is_sealed(|_| true) && !allow.has_conditions);
        let sealed = with_seal(ceiling, &seal);
        whole += u32::from(is_whole);
        let (keys, names) = (keys_of(pair), pair.names());
        for asked in group(c, pair, &keys, &names, GroupSize::SMALL).requests() {
            let mut request = asked.request();
            request.context.set("aws:ViaAWSService", ["false"]);
            let decide = |boundary| {
                let layers = Layers {
                    identity: &[&identity],
                    boundary: Some(boundary),
                    session: None,
                };
                evaluate(&layers, &request).decision
            };
            let (before, after) = (decide(ceiling), decide(&sealed));
            let wrong = || panic!("{before:?} {after:?} {request:?}\n{}", sealed.to_json());
            match (before, after) {
                (AccessDecision::Allowed, AccessDecision::Allowed) => allowed += 1,
                (_, AccessDecision::ExplicitDeny) if before != AccessDecision::Allowed => denied += 1,
                (AccessDecision::ImplicitDeny, AccessDecision::ImplicitDeny) if !is_whole => {}
                _ => wrong(),
            }
        }
    });
    eprintln!("{whole} ceilings sealed wholly; {allowed} requests allowed, {denied} denied");
    assert!(
        whole > 100 && allowed > 1000 && denied > 1000,
        "the check says too little"
    );
}

const SESSION: &str = "arn:aws:sts::123456789012:assumed-role/app/s1";

fn decide(
    ceiling: &Document,
    resource_policy: &Value,
    action: &str,
    resource: &str,
    context: Context,
) -> AccessDecision {
    let everything =
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
    let identity = Document::from_value(&everything, PolicyKind::Identity).unwrap();
    let value = json!({"Version": "2012-10-17", "Statement": resource_policy});
    let of_resource = Document::from_value(&value, PolicyKind::Resource).unwrap();
    let situation = Situation::new()
        .identity([&identity])
        .boundaries([ceiling])
        .resource_policy(&of_resource)
        .resource_account("123456789012");
    let request = Request {
        action: action.to_owned(),
        resource: resource.to_owned(),
        principal: Some(Caller::parse(SESSION).unwrap()),
        context,
    };
    situation.evaluate(&request).unwrap().decision
}

#[test]
fn a_policy_naming_the_session_reaches_outside_only_without_the_seal() {
    let ceiling = boundary(json!([
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::productionapp/*"},
    ]));
    let sealed = with_seal(&ceiling, &seal(&ceiling));
    for principal in [json!({"AWS": SESSION}), json!("*")] {
        let policy = json!({"Effect": "Allow", "Principal": principal, "Action": "*", "Resource": "*"});
        for (action, resource) in [
            ("s3:GetObject", "arn:aws:s3:::customer-records/a"),
            ("s3:PutBucketPolicy", "arn:aws:s3:::productionapp"),
            ("sqs:SendMessage", "arn:aws:sqs:eu-west-1:123456789012:q"),
        ] {
            let ask = |ceiling| decide(ceiling, &policy, action, resource, Context::new());
            assert_eq!(ask(&ceiling), AccessDecision::Allowed, "{action} {principal}");
            assert_eq!(ask(&sealed), AccessDecision::ExplicitDeny, "{action} {principal}");
        }
        let inside = "arn:aws:s3:::productionapp/a";
        assert_eq!(
            decide(&sealed, &policy, "s3:GetObject", inside, Context::new()),
            AccessDecision::Allowed
        );
    }
}

/// The policy of such a key, as AWS writes it: KMS developer guide, "AWS managed keys".
#[test]
fn a_key_that_aws_manages_still_serves_through_its_service() {
    let ceiling = boundary(json!([
        {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"},
    ]));
    let sealed = with_seal(&ceiling, &seal(&ceiling));
    let service = "secretsmanager.eu-west-1.amazonaws.com";
    let policy = json!({
        "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["kms:Decrypt"], "Resource": "*",
        "Condition": {"StringEquals": {"kms:CallerAccount": "123456789012", "kms:ViaService": service}},
    });
    let key = "arn:aws:kms:eu-west-1:123456789012:key/k";
    let with = |via: &str| {
        let mut context = Context::new();
        context.set("kms:CallerAccount", ["123456789012"]);
        context.set("kms:ViaService", [service]);
        context.set("aws:ViaAWSService", [via]);
        context
    };
    let ask = |context| decide(&sealed, &policy, "kms:Decrypt", key, context);
    assert_eq!(ask(with("true")), AccessDecision::Allowed);
    assert_eq!(ask(with("false")), AccessDecision::ExplicitDeny);
    assert!(
        sealed
            .statements()
            .iter()
            .any(|statement| statement.effect == Effect::Deny)
    );
}
