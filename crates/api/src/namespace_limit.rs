//! `NamespaceLimit`: a limit, as a namespace that it names may read it.

use deputy_delegation::quota;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{BoundarySpec, EnforcementType, LimitSessionSpec, schema};

// No names or patterns of namespaces, no uid of the limit, no owner: who may read one namespace learns nothing of another, and the uid
// of a limit tells the webhook that somebody may read the limit. Atomic: what somebody else writes into a copy does not stay beside what
// Deputy writes.
/// What the limit says about this namespace.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "deputy.dev",
    version = "v1alpha1",
    kind = "NamespaceLimit",
    plural = "namespacelimits",
    shortname = "nslimit",
    category = "deputy",
    namespaced,
    derive = "PartialEq",
    doc = "A NamespaceLimit shows what its namespace may be granted: a copy, which Deputy writes, of the DelegationLimit of the same name. Nothing is decided by it: an edit has no effect, and is put right. Where several are there, a grant has to be within each one that names its account.",
    printcolumn(name = "Accounts", type_ = "string", json_path = ".spec.accounts"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
#[serde(rename_all = "camelCase")]
pub struct NamespaceLimitSpec {
    /// Names of the AWSAccounts in which the limit applies, in order.
    #[schemars(length(min = 1, max = "quota::SCOPE_OF_LIMIT"), inner(length(min = 1, max = 253), regex(pattern = schema::SUBDOMAIN)))]
    pub accounts: Vec<String>,

    /// `DryRun`: nothing is refused by it, nor granted. `Enforce`: a grant has to be within it.
    pub enforcement: EnforcementType,

    /// What may be granted at most: an IAM policy, in canonical form.
    #[schemars(schema_with = "schema::document")]
    pub ceiling: Value,

    /// How the ceiling is repeated in AWS.
    pub boundary: BoundarySpec,

    /// Managed policies that roles and sessions may have: patterns on ARNs, in which `*` stands for any characters of one part between
    /// colons. AWS holds them to the boundary of the role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = "quota::MANAGED_POLICIES_OF_LIMIT"),
        inner(length(min = 1, max = "schema::MAX_ARN"), regex(pattern = schema::MANAGED_POLICY_PATTERN))
    )]
    pub managed_policies: Vec<String>,

    /// What sessions may look like.
    pub session: LimitSessionSpec,
}
