//! What goes over the wire, and what is said of what comes back.

use secrecy::{ExposeSecret as _, SecretString};

use super::{
    AssumeRoleCall, MfaDevice, NarrowedBy, PersonalIdentity, PersonalKeys, PersonalOptions, PersonalSession,
    PersonalSts, ProviderCall, SessionCall, without,
};
use crate::{
    AwsError, ErrorClass,
    sdk::tests::{CannedAnswer, Server, error, ok},
};

const CREDENTIALS: &str = "<Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
    <SessionToken>t</SessionToken><Expiration>2126-11-21T01:00:00Z</Expiration></Credentials>";
const ROLE: &str = "arn:aws:iam::123456789012:role/reader";

fn sts(server: &Server, identity: PersonalIdentity) -> PersonalSts {
    let options = PersonalOptions {
        region: "eu-west-1".into(),
        endpoint: Some(server.url()),
        proxy: None,
    };
    PersonalSts::new(options, identity)
}

fn keys() -> PersonalIdentity {
    PersonalIdentity::Keys(PersonalKeys {
        access_key_id: "AKIAEXAMPLE".into(),
        secret_access_key: "secret".into(),
        session_token: None,
    })
}

fn provider(vouched_by: &str) -> ProviderCall {
    ProviderCall {
        role_arn: ROLE.into(),
        duration: 900,
        narrowed: NarrowedBy::default(),
        vouched_by: SecretString::from(vouched_by),
    }
}

fn refused(result: Result<PersonalSession, AwsError>) -> AwsError {
    result.err().unwrap()
}

fn form(server: &Server, at: usize) -> String {
    let request = server.requests()[at].clone();
    request.split_once("\r\n\r\n").unwrap().1.to_owned()
}

fn with_code() -> SessionCall {
    SessionCall {
        duration: 43_200,
        mfa: Some(MfaDevice {
            serial_number: "arn:aws:iam::123456789012:mfa/alice".into(),
            code: "123456".into(),
        }),
    }
}

#[tokio::test]
async fn a_session_token_is_asked_for_with_device_and_code() {
    let server = Server::start([ok("GetSessionToken", CREDENTIALS)]).await;
    let session = sts(&server, keys()).session(&with_code()).await.ok().unwrap();
    assert_eq!(session.credentials.access_key_id, "ASIA1");
    assert_eq!(session.credentials.session_token.expose_secret(), "t");
    assert_eq!(session.expiration.to_string(), "2126-11-21T01:00:00Z");
    assert_eq!(
        form(&server, 0),
        "Action=GetSessionToken&Version=2011-06-15&DurationSeconds=43200\
         &SerialNumber=arn%3Aaws%3Aiam%3A%3A123456789012%3Amfa%2Falice&TokenCode=123456"
    );
}

#[tokio::test]
async fn a_code_is_sent_once_whatever_becomes_of_it() {
    let server = Server::start([CannedAnswer::Hangup, ok("GetSessionToken", CREDENTIALS)]).await;
    let error = refused(sts(&server, keys()).session(&with_code()).await);
    assert_eq!(error.class(), ErrorClass::Unreachable);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn each_link_of_a_chain_signs_as_the_one_before() {
    let server = Server::start([ok("AssumeRole", CREDENTIALS), ok("AssumeRole", CREDENTIALS)]).await;
    let call = AssumeRoleCall {
        role_arn: ROLE.into(),
        session_name: "alice".into(),
        duration: 900,
        external_id: Some("shared".into()),
        mfa: None,
        narrowed: NarrowedBy {
            policy: Some("{}".into()),
            policy_arns: vec!["arn:aws:iam::aws:policy/ReadOnlyAccess".into()],
        },
        tags: vec![("team".into(), "blue".into())],
        transitive_tag_keys: vec!["team".into()],
        source_identity: Some("alice".into()),
    };
    let first = sts(&server, keys());
    let session = first.assume_role(&call).await.ok().unwrap();
    first.by(&session).assume_role(&call).await.ok().unwrap();
    let [one, two] = [0, 1].map(|at| server.requests()[at].clone());
    assert!(one.contains("Credential=AKIAEXAMPLE/"), "{one}");
    assert!(two.contains("Credential=ASIA1/"), "{two}");
    assert_eq!(
        form(&server, 0),
        "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Freader\
         &RoleSessionName=alice&PolicyArns.member.1.arn=arn%3Aaws%3Aiam%3A%3Aaws%3Apolicy%2FReadOnlyAccess\
         &Policy=%7B%7D&DurationSeconds=900&Tags.member.1.Key=team&Tags.member.1.Value=blue\
         &TransitiveTagKeys.member.1=team&ExternalId=shared&SourceIdentity=alice"
    );
}

#[tokio::test]
async fn whoever_has_a_token_or_an_assertion_signs_nothing() {
    let server = Server::start([
        ok("AssumeRoleWithWebIdentity", CREDENTIALS),
        ok("AssumeRoleWithSAML", CREDENTIALS),
    ])
    .await;
    let nobody = sts(&server, PersonalIdentity::Nobody);
    let web = nobody
        .web_identity(&provider("head.body.signature"), "alice")
        .await;
    assert!(web.is_ok());
    let saml = nobody
        .saml(&provider("QUJD"), "arn:aws:iam::123456789012:saml-provider/idp")
        .await;
    assert!(saml.is_ok());
    for request in server.requests() {
        assert!(
            !request.to_ascii_lowercase().contains("authorization:"),
            "{request}"
        );
    }
    assert!(form(&server, 0).contains("&WebIdentityToken=head.body.signature"));
    assert!(form(&server, 1).contains("&SAMLAssertion=QUJD"));
}

#[tokio::test]
async fn what_was_sent_in_confidence_is_not_said_again() {
    let token = format!("{}.body.signature", "head".repeat(20));
    let said =
        |what: &str| format!("1 validation error detected: Value '{what}' at 'webIdentityToken' failed");
    let server = Server::start([
        error(400, "ValidationError", &said(&token)),
        error(400, "ValidationError", &said(token.get(..40).unwrap())),
    ])
    .await;
    for _ in 0..2 {
        let nobody = sts(&server, PersonalIdentity::Nobody);
        let error = refused(nobody.web_identity(&provider(&token), "alice").await);
        assert_eq!(error.class(), ErrorClass::InvalidInput);
        assert!(!error.to_string().contains("headhead"), "{error}");
        assert!(error.message().contains("Value '…"), "{error}");
    }
    assert_eq!(without("code 123456 is wrong", "123456"), "code … is wrong");
}
