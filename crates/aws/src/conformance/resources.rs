//! Policies of buckets, queues and topics:
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>,
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>,
//! <https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html>.

use deputy_delegation::names::{PolicyResource, PolicyResourceKind};

use super::{
    table::{AnswerTable, outcome},
    world::World,
};

/// What is tried with each kind, and what AWS says.
struct Lines {
    kind: PolicyResourceKind,
    /// The policy of what is not there is read, written and taken away.
    absent: [&'static str; 3],
    no_resource: &'static str,
    /// A new one's.
    new: &'static str,
    has_when_new: &'static str,
    written: &'static str,
    shown: &'static str,
    no_json: &'static str,
    not_taken: &'static str,
    nobody: &'static str,
    no_principal: &'static str,
    kept: &'static str,
    taken_away: &'static str,
    away: &'static str,
    has_then: &'static str,
}

const LINES: [Lines; 3] = [
    Lines {
        kind: PolicyResourceKind::Bucket,
        absent: [
            "GetBucketPolicy of no bucket",
            "PutBucketPolicy of no bucket",
            "DeleteBucketPolicy of no bucket",
        ],
        no_resource: "NoSuchBucket (NotFound)",
        new: "GetBucketPolicy of a new bucket",
        has_when_new: "none",
        written: "PutBucketPolicy",
        shown: "GetBucketPolicy after it",
        no_json: "PutBucketPolicy of what is no JSON",
        not_taken: "MalformedPolicy (MalformedPolicy)",
        nobody: "PutBucketPolicy for a user that is not there",
        no_principal: "MalformedPolicy (InvalidPrincipal)",
        kept: "what these refused calls changed of a bucket",
        taken_away: "DeleteBucketPolicy",
        away: "ok",
        has_then: "GetBucketPolicy after that",
    },
    Lines {
        kind: PolicyResourceKind::Queue,
        absent: [
            "GetQueueAttributes of no queue",
            "SetQueueAttributes of no queue",
            "SetQueueAttributes of no queue, to no policy",
        ],
        no_resource: "AWS.SimpleQueueService.NonExistentQueue (NotFound)",
        new: "GetQueueAttributes of a new queue",
        has_when_new: "none",
        written: "SetQueueAttributes",
        shown: "GetQueueAttributes after it",
        no_json: "SetQueueAttributes of what is no JSON",
        not_taken: "InvalidAttributeValue (InvalidPrincipal)",
        nobody: "SetQueueAttributes for a user that is not there",
        no_principal: "InvalidAttributeValue (InvalidPrincipal)",
        kept: "what these refused calls changed of a queue",
        taken_away: "SetQueueAttributes to no policy",
        away: "ok",
        has_then: "GetQueueAttributes after that",
    },
    Lines {
        kind: PolicyResourceKind::Topic,
        absent: [
            "GetTopicAttributes of no topic",
            "SetTopicAttributes of no topic",
            "SetTopicAttributes of no topic, to no policy",
        ],
        no_resource: "NotFound (NotFound)",
        new: "GetTopicAttributes of a new topic",
        has_when_new: "one",
        written: "SetTopicAttributes",
        shown: "GetTopicAttributes after it",
        no_json: "SetTopicAttributes of what is no JSON",
        not_taken: "InvalidParameter (InvalidInput)",
        nobody: "SetTopicAttributes for a user that is not there",
        no_principal: "InvalidParameter (InvalidPrincipal)",
        kept: "what these refused calls changed of a topic",
        taken_away: "SetTopicAttributes to no policy",
        away: "no code (InvalidInput)",
        has_then: "GetTopicAttributes after that",
    },
];

fn allowing(principal: &str, resource: &PolicyResource) -> String {
    let action = match resource.kind() {
        PolicyResourceKind::Bucket => "s3:ListBucket",
        PolicyResourceKind::Queue => "sqs:SendMessage",
        PolicyResourceKind::Topic => "sns:Publish",
    };
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"one","Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"{action}","Resource":"{resource}"}}]}}"#
    )
}

pub(super) async fn see(world: &World, record: &mut AnswerTable) {
    world.make_user("named").await;
    for lines in &LINES {
        absent(world, lines, record).await;
        present(world, lines, record).await;
    }
    world.delete_user("named").await;
}

async fn absent(world: &World, lines: &Lines, record: &mut AnswerTable) {
    let policies = &world.resource_policies;
    let none = world.resource(lines.kind, "absent");
    let policy = allowing(&world.user_arn("named"), &none);
    let [read, written, taken] = lines.absent;
    record.see(
        read,
        lines.no_resource,
        outcome(&policies.resource_policy(&none).await),
    );
    record.see(
        written,
        lines.no_resource,
        outcome(&policies.put_resource_policy(&none, &policy).await),
    );
    // No call to SNS takes a policy away.
    let refused = match lines.kind {
        PolicyResourceKind::Topic => lines.away,
        PolicyResourceKind::Bucket | PolicyResourceKind::Queue => lines.no_resource,
    };
    record.see(
        taken,
        refused,
        outcome(&policies.delete_resource_policy(&none).await),
    );
}

async fn present(world: &World, lines: &Lines, record: &mut AnswerTable) {
    let policies = &world.resource_policies;
    let own = world.resource(lines.kind, "own");
    world.make_resource(&own).await;
    let policy = allowing(&world.user_arn("named"), &own);
    let put = async |text: &str| outcome(&policies.put_resource_policy(&own, text).await);
    let has = async || match policies.resource_policy(&own).await {
        Ok(Some(text)) if text == policy => "what was written".to_owned(),
        Ok(Some(_)) => "one".to_owned(),
        Ok(None) => "none".to_owned(),
        error => outcome(&error),
    };
    record.see(lines.new, lines.has_when_new, has().await);
    record.see(lines.written, "ok", put(&policy).await);
    record.see(lines.shown, "what was written", has().await);
    record.see(lines.no_json, lines.not_taken, put("{").await);
    let nobody = allowing(&world.user_arn("nobody"), &own);
    record.see(lines.nobody, lines.no_principal, put(&nobody).await);
    record.see(lines.kept, "what was written", has().await);
    // Not every double refused these.
    put(&policy).await;
    let taken = policies.delete_resource_policy(&own).await;
    record.see(lines.taken_away, lines.away, outcome(&taken));
    let then = if lines.away == "ok" {
        "none"
    } else {
        "what was written"
    };
    record.see(lines.has_then, then, has().await);
}
