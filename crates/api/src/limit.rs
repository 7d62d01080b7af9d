//! `DelegationLimit`: how far.

use std::collections::BTreeMap;

use deputy_delegation::quota;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    DelegationLimitStatus, SessionMethodSpec, schema,
    subject_rules::{OidcRuleSpec, PeopleRuleSpec, PrincipalRuleSpec, SamlRuleSpec},
};

/// How far: what the namespaces it names may ever grant in the accounts it names.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "deputy.dev",
    version = "v1alpha1",
    kind = "DelegationLimit",
    plural = "delegationlimits",
    shortname = "dlimit",
    category = "deputy",
    status = "DelegationLimitStatus",
    derive = "PartialEq",
    doc = "A DelegationLimit says how far: what the namespaces it names may ever grant in the accounts it names. Where none applies, nothing may be granted; where several apply, every one must accept.",
    printcolumn(name = "Enforcement", type_ = "string", json_path = ".spec.enforcement"),
    printcolumn(name = "Boundary", type_ = "string", json_path = ".spec.boundary.type"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#
    ),
    printcolumn(name = "Accepted", type_ = "integer", json_path = ".status.grants.accepted"),
    printcolumn(name = "Suspended", type_ = "integer", json_path = ".status.grants.suspended"),
    printcolumn(
        name = "Would-Refuse",
        type_ = "integer",
        json_path = ".status.wouldRefuse.count"
    ),
    printcolumn(
        name = "Namespaces",
        type_ = "string",
        json_path = ".spec.namespaces",
        priority = 1
    ),
    printcolumn(
        name = "Accounts",
        type_ = "string",
        json_path = ".spec.accounts",
        priority = 1
    ),
    printcolumn(
        name = "Since",
        type_ = "date",
        json_path = r#".status.conditions[?(@.type=="Ready")].lastTransitionTime"#,
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct DelegationLimitSpec {
    /// Names of namespaces, and patterns on names in which `*` stands for any characters. Never labels, which a
    /// tenant may be able to set.
    #[schemars(
        length(min = 1, max = "quota::SCOPE_OF_LIMIT"),
        inner(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9*-]+$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub namespaces: Vec<String>,

    /// Names of AWSAccounts. The limit applies where namespace and account both match.
    #[schemars(length(min = 1, max = "quota::SCOPE_OF_LIMIT"), inner(length(min = 1, max = 253), regex(pattern = schema::SUBDOMAIN)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub accounts: Vec<String>,

    /// `Enforce`: what exceeds the limit is refused. `DryRun`: nothing is refused by it, and nothing is granted by it either; its status,
    /// and a warning to whoever writes a role or binding, say what it would refuse. A dry run has no boundary in AWS.
    #[serde(default)]
    pub enforcement: EnforcementType,

    /// An IAM policy in IAM's own spelling: nothing granted where the limit applies may exceed it. Actions that
    /// make or widen permissions have to be named in `acknowledgeEscalation`.
    #[schemars(schema_with = "schema::document")]
    pub ceiling: Value,

    /// How the ceiling is repeated in AWS.
    #[serde(default)]
    pub boundary: BoundarySpec,

    /// Managed policies that roles and sessions may have: patterns on ARNs, in which `*` stands for any characters of one part between
    /// colons. None by default. What such a policy says is not compared with the ceiling: AWS holds it to the boundary of the role. So a
    /// limit of boundary type `CheckOnly` does not hold what it allows here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = "quota::MANAGED_POLICIES_OF_LIMIT"),
        inner(length(min = 1, max = "schema::MAX_ARN"), regex(pattern = schema::MANAGED_POLICY_PATTERN))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub managed_policies: Vec<String>,

    /// What sessions may look like.
    #[serde(default)]
    pub session: LimitSessionSpec,

    /// AWS principals that bindings may name as subjects, and what they must ask of them. None by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = "quota::SUBJECT_RULES"))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub principals: Vec<PrincipalRuleSpec>,

    /// SAML providers whose users bindings may name. None by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = "quota::SUBJECT_RULES"))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub saml_providers: Vec<SamlRuleSpec>,

    /// OpenID Connect providers whose tokens bindings may name. None by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = "quota::SUBJECT_RULES"))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub oidc_providers: Vec<OidcRuleSpec>,

    /// People that bindings may name. None by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<PeopleRuleSpec>,

    /// Actions that make or widen permissions and that the ceiling allows knowingly, such as `iam:PassRole` or `s3:Put*Policy`: those
    /// that reach IAM itself, and what AWS's service reference calls permissions management. A ceiling with one that is not named
    /// here is refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = "quota::ACKNOWLEDGED_OF_LIMIT"),
        inner(
            length(min = 1, max = 128),
            regex(pattern = r"^(\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+)$")
        )
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub acknowledge_escalation: Vec<String>,

    /// Roles that exist, and are somebody else's, that an AWSRole may name: ARNs, in which `*` stands for any characters. None by
    /// default. What their sessions may do, the ceiling says; the broker's own policy in AWS has to allow it to assume them (`deputy
    /// bootstrap aws` prints that).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = "quota::EXISTING_ROLES_OF_LIMIT"),
        inner(length(min = 1, max = "schema::MAX_ARN"), regex(pattern = schema::ROLE_ARN_PATTERN))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub existing_roles: Vec<String>,

    /// Names that the federated users of AWSFederatedUserBindings may have: patterns, in which `*` stands for any characters, compared with
    /// case. None by default. What their sessions may do, the ceiling says; the federation user's own policy in AWS has to allow the
    /// names, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = "quota::FEDERATED_USERS_OF_LIMIT"),
        inner(length(min = 1, max = 32), regex(pattern = schema::FEDERATED_USER_PATTERN))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub federated_users: Vec<String>,

    /// Buckets, queues and topics whose policies may have statements of AWSResourcePolicyStatements: patterns on their ARNs, in which `*`
    /// stands for any characters of a part. None by default. What such a statement may grant, the ceiling says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = "quota::RESOURCE_POLICIES_OF_LIMIT"),
        inner(length(min = 1, max = 320), regex(pattern = schema::POLICY_RESOURCE_PATTERN))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub resource_policies: Vec<String>,

    /// What an AWSRole may ask for beside permissions.
    #[serde(default)]
    pub roles: LimitRolesSpec,

    /// How pods of the namespaces may get credentials.
    #[serde(default)]
    pub pods: LimitPodsSpec,
}

/// How pods under a limit may get credentials.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct LimitPodsSpec {
    /// Whether pods in the network of their node (`hostNetwork`) are injected, by the agent on the node and only where they carry the
    /// label themselves. Not by default: whoever may listen in that network sees what they get. Every enforced limit that names the
    /// namespace has to say so, whatever its accounts.
    #[serde(default)]
    pub allow_host_network: bool,
}

/// What roles under a limit may ask for beside permissions.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct LimitRolesSpec {
    /// Whether `deletionPolicy: Retain` is allowed: a role that stays in the account when its object is gone. Not by default.
    #[serde(default)]
    pub allow_retain: bool,
}

/// Whether a limit refuses what exceeds it.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EnforcementType {
    /// It does.
    #[default]
    Enforce,
    /// It says what it would refuse.
    DryRun,
}

/// How a ceiling is repeated in AWS.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.policyARN) == (has(self.type) && self.type == 'Reference')").message("policyARN is for type Reference, which needs it"))]
pub struct BoundarySpec {
    /// `Generated`: one managed policy for each account of the limit, set as permissions boundary on every role under
    /// it; at most one limit with a boundary may apply to a role. `Reference`: the policy of `policyARN` is that boundary, written by
    /// somebody else; it has to be within the ceiling. `CheckOnly`: Deputy checks, AWS does not.
    #[serde(rename = "type", default)]
    pub type_: BoundaryType,

    /// With `Reference`: the policy, of the AWS account of the limit's AWSAccounts or one of AWS's. Deputy reads it every 5 minutes and
    /// never writes it. Once it allows more than the ceiling, roles under the limit shrink and do not grow.
    #[serde(rename = "policyARN", default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 2048),
        regex(pattern = r"^arn:[a-z-]+:iam::(aws|[0-9]{12}):policy/.+$")
    )]
    pub policy_arn: Option<String>,
}

/// Whether AWS holds a limit too.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BoundaryType {
    /// A permissions boundary on every role.
    #[default]
    Generated,
    /// The same, by a policy that somebody else writes.
    Reference,
    /// Checks only.
    CheckOnly,
}

/// What sessions may look like under a limit.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct LimitSessionSpec {
    /// The longest session: 30m to 12h.
    #[serde(default = "default_max_duration")]
    #[schemars(length(max = 32), regex(pattern = schema::DURATION))]
    #[x_kube(validation = Rule::new("duration(self) >= duration('30m') && duration(self) <= duration('12h')").message("must be 30m to 12h"))]
    pub max_duration: String,

    /// The longest session of a federated user: 15m to 36h. Absent: `maxDuration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = schema::DURATION))]
    #[x_kube(validation = Rule::new("duration(self) >= duration('15m') && duration(self) <= duration('36h')").message("must be 15m to 36h"))]
    pub max_federated_duration: Option<String>,

    /// By which calls of STS pods may get sessions. `AssumeRoleWithWebIdentity` goes past session policies, session tags and the audit
    /// log, because the pod calls STS itself: list it knowingly. An empty list allows no sessions of pods at all.
    #[serde(default = "default_methods")]
    #[schemars(length(max = 2))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub methods: Vec<SessionMethodSpec>,

    /// Session tags that a binding may set, with the values each may have. None by default. Keys: 1 to 128
    /// characters, not starting with `aws:` or `deputy-`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::tag_values")]
    pub tags: BTreeMap<String, Vec<String>>,
}

impl Default for LimitSessionSpec {
    fn default() -> Self {
        Self {
            max_duration: default_max_duration(),
            max_federated_duration: None,
            methods: default_methods(),
            tags: BTreeMap::new(),
        }
    }
}

fn default_methods() -> Vec<SessionMethodSpec> {
    vec![SessionMethodSpec::AssumeRole]
}

fn default_max_duration() -> String {
    "1h".to_owned()
}
