//! Actions that a request may have asked for although its event does not say so. They stay, and are said to be a guess.

#[cfg(test)]
mod tests;

use deputy_policy::reference::has_action;
use serde_json::Value;

use super::actions::{service, without_version};

/// Of these events AWS asks for some of these actions, by what the request has that the event does not, or by where it goes.
///
/// - s3: Amazon S3 User Guide, "Required permissions for Amazon S3 API operations" (`DeleteObjects`, `CopyObject`, the ones on public access)
/// - dynamodb: Amazon DynamoDB Developer Guide, "Using IAM with DynamoDB transactions", "IAM security policies with PartiQL for DynamoDB"
pub const MAYBE: &[(&str, &[&str], &[&str])] = &[
    ("s3", &["DeleteObjects"], &["DeleteObjectVersion"]),
    (
        "s3",
        &["GetPublicAccessBlock"],
        &["GetBucketPublicAccessBlock", "GetAccountPublicAccessBlock"],
    ),
    (
        "s3",
        &["PutPublicAccessBlock", "DeletePublicAccessBlock"],
        &["PutBucketPublicAccessBlock", "PutAccountPublicAccessBlock"],
    ),
    // The tags of what is copied come with it.
    ("s3", &["CopyObject"], &["PutObjectTagging"]),
    (
        "dynamodb",
        &["TransactWriteItems"],
        &["PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem"],
    ),
    (
        "dynamodb",
        &["ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"],
        &["PartiQLSelect", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete"],
    ),
];

/// Requests that make an object, and may say who has access to it by these parameters.
const MAKES_OBJECT: &[&str] = &[
    "PutObject",
    "CopyObject",
    "CreateMultipartUpload",
    "InitiateMultipartUpload",
    "PostObject",
];
const ACL: &[&str] = &["x-amz-acl", "accessControlList", "AccessControlPolicy"];
const ACL_GRANT: &str = "x-amz-grant-";

/// Names of actions that AWS asks for when something is made with tags. Service Authorization Reference, and Amazon EC2 User Guide, "Grant
/// permission to tag Amazon EC2 resources during creation".
pub const TAGGING: &[&str] = &[
    "AddTags",
    "AddTagsToCertificate",
    "AddTagsToResource",
    "AddTagsToStream",
    "AddTagsToVault",
    "CreateOrUpdateTags",
    "CreateTags",
    "PutBucketTagging",
    "PutJobTagging",
    "PutObjectTagging",
    "SetTagsForResource",
    "Tag",
    "TagCase",
    "TagCertificateAuthority",
    "TagDeliveryStream",
    "TagInstanceProfile",
    "TagLogGroup",
    "TagMFADevice",
    "TagMultiRegionResource",
    "TagOpenIDConnectProvider",
    "TagPolicy",
    "TagProject",
    "TagQueue",
    "TagResource",
    "TagRole",
    "TagSAMLProvider",
    "TagServerCertificate",
    "TagStream",
    "TagUser",
    "UpdateTagsForDomain",
    "UpdateTagsForResource",
];
/// Of such requests the parameters on tags are what is asked for, and not what something is made with.
const NO_TAGGING: &[&str] = &["Delete", "Describe", "Get", "List", "Remove", "Search", "Untag"];

/// What a request may have asked for besides.
pub fn guesses(source: &str, name: &str, parameters: &Value) -> Vec<String> {
    let (service, name) = (service(source), without_version(name));
    let mut names: Vec<&str> = Vec::new();
    for (_, _, actions) in MAYBE
        .iter()
        .filter(|(of, events, _)| *of == service && events.contains(&name))
    {
        names.extend(*actions);
    }
    // Of a request that is too large CloudTrail leaves the parameters out.
    let is_left_out = parameters.get("omitted").and_then(Value::as_bool) == Some(true);
    let has_tags = is_left_out || has_parameter(parameters, is_of_tags);
    if has_tags && !NO_TAGGING.iter().any(|verb| name.starts_with(verb)) {
        // An object has tags of its own.
        let is_object = service == "s3" && MAKES_OBJECT.contains(&name);
        names.extend(
            TAGGING
                .iter()
                .filter(|tagging| service != "s3" || (**tagging == "PutObjectTagging") == is_object),
        );
    }
    let has_acl =
        is_left_out || has_parameter(parameters, |key| ACL.contains(&key) || key.starts_with(ACL_GRANT));
    if service == "s3" && has_acl {
        if MAKES_OBJECT.contains(&name) {
            names.push("PutObjectAcl");
        } else if name == "CreateBucket" {
            names.push("PutBucketAcl");
        }
    }
    if service == "dynamodb" && name == "ExecuteStatement" {
        let statement = parameters.get("statement").and_then(Value::as_str);
        let verb = statement.and_then(|statement| statement.split_ascii_whitespace().next());
        let only = |action: &&str| {
            let of = action.strip_prefix("PartiQL").unwrap_or(action);
            verb.is_some_and(|verb| verb.eq_ignore_ascii_case(of))
        };
        if names.iter().any(only) {
            names.retain(only);
        }
    }
    let mut found: Vec<String> = names
        .into_iter()
        .map(|action| format!("{service}:{action}"))
        .filter(|action| has_action(action))
        .collect();
    found.sort();
    found.dedup();
    found
}

/// The service whose resources AWS Cloud Control API looks after in a request, by the name of the type: `s3` of `AWS::S3::Bucket`. It makes
/// them with the permissions of who asks.
pub fn controlled(source: &str, parameters: &Value) -> Option<String> {
    if !source.starts_with("cloudcontrolapi.") {
        return None;
    }
    let kind = parameters.get("typeName").and_then(Value::as_str)?;
    Some(kind.split("::").nth(1)?.to_ascii_lowercase())
}

fn is_of_tags(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let ends = ["tag", "tags", "tagset", "taglist", "tagging"];
    key.starts_with("tag") || ends.iter().any(|end| key.ends_with(end))
}

/// Whether a request has such a parameter with a value, itself or in one of its own.
fn has_parameter(parameters: &Value, is_meant: impl Fn(&str) -> bool) -> bool {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    };
    let Value::Object(fields) = parameters else {
        return false;
    };
    let inner = fields.values().filter_map(Value::as_object).flatten();
    fields
        .iter()
        .chain(inner)
        .any(|(key, value)| is_meant(key) && !is_empty(value))
}
