//! The queues of what is granted beside roles: bindings of roles and of federated users, of which a status is said and nothing is written to
//! AWS; and statements of resource policies.

use std::{collections::BTreeSet, sync::Arc};

use deputy_delegation::model::ObjectId;
use deputy_index::Index;
use deputy_runtime::shutdown::Shutdown;

use crate::{
    binding::BindingController,
    context::ControllerContext,
    federated::FederatedController,
    kind_queue::{Depth, KindQueue, Origin},
    progress::WorkProgress,
    queue::{Place, Workers},
    statement::StatementController,
};

/// Reconciliations at once of a kind that makes no calls to AWS.
const WITHOUT_AWS: Workers = Workers::each(8);

/// These queues.
pub(crate) struct GrantQueues {
    roles: KindQueue<ObjectId>,
    users: KindQueue<ObjectId>,
    statements: KindQueue<ObjectId>,
    statement: Arc<StatementController>,
    index: Arc<Index>,
}

impl GrantQueues {
    pub(crate) fn new(ctx: &Arc<ControllerContext>) -> Self {
        let place = |id: &ObjectId| Place::of_namespace(&id.namespace);
        let statement = Arc::new(StatementController::new(ctx.clone()));
        let placing = statement.clone();
        Self {
            roles: KindQueue::new("AWSRoleBinding", WITHOUT_AWS, place),
            users: KindQueue::new("AWSFederatedUserBinding", WITHOUT_AWS, place),
            statements: KindQueue::new("AWSResourcePolicyStatement", Workers::AWS, move |id| {
                placing.place(id)
            }),
            statement,
            index: ctx.index.clone(),
        }
    }

    /// Works on them until the process drains.
    pub(crate) async fn work(&self, ctx: &Arc<ControllerContext>, shutdown: &Shutdown) {
        let binding = Arc::new(BindingController::new(ctx.clone()));
        let user = Arc::new(FederatedController::new(ctx.clone()));
        let statement = self.statement.clone();
        tokio::join!(
            self.roles.work(ctx, shutdown, move |key, _| {
                let binding = binding.clone();
                async move { binding.reconcile(&key).await }
            }),
            self.users.work(ctx, shutdown, move |key, _| {
                let user = user.clone();
                async move { user.reconcile(&key).await }
            }),
            self.statements.work(ctx, shutdown, move |key, _| {
                let statement = statement.clone();
                async move { statement.reconcile(&key).await }
            }),
        );
    }

    /// For the gauges and the liveness of the process.
    pub(crate) fn observed(&self) -> [(WorkProgress, Depth); 3] {
        [
            self.roles.observed(),
            self.users.observed(),
            self.statements.observed(),
        ]
    }

    /// These have to be looked at.
    pub(crate) fn enqueue(
        &self,
        origin: Origin,
        roles: BTreeSet<ObjectId>,
        users: BTreeSet<ObjectId>,
        statements: BTreeSet<ObjectId>,
    ) {
        origin.enqueue(&self.roles.queue, roles, &BTreeSet::new());
        origin.enqueue(&self.users.queue, users, &BTreeSet::new());
        for id in statements {
            let lane = origin.lane_of_statement(&self.index, &id);
            self.statements.queue.add(id, lane);
        }
    }
}
