//! What all controllers share in saying how an object stands: conditions, the status when it differs, an event when `Ready` changed.

use std::time::Duration;

use deputy_api::{
    AWSAccountStatus, AWSFederatedUserBindingStatus, AWSResourcePolicyStatementStatus, AWSRoleBindingStatus,
    AWSRoleStatus, ClusterAWSRoleStatus, DelegationLimitStatus,
    conditions::{self, ConditionReason, ConditionType, Conditions, Status},
};
use deputy_aws::AwsError;
use deputy_delegation::{Accepted, MissingFacts, NamespaceName, Violations};
use deputy_runtime::status::replace_status;
use jiff::Timestamp;
use k8s_openapi::{api::core::v1::ObjectReference, apimachinery::pkg::apis::meta::v1::Condition};
use kube::{Api, Resource, api::DynamicObject};
use serde::Serialize;

use crate::{context::ControllerContext, error::ReconcileError};

/// How often something is looked at again that only somebody else can change, and that nobody tells us of.
pub const LOOK_AGAIN: Duration = Duration::from_secs(600);

/// What a condition says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionValue {
    pub status: Status,
    pub reason: ConditionReason,
    pub message: String,
}

impl ConditionValue {
    pub fn new(status: Status, reason: ConditionReason, message: impl Into<String>) -> Self {
        Self {
            status,
            reason,
            message: message.into(),
        }
    }

    /// Writes it as the condition `type_`.
    pub fn write(&self, conditions: &mut Conditions<'_>, type_: ConditionType) {
        conditions.set(type_, self.status, self.reason, &self.message);
    }
}

/// The reason and the words for an error of AWS. The words are the same each time: what differs from call to call, such as
/// the request id, would make each try a change of the object.
#[must_use]
pub fn reason_of(error: &AwsError) -> (ConditionReason, String) {
    (error.class().into(), error.sentence())
}

/// `Tagged`: AWS may refuse the account's tags for ever, and nothing else waits for them.
#[must_use]
pub fn tagged(refused: &[AwsError]) -> ConditionValue {
    match refused.first().map(reason_of) {
        None => ConditionValue::new(
            Status::True,
            ConditionReason::UpToDate,
            "it has the tags of its AWSAccount",
        ),
        Some((reason, message)) => ConditionValue::new(
            Status::False,
            reason,
            format!("not tagged as the AWSAccount says; all else is as it should be: {message}"),
        ),
    }
}

/// The reason of `Ready` for what was never accepted: that nothing is there yet by which it could be says more than that it is not.
#[must_use]
pub fn not_accepted(accepted: Option<ConditionReason>) -> ConditionReason {
    match accepted {
        Some(awaited @ (ConditionReason::NoLimit | ConditionReason::NoBoundary)) => awaited,
        _ => ConditionReason::NotAccepted,
    }
}

/// On what an acceptance rests, and what dry runs would refuse of it.
#[must_use]
pub fn within(accepted: &Accepted) -> String {
    let limits: Vec<&str> = accepted.limits.iter().map(AsRef::as_ref).collect();
    let mut message = format!("within {}", limits.join(", "));
    for violation in &accepted.would_refuse {
        message.push_str(&format!("\nDryRun, would be refused: {violation}"));
    }
    message
}

/// `Accepted` of a binding that is.
#[must_use]
pub fn accepted(rests_on: &Accepted) -> ConditionValue {
    ConditionValue::new(Status::True, ConditionReason::WithinLimits, within(rests_on))
}

/// `Accepted` and `Ready` of a binding that is refused.
#[must_use]
pub fn refused(violations: &Violations) -> (ConditionValue, ConditionValue) {
    (
        ConditionValue::new(Status::False, violations.into(), format!("{violations:#}")),
        ConditionValue::new(
            Status::False,
            not_accepted(Some(violations.into())),
            "not accepted: nobody gets credentials by it",
        ),
    )
}

/// `Ready` of a binding of which pods have to say that they want it, by this annotation.
#[must_use]
pub fn shadowed(annotation: &str) -> ConditionValue {
    let message = format!(
        "another binding comes first for its ServiceAccounts (older, or of the same second and first by name); pods get this one by the annotation {annotation}"
    );
    ConditionValue::new(Status::True, ConditionReason::Shadowed, message)
}

/// Why STS gives no session by a binding as it is now, as the broker says among its conditions.
#[must_use]
pub fn refused_session(conditions: &[Condition], generation: Option<i64>) -> Option<ConditionValue> {
    conditions::find(conditions, ConditionType::SessionsIssued)
        .filter(|c| c.status == Status::False.as_str() && c.observed_generation == generation)
        .map(|c| {
            // Written by a broker that may be newer.
            let reason = ConditionReason::from_word(&c.reason).unwrap_or(ConditionReason::AWSError);
            ConditionValue::new(Status::False, reason, c.message.clone())
        })
}

/// `Accepted` and `Ready` of a binding that waits for another object.
#[must_use]
pub fn undecided(missing: &MissingFacts) -> (ConditionValue, ConditionValue) {
    let reason = missing.into();
    (
        ConditionValue::new(Status::Unknown, reason, missing.to_string()),
        ConditionValue::new(Status::False, reason, missing.to_string()),
    )
}

pub trait HasConditions {
    fn conditions(&self) -> &[Condition];
}

macro_rules! has_conditions {
    ($($status:ty),+) => {$(
        impl HasConditions for $status {
            fn conditions(&self) -> &[Condition] {
                &self.conditions
            }
        }
    )+};
}
has_conditions!(
    AWSAccountStatus,
    AWSFederatedUserBindingStatus,
    AWSResourcePolicyStatementStatus,
    AWSRoleStatus,
    AWSRoleBindingStatus,
    ClusterAWSRoleStatus,
    DelegationLimitStatus
);

/// A reference to an object of kind `K`, for events.
#[must_use]
pub fn reference<K: Resource<DynamicType = ()>>(object: &DynamicObject) -> ObjectReference {
    ObjectReference {
        api_version: Some(K::api_version(&()).into_owned()),
        kind: Some(K::kind(&()).into_owned()),
        name: object.metadata.name.clone(),
        namespace: object.metadata.namespace.clone(),
        uid: object.metadata.uid.clone(),
        resource_version: object.metadata.resource_version.clone(),
        ..ObjectReference::default()
    }
}

/// The status of an account, which says `old`, with one condition more, or another one.
#[must_use]
pub fn account_with(
    old: &AWSAccountStatus,
    type_: ConditionType,
    value: &ConditionValue,
    generation: Option<i64>,
    now: Timestamp,
) -> AWSAccountStatus {
    let mut new = old.clone();
    value.write(&mut Conditions::new(&mut new.conditions, generation, now), type_);
    new
}

/// A reference to a namespace, for events about what it leaves behind. They are in the namespace `default`.
#[must_use]
pub fn of_namespace(name: &NamespaceName) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Namespace".to_owned()),
        name: Some(name.to_string()),
        ..ObjectReference::default()
    }
}

/// Writes `new` as the status of `object` when it differs from `old`, and then publishes an event if `Ready` has another status
/// or reason, or something else keeps an object from being deleted. Gives whether anything was written.
///
/// # Errors
/// Whatever the API server says; an object that is gone is none.
pub async fn write_status<K, S>(
    ctx: &ControllerContext,
    api: &Api<DynamicObject>,
    object: &DynamicObject,
    old: &S,
    new: &S,
) -> Result<bool, ReconcileError>
where
    K: Resource<DynamicType = ()>,
    S: HasConditions + Serialize + PartialEq,
{
    if old == new || !replace_status(api, object, old, new).await? {
        return Ok(false);
    }
    if let Some((ready, note)) = change_of_ready(old.conditions(), new.conditions()) {
        let about = reference::<K>(object);
        let is_warning = ready.status != "True";
        ctx.publish_event(&about, is_warning, &ready.reason, note).await;
    }
    Ok(true)
}

/// `Ready`, if it has another status or reason than before, and the words for an event about that. What keeps an object from
/// being deleted has one reason only, so there another message counts, too.
fn change_of_ready<'a>(old: &[Condition], new: &'a [Condition]) -> Option<(&'a Condition, &'a str)> {
    let ready = conditions::find(new, ConditionType::Ready)?;
    let is_deletion = ready.reason == ConditionReason::Deleting.as_str();
    let is_same = |before: &Condition| {
        before.status == ready.status
            && before.reason == ready.reason
            && (!is_deletion || before.message == ready.message)
    };
    if conditions::find(old, ConditionType::Ready).is_some_and(is_same) {
        return None;
    }
    // `Ready` says only that it is refused; why, says `Accepted`.
    let refused = conditions::find(new, ConditionType::Accepted)
        .filter(|accepted| accepted.status == "False" && !is_deletion);
    Some((
        ready,
        refused.map_or(&ready.message, |accepted| &accepted.message),
    ))
}

#[cfg(test)]
mod tests {

    use super::*;

    fn conditions_of(values: &[(ConditionType, Status, ConditionReason, &str)]) -> Vec<Condition> {
        let mut conditions = Vec::new();
        let mut writer = Conditions::new(&mut conditions, Some(1), Timestamp::UNIX_EPOCH);
        for (type_, status, reason, message) in values {
            writer.set(*type_, *status, *reason, message);
        }
        conditions
    }

    #[test]
    fn an_event_is_published_when_ready_has_another_status_or_reason() {
        let waiting = |message| {
            (
                ConditionType::Ready,
                Status::False,
                ConditionReason::Unavailable,
                message,
            )
        };
        let before = conditions_of(&[waiting("AWS is away")]);
        for (after, published) in [
            (waiting("AWS is away"), None),
            // What AWS says may differ with each call.
            (waiting("AWS is still away"), None),
            (
                (
                    ConditionType::Ready,
                    Status::False,
                    ConditionReason::Throttled,
                    "slower",
                ),
                Some("slower"),
            ),
            (
                (
                    ConditionType::Ready,
                    Status::True,
                    ConditionReason::Ready,
                    "usable",
                ),
                Some("usable"),
            ),
            (
                (
                    ConditionType::Accepted,
                    Status::True,
                    ConditionReason::WithinLimits,
                    "within",
                ),
                None,
            ),
        ] {
            let after = conditions_of(&[after]);
            let note = change_of_ready(&before, &after).map(|(_, note)| note);
            assert_eq!(note, published, "{after:?}");
        }
        assert!(change_of_ready(&[], &before).is_some(), "the first one");
    }

    #[test]
    fn an_event_says_what_keeps_an_object_from_being_deleted_now() {
        let deleting = |message| {
            let ready = (
                ConditionType::Ready,
                Status::False,
                ConditionReason::Deleting,
                message,
            );
            conditions_of(&[ready])
        };
        let before = deleting("AWS shows no role yet");
        let after = deleting("AWS refuses iam:DeleteRole");
        assert_eq!(change_of_ready(&before, &before), None);
        assert_eq!(
            change_of_ready(&before, &after).unwrap().1,
            "AWS refuses iam:DeleteRole"
        );
    }

    #[test]
    fn an_event_about_a_refusal_says_what_is_refused() {
        let accepted = (
            ConditionType::Accepted,
            Status::False,
            ConditionReason::ExceedsLimit,
            "grants s3:DeleteObject",
        );
        for (reason, note) in [
            (ConditionReason::Suspended, "grants s3:DeleteObject"),
            (ConditionReason::Deleting, "AWS refuses it"),
        ] {
            let after = conditions_of(&[
                accepted,
                (ConditionType::Ready, Status::False, reason, "AWS refuses it"),
            ]);
            assert_eq!(change_of_ready(&[], &after).unwrap().1, note);
        }
    }
}
