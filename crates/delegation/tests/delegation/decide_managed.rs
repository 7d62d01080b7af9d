//! Managed policies of roles and sessions: which may be had, and what is never asked of them.

use deputy_delegation::{
    DecisionInput, Fact, GrantSpec, IamArnPattern, ManagedPolicyArn, Reason, RoleArn, decide,
    decision::{Decision, Violation},
    model::{Binding, ExistingRole, Limit, LimitEntry, Role, RolePolicies, RoleSource},
    naming,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::*;

const READ: &str = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
const OWN: &str = "arn:aws:iam::123456789012:policy/team/read";

fn arn(text: &str) -> ManagedPolicyArn {
    ManagedPolicyArn::parse(text).unwrap()
}

/// A role with these managed policies, and with the usual inline one or none.
fn with(inline: Option<Value>, arns: &[&str]) -> Role {
    let named = inline.map(|statements| policy("objects", statements));
    let policies = RolePolicies::new(named, arns.iter().map(|text| arn(text))).unwrap();
    owned(role(), |role| role.policies = policies)
}

fn allowing(mut limit: Limit, patterns: &[&str]) -> Limit {
    limit.managed_policies = patterns.iter().map(|p| IamArnPattern::new(*p).unwrap()).collect();
    limit
}

fn payments(patterns: &[&str]) -> Limit {
    allowing(limit("payments", productionapp()), patterns)
}

fn decided(grant: GrantSpec<'_>, limits: &[LimitEntry]) -> Decision {
    decide(&DecisionInput {
        cluster: &cluster(),
        grant,
        account: Fact::Known(&account()),
        limits,
    })
}

fn of_role(role: &Role, limits: &[LimitEntry]) -> Vec<Violation> {
    violations(decided(GrantSpec::Role(role), limits))
}

fn of_binding(binding: &Binding, role: &Role, limits: &[LimitEntry]) -> Vec<Violation> {
    let role = Fact::Known(role);
    violations(decided(GrantSpec::Binding { binding, role }, limits))
}

fn violations(decision: Decision) -> Vec<Violation> {
    match decision {
        Decision::Accepted(_) => Vec::new(),
        Decision::Refused(violations) => violations.to_vec(),
        Decision::Undecided(missing) => panic!("{missing}"),
    }
}

fn binding_with(policy: Option<Value>, arns: &[&str]) -> Binding {
    let mut binding = binding();
    binding.session.policy = policy.map(session_policy);
    binding.session.policy_arns = arns.iter().map(|text| arn(text)).collect();
    binding
}

#[test]
fn a_managed_policy_is_had_when_every_limit_names_it() {
    let role = with(None, &[READ, OWN]);
    let also = |patterns: &[&str]| allowing(check_only("z", productionapp()), patterns);
    let all = [
        "arn:aws:iam::aws:policy/AmazonS3*",
        "arn:aws:iam::123456789012:policy/team/*",
    ];
    assert_eq!(of_role(&role, &entries([payments(&all), also(&all)])), []);
    for (limits, refused) in [
        (vec![payments(&[])], 2),
        (vec![payments(&all[..1])], 1),
        (vec![payments(&all), also(&[])], 2),
        (vec![payments(&all), also(&all[1..])], 1),
        (vec![payments(&["arn:aws:iam::aws:policy/*"])], 1),
        (vec![payments(&["arn:aws:iam::*:policy/*"])], 0),
    ] {
        let found = of_role(&role, &entries(limits));
        assert!(
            found.iter().all(|v| v.reason == Reason::ManagedPolicy),
            "{found:?}"
        );
        assert_eq!(found.len(), refused, "{found:?}");
    }
    let found = of_role(&role, &entries([payments(&all[..1])]));
    assert_eq!(
        found[0].to_string(),
        "spec.managedPolicyARNs[arn:aws:iam::123456789012:policy/team/read]: limit \"payments\" does not allow this managed policy: it \
         allows arn:aws:iam::aws:policy/AmazonS3* (ManagedPolicy, limit payments)"
    );
}

#[test]
fn what_no_role_of_the_account_can_have_is_refused_whatever_the_limit_says() {
    let boundary = naming::boundary_arn(&cluster(), &account(), &object("payments")).to_string();
    let anything = entries([payments(&["arn:*:iam::*:policy/*"])]);
    for (policy, reason, says) in [
        (
            "arn:aws:iam::999999999999:policy/x",
            Reason::ManagedPolicy,
            "999999999999",
        ),
        (
            "arn:aws-cn:iam::aws:policy/ReadOnlyAccess",
            Reason::Partition,
            "aws-cn",
        ),
        (
            "arn:aws:iam::aws:policy/aws-service-role/X",
            Reason::ManagedPolicy,
            "services",
        ),
        (boundary.as_str(), Reason::ManagedPolicy, "Deputy"),
        (
            "arn:aws:iam::123456789012:policy/deputy/other/limits/x",
            Reason::ManagedPolicy,
            "Deputy",
        ),
    ] {
        let found = of_role(&with(Some(productionapp()), &[policy]), &anything);
        assert_eq!(found.len(), 1, "{policy}: {found:?}");
        assert_eq!(found[0].reason, reason, "{policy}");
        assert!(found[0].message.contains(says), "{}", found[0]);
        let found = of_binding(&binding_with(None, &[policy]), &role(), &anything);
        assert_eq!((found.len(), found[0].reason), (1, reason), "{policy}");
        assert!(
            found[0].field.starts_with("spec.session.policyARNs["),
            "{}",
            found[0]
        );
    }
    // AWS has such paths of its own.
    assert_eq!(
        of_role(&with(None, &["arn:aws:iam::aws:policy/deputy/X"]), &anything),
        []
    );
}

#[test]
fn own_policies_are_compared_also_beside_managed_ones() {
    let limits = entries([payments(&["arn:aws:iam::aws:policy/*"])]);
    let more = json!([allow(json!("s3:*"), json!("*"))]);
    let found = of_role(&with(Some(more.clone()), &[READ]), &limits);
    assert!(
        found.iter().any(|v| v.reason == Reason::ExceedsLimit),
        "{found:?}"
    );
    // The role's own policies bound a session; with managed ones beside them they do not.
    let wide = binding_with(Some(more), &[]);
    assert_eq!(of_binding(&wide, &role(), &limits), []);
    let found = of_binding(&wide, &with(Some(productionapp()), &[READ]), &limits);
    assert!(found.iter().all(|v| v.reason == Reason::ExceedsLimit) && !found.is_empty());
    let narrow = binding_with(Some(json!([productionapp()[0].clone()])), &[]);
    assert_eq!(of_binding(&narrow, &with(None, &[READ]), &limits), []);
}

#[test]
fn session_policies_by_arn_are_named_by_every_limit() {
    let named = entries([payments(&["arn:aws:iam::aws:policy/AmazonS3*"])]);
    let binding = binding_with(Some(json!([productionapp()[0].clone()])), &[READ]);
    assert_eq!(of_binding(&binding, &role(), &named), []);
    let found = of_binding(&binding_with(None, &[READ, OWN]), &role(), &named);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].field, format!("spec.session.policyARNs[{OWN}]"));
    // Nothing holds a role that exists but its session policy, and what these say is not known.
    let existing = Role {
        source: RoleSource::Existing(ExistingRole {
            arn: RoleArn::parse("arn:aws:iam::123456789012:role/reports").unwrap(),
        }),
        ..role()
    };
    let found = of_binding(&binding, &existing, &named);
    assert!(
        found.iter().any(|v| v.reason == Reason::ManagedPolicy),
        "{found:?}"
    );
}

#[test]
fn session_policy_and_arns_are_measured_together() {
    let limits = entries([payments(&["arn:aws:iam::aws:policy/*"])]);
    let long = |i: usize| format!("arn:aws:iam::aws:policy/{i}{}", "x".repeat(127));
    let arns: Vec<String> = (0..10).map(long).collect();
    let arns: Vec<&str> = arns.iter().map(String::as_str).collect();
    assert_eq!(of_binding(&binding_with(None, &arns), &role(), &limits), []);
    let policy = json!([allow(
        json!("s3:GetObject"),
        json!(format!("arn:aws:s3:::productionapp/{}", "x".repeat(500)))
    )]);
    let found = of_binding(&binding_with(Some(policy.clone()), &arns), &role(), &limits);
    assert_eq!((found.len(), found[0].reason), (1, Reason::TooLarge), "{found:?}");
    for number in ["1520", "2048", "10 managed"] {
        assert!(found[0].message.contains(number), "{}", found[0]);
    }
    assert_eq!(
        of_binding(&binding_with(Some(policy), &arns[..5]), &role(), &limits),
        []
    );
}

proptest! {
    /// Another limit never widens, whatever patterns it has.
    #[test]
    fn another_limit_takes_managed_policies_away_and_gives_none(
        first in prop::sample::subsequence(vec!["arn:aws:iam::aws:policy/*", "arn:aws:iam::123456789012:policy/*", "arn:aws:iam::*:policy/team/*"], 0..=3),
        second in prop::sample::subsequence(vec!["arn:aws:iam::aws:policy/*", "arn:aws:iam::123456789012:policy/*", "arn:aws:iam::*:policy/team/*"], 0..=3),
        arns in prop::sample::subsequence(vec![READ, OWN, "arn:aws:iam::aws:policy/team/x"], 1..=3),
    ) {
        let role = with(None, &arns);
        let accepted = |limits: Vec<Limit>| of_role(&role, &entries(limits)).is_empty();
        let alone = accepted(vec![payments(&first)]);
        let both = accepted(vec![payments(&first), allowing(check_only("z", productionapp()), &second)]);
        prop_assert!(alone || !both);
        prop_assert_eq!(both, alone && accepted(vec![payments(&second)]));
    }
}
