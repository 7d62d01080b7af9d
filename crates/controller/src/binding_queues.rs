//! The queues of bindings, of roles and of federated users: what is said of those is a status, and nothing is written to AWS.

use std::{collections::BTreeSet, sync::Arc};

use deputy_delegation::model::ObjectId;
use deputy_runtime::shutdown::Shutdown;

use crate::{
    binding::BindingController,
    context::ControllerContext,
    federated::FederatedController,
    kind_queue::{Depth, KindQueue, Origin},
    progress::WorkProgress,
    queue::{Place, Workers},
};

/// Reconciliations at once of a kind that makes no calls to AWS.
const WITHOUT_AWS: Workers = Workers::each(8);

/// Both queues.
pub(crate) struct BindingQueues {
    roles: KindQueue<ObjectId>,
    users: KindQueue<ObjectId>,
}

impl BindingQueues {
    pub(crate) fn new() -> Self {
        let place = |id: &ObjectId| Place::of_namespace(&id.namespace);
        Self {
            roles: KindQueue::new("AWSRoleBinding", WITHOUT_AWS, place),
            users: KindQueue::new("AWSFederatedUserBinding", WITHOUT_AWS, place),
        }
    }

    /// Works on both until the process drains.
    pub(crate) async fn work(&self, ctx: &Arc<ControllerContext>, shutdown: &Shutdown) {
        let binding = Arc::new(BindingController::new(ctx.clone()));
        let user = Arc::new(FederatedController::new(ctx.clone()));
        tokio::join!(
            self.roles.work(ctx, shutdown, move |key, _| {
                let binding = binding.clone();
                async move { binding.reconcile(&key).await }
            }),
            self.users.work(ctx, shutdown, move |key, _| {
                let user = user.clone();
                async move { user.reconcile(&key).await }
            }),
        );
    }

    /// For the gauges and the liveness of the process.
    pub(crate) fn observed(&self) -> [(WorkProgress, Depth); 2] {
        [self.roles.observed(), self.users.observed()]
    }

    /// These have to be looked at.
    pub(crate) fn enqueue(&self, origin: Origin, roles: BTreeSet<ObjectId>, users: BTreeSet<ObjectId>) {
        origin.enqueue(&self.roles.queue, roles, &BTreeSet::new());
        origin.enqueue(&self.users.queue, users, &BTreeSet::new());
    }
}
