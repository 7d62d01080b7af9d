//! What is said about a binding of a federated user.

use deputy_api::{
    AWSFederatedUserBindingStatus,
    conditions::{self, ConditionReason, ConditionType, Conditions},
};
use deputy_delegation::{Accepted, Decision, FederatedUserArn, MissingFact, ObjectName, Reason, Violation};
use jiff::Timestamp;
use serde_json::json;

use super::{
    assess::assess,
    dereference::{FederatedFacts, FederatedInputs},
    status,
};

const ARN: &str = "arn:aws:sts::123456789012:federated-user/Manager";

fn served() -> FederatedFacts {
    FederatedFacts {
        arn: Some(ARN.parse::<FederatedUserArn>().unwrap()),
        service_accounts: "ServiceAccount reports".to_owned(),
        annotation: "deputy.dev/binding: awsfederateduserbinding/manager".to_owned(),
        no_keys: None,
        shadowed: false,
    }
}

/// The status after a look at a binding whose status was `old`.
fn looked_at(
    old: &AWSFederatedUserBindingStatus,
    decision: Decision,
    facts: FederatedFacts,
) -> AWSFederatedUserBindingStatus {
    let object = json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": "AWSFederatedUserBinding",
        "metadata": {"name": "manager", "namespace": "payments", "generation": 3},
    });
    let inputs = FederatedInputs {
        object: serde_json::from_value(object).unwrap(),
        decision,
        facts,
    };
    status::updated(old, &inputs, &assess(&inputs, old), Timestamp::UNIX_EPOCH)
}

fn accepted() -> Decision {
    Decision::Accepted(Accepted {
        limits: vec![ObjectName::new("payments").unwrap()],
        boundary: None,
        would_refuse: Vec::new(),
        uses: Vec::new(),
    })
}

fn refused(reason: Reason) -> Decision {
    Decision::Refused(Violation::new(reason, "spec.userName", "is not allowed").into())
}

#[test]
fn the_conditions_say_what_was_decided_of_a_federated_user() {
    let missing = MissingFact::AccountNotFound(ObjectName::new("production").unwrap());
    for (decision, expected, arn) in [
        (accepted(), ["True WithinLimits", "True Ready"], Some(ARN)),
        (
            refused(Reason::Conflict),
            ["False Conflict", "False NotAccepted"],
            None,
        ),
        (
            refused(Reason::FederatedUser),
            ["False FederatedUser", "False NotAccepted"],
            None,
        ),
        (refused(Reason::NoLimit), ["False NoLimit", "False NoLimit"], None),
        (
            Decision::Undecided(missing.into()),
            ["Unknown AccountNotFound", "False AccountNotFound"],
            None,
        ),
    ] {
        let status = looked_at(&AWSFederatedUserBindingStatus::default(), decision, served());
        let said = [ConditionType::Accepted, ConditionType::Ready].map(|type_| {
            let condition = conditions::find(&status.conditions, type_).unwrap();
            format!("{} {}", condition.status, condition.reason)
        });
        assert_eq!(said, expected);
        assert_eq!(status.federated_user_arn.as_deref(), arn);
        assert_eq!(status.observed_generation, Some(3));
    }
}

#[test]
fn the_arn_goes_when_the_name_is_not_the_bindings_any_more() {
    let before = looked_at(&AWSFederatedUserBindingStatus::default(), accepted(), served());
    assert_eq!(before.federated_user_arn.as_deref(), Some(ARN));
    let after = looked_at(&before, refused(Reason::FederatedUser), served());
    assert_eq!(after.federated_user_arn, None);
}

#[test]
fn what_keeps_an_accepted_binding_from_giving_sessions_is_said() {
    let mut refused = AWSFederatedUserBindingStatus::default();
    Conditions::new(&mut refused.conditions, Some(3), Timestamp::UNIX_EPOCH).set(
        ConditionType::SessionsIssued,
        conditions::Status::False,
        ConditionReason::AccessDenied,
        "AWS gives no session: not authorized",
    );
    let never = AWSFederatedUserBindingStatus::default;
    for (old, facts, expected, said) in [
        (
            never(),
            FederatedFacts {
                no_keys: Some("the file is not there".to_owned()),
                ..served()
            },
            "False IssuerNotReady",
            "no session can be made: the file is not there",
        ),
        (refused, served(), "False AccessDenied", "not authorized"),
        (
            never(),
            FederatedFacts {
                shadowed: true,
                ..served()
            },
            "True Shadowed",
            "by the annotation deputy.dev/binding: awsfederateduserbinding/manager",
        ),
        (
            never(),
            served(),
            "True Ready",
            "pods of ServiceAccount reports get credentials",
        ),
    ] {
        let status = looked_at(&old, accepted(), facts);
        let ready = conditions::find(&status.conditions, ConditionType::Ready).unwrap();
        assert_eq!(format!("{} {}", ready.status, ready.reason), expected);
        assert!(ready.message.contains(said), "{}", ready.message);
    }
}
