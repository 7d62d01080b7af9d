//! What has to be in AWS for several accounts of one cluster.

use deputy_delegation::{bootstrap::*, model::*, names::*};
use deputy_policy::{Caller, Context, Document, Layers, Request, evaluate, evaluate_trust};

use crate::support::*;

const HOME: &str = "123456789012";
const WAREHOUSE: &str = "210987654321";
const ARCHIVE: &str = "333333333333";

fn assumes(account: &str, name: &str, external_id: Option<&str>) -> Option<AssumeRole> {
    Some(AssumeRole {
        role: RoleArn::parse(&format!("arn:aws:iam::{account}:role/{name}")).unwrap(),
        external_id: external_id.map(|id| ExternalId::new(id).unwrap()),
    })
}

/// An account in which the processes become what it names.
fn other(name: &str, id: &str) -> Account {
    Account {
        name: object(name),
        id: AccountId::new(id).unwrap(),
        provisioner: assumes(id, "roles/deputy-provisioner", None),
        boundary_writer: assumes(id, "deputy-boundary-writer", Some("hand-over")),
        ..account()
    }
}

/// The home account between two others.
fn three() -> Vec<Account> {
    vec![
        other("warehouse", WAREHOUSE),
        account(),
        other("archive", ARCHIVE),
    ]
}

fn made(accounts: &[Account], limits: &[Limit]) -> Vec<AccountSetup> {
    setups(&cluster(), accounts, limits).unwrap()
}

fn request(caller: &str, action: &str, resource: &str, external_id: Option<&str>) -> Request {
    let mut context = Context::new().with("aws:PrincipalArn", caller);
    if let Some(id) = external_id {
        context.set("sts:ExternalId", [id]);
    }
    Request {
        action: action.to_owned(),
        resource: resource.to_owned(),
        principal: Some(Caller::parse(caller).unwrap()),
        context,
    }
}

fn allowed(policy: &Document, request: &Request) -> bool {
    let layers = Layers {
        identity: &[policy],
        boundary: None,
        session: None,
    };
    evaluate(&layers, request).is_allowed()
}

fn identity<'a>(setups: &'a [AccountSetup], arn: &str) -> &'a ProcessIdentity {
    let mut all = setups.iter().flat_map(|setup| &setup.identities);
    all.find(|identity| identity.arn.to_string() == arn)
        .unwrap_or_else(|| panic!("no {arn} in {setups:#?}"))
}

#[test]
fn each_identity_is_said_once_where_it_lives_and_homes_come_first() {
    let setups = made(&three(), &[]);
    let places: Vec<_> = setups
        .iter()
        .map(|setup| {
            let identities = setup.identities.iter().map(|i| (i.process, i.arn.name()));
            let name = setup.name.as_ref().map(ObjectName::as_str);
            (name, identities.collect::<Vec<_>>())
        })
        .collect();
    let elsewhere = vec![
        ("deputy controller", "deputy-provisioner"),
        ("deputy limits", "deputy-boundary-writer"),
    ];
    let mut home = vec![("deputy broker", "deputy-broker")];
    home.extend(elsewhere.clone());
    assert_eq!(
        places,
        [
            (Some("production"), home),
            (Some("warehouse"), elsewhere.clone()),
            (Some("archive"), elsewhere),
        ]
    );
    assert!(setups.iter().all(|setup| setup.service_control_policy.is_some()));
}

#[test]
fn the_broker_reaches_the_roles_of_all_accounts_and_of_no_other() {
    let mut limit = limit("payments", productionapp());
    limit.existing_roles = [IamArnPattern::new("arn:aws:iam::*:role/*").unwrap()].into();
    limit.scope.accounts = [object("warehouse")].into();
    let setups = made(&three(), &[limit]);
    let broker = &identity(&setups, ISSUER).policy;
    for (arn, is) in [
        (format!("arn:aws:iam::{HOME}:role/deputy/prod-1/x"), true),
        (format!("arn:aws:iam::{WAREHOUSE}:role/deputy/prod-1/x"), true),
        (format!("arn:aws:iam::{ARCHIVE}:role/deputy/prod-1/x"), true),
        (format!("arn:aws:iam::{ARCHIVE}:role/deputy/prod-2/x"), false),
        ("arn:aws:iam::444444444444:role/deputy/prod-1/x".to_owned(), false),
        // Of roles that exist, those of the account of the limit.
        (format!("arn:aws:iam::{WAREHOUSE}:role/terraform/x"), true),
        (format!("arn:aws:iam::{HOME}:role/terraform/x"), false),
        // Never one of Deputy's own, in whichever account.
        (
            format!("arn:aws:iam::{WAREHOUSE}:role/roles/deputy-provisioner"),
            false,
        ),
        (
            format!("arn:aws:iam::{WAREHOUSE}:role/deputy-boundary-writer"),
            false,
        ),
    ] {
        let asked = request(ISSUER, "sts:AssumeRole", &arn, None);
        assert_eq!(allowed(broker, &asked), is, "{arn}");
    }
}

/// Both sides of each step: the policy of who becomes it, and the trust of what is become.
#[test]
fn a_process_becomes_its_own_identity_in_each_account_and_no_other_one() {
    let setups = made(&three(), &[]);
    let home = |name: &str| format!("arn:aws:iam::{HOME}:role/{name}");
    let callers = [
        ("deputy broker", home("deputy-broker")),
        ("deputy controller", home("deputy-provisioner")),
        ("deputy limits", home("deputy-boundary-writer")),
    ];
    for account in [WAREHOUSE, ARCHIVE] {
        let in_it = |name: &str| format!("arn:aws:iam::{account}:role/{name}");
        for (of, arn, external_id) in [
            ("deputy controller", in_it("roles/deputy-provisioner"), None),
            (
                "deputy limits",
                in_it("deputy-boundary-writer"),
                Some("hand-over"),
            ),
        ] {
            let trust = identity(&setups, &arn).trust.as_ref().unwrap();
            for (process, caller) in &callers {
                let asked = request(caller, "sts:AssumeRole", &arn, external_id);
                let policy = &identity(&setups, caller).policy;
                let is = *process == of;
                assert_eq!(allowed(policy, &asked), is, "{process}: {arn}");
                assert_eq!(evaluate_trust(trust, &asked).is_allowed(), is, "{process}: {arn}");
            }
            let stranger = request(&home("admin"), "sts:AssumeRole", &arn, external_id);
            assert!(!evaluate_trust(trust, &stranger).is_allowed(), "{arn}");
            let without = request(&callers[2].1, "sts:AssumeRole", &arn, None);
            assert!(!evaluate_trust(trust, &without).is_allowed() || external_id.is_none());
        }
    }
    for (_, caller) in callers {
        assert_eq!(identity(&setups, &caller).trust, None, "{caller}");
    }
}

/// What writes in one account does in no other.
#[test]
fn each_identity_writes_where_it_lives() {
    let setups = made(&three(), &[]);
    for account in [HOME, WAREHOUSE, ARCHIVE] {
        for writer in setups.iter().flat_map(|setup| &setup.identities) {
            let is = writer.arn.account().as_str() == account;
            let policy = format!("arn:aws:iam::{account}:policy/deputy/prod-1/limits/x");
            let role = format!("arn:aws:iam::{account}:role/deputy/prod-1/x");
            for (process, action, resource) in [
                ("deputy limits", "iam:CreatePolicyVersion", &policy),
                ("deputy controller", "iam:GetRole", &role),
            ] {
                let asked = request(&writer.arn.to_string(), action, resource, None);
                assert_eq!(
                    allowed(&writer.policy, &asked),
                    is && writer.process == process,
                    "{} {action} {resource}",
                    writer.arn
                );
            }
        }
    }
}

/// Where no account is home, the processes live beside the issuer, and do nothing there but become the others.
#[test]
fn where_every_account_names_somebody_the_processes_live_beside_the_issuer() {
    let setups = made(&[other("warehouse", WAREHOUSE)], &[]);
    let [home, warehouse] = setups.as_slice() else {
        panic!("two accounts: {setups:#?}")
    };
    assert_eq!((home.id.as_str(), &home.name), (HOME, &None));
    assert_eq!(
        home.service_control_policy, None,
        "nothing is there to be guarded"
    );
    let names: Vec<_> = home.identities.iter().map(|i| i.arn.name()).collect();
    assert_eq!(names, [BROKER, CONTROLLER, LIMITS]);
    assert_eq!(warehouse.identities.len(), 2);
    let controller = &identity(&setups, &format!("arn:aws:iam::{HOME}:role/{CONTROLLER}")).policy;
    let become_it = format!("arn:aws:iam::{WAREHOUSE}:role/roles/deputy-provisioner");
    for (action, resource, is) in [
        ("sts:AssumeRole", become_it.as_str(), true),
        (
            "iam:GetRole",
            "arn:aws:iam::210987654321:role/deputy/prod-1/x",
            false,
        ),
        (
            "iam:GetRole",
            "arn:aws:iam::123456789012:role/deputy/prod-1/x",
            false,
        ),
    ] {
        let asked = request(ISSUER, action, resource, None);
        assert_eq!(allowed(controller, &asked), is, "{action} {resource}");
    }
}

#[test]
fn what_can_not_be_the_accounts_of_one_cluster_is_said() {
    let told = |accounts: &[Account]| -> Vec<String> {
        let errors = setups(&cluster(), accounts, &[]).unwrap_err();
        errors.iter().map(ToString::to_string).collect()
    };
    assert_eq!(made(&[], &[]), []);
    assert_eq!(
        told(&[account(), account()]),
        ["AWSAccount production is there twice"]
    );
    let mut second = account();
    second.name = object("staging");
    assert_eq!(
        told(&[account(), second.clone()]),
        [
            "AWSAccounts production and staging are both of AWS account 123456789012; it has one, and only the older one of two \
             counts"
        ]
    );
    second.id = AccountId::new(WAREHOUSE).unwrap();
    second.issuer = IssuerArn::parse("arn:aws:iam::210987654321:user/broker").unwrap();
    assert_eq!(
        told(&[account(), second]),
        [
            "AWSAccount production: spec.issuer.principalARN is arn:aws:iam::123456789012:role/deputy-broker, of staging it is \
             arn:aws:iam::210987654321:user/broker; the broker is one identity in all accounts of a cluster",
            "AWSAccounts production and staging both leave spec.provisioner out; the identity of deputy controller lives in one \
             AWS account, so all but one name a role of theirs in spec.provisioner.assumeRole.roleARN",
            "AWSAccounts production and staging both leave spec.boundaryWriter out; the identity of deputy limits lives in one AWS \
             account, so all but one name a role of theirs in spec.boundaryWriter.assumeRole.roleARN",
        ]
    );
    let mut one = other("warehouse", WAREHOUSE);
    one.boundary_writer = assumes(WAREHOUSE, "Deputy-Provisioner", None);
    assert_eq!(
        told(&[account(), one]),
        [
            "arn:aws:iam::210987654321:role/Deputy-Provisioner would be the identity of deputy controller and of deputy limits; each has one of its own"
        ]
    );
}

/// While the broker changes its identity there are two, each for the accounts that have it as theirs; not where none is in all accounts.
#[test]
fn an_issuer_of_before_has_the_brokers_policy_where_it_is_one() {
    const NEW: &str = "arn:aws:iam::123456789012:role/deputy-broker-2";
    let mut first = account();
    let mut second = other("warehouse", WAREHOUSE);
    first.issuer = IssuerArn::parse(NEW).unwrap();
    first.previous_issuers = [second.issuer.clone()].into();
    let setups = made(&[first.clone(), second.clone()], &[]);
    let roles = |account: &str| format!("arn:aws:iam::{account}:role/deputy/prod-1/x");
    for (issuer, in_second) in [(NEW, false), (ISSUER, true)] {
        let policy = &identity(&setups, issuer).policy;
        for (account, is) in [(HOME, true), (WAREHOUSE, in_second)] {
            let asked = request(issuer, "sts:AssumeRole", &roles(account), None);
            assert_eq!(allowed(policy, &asked), is, "{issuer} {account}");
        }
    }
    let guard = setups[0].service_control_policy.as_ref().unwrap().to_json();
    assert!(guard.contains(NEW) && guard.contains(ISSUER), "{guard}");
    first.previous_issuers.clear();
    second.previous_issuers.clear();
    assert_eq!(setups_error(&[first, second]), 1);
}

fn setups_error(accounts: &[Account]) -> usize {
    setups(&cluster(), accounts, &[]).unwrap_err().len()
}
