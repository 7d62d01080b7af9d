use std::collections::BTreeMap;

use deputy_aws::{Credentials, Session};
use deputy_delegation::{
    ExternalId, NamespaceName, ObjectName, RoleArn, SessionDuration, SessionName, TagKey, TagValue,
    model::ObjectId, session::SessionRequest,
};
use proptest::prelude::*;

use super::*;
use crate::issuer::key::RoleSessionKey;

const LIFE: Duration = Duration::from_secs(3600);

fn now() -> Timestamp {
    Timestamp::from_second(1_000_000).unwrap()
}

fn key(namespace: &str, session: &str, pod: Option<&str>) -> Arc<SessionKey> {
    let id = ObjectId {
        namespace: NamespaceName::new(namespace).unwrap(),
        name: ObjectName::new("uploader").unwrap(),
    };
    let uid = |pod: &str| {
        (
            TagKey::new("deputy-pod-uid").unwrap(),
            TagValue::new(pod).unwrap(),
        )
    };
    Arc::new(SessionKey::Role(Box::new(RoleSessionKey {
        request: SessionRequest {
            role: RoleArn::parse("arn:aws:iam::123456789012:role/deputy/demo/r").unwrap(),
            session_name: SessionName::new(session).unwrap(),
            external_id: ExternalId::new("demo/payments/AWSRole/uploader").unwrap(),
            source_identity: None,
            duration: SessionDuration::HOUR,
            tags: pod.map(uid).into_iter().collect::<BTreeMap<_, _>>(),
            policy: None,
            policy_arns: Default::default(),
        },
        role: id.clone().into(),
        binding: id,
        role_uid: "u".into(),
        role_id: "AROA1".into(),
        binding_uid: "b".into(),
        person: None,
        cut_before: None,
    })))
}

fn issued(renewal: Renewal, token: usize) -> Arc<Issued> {
    let session = Session {
        credentials: Credentials {
            access_key_id: "ASIA0000000000000000".into(),
            secret_access_key: "secret".into(),
            session_token: "t".repeat(token).into(),
        },
        expiration: Timestamp::from_second(1_003_600).unwrap(),
        arn: String::new(),
        unique_id: String::new(),
        packed_policy_size: None,
    };
    Arc::new(Issued::new(session, LIFE, renewal))
}

/// That all that it knows of what it has fits together.
fn check(kept: &KeptSessions) {
    let sum: usize = kept.entries.values().map(|entry| entry.bytes).sum();
    assert_eq!(kept.bytes, sum);
    assert!(sum <= kept.capacity);
    let of_parties: usize = kept.parties.values().map(|held| held.bytes).sum();
    assert_eq!(of_parties, sum);
    let used: usize = kept.parties.values().map(|held| held.by_use.len()).sum();
    assert_eq!(used, kept.len());
    assert_eq!(kept.due.len(), kept.len());
    assert!(kept.due.iter().all(|(at, key)| kept.entries[key].due == *at));
    let of_pods = kept.entries.keys().filter(|key| key.pod().is_some()).count();
    assert_eq!(kept.pods.values().map(Vec::len).sum::<usize>(), of_pods);
    assert!(kept.pods.values().all(|keys| !keys.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn sixty_thousand_sessions_take_no_more_than_there_is_room_for() {
    const ROOM: usize = 64 * 1024 * 1024;
    let mut kept = KeptSessions::new(ROOM);
    let token = issued(Renewal::Shared, 1024);
    for n in 0..60_000 {
        kept.insert(
            &key(&format!("n{}", n % 100), &format!("s{n}"), None),
            &token,
            true,
        );
    }
    check(&kept);
    let each = kept.bytes() / kept.len();
    assert!(
        kept.bytes() > ROOM - each && (1500..4000).contains(&each),
        "{each} bytes each"
    );
    assert_eq!(u64::try_from(kept.len()).unwrap() + kept.evicted(), 60_000);
    // The latest ones are there.
    for n in 60_000 - kept.len()..60_000 {
        let key = key(&format!("n{}", n % 100), &format!("s{n}"), None);
        assert!(kept.get(&key).is_some(), "{n}");
    }
}

#[tokio::test(start_paused = true)]
async fn when_full_no_namespace_keeps_more_than_a_quarter_from_the_others() {
    let one = issued(Renewal::Shared, 100);
    let each = weight(&key("modest", "s00", None), &one);
    let mut kept = KeptSessions::new(each * 40);
    for n in 10..50 {
        kept.insert(&key("greedy", &format!("s{n}"), None), &one, true);
    }
    assert_eq!(kept.len(), 40, "as long as nobody else wants it, it may have all");
    for n in 10..50 {
        kept.insert(&key("modest", &format!("s{n}"), None), &one, true);
        check(&kept);
    }
    let of = |kept: &KeptSessions, name: &str| {
        let party = CallParty::Namespace(NamespaceName::new(name).unwrap());
        kept.parties.get(&party).map_or(0, |held| held.by_use.len())
    };
    // Whoever is above its share replaces its own.
    assert_eq!((of(&kept, "greedy"), of(&kept, "modest")), (30, 10));
    // Also when its sessions were used last.
    tokio::time::advance(SAME_USE).await;
    for n in 10..50 {
        kept.asked_for(&key("greedy", &format!("s{n}"), None), now());
    }
    for n in 10..20 {
        kept.insert(&key("third", &format!("s{n}"), None), &one, true);
    }
    assert_eq!(
        (of(&kept, "greedy"), of(&kept, "modest"), of(&kept, "third")),
        (20, 10, 10)
    );
}

#[tokio::test(start_paused = true)]
async fn people_have_the_share_of_one_namespace() {
    let one = issued(Renewal::OnRequest, 100);
    let pods = issued(Renewal::Shared, 100);
    let each = weight(&key("n0", "s00", None), &one);
    let mut kept = KeptSessions::new(each * 40);
    for n in 10..50 {
        kept.insert(&key(&format!("n{n}"), "s00", None), &one, true);
    }
    for n in 10..40 {
        kept.insert(&key(&format!("n{n}"), "s01", None), &pods, true);
    }
    let people = &kept.parties[&CallParty::People];
    assert!((9..=10).contains(&people.by_use.len()), "{}", people.by_use.len());
    check(&kept);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_asked_for_for_the_longest_time_goes_first() {
    let one = issued(Renewal::Shared, 100);
    let each = weight(&key("n0", "s0", None), &one);
    let mut kept = KeptSessions::new(each * 8 + each / 2);
    let of = |n: usize| key(&format!("n{n}"), "s0", None);
    for n in 0..8 {
        kept.insert(&of(n), &one, true);
        tokio::time::advance(SAME_USE).await;
    }
    for n in [0, 2, 1] {
        assert!(kept.asked_for(&of(n), now()).is_some());
        tokio::time::advance(SAME_USE).await;
    }
    for (number, gone) in [3, 4, 5, 6, 7, 0, 2, 1].into_iter().enumerate() {
        assert!(kept.get(&of(gone)).is_some(), "{gone}");
        kept.insert(&key(&format!("m{number}"), "s0", None), &one, true);
        assert!(kept.get(&of(gone)).is_none(), "{gone}");
        check(&kept);
    }
}

#[tokio::test(start_paused = true)]
async fn looking_for_what_is_due_costs_as_much_as_there_is_of_it() {
    let mut kept = KeptSessions::new(64 * 1024 * 1024);
    for n in 0..1000 {
        kept.insert(
            &key("n", &format!("s{n}"), None),
            &issued(Renewal::Shared, 10),
            n % 2 == 0,
        );
    }
    assert!(kept.take_due(now()).is_empty());
    tokio::time::advance(LIFE / 4).await;
    assert_eq!(kept.take_due(now()).len(), 500, "what was asked for");
    assert!(kept.take_due(now()).is_empty(), "not at each tick");
    tokio::time::advance(LOOK_AGAIN).await;
    assert_eq!(kept.take_due(now()).len(), 500, "nothing came of it");
    check(&kept);
    tokio::time::advance(LIFE).await;
    assert!(kept.take_due(now()).is_empty());
    assert_eq!((kept.len(), kept.bytes()), (0, 0));
    check(&kept);
}

#[derive(Debug, Clone)]
enum Step {
    Insert(u8, u8, Option<u8>, u16),
    Ask(u8, u8),
    Remove(u8, u8),
    PodEnded(u8),
    Pass(u16),
    Due,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4u8, 0..20u8, proptest::option::of(0..5u8), 1..3000u16)
            .prop_map(|(namespace, name, pod, size)| Step::Insert(namespace, name, pod, size)),
        2 => (0..4u8, 0..20u8).prop_map(|(namespace, name)| Step::Ask(namespace, name)),
        1 => (0..4u8, 0..20u8).prop_map(|(namespace, name)| Step::Remove(namespace, name)),
        1 => (0..5u8).prop_map(Step::PodEnded),
        1 => (1..1200u16).prop_map(Step::Pass),
        1 => Just(Step::Due),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_happens_the_sums_are_right(steps in proptest::collection::vec(step(), 0..200)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let mut kept = KeptSessions::new(30_000);
            // A name is of a pod or not, as keys are.
            let of = |namespace: u8, name: u8, pod: Option<u8>| {
                let pod = pod.map(|pod| format!("pod{pod}"));
                key(&format!("n{namespace}"), &format!("s{name}"), pod.as_deref())
            };
            for step in steps {
                match step {
                    Step::Insert(namespace, name, pod, size) => {
                        let renewal = if name == 0 { Renewal::OnRequest } else { Renewal::Shared };
                        kept.insert(&of(namespace, name, pod), &issued(renewal, size.into()), true);
                    }
                    Step::Ask(namespace, name) => drop(kept.asked_for(&of(namespace, name, None), now())),
                    Step::Remove(namespace, name) => kept.remove(&of(namespace, name, None)),
                    Step::PodEnded(pod) => {
                        kept.remove_pod(&format!("pod{pod}"));
                        let uid = format!("pod{pod}");
                        assert!(kept.entries.keys().all(|key| key.pod() != Some(uid.as_str())));
                    }
                    Step::Pass(seconds) => tokio::time::advance(Duration::from_secs(seconds.into())).await,
                    Step::Due => drop(kept.take_due(now())),
                }
                check(&kept);
            }
        });
    }
}
