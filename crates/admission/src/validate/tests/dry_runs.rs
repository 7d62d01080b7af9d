//! Limits that only say what they would refuse.

use super::*;

/// `limit` as a dry run that is only checked, beside the one of the usual cluster.
fn dry(actions: &[&str]) -> Value {
    let mut dry = limit(actions);
    dry["metadata"]["name"] = json!("reading");
    dry["spec"]["enforcement"] = json!("DryRun");
    dry["spec"]["boundary"] = json!({"type": "CheckOnly"});
    dry
}

fn enforced(mut limit: Value) -> Value {
    limit["spec"]["enforcement"] = json!("Enforce");
    limit
}

fn with_roles(count: usize, limits: &[Value]) -> Facts {
    let mut objects = vec![account()];
    objects.extend_from_slice(limits);
    objects.extend((0..count).map(|i| role_of("payments", &format!("r{i:03}"), &["s3:PutObject"])));
    facts(&objects)
}

#[test]
fn what_a_dry_run_would_refuse_is_let_in_with_a_warning() {
    let facts = facts(&[
        account(),
        limit(&["s3:GetObject", "s3:PutObject"]),
        dry(&["s3:GetObject"]),
    ]);
    let answer = create(&facts, &role(&["s3:GetObject", "s3:PutObject"]));
    let warnings = answer.allowed();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let about = "AWSRole uploader: DryRun, would be refused: spec.policies[0].document.Statement[0]";
    assert!(
        warnings[0].starts_with(about) && warnings[0].contains("s3:PutObject"),
        "{warnings:?}"
    );
    assert_eq!(
        (answer.audit("decision"), answer.audit("would-refuse")),
        ("accepted", "reading")
    );
    assert!(create(&facts, &role(&["s3:GetObject"])).allowed().is_empty());
}

#[test]
fn a_dry_run_is_no_limit_by_itself() {
    let answer = create(
        &facts(&[account(), dry(&["s3:GetObject"])]),
        &role(&["s3:GetObject"]),
    );
    let warnings = answer.allowed();
    assert_eq!(answer.audit("reasons"), "NoLimit");
    assert!(
        warnings[1].contains("; reading there with enforcement DryRun, by which nothing"),
        "{warnings:?}"
    );
}

#[test]
fn enforcing_a_dry_run_is_held_like_any_narrowing() {
    let wide = limit(&["s3:GetObject", "s3:PutObject"]);
    let strict = dry(&["s3:GetObject"]);
    let facts = with_roles(6, &[wide.clone(), strict.clone()]);
    let answer = update(&facts, &strict, &enforced(strict.clone()));
    assert!(
        answer
            .denied(403)
            .contains("changed like this, suspend 6 of the 6 grants"),
        "{answer:?}"
    );
    let mut meant = enforced(strict.clone());
    meant["metadata"]["annotations"] = json!({"deputy.dev/accept-suspending": "6"});
    update(&facts, &strict, &meant).allowed();
    // The other way, and of what it was, nothing is suspended.
    update(&facts, &enforced(strict.clone()), &strict).allowed();
    // A dry run may be narrowed, and made, at will.
    let mut narrower = strict.clone();
    narrower["spec"]["ceiling"] = policy(&["s3:GetObject"], "arn:aws:s3:::productionapp/a");
    assert!(update(&facts, &strict, &narrower).allowed().is_empty());
    assert!(create(&with_roles(6, &[wide]), &strict).allowed().is_empty());
    assert!(delete(&facts, &strict).allowed().is_empty());
}

#[test]
fn a_limit_whose_boundary_is_in_use_becomes_no_dry_run() {
    let old = limit(&["s3:GetObject", "s3:PutObject"]);
    let mut new = old.clone();
    new["spec"]["enforcement"] = json!("DryRun");
    let facts = with_roles(1, std::slice::from_ref(&old));
    let answer = update(&facts, &old, &new);
    let message = answer.denied(403);
    assert!(
        message.contains("needs enforcement Enforce") && message.contains("payments/r000"),
        "{message}"
    );
    // Of a dry run nobody carries a boundary.
    let mut check_only = new.clone();
    check_only["spec"]["boundary"] = json!({"type": "CheckOnly"});
    let facts = with_roles(1, std::slice::from_ref(&new));
    assert!(update(&facts, &new, &check_only).allowed().is_empty());
}
