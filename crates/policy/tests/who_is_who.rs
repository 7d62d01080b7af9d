//! Principals in every spelling: accounts by number and root ARN, users, roles with and without path, sessions, federated
//! sessions, unique ids, canonical user ids, origin access identities, services, providers. Every pair of small policies, for
//! everybody there is, with the unique ids and canonical user ids given to every user, role, account and identity, and to
//! none. `PROPTEST_CASES` makes the runs longer.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use deputy_policy::{Context, PolicyKind};
use deputy_policy_testing::generate::identities::CallerNames;
use deputy_policy_testing::{
    engine::KnownRequest,
    naive::KnownCaller,
    small_worlds::{ChosenStatements, JudgedPolicy, SmallWorld, Tally, document, request, some_of},
};
use proptest::test_runner::Config;
use serde_json::{Value, json};

const ACCOUNT: &str = "111111111111";
const ROOT: &str = "arn:aws:iam::111111111111:root";
const USER: &str = "arn:aws:iam::111111111111:user/a";
const ROLE: &str = "arn:aws:iam::111111111111:role/r";
const ROLE_WITH_PATH: &str = "arn:aws:iam::111111111111:role/p/r";
const SESSION: &str = "arn:aws:sts::111111111111:assumed-role/r/s";
const FEDERATED: &str = "arn:aws:sts::111111111111:federated-user/f";
const USER_ID: &str = "AIDAUSERNUMBERONE001";
const ROLE_ID: &str = "AROAROLENUMBERONE001";
const IDENTITY: &str = "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity EONE";
const CANONICAL: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Every spelling alone, and some together.
fn spellings() -> Vec<Value> {
    vec![
        json!("*"),
        json!({"AWS": ACCOUNT}),
        json!({"AWS": ROOT}),
        json!({"AWS": USER}),
        json!({"AWS": "arn:aws:iam::111111111111:user/p/a"}),
        json!({"AWS": ROLE}),
        json!({"AWS": ROLE_WITH_PATH}),
        json!({"AWS": SESSION}),
        json!({"AWS": FEDERATED}),
        json!({"AWS": USER_ID}),
        json!({"AWS": ROLE_ID}),
        json!({"AWS": IDENTITY}),
        json!({"CanonicalUser": CANONICAL}),
        json!({"AWS": "222222222222"}),
        json!({"Service": "ec2.amazonaws.com"}),
        json!({"Federated": "accounts.google.com"}),
        json!({"Federated": "*"}),
        json!({"AWS": [ROLE, ROLE_WITH_PATH]}),
        json!({"AWS": [USER, USER_ID]}),
        json!({"AWS": [ACCOUNT, "222222222222"], "CanonicalUser": CANONICAL}),
        json!({"AWS": [USER_ID, ROLE_ID]}),
    ]
}

/// Lists of `NotPrincipal`: those that the guide asks for, in several spellings, and those that lack an account or a role.
fn spared() -> Vec<Value> {
    vec![
        json!({"AWS": [ROOT, USER]}),
        json!({"AWS": [ACCOUNT, USER_ID]}),
        json!({"AWS": USER, "CanonicalUser": CANONICAL}),
        json!({"AWS": [ACCOUNT, ROLE, SESSION]}),
        json!({"AWS": [ACCOUNT, ROLE_ID, SESSION]}),
        json!({"AWS": [ROLE_WITH_PATH, SESSION], "CanonicalUser": CANONICAL}),
        json!({"AWS": [ACCOUNT, FEDERATED]}),
        json!({"AWS": ACCOUNT}),
        json!({"CanonicalUser": CANONICAL}),
        json!({"AWS": USER}),
        json!({"AWS": USER_ID}),
        json!({"AWS": [ACCOUNT, ROLE]}),
        json!({"AWS": [ACCOUNT, ROLE_ID]}),
        json!({"AWS": [ACCOUNT, SESSION]}),
        json!({"AWS": IDENTITY}),
        json!({"Service": "ec2.amazonaws.com"}),
    ]
}

/// What the README's list of what is not known says of principals.
const NAMED: &str = "whom NotPrincipal spares when the account or role of who is listed is not listed";

fn named(candidate: &JudgedPolicy, ceiling: &JudgedPolicy) -> Option<&'static str> {
    let both = format!("{}{}", candidate.value, ceiling.value);
    both.contains("NotPrincipal").then_some(NAMED)
}

/// What a witness can show of a caller: an ARN, perhaps with what is behind it, or an id; never an ARN with an id of which
/// nobody knows whether it belongs to it.
fn shown(asked: &KnownRequest) -> Vec<String> {
    let who = asked.who.as_ref().unwrap();
    let bounded = who.bounded;
    let mut all = vec![format!("{} {bounded}", who.name)];
    let unnamed = |part: &Option<String>| part.as_ref().map(|part| format!("{part} {bounded}"));
    all.extend(unnamed(&who.role).map(|role| format!("some session of {role}")));
    for behind in [&who.role, &who.user] {
        all.extend(unnamed(behind).map(|behind| format!("{} of {behind}", who.name)));
    }
    if who.user.is_none() {
        all.extend(unnamed(&who.id));
    }
    if who.is_root() {
        all.extend(unnamed(&who.canonical));
    }
    all
}

const ALLOW: bool = false;
const DENY: bool = true;

fn run(kind: PolicyKind, negated: bool) -> Tally {
    let principals = spellings();
    let named_first = principals.len();
    let mut statements: Vec<Value> = principals
        .into_iter()
        .map(|list| json!({"Principal": list}))
        .collect();
    if negated {
        statements.extend(spared().into_iter().map(|list| json!({"NotPrincipal": list})));
    }
    for statement in &mut statements {
        statement["Action"] = json!("sts:a");
        if kind == PolicyKind::Resource {
            statement["Resource"] = json!("*");
        }
    }
    let documents: Vec<Value> = statements
        .iter()
        .map(|one| document(std::slice::from_ref(one)))
        .collect();
    let with = |who: KnownCaller| KnownRequest {
        who: Some(who),
        ..request("sts:a", "arn:aws:iam::111111111111:role/x", Context::new())
    };
    let requests: Vec<KnownRequest> = CallerNames::of(&documents)
        .everybody()
        .into_iter()
        .map(with)
        .collect();
    eprintln!("{} callers", requests.len());
    let all = statements.len();
    let world = SmallWorld::new(kind, statements, requests, shown);
    let mut small: Vec<ChosenStatements> = Vec::new();
    let mut large: Vec<ChosenStatements> = Vec::new();
    for a in 0..named_first {
        small.push(vec![(ALLOW, a)]);
        for b in (0..all).filter(|b| *b != a) {
            small.push(vec![(ALLOW, a), (DENY, b)]);
            if a < b && b < named_first {
                large.push(vec![(ALLOW, a), (ALLOW, b)]);
            }
        }
    }
    large.extend(small.iter().cloned());
    let (candidates, ceilings) = (world.documents(small), world.documents(large));
    let at_most = usize::try_from(Config::default().cases).unwrap() * 64;
    let take = some_of(candidates.len() * ceilings.len(), at_most);
    let tally = world
        .check(&candidates, &ceilings, take, named)
        .unwrap_or_else(|wrong| panic!("{wrong}"));
    eprintln!("{tally:?}");
    tally
}

#[test]
fn whoever_is_named_in_whichever_way() {
    for kind in [PolicyKind::Trust, PolicyKind::Resource] {
        let tally = run(kind, false);
        let Tally {
            contained,
            exceeds,
            unknown,
            named,
            missed,
        } = tally;
        assert!(
            contained > 300 && exceeds > 300 && unknown > 100 && named == 0,
            "the check says too little: {tally:?}"
        );
        // Those who exceed whoever has the id, one way or the other.
        assert!(missed * 100 < exceeds, "{tally:?}");
    }
}

#[test]
fn whoever_is_spared_in_whichever_way() {
    let tally = run(PolicyKind::Resource, true);
    let Tally {
        contained,
        exceeds,
        unknown,
        named,
        missed,
    } = tally;
    assert!(
        contained > 300 && exceeds > 300 && unknown > 100,
        "the check says too little: {tally:?}"
    );
    assert!(
        named * 100 < contained + exceeds && missed * 100 < exceeds,
        "{tally:?}"
    );
}
