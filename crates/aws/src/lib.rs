//! IAM, STS and the policies of resources behind narrow traits: the only crate that reaches the AWS SDK (invariant 2).
//!
//! - [`Roles`], [`Policies`], [`ManagedPolicies`] and [`Sts`]: what the controllers and the broker may do in AWS, nothing more.
//! - [`ResourcePolicies`]: the policies of buckets, queues and topics.
//! - [`Clients`]: those traits over the SDK, one set of clients for each account, each with the identity it needs.
//! - [`RolesAnywhere`]: the identity of a process from an X.509 certificate.
//! - [`PersonalSts`]: AWS's own ways to a session for a person, by the person's own keys, token or assertion; [`Profiles`].
//! - [`AwsError`]: what went wrong, as one of few [classes](ErrorClass) that say what to do about it.
//! - [`CallBudget`]: how fast an account's IAM is called, and by [`CallPurpose`] whose turn comes first.
//! - [`WriteFence`]: asked before each write, when its turn has come.
//! - `model` (feature `test-support`): an IAM and STS in memory, and resources with policies, with the behaviours that no local double has.
//!
//! # Invariants
//!
//! - The AWS SDK is reached from here alone: `only_the_crate_for_aws_reaches_the_sdk`.
//! - Reads are repeated, and writes only when AWS says that there are too many calls: a write whose answer was lost may have been
//!   applied: `reads_are_repeated_and_writes_are_not`, `a_write_whose_answer_is_cut_off_may_have_been_applied`. Each attempt has a turn
//!   of the call budget: `each_attempt_has_a_turn_of_the_budget`.
//! - What takes away overtakes all that waits, and nothing starves: `a_call_that_takes_away_waits_for_few`,
//!   `no_purpose_starves_for_ever`.
//! - No write is sent through a closed fence: `no_write_passes_a_closed_fence`.
//! - S3 is told whose a bucket has to be, and of queues and topics only the account's own are asked for:
//!   `a_bucket_policy_is_read_written_and_taken_away`, `no_call_is_made_for_a_resource_of_another_account_or_partition`.
//! - Every error has one of few classes that say what to do, and shows no signed request:
//!   `every_answer_of_aws_has_its_class`, `the_signed_request_that_aws_repeats_is_not_shown`.
//! - Every line about a call names its operation and account, and no secret:
//!   `every_line_of_a_call_names_its_operation_and_account`.
//! - A quota that is used up is told with its numbers, and costs no write: `a_quota_that_is_used_up_is_told_before_anything_is_sent`.
//! - The model in memory and a double live through the same story: `the_model_lives_through_it`,
//!   `ministack_lives_through_it`.

mod anywhere;
mod budget;
mod caller;
mod clients;
mod config;
#[cfg(test)]
mod conformance;
mod error;
mod federation_keys;
mod fence;
mod identity;
#[cfg(any(test, feature = "test-support"))]
pub mod model;
mod observe;
mod people;
mod proxy;
mod quotas;
mod resource_policies;
mod sdk;
mod traits;

pub use anywhere::{RolesAnywhere, RolesAnywhereError, RolesAnywhereSettings};
pub use budget::{BudgetSettings, CallBudget, CallPurpose};
pub use caller::{AccountIdentity, IdentifyError, identify, identify_federation_user};
pub use clients::{AmbientOptions, Clients, FederationClient, home_region};
pub use config::Timeouts;
pub use error::{AwsError, ErrorClass};
pub use fence::WriteFence;
pub use observe::{CallObserver, CallReport, IgnoreCalls};
pub use people::{
    AssumeRoleCall, MfaDevice, NarrowedBy, PersonalIdentity, PersonalKeys, PersonalOptions, PersonalSession,
    PersonalSts, Profiles, ProfilesError, ProviderCall, SessionCall,
};
pub use proxy::{Proxy, ProxyError};
pub use resource_policies::ResourcePolicies;
pub use secrecy::{ExposeSecret, SecretString};
pub use traits::{
    AccountSummaries, AccountSummary, CallerIdentity, Credentials, DefaultVersion, ForeignRole, ListedPolicy,
    ListedRole, ManagedPolicies, NewPolicy, ObservedPolicy, Policies, PolicyVersion, QuotaUse, RoleDetails,
    RoleDetailsPage, Roles, Session, Sts,
};
