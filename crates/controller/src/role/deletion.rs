//! A role that is being deleted: its IAM role goes first, then its finalizer.

use std::time::Duration;

use deputy_api::{AWSRoleStatus, conditions::reason};
use deputy_delegation::{ObjectName, plan};
use deputy_index::Entry;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;

use super::{FINALIZER, Ownership, RoleController, SOON, Stopped, Subject, status::Progress};
use crate::{context::reference, error::Error, objects, queue::Next};

/// How long a terminating namespace is held up by a role that can't be deleted. The tags in AWS are the record then.
const HOLD_NAMESPACE: Duration = Duration::from_secs(600);

impl RoleController {
    pub(super) async fn delete(&self, subject: &Subject) -> Result<Next, Error> {
        self.verified.forget(&subject.id);
        if !subject
            .object
            .metadata
            .finalizers
            .iter()
            .flatten()
            .any(|f| f == FINALIZER)
        {
            return Ok(Next::OnChange);
        }
        match self.remove_from_aws(subject).await? {
            Ok(()) => {
                objects::set_finalizer(&subject.api, &subject.object, FINALIZER, false).await?;
                self.ctx.metrics.reconciled("AWSRole", "deleted");
                Ok(Next::OnChange)
            }
            Err(why) if self.namespace_waited_long_enough(subject).await? => {
                tracing::warn!(role = %subject.id, why, "finalizer dropped: the namespace has been terminating for 10 minutes");
                self.ctx
                    .tell(
                        &reference::<deputy_api::AWSRole>(&subject.object),
                        true,
                        "Orphaned",
                        &why,
                    )
                    .await;
                objects::set_finalizer(&subject.api, &subject.object, FINALIZER, false).await?;
                Ok(Next::OnChange)
            }
            Err(why) => {
                let old: AWSRoleStatus = objects::status_of(&subject.object);
                let mut new = old.clone();
                super::status::write_progress(
                    &mut new,
                    &Progress::Deleting { message: why.clone() },
                    subject.object.metadata.generation,
                    self.ctx.now(),
                );
                if objects::write_status(&subject.api, &subject.object, &old, &new).await? {
                    self.ctx
                        .tell(
                            &reference::<deputy_api::AWSRole>(&subject.object),
                            true,
                            reason::DELETING,
                            &why,
                        )
                        .await;
                }
                Ok(Next::After(SOON))
            }
        }
    }

    /// The inner error says, for people, what keeps the IAM role.
    async fn remove_from_aws(&self, subject: &Subject) -> Result<Result<(), String>, Error> {
        let name = subject
            .object
            .data
            .pointer("/spec/accountRef/name")
            .and_then(|n| n.as_str())
            .unwrap_or_default();
        let account = match ObjectName::new(name).map(|n| self.ctx.world.account(&n)) {
            Ok(Entry::Known(account)) => account,
            Ok(Entry::Unreadable(why)) => {
                return Ok(Err(format!("the AWSAccount {name} can't be read: {why}")));
            }
            Ok(Entry::Missing) | Err(_) => {
                return Ok(Err(format!(
                    "the AWSAccount {name:?} does not exist, so the IAM role can't be deleted; make the account again, or delete \
                     the IAM role yourself and remove the finalizer {FINALIZER}"
                )));
            }
        };
        let ours = Ownership::of(&self.ctx.cluster, &account, &subject.id, &subject.uid);
        let roles = self.ctx.aws.roles(&account);
        let outcome = self
            .converge(subject, &roles, &ours, |observed| {
                match plan::plan_deletion(&ours.tags, &ours.name, &ours.path, observed) {
                    // Never ours, so nothing of ours is left behind.
                    Err(_) => Ok(Vec::new()),
                    planned => planned,
                }
            })
            .await;
        match outcome {
            Ok(_) => Ok(Ok(())),
            Err(Stopped::NotLeader) => Err(Error::NotLeader),
            Err(Stopped::Progress(Progress::Waiting { message, .. } | Progress::Deleting { message })) => {
                Ok(Err(message))
            }
            Err(Stopped::Progress(_)) => Ok(Err("the IAM role is still there".into())),
        }
    }

    async fn namespace_waited_long_enough(&self, subject: &Subject) -> Result<bool, Error> {
        let api: Api<Namespace> = Api::all(self.ctx.client.clone());
        let Some(namespace) = api.get_opt(subject.id.namespace.as_str()).await? else {
            return Ok(true);
        };
        let Some(since) = namespace.metadata.deletion_timestamp else {
            return Ok(false);
        };
        let waited = Timestamp::now().as_second() - since.0.as_second();
        Ok(waited >= i64::try_from(HOLD_NAMESPACE.as_secs()).unwrap_or(i64::MAX))
    }
}
