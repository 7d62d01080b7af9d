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
    // `$LATEST` can't be written in a policy, and a function with it is another resource than the one without.
    let is_variable = |parameter| event.parameter(parameter).is_some_and(|text| text.contains('$'));
    if service == "lambda" && (is_variable("qualifier") || is_variable("functionName")) {
        return Vec::new();
    }
    let mut found: Vec<String> = event.arns().map(str::to_owned).collect();
    found.extend(of_parameters(event, partition, service));
    found.retain(|arn| is_plain(arn) && is_of(action, arn));
    if service == "secretsmanager" {
        found.extend(of_secret(event));
    }
    found.sort();
    found.dedup();
    found
}

/// What is copied from, which another action reads.
pub fn copied_from(event: &TrailEvent, partition: &str) -> Option<String> {
    let source = event.parameter("x-amz-copy-source")?;
    // By an access point, or a bucket of an Outpost: not of which bucket.
    if source.starts_with("arn:") {
        return None;
    }
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
        match name.starts_with("arn:") {
            true => Some(name.to_owned()),
            false => is_name(name).then(|| regional(format!("{kind}{name}"))),
        }
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
        "lambda" => of_function(event, partition),
        "sns" => arn("topicArn").map(str::to_owned).into_iter().collect(),
        "sqs" => {
            let path = event
                .parameter("queueUrl")
                .and_then(|url| url.split_once("://")?.1.split_once('/'));
            let owner = path.and_then(|(_, path)| path.split_once('/'));
            let owner = owner.filter(|(owner, name)| is_account(owner) && is_name(name));
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
                .filter_map(|name| match name.starts_with("arn:") {
                    true => Some(name.to_owned()),
                    // What follows a colon is a version or a label of it.
                    false => {
                        let name = name.split(':').next().unwrap_or(name);
                        let name = name.trim_start_matches('/');
                        let is_path = name.split('/').all(is_name);
                        is_path.then(|| regional(format!("parameter/{name}")))
                    }
                })
                .collect()
        }
        "states" => arn("stateMachineArn").map(str::to_owned).into_iter().collect(),
        "sts" => arn("roleArn").map(str::to_owned).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// A function by its name, its ARN, or a part of that: `123456789012:function:name`; each with `:qualifier` or without.
fn of_function(event: &TrailEvent, partition: &str) -> Vec<String> {
    let Some(text) = event.parameter("functionName") else {
        return Vec::new();
    };
    let parts: Vec<&str> = text.split(':').collect();
    let (region, account, name) = match parts.as_slice() {
        ["arn", _, "lambda", region, account, "function", name @ ..] => (*region, *account, name),
        [account, "function", name @ ..] => (event.region.as_str(), *account, name),
        name => (event.region.as_str(), event.account.as_str(), name),
    };
    if !is_account(account) || !is_name(region) {
        return Vec::new();
    }
    let (name, qualifier) = match name {
        [name] => (*name, event.parameter("qualifier")),
        [name, qualifier] => (*name, Some(*qualifier)),
        _ => return Vec::new(),
    };
    if !is_name(name) || !qualifier.is_none_or(is_name) {
        return Vec::new();
    }
    let function = format!("arn:{partition}:lambda:{region}:{account}:function:{name}");
    let qualified = qualifier.map(|qualifier| format!("{function}:{qualifier}"));
    std::iter::once(function).chain(qualified).collect()
}

/// A secret by its ARN, which may lack the `-` and six random characters at its end: both may be meant where a name ends so.
fn of_secret(event: &TrailEvent) -> Vec<String> {
    let arn = event.parameter("secretId").filter(|arn| arn.starts_with("arn:"));
    let Some(arn) = arn.filter(|arn| is_plain(arn)) else {
        return Vec::new();
    };
    let is_random = |end: &str| end.len() == 6 && end.bytes().all(|b| b.is_ascii_alphanumeric());
    let may_be_whole = arn.rsplit_once('-').is_some_and(|(_, end)| is_random(end));
    let whole = may_be_whole.then(|| arn.to_owned());
    whole.into_iter().chain([format!("{arn}{RANDOM_END}")]).collect()
}

/// Whether two ARNs are of one thing, once with and once without what may follow its name: an event does not say by which of them a policy
/// has it.
pub fn is_same_thing(one: &str, other: &str) -> bool {
    let follows = |long: &str, short: &str| {
        long.strip_prefix(short)
            .is_some_and(|rest| rest.starts_with(':') || rest.starts_with("/index/") || rest == RANDOM_END)
    };
    follows(one, other) || follows(other, one)
}

/// What AWS adds to the name of a secret, as a pattern.
const RANDOM_END: &str = "-??????";

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// A name, and no other way of naming a resource: those have signs.
fn is_name(text: &str) -> bool {
    let is_sign = |b: u8| matches!(b, b'-' | b'_' | b'.');
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || is_sign(b))
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(source: &str, parameters: &Value, action: &str) -> Vec<String> {
        let event = json!({
            "eventSource": format!("{source}.amazonaws.com"),
            "awsRegion": "eu-west-1",
            "recipientAccountId": "123456789012",
            "requestParameters": parameters,
        });
        let event: TrailEvent = serde_json::from_value(event).unwrap();
        resources(&event, "aws", action)
    }

    /// Each way of naming a resource leads to an ARN that is its own, or to none.
    #[test]
    fn no_arn_is_made_up() {
        let function = |rest: &str| format!("arn:aws:lambda:eu-west-1:123456789012:function:{rest}");
        for (name, expected) in [
            ("foo", vec![function("foo")]),
            ("foo:prod", vec![function("foo"), function("foo:prod")]),
            ("123456789012:function:foo", vec![function("foo")]),
            (
                "123456789012:function:foo:prod",
                vec![function("foo"), function("foo:prod")],
            ),
            (
                "arn:aws:lambda:eu-west-1:123456789012:function:foo",
                vec![function("foo")],
            ),
            ("123456789012:foo:bar:baz", Vec::new()),
            ("layer:foo:bar:baz", Vec::new()),
            ("a/b", Vec::new()),
            ("foo:$LATEST", Vec::new()),
        ] {
            let got = of("lambda", &json!({"functionName": name}), "lambda:InvokeFunction");
            assert_eq!(got, expected, "{name}");
        }
        let secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db";
        for (id, expected) in [
            ("db".to_owned(), Vec::new()),
            (secret.to_owned(), vec![format!("{secret}-??????")]),
            (
                format!("{secret}-AbC123"),
                vec![format!("{secret}-AbC123"), format!("{secret}-AbC123-??????")],
            ),
        ] {
            let got = of(
                "secretsmanager",
                &json!({"secretId": id}),
                "secretsmanager:GetSecretValue",
            );
            assert_eq!(got, expected, "{id}");
        }
        for (source, parameters, action) in [
            (
                "sqs",
                json!({"queueUrl": "https://example.com/a/b/c"}),
                "sqs:SendMessage",
            ),
            (
                "dynamodb",
                json!({"tableName": "123456789012:table/a"}),
                "dynamodb:GetItem",
            ),
            ("ssm", json!({"name": "a b"}), "ssm:GetParameter"),
        ] {
            assert_eq!(
                of(source, &parameters, action),
                Vec::<String>::new(),
                "{parameters}"
            );
        }
    }

    #[test]
    fn of_a_copy_by_an_access_point_the_bucket_is_not_known() {
        for (source, expected) in [
            ("/from/a/b", Some("arn:aws:s3:::from/a/b")),
            ("from/a?versionId=1", Some("arn:aws:s3:::from/a")),
            ("arn:aws:s3:eu-west-1:123456789012:accesspoint/ap/object/a", None),
            ("from/a%20b", None),
        ] {
            let event = json!({"eventSource": "s3.amazonaws.com", "requestParameters": {"x-amz-copy-source": source}});
            let event: TrailEvent = serde_json::from_value(event).unwrap();
            assert_eq!(copied_from(&event, "aws").as_deref(), expected, "{source}");
        }
    }

    #[test]
    fn a_function_with_and_without_its_qualifier_is_one() {
        let function = "arn:aws:lambda:eu-west-1:123456789012:function:foo";
        assert!(is_same_thing(function, &format!("{function}:prod")));
        assert!(!is_same_thing(function, &format!("{function}bar")));
        assert!(!is_same_thing(function, function));
    }
}
