//! `--type`: what a policy is used as, in the words of the command line.

use clap::ValueEnum;
use deputy_policy::PolicyKind;

/// What a document is used as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum PolicyType {
    /// Attached to a role or user.
    #[default]
    Identity,
    /// Passed to AssumeRole.
    Session,
    /// A permissions boundary or a ceiling.
    Boundary,
    /// Attached to a resource.
    Resource,
    /// The trust policy of a role.
    Trust,
    /// A service control policy of an organisation.
    #[value(name = "scp")]
    ServiceControl,
    /// A resource control policy of an organisation.
    #[value(name = "rcp")]
    ResourceControl,
}

impl From<PolicyType> for PolicyKind {
    fn from(t: PolicyType) -> Self {
        match t {
            PolicyType::Identity => Self::Identity,
            PolicyType::Session => Self::Session,
            PolicyType::Boundary => Self::Boundary,
            PolicyType::Resource => Self::Resource,
            PolicyType::Trust => Self::Trust,
            PolicyType::ServiceControl => Self::ServiceControl,
            PolicyType::ResourceControl => Self::ResourceControl,
        }
    }
}

impl PolicyType {
    /// The word for a kind, as it is given to `--type`.
    pub fn word(kind: PolicyKind) -> &'static str {
        match kind {
            PolicyKind::Identity => "identity",
            PolicyKind::Session => "session",
            PolicyKind::Boundary => "boundary",
            PolicyKind::Resource => "resource",
            PolicyKind::Trust => "trust",
            PolicyKind::ServiceControl => "scp",
            PolicyKind::ResourceControl => "rcp",
        }
    }
}
