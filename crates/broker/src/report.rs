//! What people hear of the broker beside the pods: conditions of accounts and bindings.
//!
//! A pod that gets nothing says why in its own log, which whoever wrote the binding does not read. So the broker says of each
//! account whether it is the issuer that it names, and of a binding when STS refuses what is asked for by it. Written when it changes,
//! by whichever replica finds it first.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use deputy_api::{
    AWSAccount, AWSRoleBinding,
    conditions::{ConditionReason, ConditionType, Conditions, Status},
};
use deputy_aws::{AwsError, ErrorClass};
use deputy_delegation::{ObjectName, model::ObjectId};
use deputy_index::Index;
use deputy_runtime::status::patch_status;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject},
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Notify;

/// Bindings that are known to be refused, at most.
const MOST_REFUSED: usize = 10_000;
/// Between two writes: a cluster with ten thousand bindings that are refused at once is not answered by as many writes a second.
const BETWEEN_WRITES: Duration = Duration::from_millis(100);

/// What is to be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saying {
    pub(crate) holds: Status,
    pub(crate) reason: ConditionReason,
    pub(crate) message: String,
}

/// Which bindings STS refuses, and what of that is not written yet.
#[derive(Default)]
pub(crate) struct Reports {
    refused: Mutex<HashMap<ObjectId, ConditionReason>>,
    /// Whether there is any: asked at every request.
    any: AtomicBool,
    pending: Mutex<HashMap<ObjectId, Saying>>,
    wake: Notify,
}

impl Reports {
    /// STS refuses sessions by this binding, for good as far as anybody knows.
    pub(crate) fn refused(&self, binding: &ObjectId, error: &AwsError) {
        let reason = reason_of(error);
        {
            let mut refused = self.refused.lock();
            if refused.get(binding).is_some_and(|known| *known == reason)
                || (refused.len() >= MOST_REFUSED && !refused.contains_key(binding))
            {
                return;
            }
            refused.insert(binding.clone(), reason);
            self.any.store(true, Ordering::Relaxed);
        }
        let message = format!("AWS gives no session: {}", error.sentence());
        tracing::warn!(%binding, reason = reason.as_str(), detail = message, "no session can be made");
        self.say(binding, Status::False, reason, message);
    }

    /// STS gave a session by this binding.
    pub(crate) fn issued(&self, binding: &ObjectId) {
        if !self.any.load(Ordering::Relaxed) {
            return;
        }
        let was_refused = {
            let mut refused = self.refused.lock();
            let was = refused.remove(binding).is_some();
            self.any.store(!refused.is_empty(), Ordering::Relaxed);
            was
        };
        if was_refused {
            tracing::info!(%binding, "sessions can be made again");
            self.say(
                binding,
                Status::True,
                ConditionReason::Ready,
                "STS gives sessions".to_owned(),
            );
        }
    }

    /// What was said of these before this process began.
    pub(crate) fn remember(&self, index: &Index) {
        for id in index.bindings() {
            let said = index.binding(&id).and_then(|b| b.state.refused);
            if let Some(reason) = said {
                let mut refused = self.refused.lock();
                if refused.len() < MOST_REFUSED {
                    refused.entry(id).or_insert(reason);
                    self.any.store(true, Ordering::Relaxed);
                }
            }
        }
    }

    fn say(&self, binding: &ObjectId, holds: Status, reason: ConditionReason, message: String) {
        let saying = Saying {
            holds,
            reason,
            message,
        };
        self.pending.lock().insert(binding.clone(), saying);
        self.wake.notify_one();
    }

    fn take(&self) -> HashMap<ObjectId, Saying> {
        std::mem::take(&mut *self.pending.lock())
    }

    /// Writes what is to be said, for ever.
    pub(crate) async fn write_for_ever(&self, client: &Client) {
        loop {
            self.wake.notified().await;
            for (id, saying) in self.take() {
                let api: Api<DynamicObject> = Api::namespaced_with(
                    client.clone(),
                    id.namespace.as_str(),
                    &ApiResource::erase::<AWSRoleBinding>(&()),
                );
                if let Err(error) =
                    set_condition(&api, id.name.as_str(), ConditionType::SessionsIssued, &saying).await
                {
                    tracing::warn!(binding = %id, %error, "its condition was not written");
                    // Unless something newer is to be said.
                    self.pending.lock().entry(id).or_insert(saying);
                    self.wake.notify_one();
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                tokio::time::sleep(BETWEEN_WRITES).await;
            }
        }
    }
}

/// Whether STS says that the region is not enabled in the AWS account: `RegionDisabledException`.
pub(crate) fn is_region_disabled(error: &AwsError) -> bool {
    error
        .code()
        .is_some_and(|code| code.starts_with("RegionDisabled"))
}

/// The reason in a condition for what STS says.
fn reason_of(error: &AwsError) -> ConditionReason {
    if is_region_disabled(error) {
        return ConditionReason::RegionDisabled;
    }
    match error.class() {
        ErrorClass::AccessDenied | ErrorClass::NotFound => ConditionReason::AccessDenied,
        class => class.into(),
    }
}

/// Says of an account whether the broker is its issuer, if that is not what it says already.
///
/// # Errors
/// Whatever the API server says.
pub(crate) async fn say_of_account(
    client: &Client,
    index: &Index,
    name: &ObjectName,
    saying: &Saying,
) -> Result<(), kube::Error> {
    let said = index.account_view(name).and_then(|a| a.state.issuer.clone());
    let same = said.is_some_and(|s| {
        s.status == saying.holds && s.reason == Some(saying.reason) && *s.message == *saying.message
    });
    if same {
        return Ok(());
    }
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::erase::<AWSAccount>(&()));
    if set_condition(&api, name.as_str(), ConditionType::IssuerReady, saying).await?
        && saying.holds != Status::True
    {
        tracing::warn!(account = %name, reason = saying.reason.as_str(), detail = saying.message, "no session of this account can be made");
    }
    Ok(())
}

/// Sets one condition of an object as it is now, and leaves all else. Gives whether it was another one.
async fn set_condition(
    api: &Api<DynamicObject>,
    name: &str,
    type_: ConditionType,
    saying: &Saying,
) -> Result<bool, kube::Error> {
    let Some(object) = api.get_opt(name).await? else {
        return Ok(false);
    };
    let Some(mut conditions) = conditions_of(&object.data) else {
        return Ok(false);
    };
    let changed = Conditions::new(&mut conditions, object.metadata.generation, Timestamp::now()).set(
        type_,
        saying.holds,
        saying.reason,
        &saying.message,
    );
    if !changed {
        return Ok(false);
    }
    patch_status(api, &object, &json!({"conditions": conditions})).await
}

/// The conditions that an object has; `None` when they can't be read, and so must not be written over.
fn conditions_of(data: &Value) -> Option<Vec<Condition>> {
    match data.pointer("/status/conditions") {
        None => Some(Vec::new()),
        Some(conditions) => serde_json::from_value(conditions.clone()).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn packed() -> AwsError {
        AwsError::new(
            "sts:AssumeRole",
            ErrorClass::PackedPolicyTooLarge,
            "112% of allotted space",
        )
        .with_code("PackedPolicyTooLarge")
    }

    #[test]
    fn a_refusal_is_said_once_and_taken_back_once() {
        let (reports, binding) = (Reports::default(), fixtures::binding_id("uploader"));
        reports.issued(&binding);
        assert!(reports.take().is_empty(), "nothing to say of what works");
        for _ in 0..3 {
            reports.refused(&binding, &packed());
        }
        let said = reports.take();
        assert_eq!(said.len(), 1);
        assert_eq!(said[&binding].reason, ConditionReason::PackedPolicyTooLarge);
        assert!(said[&binding].message.contains("112%"), "{said:?}");
        reports.refused(&binding, &packed());
        assert!(reports.take().is_empty());
        reports.issued(&binding);
        assert_eq!(reports.take()[&binding].holds, Status::True);
        reports.issued(&binding);
        assert!(reports.take().is_empty());
    }

    #[test]
    fn each_refusal_has_a_reason_that_is_a_contract() {
        let of = |class, code: &str| reason_of(&AwsError::new("sts:AssumeRole", class, "no").with_code(code));
        for (class, code, expected) in [
            (
                ErrorClass::PackedPolicyTooLarge,
                "PackedPolicyTooLarge",
                "PackedPolicyTooLarge",
            ),
            (
                ErrorClass::AccessDenied,
                "RegionDisabledException",
                "RegionDisabled",
            ),
            (ErrorClass::AccessDenied, "AccessDenied", "AccessDenied"),
            (ErrorClass::InvalidInput, "ValidationError", "AWSError"),
            (ErrorClass::MalformedPolicy, "MalformedPolicyDocument", "AWSError"),
        ] {
            assert_eq!(of(class, code).as_str(), expected, "{code}");
        }
    }
}
