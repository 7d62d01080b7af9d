//! The order of the calls with managed policies beside the inline one.

use super::*;

#[test]
fn a_new_role_has_its_denies_before_anything_is_attached() {
    let get = BTreeSet::from(["s3:GetObject"]);
    let put = BTreeSet::from(["s3:PutObject"]);
    let none = Actions::new();
    for (policy, calls) in [
        (
            None,
            &["iam:CreateRole", "iam:AttachRolePolicy", "iam:AttachRolePolicy"][..],
        ),
        (
            Some(inline(&get, &none)),
            &[
                "iam:CreateRole",
                "iam:AttachRolePolicy",
                "iam:AttachRolePolicy",
                "iam:PutRolePolicy",
            ],
        ),
        (
            Some(inline(&get, &put)),
            &[
                "iam:CreateRole",
                "iam:PutRolePolicy",
                "iam:AttachRolePolicy",
                "iam:AttachRolePolicy",
                "iam:PutRolePolicy",
            ],
        ),
    ] {
        let desired = DesiredRole {
            inline: policy,
            attached: managed(&[ADMIN, WRITER]),
            ..desired()
        };
        assert_eq!(actions(&plan(&desired, None, TaggedOwner::Gone).unwrap()), calls);
    }
}

#[test]
fn ten_managed_policies_are_exchanged_for_ten_others() {
    let ten = |name: &str| -> BTreeSet<ManagedPolicyArn> {
        let arns: Vec<_> = (0..10)
            .map(|i| format!("arn:aws:iam::aws:policy/{name}{i}"))
            .collect();
        managed(&arns.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let with = |attached| DesiredRole {
        attached,
        ..desired()
    };
    let mut aws = Some(observed(&with(ten("before"))));
    // The model of IAM in these tests takes ten.
    for call in plan(&with(ten("after")), aws.as_ref(), TaggedOwner::Gone).unwrap() {
        apply(&call, &mut aws);
    }
    let end = aws.unwrap();
    assert_eq!(end.attached.len(), 10);
    assert_eq!(
        plan(&with(ten("after")), Some(&end), TaggedOwner::Gone),
        Ok(vec![])
    );
    // One is exchanged: it is there before the other goes.
    let mut one = ten("after");
    one.pop_last();
    let aws = observed(&with(one.clone()));
    one.pop_last();
    one.extend(managed(&[ADMIN]));
    let calls = plan(&with(one), Some(&aws), TaggedOwner::Gone).unwrap();
    assert_eq!(actions(&calls), ["iam:AttachRolePolicy", "iam:DetachRolePolicy"]);
}

#[test]
fn an_inline_policy_that_is_wanted_no_more_goes_after_what_takes_its_place() {
    let before = observed(&desired());
    let managed_alone = DesiredRole {
        inline: None,
        attached: managed(&[READER]),
        ..desired()
    };
    let calls = plan(&managed_alone, Some(&before), TaggedOwner::Gone).unwrap();
    assert_eq!(actions(&calls), ["iam:AttachRolePolicy", "iam:DeleteRolePolicy"]);
    let calls = plan(&desired(), Some(&observed(&managed_alone)), TaggedOwner::Gone).unwrap();
    assert_eq!(actions(&calls), ["iam:PutRolePolicy", "iam:DetachRolePolicy"]);
}

/// A policy that allows this and denies `size` characters of something else.
fn large(allowed: &'static str, filler: &str, size: usize) -> deputy_policy::Document {
    let mut policy = identity_with(&BTreeSet::from([allowed]), &BTreeSet::from(["s3:DeleteObject"]));
    policy["Statement"][1]["Sid"] = json!(filler.repeat(size));
    deputy_policy::Document::from_value(&policy, PolicyKind::Identity).unwrap()
}

#[test]
fn denies_that_do_not_fit_side_by_side_leave_less_for_a_moment_and_never_more() {
    let before = DesiredRole {
        inline: Some(large("s3:GetObject", "x", 9000)),
        attached: managed(&[ADMIN]),
        ..desired()
    };
    let mut after = DesiredRole {
        inline: Some(large("s3:PutObject", "y", 9000)),
        attached: managed(&[READER]),
        ..desired()
    };
    let mut aws = observed(&before);
    // The same deny: it stays all the time.
    let calls = plan(&after, Some(&aws), TaggedOwner::Gone).unwrap();
    assert_eq!(
        actions(&calls),
        [
            "iam:AttachRolePolicy",
            "iam:PutRolePolicy",
            "iam:DetachRolePolicy"
        ]
    );
    // Another one: what the old one denies goes before it, and what the new one denies comes after it.
    let text = aws.inline[naming::INLINE_POLICY].replace("s3:DeleteObject", "s3:ListBucket");
    aws.inline.insert(naming::INLINE_POLICY.to_owned(), text);
    let calls = plan(&after, Some(&aws), TaggedOwner::Gone).unwrap();
    assert_eq!(
        actions(&calls),
        [
            "iam:DetachRolePolicy",
            "iam:PutRolePolicy",
            "iam:AttachRolePolicy"
        ]
    );
    // They fit: both are there meanwhile.
    after.inline = Some(large("s3:PutObject", "y", 10));
    let calls = plan(&after, Some(&aws), TaggedOwner::Gone).unwrap();
    assert_eq!(
        actions(&calls),
        [
            "iam:PutRolePolicy",
            "iam:AttachRolePolicy",
            "iam:PutRolePolicy",
            "iam:DetachRolePolicy",
            "iam:PutRolePolicy"
        ]
    );
}

#[test]
fn under_a_boundary_that_exceeds_the_limit_managed_policies_close_a_role() {
    let ceiling =
        deputy_policy::Document::from_value(&identity(&Actions::from(ACTIONS)), PolicyKind::Boundary)
            .unwrap();
    let theirs: ManagedPolicyArn = "arn:aws:iam::123456789012:policy/team".parse().unwrap();
    let with = |attached: &[&str]| DesiredRole {
        attached: managed(attached),
        boundary: Some(theirs.clone()),
        ..desired()
    };
    for (attached, there, wanted) in [
        (&[READER][..], BoundaryInAws::Outdated, &[][..]),
        (
            &[READER],
            BoundaryInAws::Exceeding,
            &["iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"],
        ),
        (&[], BoundaryInAws::Exceeding, &[]),
    ] {
        let role = with(attached);
        let steps = plan_hold(
            &role,
            Some(&observed(&role)),
            &[&ceiling],
            there,
            TaggedOwner::Gone,
        )
        .unwrap();
        let calls: Vec<_> = steps.iter().map(|step| step.call.action()).collect();
        assert_eq!(calls, wanted, "{attached:?} {there:?}");
    }
}

#[test]
fn under_another_limits_boundary_managed_policies_close_a_role_that_waits() {
    let ceiling =
        deputy_policy::Document::from_value(&identity(&Actions::from(ACTIONS)), PolicyKind::Boundary)
            .unwrap();
    let with = |limit| DesiredRole {
        attached: managed(&[READER]),
        boundary: Some(boundary(limit)),
        ..desired()
    };
    let natures = |aws: &ObservedRole| -> Vec<_> {
        let steps = plan_hold(
            &with("a"),
            Some(aws),
            &[&ceiling],
            BoundaryInAws::Outdated,
            TaggedOwner::Gone,
        )
        .unwrap();
        steps.iter().map(|step| step.call.action()).collect()
    };
    assert_eq!(natures(&observed(&with("a"))), [""; 0]);
    assert_eq!(
        natures(&observed(&with("b"))),
        ["iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"]
    );
    // Without managed policies the inline policy was proved to be within the limit.
    let mut inline_alone = observed(&with("b"));
    inline_alone.attached.clear();
    assert_eq!(natures(&inline_alone), [""; 0]);
}
