//! `AWSRoleBinding`: who.

use std::collections::BTreeMap;

use deputy_delegation::quota;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AccountRef, SessionMethodSpec, schema};

/// Who: ServiceAccounts that may become a role, and how a session looks.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "deputy.dev",
    version = "v1alpha1",
    kind = "AWSRoleBinding",
    plural = "awsrolebindings",
    shortname = "awsrb",
    category = "deputy",
    namespaced,
    status = "AWSRoleBindingStatus",
    derive = "PartialEq",
    doc = "An AWSRoleBinding says who: ServiceAccounts of its namespace that may become an AWSRole of its namespace, or what a ClusterAWSRole is in it, and how a session looks.",
    selectable = ".spec.roleRef.name",
    printcolumn(name = "Role", type_ = "string", json_path = ".spec.roleRef.name"),
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
    printcolumn(name = "Role ARN", type_ = "string", json_path = ".status.roleARN"),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Accepted")].status"#,
        priority = 1
    ),
    printcolumn(
        name = "Subjects",
        type_ = "string",
        json_path = ".spec.subjects",
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
#[x_kube(
    validation = Rule::new("self.subjects.all(s, s.kind == self.subjects[0].kind || (s.kind in ['User', 'Group'] && self.subjects[0].kind in ['User', 'Group']))")
        .message("the subjects of a binding are of one kind; User and Group go together")
        .field_path(".subjects"),
    validation = Rule::new("!has(self.method) || self.subjects.all(s, s.kind == 'ServiceAccount')")
        .message("method is of ServiceAccounts: who is outside the cluster calls STS by itself, and people get sessions from the broker")
        .field_path(".method"),
    validation = Rule::new("!has(self.session) || self.session.scope == 'ServiceAccount' || !self.subjects.exists(s, s.kind in ['User', 'Group'])")
        .message("scope Pod is of pods; each person has a session of their own")
        .field_path(".session.scope"),
    validation = Rule::new("self.subjects.all(s, s.kind in ['ServiceAccount', 'User', 'Group']) || !has(self.session) || (!has(self.session.policy) && !has(self.session.policyARNs) && !has(self.session.duration) && !has(self.session.tags) && self.session.scope == 'ServiceAccount')")
        .message("session is for subjects to whom Deputy gives it: with AWSPrincipal, SAMLPrincipal and OIDCPrincipal it is not in the path")
        .field_path(".session"),
    validation = Rule::new("!has(self.method) || self.method != 'AssumeRoleWithWebIdentity' || !has(self.session) || (!has(self.session.policy) && !has(self.session.policyARNs) && !has(self.session.duration) && !has(self.session.tags) && self.session.scope == 'ServiceAccount')")
        .message("session goes with method AssumeRole only: with AssumeRoleWithWebIdentity the pod calls STS itself, and nothing would hold it to this")
        .field_path(".session"),
)]
#[x_kube(validation = Rule::new("self.roleRef.kind != 'ClusterAWSRole' || has(self.accountRef)").message("accountRef is required with a roleRef of kind ClusterAWSRole: it says in which account the role is made").field_path(".accountRef"))]
#[x_kube(validation = Rule::new("self.roleRef.kind == 'ClusterAWSRole' || !has(self.accountRef)").message("accountRef goes with a roleRef of kind ClusterAWSRole; an AWSRole names its account itself").field_path(".accountRef"))]
pub struct AWSRoleBindingSpec {
    /// The role: an AWSRole of this namespace, or a ClusterAWSRole, of which this namespace gets an IAM role of its own. It may come
    /// later. Immutable, as in RBAC: who may edit subjects need not be trusted with another role.
    #[x_kube(validation = Rule::new("self == oldSelf").message("roleRef is immutable: make another AWSRoleBinding"))]
    pub role_ref: RoleRef,

    /// The account in which a ClusterAWSRole is made for this namespace; only with a roleRef of that kind. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self == oldSelf").message("accountRef is immutable: make another AWSRoleBinding"))]
    pub account_ref: Option<AccountRef>,

    /// Who may become the role: 1 to 100, all of one kind.
    #[schemars(length(min = 1, max = "quota::SUBJECTS_OF_BINDING"))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub subjects: Vec<SubjectSpec>,

    /// By which call of STS pods get sessions; every limit that applies has to list it. With `AssumeRoleWithWebIdentity` a pod gets
    /// the variables of IAM roles for service accounts when it is created, and `session` is forbidden; a change needs new pods. Absent:
    /// the account's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::session_method")]
    pub method: Option<SessionMethodSpec>,

    /// How a session looks.
    #[serde(default)]
    pub session: BindingSessionSpec,
}

/// A role by kind and name.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RoleRef {
    /// The kind of role.
    pub kind: RoleRefKind,

    /// The role's name.
    #[schemars(length(min = 1, max = 253), regex(pattern = schema::SUBDOMAIN))]
    pub name: String,
}

/// Kinds that can be bound.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleRefKind {
    /// A role of this namespace.
    AWSRole,
    /// A role that the platform team made for several namespaces.
    ClusterAWSRole,
}

/// Who may become a role. Each kind takes the fields that it names, and no others.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.name) == (self.kind in ['ServiceAccount', 'User', 'Group'])")
        .message("name is of ServiceAccount, User and Group, and they need it")
        .field_path(".name"),
    validation = Rule::new("self.kind != 'ServiceAccount' || !has(self.name) || self.name.matches('^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$')")
        .message("the name of a ServiceAccount is a lower-case DNS subdomain")
        .field_path(".name"),
    validation = Rule::new("!(self.kind in ['User', 'Group']) || !has(self.name) || !self.name.startsWith('system:')")
        .message("names that begin with system: are of Kubernetes itself, not of people")
        .field_path(".name"),
    validation = Rule::new("has(self.arn) == (self.kind == 'AWSPrincipal')")
        .message("arn is of AWSPrincipal, which needs it")
        .field_path(".arn"),
    validation = Rule::new("self.kind == 'AWSPrincipal' || (!has(self.externalID) && !has(self.requireMFA) && !has(self.replaces))")
        .message("externalID, requireMFA and replaces are of AWSPrincipal")
        .field_path(".kind"),
    validation = Rule::new("!has(self.requireMFA) || !self.requireMFA || !has(self.arn) || !self.arn.contains(':role/')")
        .message("requireMFA is for users and accounts: the sessions of a role never carry a second factor, so nobody could come")
        .field_path(".requireMFA"),
    validation = Rule::new("!has(self.replaces) || !has(self.arn) || (self.arn.contains(':role/') ? self.replaces.startsWith('AROA') : self.arn.contains(':user/') && self.replaces.startsWith('AIDA'))")
        .message("replaces is AROA… beside a role, AIDA… beside a user, and nothing beside an account")
        .field_path(".replaces"),
    validation = Rule::new("has(self.providerARN) == (self.kind in ['SAMLPrincipal', 'OIDCPrincipal']) && has(self.audience) == has(self.providerARN)")
        .message("providerARN and audience are of SAMLPrincipal and OIDCPrincipal, which need both")
        .field_path(".providerARN"),
    validation = Rule::new("!has(self.providerARN) || self.providerARN.contains(self.kind == 'SAMLPrincipal' ? ':saml-provider/' : ':oidc-provider/')")
        .message("providerARN is a saml-provider for SAMLPrincipal, an oidc-provider for OIDCPrincipal")
        .field_path(".providerARN"),
    validation = Rule::new("!has(self.conditions) || has(self.providerARN)")
        .message("conditions are of SAMLPrincipal and OIDCPrincipal")
        .field_path(".conditions"),
)]
pub struct SubjectSpec {
    /// The kind of subject. All of a binding are of one kind; `User` and `Group` go together.
    pub kind: SubjectKind,

    /// The name of a ServiceAccount, always of this namespace and matched by name: one that is made again is the same subject.
    /// Of a `User` or `Group`: as the API server knows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = schema::LITERAL))]
    pub name: Option<String>,

    /// Of an `AWSPrincipal`: an account, by its id or as `arn:aws:iam::<account>:root`; a user, `arn:aws:iam::<account>:user/<name>`; or a
    /// role, `arn:aws:iam::<account>:role/<name>`, whoever its sessions are. Names have their path. Who of an account may become the role, its own
    /// policies say; `status.callerPolicy` is what they need, and so does a user or role of another account. A user or role has to exist, and
    /// one that was deleted is not trusted any more, whoever makes another one under its ARN: see `replaces`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 12, max = "schema::MAX_ARN"))]
    #[x_kube(validation = Rule::new(format!("self.matches('{}')", schema::PRINCIPAL)).message("arn is an account (12 digits, or arn:aws:iam::<account>:root), a user (arn:aws:iam::<account>:user/<name>) or a role (arn:aws:iam::<account>:role/<name>): no wildcard, no service, and the role instead of one of its sessions"))]
    pub arn: Option<String>,

    /// Of an `AWSPrincipal` that is a user or role: the unique id, `AIDA…` or `AROA…`, of the former one of this ARN, as the status of the
    /// binding names it once AWS shows that it is gone. It says that whoever has the ARN now is meant. One that is deleted afterwards has
    /// another id, and is left out again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128), regex(pattern = schema::PRINCIPAL_ID))]
    pub replaces: Option<String>,

    /// The external id that an `AWSPrincipal` has to show: for a third party that acts for many, one that it gave you.
    #[serde(rename = "externalID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 1224), regex(pattern = r"^[A-Za-z0-9_+=,.@:/-]+$"))]
    pub external_id: Option<String>,

    /// Whether who comes by an `AWSPrincipal` has to have signed in with a second factor. Users do, the sessions of roles never: refused for a role.
    #[serde(rename = "requireMFA", default, skip_serializing_if = "Option::is_none")]
    pub require_mfa: Option<bool>,

    /// Of a `SAMLPrincipal` or `OIDCPrincipal`: the provider in IAM, of the role's own account.
    #[serde(rename = "providerARN", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 20, max = "schema::MAX_ARN"), regex(pattern = schema::PROVIDER))]
    pub provider_arn: Option<String>,

    /// The audience of the assertion or token: `SAML:aud`, or `<issuer>:aud`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255), regex(pattern = schema::LITERAL))]
    pub audience: Option<String>,

    /// What else it must say: a claim (such as `sub`, without the provider's name) to the values of which it must have one, exactly.
    /// Where anybody may get a token of the issuer, as of GitHub Actions and GitLab, `sub` is needed, and has to begin with whose are meant.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::claims")]
    #[x_kube(validation = Rule::new("self.all(k, k != 'aud' && k.matches('^[A-Za-z][A-Za-z0-9_-]*$') && size(k) <= 64)").message("a claim is named by letters, digits, _ and -; aud is said by audience"))]
    pub conditions: BTreeMap<String, Vec<String>>,
}

/// Kinds of subjects.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SubjectKind {
    /// Pods of a ServiceAccount.
    #[default]
    ServiceAccount,
    /// An account, and whom it lets; a user; or a role.
    AWSPrincipal,
    /// Whom a SAML provider vouches for.
    SAMLPrincipal,
    /// Whom an OpenID Connect provider vouches for.
    OIDCPrincipal,
    /// A person, by their user name in the cluster.
    User,
    /// People, by a group of theirs in the cluster.
    Group,
}

/// How a session looks.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct BindingSessionSpec {
    /// `ServiceAccount`: its pods share a session. `Pod`: each pod has its own, and CloudTrail shows which.
    #[serde(default)]
    pub scope: SessionScopeSpec,

    /// An IAM policy in IAM's own spelling: the session gets what the role and this policy both allow. Absent, and without
    /// `policyARNs`: all of the role; null is refused.
    #[serde(
        default,
        deserialize_with = "schema::present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(schema_with = "schema::document")]
    pub policy: Option<Value>,

    /// Managed policies as session policies, 1 to 10 by ARN, of AWS or of the role's own AWS account, each named in `managedPolicies` of
    /// every limit that applies: the session gets what the role allows, and `policy` or one of these. AWS takes 2,048 characters of
    /// `policy` and ARNs together.
    #[serde(rename = "policyARNs", default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = "quota::SESSION_POLICY_ARNS"),
        inner(length(min = 1, max = "schema::MAX_POLICY_ARN"), regex(pattern = schema::MANAGED_POLICY_ARN))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub policy_arns: Option<Vec<String>>,

    /// Life of a session: 30m to 12h, to 1h when the account's issuer is a role. Absent: the account's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = schema::DURATION))]
    #[x_kube(validation = Rule::new("duration(self) >= duration('30m') && duration(self) <= duration('12h')").message("must be 30m to 12h"))]
    pub duration: Option<String>,

    /// Session tags, each allowed by a limit with its value. Keys: 1 to 128 characters, not starting with `aws:` or
    /// `deputy-`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::tags")]
    pub tags: BTreeMap<String, String>,
}

/// Who shares a session.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionScopeSpec {
    /// All pods of the ServiceAccount.
    #[default]
    ServiceAccount,
    /// Nobody: each pod has its own.
    Pod,
}

/// What has become of a binding.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AWSRoleBindingStatus {
    /// `Accepted`: within every limit. `Ready`: pods of its ServiceAccounts get credentials.
    /// `SessionsIssued`: whether STS gives sessions by it; there once it refused, or once session policy and tags fill 90 % or more of what AWS has for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,

    /// The `metadata.generation` that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,

    /// For the other side of `AWSPrincipal` subjects: the IAM policy that lets a user or role of theirs become the role, to attach to a
    /// group or role there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub caller_policy: Option<String>,

    /// ARN of the role.
    #[serde(rename = "roleARN", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub role_arn: Option<String>,
}
