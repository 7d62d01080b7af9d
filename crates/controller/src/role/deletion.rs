//! A role that is being deleted: its IAM role goes first, then its finalizer.

use std::time::Duration;

use deputy_api::{AWSRole, AWSRoleStatus, conditions::reason};
use deputy_delegation::model::ObjectId;
use deputy_index::Entry;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;

use super::{
    FINALIZER, Made, Ownership, RoleController, Subject,
    converge::converge,
    status::{self, Progress, of_stopped},
};
use crate::{context::reference, error::Error, objects, queue::Requeue};

/// How long a terminating namespace is held up by a role that can't be deleted. The tags in AWS are the record then.
const HOLD_NAMESPACE: Duration = Duration::from_secs(600);
/// What IAM may take to show a new role everywhere.
const SPREADS_WITHIN_SECONDS: i64 = 60;

impl RoleController {
    pub(super) async fn delete(&self, subject: &Subject) -> Result<Requeue, Error> {
        self.verified.forget(&subject.id);
        if !subject.has_finalizer() {
            return Ok(Requeue::AwaitChange);
        }
        let removed = match subject.account_name() {
            Some(account) => {
                let made = Made {
                    uid: subject.uid.clone(),
                    account,
                };
                self.remove_from_aws(&subject.id, &made, self.may_be_hidden(subject))
                    .await?
            }
            // Its shape forbids that; no role was ever made of it.
            None => Ok(()),
        };
        if let Err(why) = removed {
            if !self.namespace_waited_long_enough(subject).await? {
                self.say_what_keeps_it(subject, why).await?;
                return Ok(Requeue::Retry);
            }
            tracing::warn!(role = %subject.id, why, "finalizer dropped: the namespace has been terminating for 10 minutes");
            let about = reference::<AWSRole>(&subject.object);
            self.ctx.publish_event(&about, true, "Orphaned", &why).await;
        }
        // First: once the finalizer is off, the object may be gone, and another one of its name there.
        self.made.lock().remove(&subject.id);
        objects::set_finalizer(&subject.api, &subject.object, FINALIZER, false).await?;
        Ok(Requeue::AwaitChange)
    }

    /// Deletes the role of an object that is gone although it had a finalizer, or lost it.
    pub(super) async fn remove_orphan(&self, id: &ObjectId) -> Result<Requeue, Error> {
        let Some(made) = self.made.lock().get(id).cloned() else {
            return Ok(Requeue::AwaitChange);
        };
        match self.remove_from_aws(id, &made, false).await? {
            Ok(()) => {
                tracing::info!(role = %id, "its object was gone: the IAM role is deleted");
                self.made.lock().remove(id);
                Ok(Requeue::AwaitChange)
            }
            Err(why) => {
                tracing::warn!(role = %id, why, "its object is gone, and the IAM role is not");
                Ok(Requeue::Retry)
            }
        }
    }

    async fn say_what_keeps_it(&self, subject: &Subject, why: String) -> Result<(), Error> {
        let old: AWSRoleStatus = objects::status_of(&subject.object);
        let mut new = old.clone();
        let progress = Progress::Deleting { message: why.clone() };
        let generation = subject.object.metadata.generation;
        status::write_progress(&mut new, &progress, generation, self.ctx.now());
        if objects::write_status(&subject.api, &subject.object, &old, &new).await? {
            let about = reference::<AWSRole>(&subject.object);
            self.ctx.publish_event(&about, true, reason::DELETING, &why).await;
        }
        Ok(())
    }

    /// The inner error says, for people, what keeps the IAM role.
    async fn remove_from_aws(
        &self,
        id: &ObjectId,
        made: &Made,
        may_be_hidden: bool,
    ) -> Result<Result<(), String>, Error> {
        let Made { uid, account: name } = made;
        let account = match (
            self.ctx.index.account_as_written(name),
            self.ctx.index.account(name),
        ) {
            // Also by one that may not be used: what it made goes.
            (Some(account), _) | (None, Entry::Known(account)) => account,
            (None, Entry::Unreadable(why)) => {
                return Ok(Err(format!("the AWSAccount {name} can't be read: {why}")));
            }
            (None, Entry::Missing) => {
                return Ok(Err(format!(
                    "the AWSAccount {name} does not exist, so the IAM role can't be deleted; make the account again, or delete \
                     the IAM role yourself and remove the finalizer {FINALIZER}"
                )));
            }
        };
        let ours = Ownership::of(&self.ctx.cluster, &account, id, uid);
        let roles = self.ctx.aws.roles(&account);
        let outcome = converge(roles.as_ref(), &ours.name, &|| self.ctx.may_write(), |observed| {
            ours.plan_deletion(observed)
        })
        .await;
        match outcome {
            Ok(left) if left.role_id.is_some() => {
                tracing::warn!(role = %id, aws_role = %ours.name, "a role of this name is not ours, and stays");
                Ok(Ok(()))
            }
            Ok(left) if !left.changed && may_be_hidden => Ok(Err(
                "AWS shows no role yet, which may have been made a moment ago".into(),
            )),
            Ok(_) => Ok(Ok(())),
            Err(stopped) => match of_stopped(ours.name.as_str(), &stopped) {
                None => Err(Error::NotLeader),
                Some(Progress::Waiting { message, .. } | Progress::Deleting { message }) => Ok(Err(message)),
                Some(Progress::Done { .. } | Progress::Suspended { .. }) => {
                    Ok(Err("the IAM role is still there".into()))
                }
            },
        }
    }

    /// Whether a role may have been made that reads do not show yet: its object is new, and it was never seen.
    fn may_be_hidden(&self, subject: &Subject) -> bool {
        let was_seen = objects::status_of::<AWSRoleStatus>(&subject.object)
            .role_id
            .is_some();
        let made = subject.object.metadata.creation_timestamp.as_ref();
        let age = made.map_or(0, |t| self.ctx.now().as_second() - t.0.as_second());
        !was_seen && age < SPREADS_WITHIN_SECONDS
    }

    async fn namespace_waited_long_enough(&self, subject: &Subject) -> Result<bool, Error> {
        let api: Api<Namespace> = Api::all(self.ctx.client.clone());
        let Some(namespace) = api.get_opt(subject.id.namespace.as_str()).await? else {
            return Ok(true);
        };
        let Some(since) = namespace.metadata.deletion_timestamp else {
            return Ok(false);
        };
        let waited = self.ctx.now().as_second() - since.0.as_second();
        Ok(waited >= i64::try_from(HOLD_NAMESPACE.as_secs()).unwrap_or(i64::MAX))
    }
}
