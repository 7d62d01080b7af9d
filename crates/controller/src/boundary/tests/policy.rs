//! Boundary policies on an IAM in memory that fails on order.

use deputy_aws::{
    Policies,
    model::{Fault, InMemoryIam, When},
};
use deputy_delegation::boundary::compile;

use crate::{
    boundary::policy::{BoundaryApplyError, DesiredBoundary, Written, ensure},
    fixtures::{OTHER_CLUSTER, account, cluster, cluster_uid, limit, uid},
};

fn iam() -> InMemoryIam {
    let account = account();
    InMemoryIam::new(account.partition, account.id)
}

fn wanted(actions: &[&str]) -> DesiredBoundary {
    let (cluster, account, limit) = (cluster(), account(), limit(actions));
    let document = compile(&cluster, &account, &limit).unwrap().document;
    DesiredBoundary::new(&cluster, &cluster_uid(), &account, &limit, document)
}

fn wide() -> DesiredBoundary {
    wanted(&["s3:GetObject", "s3:PutObject"])
}
fn narrow() -> DesiredBoundary {
    wanted(&["s3:GetObject"])
}

/// The version in force; `NotShown` while anything is left to do.
async fn ensured(iam: &InMemoryIam, wanted: &DesiredBoundary) -> Result<String, BoundaryApplyError> {
    let in_force = ensure(iam, wanted, &|| true).await?;
    match in_force.is_complete() {
        true => Ok(in_force.version_id),
        false => Err(BoundaryApplyError::NotShown),
    }
}

async fn in_the_end(iam: &InMemoryIam, wanted: &DesiredBoundary) -> String {
    for _ in 0..10 {
        if let Ok(version) = ensured(iam, wanted).await {
            return version;
        }
    }
    panic!("not in ten tries: {:#?}", iam.log());
}

/// AWS has exactly what is wanted, in one version, and nobody writes again.
async fn settled(iam: &InMemoryIam, wanted: &DesiredBoundary, what: &str) {
    iam.revive();
    iam.clear_log();
    let version = ensured(iam, wanted).await.unwrap();
    assert_eq!(iam.writes(), Vec::<&str>::new(), "{what}");
    let observed = iam.get_policy(&wanted.arn).await.unwrap().unwrap();
    assert_eq!(observed.document, wanted.policy.document.to_json(), "{what}");
    assert_eq!(observed.versions.len(), 1, "{what}");
    assert_eq!(observed.default_version, version, "{what}");
}

#[tokio::test]
async fn it_is_made_changed_and_otherwise_left_alone() {
    let iam = iam();
    assert_eq!(ensured(&iam, &wide()).await.as_deref(), Ok("v1"));
    settled(&iam, &wide(), "made").await;
    iam.clear_log();
    assert_eq!(ensured(&iam, &narrow()).await.as_deref(), Ok("v2"));
    assert_eq!(
        iam.writes(),
        ["iam:CreatePolicyVersion", "iam:DeletePolicyVersion"]
    );
    settled(&iam, &narrow(), "narrowed").await;
}

#[tokio::test]
async fn whichever_call_fails_and_however_it_ends_as_it_should() {
    let classes = [
        deputy_aws::ErrorClass::Throttled,
        deputy_aws::ErrorClass::Unreachable,
        deputy_aws::ErrorClass::Service,
        deputy_aws::ErrorClass::AccessDenied,
        deputy_aws::ErrorClass::LimitExceeded,
    ];
    for index in 0..6 {
        for class in classes {
            for when in [When::Before, When::After] {
                let iam = iam();
                iam.fail(match when {
                    When::Before => Fault::before(class).at(index),
                    When::After => Fault::after(class).at(index),
                });
                in_the_end(&iam, &wide()).await;
                in_the_end(&iam, &narrow()).await;
                settled(&iam, &narrow(), &format!("call {index}, {class}, {when:?}")).await;
            }
        }
    }
}

#[tokio::test]
async fn versions_that_somebody_added_make_room_and_can_not_be_selected_again() {
    let iam = iam();
    ensured(&iam, &wide()).await.unwrap();
    for _ in 0..4 {
        let arn = &wide().arn;
        iam.create_policy_version(arn, &wide().policy.document)
            .await
            .unwrap();
    }
    assert_eq!(
        iam.get_policy(&wide().arn).await.unwrap().unwrap().versions.len(),
        5
    );
    ensured(&iam, &narrow()).await.unwrap();
    settled(&iam, &narrow(), "five versions").await;
}

/// What answers may not know yet what was made a moment ago.
#[tokio::test]
async fn a_version_that_aws_does_not_find_is_gone_when_the_policy_shows_none() {
    let iam = iam();
    ensured(&iam, &wide()).await.unwrap();
    iam.fail(Fault::before(deputy_aws::ErrorClass::NotFound).of("iam:DeletePolicyVersion"));
    let applied = ensure(&iam, &narrow(), &|| true).await.unwrap();
    assert!(applied.old_versions.is_some(), "the wider one is still there");
    ensured(&iam, &narrow()).await.unwrap();
    settled(&iam, &narrow(), "not found").await;
    // Deleted by somebody else, or by a call whose answer was lost: it is not there.
    iam.fail(Fault::after(deputy_aws::ErrorClass::NotFound).of("iam:DeletePolicyVersion"));
    let applied = ensure(&iam, &wide(), &|| true).await.unwrap();
    assert!(applied.is_complete(), "{applied:?}");
    settled(&iam, &wide(), "gone").await;
}

#[tokio::test]
async fn a_policy_of_our_name_without_our_tags_is_left_alone() {
    let iam = iam();
    let mut foreign = wide().policy;
    foreign.tags.clear();
    iam.create_policy(&foreign).await.unwrap();
    iam.clear_log();
    assert_eq!(ensured(&iam, &narrow()).await, Err(BoundaryApplyError::NotOurs));
    assert_eq!(iam.writes(), Vec::<&str>::new());
}

/// The same with these clusters in `adoptFrom`.
fn adopting(mut wanted: DesiredBoundary, clusters: &[&str]) -> DesiredBoundary {
    wanted.adopt_from = clusters.iter().map(|uid| uid.parse().unwrap()).collect();
    wanted
}

#[tokio::test]
async fn a_policy_of_another_cluster_is_taken_over_when_the_account_says_so() {
    for found in [Some(OTHER_CLUSTER), None] {
        let iam = iam();
        let mut theirs = wide().policy;
        theirs.tags.remove("deputy-cluster-uid");
        if let Some(uid) = found {
            let (key, value) = ("deputy-cluster-uid".parse().unwrap(), uid.parse().unwrap());
            theirs.tags.insert(key, value);
        }
        iam.create_policy(&theirs).await.unwrap();
        iam.clear_log();
        let third = "99999999-0000-4000-8000-0000000000c3";
        for wanted in [narrow(), adopting(narrow(), &[third])] {
            let refused = ensured(&iam, &wanted).await;
            assert!(
                matches!(refused, Err(BoundaryApplyError::OtherCluster(_))),
                "{refused:?}"
            );
        }
        let wanted = adopting(narrow(), &[third, OTHER_CLUSTER]);
        if found.is_none() {
            assert!(ensured(&iam, &wanted).await.is_err(), "nobody knows whose it is");
            assert_eq!(iam.writes(), Vec::<&str>::new());
            continue;
        }
        assert_eq!(iam.writes(), Vec::<&str>::new());
        assert_eq!(ensured(&iam, &wanted).await.as_deref(), Ok("v2"));
        // From now on it is this cluster's, whatever the account says.
        settled(&iam, &narrow(), "taken over").await;
    }
}

#[tokio::test]
async fn a_policy_of_our_name_at_another_path_is_said_to_be_in_the_way() {
    let iam = iam();
    let mut elsewhere = wide().policy;
    elsewhere.path = deputy_delegation::IamPath::new("/elsewhere/").unwrap();
    iam.create_policy(&elsewhere).await.unwrap();
    assert_eq!(ensured(&iam, &wide()).await, Err(BoundaryApplyError::NotShown));
}

#[tokio::test]
async fn a_limit_that_was_made_again_gets_its_uid_onto_the_policy_and_nothing_else() {
    let iam = iam();
    ensured(&iam, &wide()).await.unwrap();
    iam.clear_log();
    let mut again = limit(&["s3:GetObject", "s3:PutObject"]);
    again.uid = Some(uid("another"));
    let again = DesiredBoundary::new(
        &cluster(),
        &cluster_uid(),
        &account(),
        &again,
        wide().policy.document,
    );
    assert_eq!(ensured(&iam, &again).await.as_deref(), Ok("v1"));
    assert_eq!(iam.writes(), ["iam:TagPolicy"]);
    settled(&iam, &again, "made again").await;
}

#[tokio::test]
async fn no_write_begins_without_the_lease() {
    let iam = iam();
    assert_eq!(
        ensure(&iam, &wide(), &|| false).await,
        Err(BoundaryApplyError::NotLeader)
    );
    ensured(&iam, &wide()).await.unwrap();
    iam.clear_log();
    assert_eq!(
        ensure(&iam, &narrow(), &|| false).await,
        Err(BoundaryApplyError::NotLeader)
    );
    assert_eq!(iam.writes(), Vec::<&str>::new());
}

/// Narrowed, with another tag of the account, while five versions are there: everything that there can be to do.
fn narrow_and_tagged_otherwise() -> DesiredBoundary {
    let (cluster, mut account, limit) = (cluster(), account(), limit(&["s3:GetObject"]));
    account.tags = [("team".parse().unwrap(), "platform".parse().unwrap())]
        .try_into()
        .unwrap();
    let document = compile(&cluster, &account, &limit).unwrap().document;
    DesiredBoundary::new(&cluster, &cluster_uid(), &account, &limit, document)
}

/// The most calls that narrowing takes: a look, five deletions of versions, a version, and tags off and on.
const CALLS_MAX: usize = 9;

#[tokio::test]
async fn the_narrower_boundary_lands_whichever_other_call_aws_refuses_for_good() {
    for operation in ["iam:DeletePolicyVersion", "iam:TagPolicy", "iam:UntagPolicy"] {
        for class in [
            deputy_aws::ErrorClass::AccessDenied,
            deputy_aws::ErrorClass::Throttled,
            deputy_aws::ErrorClass::Unreachable,
        ] {
            // Without a version to spare, the deletion of one is needed.
            for versions in if operation == "iam:DeletePolicyVersion" {
                0..4
            } else {
                0..5
            } {
                let what = format!("{operation} {class}, {versions} old versions");
                let iam = iam();
                ensured(&iam, &wide()).await.unwrap();
                for _ in 0..versions {
                    let document = &wide().policy.document;
                    iam.create_policy_version(&wide().arn, document).await.unwrap();
                }
                iam.fail(Fault::before(class).of(operation).times(usize::MAX));
                iam.clear_log();
                let wanted = narrow_and_tagged_otherwise();
                let in_force = ensure(&iam, &wanted, &|| true).await.unwrap();
                assert!(iam.log().len() <= CALLS_MAX, "{what}: {:#?}", iam.log());
                let observed = iam.get_policy(&wanted.arn).await.unwrap().unwrap();
                assert_eq!(observed.document, wanted.policy.document.to_json(), "{what}");
                assert_eq!(in_force.version_id, observed.default_version);
                assert!(matches!(in_force.written, Written::Replaced(_)));
                assert!(!in_force.is_complete(), "{what}: it is told");
                assert_eq!(
                    in_force.old_versions.is_some(),
                    operation == "iam:DeletePolicyVersion"
                );
                // And once AWS lets it be, all is as it should be.
                iam.revive();
                in_the_end(&iam, &wanted).await;
                settled(&iam, &wanted, operation).await;
            }
        }
    }
}

#[tokio::test]
async fn where_the_new_version_itself_is_refused_what_is_in_force_is_told() {
    for (operation, versions) in [("iam:CreatePolicyVersion", 0), ("iam:DeletePolicyVersion", 4)] {
        let iam = iam();
        ensured(&iam, &wide()).await.unwrap();
        for _ in 0..versions {
            let document = &wide().policy.document;
            iam.create_policy_version(&wide().arn, document).await.unwrap();
        }
        iam.fail(
            Fault::before(deputy_aws::ErrorClass::AccessDenied)
                .of(operation)
                .times(usize::MAX),
        );
        match ensure(&iam, &narrow(), &|| true).await {
            Err(BoundaryApplyError::Outdated { in_force, .. }) => {
                assert_eq!(in_force.document, wide().policy.document.to_json());
                assert_eq!(in_force.id, format!("v{}", versions + 1));
            }
            other => panic!("{operation}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn tags_that_the_account_asks_for_no_more_go_and_those_of_others_stay() {
    let iam = iam();
    ensured(&iam, &narrow()).await.unwrap();
    let theirs = [("theirs".parse().unwrap(), "x".parse().unwrap())].into();
    iam.tag_policy(&narrow().arn, &theirs).await.unwrap();
    let wanted = narrow_and_tagged_otherwise();
    ensured(&iam, &wanted).await.unwrap();
    let observed = iam.get_policy(&wanted.arn).await.unwrap().unwrap();
    let tag = |key: &str| observed.tags.get(key).map(String::as_str);
    assert_eq!(
        (tag("cost-center"), tag("team"), tag("theirs")),
        (None, Some("platform"), Some("x"))
    );
    settled(&iam, &wanted, "tagged otherwise").await;
}

#[tokio::test]
async fn a_policy_that_is_made_in_another_partition_is_not_said_to_be_in_force() {
    let account = account();
    let gov = InMemoryIam::new("aws-us-gov".parse().unwrap(), account.id);
    for _ in 0..2 {
        assert_eq!(ensured(&gov, &wide()).await, Err(BoundaryApplyError::NotShown));
    }
}
