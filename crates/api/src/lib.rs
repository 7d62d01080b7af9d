//! Deputy's kinds (`deputy.dev/v1alpha1`), their custom resource definitions, and their conversion into what
//! [`deputy_delegation`] decides about.
//!
//! - [`AWSAccount`], [`DelegationLimit`], [`AWSRole`], [`ClusterAWSRole`], [`AWSRoleBinding`],
//!   [`AWSFederatedUserBinding`], [`AWSResourcePolicyStatement`]: the kinds; [`NamespaceLimit`], a limit for its namespaces to read.
//! - [`conditions`]: types and reasons of the conditions in their status, and how one is written.
//! - [`convert`]: a kind becomes a [`deputy_delegation::model`] type, or a list of every field that is wrong.
//! - [`crds`]: the definitions, as in `crds/`.
//! - [`reference`]: the page in `docs/reference/` that describes a kind.
//! - [`unknown`]: fields that a definition does not know.
//!
//! The rules of a field are stated twice, on purpose: in the schema, so that the API server refuses at once and says
//! where; and in the conversion, because what is read may have been stored under an older definition or never have
//! seen an API server at all (`deputy bootstrap aws`).
//!
//! # Invariants
//!
//! - `crds/` and `docs/reference/` are what the types say: `the_definitions_in_crds_are_those_of_the_types`,
//!   `the_reference_is_that_of_the_types`.
//! - Every wrong field of an object is listed, not the first: `every_wrong_field_of_a_limit_is_listed`.
//! - What narrows a grant is never dropped in silence: null and unknown fields are refused:
//!   `a_session_or_session_policy_of_null_is_not_taken_for_none`,
//!   `a_mistyped_restriction_is_found_and_a_policy_is_not_looked_into`.

#![expect(
    clippy::duplicated_attributes,
    reason = "each printcolumn has a name and a type"
)]

mod account;
mod binding;
mod cluster_role;
pub mod conditions;
pub mod convert;
pub mod crds;
mod federated;
mod limit;
mod limit_status;
mod method;
mod namespace_limit;
pub mod reference;
mod role;
mod schema;
mod sessions;
mod statement;
mod subject_rules;
pub mod unknown;

pub use account::{
    AWSAccount, AWSAccountSpec, AWSAccountStatus, AccountDefaults, AccountOrphans, AccountQuotas,
    AssumeRoleSpec, EndpointsSpec, FederationSpec, IdentitySpec, IssuerSpec, OidcSpec, OrphanedRole,
    PeopleSpec, QuotaCount,
};
pub use binding::{
    AWSRoleBinding, AWSRoleBindingSpec, AWSRoleBindingStatus, BindingSessionSpec, RoleRef, RoleRefKind,
    SessionScopeSpec, SubjectKind, SubjectSpec,
};
pub use cluster_role::{
    ClusterAWSRole, ClusterAWSRoleSpec, ClusterAWSRoleStatus, InstanceCounts, InstanceFinding, RoleInstance,
};
pub use convert::{
    parse_account, parse_binding, parse_cluster_role, parse_federated_binding, parse_limit, parse_role,
    parse_statement,
};
pub use federated::{
    AWSFederatedUserBinding, AWSFederatedUserBindingSpec, AWSFederatedUserBindingStatus,
    FederatedSessionSpec, FederatedSubjectKind, FederatedSubjectSpec,
};
pub use limit::{
    BoundarySpec, BoundaryType, DelegationLimit, DelegationLimitSpec, EnforcementType, LimitPodsSpec,
    LimitRolesSpec, LimitSessionSpec,
};
pub use limit_status::{
    BoundaryProblem, BoundaryStatus, DelegationLimitStatus, GrantCounts, RefusedGrant, SealedStatus,
    StatementUse, WouldRefuse,
};
pub use method::SessionMethodSpec;
pub use namespace_limit::{NamespaceLimit, NamespaceLimitSpec};
pub use role::{
    AWSRole, AWSRoleSpec, AWSRoleStatus, AccountRef, DeletionPolicySpec, ExistingRoleSpec,
    LeftOutPrincipalStatus, RevocationSpec, RolePermissions, RolePolicy,
};
pub use sessions::{
    CutPeopleStatus, CutSessionsStatus, EverybodysSessionsStatus, NarrowedSessionsStatus, RemainingReason,
    RemainingSessionsStatus, RoleSessionsStatus, SessionPoliciesStatus, UntaggedSessionsStatus,
};
pub use statement::{
    AWSResourcePolicyStatement, AWSResourcePolicyStatementSpec, AWSResourcePolicyStatementStatus,
    StatementPrincipalKind, StatementPrincipalSpec,
};
pub use subject_rules::{OidcRuleSpec, PeopleRuleSpec, PrincipalRuleSpec, SamlRuleSpec};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// The API group of every kind.
pub const GROUP: &str = "deputy.dev";

/// The annotation whose value, when it changes, has an object looked at in AWS at once. Any value will do; a time says most.
pub const RECONCILE_REQUESTED_AT: &str = "deputy.dev/reconcile-requested-at";

/// Its value on an object.
#[must_use]
pub fn reconcile_requested_at(meta: &ObjectMeta) -> Option<&str> {
    meta.annotations
        .as_ref()?
        .get(RECONCILE_REQUESTED_AT)
        .map(String::as_str)
}

/// The annotation of an AWSAccount by which a person accepts that so many of its IAM roles are deleted at once.
pub const ACCEPT_REMOVING: &str = "deputy.dev/accept-removing-orphans";

/// Its value on an object; 0 where there is none that can be read.
#[must_use]
pub fn accepted_removing(meta: &ObjectMeta) -> usize {
    let accepted = meta.annotations.as_ref().and_then(|all| all.get(ACCEPT_REMOVING));
    accepted.and_then(|said| said.trim().parse().ok()).unwrap_or(0)
}

/// The one version there is.
pub const VERSION: &str = "v1alpha1";
