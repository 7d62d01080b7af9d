//! The entries in the status of ClusterAWSRoles: one for each of its IAM roles. They are the record by which an IAM role is found when
//! nobody binds it any more, so each is written before the first call to AWS and taken out when the role there is gone.
//!
//! Many roles of one object are worked on at once, so the writes of an object go one after the other, each onto what was just read.

use std::{collections::HashMap, sync::Arc};

use deputy_api::{ClusterAWSRole, ClusterAWSRoleStatus, InstanceFinding, RoleInstance};
use deputy_delegation::{ObjectName, model::RoleId, quota};
use deputy_runtime::status::patch_status;
use kube::api::DynamicObject;
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::OwnedMutexGuard;

use crate::{context::ControllerContext, error::ReconcileError, objects};

/// On a role from before the first call to AWS until its IAM role is gone, and on a ClusterAWSRole until all of its are; a contract.
pub const FINALIZER: &str = "deputy.dev/role";

/// Who writes them.
pub struct Instances {
    ctx: Arc<ControllerContext>,
    writing: Mutex<HashMap<ObjectName, Arc<tokio::sync::Mutex<()>>>>,
}

/// Whether a role of a ClusterAWSRole is noted down.
#[derive(Debug)]
pub enum Begun {
    /// It is: the object as it is then.
    Recorded(Box<DynamicObject>),
    /// The object is gone, or being deleted.
    Gone,
    /// The object has [`quota::INSTANCES_OF_CLUSTER_ROLE`] others.
    Full,
}

impl Instances {
    #[must_use]
    pub fn new(ctx: Arc<ControllerContext>) -> Self {
        Self {
            ctx,
            writing: Mutex::default(),
        }
    }

    /// The turn to write a ClusterAWSRole; it ends when that is dropped.
    pub async fn turn(&self, name: &ObjectName) -> OwnedMutexGuard<()> {
        let lock = Arc::clone(self.writing.lock().entry(name.clone()).or_default());
        lock.lock_owned().await
    }

    /// The object is gone.
    pub fn forget(&self, name: &ObjectName) {
        self.writing
            .lock()
            .retain(|known, lock| known != name || Arc::strong_count(lock) > 1);
    }

    /// Notes down that a role may be in AWS from now on: finalizer first, then the entry.
    ///
    /// # Errors
    /// Whatever the API server says.
    pub async fn begin(&self, id: &RoleId, entry: &RoleInstance) -> Result<Begun, ReconcileError> {
        let _turn = self.turn(&id.name).await;
        let api = objects::cluster_wide::<ClusterAWSRole>(&self.ctx.client);
        let object = api.get_opt(id.name.as_str()).await?;
        let Some(object) = object.filter(|o| o.metadata.deletion_timestamp.is_none()) else {
            return Ok(Begun::Gone);
        };
        let status: ClusterAWSRoleStatus = objects::status_of(&object);
        let Some(instances) = with(status.instances, entry) else {
            tracing::warn!(
                most = quota::INSTANCES_OF_CLUSTER_ROLE,
                "a ClusterAWSRole is as many IAM roles as it may be; no further one is made"
            );
            return Ok(Begun::Full);
        };
        let Some(marked) = objects::set_finalizer(&api, &object, FINALIZER, true).await? else {
            return Ok(Begun::Gone);
        };
        if !patch_status(&api, &marked, &json!({"instances": instances})).await? {
            return Ok(Begun::Gone);
        }
        Ok(Begun::Recorded(Box::new(marked)))
    }

    /// Writes an entry. Where there is no room for another one, the one is left out.
    ///
    /// # Errors
    /// Whatever the API server says; an object that is gone is none.
    pub async fn put(&self, id: &RoleId, entry: &RoleInstance) -> Result<(), ReconcileError> {
        self.change(id, |instances| with(instances, entry)).await
    }

    /// Takes an entry out: its role in AWS is gone.
    ///
    /// # Errors
    /// Whatever the API server says; an object that is gone is none.
    pub async fn remove(&self, id: &RoleId) -> Result<(), ReconcileError> {
        self.change(id, |mut instances| {
            instances.retain(|entry| !is_of(entry, id));
            Some(instances)
        })
        .await
    }

    async fn change(
        &self,
        id: &RoleId,
        change: impl FnOnce(Vec<RoleInstance>) -> Option<Vec<RoleInstance>>,
    ) -> Result<(), ReconcileError> {
        let _turn = self.turn(&id.name).await;
        let api = objects::cluster_wide::<ClusterAWSRole>(&self.ctx.client);
        let Some(object) = api.get_opt(id.name.as_str()).await? else {
            return Ok(());
        };
        let old: ClusterAWSRoleStatus = objects::status_of(&object);
        match change(old.instances.clone()) {
            Some(new) if new != old.instances => {
                patch_status(&api, &object, &json!({"instances": new})).await?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether an entry is that of this role.
fn is_of(entry: &RoleInstance, id: &RoleId) -> bool {
    entry.namespace == id.namespace.as_str()
        && id
            .bound_account()
            .is_some_and(|account| entry.account == account.as_str())
}

/// The entries with this one, in the order of their names; `None` when there is no room for another one.
fn with(mut instances: Vec<RoleInstance>, entry: &RoleInstance) -> Option<Vec<RoleInstance>> {
    let key = |e: &RoleInstance| (e.namespace.clone(), e.account.clone());
    let is_full = instances.len() >= quota::INSTANCES_OF_CLUSTER_ROLE;
    let others = instances.iter().filter(|other| key(other) != key(entry));
    let entry = if others.filter(|other| has_words(other)).count() < quota::FINDINGS_OF_CLUSTER_ROLE {
        entry.clone()
    } else {
        without_words(entry)
    };
    match instances.iter_mut().find(|other| key(other) == key(&entry)) {
        Some(known) => *known = entry,
        None if is_full => return None,
        None => {
            instances.push(entry);
            instances.sort_by_key(key);
        }
    }
    Some(instances)
}

fn has_words(entry: &RoleInstance) -> bool {
    let mut findings = [&entry.untagged, &entry.capped].into_iter().flatten();
    findings.any(|finding| finding.message.is_some())
}

/// With the reasons of its findings alone.
fn without_words(entry: &RoleInstance) -> RoleInstance {
    let reason = |finding: &InstanceFinding| InstanceFinding {
        reason: finding.reason.clone(),
        message: None,
    };
    RoleInstance {
        untagged: entry.untagged.as_ref().map(reason),
        capped: entry.capped.as_ref().map(reason),
        ..entry.clone()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    fn entry(namespace: &str, message: &str) -> RoleInstance {
        RoleInstance {
            namespace: namespace.to_owned(),
            account: "production".to_owned(),
            role_arn: None,
            role_id: None,
            trust_hash: None,
            left_out_principals: Vec::new(),
            sessions: None,
            ready: false,
            reason: "Progressing".to_owned(),
            message: message.to_owned(),
            untagged: None,
            capped: None,
            observed_generation: Some(1),
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
        }
    }

    #[test]
    fn an_entry_takes_its_own_place_and_no_other() {
        let two = vec![entry("billing", "old"), entry("payments", "old")];
        let changed = with(two.clone(), &entry("payments", "new")).unwrap();
        assert_eq!(changed, [entry("billing", "old"), entry("payments", "new")]);
        let more = with(two, &entry("catalog", "new")).unwrap();
        let names: Vec<_> = more.iter().map(|e| e.namespace.as_str()).collect();
        assert_eq!(names, ["billing", "catalog", "payments"]);
    }

    #[test]
    fn there_is_room_for_a_thousand_entries() {
        let full: Vec<_> = (0..quota::INSTANCES_OF_CLUSTER_ROLE)
            .map(|n| entry(&format!("team-{n:04}"), "old"))
            .collect();
        assert_eq!(with(full.clone(), &entry("team-x", "new")), None);
        assert!(with(full, &entry("team-0007", "new")).is_some_and(|all| all.len() == 1000));
    }
    #[test]
    fn of_twenty_entries_the_findings_are_there_in_words() {
        let finding = InstanceFinding {
            reason: "Capped".to_owned(),
            message: Some("allows s3:GetObject".to_owned()),
        };
        let capped = |n: usize| RoleInstance {
            capped: Some(finding.clone()),
            ..entry(&format!("team-{n:02}"), "")
        };
        let all = (0..30).fold(Vec::new(), |all, n| with(all, &capped(n)).unwrap());
        let words = all.iter().filter(|e| has_words(e)).count();
        assert_eq!(words, quota::FINDINGS_OF_CLUSTER_ROLE);
        assert!(all.iter().all(|e| e.capped.as_ref().unwrap().reason == "Capped"));
        // The same again changes nothing, with words and without.
        for n in [0, 29] {
            assert_eq!(with(all.clone(), &capped(n)).unwrap(), all);
        }
    }
}
