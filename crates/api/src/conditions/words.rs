//! The words of conditions: a contract (`docs/contracts.md` lists them, `tests/contracts` holds it against [`ConditionReason::ALL`]).

use std::fmt;

use deputy_delegation::{MissingFact, MissingFacts, Reason, Violations};

/// An enum whose variants are words of a contract: each is written as it is called.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$word_doc])* $word,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$word),+];

            /// The word in the object.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => stringify!($word),)+
                }
            }

            /// The one that is written so. `None` for a word that this version does not know.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == word)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// What a condition is about.
    ConditionType {
        /// Sums up whether the object does its job.
        Ready,
        /// A role or binding is within every limit of its namespace.
        Accepted,
        /// A role is in AWS as it should be.
        Provisioned,
        /// A role or boundary policy has the tags that its AWSAccount says. `False` while AWS refuses them, which holds up nothing else.
        Tagged,
        /// A role with managed policies: its permissions boundary cuts off something of what they allow. Absent without them.
        CappedByBoundary,
        /// A role: users or roles that it trusted were deleted, and whoever has their ARN now is left out. Absent otherwise.
        PrincipalReplaced,
        /// An account: the broker is the issuer that it names, or one of before, as AWS says. Written by `deputy broker`.
        IssuerReady,
        /// An account: the broker has keys of the federation user that it names, as AWS says. Absent of one that names none. Written by
        /// `deputy broker`.
        FederationReady,
        /// An account: the identity that writes roles is there, and the one that it names. Written by `deputy controller`.
        ProvisionerReady,
        /// An account: the identity that writes boundary policies is there, and the one that it names. Written by `deputy limits`.
        BoundaryWriterReady,
        /// An account: AWS lists its IAM roles in full, so what somebody changes there is seen within half an hour. Written by
        /// `deputy controller`.
        Listed,
        /// An account: AWS has no IAM role of this cluster without an object. Written by `deputy controller`.
        Swept,
        /// A binding, of either kind: STS gives sessions by it. Absent until it once refused. Written by `deputy broker`.
        SessionsIssued,
    }
}

words! {
    /// The status of a condition.
    Status {
        /// It holds.
        True,
        /// It does not hold.
        False,
        /// Not known.
        Unknown,
    }
}

words! {
    /// Why a condition is as it is, for machines. Events about an object carry the same words.
    ConditionReason {
        /// `Accepted`: every limit that applies accepts.
        WithinLimits,
        /// `Provisioned`: AWS has it as it should be.
        UpToDate,
        /// `Ready`: it works.
        Ready,
        /// Work on it is under way.
        Progressing,
        /// The object can't be read; the message lists every field that is wrong.
        Invalid,
        /// [`Reason::NoLimit`].
        NoLimit,
        /// [`Reason::LimitInvalid`].
        LimitInvalid,
        /// [`Reason::BoundaryOverlap`].
        BoundaryOverlap,
        /// [`Reason::NoBoundary`].
        NoBoundary,
        /// [`Reason::AccountInvalid`].
        AccountInvalid,
        /// [`Reason::RoleInvalid`].
        RoleInvalid,
        /// [`Reason::NamespaceNotAllowed`].
        NamespaceNotAllowed,
        /// [`Reason::ExceedsLimit`].
        ExceedsLimit,
        /// [`Reason::ContainmentUnknown`].
        ContainmentUnknown,
        /// [`Reason::TooLarge`].
        TooLarge,
        /// [`Reason::Duration`].
        Duration,
        /// [`Reason::SessionTag`].
        SessionTag,
        /// [`Reason::Method`].
        Method,
        /// [`Reason::Escalation`].
        Escalation,
        /// [`Reason::TenantVariable`].
        TenantVariable,
        /// [`Reason::Subject`].
        Subject,
        /// [`Reason::Partition`].
        Partition,
        /// [`Reason::ManagedPolicy`].
        ManagedPolicy,
        /// [`Reason::ExistingRole`].
        ExistingRole,
        /// [`Reason::Retain`].
        Retain,
        /// [`Reason::FederatedUser`].
        FederatedUser,
        /// [`Reason::ResourcePolicy`].
        ResourcePolicy,
        /// The resource whose policy is to have a statement is not in AWS.
        ResourceNotFound,
        /// A principal of a statement is not there, or not ready: the statement names the others, if there are any.
        PrincipalNotReady,
        /// The role that exists is not in AWS, or not under that ARN.
        NotInAWS,
        /// The trust policy of a role that exists does not let the broker in.
        TrustMissing,
        /// Not accepted: nobody gets credentials. What is in AWS stays, with a trust policy that denies.
        Suspended,
        /// Not accepted, and never was: nothing is in AWS.
        NotAccepted,
        /// The AWSAccount does not exist.
        AccountNotFound,
        /// The AWSRole does not exist.
        RoleNotFound,
        /// The AWSRole is not ready.
        RoleNotReady,
        /// The trust policy of its role has no room for its subjects.
        TrustPolicyFull,
        /// A user or role among its subjects was deleted, perhaps made again by somebody else, and is not trusted any more.
        PrincipalReplaced,
        /// AWS does not know a principal among its subjects.
        InvalidPrincipal,
        /// Nothing gives its subjects sessions: people, where their API is not served.
        NotServed,
        /// A managed policy does not exist.
        PolicyNotFound,
        /// `CappedByBoundary`: the boundary allows less than a managed policy.
        Capped,
        /// `CappedByBoundary`: the boundary allows all that the managed policies do.
        NotCapped,
        /// The boundary policy of the limit is not in AWS yet.
        BoundaryNotReady,
        /// The limit's boundary, which somebody else writes, allows more than the limit.
        BoundaryExceedsLimit,
        /// The limit's boundary, which somebody else writes, does not exist.
        BoundaryNotFound,
        /// Another binding comes first for each of its ServiceAccounts; this one is used when asked for by name.
        Shadowed,
        /// AWS has something of that name that is not ours, or not this object's; it is left alone. Also [`Reason::Conflict`].
        Conflict,
        /// AWS refused the call: the identity lacks a permission.
        AccessDenied,
        /// AWS asked to call less often.
        Throttled,
        /// A quota of the AWS account is used up, or a document is larger than it allows.
        QuotaExceeded,
        /// AWS can't be reached, or failed.
        Unavailable,
        /// AWS refused the call for another reason; the message has it.
        AWSError,
        /// The identity is not in the account, or not in the partition, that the AWSAccount names.
        AccountMismatch,
        /// The identity is not the one that the AWSAccount names.
        IdentityMismatch,
        /// `IssuerReady`: the broker is an issuer of before (`spec.previousIssuers`), and is to become the one of now.
        PreviousIssuer,
        /// The process has no identity in AWS.
        NoCredentials,
        /// The broker is not the issuer that the account names: nobody gets credentials of it.
        IssuerNotReady,
        /// Session policy and tags together are larger than AWS takes in a session.
        PackedPolicyTooLarge,
        /// The account's region is not enabled in the AWS account.
        RegionDisabled,
        /// An older AWSAccount is of the same AWS account: that one counts, and nothing is done by this one.
        DuplicateAccount,
        /// `Ready` of a ClusterAWSRole: some of what it is in namespaces is not ready; the message says which.
        InstancesNotReady,
        /// The ClusterAWSRole is as many IAM roles as it may be, and is made in no further namespace.
        TooManyInstances,
        /// `Swept`: AWS has IAM roles without an object, which are deleted after a while. Also the event about one.
        Orphaned,
        /// `Swept`: AWS has IAM roles without an object, and they stay until a person accepts that they are deleted.
        OrphansHeld,
        /// `Swept`: more IAM roles were to be deleted than go at once. Those beyond were left, shut, without an object. Also the event about it.
        DeletionsHeld,
        /// The object is being deleted.
        Deleting,
    }
}

impl From<bool> for Status {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

impl From<Reason> for ConditionReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::NoLimit => Self::NoLimit,
            Reason::LimitInvalid => Self::LimitInvalid,
            Reason::BoundaryOverlap => Self::BoundaryOverlap,
            Reason::NoBoundary => Self::NoBoundary,
            Reason::AccountInvalid => Self::AccountInvalid,
            Reason::RoleInvalid => Self::RoleInvalid,
            Reason::NamespaceNotAllowed => Self::NamespaceNotAllowed,
            Reason::ExceedsLimit => Self::ExceedsLimit,
            Reason::ContainmentUnknown => Self::ContainmentUnknown,
            Reason::TooLarge => Self::TooLarge,
            Reason::Duration => Self::Duration,
            Reason::SessionTag => Self::SessionTag,
            Reason::Method => Self::Method,
            Reason::Escalation => Self::Escalation,
            Reason::TenantVariable => Self::TenantVariable,
            Reason::Subject => Self::Subject,
            Reason::Partition => Self::Partition,
            Reason::ManagedPolicy => Self::ManagedPolicy,
            Reason::ExistingRole => Self::ExistingRole,
            Reason::Retain => Self::Retain,
            Reason::FederatedUser => Self::FederatedUser,
            Reason::ResourcePolicy => Self::ResourcePolicy,
            Reason::Conflict => Self::Conflict,
            Reason::Structure => Self::Invalid,
        }
    }
}

impl From<&Violations> for ConditionReason {
    /// That of the first violation.
    fn from(violations: &Violations) -> Self {
        violations.reason().into()
    }
}

impl From<&MissingFact> for ConditionReason {
    fn from(fact: &MissingFact) -> Self {
        match fact {
            MissingFact::AccountNotFound(_) => Self::AccountNotFound,
            MissingFact::RoleNotFound(_) => Self::RoleNotFound,
        }
    }
}

impl From<&MissingFacts> for ConditionReason {
    /// A role that is missing says more than its account, which is only known from it.
    fn from(facts: &MissingFacts) -> Self {
        if facts.has_role() {
            Self::RoleNotFound
        } else {
            Self::AccountNotFound
        }
    }
}
