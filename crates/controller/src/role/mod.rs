//! The controller of AWSRole: *dereference* (clients) → *assess* (pure) → *plan* (pure) → *apply* (client) → *status* (client).

pub mod assess;
mod deletion;
pub mod status;

use std::{sync::Arc, time::Duration};

use deputy_api::{AWSRole, AWSRoleStatus, convert};
use deputy_aws::{AwsError, Roles};
use deputy_delegation::{
    Decision, MissingFact, ObjectName, Uid, Violation,
    model::{Account, Kind, Limit, LimitEntry, ObjectId, Role},
    naming,
    plan::{self, IamCall, ObservedRole, TaggedOwner},
};
use deputy_index::Entry;
use kube::{Api, api::DynamicObject};

use self::{
    assess::{BoundaryHashes, Ownership, RoleFacts, Target, Waiting, assess},
    status::Progress,
};
use crate::{
    context::{Context, reference},
    error::Error,
    objects,
    queue::Next,
    verified::{DRIFT_INTERVAL, Verified},
};

/// On a role from before the first call to AWS until its IAM role is gone; a contract.
pub const FINALIZER: &str = "deputy.dev/role";
/// AWS may not show a change at once; that often it is looked at again in one go.
const LOOKS: usize = 3;

/// Reconciles roles.
pub struct RoleController {
    ctx: Arc<Context>,
    verified: Verified<ObjectId>,
}

/// A role with everything that was looked up.
struct Subject {
    api: Api<DynamicObject>,
    object: DynamicObject,
    id: ObjectId,
    uid: Uid,
}

impl RoleController {
    /// A controller in `ctx`.
    #[must_use]
    pub fn new(ctx: Arc<Context>) -> Self {
        Self {
            ctx,
            verified: Verified::default(),
        }
    }

    /// Brings one role to where it should be, and says so in its status.
    ///
    /// # Errors
    /// [`Error`]; the key is tried again.
    pub async fn reconcile(&self, id: &ObjectId) -> Result<Next, Error> {
        let api = objects::namespaced::<AWSRole>(&self.ctx.client, &id.namespace);
        let Some(object) = api.get_opt(id.name.as_str()).await? else {
            self.verified.forget(id);
            return Ok(Next::OnChange);
        };
        let uid = Uid::new(object.metadata.uid.clone().unwrap_or_default())?;
        let subject = Subject {
            api,
            object,
            id: id.clone(),
            uid,
        };
        if subject.object.metadata.deletion_timestamp.is_some() {
            return self.delete(&subject).await;
        }

        let parsed = objects::parse::<AWSRole, _>(&subject.object, convert::parse_role);
        let (decision, account) = self.decide(&subject, parsed.as_ref());
        let progress = match account.known() {
            // Without its account nothing can be done about it, and nothing is.
            None => waiting_for_facts(&decision, &account),
            Some(account) => {
                self.advance(&subject, parsed.ok().as_ref(), account, &decision)
                    .await?
            }
        };
        self.report(&subject, &decision, &progress, account.known().map(Arc::as_ref))
            .await?;
        Ok(match progress {
            Progress::Done { .. } | Progress::Suspended { .. } => Next::After(DRIFT_INTERVAL),
            Progress::Waiting { .. } | Progress::Deleting { .. } => Next::Retry,
        })
    }

    /// The decision on the object as it was just read, not as a watch once showed it.
    fn decide(
        &self,
        subject: &Subject,
        parsed: Result<&Role, &Vec<Violation>>,
    ) -> (Decision, Entry<Account>) {
        match parsed {
            Ok(role) => {
                let account = self.ctx.world.account(&role.account);
                (self.ctx.world.decide_role_with(role), account)
            }
            Err(violations) => {
                // What it was before it could not be read any more must still be made unusable.
                let name = subject
                    .object
                    .data
                    .pointer("/spec/accountRef/name")
                    .and_then(|n| n.as_str());
                let account = name
                    .and_then(|n| ObjectName::new(n).ok())
                    .map_or(Entry::Missing, |n| self.ctx.world.account(&n));
                (Decision::Refused(violations.clone()), account)
            }
        }
    }

    /// Does what there is to do in AWS.
    async fn advance(
        &self,
        subject: &Subject,
        role: Option<&Role>,
        account: &Account,
        decision: &Decision,
    ) -> Result<Progress, Error> {
        let target = match role {
            Some(role) => {
                let limit = self.boundary_of(decision);
                let facts = RoleFacts {
                    cluster: &self.ctx.cluster,
                    account,
                    role,
                    uid: &subject.uid,
                    bound: self.is_bound(&subject.id),
                    boundary: limit.as_ref().map(|(limit, hashes)| (limit.as_ref(), hashes)),
                };
                assess(&facts, decision)
            }
            None => Target::Suspend(Vec::new()),
        };
        let ours = Ownership::of(&self.ctx.cluster, account, &subject.id, &subject.uid);
        let fingerprint = Verified::<ObjectId>::fingerprint(&(&target, &account.id, &account.endpoints));
        let has_finalizer = subject
            .object
            .metadata
            .finalizers
            .iter()
            .flatten()
            .any(|f| f == FINALIZER);
        let roles = self.ctx.aws.roles(account);
        let outcome = match &target {
            Target::Wait(Waiting::Facts(message)) => {
                return Ok(Progress::Waiting {
                    reason: deputy_api::conditions::reason::PROGRESSING,
                    message: message.clone(),
                });
            }
            Target::Wait(Waiting::Boundary(message)) => {
                return Ok(Progress::Waiting {
                    reason: deputy_api::conditions::reason::BOUNDARY_NOT_READY,
                    message: message.clone(),
                });
            }
            // Nothing of it was ever in AWS: it had no finalizer.
            Target::Suspend(_) if !has_finalizer => Ok(Done::Same { exists: false }),
            Target::Suspend(_) if self.verified.holds(&subject.id, fingerprint) => Ok(Done::Same {
                exists: self.was_there(subject),
            }),
            Target::Suspend(_) => {
                self.converge(subject, &roles, &ours, |observed| {
                    plan::plan_suspension(&ours.tags, &ours.name, &ours.path, observed)
                })
                .await
            }
            Target::Provision(_) if has_finalizer && self.verified.holds(&subject.id, fingerprint) => {
                Ok(Done::Same { exists: true })
            }
            Target::Provision(desired) => {
                objects::set_finalizer(&subject.api, &subject.object, FINALIZER, true).await?;
                if !has_finalizer {
                    // The object has changed by that: the watch brings it back, and this reconciliation ends before AWS is touched.
                    return Ok(Progress::Waiting {
                        reason: deputy_api::conditions::reason::PROGRESSING,
                        message: "the role is about to be made".into(),
                    });
                }
                self.converge(subject, &roles, &ours, |observed| {
                    plan::plan(desired, observed, TaggedOwner::Gone)
                })
                .await
            }
        };
        Ok(match outcome {
            Ok(done) => {
                self.verified.set(subject.id.clone(), fingerprint);
                match target {
                    Target::Provision(_) => {
                        self.ctx.metrics.reconciled("AWSRole", done.word());
                        Progress::Done {
                            bound: self.is_bound(&subject.id),
                        }
                    }
                    _ => Progress::Suspended {
                        exists: done.exists(),
                    },
                }
            }
            Err(Stopped::Progress(progress)) => {
                self.verified.forget(&subject.id);
                progress
            }
            Err(Stopped::NotLeader) => return Err(Error::NotLeader),
        })
    }

    /// Reads, plans and applies until there is nothing left to do.
    async fn converge(
        &self,
        subject: &Subject,
        roles: &Arc<dyn Roles>,
        ours: &Ownership,
        plan: impl Fn(Option<&ObservedRole>) -> Result<Vec<IamCall>, plan::Conflict>,
    ) -> Result<Done, Stopped> {
        let mut changed = false;
        for _ in 0..LOOKS {
            let observed = roles.get_role(&ours.name).await.map_err(Stopped::aws)?;
            let calls = plan(observed.as_ref())
                .map_err(|conflict| Stopped::Progress(status::of_conflict(ours.name.as_str(), &conflict)))?;
            if calls.is_empty() {
                let exists = observed.is_some();
                return Ok(if changed {
                    Done::Changed { exists }
                } else {
                    Done::Same { exists }
                });
            }
            for call in &calls {
                if !self.ctx.may_write() {
                    return Err(Stopped::NotLeader);
                }
                roles.execute(call).await.map_err(Stopped::aws)?;
                changed = true;
                tracing::info!(role = %subject.id, aws_role = %ours.name, action = call.action(), "written");
            }
        }
        Err(Stopped::Progress(Progress::Waiting {
            reason: deputy_api::conditions::reason::PROGRESSING,
            message: "AWS does not show the change yet".into(),
        }))
    }

    /// Whether any binding of the role is accepted.
    fn is_bound(&self, id: &ObjectId) -> bool {
        let world = &self.ctx.world;
        world
            .bindings_of_role(id)
            .iter()
            .any(|b| world.decide_binding_with(b).is_accepted())
    }

    /// The limit whose boundary the role carries, with what its status says is in AWS.
    fn boundary_of(&self, decision: &Decision) -> Option<(Arc<Limit>, BoundaryHashes)> {
        let Decision::Accepted(accepted) = decision else {
            return None;
        };
        let (entry, _, state) = self.ctx.world.limit(accepted.boundary.as_ref()?)?;
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

    fn was_there(&self, subject: &Subject) -> bool {
        objects::status_of::<AWSRoleStatus>(&subject.object)
            .role_id
            .is_some()
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
        status::write(
            &mut new,
            decision,
            progress,
            subject.object.metadata.generation,
            self.ctx.now(),
        );
        if let Some(account) = account {
            new.role_arn = Some(naming::role_arn(&self.ctx.cluster, account, &subject.id).to_string());
            if let Decision::Accepted(accepted) = decision {
                new.limits = accepted.limits.iter().map(ToString::to_string).collect();
                new.boundary_arn = accepted
                    .boundary
                    .as_ref()
                    .map(|l| naming::boundary_arn(&self.ctx.cluster, account, l).to_string());
            }
            if matches!(
                progress,
                Progress::Done { .. } | Progress::Suspended { exists: true }
            ) && new.role_id.is_none()
            {
                let name = naming::role_name(&self.ctx.cluster, Kind::AWSRole, &subject.id);
                let observed = self.ctx.aws.roles(account).get_role(&name).await.ok().flatten();
                new.role_id = observed.map(|o| o.unique_id);
            }
        }
        if objects::write_status(&subject.api, &subject.object, &old, &new).await? {
            announce(&self.ctx, subject, &old, &new).await;
        }
        Ok(())
    }
}

async fn announce(ctx: &Context, subject: &Subject, old: &AWSRoleStatus, new: &AWSRoleStatus) {
    use deputy_api::conditions::{READY, find};
    let (before, after) = (find(&old.conditions, READY), find(&new.conditions, READY));
    if let Some(after) = after
        && before.is_none_or(|b| b.status != after.status || b.reason != after.reason)
    {
        let message = match find(&new.conditions, deputy_api::conditions::ACCEPTED) {
            Some(accepted) if accepted.status == "False" => &accepted.message,
            _ => &after.message,
        };
        ctx.tell(
            &reference::<AWSRole>(&subject.object),
            after.status != "True",
            &after.reason,
            message,
        )
        .await;
    }
}

fn waiting_for_facts(decision: &Decision, account: &Entry<Account>) -> Progress {
    let message = match (decision, account) {
        (_, Entry::Unreadable(why)) => format!("the AWSAccount can't be read: {why}"),
        (Decision::Undecided(missing), _) => missing
            .iter()
            .map(MissingFact::to_string)
            .collect::<Vec<_>>()
            .join("; "),
        _ => "the AWSAccount does not exist".to_owned(),
    };
    Progress::Waiting {
        reason: deputy_api::conditions::reason::ACCOUNT_NOT_FOUND,
        message,
    }
}

/// What converging came to.
enum Done {
    Same { exists: bool },
    Changed { exists: bool },
}

impl Done {
    fn exists(&self) -> bool {
        match self {
            Self::Same { exists } | Self::Changed { exists } => *exists,
        }
    }
    fn word(&self) -> &'static str {
        match self {
            Self::Same { .. } => "unchanged",
            Self::Changed { .. } => "changed",
        }
    }
}

enum Stopped {
    Progress(Progress),
    NotLeader,
}

impl Stopped {
    fn aws(error: AwsError) -> Self {
        Self::Progress(status::of_error(&error))
    }
}

/// The pause between looks at something that only time changes.
const SOON: Duration = Duration::from_secs(15);
