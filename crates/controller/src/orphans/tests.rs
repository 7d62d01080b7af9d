use std::collections::BTreeMap;

use deputy_aws::ListedRole;
use deputy_delegation::{
    ClusterUid, NamespaceName, ObjectName, RoleName,
    model::{RoleId, RoleKind},
    naming,
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::sweep::*;
use crate::fixtures::{self, OTHER_CLUSTER};

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

fn id(name: &str) -> RoleId {
    RoleId {
        namespace: NamespaceName::new("payments").unwrap(),
        name: ObjectName::new(name).unwrap(),
        kind: RoleKind::AWSRole,
    }
}

fn name(role: &str) -> RoleName {
    naming::role_name(&fixtures::cluster(), &id(role))
}

/// A role of ours that was made long ago, as it is once it was looked at.
fn observed(role: &str) -> ObservedOrphan {
    let (cluster, account) = (fixtures::cluster(), fixtures::account());
    let tags = naming::role_tags(
        &cluster,
        &fixtures::cluster_uid(),
        &account,
        &id(role),
        &fixtures::uid("uid-1"),
    );
    ObservedOrphan {
        role: ListedRole {
            name: name(role),
            arn: naming::role_arn(&cluster, &account, &id(role)),
            unique_id: format!("AROA{role}"),
            created: NOW - SignedDuration::from_hours(100),
            max_session_seconds: 3600,
        },
        tags: Some(tags.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()),
    }
}

/// `orphan` has had no object for two graces.
fn facts() -> OrphanFacts {
    OrphanFacts {
        since: BTreeMap::from([("AROAorphan".to_owned(), NOW - GRACE - GRACE)]),
        accepted: 0,
    }
}

/// What nothing explains, beside so many roles that an object explains.
#[derive(Debug)]
struct World {
    unexplained: Vec<ObservedOrphan>,
    explained: usize,
    facts: OrphanFacts,
    adopt_from: Vec<&'static str>,
}

fn world() -> World {
    World {
        unexplained: vec![observed("orphan")],
        explained: 9,
        facts: facts(),
        adopt_from: Vec::new(),
    }
}

fn swept(world: &World) -> SweepPlan {
    let mut account = fixtures::account();
    account.adopt_from = world
        .adopt_from
        .iter()
        .map(|uid| ClusterUid::new(*uid).unwrap())
        .collect();
    let scope = SweepScope {
        cluster: &fixtures::cluster(),
        cluster_uid: &fixtures::cluster_uid(),
        account: &account,
    };
    sweep(scope, &world.unexplained, world.explained, &world.facts, NOW)
}

#[test]
fn what_this_cluster_made_goes_after_its_grace() {
    let plan = swept(&world());
    assert_eq!(
        (plan.removed, plan.held, plan.next),
        ([name("orphan")].into(), None, None)
    );
    assert_eq!(plan.orphans.len(), 1);
    assert_eq!(plan.orphans[0].id, id("orphan"));
}

type Change = fn(&mut World);
type Case = (&'static str, Change, usize, Option<(Held, usize)>);

/// How the world differs from one in which the orphan goes; how many nothing explains then, and why they stay.
const STAYS: &[Case] = &[
    (
        "it was made a moment ago",
        |w| w.unexplained[0].role.created = NOW - GRACE + SignedDuration::from_secs(1),
        1,
        None,
    ),
    (
        "it is seen for the first time",
        |w| w.facts.since.clear(),
        1,
        None,
    ),
    (
        "it is within its grace",
        |w| w.facts.since = BTreeMap::from([("AROAorphan".into(), NOW - GRACE / 2)]),
        1,
        None,
    ),
    (
        "its tags are another cluster's",
        |w| tag(w, naming::TAG_CLUSTER, "prod-2"),
        0,
        None,
    ),
    (
        "its tags are of another name",
        |w| tag(w, naming::TAG_NAME, "other"),
        0,
        None,
    ),
    (
        "its tags are of another kind",
        |w| tag(w, naming::TAG_KIND, "Other"),
        0,
        None,
    ),
    (
        "its tags hold no name",
        |w| tag(w, naming::TAG_NAMESPACE, "A B"),
        0,
        None,
    ),
    (
        "it has no tags",
        |w| w.unexplained[0].tags = Some(BTreeMap::new()),
        0,
        None,
    ),
    (
        "it is to stay",
        |w| tag(w, naming::TAG_RETAINED, "uid-1"),
        0,
        None,
    ),
    (
        "it is elsewhere",
        |w| w.unexplained[0].role.arn = "arn:aws:iam::210987654321:role/deputy/demo/x".parse().unwrap(),
        0,
        None,
    ),
    (
        "it is below",
        |w| {
            w.unexplained[0].role.arn = "arn:aws:iam::123456789012:role/deputy/demo/more/x"
                .parse()
                .unwrap()
        },
        0,
        None,
    ),
    (
        "its tags are not known",
        |w| w.unexplained[0].tags = None,
        0,
        None,
    ),
    (
        "another cluster of this name made it",
        |w| tag(w, naming::TAG_CLUSTER_UID, OTHER_CLUSTER),
        0,
        None,
    ),
    (
        "nobody knows which cluster made it",
        |w| tag(w, naming::TAG_CLUSTER_UID, ""),
        0,
        None,
    ),
    (
        "a cluster made it from which this one takes over",
        |w| {
            tag(w, naming::TAG_CLUSTER_UID, OTHER_CLUSTER);
            w.adopt_from = vec![OTHER_CLUSTER];
        },
        1,
        Some((Held::OfAnotherCluster, 1)),
    ),
    (
        "no object is left",
        |w| w.explained = 0,
        1,
        Some((Held::NothingLeft, 1)),
    ),
    (
        "most of all would go",
        |w| many(w, 5, 4),
        5,
        Some((Held::TooMany, 5)),
    ),
    (
        "there are too many",
        |w| many(w, 11, 1000),
        11,
        Some((Held::TooMany, 11)),
    ),
];

fn many(world: &mut World, orphans: usize, explained: usize) {
    world.unexplained = (1..orphans).map(|n| observed(&format!("r{n}"))).collect();
    world.unexplained.push(observed("orphan"));
    let ids = world.unexplained.iter().map(|o| o.role.unique_id.clone());
    world.facts.since = ids.map(|id| (id, NOW - GRACE)).collect();
    world.explained = explained;
}

fn tag(world: &mut World, key: &str, value: &str) {
    let tags = world
        .unexplained
        .last_mut()
        .and_then(|o| o.tags.as_mut())
        .unwrap();
    tags.insert(key.to_owned(), value.to_owned());
}

#[test]
fn what_may_be_somebodys_stays() {
    for (what, change, orphans, held) in STAYS {
        let mut world = world();
        change(&mut world);
        let plan = swept(&world);
        assert_eq!(plan.removed, [].into(), "{what}");
        assert_eq!((plan.orphans.len(), &plan.held), (*orphans, held), "{what}");
    }
}

#[test]
fn what_a_person_accepts_goes_though_it_is_held() {
    for (what, change, orphans, held) in STAYS.iter().filter(|(.., held)| held.is_some()) {
        let mut world = world();
        change(&mut world);
        world.facts.accepted = held.as_ref().unwrap().1;
        let plan = swept(&world);
        assert_eq!(
            (plan.removed.len(), plan.held),
            (world.facts.accepted, None),
            "{what}"
        );
        assert!(plan.removed.contains(&name("orphan")), "{what}");
        assert_eq!(plan.orphans.len(), *orphans, "{what}");
        world.facts.accepted -= 1;
        assert_eq!(
            swept(&world).removed,
            [].into(),
            "{what}: one more than was accepted"
        );
    }
}

#[test]
fn the_next_round_is_when_a_grace_ends() {
    let mut world = world();
    world.facts.since.insert("AROAorphan".to_owned(), NOW - GRACE / 3);
    assert_eq!(swept(&world).next, Some(NOW - GRACE / 3 + GRACE));
}

prop_compose! {
    /// Roles of which each is old or new, seen long ago or not, made by this cluster or by one from which it takes over.
    fn worlds()(
        roles in prop::collection::vec((0i64..90, 0i64..90, any::<bool>()), 0..40),
        accepted in prop_oneof![Just(0usize), 0usize..40],
        explained in prop_oneof![Just(0usize), 0usize..40],
    ) -> World {
        let mut world = World { explained, adopt_from: vec![OTHER_CLUSTER], unexplained: Vec::new(), facts: facts() };
        world.facts.accepted = accepted;
        for (n, (age, seen, is_own)) in roles.into_iter().enumerate() {
            let mut role = observed(&format!("r{n}"));
            role.role.created = NOW - SignedDuration::from_mins(age);
            world.facts.since.insert(role.role.unique_id.clone(), NOW - SignedDuration::from_mins(seen.min(age)));
            world.unexplained.push(role);
            if !is_own {
                tag(&mut world, naming::TAG_CLUSTER_UID, OTHER_CLUSTER);
            }
        }
        world
    }
}

proptest! {
    #[test]
    fn nothing_goes_that_is_young_or_anothers_or_many(world in worlds()) {
        let plan = swept(&world);
        let removed = plan.removed.len();
        let is_accepted = removed <= world.facts.accepted;
        let all = world.unexplained.len() + world.explained;
        prop_assert!(removed <= MOST.max(world.facts.accepted));
        prop_assert!(is_accepted || removed * 2 <= all);
        prop_assert!(is_accepted || world.explained > 0 || removed == 0);
        for orphan in plan.orphans.iter().filter(|orphan| plan.removed.contains(&orphan.role.name)) {
            prop_assert!(NOW.duration_since(orphan.role.created) >= GRACE);
            prop_assert!(NOW.duration_since(world.facts.since[&orphan.role.unique_id]) >= GRACE);
            prop_assert!(is_accepted || orphan.is_own);
        }
        // What is past its grace goes or is told to be held.
        let is_old = |at: Timestamp| NOW.duration_since(at) >= GRACE;
        let due = plan.orphans.iter().filter(|o| is_old(o.since) && is_old(o.role.created)).count();
        prop_assert_eq!(due, removed + plan.held.map_or(0, |(_, count)| count));
        prop_assert!(plan.orphans.is_sorted_by_key(|orphan| orphan.since));
    }
}
