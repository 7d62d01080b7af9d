//! From the ARN of a caller to what it is: a federated user has bindings that give its sessions.

use deputy_index::FederatedDecision;

use crate::objects::AskedWorld;

/// Service, account and the rest of an ARN.
pub fn arn_parts(arn: &str) -> Option<(&str, &str, &str)> {
    let mut parts = arn.strip_prefix("arn:")?.splitn(5, ':').skip(1);
    let (service, _, account, rest) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    Some((service, account, rest))
}

/// Whether an ARN is that of a federated user, Deputy's or not.
pub fn is_federated_user(arn: &str) -> bool {
    arn_parts(arn).is_some_and(|(service, _, rest)| service == "sts" && rest.starts_with("federated-user/"))
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
