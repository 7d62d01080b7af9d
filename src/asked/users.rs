//! From the ARN of a federated user to the bindings that give its sessions.

use deputy_index::FederatedDecision;

use crate::objects::AskedWorld;

/// Whether an ARN is that of a federated user, Deputy's or not.
pub fn is_federated_user(arn: &str) -> bool {
    let mut parts = arn.splitn(6, ':');
    (parts.next(), parts.nth(1)) == (Some("arn"), Some("sts"))
        && parts
            .nth(2)
            .is_some_and(|rest| rest.starts_with("federated-user/"))
}

/// The bindings by which somebody is the federated user `arn`, the oldest first.
pub fn bindings_of_user(world: &AskedWorld, arn: &str) -> Vec<FederatedDecision> {
    let ids = world.index.federated_bindings().into_iter();
    let decided = ids.filter_map(|id| world.index.decide_federated(&id));
    let mut found: Vec<FederatedDecision> = decided
        .filter(|one| {
            let account = one.account.known();
            account.is_some_and(|account| one.binding.arn(account).to_string() == arn)
        })
        .collect();
    found.sort_by(|a, b| (a.binding.created, &a.binding.id).cmp(&(b.binding.created, &b.binding.id)));
    found
}
