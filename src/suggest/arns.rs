//! Which resources an event is about, where that can be known.

use deputy_policy::{Effect, impossible};

use super::events::TrailEvent;
use crate::asked::{identity, statement};

/// Services of whose events the resources are known to be all that AWS looked at. Others may look at more than an event says: an instance
/// is run in a subnet, from an image, with a key.
const WHOLE: &[&str] = &[
    "dynamodb",
    "kinesis",
    "kms",
    "lambda",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "states",
    "sts",
];

/// The resources of `action` in an event; none where they are not known.
pub fn resources(event: &TrailEvent, partition: &str, action: &str) -> Vec<String> {
    let Some((service, _)) = action.split_once(':') else {
        return Vec::new();
    };
    if !WHOLE.contains(&service) {
        return Vec::new();
    }
    let mut found: Vec<String> = event.arns().map(str::to_owned).collect();
    found.extend(of_parameters(event, partition, service));
    found.retain(|arn| is_plain(arn) && is_of(action, arn));
    found.sort();
    found.dedup();
    found
}

/// What is copied from, which another action reads.
pub fn copied_from(event: &TrailEvent, partition: &str) -> Option<String> {
    let source = event.parameter("x-amz-copy-source")?;
    let source = source.trim_start_matches('/');
    let source = source
        .split_once("?versionId=")
        .map_or(source, |(source, _)| source);
    // The key is escaped as in a URL, where it has to be.
    let arn = format!("arn:{partition}:s3:::{source}");
    (source.contains('/') && !source.contains('%') && is_plain(&arn)).then_some(arn)
}

fn of_parameters(event: &TrailEvent, partition: &str, service: &str) -> Vec<String> {
    let (region, account) = (event.region.as_str(), event.account.as_str());
    let regional = |rest: String| format!("arn:{partition}:{service}:{region}:{account}:{rest}");
    let named = |parameter: &str, kind: &str| {
        let name = event.parameter(parameter)?;
        Some(match name.starts_with("arn:") {
            true => name.to_owned(),
            false => regional(format!("{kind}{name}")),
        })
    };
    let arn = |parameter: &str| event.parameter(parameter).filter(|arn| arn.starts_with("arn:"));
    match service {
        "s3" => of_bucket(event, partition),
        "dynamodb" => {
            let table = named("tableName", "table/");
            let index = event.parameter("indexName");
            let of_index = table
                .as_ref()
                .zip(index)
                .map(|(table, index)| format!("{table}/index/{index}"));
            // A query of an index is one of the index alone.
            of_index.or(table).into_iter().collect()
        }
        "kinesis" => named("streamName", "stream/")
            .or_else(|| arn("streamARN").map(str::to_owned))
            .into_iter()
            .collect(),
        "lambda" => {
            let function = named("functionName", "function:");
            let qualified = function
                .as_ref()
                .zip(event.parameter("qualifier"))
                .map(|(f, q)| format!("{f}:{q}"));
            function.into_iter().chain(qualified).collect()
        }
        "secretsmanager" => arn("secretId").map(str::to_owned).into_iter().collect(),
        "sns" => arn("topicArn").map(str::to_owned).into_iter().collect(),
        "sqs" => {
            let path = event
                .parameter("queueUrl")
                .and_then(|url| url.split_once("://")?.1.split_once('/'));
            let owner = path.and_then(|(_, path)| path.split_once('/'));
            let queue = owner.map(|(owner, name)| format!("arn:{partition}:sqs:{region}:{owner}:{name}"));
            queue.into_iter().collect()
        }
        "ssm" => {
            let listed = event
                .parameters
                .get("names")
                .and_then(serde_json::Value::as_array);
            let names = listed.into_iter().flatten().filter_map(serde_json::Value::as_str);
            let names = names.chain(event.parameter("name"));
            names
                .map(|name| match name.starts_with("arn:") {
                    true => name.to_owned(),
                    // What follows a colon is a version or a label of it.
                    false => {
                        let name = name.split(':').next().unwrap_or(name);
                        regional(format!("parameter/{}", name.trim_start_matches('/')))
                    }
                })
                .collect()
        }
        "states" => arn("stateMachineArn").map(str::to_owned).into_iter().collect(),
        "sts" => arn("roleArn").map(str::to_owned).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn of_bucket(event: &TrailEvent, partition: &str) -> Vec<String> {
    let Some(bucket) = event.parameter("bucketName") else {
        return Vec::new();
    };
    // An access point has an ARN of its own, which a policy may mean instead.
    if bucket.starts_with("arn:") {
        return Vec::new();
    }
    let bucket = format!("arn:{partition}:s3:::{bucket}");
    let object = event.parameter("key").map(|key| format!("{bucket}/{key}"));
    std::iter::once(bucket).chain(object).collect()
}

/// Whether an ARN stands for itself as a pattern of a policy.
fn is_plain(arn: &str) -> bool {
    arn.starts_with("arn:") && arn.len() <= 2048 && !arn.contains(['*', '?', '$'])
}

/// Whether the action takes such a resource.
fn is_of(action: &str, arn: &str) -> bool {
    let alone = identity(vec![statement(Effect::Allow, action, arn)]);
    alone.is_ok_and(|alone| impossible(&[&alone]).is_none())
}
