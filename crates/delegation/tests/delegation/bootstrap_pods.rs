//! Identities that pods of the cluster get, or people give as keys; and who may write when Deputy is gone.

use deputy_delegation::{bootstrap::*, model::*, names::*};
use serde_json::{Value, json};

use crate::support::*;

const EKS: &str = "arn:aws:eks:eu-west-1:123456789012:cluster/production";
const PROVIDER: &str = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE";

fn here() -> Vec<AccountSetup> {
    setups(&cluster(), &[account()], &[]).unwrap()
}

fn to_pods(setups: &mut [AccountSetup], how: &PodsBecome) -> Result<(), Vec<PodIdentityError>> {
    give_to_pods(setups, how, &NamespaceName::new("deputy").unwrap())
}

fn by_token() -> PodsBecome {
    PodsBecome::WebIdentity(OidcProviderArn::parse(PROVIDER).unwrap())
}

fn by_association() -> PodsBecome {
    PodsBecome::PodIdentity(EksClusterArn::parse(EKS).unwrap())
}

fn service_accounts(setup: &AccountSetup) -> Vec<(&str, Value)> {
    let identities = setup.identities.iter();
    identities
        .map(|identity| {
            let trust = identity.trust.as_ref().unwrap().to_value();
            (service_account(identity.process).unwrap(), trust)
        })
        .collect()
}

#[test]
fn a_role_of_pods_trusts_tokens_of_its_service_account_alone() {
    let mut setups = here();
    to_pods(&mut setups, &by_token()).unwrap();
    let of = service_accounts(&setups[0]);
    let names: Vec<&str> = of.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["deputy-broker", "deputy-controller", "deputy-limits"]);
    let issuer = PROVIDER.split_once('/').unwrap().1;
    for (name, trust) in of {
        assert_eq!(
            trust,
            json!({"Version": "2012-10-17", "Statement": [{
                "Sid": "ServiceAccountToken",
                "Effect": "Allow",
                "Principal": {"Federated": PROVIDER},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringEquals": {
                    (format!("{issuer}:aud")): "sts.amazonaws.com",
                    (format!("{issuer}:sub")): format!("system:serviceaccount:deputy:{name}"),
                }},
            }]})
        );
    }
}

#[test]
fn a_role_of_pod_identity_is_one_service_accounts_of_one_cluster() {
    let mut setups = here();
    to_pods(&mut setups, &by_association()).unwrap();
    for (name, trust) in service_accounts(&setups[0]) {
        assert_eq!(
            trust,
            json!({"Version": "2012-10-17", "Statement": [{
                "Sid": "PodIdentity",
                "Effect": "Allow",
                "Principal": {"Service": "pods.eks.amazonaws.com"},
                "Action": ["sts:AssumeRole", "sts:TagSession"],
                "Condition": {
                    "ArnEquals": {"aws:RequestTag/eks-cluster-arn": EKS},
                    "StringEquals": {
                        "aws:RequestTag/kubernetes-namespace": "deputy",
                        "aws:RequestTag/kubernetes-service-account": name,
                    },
                },
            }]})
        );
    }
}

#[test]
fn pods_become_no_users_and_nothing_of_another_account() {
    for how in [by_token(), by_association()] {
        let user = Account {
            issuer: IssuerArn::parse("arn:aws:iam::123456789012:user/deputy-broker").unwrap(),
            ..account()
        };
        let mut of_user = setups(&cluster(), &[user], &[]).unwrap();
        let errors = to_pods(&mut of_user, &how).unwrap_err();
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(
            errors[0].to_string(),
            "arn:aws:iam::123456789012:user/deputy-broker is a user; pods become roles"
        );
        let elsewhere = Account {
            issuer: IssuerArn::parse("arn:aws:iam::210987654321:role/deputy-broker").unwrap(),
            ..account()
        };
        let mut elsewhere = setups(&cluster(), &[elsewhere], &[]).unwrap();
        let errors = to_pods(&mut elsewhere, &how).unwrap_err();
        let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].starts_with("arn:aws:iam::210987654321:role/deputy-broker is in another account than"),
            "{said:?}"
        );
    }
}

/// The trust of a role that a process assumes is by its own identity, and stays.
#[test]
fn what_a_process_becomes_by_itself_keeps_its_trust() {
    let assumed = |name: &str| {
        Some(AssumeRole {
            role: RoleArn::parse(&format!("arn:aws:iam::123456789012:role/{name}")).unwrap(),
            external_id: None,
        })
    };
    let named = Account {
        provisioner: assumed("writes-roles"),
        boundary_writer: assumed("writes-limits"),
        ..account()
    };
    let before = setups(&cluster(), &[named], &[]).unwrap();
    let mut after = before.clone();
    to_pods(&mut after, &by_association()).unwrap();
    let pairs = before[0].identities.iter().zip(&after[0].identities);
    let kept: Vec<&str> = pairs
        .filter(|(before, after)| before.trust.is_some() && before == after)
        .map(|(before, _)| before.arn.name())
        .collect();
    assert_eq!(kept, ["writes-roles", "writes-limits"]);
}

#[test]
fn identities_with_keys_are_users_everywhere_that_they_are_named() {
    let [setup] = &setups_with(UnnamedIdentities::Users, &cluster(), &[account()], &[]).unwrap()[..] else {
        panic!("one account")
    };
    let arns: Vec<String> = setup.identities.iter().map(|i| i.arn.to_string()).collect();
    let user = |name: &str| format!("arn:aws:iam::123456789012:user/{name}");
    assert_eq!(arns[1..], [user(PROVISIONER), user(BOUNDARY_WRITER)]);
    let guard = setup.service_control_policy.as_ref().unwrap().to_json();
    assert!(guard.contains(&user(PROVISIONER)) && guard.contains(&user(BOUNDARY_WRITER)));
    assert!(!guard.contains("role/deputy-provisioner"), "{guard}");
}

#[test]
fn break_glass_lets_somebody_write_and_lets_nobody_become() {
    let somebody = IssuerArn::parse("arn:aws:iam::123456789012:role/emergency").unwrap();
    let plain = service_control_policy(&cluster(), &account(), UnnamedIdentities::Roles, &[]);
    let open = service_control_policy(
        &cluster(),
        &account(),
        UnnamedIdentities::Roles,
        std::slice::from_ref(&somebody),
    );
    let pairs = plain.statements().iter().zip(open.statements());
    let changed: Vec<(&str, Vec<String>)> = pairs
        .filter(|(before, after)| before != after)
        .map(|(_, after)| {
            (
                after.sid.as_deref().unwrap(),
                after.conditions[0].values.iter().skip(1).cloned().collect(),
            )
        })
        .collect();
    let somebody = vec![somebody.to_string()];
    assert_eq!(
        changed,
        [
            ("OnlyDeputyWritesRoles", somebody.clone()),
            ("OnlyDeputyWritesLimits", somebody)
        ]
    );
}
