//! Whether AWS has the boundary that a limit asks for, as far as the limit's status says.

use deputy_delegation::{
    ManagedPolicyArn, ObjectName,
    boundary::{self, AccountBoundary},
    model::{Account, LimitEntry},
    plan::BoundaryInAws,
};

use crate::{entry::BoundaryInAccount, index::Index};

impl Index {
    /// The boundary policy of a limit in `account`, when AWS has it as the limit is now.
    ///
    /// # Errors
    /// What it waits for, for people.
    pub fn boundary_in_force(
        &self,
        limit: &ObjectName,
        account: &Account,
    ) -> Result<ManagedPolicyArn, String> {
        let Some((LimitEntry::Valid(limit), _, state)) = self.limit(limit) else {
            return Err(format!("DelegationLimit {limit} can't be read"));
        };
        let wanted = boundary::in_account(self.cluster(), account, &limit);
        let arn = boundary::arn(self.cluster(), account, &limit);
        let (Some(wanted), Some(arn)) = (wanted.as_deref(), arn) else {
            return Err(format!("DelegationLimit {} has no boundary", limit.name));
        };
        let wanted = wanted.as_ref().map_err(|violation| violation.message.clone())?;
        boundary_state(wanted, &arn, state.boundary(&account.name)).map_err(|(_, until)| until)?;
        Ok(arn)
    }
}

/// Whether AWS has the boundary of a limit as it is now, by the limit's status.
///
/// # Errors
/// What it has, and what is waited for, for people.
pub fn boundary_state(
    wanted: &AccountBoundary,
    arn: &ManagedPolicyArn,
    in_aws: Option<&BoundaryInAccount>,
) -> Result<(), (BoundaryInAws, String)> {
    let Some(there) = in_aws else {
        return Err((BoundaryInAws::Missing, format!("{arn} is not there yet")));
    };
    let is_it = *there.policy_arn == *arn.to_string();
    let (is_right, verb) = match wanted {
        AccountBoundary::Generated(generated) => {
            (*there.document_hash == *generated.hash, "brought up to date")
        }
        AccountBoundary::Referenced(referenced) => {
            if is_it && there.within == Some(false) {
                let until = format!(
                    "{arn} is not known to stay within the limit (its condition says why); until it does nothing more is granted"
                );
                return Err((BoundaryInAws::Exceeding, until));
            }
            let is_proved = there.within == Some(true)
                && there.ceiling_hash.as_deref() == Some(referenced.ceiling_hash.as_str());
            (is_proved, "compared with the limit")
        }
    };
    if is_it && is_right {
        Ok(())
    } else {
        Err((
            BoundaryInAws::Outdated,
            format!("{arn} is being {verb}; until then nothing more is granted"),
        ))
    }
}
