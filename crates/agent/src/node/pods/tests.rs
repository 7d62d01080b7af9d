use deputy_log_testing::CapturedLog;
use tokio::time::sleep;

use super::*;
use crate::node::script::{ScriptedBroker, clock_from};

type Pods = Arc<NodePods<ScriptedBroker>>;

const HOUR: Duration = Duration::from_secs(3600);

/// Pods, at most `most`, which are looked after.
fn pods(most: usize) -> (Pods, ScriptedBroker) {
    logging(most, Log::new(std::io::sink()))
}

fn logging(most: usize, log: Log) -> (Pods, ScriptedBroker) {
    let clock = clock_from(1_790_000_000);
    let broker = ScriptedBroker::new(Arc::clone(&clock));
    let (pods, ended) = NodePods::new(broker.clone(), clock, log, most);
    tokio::spawn(Arc::clone(&pods).tend(ended));
    (pods, broker)
}

fn asking<'a>(uid: &str, token: &'a str, expires: i64) -> AskingPod<'a> {
    AskingPod {
        key: PodKey::Uid(uid.to_owned()),
        token: token.as_bytes(),
        expires,
        name: format!("payments/{uid}"),
    }
}

async fn ask(pods: &Pods, uid: &str, token: &str, expires: i64) -> Result<(), String> {
    let pod = asking(uid, token, expires);
    let answer = pods.credential(&pod, &SelectedBinding::Default).await;
    answer.map(drop).map_err(|problem| problem.code)
}

#[tokio::test(start_paused = true)]
async fn a_pods_keeper_refreshes_with_the_token_that_ends_last() {
    let (pods, broker) = pods(8);
    ask(&pods, "a", "first", 1_000).await.unwrap();
    assert_eq!(broker.seen(), ["first"]);
    // What is held is fresh, and the newer token is kept all the same.
    ask(&pods, "a", "second", 2_000).await.unwrap();
    // An SDK that read the file before presents the older one once more.
    ask(&pods, "a", "first", 1_000).await.unwrap();
    assert!(broker.seen().is_empty());
    sleep(HOUR / 2).await;
    assert_eq!(broker.seen().first().map(String::as_str), Some("second"));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_the_broker_cannot_place_keeps_what_is_held() {
    let (pods, broker) = pods(8);
    ask(&pods, "a", "t", 1_000).await.unwrap();
    broker.says((401, "InvalidToken"));
    sleep(HOUR / 2).await;
    assert!(!broker.seen().is_empty());
    assert_eq!(ask(&pods, "a", "t", 1_000).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn no_pod_gets_what_another_one_has() {
    let (pods, broker) = pods(8);
    ask(&pods, "a", "of-a", 1_000).await.unwrap();
    broker.says((403, "NoBinding"));
    assert_eq!(ask(&pods, "b", "of-b", 1_000).await, Err("NoBinding".into()));
    assert_eq!(ask(&pods, "a", "of-a", 1_000).await, Ok(()));
    assert_eq!(broker.seen(), ["of-a", "of-b"]);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_asks_for_many_bindings_has_its_share_of_the_questions() {
    let (pods, broker) = pods(8);
    let mut asked = tokio::task::JoinSet::new();
    for number in 0..64 {
        let pods = Arc::clone(&pods);
        let binding = SelectedBinding::Named(format!("b{number}").into());
        asked.spawn(async move { pods.credential(&asking("a", "t", 1_000), &binding).await.is_ok() });
    }
    assert!(asked.join_all().await.iter().all(|answered| *answered));
    assert_eq!(broker.most_at_once(), QUESTIONS_OF_POD);
}

#[tokio::test(start_paused = true)]
async fn the_pod_that_asked_least_recently_makes_room() {
    let (pods, broker) = pods(MAX_PODS);
    for number in 0..MAX_PODS {
        ask(&pods, &number.to_string(), "t", 1_000).await.unwrap();
        sleep(Duration::from_millis(1)).await;
    }
    ask(&pods, "0", "t", 1_000).await.unwrap();
    broker.seen();
    for number in MAX_PODS..MAX_PODS + 10 {
        ask(&pods, &number.to_string(), "t", 1_000).await.unwrap();
    }
    assert_eq!(pods.lock().len(), MAX_PODS);
    let has = |uid: &str| pods.lock().contains_key(&PodKey::Uid(uid.to_owned()));
    assert!(has("0") && !has("1") && !has("10") && has("11"));
}

#[tokio::test(start_paused = true)]
async fn pods_that_hold_nothing_make_room_first() {
    let (pods, broker) = pods(2);
    ask(&pods, "old", "t", 1_000).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    broker.says((403, "NoBinding"));
    for number in 0..10 {
        assert!(ask(&pods, &number.to_string(), "t", 1_000).await.is_err());
    }
    assert!(pods.lock().contains_key(&PodKey::Uid("old".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_has_ended_is_let_go_at_once_also_by_a_refresh() {
    let (pods, broker) = pods(8);
    ask(&pods, "a", "t", 1_000).await.unwrap();
    ask(&pods, "b", "t", 1_000).await.unwrap();
    broker.says((403, "PodGone"));
    sleep(FRESH_NO_MORE).await;
    assert_eq!(ask(&pods, "a", "t", 1_000).await, Err("PodGone".into()));
    tokio::task::yield_now().await;
    assert!(!pods.holds(&PodKey::Uid("a".to_owned()), b"t"));
    assert!(pods.holds(&PodKey::Uid("b".to_owned()), b"t"));
    // The other one hears it when its session is asked for again.
    sleep(HOUR / 2).await;
    assert!(pods.lock().is_empty());
}

/// What was confirmed so long ago is confirmed anew.
const FRESH_NO_MORE: Duration = Duration::from_secs(6);

#[tokio::test(start_paused = true)]
async fn a_pod_that_asks_nothing_for_longer_than_its_credential_lives_is_let_go() {
    let (pods, broker) = pods(8);
    ask(&pods, "a", "t", 1_000).await.unwrap();
    sleep(HOUR / 2).await;
    assert_eq!(pods.lock().len(), 1, "its application lives on it");
    assert!(!broker.seen().is_empty(), "and it is asked for again in time");
    sleep(HOUR).await;
    assert!(pods.lock().is_empty());
    broker.seen();
    sleep(HOUR).await;
    assert!(broker.seen().is_empty(), "nobody asks for it any more");
}

#[tokio::test(start_paused = true)]
async fn a_doubtful_token_leaves_nothing_when_the_broker_gives_nothing() {
    let (pods, broker) = pods(8);
    let doubtful = |token: &'static str| AskingPod {
        key: PodKey::of_token(token.as_bytes()),
        ..asking("a", token, 1_000)
    };
    let share = Arc::new(());
    let default = SelectedBinding::Default;
    for word in [(401, "InvalidToken"), (403, "NoBinding"), (503, "Unavailable")] {
        broker.says(word);
        let answer = pods.doubtful(doubtful("made.up.token"), &default, Arc::clone(&share));
        assert_eq!(answer.await.unwrap_err().code, word.1);
        tokio::task::yield_now().await;
        assert!(pods.lock().is_empty(), "{word:?}");
    }
    broker.says((200, ""));
    let answer = pods.doubtful(doubtful("good"), &default, Arc::clone(&share));
    assert!(answer.await.is_ok());
    tokio::task::yield_now().await;
    assert_eq!(Arc::strong_count(&share), 1, "each share was given back");
    assert!(pods.is_proven(&PodKey::of_token(b"good"), b"good"));
    // Another token that names the same pod is not that one.
    assert!(!pods.is_proven(&PodKey::of_token(b"good"), b"other"));
    assert!(!pods.is_proven(&PodKey::of_token(b"other"), b"other"));
}

#[tokio::test(start_paused = true)]
async fn pods_that_end_again_and_again_do_not_keep_others_from_being_let_go() {
    let (pods, broker) = pods(8);
    broker.says((403, "NoBinding"));
    assert!(ask(&pods, "a", "t", 1_000).await.is_err());
    for _ in 0..SWEEP.as_secs() / 5 {
        pods.ended.send(PodKey::Uid("b".to_owned())).unwrap();
        sleep(Duration::from_secs(10)).await;
    }
    assert!(pods.lock().is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_pod_fills_no_log_and_no_name_of_an_unproven_token_is_in_it() {
    let log = CapturedLog::default();
    let (pods, broker) = logging(8, Log::new(log.clone()));
    broker.says((403, "PodGone"));
    for number in 0..200 {
        // Each of them lets the pod go, so that the next begins anew.
        let binding = SelectedBinding::Named(format!("b{number}").into());
        let answer = pods.credential(&asking("a", "t", 1_000), &binding).await;
        assert!(answer.is_err());
        sleep(Duration::from_millis(10)).await;
    }
    let lines = |name: &str| log.text().lines().filter(|line| line.contains(name)).count();
    let of_one = lines("payments/a");
    assert!((1..=10).contains(&of_one), "{of_one}");
    ask(&pods, "b", "t", 1_000).await.unwrap_err();
    assert_eq!(lines("payments/b"), 1, "another pod has lines of its own");
    broker.says((401, "InvalidToken"));
    for number in 0..200 {
        let token = format!("made.up.{number}");
        let pod = AskingPod {
            key: PodKey::of_token(token.as_bytes()),
            ..asking("canary", &token, 1_000)
        };
        let answer = pods.doubtful(pod, &SelectedBinding::Default, ()).await;
        assert!(answer.is_err());
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(lines("canary"), 0);
    let unproven = lines("token_sha256");
    assert!((1..=10).contains(&unproven), "{unproven}");
    let name = "n".repeat(5000);
    let long = AskingPod {
        key: PodKey::Uid("c".to_owned()),
        ..asking(&name, "t", 1_000)
    };
    pods.credential(&long, &SelectedBinding::Default)
        .await
        .unwrap_err();
    assert!(log.text().lines().all(|line| line.len() < 1000));
}
