//! Two limits with a boundary where both apply.

use super::*;

fn named(name: &str, namespaces: &[&str]) -> Value {
    let mut limit = limit(&["s3:GetObject"]);
    limit["metadata"]["name"] = json!(name);
    limit["spec"]["namespaces"] = json!(namespaces);
    limit
}

fn beside(namespaces: &[&str]) -> Facts {
    facts(&[account(), named("first", namespaces)])
}

#[test]
fn a_second_limit_with_a_boundary_is_refused_and_both_are_named() {
    let second = named("second", &["orders", "payments"]);
    let answer = create(&beside(&["payments-*", "payments"]), &second);
    let message = answer.denied(403);
    for words in [
        "spec.namespaces[1]: DelegationLimit first has a boundary, and is also for namespaces of \"payments\" in account production, \
         as second is",
        "needs boundary type CheckOnly, enforcement DryRun, or other namespaces (BoundaryOverlap)",
    ] {
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(answer.audit("reasons"), "BoundaryOverlap");
    // Also where one of them only covers the name.
    for namespaces in [&["*"][..], &["pay*"]] {
        create(&beside(namespaces), &second).denied(403);
        create(&beside(&["payments"]), &named("second", namespaces)).denied(403);
    }
}

#[test]
fn a_second_limit_is_let_in_where_both_fit() {
    let first = beside(&["payments"]);
    assert!(
        create(&first, &named("second", &["orders", "pay-*"]))
            .allowed()
            .is_empty()
    );
    let mut check_only = named("second", &["payments"]);
    check_only["spec"]["boundary"] = json!({"type": "CheckOnly"});
    assert!(create(&first, &check_only).allowed().is_empty());
    let mut elsewhere = named("second", &["payments"]);
    elsewhere["spec"]["accounts"] = json!(["staging"]);
    assert!(
        !create(&first, &elsewhere)
            .allowed()
            .iter()
            .any(|w| w.contains("BoundaryOverlap"))
    );
}

#[test]
fn a_dry_run_is_told_of_the_overlap_that_it_would_be() {
    let mut dry_run = named("second", &["payments"]);
    dry_run["spec"]["enforcement"] = json!("DryRun");
    let warnings = create(&beside(&["payments"]), &dry_run).allowed();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let said =
        "DelegationLimit second: BoundaryOverlap, once it is enforced: DelegationLimit first has a boundary";
    assert!(warnings[0].starts_with(said), "{warnings:?}");
    let mut first = limit(&["s3:GetObject", "s3:PutObject"]);
    first["metadata"]["name"] = json!("first");
    let facts = facts(&[account(), first, dry_run.clone()]);
    // What a grant exceeds comes first.
    let warnings = create(&facts, &role(&["s3:PutObject"])).allowed();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(
        warnings[0].contains("does not allow") && warnings[1].contains("each has a boundary"),
        "{warnings:?}"
    );
    // Enforcing it is refused, which says what has to be.
    update(&facts, &dry_run, &named("second", &["payments"])).denied(403);
}

#[test]
fn patterns_that_may_meet_are_a_warning_until_a_namespace_is_there() {
    let warnings = create(&beside(&["team-*"]), &named("second", &["*-prod"])).allowed();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains("BoundaryOverlap: DelegationLimit first has a boundary, and may also be for namespaces of \"*-prod\""),
        "{warnings:?}"
    );
}

#[test]
fn an_overlap_that_is_meant_or_was_there_is_a_warning() {
    let facts = facts(&[
        account(),
        named("first", &["payments"]),
        named("second", &["payments"]),
    ]);
    let old = named("second", &["payments"]);
    let mut new = old.clone();
    new["spec"]["session"]["maxDuration"] = json!("45m");
    let warnings = update(&facts, &old, &new).allowed();
    assert!(warnings[0].contains("BoundaryOverlap"), "{warnings:?}");
    let mut meant = named("third", &["payments"]);
    meant["metadata"]["annotations"] = json!({"deputy.dev/accept-suspending": "0"});
    let warnings = create(&facts, &meant).allowed();
    assert!(
        warnings.iter().filter(|w| w.contains("BoundaryOverlap")).count() == 2,
        "{warnings:?}"
    );
    // What only checks has none, and gets one.
    let mut check_only = old.clone();
    check_only["spec"]["boundary"] = json!({"type": "CheckOnly"});
    update(&facts, &check_only, &old).denied(403);
}
