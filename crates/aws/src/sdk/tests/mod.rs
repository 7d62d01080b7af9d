//! The clients against a server of canned answers: what goes over the wire, how often, and what comes of the answer.

mod fake_server;
mod listing;
mod resource_policies;
mod spans;
mod sts;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError, future};
use deputy_delegation::{
    model::{Account, Endpoints, SessionMethod},
    names::{
        AccountId, IamPath, IssuerArn, ObjectName, Partition, PolicyName, Region, RoleName, SessionDuration,
        TagKey, TagValue,
    },
    plan::IamCall,
};
use deputy_policy::{Document, PolicyKind};
use tokio::net::TcpListener;

pub(crate) use self::fake_server::{CannedAnswer, Server};
use self::sts::with_provisioner;
use crate::{
    AmbientOptions, BudgetSettings, CallObserver, CallPurpose, CallReport, Clients, ErrorClass, NewPolicy,
    Timeouts, WriteFence,
};

/// The account whose endpoints are `server`.
fn at(server: &Server) -> Account {
    account(Endpoints {
        iam: Some(server.url()),
        sts: Some(server.url()),
        ..Endpoints::default()
    })
}

pub(crate) fn account(endpoints: Endpoints) -> Account {
    Account {
        name: ObjectName::new("production").unwrap(),
        id: AccountId::new("123456789012").unwrap(),
        partition: Partition::new("aws").unwrap(),
        region: Region::new("ap-northeast-1").unwrap(),
        issuer: IssuerArn::parse("arn:aws:iam::123456789012:user/deputy-broker").unwrap(),
        previous_issuers: Default::default(),
        with_source_identity: Default::default(),
        names_people: false,
        federation_user: None,
        provisioner: None,
        boundary_writer: None,
        oidc: None,
        default_method: SessionMethod::AssumeRole,
        default_session_duration: SessionDuration::HOUR,
        adopt_from: Default::default(),
        tags: Default::default(),
        endpoints,
    }
}

#[derive(Default)]
struct Calls(Mutex<Vec<(&'static str, &'static str)>>);

impl CallObserver for Calls {
    fn finished(&self, report: &CallReport<'_>) {
        self.0.lock().unwrap().push((report.operation, report.outcome));
    }
}

pub(crate) fn open_fence() -> WriteFence {
    WriteFence::new(|_| true)
}

fn clients(observer: Arc<Calls>) -> Clients {
    Clients::new(AmbientOptions {
        timeouts: Timeouts {
            iam_attempt: Duration::from_millis(300),
            sts_attempt: Duration::from_millis(300),
            ..Timeouts::default()
        },
        observer,
        fence: open_fence(),
        ..AmbientOptions::default()
    })
    .with_identity("AKIAEXAMPLE", "secret")
}

fn role_name() -> RoleName {
    RoleName::new("deputy.payments.uploader-abc").unwrap()
}

fn delete() -> IamCall {
    IamCall::DeleteRole { role: role_name() }
}

pub(crate) fn error(status: u16, code: &str, message: &str) -> CannedAnswer {
    CannedAnswer::Body(
        status,
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>request-7</RequestId></ErrorResponse>"
        ),
    )
}

pub(crate) fn ok(operation: &str, result: &str) -> CannedAnswer {
    CannedAnswer::Body(
        200,
        format!(
            r#"<{operation}Response xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><{operation}Result>{result}</{operation}Result></{operation}Response>"#
        ),
    )
}

fn role_xml() -> &'static str {
    "<Role><Path>/deputy/demo/</Path><RoleName>deputy.payments.uploader-abc</RoleName><RoleId>AROAEXAMPLE</RoleId>\
     <Arn>arn:aws:iam::123456789012:role/deputy/demo/deputy.payments.uploader-abc</Arn><CreateDate>2026-11-21T00:00:00Z</CreateDate>\
     <AssumeRolePolicyDocument>%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%5D%7D</AssumeRolePolicyDocument>\
     <MaxSessionDuration>7200</MaxSessionDuration>\
     <PermissionsBoundary><PermissionsBoundaryType>Policy</PermissionsBoundaryType><PermissionsBoundaryArn>arn:aws:iam::123456789012:policy/b</PermissionsBoundaryArn></PermissionsBoundary>\
     <Tags><member><Key>deputy-cluster</Key><Value>demo</Value></member></Tags></Role>"
}

/// All of a role but its trust policy is what the answers of these tests say.
fn is_decoded(role: &deputy_delegation::plan::ObservedRole, unique_id: &str) {
    assert_eq!(
        role.inline,
        [("deputy".to_owned(), r#"{"a":"x+y"}"#.to_owned())].into()
    );
    assert_eq!(role.attached, ["arn:aws:iam::aws:policy/AdministratorAccess"]);
    assert_eq!(
        role.boundary.as_deref(),
        Some("arn:aws:iam::123456789012:policy/b")
    );
    assert_eq!(
        role.tags,
        [("deputy-cluster".to_owned(), "demo".to_owned())].into()
    );
    assert_eq!(
        (role.unique_id.as_str(), role.max_session_seconds),
        (unique_id, 7200)
    );
}

#[tokio::test]
async fn a_role_is_read_with_all_pages_and_decoded() {
    let server = Server::start([
        ok("GetRole", role_xml()),
        ok("ListRolePolicies", "<PolicyNames><member>deputy</member></PolicyNames><IsTruncated>true</IsTruncated><Marker>m1</Marker>"),
        ok("ListRolePolicies", "<PolicyNames><member>other</member></PolicyNames><IsTruncated>false</IsTruncated>"),
        ok("GetRolePolicy", "<RoleName>r</RoleName><PolicyName>deputy</PolicyName><PolicyDocument>%7B%22a%22%3A%22x+y%22%7D</PolicyDocument>"),
        error(404, "NoSuchEntity", "gone since"),
        ok("ListAttachedRolePolicies", "<AttachedPolicies><member><PolicyName>p</PolicyName><PolicyArn>arn:aws:iam::aws:policy/AdministratorAccess</PolicyArn></member></AttachedPolicies><IsTruncated>false</IsTruncated>"),
    ])
    .await;
    let calls = Arc::new(Calls::default());
    let role = clients(calls.clone())
        .roles(&at(&server), CallPurpose::Provision)
        .get_role(&role_name())
        .await
        .unwrap()
        .unwrap();

    assert_eq!(role.trust, r#"{"Version":"2012-10-17","Statement":[]}"#);
    is_decoded(&role, "AROAEXAMPLE");

    let requests = server.requests();
    assert!(requests[2].contains("&Marker=m1"), "{}", requests[2]);
    // IAM of the partition aws is in us-east-1, whatever the account's region.
    assert!(
        requests[0].contains("/us-east-1/iam/aws4_request"),
        "{}",
        requests[0]
    );
    assert_eq!(calls.0.lock().unwrap()[4], ("iam:GetRolePolicy", "NotFound"));
}

#[tokio::test]
async fn a_role_that_is_not_there_is_none() {
    let server = Server::start([error(404, "NoSuchEntity", "The role cannot be found.")]).await;
    let roles = clients(Arc::default()).roles(&at(&server), CallPurpose::Provision);
    assert_eq!(roles.get_role(&role_name()).await.unwrap(), None);
}

#[tokio::test]
async fn a_list_that_never_ends_is_an_error() {
    let page = ok(
        "ListRoles",
        "<Roles/><IsTruncated>true</IsTruncated><Marker>same</Marker>",
    );
    let server = Server::start([page.clone(), page]).await;
    let roles = clients(Arc::default()).roles(&at(&server), CallPurpose::Provision);
    let error = roles
        .list_roles(&IamPath::new("/deputy/demo/").unwrap())
        .await
        .unwrap_err();
    assert_eq!(error.class(), ErrorClass::Other);
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn reads_are_repeated_and_writes_are_not() {
    let throttled = error(400, "Throttling", "Rate exceeded");
    let server = Server::start([
        throttled.clone(),
        error(500, "ServiceFailure", ""),
        error(404, "NoSuchEntity", ""),
    ])
    .await;
    let roles = clients(Arc::default()).roles(&at(&server), CallPurpose::Provision);
    assert_eq!(roles.get_role(&role_name()).await.unwrap(), None);
    assert_eq!(server.requests().len(), 3);

    // A write only when it was certainly not applied.
    let server = Server::start([throttled.clone(), ok("DeleteRole", "")]).await;
    let roles = clients(Arc::default()).roles(&at(&server), CallPurpose::Provision);
    roles.execute(&delete()).await.unwrap();
    assert_eq!(server.requests().len(), 2);
    let server = Server::start(vec![throttled; 4]).await;
    let roles = clients(Arc::default()).roles(&at(&server), CallPurpose::Provision);
    let error_of = roles.execute(&delete()).await.unwrap_err();
    assert_eq!(
        (error_of.class(), error_of.outcome_unknown()),
        (ErrorClass::Throttled, false)
    );
    assert_eq!(server.requests().len(), 4);

    for (answer, class, unknown) in [
        (error(500, "ServiceFailure", "x"), ErrorClass::Service, true),
        (
            CannedAnswer::Body(503, "<html>busy</html>".into()),
            ErrorClass::Service,
            true,
        ),
        (CannedAnswer::Hangup, ErrorClass::Unreachable, true),
        (CannedAnswer::Silence, ErrorClass::Unreachable, true),
        (
            error(409, "DeleteConflict", "Cannot delete entity"),
            ErrorClass::Conflict,
            false,
        ),
    ] {
        let server = Server::start([answer]).await;
        let roles = clients(Arc::default()).roles(&at(&server), CallPurpose::Provision);
        let result = roles.execute(&delete()).await;
        let error = result.unwrap_err();
        assert_eq!(
            (error.class(), error.outcome_unknown()),
            (class, unknown),
            "{error}"
        );
        assert_eq!(server.requests().len(), 1, "{error}");
    }
}

#[tokio::test]
async fn each_attempt_has_a_turn_of_the_budget() {
    let failing = error(500, "ServiceFailure", "");
    let server = Server::start(vec![failing; 3]).await;
    let calls = Arc::new(Calls::default());
    let clients = Clients::new(AmbientOptions {
        budget: BudgetSettings {
            burst: 1.0,
            initial_rate: 1.0,
            min_rate: 1.0,
            max_rate: 1.0,
            growth: 0.0,
            recovery: 0.0,
        },
        observer: calls.clone(),
        ..AmbientOptions::default()
    })
    .with_identity("AKIAEXAMPLE", "secret");
    let roles = clients.roles(&at(&server), CallPurpose::Look);
    let begun = Instant::now();
    roles.get_role(&role_name()).await.unwrap_err();
    assert_eq!(server.requests().len(), 3);
    assert_eq!(*calls.0.lock().unwrap(), [("iam:GetRole", "ServiceError"); 3]);
    assert!(
        begun.elapsed() >= Duration::from_millis(1900),
        "the second and the third waited a second each"
    );
}

#[tokio::test]
async fn no_write_passes_a_closed_fence() {
    let server = Server::start([]).await;
    let is_open = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&is_open);
    let fenced = |fence| {
        Clients::new(AmbientOptions {
            fence,
            ..AmbientOptions::default()
        })
        .with_identity("AKIAEXAMPLE", "secret")
        .roles(&at(&server), CallPurpose::Revoke)
    };
    let longest = Timeouts::default().longest_write();
    let counting = WriteFence::new(move |needed| {
        assert_eq!(needed, longest);
        asked.fetch_add(1, Ordering::SeqCst);
        false
    });
    for roles in [fenced(WriteFence::closed()), fenced(counting)] {
        let error = roles.execute(&delete()).await.unwrap_err();
        assert_eq!(
            (error.class(), error.outcome_unknown()),
            (ErrorClass::NotLeader, false)
        );
    }
    assert_eq!(is_open.load(Ordering::SeqCst), 1);
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_write_whose_answer_is_cut_off_may_have_been_applied() {
    // What is left of the quota may not be asked for: the policy is made all the same.
    let denied = error(
        403,
        "AccessDenied",
        "not authorized to perform: iam:GetAccountSummary",
    );
    let cut_off = CannedAnswer::Body(200, "<CreatePolicyResponse><Crea".into());
    let server = Server::start([denied, cut_off]).await;
    let document =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
    let policy = NewPolicy {
        name: PolicyName::new("deputy-limit.payments-abc").unwrap(),
        path: IamPath::new("/deputy/demo/limits/").unwrap(),
        document: Document::parse(document, PolicyKind::Boundary).unwrap(),
        tags: Default::default(),
    };
    let policies = clients(Arc::default()).policies(&at(&server), CallPurpose::Provision);
    let error = policies.create_policy(&policy).await.unwrap_err();
    assert_eq!(
        (error.class(), error.outcome_unknown()),
        (ErrorClass::Unreachable, true),
        "{error}"
    );
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn nobody_listening_means_nothing_was_applied() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let account = account(Endpoints {
        iam: Some(url),
        ..Endpoints::default()
    });
    let error = clients(Arc::default())
        .roles(&account, CallPurpose::Provision)
        .execute(&delete())
        .await
        .unwrap_err();
    assert_eq!(
        (error.class(), error.outcome_unknown()),
        (ErrorClass::Unreachable, false),
        "{error}"
    );
}

#[tokio::test]
async fn what_aws_says_is_kept_with_its_request_id() {
    let server = Server::start([error(
        409,
        "LimitExceeded",
        "Cannot exceed quota for RolesPerAccount: 1000",
    )])
    .await;
    let calls = Arc::new(Calls::default());
    let error = clients(calls.clone())
        .roles(&at(&server), CallPurpose::Provision)
        .execute(&delete())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "iam:DeleteRole: LimitExceeded (LimitExceeded, request request-7): Cannot exceed quota for RolesPerAccount: 1000"
    );
    assert_eq!(*calls.0.lock().unwrap(), [("iam:DeleteRole", "LimitExceeded")]);
}

#[derive(Debug)]
struct Nobody(fn() -> CredentialsError);

impl ProvideCredentials for Nobody {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(self.0()))
    }
}

#[tokio::test]
async fn a_process_without_credentials_knows_it_and_sends_nothing() {
    for (error, class) in [
        (
            (|| CredentialsError::not_loaded("nothing in the environment")) as fn() -> _,
            ErrorClass::NoCredentials,
        ),
        (
            || CredentialsError::provider_timed_out(Duration::from_secs(5)),
            ErrorClass::Unreachable,
        ),
        (
            || CredentialsError::provider_error("the token file is not there"),
            ErrorClass::InvalidCredentials,
        ),
    ] {
        let server = Server::start([]).await;
        let clients = Clients::new(AmbientOptions {
            fence: open_fence(),
            ..AmbientOptions::default()
        })
        .with_provider(Nobody(error));
        let error = clients
            .roles(&at(&server), CallPurpose::Provision)
            .execute(&delete())
            .await
            .unwrap_err();
        assert_eq!(
            (error.class(), error.outcome_unknown()),
            (class, false),
            "{error}"
        );
        assert!(server.requests().is_empty());
    }
}

#[tokio::test]
async fn clients_are_kept_until_the_access_to_the_account_changes() {
    let clients = clients(Arc::default());
    let first = account(Endpoints::default());
    let same = Account {
        tags: [(TagKey::new("a").unwrap(), TagValue::new("b").unwrap())]
            .try_into()
            .unwrap(),
        ..first.clone()
    };
    assert!(Arc::ptr_eq(
        &clients.roles(&first, CallPurpose::Provision),
        &clients.roles(&same, CallPurpose::Provision)
    ));
    assert!(!Arc::ptr_eq(
        &clients.roles(&first, CallPurpose::Provision),
        &clients.roles(&first, CallPurpose::Look)
    ));
    assert!(!Arc::ptr_eq(
        &clients.roles(&first, CallPurpose::Provision),
        &clients.roles(&with_provisioner(first.clone()), CallPurpose::Provision)
    ));
    assert!(Arc::ptr_eq(
        &clients.sts(&first),
        &clients.sts(&with_provisioner(first.clone()))
    ));
}
