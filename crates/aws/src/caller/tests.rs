use deputy_delegation::{
    AccountId, ObjectName, Partition, Region, SessionDuration,
    model::{AssumeRole, ChosenTags, Endpoints, SessionMethod},
};

use super::*;
use crate::error::ErrorClass;

fn caller(arn: &str) -> CallerIdentity {
    CallerIdentity {
        account: AccountId::new(arn.split(':').nth(4).unwrap()).unwrap(),
        arn: arn.into(),
        user_id: "x".into(),
    }
}

pub(crate) fn account() -> Account {
    let assume = |name: &str| {
        Some(AssumeRole {
            role: RoleArn::parse(&format!("arn:aws:iam::123456789012:role/infra/{name}")).unwrap(),
            external_id: None,
        })
    };
    Account {
        name: ObjectName::new("production").unwrap(),
        id: AccountId::new("123456789012").unwrap(),
        partition: Partition::new("aws").unwrap(),
        region: Region::new("eu-west-1").unwrap(),
        issuer: IssuerArn::parse("arn:aws:iam::123456789012:role/infra/deputy-broker").unwrap(),
        previous_issuers: Default::default(),
        with_source_identity: Default::default(),
        names_people: false,
        federation_user: None,
        provisioner: assume("deputy-provisioner"),
        boundary_writer: None,
        oidc: None,
        default_method: SessionMethod::AssumeRole,
        default_session_duration: SessionDuration::HOUR,
        tags: ChosenTags::default(),
        adopt_from: Default::default(),
        endpoints: Endpoints::default(),
    }
}

#[test]
fn each_identity_is_the_one_named_or_it_is_said_who_it_is() {
    const SESSION: &str = "arn:aws:sts::123456789012:assumed-role";
    let table = [
        (
            AccountIdentity::Issuer,
            format!("{SESSION}/deputy-broker/s"),
            Ok("deputy-broker"),
        ),
        // The forgotten annotation: another one of Deputy's own.
        (
            AccountIdentity::Issuer,
            format!("{SESSION}/deputy-provisioner/s"),
            Err("names arn:aws:iam::123456789012:role/infra/deputy-broker, and deputy broker is"),
        ),
        (
            AccountIdentity::Issuer,
            format!("{SESSION}/deputy-broker-2/s"),
            Err("deputy-broker-2"),
        ),
        (
            AccountIdentity::Issuer,
            "arn:aws:sts::999999999999:assumed-role/deputy-broker/s".into(),
            Err("999999999999"),
        ),
        (
            AccountIdentity::Issuer,
            "arn:aws-cn:sts::123456789012:assumed-role/deputy-broker/s".into(),
            Err("partition aws-cn"),
        ),
        (
            AccountIdentity::Issuer,
            "arn:aws:iam::123456789012:user/deputy-broker".into(),
            Err("user/deputy-broker"),
        ),
        (
            AccountIdentity::Provisioner,
            format!("{SESSION}/deputy-provisioner/s"),
            Ok("deputy-provisioner"),
        ),
        (
            AccountIdentity::Provisioner,
            format!("{SESSION}/node/i-1"),
            Err("deputy controller is"),
        ),
        // None is named: whoever it is, it is of the account.
        (
            AccountIdentity::BoundaryWriter,
            format!("{SESSION}/anybody/s"),
            Ok("anybody"),
        ),
        (
            AccountIdentity::BoundaryWriter,
            "arn:aws:iam::123456789012:user/anybody".into(),
            Ok("anybody"),
        ),
        (
            AccountIdentity::BoundaryWriter,
            "arn:aws:sts::999999999999:assumed-role/anybody/s".into(),
            Err("in account 999999999999, not in 123456789012"),
        ),
        (
            AccountIdentity::BoundaryWriter,
            "arn:aws-us-gov:iam::123456789012:user/anybody".into(),
            Err("partition aws-us-gov"),
        ),
    ];
    for (identity, arn, expected) in table {
        let found = identify(&account(), identity, Ok(caller(&arn)));
        match (found, expected) {
            (Ok(who), Ok(part)) => assert!(who.ends_with(part), "{arn}: {who}"),
            (Err(IdentifyError::Elsewhere(text) | IdentifyError::Other(text)), Err(part)) => {
                assert!(text.contains(part), "{arn}: {text}");
            }
            (found, _) => panic!("{identity:?} {arn}: {found:?}"),
        }
    }
    let none = AwsError::new("sts:GetCallerIdentity", ErrorClass::NoCredentials, "none");
    assert_eq!(
        identify(&account(), AccountIdentity::Issuer, Err(none.clone())),
        Err(IdentifyError::Aws(none))
    );
}

#[test]
fn the_name_of_a_session_is_left_out() {
    for (arn, expected) in [
        (
            "arn:aws:sts::123456789012:assumed-role/deputy-controller/17000000000",
            "arn:aws:sts::123456789012:assumed-role/deputy-controller",
        ),
        (
            "arn:aws:iam::123456789012:user/infra/deputy-controller",
            "arn:aws:iam::123456789012:user/infra/deputy-controller",
        ),
    ] {
        assert_eq!(caller(arn).principal(), expected);
    }
}
