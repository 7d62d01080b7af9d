//! What a DelegationLimit says of subjects that are no ServiceAccounts.

use deputy_delegation::quota;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// AWS principals, and what subjects must ask of them.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PrincipalRuleSpec {
    /// Patterns on ARNs, `*` for any characters of a part. An account is `arn:aws:iam::<account>:root`, a user
    /// `arn:aws:iam::<account>:user/<path and name>`, a role `arn:aws:iam::<account>:role/<path and name>`.
    #[serde(rename = "match")]
    #[schemars(length(min = 1, max = "quota::VALUES_OF_RULE"), inner(length(max = 640), regex(pattern = schema::IAM_ARN_PATTERN)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub matches: Vec<String>,

    /// Whether the subject must name an external id.
    #[serde(rename = "requireExternalID", default)]
    pub require_external_id: bool,

    /// Whether the subject must ask for a second factor. No role can.
    #[serde(rename = "requireMFA", default)]
    pub require_mfa: bool,
}

/// SAML providers, and for whom their assertions may be made.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SamlRuleSpec {
    /// Patterns on the providers' ARNs.
    #[serde(rename = "match")]
    #[schemars(length(min = 1, max = "quota::VALUES_OF_RULE"), inner(length(max = 640), regex(pattern = schema::IAM_ARN_PATTERN)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub matches: Vec<String>,

    /// Audiences that subjects may name, such as `https://signin.aws.amazon.com/saml`.
    #[schemars(length(min = 1, max = "quota::VALUES_OF_RULE"), inner(length(min = 1, max = 255), regex(pattern = schema::LITERAL)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub audiences: Vec<String>,
}

/// OpenID Connect providers, for whom their tokens may be made, and whose they may be.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct OidcRuleSpec {
    /// Patterns on the providers' ARNs.
    #[serde(rename = "match")]
    #[schemars(length(min = 1, max = "quota::VALUES_OF_RULE"), inner(length(max = 640), regex(pattern = schema::IAM_ARN_PATTERN)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub matches: Vec<String>,

    /// Audiences that subjects may name, such as `sts.amazonaws.com`.
    #[schemars(length(min = 1, max = "quota::VALUES_OF_RULE"), inner(length(min = 1, max = 255), regex(pattern = schema::LITERAL)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub audiences: Vec<String>,

    /// Patterns, `*` for any characters, of which one must cover each `sub` that a subject names, such as `repo:acme/*`. A subject without
    /// `sub` needs the pattern `*`. Where `match` covers an issuer of which anybody may get a token, as of GitHub Actions and GitLab, whose
    /// are meant stands before the first `*`.
    #[schemars(
        length(min = 1, max = "quota::VALUES_OF_RULE"),
        inner(length(min = 1, max = 256))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub subjects: Vec<String>,
}

/// People by their names in the cluster; patterns, `*` for any characters.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PeopleRuleSpec {
    /// Names of users.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = "quota::VALUES_OF_RULE"), inner(length(min = 1, max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub users: Vec<String>,

    /// Names of groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = "quota::VALUES_OF_RULE"), inner(length(min = 1, max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub groups: Vec<String>,
    /// The longest session that a binding may give people, 30m to 12h, such as `1h`. Absent: `session.maxDuration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = schema::DURATION))]
    #[x_kube(validation = Rule::new("duration(self) >= duration('30m') && duration(self) <= duration('12h')").message("must be 30m to 12h"))]
    pub max_duration: Option<String>,

    /// Names of groups that the identity provider gives to whoever signed in with a second factor. Who asks for a session must be in one of them,
    /// each time. Absent: nobody is asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = "quota::VALUES_OF_RULE"), inner(length(min = 1, max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub mfa_groups: Vec<String>,
}
