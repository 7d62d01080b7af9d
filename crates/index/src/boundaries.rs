//! Whether AWS has the boundary that a limit asks for, as far as the limit's status says.

use deputy_delegation::{
    ObjectName, PolicyArn,
    boundary::generated,
    model::{Account, LimitEntry},
    naming,
};

use crate::index::Index;

impl Index {
    /// The boundary policy of a limit in `account`, when AWS has it as the limit is now.
    ///
    /// # Errors
    /// What it waits for, for people.
    pub fn boundary_in_force(&self, limit: &ObjectName, account: &Account) -> Result<PolicyArn, String> {
        let arn = naming::boundary_arn(self.cluster(), account, limit);
        let Some((LimitEntry::Valid(limit), _, state)) = self.limit(limit) else {
            return Err(format!("DelegationLimit {limit} can't be read"));
        };
        let generated = generated(self.cluster(), account, &limit);
        let generated = generated
            .as_ref()
            .as_ref()
            .map_err(|violation| violation.message.clone())?;
        match state.boundary(&account.name) {
            Some(boundary) if boundary.document_hash == generated.hash => Ok(arn),
            Some(_) => Err(format!("{arn} is being brought up to date")),
            None => Err(format!("{arn} is not there yet")),
        }
    }
}
