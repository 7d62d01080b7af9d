//! The controller of AWSRole: *dereference* (clients) → *assess* (pure) → *plan* (pure) → *apply* (client) → *status* (client).

pub mod assess;
pub mod converge;
mod deletion;
pub mod status;

use std::{collections::HashMap, sync::Arc};

use deputy_api::{
    AWSRole, AWSRoleStatus,
    conditions::{self, ACCEPTED, READY, of_decision, reason},
    convert,
};
use deputy_delegation::{
    Decision, MissingFact, ObjectName, Uid,
    model::{Account, Limit, LimitEntry, ObjectId, Role},
    naming,
};
use deputy_index::{Entry, Index};
use kube::{Api, api::DynamicObject};
use parking_lot::Mutex;

use self::{
    assess::{BoundaryHashes, Ownership, RoleFacts, Target, assess},
    converge::{Stopped, converge},
    status::{Progress, of_stopped},
};
use crate::{
    context::{Context, reference},
    error::Error,
    objects,
    queue::Requeue,
    verified::{DRIFT_INTERVAL, Fingerprint, Verified},
};

/// On a role from before the first call to AWS until its IAM role is gone; a contract.
pub const FINALIZER: &str = "deputy.dev/role";

/// Reconciles roles.
pub struct RoleController {
    ctx: Arc<Context>,
    verified: Verified<ObjectId>,
    /// Roles that may be in AWS because of this process. A finalizer alone does not hold them: the API server lets a deletion
    /// that is under way already go through although a finalizer was added, and accepted, in between.
    made: Mutex<HashMap<ObjectId, Made>>,
}

/// What it takes to find a role in AWS whose object is gone.
#[derive(Clone)]
struct Made {
    uid: Uid,
    account: ObjectName,
}

/// A role as it was just read.
struct Subject {
    api: Api<DynamicObject>,
    object: DynamicObject,
    id: ObjectId,
    uid: Uid,
}

impl Subject {
    fn has_finalizer(&self) -> bool {
        let mut finalizers = self.object.metadata.finalizers.iter().flatten();
        finalizers.any(|f| f == FINALIZER)
    }

    /// The account that it names, also when the rest of it can't be read.
    fn account_name(&self) -> Option<ObjectName> {
        let name = self.object.data.pointer("/spec/accountRef/name")?.as_str()?;
        ObjectName::new(name).ok()
    }
}

/// What came of a role, and how long that is trusted.
struct Outcome {
    progress: Progress,
    next: Requeue,
}

impl Outcome {
    fn of(progress: Progress) -> Self {
        let next = progress.next(DRIFT_INTERVAL);
        Self { progress, next }
    }
}

/// Whether any binding of the role is accepted. What is remembered of a binding counts as long as nothing it rests on
/// has changed.
fn is_bound(index: &Index, id: &ObjectId) -> bool {
    index.bindings_of_role(id).iter().any(|b| {
        let decided = index.decide_binding(&b.id);
        decided.is_some_and(|d| d.decision.is_accepted())
    })
}

impl RoleController {
    /// A controller in `ctx`.
    #[must_use]
    pub fn new(ctx: Arc<Context>) -> Self {
        Self {
            ctx,
            verified: Verified::default(),
            made: Mutex::default(),
        }
    }

    /// Brings one role to where it should be, and says so in its status.
    ///
    /// # Errors
    /// [`Error`]; the key is tried again.
    pub async fn reconcile(&self, id: &ObjectId) -> Result<Requeue, Error> {
        let api = objects::namespaced::<AWSRole>(&self.ctx.client, &id.namespace);
        let Some(object) = api.get_opt(id.name.as_str()).await? else {
            self.verified.forget(id);
            return self.remove_orphan(id).await;
        };
        let uid = Uid::new(object.metadata.uid.clone().unwrap_or_default())?;
        let mut subject = Subject {
            api,
            object,
            id: id.clone(),
            uid,
        };
        if subject.object.metadata.deletion_timestamp.is_some() {
            return self.delete(&subject).await;
        }

        // On the object as it was just read, not as a watch once showed it.
        let parsed = objects::parse::<AWSRole, _>(&subject.object, convert::parse_role);
        let (role, decision) = match parsed {
            Ok(role) => {
                let decide = move |index: &Index| {
                    let decision = index.decide_role_with(&role);
                    (role, decision)
                };
                let (role, decision) = self.ctx.decide(decide).await?;
                (Some(role), decision)
            }
            Err(violations) => (None, Decision::Refused(violations)),
        };
        let account = subject
            .account_name()
            .map_or(Entry::Missing, |name| self.ctx.index.account(&name));
        // By an account that may not be used things are only taken away.
        let to_close = subject
            .account_name()
            .and_then(|name| self.ctx.index.account_as_written(&name))
            .filter(|_| matches!(decision, Decision::Refused(_)));
        let outcome = match account.known().or(to_close.as_ref()) {
            // Without its account nothing can be done about it, and nothing is.
            None => Outcome::of(without_account(&decision, &account)),
            Some(account) => match self
                .advance(&mut subject, role.as_ref(), account, &decision)
                .await?
            {
                Some(outcome) => outcome,
                None => return Ok(Requeue::AwaitChange),
            },
        };
        self.report(
            &subject,
            &decision,
            &outcome.progress,
            account.known().map(Arc::as_ref),
        )
        .await?;
        Ok(outcome.next)
    }

    /// Does what there is to do in AWS. `None` when the object is gone.
    async fn advance(
        &self,
        subject: &mut Subject,
        role: Option<&Role>,
        account: &Account,
        decision: &Decision,
    ) -> Result<Option<Outcome>, Error> {
        let ours = Ownership::of(&self.ctx.cluster, account, &subject.id, &subject.uid);
        let id = subject.id.clone();
        let bound = self.ctx.decide(move |index| is_bound(index, &id)).await?;
        // What it was before it could not be read any more must still be made unusable.
        let target = role.map_or(Target::Suspend, |role| {
            let limit = self.boundary_of(decision);
            let limits = self.limits_of(role);
            let facts = RoleFacts {
                cluster: &self.ctx.cluster,
                account,
                role,
                ours: &ours,
                bound,
                limits: &limits,
                boundary: limit.as_ref().map(|(limit, hashes)| (limit.as_ref(), hashes)),
            };
            assess(&facts, decision)
        });
        match &target {
            Target::Wait(facts) => {
                return Ok(Some(Outcome::of(Progress::waiting(reason::PROGRESSING, facts))));
            }
            // Nothing of it was ever in AWS: it had no finalizer.
            Target::Suspend if !subject.has_finalizer() => {
                return Ok(Some(Outcome::of(Progress::Suspended { role_id: None })));
            }
            Target::Hold { until, .. } if !subject.has_finalizer() => {
                let waiting = Progress::waiting(reason::BOUNDARY_NOT_READY, until);
                return Ok(Some(Outcome::of(waiting)));
            }
            Target::Suspend | Target::Hold { .. } => {}
            Target::Provision(_) => {
                let marked = objects::set_finalizer(&subject.api, &subject.object, FINALIZER, true).await?;
                let Some(marked) = marked else {
                    return Ok(None);
                };
                subject.object = marked;
                let made = Made {
                    uid: subject.uid.clone(),
                    account: account.name.clone(),
                };
                self.made.lock().insert(subject.id.clone(), made);
            }
        }
        // The same whether the boundary is there or not: a role that is as it should be already is not touched by that.
        let wanted = (target.desired(), &ours, &account.id, &account.endpoints);
        let fingerprint = self.verified.fingerprint(&wanted);
        let done = |role_id| match target.desired() {
            Some(_) => Progress::Done {
                bound,
                role_id,
                untagged: Vec::new(),
            },
            None => Progress::Suspended { role_id },
        };
        let known_id = objects::status_of::<AWSRoleStatus>(&subject.object).role_id;
        // Without its id in the status, as after a restore, it has to be looked at.
        let is_told = known_id.is_some() || target == Target::Suspend;
        if let Some(left) = self.verified.holds(&subject.id, fingerprint).filter(|_| is_told) {
            let progress = done(known_id);
            let next = progress.next(left);
            return Ok(Some(Outcome { progress, next }));
        }
        let roles = self.ctx.aws.roles(account);
        let converged = converge(roles.as_ref(), &ours.name, &|| self.ctx.may_write(), |observed| {
            target.plan(&ours, observed)
        })
        .await;
        match (converged, &target) {
            (Ok(_), Target::Hold { until, .. }) => {
                self.verified.forget(&subject.id);
                let waiting = Progress::waiting(reason::BOUNDARY_NOT_READY, until);
                Ok(Some(Outcome::of(waiting)))
            }
            (Ok(converged), _) if !converged.passed_over.is_empty() => {
                // Not as it should be, and to be tried again.
                self.verified.forget(&subject.id);
                Ok(Some(Outcome::of(Progress::Done {
                    bound,
                    role_id: converged.role_id,
                    untagged: converged.passed_over,
                })))
            }
            (Ok(converged), _) => {
                self.verified.set(subject.id.clone(), fingerprint);
                Ok(Some(Outcome::of(done(converged.role_id))))
            }
            (Err(stopped), _) => self
                .after_stop(subject, fingerprint, &stopped, &ours, done(known_id))
                .map(Some),
        }
    }

    /// What a role that could not be brought there is said to be. When AWS can't be read for a while, one that was as it
    /// should be is taken to be so still: nothing has changed about it but that it was time to look.
    fn after_stop(
        &self,
        subject: &Subject,
        fingerprint: Fingerprint,
        stopped: &Stopped,
        ours: &Ownership,
        as_it_was: Progress,
    ) -> Result<Outcome, Error> {
        if let Stopped::Unread(error) = stopped
            && error.is_retryable()
            && self.verified.held(&subject.id, fingerprint)
        {
            tracing::warn!(role = %subject.id, %error, "drift not looked for");
            return Ok(Outcome {
                progress: as_it_was,
                next: Requeue::Retry,
            });
        }
        self.verified.forget(&subject.id);
        let progress = of_stopped(ours.name.as_str(), stopped).ok_or(Error::NotLeader)?;
        tracing::warn!(role = %subject.id, ?stopped, "not as it should be");
        Ok(Outcome::of(progress))
    }

    /// The limits that apply to a role.
    fn limits_of(&self, role: &Role) -> Vec<Arc<Limit>> {
        let entries = self.ctx.index.limits_of(&role.id.namespace, &role.account);
        let valid = entries.into_iter().filter_map(|entry| match entry {
            LimitEntry::Valid(limit) => Some(limit),
            // Under one of those nothing was accepted.
            LimitEntry::Invalid { .. } => None,
        });
        valid.collect()
    }

    /// The limit whose boundary the role carries, with what its status says is in AWS.
    fn boundary_of(&self, decision: &Decision) -> Option<(Arc<Limit>, BoundaryHashes)> {
        let Decision::Accepted(accepted) = decision else {
            return None;
        };
        let (entry, _, state) = self.ctx.index.limit(accepted.boundary.as_ref()?)?;
        let LimitEntry::Valid(limit) = entry else {
            return None;
        };
        let hashes = state
            .boundaries
            .iter()
            .map(|b| (b.account.clone(), b.document_hash.clone()))
            .collect();
        Some((limit, hashes))
    }

    /// Writes the status, and an event when `Ready` changed.
    async fn report(
        &self,
        subject: &Subject,
        decision: &Decision,
        progress: &Progress,
        account: Option<&Account>,
    ) -> Result<(), Error> {
        let old: AWSRoleStatus = objects::status_of(&subject.object);
        let mut new = old.clone();
        let generation = subject.object.metadata.generation;
        status::write(&mut new, decision, progress, generation, self.ctx.now());
        if let Some(account) = account {
            new.role_arn = Some(naming::role_arn(&self.ctx.cluster, account, &subject.id).to_string());
            if let Decision::Accepted(accepted) = decision {
                let boundary = accepted.boundary.as_ref();
                new.boundary_arn =
                    boundary.map(|l| naming::boundary_arn(&self.ctx.cluster, account, l).to_string());
            }
        }
        if objects::write_status(&subject.api, &subject.object, &old, &new).await? {
            announce(&self.ctx, subject, &old, &new).await;
        }
        Ok(())
    }
}

async fn announce(ctx: &Context, subject: &Subject, old: &AWSRoleStatus, new: &AWSRoleStatus) {
    let (before, after) = (
        conditions::find(&old.conditions, READY),
        conditions::find(&new.conditions, READY),
    );
    if let Some(after) = after
        && before.is_none_or(|b| b.status != after.status || b.reason != after.reason)
    {
        let message = match conditions::find(&new.conditions, ACCEPTED) {
            Some(accepted) if accepted.status == "False" => &accepted.message,
            _ => &after.message,
        };
        let about = reference::<AWSRole>(&subject.object);
        ctx.publish_event(&about, after.status != "True", &after.reason, message)
            .await;
    }
}

fn without_account(decision: &Decision, account: &Entry<Account>) -> Progress {
    match (decision, account) {
        (_, Entry::Unreadable(why)) => Progress::waiting(
            of_decision(deputy_delegation::Reason::AccountInvalid),
            format!("the AWSAccount can't be used: {why}"),
        ),
        (Decision::Undecided(missing), _) => {
            let missing: Vec<String> = missing.iter().map(MissingFact::to_string).collect();
            Progress::waiting(reason::ACCOUNT_NOT_FOUND, missing.join("; "))
        }
        _ => Progress::waiting(reason::ACCOUNT_NOT_FOUND, "the AWSAccount does not exist"),
    }
}
