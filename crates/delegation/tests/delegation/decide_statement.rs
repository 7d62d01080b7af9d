//! Statements of resource policies: of which resource, and what they may grant.

use deputy_delegation::{
    DecisionInput, Fact, GrantSpec, PolicyResource, PolicyResourcePattern, Reason, accepts, decide,
    decision::Decision,
    model::{Account, Limit, OwnedStatement, StatementGrant, StatementPrincipal},
};
use deputy_policy::PolicyKind;
use serde_json::{Value, json};

use crate::support::*;

fn statement_of(resource: &str, statement: Value) -> OwnedStatement {
    let resource = PolicyResource::parse(resource).unwrap();
    OwnedStatement {
        id: id("payments", "read"),
        uid: Some(uid()),
        account: object("production"),
        principals: [StatementPrincipal::Role(object("uploader"))].into(),
        grant: StatementGrant::new(document(PolicyKind::Identity, json!([statement])), &resource).unwrap(),
        resource,
    }
}

fn read() -> OwnedStatement {
    statement_of(
        "arn:aws:s3:::productionapp",
        allow(json!("s3:GetObject"), json!("arn:aws:s3:::productionapp/*")),
    )
}

fn allowing(mut limit: Limit, patterns: &[&str]) -> Limit {
    limit.resource_policies = patterns
        .iter()
        .map(|p| PolicyResourcePattern::new(*p).unwrap())
        .collect();
    limit
}

fn payments() -> Limit {
    allowing(limit("payments", productionapp()), &["arn:aws:s3:::production*"])
}

fn asked(
    statement: &OwnedStatement,
    account: Fact<'_, Account>,
    limits: impl IntoIterator<Item = Limit>,
) -> Decision {
    let limits = entries(limits);
    let input = DecisionInput {
        cluster: &cluster(),
        grant: GrantSpec::Statement(statement),
        account,
        limits: &limits,
    };
    let decision = decide(&input);
    assert_eq!(accepts(&input), decision.is_accepted());
    decision
}

fn decided(statement: &OwnedStatement, limits: impl IntoIterator<Item = Limit>) -> Decision {
    asked(statement, Fact::Known(&account()), limits)
}

fn said(decision: Decision) -> Vec<(Reason, String)> {
    match decision {
        Decision::Refused(violations) => violations.iter().map(|v| (v.reason, v.to_string())).collect(),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn what_limit_and_ceiling_allow_is_accepted_and_carries_no_boundary() {
    match decided(&read(), [payments()]) {
        Decision::Accepted(accepted) => {
            assert_eq!(accepted.limits, [object("payments")]);
            assert_eq!(accepted.boundary, None);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_resource_that_a_limit_does_not_name_is_refused_with_those_that_it_does() {
    for (patterns, what) in [
        (&[][..], "it allows none (its resourcePolicies is empty)"),
        (&["arn:aws:s3:::other*"], "it allows arn:aws:s3:::other*"),
        (&["arn:aws:sqs:*:*:productionapp"], "it allows"),
        (&["arn:aws-cn:s3:::production*"], "it allows"),
    ] {
        let [(reason, said)] = said(decided(&read(), [allowing(payments(), patterns)]))
            .try_into()
            .unwrap();
        assert_eq!(reason, Reason::ResourcePolicy);
        assert!(said.starts_with("spec.resourceARN: limit \"payments\" does not allow a statement in the policy of arn:aws:s3:::productionapp: "), "{said}");
        assert!(said.contains(what), "{said}");
    }
}

#[test]
fn what_the_ceiling_does_not_allow_is_refused_at_the_statement() {
    let wider = statement_of(
        "arn:aws:s3:::productionapp",
        allow(
            json!(["s3:GetObject", "s3:PutBucketPolicy"]),
            json!(["arn:aws:s3:::productionapp", "arn:aws:s3:::productionapp/*"]),
        ),
    );
    let said = said(decided(&wider, [payments()]));
    assert!(!said.is_empty());
    for (reason, said) in said {
        assert_eq!(reason, Reason::ExceedsLimit);
        assert!(said.starts_with("spec.statement"), "{said}");
        assert!(!said.starts_with("spec.statement.Statement"), "{said}");
    }
}

#[test]
fn every_limit_has_to_allow_both() {
    let other = allowing(
        check_only("other", json!([allow(json!("s3:ListBucket"), json!("*"))])),
        &["arn:aws:s3:::*"],
    );
    let refused = said(decided(&read(), [payments(), other]));
    assert!(
        refused
            .iter()
            .all(|(reason, said)| *reason == Reason::ExceedsLimit && said.contains("other"))
    );
}

#[test]
fn a_queue_of_another_account_or_partition_is_refused() {
    let grant = |arn: &str| statement_of(arn, allow(json!("sqs:SendMessage"), json!(arn)));
    let wide = || {
        let ceiling = json!([allow(json!("sqs:*"), json!("*"))]);
        allowing(limit("payments", ceiling), &["arn:*:sqs:*:*:*"])
    };
    let own = decided(&grant("arn:aws:sqs:eu-west-1:123456789012:orders"), [wide()]);
    assert!(own.is_accepted(), "{own:?}");
    let [(reason, text)] = said(decided(
        &grant("arn:aws:sqs:eu-west-1:210987654321:orders"),
        [wide()],
    ))
    .try_into()
    .unwrap();
    assert_eq!(reason, Reason::ResourcePolicy);
    assert!(
        text.contains("is of account 210987654321, and AWSAccount production is 123456789012"),
        "{text}"
    );
    let [(reason, _)] = said(decided(
        &grant("arn:aws-cn:sqs:cn-north-1:123456789012:orders"),
        [wide()],
    ))
    .try_into()
    .unwrap();
    assert_eq!(reason, Reason::Partition);
}

#[test]
fn without_limit_or_account_nothing_is_accepted() {
    let [(reason, _)] = said(decided(&read(), [])).try_into().unwrap();
    assert_eq!(reason, Reason::NoLimit);
    assert!(matches!(
        asked(&read(), Fact::Missing, [payments()]),
        Decision::Undecided(_)
    ));
    let [(reason, _)] = said(asked(&read(), Fact::Unreadable("broken"), [payments()]))
        .try_into()
        .unwrap();
    assert_eq!(reason, Reason::AccountInvalid);
}
