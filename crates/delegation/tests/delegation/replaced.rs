//! Users and roles that were deleted: what of them is read, what is written, what is noted down.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use deputy_delegation::{model::*, names::*, naming, quota, trust::*};
use deputy_policy::{Caller, Context, Document, PolicyKind, Request, evaluate_trust};
use serde_json::{Value, json};

use crate::support::*;

const DEPLOY: &str = "arn:aws:iam::999999999999:role/ci/deploy";
const OTHER: &str = "arn:aws:iam::999999999999:role/other";
const ALICE: &str = "arn:aws:iam::123456789012:user/alice";
const OLD: &str = "AROADBQP57FF2AEXAMPLE";
const OLDER: &str = "AROAOLDER7FF2AEXAMPLE";
const OLD_ALICE: &str = "AIDADBQP57FF2AEXAMPLE";

fn unique(id: &str) -> PrincipalId {
    PrincipalId::new(id).unwrap()
}

fn subject(arn: &str, external_id: Option<&str>, replaces: Option<&str>) -> AwsPrincipal {
    let external_id = external_id.map(|id| ExternalId::new(id).unwrap());
    let arn = PrincipalArn::parse(arn).unwrap();
    AwsPrincipal::new(arn, external_id, false, replaces.map(unique)).unwrap()
}

fn named(name: &str, subjects: Vec<AwsPrincipal>) -> Arc<Binding> {
    Arc::new(Binding {
        id: id("payments", name),
        subjects: Subjects::AwsPrincipals(SubjectList::new(subjects).unwrap()),
        ..binding()
    })
}

fn of(arns: &[&str]) -> Arc<Binding> {
    named(
        "partners",
        arns.iter().map(|arn| subject(arn, None, None)).collect(),
    )
}

fn compiled(bindings: &[Arc<Binding>]) -> CompiledTrust {
    compile(&cluster(), &account(), &uploader(), bindings)
}

fn all_of(bindings: &[Arc<Binding>]) -> NamedPrincipals {
    NamedPrincipals::of(bindings, true)
}

/// What is written in place of a trust policy.
fn after(bindings: &[Arc<Binding>], shown: &str) -> WrittenTrust {
    let known = ReplacedPrincipals::shown_by(shown);
    compiled(bindings).against(&all_of(bindings), &known, &BTreeSet::new())
}

/// What AWS shows of a policy once these are deleted.
fn deleted(trust: &Document, ids: &[(&str, &str)]) -> String {
    ids.iter().fold(trust.to_json(), |text, (arn, id)| {
        text.replace(&format!("\"{arn}\""), &format!("\"{id}\""))
    })
}

fn out(written: &WrittenTrust) -> Vec<(&str, Option<&str>)> {
    let left_out = written.left_out.iter();
    let id = |why: &WhyLeftOut| match why {
        WhyLeftOut::Replaced(FormerPrincipal::Known(id)) => Some(id.clone()),
        _ => None,
    };
    left_out
        .map(|p| (p.arn.as_str(), id(&p.why)))
        .map(|(arn, id)| {
            let known = [OLD, OLDER, OLD_ALICE].into_iter();
            (
                arn,
                id.and_then(|id| known.into_iter().find(|k| *k == id.as_str())),
            )
        })
        .collect()
}

fn lets_in(trust: &Document, arn: &str, external_id: Option<&str>) -> bool {
    let mut context = Context::new().with("aws:PrincipalArn", arn);
    context.set("sts:ExternalId", external_id);
    let request = Request {
        action: "sts:AssumeRole".to_owned(),
        resource: naming::role_arn(&cluster(), &account(), &uploader()).to_string(),
        principal: Some(Caller::parse(arn).unwrap()),
        context,
    };
    evaluate_trust(trust, &request).is_allowed()
}

#[test]
fn the_mark_of_a_principal_is_that_of_another_implementation() {
    assert_eq!(naming::principal_mark(DEPLOY), "nokjoomnmogdnodf");
}

#[test]
fn a_user_or_role_has_a_statement_and_a_sid_of_its_own() {
    let bindings = [
        named(
            "first",
            vec![subject(DEPLOY, Some("acme-7"), None), subject(ALICE, None, None)],
        ),
        named(
            "second",
            vec![subject(DEPLOY, None, None), subject("999999999999", None, None)],
        ),
        named("third", vec![subject(DEPLOY, None, None)]),
    ];
    let trust = compiled(&bindings).document;
    assert_golden("trust-principals.json", &trust.to_value());
    assert!(lets_in(&trust, ALICE, None));
    assert!(lets_in(
        &compiled(&bindings[..1]).document,
        DEPLOY,
        Some("acme-7")
    ));
    assert!(!lets_in(&compiled(&bindings[..1]).document, DEPLOY, None));
    assert!(lets_in(&compiled(&bindings[2..]).document, DEPLOY, None));
    assert!(!lets_in(&compiled(&bindings[2..]).document, OTHER, None));
    let policy = caller_policy(
        &naming::role_arn(&cluster(), &account(), &uploader()),
        &[subject(DEPLOY, None, None)],
    );
    assert!(policy.to_json().contains("deputy.payments.uploader"));
}

#[test]
fn one_that_was_deleted_is_left_out_and_noted_down() {
    let bindings = [of(&[DEPLOY, ALICE])];
    let whole = compiled(&bindings).document;
    let shown = deleted(&whole, &[(DEPLOY, OLD)]);
    let written = after(&bindings, &shown);
    assert_golden("trust-replaced.json", &written.document.to_value());
    assert_eq!(out(&written), [(DEPLOY, Some(OLD))]);
    assert!(!lets_in(&written.document, DEPLOY, None));
    assert!(lets_in(&written.document, ALICE, None));
    // Written, it says the same again; and so it does once nobody is trusted in between.
    for shown in [
        written.document.to_json(),
        closed(&shown).to_json(),
        closed(&written.document.to_json()).to_json(),
    ] {
        assert_eq!(after(&bindings, &shown), written, "{shown}");
    }
    // Nobody else is left: what is noted down stands beside the deny.
    let alone = after(&[of(&[DEPLOY])], &shown);
    assert_eq!(
        alone.document,
        closed(&deleted(&compiled(&[of(&[DEPLOY])]).document, &[(DEPLOY, OLD)]))
    );
    assert!(!lets_in(&alone.document, ALICE, None));
}

#[test]
fn several_at_once_are_noted_down() {
    let bindings = [of(&[DEPLOY, OTHER, ALICE])];
    let ids = [(DEPLOY, OLD), (OTHER, OLDER), (ALICE, OLD_ALICE)];
    let shown = deleted(&compiled(&bindings).document, &ids);
    let mut expected = ids.map(|(arn, id)| (arn, Some(id)));
    expected.sort_unstable();
    for shown in [shown.clone(), closed(&shown).to_json()] {
        let mut found = after(&bindings, &shown);
        found.left_out.sort_by(|a, b| a.arn.cmp(&b.arn));
        assert_eq!(out(&found), expected);
        assert!(found.document.size() <= quota::TRUST_POLICY);
    }
}

#[test]
fn trust_returns_only_by_the_id_that_is_gone() {
    let shown = closed(&deleted(&compiled(&[of(&[DEPLOY])]).document, &[(DEPLOY, OLD)])).to_json();
    for (replaces, trusted) in [(None, false), (Some(OLDER), false), (Some(OLD), true)] {
        let bindings = [named("partners", vec![subject(DEPLOY, None, replaces)])];
        let written = after(&bindings, &shown);
        assert_eq!(lets_in(&written.document, DEPLOY, None), trusted, "{replaces:?}");
        assert_eq!(written.left_out.is_empty(), trusted);
        // Trusted knowingly, it is not noted down any more; and the next one that goes is another one.
        assert_eq!(written.document.to_json().contains(OLD), !trusted);
        let again = after(&bindings, &deleted(&written.document, &[(DEPLOY, OLDER)]));
        let expected = if trusted { OLDER } else { OLD };
        assert_eq!(out(&again), [(DEPLOY, Some(expected))]);
        // Without it again: who is there now was trusted knowingly.
        let without = after(&[of(&[DEPLOY])], &written.document.to_json());
        assert_eq!(without.left_out.is_empty(), trusted);
    }
}

#[test]
fn who_does_not_know_of_it_stays_left_out_beside_who_does() {
    let bindings = |second: Option<&str>| {
        [
            named("knows", vec![subject(DEPLOY, Some("acme-7"), Some(OLD))]),
            named("second", vec![subject(DEPLOY, None, second)]),
        ]
    };
    let shown = deleted(&compiled(&bindings(None)).document, &[(DEPLOY, OLD)]);
    let first = after(&bindings(None), &shown);
    assert!(lets_in(&first.document, DEPLOY, Some("acme-7")) && !lets_in(&first.document, DEPLOY, None));
    assert_eq!(after(&bindings(None), &first.document.to_json()), first);
    // The one that was trusted knowingly goes, too: that one is meant from now on.
    let again = after(&bindings(None), &deleted(&first.document, &[(DEPLOY, OLDER)]));
    assert_eq!(out(&again), [(DEPLOY, Some(OLDER))]);
    assert!(!lets_in(&again.document, DEPLOY, Some("acme-7")));
    let both = after(&bindings(Some(OLD)), &first.document.to_json());
    assert!(lets_in(&both.document, DEPLOY, None) && both.left_out.is_empty());
    assert!(!both.document.to_json().contains(OLD));
}

#[test]
fn what_is_noted_down_goes_when_no_binding_names_the_principal() {
    let shown = deleted(&compiled(&[of(&[DEPLOY, ALICE])]).document, &[(DEPLOY, OLD)]);
    let gone = after(&[of(&[ALICE])], &shown);
    assert!(!gone.document.to_json().contains(OLD));
    // One that is not accepted names it still, and so may one that can't be read.
    let accepted = [of(&[ALICE])];
    let known = ReplacedPrincipals::shown_by(&shown);
    for names in [
        all_of(&[of(&[ALICE]), named("refused", vec![subject(DEPLOY, None, None)])]),
        NamedPrincipals::of(&accepted, false),
    ] {
        let written = compiled(&accepted).against(&names, &known, &BTreeSet::new());
        assert!(written.document.to_json().contains(OLD));
        assert!(written.left_out.is_empty());
    }
}

#[test]
fn the_status_of_the_role_remembers_what_somebody_took_from_the_policy() {
    let bindings = [of(&[DEPLOY])];
    let remembered = BTreeMap::from([(DEPLOY.to_owned(), unique(OLD))]);
    let written = |shown: Option<&str>| {
        let known = shown.map(ReplacedPrincipals::shown_by).unwrap_or_default();
        let known = known.and_remembered(remembered.clone());
        compiled(&bindings).against(&all_of(&bindings), &known, &BTreeSet::new())
    };
    for shown in [None, Some(deny_all().to_json())] {
        let written = written(shown.as_deref());
        assert_eq!(out(&written), [(DEPLOY, Some(OLD))]);
        assert!(written.document.to_json().contains(OLD));
    }
    // The status is older than a policy that shows it.
    assert!(
        written(Some(&compiled(&bindings).document.to_json()))
            .left_out
            .is_empty()
    );
}

#[test]
fn an_id_in_a_statement_of_somebody_else_may_be_anybodys() {
    let by_hand = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": OLD}}});
    for shown in [by_hand.to_string(), closed(&by_hand.to_string()).to_json()] {
        // It is the id of a role: a user is not meant.
        let written = after(&[of(&[DEPLOY, ALICE])], &shown);
        assert_eq!(out(&written), [(DEPLOY, Some(OLD))]);
        let knowing = [named("partners", vec![subject(DEPLOY, None, Some(OLD))])];
        let knowing = after(&knowing, &shown);
        assert!(knowing.left_out.is_empty() && !knowing.document.to_json().contains(OLD));
        assert!(!after(&[of(&[ALICE])], &shown).document.to_json().contains(OLD));
    }
}

#[test]
fn a_policy_that_can_not_be_read_may_have_held_any_of_them() {
    let strange = |who: &str| {
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Perhaps", "Principal": {"AWS": who}}})
            .to_string()
    };
    let bindings = [of(&[DEPLOY, "999999999999"])];
    assert!(after(&bindings, &strange("123456789012")).left_out.is_empty());
    for shown in [strange(OLD), closed(&strange(OLD)).to_json()] {
        let written = after(&bindings, &shown);
        assert_eq!(out(&written), [(DEPLOY, None)]);
        assert!(matches!(
            written.left_out[0].why,
            WhyLeftOut::Replaced(FormerPrincipal::Lost)
        ));
        // By any id, as nobody knows which it was.
        let knowing = after(
            &[named("partners", vec![subject(DEPLOY, None, Some(OLDER))])],
            &shown,
        );
        assert!(knowing.left_out.is_empty());
        assert!(
            after(
                &[named("knows", vec![subject(DEPLOY, None, None)])],
                &knowing.document.to_json()
            )
            .left_out
            .is_empty()
        );
    }
}

/// As many as fit, all of them deleted.
#[test]
fn what_would_be_lost_always_has_room() {
    let arn = |i: usize| format!("arn:aws:iam::999999999999:user/u{i:02}");
    let bindings: Vec<_> = (0..30)
        .map(|i| named(&format!("b{i:02}"), vec![subject(&arn(i), None, None)]))
        .collect();
    let whole = compiled(&bindings);
    let count = bindings.len() - whole.left_out.len();
    assert!((10..16).contains(&count), "{count}");
    assert!(whole.left_out.iter().all(|l| l.size > quota::TRUST_POLICY));
    for dead in 1..=count {
        let text = (0..dead).fold(whole.document.to_json(), |text, i| {
            text.replace(
                &format!("\"{}\"", arn(i)),
                &format!("\"AIDADBQP57FF2AEXAM{i:03}\""),
            )
        });
        for shown in [text.clone(), closed(&text).to_json()] {
            let written = after(&bindings[..count], &shown);
            assert!(written.document.size() <= quota::TRUST_POLICY);
            assert_eq!(written.left_out.len(), dead);
            assert!(
                written
                    .left_out
                    .iter()
                    .all(|l| matches!(&l.why, WhyLeftOut::Replaced(FormerPrincipal::Known(_)))),
                "{written:?}"
            );
        }
    }
}

/// Ids as long as AWS may ever make them: what is known of whom is lost, and said.
#[test]
fn without_room_for_the_record_nobody_new_is_trusted_unknowingly() {
    let arn = |i: usize| format!("arn:aws:iam::999999999999:user/u{i:02}");
    let long = |i: usize| format!("AIDA{}{i:02}", "X".repeat(122));
    let subjects: Vec<_> = (0..12).map(|i| subject(&arn(i), None, None)).collect();
    let bindings = [named("partners", subjects)];
    let text = (0..11).fold(compiled(&bindings).document.to_json(), |text, i| {
        text.replace(&format!("\"{}\"", arn(i)), &format!("\"{}\"", long(i)))
    });
    let closed = closed(&text);
    assert!(closed.size() <= quota::TRUST_POLICY);
    for shown in [text, closed.to_json()] {
        let written = after(&bindings, &shown);
        assert!(written.document.size() <= quota::TRUST_POLICY);
        for i in 0..11 {
            assert!(!lets_in(&written.document, &arn(i), None));
        }
        let again = after(&bindings, &written.document.to_json());
        assert_eq!(again.document, written.document);
    }
}

#[test]
fn whom_aws_does_not_know_is_left_out_alone() {
    let unknown: BTreeSet<String> = [DEPLOY, "arn:aws:iam::777777777777:root"]
        .map(str::to_owned)
        .into();
    let bindings = [of(&[DEPLOY, ALICE, "999999999999", "777777777777"])];
    let whole = compiled(&bindings);
    assert_eq!(whole.principals().count(), 4);
    let known = ReplacedPrincipals::default();
    let written = whole.against(&all_of(&bindings), &known, &unknown);
    assert!(
        written
            .left_out
            .iter()
            .all(|l| l.why == WhyLeftOut::Unknown && unknown.contains(&l.arn))
    );
    assert_eq!(written.left_out.len(), 2);
    assert!(lets_in(&written.document, ALICE, None) && lets_in(&written.document, OTHER, None));
    assert!(!lets_in(
        &written.document,
        "arn:aws:iam::777777777777:role/r",
        None
    ));
}

/// A statement that holds the record denies nobody, and every other one as it would without.
#[test]
fn the_record_grants_and_denies_nothing() {
    let bindings = [of(&[DEPLOY, OTHER])];
    let shown = deleted(&compiled(&bindings).document, &[(OTHER, OLD)]);
    let written = after(&bindings, &shown).document;
    let record: Vec<Value> = written.to_value()["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|s| s["Effect"] == "Deny")
        .cloned()
        .collect();
    assert_eq!(record.len(), 1);
    assert!(lets_in(&written, DEPLOY, None));
    let mut issuer = for_issuer(&cluster(), &account(), &uploader()).to_value();
    issuer["Statement"].as_array_mut().unwrap().extend(record);
    let issuer = Document::from_value(&issuer, PolicyKind::Trust).unwrap();
    assert!(evaluate_trust(&issuer, &broker_request("sts:AssumeRole")).is_allowed());
}
