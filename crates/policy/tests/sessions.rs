//! Every way to a temporary credential: what holds of random policies.

#![expect(clippy::panic, reason = "a test ends where it fails")]

use deputy_policy_testing::{
    choices::Choices,
    naive::sessions::NaiveWay,
    sessions::{SessionCounts, session_scene},
};
use proptest::prelude::ProptestConfig as Config;

/// By every way: the evaluator answers as the second one, both who gets a session and what it may do, and what it allows
/// each layer allows that the rule of the way intersects.
fn check(way: NaiveWay) {
    let scenes = u64::from(Config::default().cases) * 3;
    let (mut counts, mut refused) = (SessionCounts::default(), 0);
    for seed in 0..scenes {
        match session_scene(&mut Choices::seeded(seed), way).compare(&mut counts) {
            Ok(()) => {}
            Err(wrong) if wrong.contains("evaluator says") => panic!("seed {seed}: {wrong}"),
            Err(_) => refused += 1,
        }
    }
    eprintln!("{way:?}: {counts:?}; {refused} of {scenes} scenes refused");
    let ((started, starts), (acted, acts)) = (counts.starts, counts.acts);
    assert!(
        started * 40 > starts
            && acted * 40 > acts
            && starts * 2 > scenes
            && acts > scenes
            && refused * 20 < scenes,
        "the check says too little"
    );
}

#[test]
fn assume_role_yields_no_more_than_its_rule_says() {
    check(NaiveWay::AssumeRole);
}

#[test]
fn assume_role_with_saml_yields_no_more_than_its_rule_says() {
    check(NaiveWay::Saml);
}

#[test]
fn assume_role_with_web_identity_yields_no_more_than_its_rule_says() {
    check(NaiveWay::WebIdentity);
}

#[test]
fn get_federation_token_yields_no_more_than_its_rule_says() {
    check(NaiveWay::Federation);
}

#[test]
fn get_session_token_yields_no_more_than_its_rule_says() {
    check(NaiveWay::SessionToken);
}
