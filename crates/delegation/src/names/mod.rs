//! Typed names: parsed once at the edge, valid from then on.

#[macro_use]
mod text;

mod anywhere;
mod arn;
mod duration;
mod eks;
mod federated;
mod pattern;
mod policy_resource;
mod principal;
mod shared_issuers;

pub use anywhere::{ProfileArn, TrustAnchorArn};
pub use arn::{IamEntity, IssuerArn, ManagedPolicyArn, PolicyArn, PolicyOwner, RoleArn, UserArn};
pub use duration::{FederatedDuration, MaxSessionDuration, SessionDuration, seconds_in};
pub use eks::EksClusterArn;
pub use federated::{FederatedUserArn, FederatedUserName, FederatedUserPattern};
pub use pattern::{IamArnPattern, NamespacePattern, TextPattern, wildcard_match};
pub use policy_resource::{PolicyResource, PolicyResourceKind, PolicyResourcePattern, ResourceHome};
pub use principal::{
    Audience, ClaimName, ClaimValue, OidcProviderArn, PersonName, PrincipalArn, PrincipalId, PrincipalKind,
    SamlProviderArn,
};
pub use shared_issuers::TenantError;

use std::fmt;

/// A string that is not what its type demands. `Display` names the type, the text (cut) and the rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {text:?} is not valid: {rule}")]
pub struct NameError {
    what: &'static str,
    text: String,
    rule: &'static str,
}

impl NameError {
    fn new(what: &'static str, text: &str, rule: &'static str) -> Self {
        // Long enough to recognise, short enough for an event.
        Self {
            what,
            text: text.chars().take(80).collect(),
            rule,
        }
    }
}

/// Names that Deputy composes.
pub(crate) trait FromValidParts {
    /// Joins parts that are valid names themselves, so that the whole follows this type's rule by construction.
    fn from_valid_parts(text: String) -> Self;
}

fn label(s: &str, max: usize) -> bool {
    !s.is_empty()
        && s.len() <= max
        && s.bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !s.starts_with('-')
        && !s.ends_with('-')
}
fn subdomain(s: &str, max: usize) -> bool {
    s.len() <= max && s.split('.').all(|part| label(part, max))
}
/// The characters AWS takes in role, user and session names: `[\w+=,.@-]`.
fn aws_word(s: &str) -> bool {
    s.bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
}
fn tag_text(s: &str, min: usize, max: usize) -> bool {
    // https://docs.aws.amazon.com/STS/latest/APIReference/API_Tag.html, restricted to ASCII: what Deputy compares must look like what it is.
    (min..=max).contains(&s.len())
        && s.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b" _.:/=+-@".contains(&b))
}

string_type! {
    /// The name of this Kubernetes cluster towards AWS: required, immutable, part of every path, external id and tag.
    ClusterName, "cluster name", "a lower-case DNS label of at most 32 characters", |s| label(s, 32)
}
string_type! {
    /// The name of a namespace (an RFC 1123 label).
    NamespaceName, "namespace", "a lower-case DNS label of at most 63 characters", |s| label(s, 63)
}
string_type! {
    /// The name of one of Deputy's objects (an RFC 1123 subdomain).
    ObjectName, "name", "a lower-case DNS subdomain of at most 253 characters", |s| subdomain(s, 253)
}
string_type! {
    /// The name of a ServiceAccount.
    ServiceAccountName, "ServiceAccount name", "a lower-case DNS subdomain of at most 253 characters", |s| subdomain(s, 253)
}
string_type! {
    /// The name of a pod.
    PodName, "pod name", "a lower-case DNS subdomain of at most 253 characters", |s| subdomain(s, 253)
}
string_type! {
    /// A Kubernetes uid. Opaque; lives in tags only.
    Uid, "uid", "1 to 64 letters, digits or dashes", |s| (1..=64).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}
string_type! {
    /// The uid of a cluster: that of its namespace `kube-system`, which is made with the cluster and can't be made again.
    ClusterUid, "cluster uid", "36 to 63 letters, digits or dashes", |s| (36..=63).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}
string_type! {
    /// A twelve-digit AWS account id.
    AccountId, "account id", "exactly 12 digits, as a string", |s| s.len() == 12 && s.bytes().all(|b| b.is_ascii_digit())
}
string_type! {
    /// An AWS partition such as `aws`, `aws-cn` or `aws-us-gov`.
    Partition, "partition", "aws or aws-…", |s| s == "aws" || (s.starts_with("aws-") && label(s, 32))
}
string_type! {
    /// An AWS region such as `ap-northeast-1`.
    Region, "region", "letters, digits and dashes, such as ap-northeast-1", |s| label(s, 32) && s.contains('-')
}
string_type! {
    /// An IAM role name: 1 to 64 of `[\w+=,.@-]`, unique in its account ignoring case.
    RoleName, "role name", "1 to 64 of letters, digits and _+=,.@-", |s| (1..=64).contains(&s.len()) && aws_word(s)
}
string_type! {
    /// An IAM policy name: 1 to 128 of `[\w+=,.@-]`.
    PolicyName, "IAM policy name", "1 to 128 of letters, digits and _+=,.@-", |s| (1..=128).contains(&s.len()) && aws_word(s)
}
string_type! {
    /// The name of a policy in the list of a role. AWS does not see it: all of the list become one inline policy. So the form is
    /// that of Kubernetes for keys of a list.
    RolePolicyName, "policy name", "a lower-case DNS label of at most 63 characters", |s| label(s, 63)
}
string_type! {
    /// `sts:ExternalId`: 2 to 1,224 of `[\w+=,.@:\/-]`.
    ExternalId, "external id", "2 to 1224 of letters, digits and _+=,.@:/-", |s| (2..=1224).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b))
}
string_type! {
    /// `Sid` of a statement that Deputy owns in somebody's policy: `Deputy` and 26 of lower-case base32. Amazon S3, SQS and SNS all take
    /// letters and digits.
    StatementSid, "Sid of a statement", "Deputy and 26 of a to z and 2 to 7", |s| s.strip_prefix("Deputy").is_some_and(|hash| hash.len() == 26 && hash.bytes().all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b)))
}
string_type! {
    /// A role session name: 2 to 64 of `[\w+=,.@-]`.
    SessionName, "session name", "2 to 64 of letters, digits and _+=,.@-", |s| (2..=64).contains(&s.len()) && aws_word(s)
}
string_type! {
    /// The key of an AWS tag.
    TagKey, "tag key", "1 to 128 of letters, digits, space and _.:/=+-@, not starting with aws:", |s| tag_text(s, 1, 128) && !s.to_ascii_lowercase().starts_with("aws:")
}
string_type! {
    /// The value of an AWS tag.
    TagValue, "tag value", "at most 256 of letters, digits, space and _.:/=+-@", |s| tag_text(s, 0, 256)
}
string_type! {
    /// An IAM path: `/`, or `/…/` of letters, digits and `.,+@=_-`, at most 512 characters. IAM takes more characters in the
    /// paths of roles and users (any printable ASCII); `*`, `?` and `${` would be patterns in a policy, so Deputy does not.
    IamPath, "path", "/ or /…/ of letters, digits and .,+@=_-, at most 512 characters", |s| s == "/" || (s.len() <= 512 && s.starts_with('/') && s.ends_with('/') && s.bytes().all(|b| b == b'/' || aws_word(char::from(b).encode_utf8(&mut [0; 4]))) && !s.contains("//"))
}

/// The name of an object in a namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Its namespace.
    pub namespace: NamespaceName,
    /// Its name.
    pub name: ObjectName,
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Which IAM role: what its name, tags and external id are made of, and what it is known by.
///
/// One namespace and name may be that of an AWSRole and that of a ClusterAWSRole; these are different roles.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleId {
    /// The namespace of the AWSRole, or the one that binds the ClusterAWSRole.
    pub namespace: NamespaceName,
    /// The name of the AWSRole or ClusterAWSRole.
    pub name: ObjectName,
    /// Which of the two.
    pub kind: RoleKind,
}

/// The kind of object that an IAM role is made of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoleKind {
    /// An AWSRole, which says its account.
    AWSRole,
    /// A ClusterAWSRole: one IAM role for each namespace and account that binds it.
    ClusterAWSRole {
        /// The AWSAccount that the binding names.
        account: ObjectName,
    },
}

impl From<ObjectId> for RoleId {
    /// The IAM role of an AWSRole.
    fn from(id: ObjectId) -> Self {
        Self {
            namespace: id.namespace,
            name: id.name,
            kind: RoleKind::AWSRole,
        }
    }
}

impl RoleId {
    /// Kind and name, for people.
    pub fn title(&self) -> impl fmt::Display {
        fmt::from_fn(move |f| {
            let kind = match self.kind {
                RoleKind::AWSRole => "AWSRole",
                RoleKind::ClusterAWSRole { .. } => "ClusterAWSRole",
            };
            write!(f, "{kind} {self}")
        })
    }

    /// The AWSAccount that the binding of a ClusterAWSRole names; `None` for an AWSRole, which names its account itself.
    #[must_use]
    pub fn bound_account(&self) -> Option<&ObjectName> {
        match &self.kind {
            RoleKind::AWSRole => None,
            RoleKind::ClusterAWSRole { account } => Some(account),
        }
    }

    /// The AWSRole; `None` for a ClusterAWSRole's.
    #[must_use]
    pub fn aws_role(&self) -> Option<ObjectId> {
        (self.kind == RoleKind::AWSRole).then(|| ObjectId {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        })
    }
}

impl fmt::Display for RoleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            namespace,
            name,
            kind,
        } = self;
        match kind {
            RoleKind::AWSRole => write!(f, "{namespace}/{name}"),
            RoleKind::ClusterAWSRole { account } => {
                write!(f, "{name} (namespace {namespace}, account {account})")
            }
        }
    }
}

/// What the names of regions begin with outside of partition `aws`; from the partitions file of the AWS SDKs.
const REGION_PREFIXES: [(&str, &str); 7] = [
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("eu-isoe-", "aws-iso-e"),
    ("us-isof-", "aws-iso-f"),
    ("eusc-", "aws-eusc"),
];

impl Region {
    /// The partition that a region of this name is in; `None` for a name of no form that is known.
    #[must_use]
    pub fn partition(&self) -> Option<&'static str> {
        let by_prefix = REGION_PREFIXES
            .iter()
            .find(|(prefix, _)| self.0.starts_with(prefix))
            .map(|(_, partition)| *partition);
        by_prefix.or_else(|| {
            // `eu-west-1`: a continent or country in two letters, a direction, a number.
            let parts: Vec<&str> = self.0.split('-').collect();
            let [area, place, number] = parts.as_slice() else {
                return None;
            };
            let letters = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase());
            let usual = area.len() == 2
                && letters(area)
                && letters(place)
                && !number.is_empty()
                && number.bytes().all(|b| b.is_ascii_digit());
            usual.then_some("aws")
        })
    }
}

impl TagKey {
    /// Whether the key belongs to Deputy: nobody else may set it. Tag keys are compared ignoring case.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.0.to_ascii_lowercase().starts_with("deputy-")
    }
}
