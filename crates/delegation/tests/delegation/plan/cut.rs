//! Sessions that are cut while the role stays in use.

use deputy_delegation::{
    cut_sessions::{CutOfServiceAccounts, CutServiceAccounts, CutSessions},
    quota::ROLE_INLINE_POLICIES,
};
use deputy_policy::Document;

use super::*;

const BEFORE: &str = "2026-01-02T03:14:05Z";

fn names(names: &[&str]) -> BTreeSet<ServiceAccountName> {
    names
        .iter()
        .map(|name| ServiceAccountName::new(*name).unwrap())
        .collect()
}

fn these_before(cut: &[&str], accepted: &[&str], issued_before: &str) -> CutSessions {
    cut_before(
        CutServiceAccounts::These {
            cut: names(cut),
            accepted: names(accepted),
        },
        issued_before,
    )
}

fn these(cut: &[&str], accepted: &[&str]) -> CutSessions {
    these_before(cut, accepted, BEFORE)
}

fn all_but_before(accepted: &[&str], issued_before: &str) -> CutSessions {
    let accepted = names(accepted);
    cut_before(CutServiceAccounts::AllBut { accepted }, issued_before)
}

fn all_but(accepted: &[&str]) -> CutSessions {
    all_but_before(accepted, BEFORE)
}

fn cut_before(service_accounts: CutServiceAccounts, issued_before: &str) -> CutSessions {
    CutSessions {
        of_service_accounts: Some(CutOfServiceAccounts {
            service_accounts,
            issued_before: issued_before.to_owned(),
        }),
        everybody_before: None,
        untagged_before: None,
        narrowed: None,
        of_people: None,
    }
}

fn with(cut: &CutSessions, role: DesiredRole) -> DesiredRole {
    let inline = cut.beside(role.inline.as_ref());
    DesiredRole { inline, ..role }
}

/// Whether a session of this ServiceAccount, or one that has no tag, may read.
fn may_read(inline: &Document, service_account: Option<&str>, issued: &str) -> bool {
    let tag = service_account.map(|name| ("deputy-service-account", name));
    may_read_with(inline, tag, issued)
}

#[test]
fn sessions_of_who_was_removed_end_and_all_others_go_on() {
    let (old, new) = ("2026-01-02T03:14:04Z", "2026-01-02T03:14:05Z");
    for (cut, unknown_may) in [
        (these(&["reports", "batch"], &["uploader"]), true),
        (all_but(&["uploader"]), false),
    ] {
        let inline = with(&cut, desired()).inline.unwrap();
        for (who, issued, may) in [
            (Some("reports"), old, false),
            (Some("batch"), old, false),
            (Some("reports"), new, true),
            (Some("uploader"), old, true),
            (Some("somebody"), old, unknown_may),
            // Those of AWS principals, of people, of pods that call STS themselves.
            (None, old, true),
        ] {
            assert_eq!(may_read(&inline, who, issued), may, "{cut:?}: {who:?} {issued}");
        }
    }
    let nobody = with(&all_but(&[]), desired()).inline.unwrap();
    assert!(!may_read(&nobody, Some("uploader"), old));
    assert!(may_read(&nobody, None, old));
}

#[test]
fn where_names_have_no_room_all_others_are_cut_and_else_nobody() {
    let long: Vec<String> = (0..60).map(|n| format!("{n:0>60}")).collect();
    let long: Vec<&str> = long.iter().map(String::as_str).collect();
    let cut = these(&long, &["uploader"]);
    let filled = |size: usize| {
        let resources: Vec<String> = (0..size / 100)
            .map(|n| format!("arn:aws:s3:::{n:0>85}"))
            .collect();
        document(
            PolicyKind::Identity,
            json!([allow(json!(["s3:GetObject"]), json!(resources))]),
        )
    };
    let small = cut.beside(Some(&filled(1000))).unwrap().to_json();
    assert!(small.contains("\"StringEquals\""), "{small}");
    let large = cut.beside(Some(&filled(9000))).unwrap();
    assert!(large.size() <= ROLE_INLINE_POLICIES && large.to_json().contains("\"StringNotEquals\""));
    assert_eq!(cut.beside(Some(&filled(10_100))), None);
    assert!(cut.beside(None).is_some(), "a role of managed policies alone");
}

#[test]
fn sessions_of_everybody_end_and_those_that_come_after_go_on() {
    const LATER: &str = "2026-01-02T03:24:05Z";
    let everybody = |of_service_accounts| CutSessions {
        of_service_accounts,
        everybody_before: Some(BEFORE.to_owned()),
        untagged_before: None,
        narrowed: None,
        of_people: None,
    };
    let these = these_before(&["batch"], &["uploader"], LATER);
    let all_but = all_but_before(&["uploader"], LATER);
    for (cut, batch_may) in [
        (everybody(None), true),
        (everybody(these.of_service_accounts), false),
        (everybody(all_but.of_service_accounts), false),
    ] {
        let role = with(&cut, desired());
        let inline = role.inline.as_ref().unwrap();
        for who in [Some("uploader"), Some("batch"), None] {
            assert!(!may_read(inline, who, "2026-01-02T03:14:04Z"), "{cut:?}: {who:?}");
            let may = who != Some("batch") || batch_may;
            assert_eq!(may_read(inline, who, BEFORE), may, "{cut:?}: {who:?}");
        }
        // Before whatever is given.
        let there = observed(&desired());
        let wider = with(
            &cut,
            desired_with(&BTreeSet::from(["s3:GetObject", "s3:PutObject"])),
        );
        let steps = deputy_delegation::plan::plan(&wider, Some(&there), TaggedOwner::Gone).unwrap();
        assert_eq!(steps[0].call.action(), "iam:PutRolePolicy", "{cut:?}");
        assert_eq!(
            steps[0].nature,
            deputy_delegation::plan::Nature::Shrinks,
            "{cut:?}"
        );
    }
}

#[test]
fn a_cut_is_written_at_once_and_taken_out_whole() {
    for attached in [&[][..], &[READER][..]] {
        let role = DesiredRole {
            attached: managed(attached),
            ..desired()
        };
        let states = [
            role.clone(),
            with(&these(&["batch"], &["uploader"]), role.clone()),
            // A later time, and another name.
            with(
                &these_before(&["batch", "reports"], &["uploader"], "2026-01-02T05:00:00Z"),
                role.clone(),
            ),
        ];
        for (before, after) in [(0, 1), (1, 2), (0, 2)] {
            let there = observed(&states[before]);
            let steps =
                deputy_delegation::plan::plan(&states[after], Some(&there), TaggedOwner::Gone).unwrap();
            let natures: Vec<_> = steps
                .iter()
                .map(|step| (step.call.action(), step.nature))
                .collect();
            assert_eq!(
                natures,
                [("iam:PutRolePolicy", Nature::Shrinks)],
                "{attached:?} {before} {after}"
            );
            // Back again it gives.
            let there = observed(&states[after]);
            let steps =
                deputy_delegation::plan::plan(&states[before], Some(&there), TaggedOwner::Gone).unwrap();
            assert_eq!(steps.len(), 1);
            assert_eq!(steps[0].nature, Nature::Grows);
        }
    }
}

#[test]
fn a_role_that_grows_meanwhile_holds_up_no_cut() {
    let cut = these(&["batch"], &["uploader"]);
    let wider = desired_with(&Actions::from(["s3:DeleteObject", "s3:PutObject"]));
    for (before, after) in [
        (desired(), wider.clone()),
        (
            DesiredRole {
                inline: None,
                attached: managed(&[READER]),
                ..desired()
            },
            DesiredRole {
                attached: managed(&[WRITER]),
                ..wider
            },
        ),
    ] {
        let mut there = Some(observed(&before));
        let steps =
            deputy_delegation::plan::plan(&with(&cut, after), there.as_ref(), TaggedOwner::Gone).unwrap();
        // Whatever is refused of what gives: this is done.
        let first = steps.iter().find(|step| step.nature == Nature::Shrinks).unwrap();
        apply(&first.call, &mut there);
        let text = &there.unwrap().inline[naming::INLINE_POLICY];
        let inline = Document::parse(text, PolicyKind::Identity).unwrap();
        assert!(
            !may_read(&inline, Some("batch"), "2026-01-01T00:00:00Z"),
            "{text}"
        );
    }
}

#[test]
fn drift_of_the_deny_is_reverted() {
    let wanted = with(&these(&["batch"], &["uploader"]), desired());
    let steps = plan(&wanted, Some(&observed(&desired())), TaggedOwner::Gone).unwrap();
    assert_eq!(actions(&steps), ["iam:PutRolePolicy"]);
    assert_eq!(
        plan(&wanted, Some(&observed(&wanted)), TaggedOwner::Gone),
        Ok(vec![])
    );
}

#[test]
fn sessions_without_a_tag_end_and_those_of_the_broker_go_on() {
    let cut = CutSessions {
        of_service_accounts: None,
        everybody_before: None,
        untagged_before: Some(BEFORE.to_owned()),
        narrowed: None,
        of_people: None,
    };
    let role = with(&cut, desired());
    let inline = role.inline.as_ref().unwrap();
    for (who, issued, may) in [
        (None, "2026-01-02T03:14:04Z", false),
        (None, BEFORE, true),
        (Some("uploader"), "2026-01-02T03:14:04Z", true),
    ] {
        assert_eq!(may_read(inline, who, issued), may, "{who:?} {issued}");
    }
}

#[test]
fn a_role_that_is_shut_lets_nobody_in_and_denies_its_sessions_everything() {
    use deputy_delegation::plan::plan_shutting;
    let shut = |aws: Option<&ObservedRole>| calls(plan_shutting(&tags(), &name(), &path(), aws).unwrap());
    let start = observed(&desired());
    let mut aws = Some(start.clone());
    let steps = shut(aws.as_ref());
    let done: Vec<_> = steps.iter().map(IamCall::action).collect();
    assert_eq!(done, ["iam:UpdateAssumeRolePolicy", "iam:PutRolePolicy"]);
    for call in &steps {
        apply(call, &mut aws);
    }
    assert_eq!(shut(aws.as_ref()), vec![]);
    assert_eq!(shut(None), vec![]);
    let left = aws.unwrap();
    assert!(permissions(&left).is_empty(), "{left:?}");
    assert!(!left.trust.contains("Allow") && !left.inline["deputy"].contains("Allow"));
    // All else is as it was.
    let rest = ObservedRole {
        trust: start.trust.clone(),
        inline: start.inline.clone(),
        ..left
    };
    assert_eq!(rest, start);
}
