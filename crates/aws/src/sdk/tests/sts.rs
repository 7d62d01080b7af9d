//! AssumeRole: for pods, and for the controller's own identity.

use std::sync::Arc;

use deputy_delegation::{
    federation::FederationRequest,
    model::{Account, AssumeRole},
    names::{
        ExternalId, FederatedDuration, ManagedPolicyArn, RoleArn, SessionDuration, SessionName, TagKey,
        TagValue,
    },
    session::SessionRequest,
};

use super::{
    at, clients, delete, error,
    fake_server::{CannedAnswer, Server},
    ok, role_name,
};
use crate::{CallPurpose, ErrorClass, ExposeSecret};

pub(super) fn session_request() -> SessionRequest {
    SessionRequest {
        role: RoleArn::parse("arn:aws:iam::123456789012:role/deputy/demo/deputy.payments.uploader-abc")
            .unwrap(),
        session_name: SessionName::new("payments.uploader").unwrap(),
        external_id: ExternalId::new("demo/payments/AWSRole/uploader").unwrap(),
        source_identity: None,
        duration: SessionDuration::HOUR,
        tags: [(
            TagKey::new("deputy-cluster").unwrap(),
            TagValue::new("demo").unwrap(),
        )]
        .into(),
        policy: Some("{}".to_owned()),
        policy_arns: [ManagedPolicyArn::parse("arn:aws:iam::aws:policy/ReadOnlyAccess").unwrap()].into(),
    }
}

pub(super) fn assumed(key: &str) -> CannedAnswer {
    ok(
        "AssumeRole",
        &format!(
            "<Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2126-11-21T01:00:00Z</Expiration></Credentials>\
             <AssumedRoleUser><AssumedRoleId>AROAEXAMPLE:payments.uploader</AssumedRoleId><Arn>arn:aws:sts::123456789012:assumed-role/r/payments.uploader</Arn></AssumedRoleUser>"
        ),
    )
}

#[tokio::test]
async fn assume_role_sends_every_parameter_to_the_regional_sts() {
    let server = Server::start([assumed("ASIA1")]).await;
    let session = clients(Arc::default())
        .sts(&at(&server))
        .assume_role(&session_request())
        .await
        .unwrap();
    assert_eq!(session.credentials.access_key_id, "ASIA1");
    assert_eq!(session.credentials.secret_access_key.expose_secret(), "s");
    assert_eq!(session.credentials.session_token.expose_secret(), "t");
    assert_eq!(session.expiration.to_string(), "2126-11-21T01:00:00Z");
    assert_eq!(session.role_unique_id(), "AROAEXAMPLE");

    let request = &server.requests()[0];
    assert!(request.contains("/ap-northeast-1/sts/aws4_request"), "{request}");
    let form = request.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(
        form,
        "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fdeputy%2Fdemo%2Fdeputy.payments.uploader-abc\
         &RoleSessionName=payments.uploader&PolicyArns.member.1.arn=arn%3Aaws%3Aiam%3A%3Aaws%3Apolicy%2FReadOnlyAccess\
         &Policy=%7B%7D&DurationSeconds=3600\
         &Tags.member.1.Key=deputy-cluster&Tags.member.1.Value=demo&ExternalId=demo%2Fpayments%2FAWSRole%2Fuploader"
    );
}

#[tokio::test]
async fn empty_credentials_are_an_error() {
    let server = Server::start([assumed("")]).await;
    let result = clients(Arc::default())
        .sts(&at(&server))
        .assume_role(&session_request())
        .await;
    assert_eq!(result.err().unwrap().class(), ErrorClass::Other);
}

fn federation_request() -> FederationRequest {
    FederationRequest {
        user: "arn:aws:sts::123456789012:federated-user/Manager"
            .parse()
            .unwrap(),
        duration: FederatedDuration::parse("36h").unwrap(),
        tags: [(
            TagKey::new("deputy-cluster").unwrap(),
            TagValue::new("demo").unwrap(),
        )]
        .into(),
        policy: Some("{}".to_owned()),
    }
}

fn federated(account: &str) -> CannedAnswer {
    ok(
        "GetFederationToken",
        &format!(
            "<Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2126-11-21T01:00:00Z</Expiration></Credentials>\
             <FederatedUser><FederatedUserId>{account}:Manager</FederatedUserId><Arn>arn:aws:sts::{account}:federated-user/Manager</Arn></FederatedUser>"
        ),
    )
}

#[tokio::test]
async fn get_federation_token_sends_every_parameter_and_takes_no_other_user() {
    let server = Server::start([federated("123456789012"), federated("999999999999")]).await;
    let sts = clients(Arc::default()).sts(&at(&server));
    let session = sts.federation_token(&federation_request()).await.unwrap();
    assert_eq!(session.arn, "arn:aws:sts::123456789012:federated-user/Manager");
    assert_eq!(session.unique_id, "123456789012:Manager");
    let requests = server.requests();
    let form = requests[0].split_once("\r\n\r\n").unwrap().1;
    assert_eq!(
        form,
        "Action=GetFederationToken&Version=2011-06-15&Name=Manager&Policy=%7B%7D&DurationSeconds=129600\
         &Tags.member.1.Key=deputy-cluster&Tags.member.1.Value=demo"
    );
    // Keys of another account would make users of that.
    let Err(error) = sts.federation_token(&federation_request()).await else {
        panic!("it is of another account")
    };
    assert!(error.message().contains("999999999999"), "{error}");
}

pub(super) fn with_provisioner(account: Account) -> Account {
    Account {
        provisioner: Some(AssumeRole {
            role: RoleArn::parse("arn:aws:iam::123456789012:role/deputy-provisioner").unwrap(),
            external_id: Some(ExternalId::new("ours").unwrap()),
        }),
        ..account
    }
}

#[tokio::test]
async fn the_provisioner_is_assumed_once_for_many_calls() {
    let server = Server::start([
        assumed("ASIA2"),
        ok("DeleteRole", ""),
        error(404, "NoSuchEntity", ""),
    ])
    .await;
    let account = with_provisioner(at(&server));
    let clients = clients(Arc::default());
    clients
        .roles(&account, CallPurpose::Provision)
        .execute(&delete())
        .await
        .unwrap();
    assert_eq!(
        clients
            .roles(&account, CallPurpose::Provision)
            .get_role(&role_name())
            .await
            .unwrap(),
        None
    );
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests[0].contains("&ExternalId=ours"), "{}", requests[0]);
    assert!(requests[0].contains("Credential=AKIAEXAMPLE/"), "{}", requests[0]);
    for request in &requests[1..] {
        assert!(request.contains("Credential=ASIA2/"), "{request}");
    }
}

#[tokio::test]
async fn a_provisioner_that_may_not_be_assumed_is_named() {
    let server = Server::start([error(
        403,
        "AccessDenied",
        "not authorized to perform: sts:AssumeRole",
    )])
    .await;
    let account = with_provisioner(at(&server));
    let error = clients(Arc::default())
        .roles(&account, CallPurpose::Provision)
        .execute(&delete())
        .await
        .unwrap_err();
    assert_eq!(
        (error.class(), error.operation(), error.outcome_unknown()),
        (ErrorClass::AccessDenied, "sts:AssumeRole", false)
    );
    assert!(
        error
            .message()
            .starts_with("assuming arn:aws:iam::123456789012:role/deputy-provisioner: "),
        "{error}"
    );
}
