//! The controller of AWSRoleBinding: it writes a status and nothing else. The trust that bindings give is in their role.

use std::sync::Arc;

use deputy_api::{
    AWSRoleBinding, AWSRoleBindingStatus,
    conditions::{self, ACCEPTED, READY, SESSIONS_ISSUED, Status, of_decision, reason},
    convert,
};
use deputy_delegation::{
    Decision,
    model::{Binding, ObjectId},
    naming,
};
use deputy_index::Index;
use jiff::Timestamp;

use crate::{
    context::{Context, reference},
    error::Error,
    objects,
    queue::Requeue,
    role::status::list,
};

/// Reconciles bindings.
pub struct BindingController {
    ctx: Arc<Context>,
}

/// What is said about a binding beside its decision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Standing {
    role_ready: bool,
    shadowed: bool,
    /// Why the broker can make no session of the account at all.
    no_issuer: Option<String>,
}

fn standing(index: &Index, binding: &Binding) -> Standing {
    let role = ObjectId {
        namespace: binding.id.namespace.clone(),
        name: binding.role.clone(),
    };
    let is_default = |subject| {
        let default = index.default_binding(&binding.id.namespace, subject);
        default.is_none_or(|d| d.binding.id == binding.id)
    };
    Standing {
        role_ready: index
            .role(&role)
            .is_some_and(|r| r.state.ready && r.state.observed_generation == r.meta.generation),
        shadowed: !binding.subjects.iter().any(is_default),
        no_issuer: no_issuer(index, &role),
    }
}

/// What the broker says of its identity in the account of a role, if it is not the issuer.
fn no_issuer(index: &Index, role: &ObjectId) -> Option<String> {
    let role = index.role(role)?.parsed.ok()?;
    let issuer = index.account_view(&role.account)?.state.issuer.clone()?;
    (issuer.status == Status::False).then(|| issuer.message.into())
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
    pub async fn reconcile(&self, id: &ObjectId) -> Result<Requeue, Error> {
        let api = objects::namespaced::<AWSRoleBinding>(&self.ctx.client, &id.namespace);
        let Some(object) = api.get_opt(id.name.as_str()).await? else {
            return Ok(Requeue::AwaitChange);
        };
        if object.metadata.deletion_timestamp.is_some() {
            return Ok(Requeue::AwaitChange);
        }
        let parsed = objects::parse::<AWSRoleBinding, _>(&object, convert::parse_binding);
        let parsed = parsed.map(Arc::new);
        let (decision, standing) = match &parsed {
            Ok(binding) => {
                let binding = Arc::clone(binding);
                let decide =
                    move |index: &Index| (index.decide_binding_with(&binding), standing(index, &binding));
                self.ctx.decide(decide).await?
            }
            Err(violations) => (Decision::Refused(violations.clone()), Standing::default()),
        };
        let old: AWSRoleBindingStatus = objects::status_of(&object);
        let mut new = old.clone();
        if let Ok(binding) = &parsed {
            new.role_arn = self.role_arn(binding).or(new.role_arn);
        }
        write(
            &mut new,
            &decision,
            &standing,
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
                    .publish_event(&about, after.status != "True", &after.reason, &after.message)
                    .await;
            }
        }
        Ok(Requeue::AwaitChange)
    }

    fn role_arn(&self, binding: &Binding) -> Option<String> {
        let index = &self.ctx.index;
        let role = index.role(&binding.role_id())?.granting().known()?.clone();
        let account = index.account(&role.account).known()?.clone();
        Some(naming::role_arn(&self.ctx.cluster, &account, &role.id).to_string())
    }
}

/// A reason that the broker wrote, as one of those there are.
fn known_reason(text: &str) -> &'static str {
    [
        reason::PACKED_POLICY_TOO_LARGE,
        reason::REGION_DISABLED,
        reason::ACCESS_DENIED,
    ]
    .into_iter()
    .find(|known| *known == text)
    .unwrap_or(reason::AWS_ERROR)
}

fn write(
    status: &mut AWSRoleBindingStatus,
    decision: &Decision,
    standing: &Standing,
    generation: Option<i64>,
    now: Timestamp,
) {
    status.observed_generation = generation;
    let refused = conditions::find(&status.conditions, SESSIONS_ISSUED)
        .filter(|c| c.status == "False" && c.observed_generation == generation)
        .map(|c| (known_reason(&c.reason), c.message.clone()));
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
            match (standing, refused) {
                (
                    Standing {
                        role_ready: false, ..
                    },
                    _,
                ) => {
                    set(
                        READY,
                        Status::False,
                        reason::ROLE_NOT_READY,
                        "the role is not ready; see its conditions",
                    );
                }
                (
                    Standing {
                        no_issuer: Some(why), ..
                    },
                    _,
                ) => set(
                    READY,
                    Status::False,
                    reason::ISSUER_NOT_READY,
                    &format!("no session can be made: {why}"),
                ),
                (_, Some((reason, message))) => set(READY, Status::False, reason, &message),
                (Standing { shadowed: true, .. }, None) => set(
                    READY,
                    Status::True,
                    reason::SHADOWED,
                    "another binding comes first for its ServiceAccounts (older, or of the same second and first by name); pods get this one by the annotation deputy.dev/binding",
                ),
                (Standing { .. }, None) => set(
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
        let standing = Standing {
            role_ready,
            shadowed,
            ..Standing::default()
        };
        write(&mut status, decision, &standing, Some(1), Timestamp::UNIX_EPOCH);
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
        let refused = Decision::Refused(
            Violation {
                reason: Reason::Duration,
                field: "spec.session.duration".into(),
                limit: None,
                message: "too long".into(),
            }
            .into(),
        );
        let without = |missing: MissingFact| Decision::Undecided(missing.into());
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

    #[test]
    fn a_binding_by_which_no_session_can_be_made_is_not_ready_and_says_why() {
        let accepted = Decision::Accepted(Accepted {
            limits: vec![ObjectName::new("payments").unwrap()],
            boundary: None,
        });
        let refused = |reason: &str, generation| {
            let mut status = AWSRoleBindingStatus::default();
            conditions::upsert(
                &mut status.conditions,
                SESSIONS_ISSUED,
                Status::False,
                reason,
                "112 % of what AWS takes",
                Some(generation),
                Timestamp::UNIX_EPOCH,
            );
            status
        };
        let ready = Standing {
            role_ready: true,
            ..Standing::default()
        };
        let stranger = Standing {
            no_issuer: Some("the broker is somebody else".into()),
            ..ready.clone()
        };
        for (mut status, standing, expected) in [
            (
                refused("PackedPolicyTooLarge", 2),
                &ready,
                "False PackedPolicyTooLarge",
            ),
            (refused("RegionDisabled", 2), &ready, "False RegionDisabled"),
            (refused("Whatever", 2), &ready, "False AWSError"),
            // Of the spec before: nobody has asked since.
            (refused("PackedPolicyTooLarge", 1), &ready, "True Ready"),
            (AWSRoleBindingStatus::default(), &stranger, "False IssuerNotReady"),
        ] {
            write(&mut status, &accepted, standing, Some(2), Timestamp::UNIX_EPOCH);
            let found = conditions::find(&status.conditions, READY).unwrap();
            assert_eq!(format!("{} {}", found.status, found.reason), expected);
        }
    }
}
