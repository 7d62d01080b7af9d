//! The other half of a trust that goes out of the account: what its side attaches to who shall become the role.

use deputy_policy::{
    ActionElement, Condition, Document, Effect, PolicyKind, ResourceElement, Statement, Test, Version,
};

use super::deny_everything;
use crate::{model::AwsPrincipal, names::RoleArn};

/// An identity policy for the users and roles of `principals` who shall become `role`: for their group or role, ready to paste. With a
/// second factor where every one of them needs it. An external id is a parameter of their call, no permission.
#[must_use]
pub fn caller_policy(role: &RoleArn, principals: &[AwsPrincipal]) -> Document {
    let with_mfa = !principals.is_empty() && principals.iter().all(AwsPrincipal::requires_mfa);
    let conditions = with_mfa
        .then(|| Condition::new(Test::Bool, "aws:MultiFactorAuthPresent", ["true"]))
        .into_iter()
        .collect();
    let statement = Statement {
        sid: None,
        effect: Effect::Allow,
        principal: None,
        action: ActionElement::Action(vec!["sts:AssumeRole".to_owned()]),
        resource: Some(ResourceElement::Resource(vec![role.to_string()])),
        conditions,
    };
    // Typed names hold no character that a policy could not; an error would still never be an allow.
    Document::new(Version::V2012, vec![statement], PolicyKind::Identity)
        .unwrap_or_else(|_| deny_everything(PolicyKind::Identity))
}
