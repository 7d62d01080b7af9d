//! What objects are called in AWS: a function of (clusterName, kind, namespace, name) alone.
//!
//! Names survive a restore or a rebuilt cluster and can be computed offline; Kubernetes uids live in tags only.
//! `docs/contracts.md` fixes every form here; `tests/golden/names.json` holds the vectors.

use std::collections::BTreeMap;

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};

use crate::{
    model::{Account, Kind, Role, RoleId, RoleKind, RoleSource},
    names::{
        ClusterName, ClusterUid, ExternalId, FromValidParts, IamPath, ObjectId, ObjectName, PolicyArn,
        PolicyName, RoleArn, RoleName, StatementSid, TagKey, TagValue, Uid,
    },
    tags::list_of,
};

pub use crate::tags::{TAG_RETAINED, TAG_TAGS};

/// The name of Deputy's one inline policy on each role.
pub const INLINE_POLICY: &str = "deputy";

/// What the path of everything begins with that is Deputy's in AWS, of whichever cluster.
pub const OWN_PATH: &str = "/deputy/";

/// Tag of roles, policies and sessions: the cluster they belong to.
pub const TAG_CLUSTER: &str = "deputy-cluster";
/// Tag of roles and policies: the uid of that cluster, of which another one may have the name.
pub const TAG_CLUSTER_UID: &str = "deputy-cluster-uid";
/// Tag of roles and policies: the kind of their object.
pub const TAG_KIND: &str = "deputy-kind";
/// Tag of roles and sessions: the namespace of their object.
pub const TAG_NAMESPACE: &str = "deputy-namespace";
/// Tag of roles and policies: the name of their object.
pub const TAG_NAME: &str = "deputy-name";
/// Tag of roles and policies: the uid of their object.
pub const TAG_UID: &str = "deputy-uid";
/// Tag of sessions: the ServiceAccount.
pub const TAG_SERVICE_ACCOUNT: &str = "deputy-service-account";
/// Tag of sessions of scope Pod: the pod's uid.
pub const TAG_POD_UID: &str = "deputy-pod-uid";
/// Tag of sessions with a session policy, of a role that Deputy makes: the mark of that.
pub const TAG_SESSION_POLICY: &str = "deputy-session-policy";
/// Tag of sessions of people: the mark of the binding that they have it by, and of the subject in it.
pub const TAG_PERSON: &str = "deputy-person";

/// The longest role name that Deputy makes. With the longest path that a console link takes (17 characters) it makes IAM's 64.
const ROLE_NAME_MAX: usize = 47;
/// The longest boundary policy name that Deputy makes.
const LIMIT_POLICY_NAME_MAX: usize = 64;
/// The longest session name of STS.
pub(crate) const SESSION_NAME_MAX: usize = 64;
/// 80 bits in base32.
const HASH_BYTES: usize = 10;
/// Characters of them.
pub(crate) const HASH_CHARS: usize = 16;

/// `/deputy/<clusterName>/`
#[must_use]
pub fn role_path(cluster: &ClusterName) -> IamPath {
    IamPath::from_valid_parts(format!("/deputy/{cluster}/"))
}

/// `/deputy/<clusterName>/limits/`
#[must_use]
pub fn limit_path(cluster: &ClusterName) -> IamPath {
    IamPath::from_valid_parts(format!("/deputy/{cluster}/limits/"))
}

/// `deputy.<namespace>.<name>-<hash>`, at most 47 characters.
#[must_use]
pub fn role_name(cluster: &ClusterName, id: &RoleId) -> RoleName {
    let (kind, namespace, name) = (Kind::from(&id.kind), id.namespace.as_str(), id.name.as_str());
    let hash = match id.kind {
        RoleKind::AWSRole => hash(&[cluster.as_str(), kind.as_str(), namespace, name]),
        // Its own object has no namespace; the one that binds it comes last.
        RoleKind::ClusterAWSRole { .. } => hash(&[cluster.as_str(), kind.as_str(), "", name, namespace]),
    };
    RoleName::from_valid_parts(shortened(
        &format!("deputy.{}.{}", id.namespace, id.name),
        &hash,
        ROLE_NAME_MAX,
    ))
}

/// `deputy-limit.<limit>-<hash>`, at most 64 characters.
#[must_use]
pub fn limit_policy_name(cluster: &ClusterName, limit: &ObjectName) -> PolicyName {
    let hash = hash(&[
        cluster.as_str(),
        Kind::DelegationLimit.as_str(),
        "",
        limit.as_str(),
    ]);
    PolicyName::from_valid_parts(shortened(
        &format!("deputy-limit.{limit}"),
        &hash,
        LIMIT_POLICY_NAME_MAX,
    ))
}

/// The ARN of a role in `account`.
#[must_use]
pub fn role_arn(cluster: &ClusterName, account: &Account, id: &RoleId) -> RoleArn {
    RoleArn::of(
        &account.partition,
        &account.id,
        &role_path(cluster),
        &role_name(cluster, id),
    )
}

/// The ARN of the IAM role that `role` is: of the one that Deputy makes, or of the one that exists.
#[must_use]
pub fn arn_of(cluster: &ClusterName, account: &Account, role: &Role) -> RoleArn {
    match &role.source {
        RoleSource::Owned(_) => role_arn(cluster, account, &role.id),
        RoleSource::Existing(existing) => existing.arn.clone(),
    }
}

/// Whether `path` is that of the boundary policies of the cluster whose roles have the path `roles`.
#[must_use]
pub fn is_limit_path(path: &IamPath, roles: &IamPath) -> bool {
    path.as_str().strip_prefix(roles.as_str()) == Some("limits/")
}

/// The ARN of the boundary policy that Deputy writes for a limit in `account`.
#[must_use]
pub fn boundary_arn(cluster: &ClusterName, account: &Account, limit: &ObjectName) -> PolicyArn {
    PolicyArn::of(
        &account.partition,
        &account.id,
        &limit_path(cluster),
        &limit_policy_name(cluster, limit),
    )
}

/// `<clusterName>/<namespace>/<kind>/<name>`: at most 365 of the 1,224 characters that STS takes.
#[must_use]
pub fn external_id(cluster: &ClusterName, id: &RoleId) -> ExternalId {
    ExternalId::from_valid_parts(format!(
        "{cluster}/{}/{}/{}",
        id.namespace,
        Kind::from(&id.kind).as_str(),
        id.name
    ))
}

/// The tags that an account asks for on roles and policies, with the list of them.
fn account_tags(account: &Account) -> BTreeMap<TagKey, TagValue> {
    let asked = account.tags.iter();
    let mut tags: BTreeMap<_, _> = asked.map(|(key, value)| (key.clone(), value.clone())).collect();
    let list = list_of(tags.keys());
    tags.extend(list);
    tags
}

/// Ownership tags of a role, with the account's own beside them.
#[must_use]
pub fn role_tags(
    cluster: &ClusterName,
    cluster_uid: &ClusterUid,
    account: &Account,
    id: &RoleId,
    uid: &Uid,
) -> BTreeMap<TagKey, TagValue> {
    let mut tags = account_tags(account);
    tags.extend([
        tag(TAG_CLUSTER, cluster.as_str()),
        tag(TAG_CLUSTER_UID, cluster_uid.as_str()),
        tag(TAG_KIND, Kind::from(&id.kind).as_str()),
        tag(TAG_NAMESPACE, id.namespace.as_str()),
        tag(TAG_NAME, id.name.as_str()),
        tag(TAG_UID, uid.as_str()),
    ]);
    tags
}

/// Ownership tags of a boundary policy, with the account's own beside them: many organisations refuse what is not tagged.
#[must_use]
pub fn limit_tags(
    cluster: &ClusterName,
    cluster_uid: &ClusterUid,
    account: &Account,
    limit: &ObjectName,
    uid: Option<&Uid>,
) -> BTreeMap<TagKey, TagValue> {
    let mut tags = account_tags(account);
    tags.extend([
        tag(TAG_CLUSTER, cluster.as_str()),
        tag(TAG_CLUSTER_UID, cluster_uid.as_str()),
        tag(TAG_KIND, Kind::DelegationLimit.as_str()),
        tag(TAG_NAME, limit.as_str()),
    ]);
    tags.extend(uid.map(|uid| tag(TAG_UID, uid.as_str())));
    tags
}

/// `Deputy` and 128 bits over cluster, kind, namespace and name.
#[must_use]
pub fn statement_sid(cluster: &ClusterName, id: &ObjectId) -> StatementSid {
    let fields = [
        cluster.as_str(),
        "AWSResourcePolicyStatement",
        id.namespace.as_str(),
        id.name.as_str(),
    ];
    StatementSid::from_valid_parts(format!("Deputy{}", hash_of(&fields, 16)))
}

/// One of Deputy's own tags. Its value is a typed name, all of which are legal tag values.
pub(crate) fn tag(key: &'static str, value: &str) -> (TagKey, TagValue) {
    (
        TagKey::from_valid_parts(key.to_owned()),
        TagValue::from_valid_parts(value.to_owned()),
    )
}

/// What a user or role is known by in the Sids of a trust policy, where only letters and digits may be: the first 64 bits of SHA-256 over
/// its ARN, each four of them a letter from `a` to `p`.
#[must_use]
pub fn principal_mark(arn: &str) -> String {
    let digest = Sha256::digest(arn.as_bytes());
    let nibbles = digest.iter().take(8).flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.map(|nibble| char::from(b'a' + nibble)).collect()
}

/// `parts` joined by dots; when that is longer than a session name may be, cut and ended with a hash over all of it.
pub(crate) fn session_name(parts: &[&str]) -> crate::names::SessionName {
    let full = parts.join(".");
    let name = if full.len() <= SESSION_NAME_MAX {
        full
    } else {
        shortened(&full, &hash(parts), SESSION_NAME_MAX)
    };
    crate::names::SessionName::from_valid_parts(name)
}

/// A session name of `readable` with a hash over `fields`, by which it is nobody else's.
pub(crate) fn with_hash(readable: &str, fields: &[&str]) -> String {
    shortened(readable, &hash(fields), SESSION_NAME_MAX)
}

/// The first 80 bits of [`hash_of`]: 16 characters.
fn hash(fields: &[&str]) -> String {
    hash_of(fields, HASH_BYTES)
}

/// The first `bytes` of SHA-256 over the length-prefixed fields, in lower-case base32.
pub(crate) fn hash_of(fields: &[&str], bytes: usize) -> String {
    let mut digest = Sha256::new();
    for field in fields {
        // The prefix makes ("a", "bc") another input than ("ab", "c").
        let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
        digest.update(length.to_be_bytes());
        digest.update(field.as_bytes());
    }
    let bits: Vec<u8> = digest.finalize().iter().copied().take(bytes).collect();
    BASE32_NOPAD.encode(&bits).to_ascii_lowercase()
}

/// `<readable>-<hash>` with `readable` cut to fit into `max`, and never ending in a separator.
fn shortened(readable: &str, hash: &str, max: usize) -> String {
    let room = max.saturating_sub(hash.len() + 1);
    let cut: String = readable.chars().take(room).collect();
    format!("{}-{hash}", cut.trim_end_matches(['.', '-']))
}
