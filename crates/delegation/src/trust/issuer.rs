//! Statements for the sessions that the broker makes.

use std::collections::BTreeSet;

use deputy_policy::{ActionElement, Condition, Effect, Principal, PrincipalElement, Statement, Test};

use crate::{
    model::{Account, RoleId},
    names::{ClusterName, IssuerArn},
    naming,
};

/// Trust for sessions that the broker makes: the issuer, this external id, these request tags.
///
/// The principal is the issuer's account and the issuer is a condition: IAM stores a role or user principal as its unique
/// id, and a trust policy that names it would be dead after it is made again. AWS refuses with this a broker that was
/// talked into using another object's role, and a session without Deputy's tags.
///
/// Issuers of before are let in as well, all in one order: which of them is the issuer now makes no difference, and is no write.
///
/// With `names_people` they may say who of the people a session is for.
pub(super) fn statements(
    cluster: &ClusterName,
    account: &Account,
    id: &RoleId,
    names_people: bool,
) -> Vec<Statement> {
    let issuers = account.issuers();
    let is_issuer = || is_one_of(&issuers);
    let request_tag = |tag: &str, value: &str| {
        Condition::new(
            Test::StringEquals,
            format!("aws:RequestTag/{tag}"),
            [value.to_owned()],
        )
    };
    let tags = || {
        [
            request_tag(naming::TAG_CLUSTER, cluster.as_str()),
            request_tag(naming::TAG_NAMESPACE, id.namespace.as_str()),
        ]
    };
    let mut assume = vec![is_issuer()];
    assume.extend(tags());
    assume.push(Condition::new(
        Test::StringEquals,
        "sts:ExternalId",
        [naming::external_id(cluster, id).to_string()],
    ));
    let mut tag = vec![is_issuer()];
    tag.extend(tags());

    let mut statements = vec![
        allow(&issuers, "AssumeRole", "sts:AssumeRole", assume),
        allow(&issuers, "TagSession", "sts:TagSession", tag),
    ];
    // What the first statement does not allow gets no session, so this says no more than who may hand one on. A session of Roles Anywhere
    // has its certificate's common name, and AWS asks for each session that it makes whether that may be handed on.
    let with_one: BTreeSet<&IssuerArn> = if names_people {
        issuers.clone()
    } else {
        account.with_source_identity.iter().collect()
    };
    if !with_one.is_empty() {
        let condition = vec![is_one_of(&with_one)];
        statements.push(allow(
            &with_one,
            "SetSourceIdentity",
            "sts:SetSourceIdentity",
            condition,
        ));
    }
    statements
}

fn is_one_of(issuers: &BTreeSet<&IssuerArn>) -> Condition {
    let named: Vec<String> = issuers.iter().map(ToString::to_string).collect();
    Condition::new(Test::ArnEquals, "aws:PrincipalArn", named)
}

fn allow(issuers: &BTreeSet<&IssuerArn>, sid: &str, action: &str, conditions: Vec<Condition>) -> Statement {
    let root = |issuer: &&IssuerArn| format!("arn:{}:iam::{}:root", issuer.partition(), issuer.account());
    let roots: BTreeSet<String> = issuers.iter().map(root).collect();
    Statement {
        sid: Some(sid.to_owned()),
        effect: Effect::Allow,
        principal: Some(PrincipalElement::Principal(Principal::aws(roots))),
        action: ActionElement::Action(vec![action.to_owned()]),
        resource: None,
        conditions,
    }
}
