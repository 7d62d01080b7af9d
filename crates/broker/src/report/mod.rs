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
    AWSAccount, AWSFederatedUserBinding, AWSRoleBinding,
    conditions::{ConditionReason, ConditionType, Conditions, Status},
};
use deputy_aws::{AwsError, ErrorClass};
use deputy_delegation::{
    NamespaceName, ObjectName,
    model::{BindingKind, BindingRef, ObjectId},
};
use deputy_index::Index;
use deputy_runtime::error::chain;
use deputy_runtime::status::patch_status;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{
    Api, Client, ResourceExt as _,
    api::{ApiResource, DynamicObject, ListParams},
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::Notify;

/// Bindings that are known to be refused, at most.
const MOST_REFUSED: usize = 10_000;
/// Between two writes: a cluster with ten thousand bindings that are refused at once is not answered by as many writes a second.
const BETWEEN_WRITES: Duration = Duration::from_millis(100);

/// From so many per cent on people hear that session policy and tags nearly fill what AWS has for them, and again when it is a step more.
const NEARLY_FULL: u32 = 90;
const STEP: u32 = 5;
/// Below, it is taken back: sessions of one binding are not all alike, and each would change what was said of the one before.
const NOT_FULL: u32 = NEARLY_FULL - STEP;
/// Bindings that are read at a time.
const PAGE: u32 = 500;

/// Before the per cent, in a condition's message.
const FILL: &str = " fill ";

/// A condition that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConditionReport {
    pub(crate) status: Status,
    pub(crate) reason: ConditionReason,
    pub(crate) message: String,
}

/// Which bindings STS refuses, and what of that is not written yet.
#[derive(Default)]
pub(crate) struct Reports {
    refused: Mutex<HashMap<BindingRef, ConditionReason>>,
    /// Whether there is any: asked at every request.
    any: AtomicBool,
    /// How full the sessions of bindings are of which that was said.
    nearly_full: Mutex<HashMap<BindingRef, u32>>,
    /// Whether there is any: asked at every session.
    any_nearly_full: AtomicBool,
    pending: Mutex<HashMap<BindingRef, ConditionReport>>,
    wake: Notify,
}

impl Reports {
    /// STS refuses sessions by this binding, for good as far as anybody knows.
    pub(crate) fn refused(&self, binding: &BindingRef, error: &AwsError) {
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
        tracing::warn!(
            reason = reason.as_str(),
            detail = message,
            "failed to issue session"
        );
        self.enqueue(binding, Status::False, reason, message);
    }

    /// STS gave a session by this binding.
    pub(crate) fn issued(&self, binding: &BindingRef) {
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
            tracing::info!("session issued after refusals");
            self.say_given(binding);
        }
    }

    /// A session by this binding was made, and its policy and tags fill so many per cent of what AWS has for them: said from
    /// [`NEARLY_FULL`] on, again when it is a [`STEP`] more, and taken back below [`NOT_FULL`].
    pub(crate) fn packed(&self, binding: &BindingRef, percent: u32) {
        let is_nearly_full = percent >= NEARLY_FULL;
        if !is_nearly_full && !self.any_nearly_full.load(Ordering::Relaxed) {
            return;
        }
        let is_new = {
            let mut known = self.nearly_full.lock();
            let said = known.get(binding).copied();
            let is_new = match said {
                None => is_nearly_full && known.len() < MOST_REFUSED,
                Some(said) => percent < NOT_FULL || percent / STEP > said / STEP,
            };
            match is_new {
                true if is_nearly_full => drop(known.insert(binding.clone(), percent)),
                true => drop(known.remove(binding)),
                false => {}
            }
            self.any_nearly_full.store(!known.is_empty(), Ordering::Relaxed);
            is_new
        };
        if is_new {
            self.say_given(binding);
        }
    }

    /// Says that STS gives sessions by this binding, and how near that is to its end.
    fn say_given(&self, binding: &BindingRef) {
        let percent = self.nearly_full.lock().get(binding).copied();
        let message = match percent {
            None => "STS gives sessions".to_owned(),
            Some(percent) => format!(
                "STS gives sessions, and their policy and tags{FILL}{percent} % of what AWS has for them: a longer session policy, or more tags, in \
                 this binding may be refused (PackedPolicyTooLarge)"
            ),
        };
        self.enqueue(binding, Status::True, ConditionReason::Ready, message);
    }

    /// Reads from the bindings' conditions which were refused before this process began.
    pub(crate) fn load(&self, index: &Index) {
        let roles = index.bindings().into_iter().filter_map(|id| {
            let reason = index.binding(&id)?.state.refused?;
            Some((BindingRef::role(id), reason))
        });
        let users = index.federated_bindings().into_iter().filter_map(|id| {
            let reason = index.federated_binding(&id)?.state.refused?;
            Some((BindingRef::federated_user(id), reason))
        });
        for (binding, reason) in roles.chain(users) {
            let mut refused = self.refused.lock();
            if refused.len() < MOST_REFUSED {
                refused.entry(binding).or_insert(reason);
                self.any.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Reads from the bindings themselves of which it was said before this process began that their sessions are nearly full.
    async fn load_nearly_full(&self, client: &Client) {
        let kinds = [
            (BindingKind::Role, ApiResource::erase::<AWSRoleBinding>(&())),
            (
                BindingKind::FederatedUser,
                ApiResource::erase::<AWSFederatedUserBinding>(&()),
            ),
        ];
        for (kind, resource) in kinds {
            let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
            let mut params = ListParams::default().limit(PAGE);
            loop {
                let page = match api.list(&params).await {
                    Ok(page) => page,
                    Err(error) => {
                        tracing::warn!(error = chain(&error), "failed to read what was said of bindings");
                        break;
                    }
                };
                for object in &page.items {
                    self.said_before(kind, object);
                }
                match page.metadata.continue_.filter(|next| !next.is_empty()) {
                    Some(next) => params.continue_token = Some(next),
                    None => break,
                }
            }
        }
    }

    fn said_before(&self, kind: BindingKind, object: &DynamicObject) {
        let Some(percent) = percent_said(&object.data) else {
            return;
        };
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        let (Ok(namespace), Ok(name)) = (NamespaceName::new(&namespace), ObjectName::new(&name)) else {
            return;
        };
        let binding = BindingRef {
            kind,
            id: ObjectId { namespace, name },
        };
        let mut known = self.nearly_full.lock();
        if known.len() < MOST_REFUSED {
            known.entry(binding).or_insert(percent);
            self.any_nearly_full.store(true, Ordering::Relaxed);
        }
    }

    fn enqueue(&self, binding: &BindingRef, status: Status, reason: ConditionReason, message: String) {
        let condition = ConditionReport {
            status,
            reason,
            message,
        };
        self.pending.lock().insert(binding.clone(), condition);
        self.wake.notify_one();
    }

    fn take(&self) -> HashMap<BindingRef, ConditionReport> {
        std::mem::take(&mut *self.pending.lock())
    }

    /// Writes the conditions that are pending. Never ends.
    pub(crate) async fn run(&self, client: &Client) {
        self.load_nearly_full(client).await;
        loop {
            self.wake.notified().await;
            for (binding, condition) in self.take() {
                let kind = match binding.kind {
                    BindingKind::Role => ApiResource::erase::<AWSRoleBinding>(&()),
                    BindingKind::FederatedUser => ApiResource::erase::<AWSFederatedUserBinding>(&()),
                };
                let namespace = binding.id.namespace.as_str();
                let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &kind);
                let conditions = [(ConditionType::SessionsIssued, Some(condition.clone()))];
                if let Err(error) = set_conditions(&api, binding.id.name.as_str(), &conditions).await {
                    tracing::warn!(%binding, error = chain(&error), "failed to write condition");
                    // Unless there is a newer one.
                    self.pending.lock().entry(binding).or_insert(condition);
                    self.wake.notify_one();
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                tokio::time::sleep(BETWEEN_WRITES).await;
            }
        }
    }
}

/// How full the condition of a binding says that its sessions are, if it does.
fn percent_said(data: &Value) -> Option<u32> {
    let conditions = conditions_of(data)?;
    let issued = ConditionType::SessionsIssued.as_str();
    let said = conditions.iter().find(|condition| condition.type_ == issued)?;
    let (_, percent) = said.message.split_once(FILL)?;
    let (percent, _) = percent.split_once(' ')?;
    percent.parse().ok()
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

/// Conditions to be written; `None`: not to be there.
type Wanted = [(ConditionType, Option<ConditionReport>)];

/// Writes into an account which identities the broker has there, as far as that is not what it says already.
///
/// # Errors
/// Whatever the API server says.
pub(crate) async fn write_account_conditions(
    client: &Client,
    index: &Index,
    name: &ObjectName,
    conditions: &Wanted,
) -> Result<(), kube::Error> {
    let said = index.account_view(name).map(|account| account.state);
    let is_said = |(type_, wanted): &(ConditionType, Option<ConditionReport>)| {
        let said = said.as_ref().and_then(|said| match type_ {
            ConditionType::FederationReady => said.federation.as_ref(),
            _ => said.issuer.as_ref(),
        });
        match (said, wanted) {
            (None, None) => true,
            (Some(said), Some(wanted)) => {
                said.status == wanted.status
                    && said.reason == Some(wanted.reason)
                    && *said.message == *wanted.message
            }
            _ => false,
        }
    };
    if conditions.iter().all(is_said) {
        return Ok(());
    }
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::erase::<AWSAccount>(&()));
    if set_conditions(&api, name.as_str(), conditions).await? {
        for (type_, condition) in conditions {
            let Some(failed) = condition.as_ref().filter(|c| c.status != Status::True) else {
                continue;
            };
            tracing::warn!(
                account = %name, condition = %type_, reason = failed.reason.as_str(), detail = failed.message,
                "failed to verify identity in account"
            );
        }
    }
    Ok(())
}

/// Sets conditions of an object as it is now, and leaves all else. Gives whether they were others.
async fn set_conditions(api: &Api<DynamicObject>, name: &str, wanted: &Wanted) -> Result<bool, kube::Error> {
    let Some(object) = api.get_opt(name).await? else {
        return Ok(false);
    };
    let Some(mut conditions) = conditions_of(&object.data) else {
        return Ok(false);
    };
    let before = conditions.clone();
    let mut new = Conditions::new(&mut conditions, object.metadata.generation, Timestamp::now());
    for (type_, condition) in wanted {
        match condition {
            Some(condition) => {
                new.set(*type_, condition.status, condition.reason, &condition.message);
            }
            None => new.remove(*type_),
        }
    }
    if conditions == before {
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
mod tests;
