//! Two clusters of one name: what another one owns is left alone, taken over when the account says so, and deleted by its owner alone.

use std::collections::BTreeSet;

use deputy_delegation::{
    names::ClusterUid,
    ownership::{ClusterClaim, ForeignCluster, claim},
    plan::*,
};
use proptest::prelude::*;

use super::{apply, calls, desired, desired_with, name, observed, path, plan, tags};
use crate::support::*;

const TAG: &str = "deputy-cluster-uid";
const THEIRS: &str = "77777777-0000-4000-8000-0000000000b2";
const THIRD: &str = "99999999-0000-4000-8000-0000000000c3";

fn clusters(uids: &[&str]) -> BTreeSet<ClusterUid> {
    uids.iter().map(|uid| ClusterUid::new(*uid).unwrap()).collect()
}

/// The role as it should be, but with this on the tag.
fn tagged(uid: Option<&str>) -> ObservedRole {
    let mut role = observed(&desired());
    match uid {
        Some(uid) => drop(role.tags.insert(TAG.to_owned(), uid.to_owned())),
        None => drop(role.tags.remove(TAG)),
    }
    role
}

/// What becomes of a role, by each way to plan for it: provided, held, closed; left in the account, deleted.
fn planned(
    role: &ObservedRole,
    adopt_from: &BTreeSet<ClusterUid>,
) -> [(&'static str, Result<Vec<IamCall>, Conflict>); 6] {
    use deputy_delegation::plan as plans;
    let (role, owner) = (Some(role), TaggedOwner::GoneWith(adopt_from));
    let missing = BoundaryInAws::Missing;
    [
        (
            "provided",
            plan(&desired_with(&["s3:PutObject"].into()), role, owner),
        ),
        (
            "held",
            plans::plan_hold(&desired(), role, &[], missing, owner).map(calls),
        ),
        (
            "closed",
            plans::plan_suspension(&tags(), &name(), &path(), role, owner).map(calls),
        ),
        (
            "retained",
            plans::plan_retention(&tags(), &name(), &path(), role).map(calls),
        ),
        (
            "shut",
            plans::plan_shutting(&tags(), &name(), &path(), role).map(calls),
        ),
        (
            "deleted",
            plans::plan_deletion(&tags(), &name(), &path(), role).map(calls),
        ),
    ]
}

#[test]
fn what_another_cluster_owns_is_left_alone_until_the_account_says_otherwise() {
    let ours = cluster_uid().to_string();
    let none = clusters(&[]);
    for (role, adopt_from, why) in [
        (
            tagged(Some(THEIRS)),
            none.clone(),
            ForeignCluster::Other {
                theirs: ClusterUid::new(THEIRS).unwrap(),
                ours: ours.clone(),
            },
        ),
        (
            tagged(Some(THEIRS)),
            clusters(&[THIRD]),
            ForeignCluster::Other {
                theirs: ClusterUid::new(THEIRS).unwrap(),
                ours: ours.clone(),
            },
        ),
        (
            tagged(None),
            clusters(&[THEIRS, THIRD]),
            ForeignCluster::Unknown {
                found: None,
                ours: ours.clone(),
            },
        ),
        (
            tagged(Some("staging")),
            clusters(&[THEIRS]),
            ForeignCluster::Unknown {
                found: Some("staging".to_owned()),
                ours: ours.clone(),
            },
        ),
    ] {
        for (way, outcome) in planned(&role, &adopt_from) {
            assert_eq!(outcome, Err(Conflict::OtherClusterUid(why.clone())), "{way}");
        }
    }
    for (way, outcome) in planned(&tagged(Some(&ours)), &none) {
        assert!(outcome.is_ok(), "{way}: {outcome:?}");
    }
}

#[test]
fn what_is_taken_over_is_tagged_first_and_then_deleted_as_ours() {
    let from = clusters(&[THEIRS]);
    for (way, outcome) in planned(&tagged(Some(THEIRS)), &from) {
        if matches!(way, "retained" | "shut" | "deleted") {
            assert!(matches!(outcome, Err(Conflict::OtherClusterUid(_))), "{way}");
            continue;
        }
        let calls = outcome.unwrap();
        let tag = calls.iter().position(|call| match call {
            IamCall::TagRole { tags, .. } => tags.contains_key(TAG),
            _ => false,
        });
        // What lets somebody in or gives them something comes after it.
        let gives = calls.iter().position(
            |call| matches!(call, IamCall::PutRolePolicy { document, .. } if document.contains("Allow")),
        );
        assert!(
            tag.is_some() && gives.is_none_or(|gives| tag < Some(gives)),
            "{way}: {calls:?}"
        );
        let mut aws = Some(tagged(Some(THEIRS)));
        for call in &calls {
            apply(call, &mut aws);
        }
        let role = aws.unwrap();
        assert_eq!(role.tags[TAG], cluster_uid().as_str(), "{way}");
        // It is this cluster's from now on, whatever the account says.
        for (later, outcome) in planned(&role, &clusters(&[])) {
            assert!(outcome.is_ok(), "{way}, then {later}: {outcome:?}");
        }
    }
}

#[test]
fn a_conflict_says_whose_it_is_and_what_to_write() {
    let said = |uid| {
        let (none, role) = (clusters(&[]), tagged(uid));
        plan(&desired(), Some(&role), TaggedOwner::GoneWith(&none))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        said(Some(THEIRS)),
        "it is not this cluster's: its tag deputy-cluster-uid says that the cluster 77777777-0000-4000-8000-0000000000b2 owns it, \
         and this cluster is 5d2f7c1e-0000-4000-8000-0000000000a1; if that one is gone, or gives it up, the AWSAccount takes it over \
         with spec.adoptFrom: [77777777-0000-4000-8000-0000000000b2]"
    );
    assert_eq!(
        said(None),
        "it is not this cluster's: its tag deputy-cluster-uid is missing, and this cluster is \
         5d2f7c1e-0000-4000-8000-0000000000a1; if it is to be this cluster's, set the tag in AWS: to \
         5d2f7c1e-0000-4000-8000-0000000000a1, or to the uid of the cluster that made it, which the AWSAccount then lists in \
         spec.adoptFrom"
    );
    assert!(said(Some("staging")).contains("says \"staging\", no uid of a cluster, and this cluster is"));
}

fn any_uid() -> impl Strategy<Value = Option<String>> {
    let ours = cluster_uid().to_string();
    prop::sample::select(vec![
        Some(ours),
        Some(THEIRS.to_owned()),
        Some(THIRD.to_owned()),
        Some("staging".to_owned()),
        Some(String::new()),
        None,
    ])
}

proptest! {
    /// One owner at any time, and nothing without a claim.
    #[test]
    fn nothing_is_planned_for_what_is_not_claimed(
        found in any_uid(),
        listed in prop::collection::btree_set(prop::sample::select(vec![THEIRS, THIRD]), 0..3),
    ) {
        let adopt_from = clusters(&listed.iter().copied().collect::<Vec<_>>());
        let role = tagged(found.as_deref());
        let claimed = claim(&tags(), &adopt_from, &role.tags);
        let own = found.as_deref() == Some(cluster_uid().as_str());
        let adopted = found.as_deref().is_some_and(|uid| listed.contains(uid));
        prop_assert_eq!(claimed.clone().ok(), match (own, adopted) {
            (true, _) => Some(ClusterClaim::Own),
            (false, true) => Some(ClusterClaim::Adopted),
            (false, false) => None,
        });
        for (way, outcome) in planned(&role, &adopt_from) {
            let may = own || adopted && !matches!(way, "retained" | "shut" | "deleted");
            prop_assert_eq!(outcome.is_ok(), may, "{}", way);
        }
    }
}
