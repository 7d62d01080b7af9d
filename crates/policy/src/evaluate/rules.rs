//! Rules of services that hold whatever the policies say (IAM User Guide, "Comparing the AWS STS API operations"; STS API
//! reference; the reference pages of IAM and KMS).

use super::{reason::Rule, request::Request};
use crate::{
    context::Context,
    principal::{account::is_account_id, caller::Caller},
};

/// The parts of a resource ARN that rules look at.
pub(super) struct ResourceArn<'a> {
    pub(super) partition: &'a str,
    pub(super) service: &'a str,
    pub(super) account: &'a str,
    pub(super) rest: &'a str,
}

impl<'a> ResourceArn<'a> {
    pub(super) fn split(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        if parts.next() != Some("arn") {
            return None;
        }
        let (partition, service) = (parts.next()?, parts.next()?);
        let (_region, account) = (parts.next()?, parts.next()?);
        Some(Self {
            partition,
            service,
            account,
            rest: parts.next()?,
        })
    }

    /// The account, when the ARN has one.
    pub(super) fn account_id(&self) -> Option<&'a str> {
        is_account_id(self.account).then_some(self.account)
    }
}

/// Service and name of an action in lower case.
fn split(action: &str) -> (String, String) {
    let action = action.to_lowercase();
    match action.split_once(':') {
        Some((service, name)) => (service.to_owned(), name.to_owned()),
        None => (action, String::new()),
    }
}

/// Whether a role is assumed.
pub(super) fn assumes_role(action: &str) -> bool {
    matches!(
        action.to_lowercase().as_str(),
        "sts:assumerole" | "sts:assumerolewithsaml" | "sts:assumerolewithwebidentity"
    )
}

/// Whether the trust policy of a role is asked.
pub(super) fn is_trust_question(request: &Request) -> bool {
    let action = request.action.to_lowercase();
    let part_of_it = matches!(action.as_str(), "sts:tagsession" | "sts:setsourceidentity");
    (part_of_it || assumes_role(&action))
        && ResourceArn::split(&request.resource)
            .is_some_and(|arn| arn.service == "iam" && arn.rest.starts_with("role/"))
}

/// Whether the resource is a KMS key.
pub(super) fn is_key_question(request: &Request) -> bool {
    is_key(&request.resource)
}

/// Whether the ARN is that of a KMS key.
pub(super) fn is_key(resource: &str) -> bool {
    ResourceArn::split(resource).is_some_and(|arn| arn.service == "kms" && arn.rest.starts_with("key/"))
}

/// Whether both sides must allow although they are in one account: a role session that hands its source identity on.
pub(super) fn needs_both_sides(request: &Request) -> bool {
    request.action.eq_ignore_ascii_case("sts:SetSourceIdentity")
        && matches!(request.principal, Some(Caller::RoleSession { .. }))
        && is_trust_question(request)
}

/// What no policy can deny.
pub(super) fn always_allowed(request: &Request, session_token: bool) -> bool {
    match split(&request.action) {
        (service, name) if service == "sts" && name == "getcalleridentity" => !matches!(
            request.principal,
            Some(Caller::Anonymous | Caller::Federated(_) | Caller::OriginAccessIdentity(_))
        ),
        (service, name) if service == "sts" && name == "getsessiontoken" => {
            matches!(request.principal, Some(Caller::User { .. } | Caller::Root(_))) && !session_token
        }
        _ => false,
    }
}

/// What no policy can allow.
pub(super) fn refused(request: &Request, session_token: bool) -> Option<Rule> {
    let (service, name) = split(&request.action);
    let (iam, sts) = (service == "iam", service == "sts");
    let federates = sts && matches!(name.as_str(), "getfederationtoken" | "getsessiontoken");
    match &request.principal {
        Some(Caller::FederatedUser { .. }) if iam || (sts && name != "getcalleridentity") => {
            return Some(Rule::FederatedUserOperation);
        }
        Some(Caller::RoleSession { .. }) if federates => return Some(Rule::RoleSessionOperation),
        Some(Caller::Root(_)) if assumes_role(&request.action) => return Some(Rule::RootAssumesNothing),
        Some(Caller::User { .. }) if session_token => {
            let assumes = matches!(name.as_str(), "assumerole" | "tagsession" | "setsourceidentity");
            if (iam && !has_mfa(&request.context)) || (sts && !assumes && name != "getcalleridentity") {
                return Some(Rule::SessionTokenOperation);
            }
        }
        _ => {}
    }
    let arn = ResourceArn::split(&request.resource)?;
    if let Some(account) = request.principal.as_ref().and_then(Caller::account)
        && account.partition != arn.partition
    {
        return Some(Rule::OtherPartition);
    }
    let reads = ["get", "list", "generate", "simulate", "describe"]
        .iter()
        .any(|verb| name.starts_with(verb));
    let managed =
        (iam && arn.service == "iam" && arn.account == "aws" && arn.rest.starts_with("policy/") && !reads)
            || (iam && arn.service == "iam" && arn.rest.starts_with("role/aws-reserved/") && !reads)
            || (service == "kms" && arn.service == "kms" && arn.rest.starts_with("alias/aws/") && !reads);
    managed.then_some(Rule::ManagedByAws)
}

fn has_mfa(context: &Context) -> bool {
    matches!(context.get("aws:MultiFactorAuthPresent"), Some([value]) if value.eq_ignore_ascii_case("true"))
}

/// Whether tags are passed with the request.
pub(super) fn passes_tags(context: &Context) -> bool {
    context.iter().any(|(key, values)| {
        let key = key.to_lowercase();
        let keys = matches!(key.as_str(), "aws:tagkeys" | "sts:transitivetagkeys");
        key.starts_with("aws:requesttag/") || (keys && !values.is_empty())
    })
}

/// Whether a source identity is set, or handed on by a session that has one.
pub(super) fn sets_source_identity(request: &Request) -> bool {
    request.context.get("sts:SourceIdentity").is_some()
        || (matches!(request.principal, Some(Caller::RoleSession { .. }))
            && request.context.get("aws:SourceIdentity").is_some())
}
