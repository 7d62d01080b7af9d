//! Schemas that several kinds share, and those that `schemars` can't derive.

use deputy_delegation::quota;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize as _, Deserializer};
use serde_json::{Value, json};

/// Hours, minutes and seconds: `1h`, `90m`, `1h30m`.
pub(crate) const DURATION: &str = r"^([0-9]+(h|m|s))+$";
/// An RFC 1123 subdomain, the form of Kubernetes names.
pub(crate) const SUBDOMAIN: &str = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$";
/// A pattern on ARNs of IAM, as `IamArnPattern` has it.
pub(crate) const IAM_ARN_PATTERN: &str = r"^arn:[a-z*-]+:iam::[0-9*]+:[A-Za-z0-9_+=,.@/*-]+$";
/// Text of others, as `Audience`, `ClaimValue` and `PersonName` have it.
pub(crate) const LITERAL: &str = r#"^[^*?"\\]+$"#;
/// An account, as `PrincipalArn` has it.
pub(crate) const PRINCIPAL: &str =
    r"^([0-9]{12}|arn:aws(-[a-z0-9]+)*:iam::[0-9]{12}:(root|(user|role)/[A-Za-z0-9_+=,.@/-]+))$";
/// The unique id of a user or role.
pub(crate) const PRINCIPAL_ID: &str = "^(AROA|AIDA)[A-Z0-9]{12,124}$";
/// A SAML or OpenID Connect provider.
pub(crate) const PROVIDER: &str =
    r"^arn:aws(-[a-z0-9]+)*:iam::[0-9]{12}:(saml-provider|oidc-provider)/[A-Za-z0-9_+=,.@/~%-]+$";
/// An RFC 1123 label.
pub(crate) const LABEL: &str = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$";
/// `arn:<partition>:iam::<account>:role/…`
pub(crate) const ROLE_ARN: &str = r"^arn:aws[a-z0-9-]*:iam::[0-9]{12}:role/[!-~]+$";
/// The same, with `*` for any characters of a part.
pub(crate) const ROLE_ARN_PATTERN: &str = r"^arn:[a-z0-9*-]+:iam::[0-9*]+:role/[A-Za-z0-9_+=,.@/*-]+$";
/// The same, or `…:user/…`.
pub(crate) const ISSUER_ARN: &str = r"^arn:aws[a-z0-9-]*:iam::[0-9]{12}:(role|user)/[!-~]+$";
/// `arn:<partition>:iam::<account>:user/…`
pub(crate) const USER_ARN: &str = r"^arn:aws[a-z0-9-]*:iam::[0-9]{12}:user/[!-~]+$";
/// The name of a federated user.
pub(crate) const FEDERATED_USER: &str = r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$";
/// The same, with `*` for any characters.
pub(crate) const FEDERATED_USER_PATTERN: &str = r"^[A-Za-z0-9*-]+$";
/// The ARN of a bucket, a queue or a topic.
pub(crate) const POLICY_RESOURCE_ARN: &str = r"^arn:aws[a-z0-9-]*:(s3:::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]|(sqs|sns):[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+(\.fifo)?)$";
/// The same, with `*` for any characters of a part.
pub(crate) const POLICY_RESOURCE_PATTERN: &str =
    r"^arn:[a-z0-9*-]+:(s3:::[a-z0-9.*-]+|(sqs|sns):[a-z0-9*-]+:[0-9*]+:[A-Za-z0-9_.*-]+)$";
/// `arn:<partition>:iam::<account>:oidc-provider/<host>[/<path>]`
pub(crate) const OIDC_PROVIDER_ARN: &str =
    r"^arn:aws[a-z0-9-]*:iam::[0-9]{12}:oidc-provider/[a-z0-9.-]+(/[A-Za-z0-9_+=,.@~%-]+)*$";
/// An audience: printable, without what has a meaning in a policy (`${` is left to the conversion).
pub(crate) const AUDIENCE: &str = r##"^[!#-)+->@-\[\]-~]+$"##;
/// `arn:<partition>:iam::<aws or account>:policy/…`
pub(crate) const MANAGED_POLICY_ARN: &str =
    r"^arn:aws[a-z0-9-]*:iam::(aws|[0-9]{12}):policy/[A-Za-z0-9_+=,.@/-]+$";
/// The same with `*` for any characters of a part.
pub(crate) const MANAGED_POLICY_PATTERN: &str =
    r"^arn:[a-z0-9*-]+:iam::(aws|[0-9*]{1,12}):policy/[A-Za-z0-9_+=,.@/*-]+$";
/// `https://…`, or plain text to this machine only. No credentials in the URL.
pub(crate) const ENDPOINT: &str =
    r"^(https://[A-Za-z0-9.-]+|http://(127\.0\.0\.1|\[::1\]))(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?$";

/// The longest ARN of a role or user: 31 characters, a path of 512 and a name of 64, with room for long partitions.
pub(crate) const MAX_ARN: u32 = 640;

/// The longest ARN of a managed policy: as that of a role, with a name of 128.
pub(crate) const MAX_POLICY_ARN: u32 = 704;

/// A policy document: IAM's own spelling, kept as it is.
///
/// Atomic: two writers who each own half of a policy would make a third one that nobody wrote. CEL can't see into
/// it; the webhook reads it.
pub(crate) fn document(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": true,
        "x-kubernetes-map-type": "atomic",
    })
}

/// A field that is there, if only as null. Of itself, `Option` takes null for absent.
pub(crate) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// A session method that may be left out. Derived, its description would be that of the type.
pub(crate) fn session_method(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["AssumeRole", "AssumeRoleWithWebIdentity"]})
}

/// AWS tags, key to value.
pub(crate) fn tags(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": quota::CHOSEN_TAGS,
        "additionalProperties": {"type": "string", "maxLength": 256, "pattern": TAG_VALUE},
        "x-kubernetes-validations": tag_keys(),
    })
}

/// AWS tags, key to the values it may have.
pub(crate) fn tag_values(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": quota::CHOSEN_TAGS,
        "additionalProperties": {
            "type": "array",
            "minItems": 1,
            "maxItems": quota::VALUES_OF_TAG,
            "x-kubernetes-list-type": "set",
            "items": {"type": "string", "maxLength": 256, "pattern": TAG_VALUE},
        },
        "x-kubernetes-validations": tag_keys(),
    })
}

/// Rules on the keys of tags. The sentences with the keys are those of `messageExpression`, `message` is for the reference pages. The expressions
/// are spelled so that the API server finds them cheap enough: it doesn't know how long keys are.
fn tag_keys() -> Value {
    const SAME: &str = "o.lowerAscii() == k.lowerAscii()";
    const RESERVED: &str = "k.lowerAscii().startsWith('aws:') || k.lowerAscii().startsWith('deputy-')";
    json!([
        {
            "rule": "self.all(k, size(k) >= 1 && size(k) <= 128)",
            "message": "a tag key has 1 to 128 characters",
        },
        {
            "rule": format!("self.all(k, !({RESERVED}))"),
            "message": "tag keys starting with aws: or deputy-, in any case, are reserved",
            "messageExpression": format!(
                "self.filter(k, {RESERVED}).map(k, 'tag key ' + k + ' is reserved: AWS ignores case, and keys starting with aws: and deputy- \
                 are its own and Deputy\\'s')[0]"
            ),
        },
        {
            "rule": format!("self.all(k, self.exists_one(o, {SAME}))"),
            "message": "no two tag keys may differ in case only",
            "messageExpression": format!(
                "self.filter(k, self.exists(o, o > k && {SAME})).map(k, 'tag keys ' + k + ' and ' + self.filter(o, o != k && {SAME})[0] + ' \
                 are one to AWS, which ignores case')[0]"
            ),
        },
    ])
}

const TAG_VALUE: &str = r"^[A-Za-z0-9 _.:/=+@-]*$";

/// A moment, as `metav1.Time` has it.
pub(crate) fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time"})
}

/// `status.conditions`, as `metav1.Condition` has it.
pub(crate) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": {
                    "type": "string",
                    "maxLength": 316,
                    "description": "What it is about.",
                },
                "status": {
                    "type": "string",
                    "enum": ["True", "False", "Unknown"],
                    "description": "Whether it holds.",
                },
                "observedGeneration": {
                    "type": "integer",
                    "format": "int64",
                    "minimum": 0,
                    "description": "The `metadata.generation` it was found on.",
                },
                "lastTransitionTime": {
                    "type": "string",
                    "format": "date-time",
                    "description": "When `status` last changed.",
                },
                "reason": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1024,
                    "description": "Why, for machines: one CamelCase word.",
                },
                "message": {
                    "type": "string",
                    "maxLength": 32768,
                    "description": "Why, for people.",
                },
            },
        },
    })
}

/// What claims must be: one of the values each.
pub(crate) fn claims(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": quota::CLAIMS_OF_SUBJECT,
        "additionalProperties": {
            "type": "array",
            "minItems": 1,
            "maxItems": quota::CLAIMS_OF_SUBJECT,
            "x-kubernetes-list-type": "set",
            "items": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": LITERAL},
        },
    })
}
