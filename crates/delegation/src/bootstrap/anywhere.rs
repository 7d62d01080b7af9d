//! The same identities where IAM Roles Anywhere gives them to the processes.
//!
//! <https://docs.aws.amazon.com/rolesanywhere/latest/userguide/trust-model.html>: a session of Roles Anywhere has the common name of its
//! certificate as source identity, and AWS lets no session be made from it whose maker and whose role do not both allow that this is
//! handed on.

use deputy_policy::{
    ActionElement, Condition, Document, Effect, PolicyKind, Principal, PrincipalElement, Statement, Test,
};

use super::{policies::document, setup::AccountSetup};
use crate::names::{IamEntity, TrustAnchorArn};

const SERVICE: &str = "rolesanywhere.amazonaws.com";
const ASSUME: &str = "sts:AssumeRole";
const PASS: &str = "sts:SetSourceIdentity";

/// What IAM Roles Anywhere can't give with a trust anchor. The sentence names both.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnywhereIdentityError {
    /// It gives roles.
    #[error("{0} is a user; IAM Roles Anywhere gives roles")]
    User(String),
    /// It gives those of its own account.
    #[error(
        "{identity} is in another account than trust anchor {trust_anchor}; IAM Roles Anywhere gives roles of its own account"
    )]
    Elsewhere {
        /// The identity.
        identity: String,
        /// The trust anchor.
        trust_anchor: TrustAnchorArn,
    },
}

/// Adds to `setups` that each process's own identity is a role of IAM Roles Anywhere, for certificates of `trust_anchor` whose common
/// name is the name of the role.
///
/// # Errors
/// Everything by which that can't be.
pub fn give_by_roles_anywhere(
    setups: &mut [AccountSetup],
    trust_anchor: &TrustAnchorArn,
) -> Result<(), Vec<AnywhereIdentityError>> {
    let mut errors = Vec::new();
    for identity in setups.iter_mut().flat_map(|setup| &mut setup.identities) {
        if identity.process == super::federation::PROCESS {
            continue;
        }
        let arn = &identity.arn;
        if identity.trust.is_none() {
            if arn.entity() != IamEntity::Role {
                errors.push(AnywhereIdentityError::User(arn.to_string()));
            }
            if arn.account() != trust_anchor.account() || arn.partition() != trust_anchor.partition() {
                errors.push(AnywhereIdentityError::Elsewhere {
                    identity: arn.to_string(),
                    trust_anchor: trust_anchor.clone(),
                });
            }
        }
        let name = arn.name().to_owned();
        identity.policy = hands_on(&identity.policy, None);
        identity.trust = Some(match &identity.trust {
            Some(trust) => hands_on(trust, Some("aws:PrincipalArn")),
            None => trusts_roles_anywhere(trust_anchor, &name),
        });
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Whoever has a certificate of the authority could be any role that trusts it: so the certificate says which one it is for.
fn trusts_roles_anywhere(trust_anchor: &TrustAnchorArn, common_name: &str) -> Document {
    let statement = Statement {
        sid: Some("RolesAnywhere".to_owned()),
        effect: Effect::Allow,
        principal: Some(PrincipalElement::Principal(Principal::Listed {
            aws: Vec::new(),
            service: vec![SERVICE.to_owned()],
            federated: Vec::new(),
            canonical_user: Vec::new(),
        })),
        action: ActionElement::Action([ASSUME, PASS, "sts:TagSession"].map(str::to_owned).into()),
        resource: None,
        conditions: vec![
            Condition::new(Test::ArnEquals, "aws:SourceArn", [trust_anchor.to_string()]),
            Condition::new(
                Test::StringEquals,
                "aws:PrincipalTag/x509Subject/CN",
                [common_name.to_owned()],
            ),
        ],
    };
    document(PolicyKind::Trust, vec![statement])
}

/// `policy` with a source identity to hand on wherever a role may be assumed; of the conditions only that on the key `kept`, for the others
/// are about the call itself.
fn hands_on(policy: &Document, kept: Option<&str>) -> Document {
    let assumes = |statement: &&Statement| {
        let is_action = matches!(&statement.action, ActionElement::Action(actions) if actions.iter().any(|a| a == ASSUME));
        statement.effect == Effect::Allow && is_action
    };
    let mut statements = policy.statements().to_vec();
    let more: Vec<Statement> = policy
        .statements()
        .iter()
        .filter(assumes)
        .map(|statement| Statement {
            sid: statement.sid.as_ref().map(|sid| format!("{sid}SourceIdentity")),
            action: ActionElement::Action(vec![PASS.to_owned()]),
            conditions: statement
                .conditions
                .iter()
                .filter(|condition| kept == Some(condition.key.as_str()))
                .cloned()
                .collect(),
            ..statement.clone()
        })
        .collect();
    statements.extend(more);
    document(policy.kind(), statements)
}
