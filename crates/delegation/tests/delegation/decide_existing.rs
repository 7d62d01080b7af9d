//! Roles that exist: which may be bound, and what holds their sessions.

use deputy_delegation::{
    DecisionInput, Fact, GrantSpec, IamArnPattern, Reason, RoleArn, decide,
    decision::{Decision, Violation},
    model::{Account, AssumeRole, Binding, ExistingRole, Limit, LimitEntry, Role, RoleSource},
};
use serde_json::{Value, json};

use crate::support::*;

const ARN: &str = "arn:aws:iam::123456789012:role/terraform/reports";

fn existing(arn: &str) -> Role {
    Role {
        source: RoleSource::Existing(ExistingRole {
            arn: RoleArn::parse(arn).unwrap(),
        }),
        ..role()
    }
}

fn allowing(mut limit: Limit, patterns: &[&str]) -> Limit {
    limit.existing_roles = patterns.iter().map(|p| IamArnPattern::new(*p).unwrap()).collect();
    limit
}

fn payments() -> Limit {
    allowing(
        limit("payments", productionapp()),
        &["arn:aws:iam::123456789012:role/*"],
    )
}

fn of_role(role: &Role, account: &Account, limits: &[LimitEntry]) -> Decision {
    decide(&DecisionInput {
        cluster: &cluster(),
        grant: GrantSpec::Role(role),
        account: Fact::Known(account),
        limits,
    })
}

fn of_binding(policy: Option<Value>, limits: &[LimitEntry]) -> Decision {
    let role = existing(ARN);
    let mut binding: Binding = binding();
    binding.session.policy = policy.map(session_policy);
    decide(&DecisionInput {
        cluster: &cluster(),
        grant: GrantSpec::Binding {
            binding: &binding,
            role: Fact::Known(&role),
        },
        account: Fact::Known(&account()),
        limits,
    })
}

fn violations(decision: Decision) -> Vec<Violation> {
    match decision {
        Decision::Refused(violations) => violations.to_vec(),
        other => panic!("{other:?}"),
    }
}

fn reasons(decision: Decision) -> Vec<Reason> {
    violations(decision).iter().map(|v| v.reason).collect()
}

fn get(resource: &str) -> Value {
    json!([allow(json!("s3:GetObject"), json!(resource))])
}

#[test]
fn a_role_that_exists_is_bound_when_every_limit_names_it() {
    let role = existing(ARN);
    let also = allowing(check_only("z", productionapp()), &[ARN]);
    assert!(of_role(&role, &account(), &entries([payments(), also.clone()])).is_accepted());

    let silent = Limit {
        existing_roles: [].into(),
        ..also.clone()
    };
    let found = violations(of_role(&role, &account(), &entries([payments(), silent])));
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].reason, found[0].field.as_str(), found[0].limit.clone()),
        (Reason::ExistingRole, "spec.existing.roleARN", Some(object("z")))
    );
    assert!(
        found[0].message.contains("existingRoles is empty"),
        "{}",
        found[0]
    );

    let others = allowing(
        also,
        &[
            "arn:aws:iam::123456789012:role/a",
            "arn:aws:iam::123456789012:role/b",
            "arn:aws:iam::123456789012:role/c",
            "arn:aws:iam::123456789012:role/d*",
        ],
    );
    let found = violations(of_role(&role, &account(), &entries([others])));
    let message = &found[0].message;
    assert!(
        message.contains("role/a") && message.ends_with("and 1 more"),
        "{message}"
    );
}

#[test]
fn no_limit_opens_roles_of_deputy_of_services_or_of_another_account() {
    let assumed = |name: &str| {
        Some(AssumeRole {
            role: RoleArn::parse(&format!("arn:aws:iam::123456789012:role/{name}")).unwrap(),
            external_id: None,
        })
    };
    let named = Account {
        provisioner: assumed("ops/writes-roles"),
        boundary_writer: assumed("writes-limits"),
        previous_issuers: [deputy_delegation::IssuerArn::parse(
            "arn:aws:iam::123456789012:role/former-broker",
        )
        .unwrap()]
        .into(),
        ..account()
    };
    let limits = entries([allowing(payments(), &["arn:*:iam::*:*"])]);
    let cases = [
        (
            "deputy/prod-1/deputy.orders.x-aaaaaaaaaaaaaaaa",
            Reason::ExistingRole,
        ),
        ("deputy/another-cluster/x", Reason::ExistingRole),
        ("deputy-broker", Reason::ExistingRole),
        ("other-path/deputy-broker", Reason::ExistingRole),
        ("Deputy-Broker", Reason::ExistingRole),
        ("former-broker", Reason::ExistingRole),
        ("writes-roles", Reason::ExistingRole),
        ("writes-limits", Reason::ExistingRole),
        (
            "aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
            Reason::ExistingRole,
        ),
        (
            "aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789abcdef",
            Reason::ExistingRole,
        ),
    ];
    for (name, reason) in cases {
        let role = existing(&format!("arn:aws:iam::123456789012:role/{name}"));
        assert_eq!(reasons(of_role(&role, &named, &limits)), [reason], "{name}");
    }
    // Identities that the account does not name are taken to have the names that are suggested for them.
    for name in ["deputy-provisioner", "deputy-boundary-writer"] {
        let role = existing(&format!("arn:aws:iam::123456789012:role/{name}"));
        assert_eq!(
            reasons(of_role(&role, &account(), &limits)),
            [Reason::ExistingRole],
            "{name}"
        );
        assert!(of_role(&role, &named, &limits).is_accepted(), "{name}");
    }
    // Identities that become those of other accounts.
    for name in ["deputy-controller", "deputy-limits"] {
        let role = existing(&format!("arn:aws:iam::123456789012:role/{name}"));
        for account in [&account(), &named] {
            assert_eq!(
                reasons(of_role(&role, account, &limits)),
                [Reason::ExistingRole],
                "{name}"
            );
        }
    }
    let elsewhere = existing("arn:aws:iam::999999999999:role/reports");
    assert_eq!(
        reasons(of_role(&elsewhere, &account(), &limits)),
        [Reason::ExistingRole]
    );
    let china = existing("arn:aws-cn:iam::123456789012:role/reports");
    assert_eq!(reasons(of_role(&china, &account(), &limits)), [Reason::Partition]);
}

#[test]
fn a_session_policy_of_a_role_that_exists_is_within_the_limit_by_itself() {
    let limits = entries([payments()]);
    assert!(of_binding(Some(productionapp()), &limits).is_accepted());
    let found = violations(of_binding(Some(get("arn:aws:s3:::other/*")), &limits));
    assert_eq!(
        (found[0].reason, found[0].field.as_str()),
        (Reason::ExceedsLimit, "spec.session.policy.Statement[0]")
    );
}

#[test]
fn managed_session_policies_are_not_for_a_role_that_exists() {
    let role = existing(ARN);
    let mut binding: Binding = binding();
    binding.session.policy = Some(session_policy(productionapp()));
    binding.session.policy_arns =
        [deputy_delegation::ManagedPolicyArn::parse("arn:aws:iam::aws:policy/ReadOnlyAccess").unwrap()]
            .into();
    let found = violations(decide(&DecisionInput {
        cluster: &cluster(),
        grant: GrantSpec::Binding {
            binding: &binding,
            role: Fact::Known(&role),
        },
        account: Fact::Known(&account()),
        limits: &entries([payments()]),
    }));
    let is_refused = |v: &Violation| v.field == "spec.session.policyARNs" && v.reason == Reason::ExistingRole;
    assert!(found.iter().any(is_refused), "{found:?}");
}

#[test]
fn what_aws_can_not_do_counts_where_no_boundary_holds_the_session() {
    // An action on a kind of resource that it does not take: under a boundary that is as good as nothing.
    let odd = json!([allow(json!("s3:GetObject"), json!("arn:aws:s3:::productionapp"))]);
    let limits = entries([payments()]);
    let owned = owned(role(), |role| {
        role.policies =
            deputy_delegation::model::RolePolicies::new([policy("odd", odd.clone())], []).unwrap();
    });
    assert!(
        of_role(&owned, &account(), &limits).is_accepted(),
        "the boundary holds a role of Deputy's"
    );
    assert_eq!(reasons(of_binding(Some(odd), &limits)), [Reason::ExceedsLimit]);
}

#[test]
fn the_boundary_alone_has_to_hold_the_session_to_every_limit() {
    assert!(of_binding(None, &entries([payments()])).is_accepted());

    let checked = |ceiling: Value| allowing(check_only("checked", ceiling), &["arn:*:iam::*:*"]);
    let found = violations(of_binding(None, &entries([checked(productionapp())])));
    assert_eq!(found[0].reason, Reason::NoBoundary);
    assert!(found[0].message.contains("spec.session.policy"), "{}", found[0]);
    // Its own policy is held by AWS, boundary or no boundary.
    assert!(of_binding(Some(productionapp()), &entries([checked(productionapp())])).is_accepted());

    let wide = checked(json!([allow(json!("s3:*"), json!("*"))]));
    assert!(of_binding(None, &entries([payments(), wide])).is_accepted());
    let narrow = checked(get("arn:aws:s3:::productionapp/*"));
    let found = violations(of_binding(None, &entries([payments(), narrow])));
    assert_eq!(found[0].reason, Reason::ExceedsLimit);
    assert_eq!(found[0].limit, Some(object("checked")));
    assert!(
        found[0]
            .message
            .contains("gets the boundary of limit \"payments\""),
        "{}",
        found[0]
    );
}

#[test]
fn the_tags_of_a_role_that_exists_are_not_known() {
    let by = |tag: &str| format!("arn:aws:s3:::homes/${{aws:PrincipalTag/{tag}}}/*");
    let limit_by = |resource: &str| entries([allowing(limit("homes", get(resource)), &["arn:*:iam::*:*"])]);
    let literal = |path: &str| Some(get(&format!("arn:aws:s3:::homes/{path}/*")));

    // A tag of each session.
    assert!(of_binding(literal("payments"), &limit_by(&by("deputy-namespace"))).is_accepted());
    // A tag of the role, which its owner may set to anything.
    let named = "arn:aws:s3:::homes/${aws:PrincipalTag/deputy-namespace}.${aws:PrincipalTag/deputy-name}/*";
    assert!(!of_binding(literal("payments.uploader"), &limit_by(named)).is_accepted());
}
