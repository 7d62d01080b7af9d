use std::collections::BTreeSet;

use deputy_delegation::names::{AccountId, MaxSessionDuration, Partition, PolicyName};
use deputy_policy::PolicyKind;

use super::*;
use crate::model::{Fault, InMemoryIam, Quotas};

const DENY_ALL: &str =
    r#"{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}"#;
const DENY_BECOMING: &str = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"}}"#;

fn within(quotas: Quotas) -> WithinQuotas<InMemoryIam> {
    let iam = InMemoryIam::new(
        Partition::new("aws").unwrap(),
        AccountId::new("123456789012").unwrap(),
    );
    iam.set_quotas(quotas);
    WithinQuotas::new(iam, Arc::default())
}

fn document(text: &str, kind: PolicyKind) -> Document {
    Document::parse(text, kind).unwrap()
}

fn name(role: &str) -> RoleName {
    RoleName::new(role).unwrap()
}

fn desired(role: &str) -> DesiredRole {
    DesiredRole {
        name: name(role),
        path: IamPath::new("/deputy/demo/").unwrap(),
        trust: document(DENY_BECOMING, PolicyKind::Trust),
        inline: None,
        attached: BTreeSet::new(),
        boundary: None,
        tags: BTreeMap::new(),
        max_session_duration: MaxSessionDuration::HOUR,
    }
}

fn create(role: &str) -> IamCall {
    IamCall::CreateRole {
        role: Box::new(desired(role)),
    }
}

fn delete(role: &str) -> IamCall {
    IamCall::DeleteRole { role: name(role) }
}

fn managed(n: usize) -> ManagedPolicyArn {
    format!("arn:aws:iam::aws:policy/Policy{n}").parse().unwrap()
}

/// How often an operation reached AWS.
fn calls(of: &WithinQuotas<InMemoryIam>, operation: &str) -> usize {
    let log = of.inner.log();
    log.iter().filter(|call| call.operation == operation).count()
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_is_used_up_is_told_before_anything_is_sent() {
    let quotas = Quotas {
        roles: 2,
        ..Quotas::default()
    };
    let within = within(quotas);
    for role in ["a", "b"] {
        within.execute(&create(role)).await.unwrap();
    }
    let error = within.execute(&create("c")).await.unwrap_err();
    assert_eq!(
        (error.class(), error.code(), error.outcome_unknown()),
        (ErrorClass::LimitExceeded, Some("RolesQuota"), false)
    );
    assert!(
        error.message().contains("has 2 IAM roles, and its quota is 2"),
        "{error}"
    );
    assert!(!error.is_retryable());
    assert_eq!(calls(&within, "iam:CreateRole"), 2);
    // Whatever takes away goes on, and makes room at once.
    within.execute(&delete("a")).await.unwrap();
    within.execute(&create("c")).await.unwrap();
    // Somebody else makes room: it is seen within a minute.
    within.inner.uproot(&name("b"));
    tokio::time::advance(KEPT_IN_DOUBT).await;
    within.execute(&create("d")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_a_role_needs_itself_is_compared_before_it_is_made() {
    let attached: BTreeSet<_> = (0..3).map(managed).collect();
    let role = IamCall::CreateRole {
        role: Box::new(DesiredRole {
            attached,
            ..desired("a")
        }),
    };
    let few = Quotas {
        policies_per_role: 2,
        ..Quotas::default()
    };
    let short = Quotas {
        trust_policy_size: 50,
        ..Quotas::default()
    };
    for (quotas, call, code, said) in [
        (
            few,
            role,
            "AttachedPoliciesPerRoleQuota",
            "the role has 3 managed policies, and the AWS account's quota is 2",
        ),
        (
            short,
            create("a"),
            "AssumeRolePolicySizeQuota",
            "and the AWS account's quota is 50",
        ),
    ] {
        let within = within(quotas);
        let error = within.execute(&call).await.unwrap_err();
        assert_eq!(error.code(), Some(code));
        assert!(error.message().contains(said), "{error}");
        assert_eq!(calls(&within, "iam:CreateRole"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_aws_refuses_is_told_with_its_numbers() {
    let within = within(Quotas {
        policies_per_role: 1,
        ..Quotas::default()
    });
    within.execute(&create("a")).await.unwrap();
    let attach = |n| IamCall::AttachRolePolicy {
        role: name("a"),
        policy_arn: managed(n),
    };
    for n in 0..2 {
        within.inner.set_managed_policy(&managed(n), "{}");
    }
    within.execute(&attach(0)).await.unwrap();
    let error = within.execute(&attach(1)).await.unwrap_err();
    assert_eq!(
        (error.class(), error.code()),
        (ErrorClass::LimitExceeded, Some("LimitExceeded"))
    );
    assert!(
        error
            .message()
            .ends_with("; its quota is 1 managed policies of a role"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn policies_are_counted_likewise() {
    let within = within(Quotas {
        policies: 1,
        ..Quotas::default()
    });
    let policy = |name: &str| NewPolicy {
        name: PolicyName::new(name).unwrap(),
        path: IamPath::new("/deputy/demo/").unwrap(),
        document: document(DENY_ALL, PolicyKind::Boundary),
        tags: BTreeMap::new(),
    };
    let arn = within.create_policy(&policy("a")).await.unwrap();
    let error = within.create_policy(&policy("b")).await.unwrap_err();
    assert_eq!(error.code(), Some("PoliciesQuota"));
    assert!(
        error
            .message()
            .contains("has 1 managed policies of its own, and its quota is 1"),
        "{error}"
    );
    assert_eq!(calls(&within, "iam:CreatePolicy"), 1);
    within.delete_policy(&arn).await.unwrap();
    within.create_policy(&policy("b")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn numbers_that_aws_does_not_give_stand_in_nobodys_way() {
    let within = within(Quotas {
        roles: 2,
        ..Quotas::default()
    });
    let denied = Fault::before(ErrorClass::AccessDenied)
        .of("iam:GetAccountSummary")
        .times(2);
    within.inner.fail(denied);
    for role in ["a", "b"] {
        within.execute(&create(role)).await.unwrap();
    }
    // AWS has the last word.
    let error = within.execute(&create("c")).await.unwrap_err();
    assert_eq!(
        (error.class(), error.code()),
        (ErrorClass::LimitExceeded, Some("LimitExceeded"))
    );
    assert_eq!(
        calls(&within, "iam:GetAccountSummary"),
        1,
        "not once for each role"
    );
}

#[tokio::test(start_paused = true)]
async fn aws_is_asked_once_in_ten_minutes_however_many_are_made() {
    let within = within(Quotas::default());
    let made = (0..100).map(|n| create(&format!("r{n}"))).collect::<Vec<_>>();
    let all = made.iter().map(|call| within.execute(call));
    for done in all_at_once(all.collect()).await {
        done.unwrap();
    }
    assert_eq!(calls(&within, "iam:GetAccountSummary"), 1);
    assert_eq!(
        within.account_summary().await.unwrap().roles.unwrap().used,
        0,
        "as AWS said"
    );
    tokio::time::advance(KEPT).await;
    assert_eq!(within.account_summary().await.unwrap().roles.unwrap().used, 100);
    assert_eq!(calls(&within, "iam:GetAccountSummary"), 2);
    assert_eq!(within.quotas.lock().roles_made, 0, "they are in AWS's number now");
}

/// All of them at once.
async fn all_at_once<F: Future>(all: Vec<F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = all.into_iter().map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|context| {
        waiting.retain_mut(|one| match one.as_mut().poll(context) {
            std::task::Poll::Ready(output) => {
                done.push(output);
                false
            }
            std::task::Poll::Pending => true,
        });
        if waiting.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done
}
