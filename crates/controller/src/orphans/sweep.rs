//! *Sweep*: which of the IAM roles that nothing explains are this cluster's, and which of them go. Pure.
//!
//! A role is known by its name, which is a function of its object, and by its tags. One goes only when it is past its grace, was made by
//! this cluster or accepted by a person, and when there are few of them: that many go at once is what a restore looks like from here, or a
//! definition that was deleted.

use std::collections::{BTreeMap, BTreeSet};

use deputy_aws::ListedRole;
use deputy_delegation::{
    ClusterName, ClusterUid, NamespaceName, ObjectName, RoleName, Uid,
    model::{Account, Kind, RoleId, RoleKind},
    naming,
    ownership::{ClusterClaim, claim},
};
use jiff::{SignedDuration, Timestamp};

/// How long a role is there, and is seen without an object, before it is deleted.
pub const GRACE: SignedDuration = SignedDuration::from_mins(30);
/// As many go at once; more have to be accepted.
pub const MOST: usize = 10;
/// As many are looked at in one round, the others in later ones.
pub const LOOKS: usize = 50;

/// Whose roles of which account are looked for.
#[derive(Debug, Clone, Copy)]
pub struct SweepScope<'a> {
    pub cluster: &'a ClusterName,
    pub cluster_uid: &'a ClusterUid,
    pub account: &'a Account,
}

/// A role that no object explains, as AWS lists it, with its tags if they are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedOrphan {
    pub role: ListedRole,
    pub tags: Option<BTreeMap<String, String>>,
}

impl ObservedOrphan {
    /// Whether its tags say that it is to stay without an object.
    #[must_use]
    pub fn is_to_stay(&self) -> bool {
        self.tags
            .as_ref()
            .is_some_and(|tags| tags.contains_key(naming::TAG_RETAINED))
    }
}

/// What is known of an account beside that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrphanFacts {
    /// By unique id: since when nothing explains it.
    pub since: BTreeMap<String, Timestamp>,
    /// How many may go that a person has accepted.
    pub accepted: usize,
}

/// A role that nothing explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnexplainedRole {
    pub role: ListedRole,
    /// The object that it was made for.
    pub id: RoleId,
    pub uid: Uid,
    /// Whether this cluster made it, and not one from which it takes over.
    pub is_own: bool,
    pub since: Timestamp,
}

/// Why roles that nothing explains stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// There is no object of any role that AWS has: they may be about to be restored.
    NothingLeft,
    /// There are more than go at once.
    TooMany,
    /// Another cluster made them, from which this one takes over: its objects may be about to be restored here.
    OfAnotherCluster,
}

/// What a sweep found in an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SweepPlan {
    /// All that nothing explains, oldest first.
    pub orphans: Vec<UnexplainedRole>,
    /// Names of those that are deleted, unless the API server has an object of them.
    pub removed: BTreeSet<RoleName>,
    /// Why some that are past their grace stay, and how many those are.
    pub held: Option<(Held, usize)>,
    /// When the first one is past its grace that is not.
    pub next: Option<Timestamp>,
}

/// What is to be done about the roles that nothing explains, beside `explained` others.
#[must_use]
pub fn sweep(
    scope: SweepScope<'_>,
    unexplained: &[ObservedOrphan],
    explained: usize,
    facts: &OrphanFacts,
    now: Timestamp,
) -> SweepPlan {
    let mut plan = SweepPlan::default();
    for observed in unexplained {
        let role = &observed.role;
        if let Some((id, uid, whose)) = scope.owner(observed) {
            plan.orphans.push(UnexplainedRole {
                role: role.clone(),
                id,
                uid,
                is_own: whose == ClusterClaim::Own,
                since: facts.since.get(&role.unique_id).copied().unwrap_or(now),
            });
        }
    }
    plan.orphans
        .sort_by(|a, b| (a.since, &a.role.name).cmp(&(b.since, &b.role.name)));
    let is_due = |orphan: &&UnexplainedRole| {
        now.duration_since(orphan.since) >= GRACE && now.duration_since(orphan.role.created) >= GRACE
    };
    let due: Vec<_> = plan.orphans.iter().filter(is_due).collect();
    let all = explained + unexplained.len();
    let (removed, held) = if due.len() <= facts.accepted {
        (due, None)
    } else if explained == 0 {
        (Vec::new(), Some((Held::NothingLeft, due.len())))
    } else if due.len() > MOST || due.len() * 2 > all {
        (Vec::new(), Some((Held::TooMany, due.len())))
    } else {
        let (own, others): (Vec<_>, Vec<_>) = due.into_iter().partition(|orphan| orphan.is_own);
        let held = (!others.is_empty()).then_some((Held::OfAnotherCluster, others.len()));
        (own, held)
    };
    plan.removed = removed
        .into_iter()
        .map(|orphan| orphan.role.name.clone())
        .collect();
    plan.held = held;
    let ends = plan.orphans.iter().map(|orphan| orphan.since + GRACE);
    plan.next = ends.filter(|at| *at > now).min();
    plan
}

impl SweepScope<'_> {
    /// Whether a role is at this cluster's path in this account. An identity of another account is shown other roles.
    fn is_in(&self, role: &ListedRole) -> bool {
        role.arn.account() == &self.account.id
            && role.arn.partition() == &self.account.partition
            && *role.arn.path() == naming::role_path(self.cluster)
    }

    /// The object that a role was made for, as its tags say. `None` when they are not ours, or of another name than it has: somebody
    /// copied them; or when it is to stay.
    fn owner(&self, observed: &ObservedOrphan) -> Option<(RoleId, Uid, ClusterClaim)> {
        let tags = observed.tags.as_ref().filter(|_| self.is_in(&observed.role))?;
        let tag = |key: &str| tags.get(key).map(String::as_str);
        if tag(naming::TAG_CLUSTER) != Some(self.cluster.as_str()) || observed.is_to_stay() {
            return None;
        }
        let kind = match tag(naming::TAG_KIND)? {
            kind if kind == Kind::AWSRole.as_str() => RoleKind::AWSRole,
            kind if kind == Kind::ClusterAWSRole.as_str() => RoleKind::ClusterAWSRole {
                account: self.account.name.clone(),
            },
            _ => return None,
        };
        let id = RoleId {
            namespace: NamespaceName::new(tag(naming::TAG_NAMESPACE)?).ok()?,
            name: ObjectName::new(tag(naming::TAG_NAME)?).ok()?,
            kind,
        };
        let uid = Uid::new(tag(naming::TAG_UID)?).ok()?;
        let wanted = naming::role_tags(self.cluster, self.cluster_uid, self.account, &id, &uid);
        let whose = claim(&wanted, &self.account.adopt_from, tags).ok()?;
        (naming::role_name(self.cluster, &id) == observed.role.name).then_some((id, uid, whose))
    }
}
