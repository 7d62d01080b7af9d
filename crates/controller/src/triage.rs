//! Which of the roles that wait are to be suspended. Deciding takes time, so it is found out beside the queue, and those go to its front: a
//! limit that is narrowed touches thousands of roles, and suspends a few.

use std::collections::BTreeSet;

use deputy_api::conditions::ConditionReason;
use deputy_delegation::{Decision, model::RoleId};
use deputy_index::Index;
use deputy_runtime::shutdown::Shutdown;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::{
    context::ControllerContext,
    queue::{Lane, Queue},
};

/// Roles that are decided about in one go: other decisions have their turn in between.
const AT_ONCE: usize = 64;

/// Roles about which it is to be found out.
#[derive(Debug, Default)]
pub struct Triage {
    pending: Mutex<BTreeSet<RoleId>>,
    news: Notify,
}

impl Triage {
    /// These wait in the queue now.
    pub fn add(&self, roles: impl IntoIterator<Item = RoleId>) {
        self.pending.lock().extend(roles);
        self.news.notify_one();
    }

    /// Promotes those of them that are to be suspended, until the process drains.
    pub async fn run(&self, ctx: &ControllerContext, queue: &Queue<RoleId>, shutdown: &Shutdown) {
        tokio::select! {
            () = self.for_ever(ctx, queue) => {}
            () = shutdown.draining() => {}
        }
    }

    async fn for_ever(&self, ctx: &ControllerContext, queue: &Queue<RoleId>) {
        loop {
            let some = self.take();
            if some.is_empty() {
                self.news.notified().await;
                continue;
            }
            let decided = ctx.decide(move |index| {
                let mut some = some;
                some.retain(|id| is_to_be_suspended(index, id));
                some
            });
            match decided.await {
                Ok(to_suspend) => {
                    for id in &to_suspend {
                        queue.promote(id, Lane::Revoke);
                    }
                }
                // They are worked on all the same, in their turn.
                Err(error) => tracing::warn!(%error, "failed to tell which roles are to be suspended"),
            }
        }
    }

    fn take(&self) -> BTreeSet<RoleId> {
        let mut pending = self.pending.lock();
        let mut some = std::mem::take(&mut *pending);
        if let Some(first_left) = some.iter().nth(AT_ONCE).cloned() {
            *pending = some.split_off(&first_left);
        }
        some
    }
}

/// Whether a role is refused and its status does not say that it is suspended as it is now.
fn is_to_be_suspended(index: &Index, id: &RoleId) -> bool {
    let Some(view) = index.role(id) else {
        return false;
    };
    let is_suspended = view.state.reason.as_deref() == Some(ConditionReason::Suspended.as_str())
        && view.state.observed_generation == view.meta.generation;
    let is_refused = !view.is_readable()
        || index
            .decide_role(id)
            .is_some_and(|(_, decision)| matches!(*decision, Decision::Refused(_)));
    is_refused && !is_suspended
}

#[cfg(test)]
mod tests {
    use deputy_index::ResourceKind;
    use serde_json::json;

    use super::*;
    use crate::fixtures::{index, role_object, uploader};

    #[test]
    fn a_role_that_is_refused_and_not_suspended_yet_goes_first() {
        let index = index();
        index.reset(ResourceKind::Roles, []);
        assert!(!is_to_be_suspended(&index, &uploader()), "there is none");
        // Whether the status says that it is suspended, and as it was how many changes ago.
        let cases = [
            ("s3:GetObject", None, false),
            ("s3:DeleteObject", None, true),
            ("s3:DeleteObject", Some(0), false),
            ("s3:DeleteObject", Some(1), true),
            ("s3:GetObject", Some(0), false),
        ];
        for (generation, (asked, suspended, first)) in (2i64..).zip(cases) {
            let mut role = role_object(&[asked]);
            role.metadata.generation = Some(generation);
            if let Some(ago) = suspended {
                let observed = generation - ago;
                let condition = json!({"type": "Ready", "status": "False", "reason": "Suspended", "message": "",
                    "observedGeneration": observed, "lastTransitionTime": "2026-11-28T00:00:00Z"});
                role.data["status"] = json!({"observedGeneration": observed, "conditions": [condition]});
            }
            index.reset(ResourceKind::Roles, [role]);
            assert_eq!(
                is_to_be_suspended(&index, &uploader()),
                first,
                "{asked} {suspended:?}"
            );
        }
        index.reset(ResourceKind::Roles, [role_object(&["s3:GetObject"])]);
        assert!(!is_to_be_suspended(&index, &uploader()));
        index.reset(ResourceKind::Limits, []);
        assert!(
            is_to_be_suspended(&index, &uploader()),
            "there is no limit any more"
        );
    }

    #[test]
    fn roles_are_looked_at_some_at_a_time_and_each_once() {
        let triage = Triage::default();
        let ids: Vec<RoleId> = (0..150)
            .map(|n| RoleId {
                name: deputy_delegation::ObjectName::new(format!("role-{n}")).unwrap(),
                ..uploader()
            })
            .collect();
        triage.add(ids.clone());
        triage.add(ids.clone());
        let sizes: Vec<usize> = std::iter::repeat_with(|| triage.take().len()).take(4).collect();
        assert_eq!(sizes, [64, 64, 22, 0]);
    }
}
