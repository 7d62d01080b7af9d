//! The controllers of one process, and what they do about one key.

use std::{sync::Arc, time::Duration};

use deputy_delegation::{
    ObjectName,
    model::{ObjectId, RoleId},
};
use deputy_index::BoundaryKey;
use futures::future::LocalBoxFuture;

use crate::{
    binding::BindingController,
    boundary::{BoundaryController, Sweeper},
    cluster_role::ClusterRoleController,
    context::ControllerContext,
    error::ReconcileError,
    instances::Instances,
    limit::LimitController,
    limit_status::LimitStatuses,
    queue::{Place, Queue, Requeue, Workers},
    role::RoleController,
    work::Urgency,
};

/// What may be looked at again sooner than this is not at rest.
pub const SOON: Duration = Duration::from_secs(600);

/// Which of the two programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    Controller,
    Limits,
}

/// A key of some queue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    Boundary(BoundaryKey),
    Limit(ObjectName),
    Role(RoleId),
    ClusterRole(ObjectName),
    Binding(ObjectId),
    Sweep,
}

/// How a try ends.
pub type Outcome = Result<Requeue, ReconcileError>;

/// Of one program.
pub enum Controllers {
    Roles {
        role: Arc<RoleController>,
        cluster_role: Arc<ClusterRoleController>,
        binding: Arc<BindingController>,
    },
    Limits {
        boundary: Arc<BoundaryController>,
        limit: Arc<LimitController>,
        sweeper: Arc<Sweeper>,
        /// Limits that the controller of boundaries tells of.
        told: Queue<ObjectName>,
    },
}

impl Controllers {
    /// With so many roles of an account that are deleted at once.
    pub fn new(program: Program, ctx: &Arc<ControllerContext>, most_deleted: usize) -> Self {
        match program {
            Program::Controller => {
                let instances = Arc::new(Instances::new(Arc::clone(ctx)));
                let role = RoleController::new(Arc::clone(ctx), Arc::clone(&instances));
                Self::Roles {
                    role: Arc::new(role.deleting_at_most(most_deleted)),
                    cluster_role: Arc::new(ClusterRoleController::new(Arc::clone(ctx), instances)),
                    binding: Arc::new(BindingController::new(Arc::clone(ctx))),
                }
            }
            Program::Limits => {
                let told = Queue::new(Workers::each(1), |_: &ObjectName| Place::default());
                let statuses = Arc::new(LimitStatuses::new(Arc::clone(ctx)));
                let boundary = BoundaryController::new(Arc::clone(ctx), Arc::clone(&statuses), told.clone());
                Self::Limits {
                    boundary: Arc::new(boundary),
                    limit: Arc::new(LimitController::new(Arc::clone(ctx), statuses)),
                    sweeper: Arc::new(Sweeper::new(Arc::clone(ctx))),
                    told,
                }
            }
        }
    }

    pub fn doing(&self, work: &Work, urgency: Urgency) -> LocalBoxFuture<'static, Outcome> {
        match (self, work.clone()) {
            (Self::Roles { role, .. }, Work::Role(id)) => {
                let role = Arc::clone(role);
                Box::pin(async move { role.reconcile(&id, &urgency).await })
            }
            (Self::Roles { cluster_role, .. }, Work::ClusterRole(name)) => {
                let cluster_role = Arc::clone(cluster_role);
                Box::pin(async move { cluster_role.reconcile(&name).await })
            }
            (Self::Roles { binding, .. }, Work::Binding(id)) => {
                let binding = Arc::clone(binding);
                Box::pin(async move { binding.reconcile(&id).await })
            }
            (Self::Limits { boundary, .. }, Work::Boundary(key)) => {
                let boundary = Arc::clone(boundary);
                Box::pin(async move { boundary.reconcile(&key).await })
            }
            (Self::Limits { limit, .. }, Work::Limit(name)) => {
                let limit = Arc::clone(limit);
                Box::pin(async move { limit.reconcile(&name).await })
            }
            (Self::Limits { sweeper, .. }, Work::Sweep) => {
                let (sweeper, explained) = (Arc::clone(sweeper), sweeper.explained());
                Box::pin(async move {
                    let left = sweeper.sweep(&explained).await?;
                    // What is left is looked at again in ten minutes, as long as it is.
                    Ok(if left {
                        Requeue::After(SOON)
                    } else {
                        Requeue::AwaitChange
                    })
                })
            }
            _ => panic!("another program does that"),
        }
    }
}
