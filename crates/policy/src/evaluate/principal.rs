//! Whether a caller is meant by a Principal element.

use crate::document::{Principal, is_account_id};

/// Whether `caller` (an ARN, a service or a provider) is among the principals.
pub(super) fn matches(principal: &Principal, caller: &str) -> bool {
    match principal {
        Principal::Anyone => true,
        Principal::Listed {
            aws,
            service,
            federated,
            canonical_user,
        } => {
            aws.iter().any(|listed| aws_matches(listed, caller))
                || [service, federated, canonical_user]
                    .iter()
                    .any(|list| list.iter().any(|one| one == caller))
        }
    }
}

/// Account ids and account ARNs mean everybody in the account; role ARNs also the sessions of the role. Unique ids stand for
/// deleted principals and match nobody.
fn aws_matches(listed: &str, caller: &str) -> bool {
    let Some(caller_arn) = Arn::split(caller) else {
        return false;
    };
    if is_account_id(listed) {
        return caller_arn.account == listed;
    }
    let Some(arn) = Arn::split(listed) else {
        return false;
    };
    if (arn.partition, arn.account) != (caller_arn.partition, caller_arn.account) {
        return false;
    }
    match (arn.service, caller_arn.service) {
        ("iam", _) if arn.resource == "root" => true,
        ("iam", "sts") => {
            let role = arn
                .resource
                .strip_prefix("role/")
                .and_then(|path| path.rsplit('/').next());
            let session = caller_arn
                .resource
                .strip_prefix("assumed-role/")
                .and_then(|rest| rest.split('/').next());
            // The session's ARN does not have the role's path.
            role.is_some() && role == session
        }
        _ => listed == caller,
    }
}

struct Arn<'a> {
    partition: &'a str,
    service: &'a str,
    account: &'a str,
    resource: &'a str,
}

impl<'a> Arn<'a> {
    fn split(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        match [
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
        ] {
            [
                Some("arn"),
                Some(partition),
                Some(service),
                Some(_),
                Some(account),
                Some(resource),
            ] => Some(Self {
                partition,
                service,
                account,
                resource,
            }),
            _ => None,
        }
    }
}
