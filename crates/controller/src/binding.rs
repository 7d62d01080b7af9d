//! The controller of AWSRoleBinding: it writes a status and nothing else. The trust that bindings give is in their role.

use std::sync::Arc;

use deputy_api::{
    AWSRoleBinding, AWSRoleBindingStatus,
    conditions::{self, ACCEPTED, READY, Status, of_decision, reason},
    convert,
};
use deputy_delegation::{
    Decision,
    model::{Binding, ObjectId},
    naming,
};
use deputy_index::World;
use jiff::Timestamp;

use crate::{
    context::{Context, reference},
    error::Error,
    objects,
    queue::Next,
    role::status::list,
};

/// Reconciles bindings.
pub struct BindingController {
    ctx: Arc<Context>,
}

/// What is said about a binding beside its decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    role_ready: bool,
    shadowed: bool,
}

fn standing(world: &World, binding: &Binding) -> Standing {
    let role = ObjectId {
        namespace: binding.id.namespace.clone(),
        name: binding.role.clone(),
    };
    let is_default = |subject| {
        let default = world.default_binding(&binding.id.namespace, subject);
        default.is_none_or(|d| d.binding.id == binding.id)
    };
    Standing {
        role_ready: world
            .role(&role)
            .is_some_and(|r| r.state.ready && r.state.observed_generation == r.meta.generation),
        shadowed: !binding.subjects.iter().any(is_default),
    }
}

impl BindingController {
    /// A controller in `ctx`.
    #[must_use]
    pub fn new(ctx: Arc<Context>) -> Self {
        Self { ctx }
    }

    /// Says in its status how one binding stands.
    ///
    /// # Errors
    /// [`Error`]; the key is tried again.
    pub async fn reconcile(&self, id: &ObjectId) -> Result<Next, Error> {
        let api = objects::namespaced::<AWSRoleBinding>(&self.ctx.client, &id.namespace);
        let Some(object) = api.get_opt(id.name.as_str()).await? else {
            return Ok(Next::OnChange);
        };
        if object.metadata.deletion_timestamp.is_some() {
            return Ok(Next::OnChange);
        }
        let parsed = objects::parse::<AWSRoleBinding, _>(&object, convert::parse_binding);
        let parsed = parsed.map(Arc::new);
        let (decision, standing) = match &parsed {
            Ok(binding) => {
                let binding = Arc::clone(binding);
                let decide =
                    move |world: &World| (world.decide_binding_with(&binding), standing(world, &binding));
                self.ctx.decide(decide).await?
            }
            Err(violations) => {
                let nowhere = Standing {
                    role_ready: false,
                    shadowed: false,
                };
                (Decision::Refused(violations.clone()), nowhere)
            }
        };
        let old: AWSRoleBindingStatus = objects::status_of(&object);
        let mut new = old.clone();
        if let Ok(binding) = &parsed {
            new.role_arn = self.role_arn(binding).or(new.role_arn);
        }
        write(
            &mut new,
            &decision,
            standing,
            object.metadata.generation,
            self.ctx.now(),
        );
        if objects::write_status(&api, &object, &old, &new).await? {
            let (before, after) = (
                conditions::find(&old.conditions, READY),
                conditions::find(&new.conditions, READY),
            );
            if let Some(after) = after
                && before.is_none_or(|b| b.status != after.status || b.reason != after.reason)
            {
                let about = reference::<AWSRoleBinding>(&object);
                self.ctx
                    .tell(&about, after.status != "True", &after.reason, &after.message)
                    .await;
            }
        }
        Ok(Next::OnChange)
    }

    fn role_arn(&self, binding: &Binding) -> Option<String> {
        let world = &self.ctx.world;
        let role = world.role(&binding.role_id())?.granting().known()?.clone();
        let account = world.account(&role.account).known()?.clone();
        Some(naming::role_arn(&self.ctx.cluster, &account, &role.id).to_string())
    }
}

fn write(
    status: &mut AWSRoleBindingStatus,
    decision: &Decision,
    standing: Standing,
    generation: Option<i64>,
    now: Timestamp,
) {
    status.observed_generation = generation;
    let mut set = |type_, holds, reason, message: &str| {
        conditions::upsert(
            &mut status.conditions,
            type_,
            holds,
            reason,
            message,
            generation,
            now,
        );
    };
    match decision {
        Decision::Accepted(accepted) => {
            let limits: Vec<&str> = accepted.limits.iter().map(AsRef::as_ref).collect();
            set(
                ACCEPTED,
                Status::True,
                reason::WITHIN_LIMITS,
                &format!("within {}", limits.join(", ")),
            );
            match standing {
                Standing {
                    role_ready: false, ..
                } => {
                    set(
                        READY,
                        Status::False,
                        reason::ROLE_NOT_READY,
                        "the role is not ready; see its conditions",
                    );
                }
                Standing { shadowed: true, .. } => set(
                    READY,
                    Status::True,
                    reason::SHADOWED,
                    "another binding comes first for its ServiceAccounts (older, or of the same second and first by name); pods get this one by the annotation deputy.dev/binding",
                ),
                Standing { .. } => set(
                    READY,
                    Status::True,
                    reason::READY,
                    "pods of its ServiceAccounts get credentials",
                ),
            }
        }
        Decision::Refused(violations) => {
            let first = violations
                .first()
                .map_or(reason::INVALID, |v| of_decision(v.reason));
            let all = list(violations);
            set(ACCEPTED, Status::False, first, &all);
            set(
                READY,
                Status::False,
                reason::NOT_ACCEPTED,
                "not accepted: nobody gets credentials by it",
            );
        }
        Decision::Undecided(missing) => {
            let text: Vec<String> = missing.iter().map(ToString::to_string).collect();
            let text = text.join("; ");
            let why = if missing
                .iter()
                .any(|m| matches!(m, deputy_delegation::MissingFact::RoleNotFound(_)))
            {
                reason::ROLE_NOT_FOUND
            } else {
                reason::ACCOUNT_NOT_FOUND
            };
            set(ACCEPTED, Status::Unknown, why, &text);
            set(READY, Status::False, why, &text);
        }
    }
}

#[cfg(test)]
mod tests {
    use deputy_delegation::{Accepted, MissingFact, ObjectName, Reason, Violation};

    use super::*;
    use crate::fixtures::uploader;

    fn summary(decision: &Decision, role_ready: bool, shadowed: bool) -> [String; 2] {
        let mut status = AWSRoleBindingStatus::default();
        let standing = Standing { role_ready, shadowed };
        write(&mut status, decision, standing, Some(1), Timestamp::UNIX_EPOCH);
        [ACCEPTED, READY].map(|type_| {
            let condition = conditions::find(&status.conditions, type_).unwrap();
            format!("{} {}", condition.status, condition.reason)
        })
    }

    #[test]
    fn the_conditions_say_what_was_decided_and_whether_pods_get_credentials() {
        let accepted = Decision::Accepted(Accepted {
            limits: vec![ObjectName::new("payments").unwrap()],
            boundary: None,
        });
        let refused = Decision::Refused(vec![Violation {
            reason: Reason::Duration,
            field: "spec.session.duration".into(),
            limit: None,
            message: "too long".into(),
        }]);
        let without = |missing| Decision::Undecided(vec![missing]);
        let no_role = without(MissingFact::RoleNotFound(uploader()));
        let no_account = without(MissingFact::AccountNotFound(
            ObjectName::new("production").unwrap(),
        ));
        for (decision, role_ready, shadowed, expected) in [
            (&accepted, true, false, ["True WithinLimits", "True Ready"]),
            (&accepted, true, true, ["True WithinLimits", "True Shadowed"]),
            (
                &accepted,
                false,
                true,
                ["True WithinLimits", "False RoleNotReady"],
            ),
            (&refused, true, false, ["False Duration", "False NotAccepted"]),
            (
                &no_role,
                false,
                false,
                ["Unknown RoleNotFound", "False RoleNotFound"],
            ),
            (
                &no_account,
                false,
                false,
                ["Unknown AccountNotFound", "False AccountNotFound"],
            ),
        ] {
            assert_eq!(summary(decision, role_ready, shadowed), expected);
        }
    }
}
