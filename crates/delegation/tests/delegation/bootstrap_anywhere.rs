//! Identities from IAM Roles Anywhere: whom the roles trust, and that a source identity passes all the way to a pod's session.

use deputy_delegation::{bootstrap::*, foreign_trust::*, model::*, names::*, trust};
use deputy_policy::{Caller, Document, Situation, evaluate_trust};
use serde_json::json;

use crate::support::*;

fn anchor(account: &str) -> TrustAnchorArn {
    let text = format!(
        "arn:aws:rolesanywhere:eu-west-1:{account}:trust-anchor/8f3d1a52-2c3e-4f0e-9d9b-1f2e3d4c5b6a"
    );
    TrustAnchorArn::parse(&text).unwrap()
}

fn by_certificate() -> Account {
    Account {
        with_source_identity: [IssuerArn::parse(ISSUER).unwrap()].into(),
        ..account()
    }
}

fn given(account: &Account) -> Vec<AccountSetup> {
    let mut setups = setups(&cluster(), std::slice::from_ref(account), &[]).unwrap();
    give_by_roles_anywhere(&mut setups, &anchor("123456789012")).unwrap();
    setups
}

fn broker_of(setups: &[AccountSetup]) -> ProcessIdentity {
    let mut all = setups.iter().flat_map(|setup| &setup.identities);
    all.find(|identity| identity.arn.name() == BROKER)
        .unwrap()
        .clone()
}

#[test]
fn a_role_trusts_certificates_with_its_name_of_this_trust_anchor() {
    for identity in &given(&account())[0].identities {
        let name = identity.arn.name();
        assert_eq!(
            identity.trust.as_ref().unwrap().to_value(),
            json!({"Version": "2012-10-17", "Statement": [{
                "Sid": "RolesAnywhere",
                "Effect": "Allow",
                "Principal": {"Service": "rolesanywhere.amazonaws.com"},
                "Action": ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"],
                "Condition": {
                    "ArnEquals": {"aws:SourceArn": anchor("123456789012").to_string()},
                    "StringEquals": {"aws:PrincipalTag/x509Subject/CN": name},
                },
            }]})
        );
    }
}

/// Whether AWS lets a broker of these policies make a session of the role, as a session that has a source identity.
fn makes_sessions(policy: &Document, trust: &Document) -> bool {
    let mut request = broker_request("sts:AssumeRole");
    request.context.set("aws:SourceIdentity", [BROKER]);
    let situation = Situation::new().identity([policy]).resource_policy(trust);
    situation.assume_role(&request).unwrap().is_allowed()
}

#[test]
fn a_source_identity_passes_where_account_and_bootstrap_say_so() {
    let plain = setups(&cluster(), &[account()], &[]).unwrap();
    let (plain, passing) = (broker_of(&plain).policy, broker_of(&given(&account())).policy);
    let trust_of = |account: &Account| trust::for_issuer(&cluster(), account, &uploader());
    for (policy, account, allowed) in [
        (&passing, by_certificate(), true),
        (&passing, account(), false),
        (&plain, by_certificate(), false),
    ] {
        assert_eq!(makes_sessions(policy, &trust_of(&account)), allowed);
    }
    // It opens nothing by itself, and to nobody else.
    let trust = trust_of(&by_certificate());
    let mut request = broker_request("sts:SetSourceIdentity");
    assert!(evaluate_trust(&trust, &request).is_allowed());
    let other = "arn:aws:iam::123456789012:role/other";
    request.principal = Some(Caller::parse(other).unwrap());
    request.context.set("aws:PrincipalArn", [other]);
    assert!(!evaluate_trust(&trust, &request).is_allowed());
    let before = trust_of(&account());
    assert_eq!(trust.statements().len(), before.statements().len() + 1);
    assert_eq!(trust.statements()[..2], before.statements()[..]);
}

#[test]
fn the_owner_of_a_role_that_exists_hears_that_it_has_to_pass() {
    let role = RoleArn::parse("arn:aws:iam::123456789012:role/terraform/reports").unwrap();
    let issuer = IssuerArn::parse(ISSUER).unwrap();
    let call = BrokerCall::of_any(&cluster(), &uploader());
    for (told_by, asked_of, allowed) in [
        (by_certificate(), by_certificate(), true),
        (account(), by_certificate(), false),
        (account(), account(), true),
    ] {
        let statements = statements_to_add(&cluster(), &told_by, &uploader());
        let text = format!("{{\"Version\": \"2012-10-17\", \"Statement\": {statements}}}");
        let entry = admits(&asked_of, &issuer, &role, &text, &call).unwrap();
        assert_eq!(matches!(entry, BrokerEntry::Allowed { .. }), allowed, "{text}");
    }
}

#[test]
fn identities_in_other_accounts_are_become_and_pass_it_too() {
    let assumed = |name: &str| {
        let role = RoleArn::parse(&format!("arn:aws:iam::210987654321:role/{name}")).unwrap();
        Some(AssumeRole {
            role,
            external_id: Some(ExternalId::new("shared").unwrap()),
        })
    };
    let far = Account {
        id: AccountId::new("210987654321").unwrap(),
        provisioner: assumed(PROVISIONER),
        boundary_writer: assumed(BOUNDARY_WRITER),
        ..account()
    };
    let setups = given(&far);
    let all: Vec<&ProcessIdentity> = setups.iter().flat_map(|setup| &setup.identities).collect();
    let far = all
        .iter()
        .find(|identity| identity.arn.name() == PROVISIONER)
        .unwrap();
    let trust = far.trust.as_ref().unwrap().to_value();
    let controller = "arn:aws:iam::123456789012:role/deputy-controller";
    assert_eq!(trust["Statement"][1]["Action"], "sts:SetSourceIdentity");
    assert_eq!(
        trust["Statement"][1]["Condition"],
        json!({"ArnEquals": {"aws:PrincipalArn": controller}})
    );
    let own = all
        .iter()
        .find(|identity| identity.arn.to_string() == controller)
        .unwrap();
    let actions: Vec<_> = own.policy.to_value()["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .map(|statement| statement["Action"].clone())
        .collect();
    assert_eq!(actions, [json!("sts:AssumeRole"), json!("sts:SetSourceIdentity")]);
}

#[test]
fn what_roles_anywhere_cant_give_is_refused() {
    let user = Account {
        issuer: IssuerArn::parse("arn:aws:iam::123456789012:user/deputy-broker").unwrap(),
        ..account()
    };
    let mut setups = setups(&cluster(), &[user], &[]).unwrap();
    let errors = give_by_roles_anywhere(&mut setups, &anchor("210987654321")).unwrap_err();
    let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        said[0],
        "arn:aws:iam::123456789012:user/deputy-broker is a user; IAM Roles Anywhere gives roles"
    );
    assert_eq!(
        said.len(),
        4,
        "and none of the three is in that account: {said:?}"
    );
    assert!(
        said[1].contains("is in another account than trust anchor"),
        "{said:?}"
    );
}
