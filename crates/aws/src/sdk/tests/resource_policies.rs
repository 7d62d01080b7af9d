//! Policies of buckets, queues and topics.

use std::sync::{Arc, atomic::Ordering};

use deputy_delegation::{
    model::{Account, Endpoints},
    names::{Partition, PolicyResource},
};

use super::{
    Calls, account, clients, error,
    fake_server::{CannedAnswer, Server},
    ok, open_fence,
    sts::{assumed, with_provisioner},
};
use crate::{AmbientOptions, Clients, ErrorClass as C, ResourcePolicies, WriteFence};

const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[]}"#;

fn resource(arn: &str) -> PolicyResource {
    PolicyResource::parse(arn).unwrap()
}

fn bucket() -> PolicyResource {
    resource("arn:aws:s3:::letters.example")
}

fn queue() -> PolicyResource {
    resource("arn:aws:sqs:eu-west-1:123456789012:jobs.fifo")
}

fn topic() -> PolicyResource {
    resource("arn:aws:sns:eu-west-1:123456789012:news")
}

fn at(server: &Server) -> Account {
    account(Endpoints {
        s3: Some(server.url()),
        sqs: Some(server.url()),
        sns: Some(server.url()),
        ..Endpoints::default()
    })
}

fn policies(server: &Server) -> Arc<dyn ResourcePolicies> {
    clients(Arc::default()).resource_policies(&at(server))
}

fn body(text: &str) -> CannedAnswer {
    CannedAnswer::Body(200, text.to_owned())
}

fn s3_error(status: u16, code: &str, message: &str) -> CannedAnswer {
    CannedAnswer::Body(
        status,
        format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"),
    )
}

fn s3_elsewhere(status: u16, code: &str, region: &str) -> CannedAnswer {
    CannedAnswer::WithHeaders(
        status,
        format!("x-amz-bucket-region: {region}\r\n"),
        format!("<Error><Code>{code}</Code><Message>elsewhere</Message></Error>"),
    )
}

fn sqs_error(status: u16, code: &str, header: &str, message: &str) -> CannedAnswer {
    let headers = if header.is_empty() {
        String::new()
    } else {
        format!("x-amzn-query-error: {header};Sender\r\n")
    };
    let body = format!(r#"{{"__type":"com.amazonaws.sqs#{code}","message":"{message}"}}"#);
    CannedAnswer::WithHeaders(status, headers, body)
}

fn head_has(request: &str, parts: &[&str]) {
    let head = request.split_once("\r\n\r\n").unwrap().0.to_ascii_lowercase();
    for part in parts {
        assert!(head.contains(&part.to_ascii_lowercase()), "{part} in {request}");
    }
}

fn sent_body(request: &str) -> &str {
    request.split_once("\r\n\r\n").unwrap().1
}

#[tokio::test]
async fn a_bucket_policy_is_read_written_and_taken_away() {
    let empty = CannedAnswer::Body(204, String::new());
    let server = Server::start([body(POLICY), empty.clone(), empty]).await;
    let calls = Arc::new(Calls::default());
    let policies = clients(calls.clone()).resource_policies(&at(&server));
    let text = policies.resource_policy(&bucket()).await.unwrap();
    assert_eq!(text.as_deref(), Some(POLICY));
    policies.put_resource_policy(&bucket(), POLICY).await.unwrap();
    policies.delete_resource_policy(&bucket()).await.unwrap();

    let requests = server.requests();
    let owner = "x-amz-expected-bucket-owner: 123456789012";
    for (request, line) in requests.iter().zip([
        "GET /letters.example/?policy",
        "PUT /letters.example/?policy",
        "DELETE /letters.example/?policy",
    ]) {
        assert!(request.starts_with(line), "{request}");
        head_has(request, &[owner, "/ap-northeast-1/s3/aws4_request"]);
        // It is part of what is signed: nobody takes it away.
        head_has(request, &["x-amz-expected-bucket-owner;"]);
    }
    assert_eq!(sent_body(&requests[1]), POLICY);
    assert_eq!(
        *calls.0.lock().unwrap(),
        [
            ("s3:GetBucketPolicy", "ok"),
            ("s3:PutBucketPolicy", "ok"),
            ("s3:DeleteBucketPolicy", "ok")
        ]
    );
}

#[tokio::test]
async fn policies_of_resources_are_read_as_the_provisioner() {
    let server = Server::start([assumed("ASIA1"), body(POLICY), body(POLICY)]).await;
    let mut account = with_provisioner(at(&server));
    account.endpoints.sts = Some(server.url());
    let policies = clients(Arc::default()).resource_policies(&account);
    for _ in 0..2 {
        policies.resource_policy(&bucket()).await.unwrap();
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 3, "one session for both");
    assert!(requests[0].contains("Action=AssumeRole&"), "{}", requests[0]);
    for request in &requests[1..] {
        head_has(request, &["Credential=ASIA1/"]);
    }
}

#[tokio::test]
async fn a_resource_without_a_policy_has_none() {
    let none = s3_error(404, "NoSuchBucketPolicy", "The bucket policy does not exist");
    let server = Server::start([
        none.clone(),
        body("{}"),
        body(r#"{"Attributes":{"Policy":""}}"#),
        ok("GetTopicAttributes", "<Attributes/>"),
        none,
    ])
    .await;
    let policies = policies(&server);
    for resource in [bucket(), queue(), queue(), topic()] {
        assert_eq!(policies.resource_policy(&resource).await.unwrap(), None);
    }
    policies.delete_resource_policy(&bucket()).await.unwrap();
}

#[tokio::test]
async fn a_bucket_in_another_region_is_asked_for_there_from_then_on() {
    for (status, code) in [
        (301, "PermanentRedirect"),
        (307, "TemporaryRedirect"),
        (400, "AuthorizationHeaderMalformed"),
        (400, "IllegalLocationConstraintException"),
    ] {
        let server = Server::start([
            s3_elsewhere(status, code, "eu-west-3"),
            CannedAnswer::Body(204, String::new()),
            body(POLICY),
        ])
        .await;
        let policies = policies(&server);
        policies.put_resource_policy(&bucket(), POLICY).await.unwrap();
        policies.resource_policy(&bucket()).await.unwrap();
        let requests = server.requests();
        assert_eq!(requests.len(), 3, "{code}");
        head_has(&requests[0], &["/ap-northeast-1/s3/aws4_request"]);
        head_has(&requests[1], &["PUT ", "/eu-west-3/s3/aws4_request"]);
        head_has(&requests[2], &["GET ", "/eu-west-3/s3/aws4_request"]);
    }
}

#[tokio::test]
async fn a_redirect_that_leads_nowhere_is_an_error() {
    // To where it was asked, to another partition, to no region, on and on.
    for (regions, sent) in [
        (vec!["ap-northeast-1"], 1),
        (vec!["cn-north-1"], 1),
        (vec!["evil.example/"], 1),
        (vec!["eu-west-3", "eu-west-2"], 2),
    ] {
        let answers = regions
            .iter()
            .map(|region| s3_elsewhere(301, "PermanentRedirect", region));
        let server = Server::start(answers).await;
        let refused = policies(&server).put_resource_policy(&bucket(), POLICY).await;
        let error = refused.unwrap_err();
        assert_eq!(
            (error.class(), error.outcome_unknown()),
            (C::Other, false),
            "{error}"
        );
        assert_eq!(server.requests().len(), sent, "{regions:?}");
    }
}

#[tokio::test]
async fn a_queue_policy_is_an_attribute_and_its_url_is_made_of_the_arn() {
    let policy = POLICY.replace('"', "\\\"");
    let server = Server::start([
        body(&format!(r#"{{"Attributes":{{"Policy":"{policy}"}}}}"#)),
        body("{}"),
        body("{}"),
    ])
    .await;
    let policies = policies(&server);
    let text = policies.resource_policy(&queue()).await.unwrap();
    assert_eq!(text.as_deref(), Some(POLICY));
    policies.put_resource_policy(&queue(), POLICY).await.unwrap();
    policies.delete_resource_policy(&queue()).await.unwrap();

    let requests = server.requests();
    let url = format!("{}/123456789012/jobs.fifo", server.url());
    for (request, target) in requests.iter().zip(["Get", "Set", "Set"]) {
        // The queue's region, whatever the account's is.
        let target = format!("x-amz-target: AmazonSQS.{target}QueueAttributes");
        head_has(request, &[&target, "/eu-west-1/sqs/aws4_request"]);
    }
    assert_eq!(
        sent_body(&requests[0]),
        format!(r#"{{"QueueUrl":"{url}","AttributeNames":["Policy"]}}"#)
    );
    for (request, value) in requests[1..].iter().zip([policy.as_str(), ""]) {
        let expected = format!(r#"{{"QueueUrl":"{url}","Attributes":{{"Policy":"{value}"}}}}"#);
        assert_eq!(sent_body(request), expected);
    }
}

#[tokio::test]
async fn a_topic_policy_is_an_attribute_that_is_never_taken_away() {
    let entry = format!(
        "<Attributes><entry><key>Owner</key><value>123456789012</value></entry>\
         <entry><key>Policy</key><value>{}</value></entry></Attributes>",
        POLICY.replace('"', "&quot;")
    );
    let server = Server::start([ok("GetTopicAttributes", &entry), ok("SetTopicAttributes", "")]).await;
    let policies = policies(&server);
    let text = policies.resource_policy(&topic()).await.unwrap();
    assert_eq!(text.as_deref(), Some(POLICY));
    policies.put_resource_policy(&topic(), POLICY).await.unwrap();
    let refused = policies.delete_resource_policy(&topic()).await.unwrap_err();
    assert_eq!(
        (refused.class(), refused.operation()),
        (C::InvalidInput, "sns:SetTopicAttributes")
    );

    let requests = server.requests();
    assert_eq!(requests.len(), 2, "nothing is sent that SNS is known to refuse");
    let arn = "TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A123456789012%3Anews";
    head_has(&requests[0], &["/eu-west-1/sns/aws4_request"]);
    assert_eq!(
        sent_body(&requests[0]),
        format!("Action=GetTopicAttributes&Version=2010-03-31&{arn}")
    );
    assert_eq!(
        sent_body(&requests[1]),
        format!(
            "Action=SetTopicAttributes&Version=2010-03-31&{arn}&AttributeName=Policy&AttributeValue=\
             %7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%5D%7D"
        )
    );
}

#[tokio::test]
async fn what_is_refused_of_a_resource_policy_has_its_class() {
    const BAD_PARAMETER: &str = "Invalid value for the parameter Policy.";
    let gone = "AWS.SimpleQueueService.NonExistentQueue";
    for (resource, answer, class) in [
        (bucket(), s3_error(404, "NoSuchBucket", ""), C::NotFound),
        (
            bucket(),
            s3_error(403, "AccessDenied", "Access Denied"),
            C::AccessDenied,
        ),
        (bucket(), s3_error(405, "MethodNotAllowed", ""), C::AccessDenied),
        (
            bucket(),
            s3_error(400, "MalformedPolicy", "Invalid principal in policy"),
            C::InvalidPrincipal,
        ),
        (
            bucket(),
            s3_error(400, "MalformedPolicy", "Policy has invalid action"),
            C::MalformedPolicy,
        ),
        (bucket(), s3_error(409, "OperationAborted", ""), C::Conflict),
        (
            queue(),
            sqs_error(400, "QueueDoesNotExist", gone, "gone"),
            C::NotFound,
        ),
        (
            queue(),
            sqs_error(400, "QueueDoesNotExist", "", "gone"),
            C::NotFound,
        ),
        (
            queue(),
            sqs_error(403, "AccessDeniedException", "", "no"),
            C::AccessDenied,
        ),
        (
            queue(),
            sqs_error(400, "InvalidAttributeValue", "", BAD_PARAMETER),
            C::InvalidPrincipal,
        ),
        (
            queue(),
            sqs_error(400, "OverLimit", "OverLimit", "too much"),
            C::LimitExceeded,
        ),
        (
            topic(),
            error(404, "NotFound", "Topic does not exist"),
            C::NotFound,
        ),
        (topic(), error(403, "AuthorizationError", "no"), C::AccessDenied),
        (
            topic(),
            error(400, "InvalidParameter", "Policy Error: PrincipalNotFound"),
            C::InvalidPrincipal,
        ),
        (
            topic(),
            error(400, "InvalidParameter", "Policy Error: null"),
            C::InvalidInput,
        ),
    ] {
        let server = Server::start([answer]).await;
        let refused = policies(&server).put_resource_policy(&resource, POLICY).await;
        let error = refused.unwrap_err();
        assert_eq!(
            (error.class(), error.outcome_unknown()),
            (class, false),
            "{error}"
        );
        assert_eq!(error.request_id(), Some("request-7"), "{error}");
    }
}

#[tokio::test]
async fn reads_of_resource_policies_are_repeated_and_writes_are_not() {
    for (resource, trouble, answer) in [
        (bucket(), s3_error(500, "InternalError", ""), body(POLICY)),
        (queue(), sqs_error(500, "InternalError", "", ""), body("{}")),
        (
            topic(),
            error(500, "InternalError", ""),
            ok("GetTopicAttributes", "<Attributes/>"),
        ),
    ] {
        let server = Server::start([trouble.clone(), answer]).await;
        policies(&server).resource_policy(&resource).await.unwrap();
        assert_eq!(server.requests().len(), 2);
        for trouble in [trouble, CannedAnswer::Hangup, CannedAnswer::Silence] {
            let server = Server::start([trouble]).await;
            let written = policies(&server).put_resource_policy(&resource, POLICY).await;
            let error = written.unwrap_err();
            assert!(error.outcome_unknown(), "{error}");
            assert_eq!(server.requests().len(), 1, "{error}");
        }
    }
}

#[tokio::test]
async fn a_write_of_a_resource_policy_asks_the_fence_each_time() {
    use std::sync::atomic::AtomicUsize;

    let server = Server::start([s3_elsewhere(301, "PermanentRedirect", "eu-west-3")]).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    // Open once: what is sent again to another region is another write.
    let fence = WriteFence::new(move |_| counted.fetch_add(1, Ordering::SeqCst) == 0);
    let fenced = |fence| {
        let options = AmbientOptions {
            fence,
            ..AmbientOptions::default()
        };
        Clients::new(options)
            .with_identity("AKIAEXAMPLE", "secret")
            .resource_policies(&at(&server))
    };
    let policies = fenced(fence);
    let error = policies.put_resource_policy(&bucket(), POLICY).await.unwrap_err();
    assert_eq!((error.class(), error.outcome_unknown()), (C::NotLeader, false));
    assert_eq!((asked.load(Ordering::SeqCst), server.requests().len()), (2, 1));

    let closed = fenced(WriteFence::closed());
    for resource in [bucket(), queue()] {
        let taken = closed.delete_resource_policy(&resource).await;
        assert_eq!(taken.unwrap_err().class(), C::NotLeader);
    }
    let written = closed.put_resource_policy(&topic(), POLICY).await;
    assert_eq!(written.unwrap_err().class(), C::NotLeader);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn no_call_is_made_for_a_resource_of_another_account_or_partition() {
    let server = Server::start([]).await;
    let policies = policies(&server);
    for arn in [
        "arn:aws-cn:s3:::letters",
        "arn:aws:sqs:eu-west-1:210987654321:jobs",
        "arn:aws:sns:eu-west-1:210987654321:news",
        "arn:aws-us-gov:sns:us-gov-west-1:123456789012:news",
    ] {
        let other = resource(arn);
        for refused in [
            policies.resource_policy(&other).await.map(drop),
            policies.put_resource_policy(&other, POLICY).await,
            policies.delete_resource_policy(&other).await,
        ] {
            assert_eq!(refused.unwrap_err().class(), C::InvalidInput, "{arn}");
        }
    }
    // Where SQS of an unknown partition is, only an endpoint says.
    let unknown = Account {
        partition: Partition::new("aws-new").unwrap(),
        ..account(Endpoints::default())
    };
    let policies = clients(Arc::default()).resource_policies(&unknown);
    let queue = resource("arn:aws-new:sqs:new-west-1:123456789012:jobs");
    let refused = policies.resource_policy(&queue).await.unwrap_err();
    assert_eq!(refused.class(), C::InvalidInput, "{refused}");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_policy_that_is_far_too_long_is_an_error() {
    for (length, is_taken) in [(40_960, true), (40_961, false)] {
        let server = Server::start([body(&"x".repeat(length))]).await;
        let read = policies(&server).resource_policy(&bucket()).await;
        assert_eq!(read.is_ok(), is_taken, "{length}");
    }
}

#[tokio::test]
async fn clients_of_resource_policies_are_kept_and_forgotten() {
    let server = Server::start([]).await;
    let clients = Clients::new(AmbientOptions {
        fence: open_fence(),
        ..AmbientOptions::default()
    });
    let account = at(&server);
    let first = clients.resource_policies(&account);
    assert!(Arc::ptr_eq(&first, &clients.resource_policies(&account)));
    let elsewhere = super::account(Endpoints::default());
    assert!(!Arc::ptr_eq(&first, &clients.resource_policies(&elsewhere)));
    clients.set_resource_policies(&account, Arc::clone(&first));
    assert!(Arc::ptr_eq(&first, &clients.resource_policies(&account)));
    clients.forget(&account.name);
    assert!(!Arc::ptr_eq(&first, &clients.resource_policies(&account)));
}
