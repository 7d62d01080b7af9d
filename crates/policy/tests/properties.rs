//! Properties of documents, of the evaluator and of containment, on random policies that are near to each other.
//! `PROPTEST_CASES` makes the runs longer; `make soak` makes the longest.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::collections::BTreeSet;

use deputy_policy::{Candidate, Containment, Document, PolicyKind, check, contains};
use deputy_policy_testing::generate::{
    edits::edit,
    model::{PolicyDraft, StatementDraft},
    pairs::{PairDraft, pair},
    policies::{policy, statement},
    profiles::SoakProfile,
    requests::{GroupSize, group, keys_of},
};
use deputy_policy_testing::{
    choices::Choices,
    engine::{CheckedVerdict, confirm, contain},
    forge::{
        Forgeries,
        claims::{claiming_more, lacking},
        forge,
    },
    situations::scene,
    soak::SoakCounts,
};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner},
};
use serde_json::json;

/// Decisions for the generators. Fewer and smaller numbers make smaller policies, so shrinking works.
fn words() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0_u32..5040, 0..500)
}

fn config() -> Config {
    Config {
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    }
}

const KINDS: [PolicyKind; 5] = [
    PolicyKind::Identity,
    PolicyKind::Resource,
    PolicyKind::Trust,
    PolicyKind::Session,
    PolicyKind::Boundary,
];

fn read(policy: &PolicyDraft) -> Document {
    let value = policy.to_value();
    Document::from_value(&value, policy.kind).unwrap_or_else(|e| panic!("{value}: {e}"))
}

/// One document against another one.
fn within(candidate: &PolicyDraft, ceiling: &PolicyDraft) -> CheckedVerdict {
    contain(&Candidate::new(&[&read(candidate)]), &read(ceiling))
}

/// A profile whose policies are of this kind, or one of all kinds.
fn of_kind(c: &mut Choices<'_>, kind: PolicyKind) -> SoakProfile {
    use SoakProfile::{Everything, Mixed, Patterns, Principals, Trust, Variables};
    *c.pick(match kind {
        PolicyKind::Trust => &[Everything, Trust],
        PolicyKind::Resource => &[Everything, Principals],
        _ => &[Everything, Mixed, Variables, Patterns],
    })
}

/// A pair of any profile but that of AWS's policies.
fn any_pair(c: &mut Choices<'_>) -> PairDraft {
    use SoakProfile::{Conditions, Everything, Layers, Mixed, Patterns, Principals, Trust, Variables};
    let profile = *c.pick(&[
        Everything, Everything, Mixed, Principals, Trust, Variables, Conditions, Layers, Patterns,
    ]);
    pair(c, profile)
}

/// Three policies, each an edited copy of the one before.
fn chain(c: &mut Choices<'_>, kind: PolicyKind) -> [PolicyDraft; 3] {
    let profile = of_kind(c, kind);
    let a = policy(c, kind, profile);
    let next = |c: &mut Choices<'_>, policy: &PolicyDraft| {
        let mut copy = policy.clone();
        for _ in 0..c.below(3) {
            let wider = !c.chance(1, 4);
            edit(c, &mut copy, wider);
        }
        copy
    };
    let b = next(c, &a);
    let d = next(c, &b);
    [a, b, d]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn canonical_json_parses_to_the_same_document(words in words(), kind in prop::sample::select(&KINDS)) {
        let mut c = Choices::words(&words);
        let profile = of_kind(&mut c, kind);
        let document = read(&policy(&mut c, kind, profile));
        let again = Document::parse(&document.to_json(), kind).unwrap();
        prop_assert_eq!(&again, &document);
        prop_assert_eq!(again.to_json(), document.to_json());
        prop_assert!(again.semantically_eq(&document));
        prop_assert_eq!(again.to_value(), document.to_value());
    }

    #[test]
    fn parsing_never_panics(text in "\\PC{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(Document::parse(&text, PolicyKind::Identity));
        drop(Document::parse(&String::from_utf8_lossy(&bytes), PolicyKind::Trust));
        let value = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": text, "Resource": text,
            "Condition": {"DateEquals": {"a:d": text}, "StringLike": {"a:k": text}, "IpAddress": {"a:i": text},
                "NumericEquals": {"a:n": text}, "BinaryEquals": {"a:x": text}, "ArnLike": {"a:a": text}}}});
        drop(Document::from_value(&value, PolicyKind::Identity));
    }

    #[test]
    fn both_evaluators_agree_on_single_documents_and_on_layers(words in words()) {
        let mut c = Choices::words(&words);
        let pair = any_pair(&mut c);
        both_agree(&mut c, &pair).map_err(|e| TestCaseError::fail(format!("{e}\n{pair}")))?;
    }

    #[test]
    fn every_policy_contains_itself(words in words(), kind in prop::sample::select(&KINDS)) {
        let mut c = Choices::words(&words);
        let profile = of_kind(&mut c, kind);
        let policy = policy(&mut c, kind, profile);
        prop_assert_eq!(within(&policy, &policy), CheckedVerdict::Contained);
    }

    #[test]
    fn a_further_allow_of_the_ceiling_does_not_narrow_it(words in words(), kind in prop::sample::select(&KINDS)) {
        let mut c = Choices::words(&words);
        let [a, mut b, _] = chain(&mut c, kind);
        if within(&a, &b) == CheckedVerdict::Contained {
            b.statements.push(statement(&mut c, kind, b.profile, b.old, false));
            let answer = within(&a, &b);
            prop_assert!(!answer.exceeds(), "{answer:?}");
        }
    }

    #[test]
    fn a_further_deny_of_the_candidate_does_not_widen_it(words in words(), kind in prop::sample::select(&KINDS)) {
        let mut c = Choices::words(&words);
        let [mut a, b, _] = chain(&mut c, kind);
        if within(&a, &b) == CheckedVerdict::Contained {
            a.statements.push(statement(&mut c, kind, a.profile, a.old, true));
            let answer = within(&a, &b);
            prop_assert!(!answer.exceeds(), "{answer:?}");
        }
    }

    #[test]
    fn containment_is_transitive_where_it_is_decided(words in words(), kind in prop::sample::select(&KINDS)) {
        let [a, b, d] = chain(&mut Choices::words(&words), kind);
        let (ab, bd, ad) = (within(&a, &b), within(&b, &d), within(&a, &d));
        let contained = |verdict: &CheckedVerdict| *verdict == CheckedVerdict::Contained;
        prop_assert!(!(contained(&ab) && contained(&bd) && ad.exceeds()), "{ad:?}");
    }

    #[test]
    fn a_witness_is_possible_and_convinces_both_evaluators(words in words()) {
        let pair = any_pair(&mut Choices::words(&words));
        let documents = pair.documents().unwrap();
        if let CheckedVerdict::Exceeds(witness, bounded) = contain(&documents.candidate(), &documents.ceiling) {
            confirm(pair.kind(), &pair.values(), &pair.ceiling.to_value(), &witness, bounded).map_err(|e| TestCaseError::fail(format!("{e}\n{pair}")))?;
        }
    }
}

fn both_agree(c: &mut Choices<'_>, pair: &PairDraft) -> Result<(), String> {
    let documents = pair.documents()?;
    let layers: Vec<Vec<&Document>> = documents
        .layers
        .iter()
        .map(|layer| layer.iter().collect())
        .collect();
    let layers: Vec<&[&Document]> = layers.iter().map(Vec::as_slice).collect();
    let (keys, names) = (keys_of(pair), pair.names());
    let mut counts = SoakCounts::default();
    for _ in 0..4 {
        for asked in group(c, pair, &keys, &names, GroupSize::SMALL).requests() {
            counts.compare(pair, &names, &documents.ceiling, &layers, &asked)?;
        }
    }
    Ok(())
}

#[test]
fn both_evaluators_agree_on_the_whole_decision() {
    let (mut allowed, mut all, mut refused) = (0, 0, 0);
    let scenes = u64::from(Config::default().cases) * 4;
    for seed in 0..scenes {
        let (scene, group) = scene(&mut Choices::seeded(seed), SoakProfile::Everything);
        match scene.compare(&group) {
            Ok((of_scene, requests)) => {
                allowed += of_scene;
                all += requests;
            }
            Err(wrong) if wrong.contains("evaluator says") => panic!("seed {seed}: {wrong}"),
            Err(_) => refused += 1,
        }
    }
    eprintln!("{allowed} of {all} requests allowed; {refused} of {scenes} scenes refused");
    assert!(
        allowed * 20 > all && all > scenes && refused * 20 < scenes,
        "the check says too little"
    );
}

/// A short run of what `make soak` runs for long: no sampled request contradicts *contained*, witnesses convince both
/// evaluators, and the requests are worth something.
#[test]
fn no_sampled_request_contradicts_contained() {
    let pairs = u64::from(Config::default().cases);
    let seed = std::env::var("SOAK_SEED").map_or(1, |seed| seed.parse().unwrap());
    for profile in SoakProfile::ALL {
        let mut counts = SoakCounts::default();
        for trial in 0..pairs {
            if let Err(wrong) = counts.trial(seed + trial, profile) {
                panic!("{wrong}");
            }
        }
        eprintln!("{}\n{counts}", profile.name());
        // A short run may miss by a little what a long one reaches.
        let thresholds = profile.thresholds().scaled(0.7);
        assert_eq!(counts.vacuous(thresholds), None, "{}\n{counts}", profile.name());
    }
}

#[test]
fn no_forged_certificate_proves_what_exceeds() {
    let mut forgeries = Forgeries::default();
    for seed in 0..u64::from(Config::default().cases) * 2 {
        let mut c = Choices::seeded(seed);
        let pair = any_pair(&mut c);
        if let Err(wrong) = forge(&mut c, &pair, &mut forgeries) {
            panic!("seed {seed}: {wrong}\nforged from\n{pair}");
        }
    }
    eprintln!("{forgeries:?}");
    let Forgeries {
        tried,
        refused,
        on_exceeding,
    } = forgeries;
    assert!(
        refused * 4 > tried && on_exceeding * 20 > tried,
        "the check says too little"
    );
}

/// What is left out is missed, and what is claimed besides is noticed.
#[test]
fn a_certificate_with_something_wrong_is_refused() {
    let mut tried = 0;
    for seed in 0..u64::from(Config::default().cases) * 2 {
        let pair = any_pair(&mut Choices::seeded(seed));
        let documents = pair.documents().unwrap();
        let candidate = documents.candidate();
        let Containment::Contained(certificate) = contains(&candidate, &documents.ceiling) else {
            continue;
        };
        let mut wrong = claiming_more(&certificate);
        wrong.extend(lacking(&certificate));
        for (i, forged) in wrong.iter().enumerate() {
            let answer = check(forged, &candidate, &documents.ceiling);
            assert!(
                answer.is_err(),
                "seed {seed}, forgery {i} of {certificate:?}: {forged:?}\n{pair}"
            );
        }
        tried += wrong.len();
    }
    assert!(tried > 1000, "the check says too little: {tried}");
}

/// What a platform team may take out of a ceiling, because nothing rests on it.
#[test]
fn without_the_allows_that_a_certificate_does_not_rest_on_all_stays_contained() {
    let (mut fewer, mut by_cases) = (0, 0);
    for seed in 0..u64::from(Config::default().cases) * 8 {
        let pair = any_pair(&mut Choices::seeded(seed));
        let documents = pair.documents().unwrap();
        let candidate = documents.candidate();
        let ceiling = &documents.ceiling;
        let Containment::Contained(certificate) = contains(&candidate, ceiling) else {
            continue;
        };
        let allows = ceiling.statements().iter().enumerate();
        let allows: Vec<usize> = allows
            .filter(|(_, s)| s.effect == deputy_policy::Effect::Allow)
            .map(|(i, _)| i)
            .collect();
        let rests_on = certificate.rests_on(&allows);
        let statements = ceiling.statements().iter().enumerate();
        let kept: Vec<_> = statements
            .filter(|(i, s)| s.effect == deputy_policy::Effect::Deny || rests_on.contains(i))
            .map(|(_, s)| s.clone())
            .collect();
        let count = kept.len();
        let Ok(narrower) = Document::new(ceiling.version(), kept, ceiling.kind()) else {
            continue;
        };
        let answer = contains(&candidate, &narrower);
        assert!(
            !matches!(answer, Containment::Exceeds(_)),
            "seed {seed}: {answer:?} without all but {rests_on:?}\n{pair}"
        );
        if count < ceiling.statements().len() && answer.is_contained() {
            fewer += 1;
            by_cases += usize::from(certificate.distinctions() > 0);
        }
    }
    eprintln!("{fewer} ceilings became smaller, {by_cases} of them with case distinctions");
    assert!(
        fewer > 100 && by_cases > 5,
        "the check says too little: {fewer}, {by_cases}"
    );
}

#[test]
fn the_generator_uses_the_whole_language() {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for seed in 0..4000 {
        let pair = any_pair(&mut Choices::seeded(seed));
        seen.insert(format!("layers {}", pair.layers.len()));
        for policy in pair.policies() {
            seen.insert(format!(
                "{:?} {}",
                policy.kind,
                if policy.old { "2008" } else { "2012" }
            ));
            for statement in &policy.statements {
                elements_of(statement, &mut seen);
            }
        }
    }
    for test in deputy_policy::Test::ALL {
        let name = test.as_str();
        assert!(seen.contains(name), "{name}");
        if name != "Null" {
            assert!(seen.contains(&format!("{name}IfExists")), "{name}IfExists");
        }
    }
    for wanted in [
        "Allow",
        "Deny",
        "NotAction",
        "NotResource",
        "NotPrincipal",
        "${aws:username}",
        "${aws:username, 'a'}",
        "${*}",
        "layers 1",
        "layers 2",
        "layers 3",
        "Identity 2012",
        "Boundary 2012",
        "Session 2012",
        "Resource 2012",
        "Resource 2008",
        "Trust 2012",
        "ForAllValues:StringLike",
        "ForAnyValue:StringNotEqualsIfExists",
        "AWS",
        "Service",
        "Federated",
        "CanonicalUser",
        "anyone",
    ] {
        assert!(seen.contains(wanted), "{wanted}");
    }
}

fn elements_of(statement: &StatementDraft, seen: &mut BTreeSet<String>) {
    let mut note = |what: &str| seen.insert(what.to_owned());
    note(if statement.deny { "Deny" } else { "Allow" });
    if statement.not_action {
        note("NotAction");
    }
    if statement.not_resource {
        note("NotResource");
    }
    if let Some(principals) = &statement.principals {
        if principals.negated {
            note("NotPrincipal");
        }
        if principals.listed.is_empty() {
            note("anyone");
        }
        for (kind, _) in &principals.listed {
            note(kind);
        }
    }
    for resource in &statement.resources {
        if let (Some(from), Some(to)) = (resource.find("${"), resource.find('}')) {
            note(resource.get(from..=to).unwrap());
        }
    }
    for condition in &statement.conditions {
        note(&condition.operator());
    }
}

#[test]
fn shrinking_finds_small_counterexamples() {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config(), rng);
    let found = runner.run(&words(), |words| {
        let policy = policy(
            &mut Choices::words(&words),
            PolicyKind::Identity,
            SoakProfile::Everything,
        );
        let negated =
            |s: &StatementDraft| s.deny && s.conditions.iter().any(|one| one.test == "StringNotLike");
        prop_assert!(!policy.statements.iter().any(negated));
        Ok(())
    });
    let Err(TestError::Fail(_, words)) = found else {
        panic!("{found:?}");
    };
    let small = policy(
        &mut Choices::words(&words),
        PolicyKind::Identity,
        SoakProfile::Everything,
    )
    .to_value()
    .to_string();
    assert!(small.len() < 400, "{small}");
}
