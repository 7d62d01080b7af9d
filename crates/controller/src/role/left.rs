//! What is left of a role whose object goes. One that is given up is read once more, so that who has to delete it hears whether anybody can
//! become it; one that is held is shut.

use std::sync::Arc;

use deputy_aws::{AwsError, CallPurpose};
use deputy_delegation::{
    model::{Kind, RoleId},
    plan::{IamCall, ObservedRole},
};

use super::{
    assess::{Convergence, RolePlan, RoleWork},
    dereference::RoleInputs,
    outcome::RoleOutcome,
    target::RoleTarget,
};
use crate::{
    context::ControllerContext,
    orphans::{HeldDeletion, Orphan},
};

/// What is true of a role that AWS refuses to delete, for `message`, and that nothing waits for any more.
pub async fn give_up(
    ctx: &ControllerContext,
    inputs: &RoleInputs,
    plan: &RolePlan,
    message: &str,
) -> RoleOutcome {
    let object = format!("{} {}", Kind::from(&inputs.id.kind).as_str(), inputs.id);
    let RoleWork::Converge(convergence) = &plan.work else {
        let role = deputy_delegation::naming::role_name(&ctx.cluster, &inputs.id);
        return RoleOutcome::Orphaned {
            account: None,
            orphan: Box::new(Orphan {
                role_arn: role.to_string(),
                role_id: None,
                object,
                reason: message.to_owned(),
            }),
        };
    };
    let roles = ctx.aws.roles(&convergence.account, CallPurpose::Revoke);
    match roles.get_role(&convergence.ownership.name).await {
        Ok(None) => RoleOutcome::Deleted,
        read => {
            let reason = format!("{message}; {}", convergence.who_becomes_it(read.as_ref()));
            let observed = read.ok().flatten();
            RoleOutcome::Orphaned {
                account: Some(convergence.account.name.clone()),
                orphan: Box::new(Orphan {
                    role_arn: convergence.arn(),
                    role_id: observed.map(|role| role.unique_id),
                    object,
                    reason,
                }),
            }
        }
    }
}

impl Convergence {
    /// The same role, which is shut in place of being deleted.
    pub(super) fn shutting(&self) -> Self {
        Self {
            account: Arc::clone(&self.account),
            ownership: self.ownership.clone(),
            target: RoleTarget::Shut,
            trust: None,
            fingerprint: self.fingerprint,
            known_role_id: self.known_role_id.clone(),
            uid: self.uid.clone(),
            ..*self
        }
    }

    /// What is true of it then, where so many are deleted at once.
    pub(super) fn held(&self, id: &RoleId, role_id: Option<String>, most: usize) -> RoleOutcome {
        RoleOutcome::Held(Box::new(HeldDeletion {
            account: self.account.name.clone(),
            orphan: Orphan {
                role_arn: self.arn(),
                role_id,
                object: format!("{} {id}", Kind::from(&id.kind).as_str()),
                reason: format!(
                    "its object was deleted when {most} roles of this account had been deleted within 10 minutes: it was left, and nobody \
                     can become it"
                ),
            },
            most,
        }))
    }

    fn arn(&self) -> String {
        let Self {
            account, ownership, ..
        } = self;
        deputy_delegation::RoleArn::of(&account.partition, &account.id, &ownership.path, &ownership.name)
            .to_string()
    }

    /// Whether anybody can become a role that is left.
    fn who_becomes_it(&self, read: Result<&Option<ObservedRole>, &AwsError>) -> &'static str {
        let Ok(Some(observed)) = read else {
            return "whether anybody can become it is not known, for AWS does not show it";
        };
        let closes = |call: &IamCall| matches!(call, IamCall::UpdateAssumeRolePolicy { .. });
        match RoleTarget::Suspend.steps(&self.ownership, Some(observed)) {
            Ok(steps) if steps.iter().any(|step| closes(&step.call)) => {
                "its trust could not be closed: whoever it trusted can still become it"
            }
            Ok(_) => "nobody can become it",
            Err(_not_ours) => "it is not ours any more",
        }
    }
}
