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
    conditions::{self, ISSUER_READY, SESSIONS_ISSUED, Status, reason},
};
use deputy_aws::{AwsError, ErrorClass};
use deputy_delegation::{ObjectName, model::ObjectId};
use deputy_index::World;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
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
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// Which bindings STS refuses, and what of that is not written yet.
#[derive(Default)]
pub(crate) struct Reports {
    refused: Mutex<HashMap<ObjectId, String>>,
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
            if refused.get(binding).is_some_and(|known| known == reason)
                || (refused.len() >= MOST_REFUSED && !refused.contains_key(binding))
            {
                return;
            }
            refused.insert(binding.clone(), reason.to_owned());
            self.any.store(true, Ordering::Relaxed);
        }
        let message = format!("AWS gives no session: {}", error.sentence());
        tracing::warn!(%binding, reason, detail = message, "no session can be made");
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
                reason::READY,
                "STS gives sessions".to_owned(),
            );
        }
    }

    /// What was said of these before this process began.
    pub(crate) fn remember(&self, world: &World) {
        for id in world.bindings() {
            let said = world.binding(&id).and_then(|b| b.state.refused.clone());
            if let Some(reason) = said {
                let mut refused = self.refused.lock();
                if refused.len() < MOST_REFUSED {
                    refused.entry(id).or_insert_with(|| reason.into());
                    self.any.store(true, Ordering::Relaxed);
                }
            }
        }
    }

    fn say(&self, binding: &ObjectId, holds: Status, reason: &str, message: String) {
        let saying = Saying {
            holds,
            reason: reason.to_owned(),
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
                if let Err(error) = set_condition(&api, id.name.as_str(), SESSIONS_ISSUED, &saying).await {
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

/// The reason in a condition for what STS says.
fn reason_of(error: &AwsError) -> &'static str {
    let code = error.code().unwrap_or_default();
    if code.starts_with(reason::REGION_DISABLED) {
        return reason::REGION_DISABLED;
    }
    match error.class() {
        ErrorClass::AccessDenied | ErrorClass::NotFound => reason::ACCESS_DENIED,
        class => class.condition_reason(),
    }
}

/// Says of an account whether the broker is its issuer, if that is not what it says already.
///
/// # Errors
/// Whatever the API server says.
pub(crate) async fn say_of_account(
    client: &Client,
    world: &World,
    name: &ObjectName,
    saying: &Saying,
) -> Result<(), kube::Error> {
    let said = world.account_view(name).and_then(|a| a.state.issuer.clone());
    let same = said.is_some_and(|s| {
        *s.status == *saying.holds.as_str() && *s.reason == *saying.reason && *s.message == *saying.message
    });
    if same {
        return Ok(());
    }
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::erase::<AWSAccount>(&()));
    if set_condition(&api, name.as_str(), ISSUER_READY, saying).await? && saying.holds != Status::True {
        tracing::warn!(account = %name, reason = saying.reason, detail = saying.message, "no session of this account can be made");
    }
    Ok(())
}

/// Sets one condition of an object as it is now, and leaves all else. Gives whether it was another one.
async fn set_condition(
    api: &Api<DynamicObject>,
    name: &str,
    type_: &str,
    saying: &Saying,
) -> Result<bool, kube::Error> {
    let Some(object) = api.get_opt(name).await? else {
        return Ok(false);
    };
    let Some(mut conditions) = conditions_of(&object.data) else {
        return Ok(false);
    };
    let changed = conditions::upsert(
        &mut conditions,
        type_,
        saying.holds,
        &saying.reason,
        &saying.message,
        object.metadata.generation,
        Timestamp::now(),
    );
    if !changed {
        return Ok(false);
    }
    // The resource version that was read: what others say meanwhile is not lost.
    let patch = json!({
        "metadata": {"resourceVersion": object.metadata.resource_version},
        "status": {"conditions": conditions},
    });
    match api
        .patch_status(name, &PatchParams::default(), &Patch::Merge(patch))
        .await
    {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
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
        assert_eq!(said[&binding].reason, "PackedPolicyTooLarge");
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
            assert_eq!(of(class, code), expected, "{code}");
        }
    }
}
