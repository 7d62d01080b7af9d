//! An agent that lives longer than the authority of its broker.

use crate::support::{Authority, Broker, Running, Setup, TOKEN, credential, until};

/// Asks for another binding each time, so that the broker is asked each time.
async fn ask(agent: &Running, n: usize) -> String {
    let answer = agent.patient(&format!("/v1/credentials/b{n}"), TOKEN).await;
    let (key, code) = (answer.key(), answer.code());
    if key.is_empty() { code } else { key }
}

/// Waits for a line of the log.
async fn until_logged(agent: &Running, event: &str) {
    until(|| agent.log.text().contains(event)).await;
}

#[tokio::test]
async fn an_agent_that_heard_of_the_next_authority_goes_on_with_it() {
    let (first, second, third) = (Authority::new(), Authority::new(), Authority::new());
    let broker = Broker::start(&first, "localhost").await;
    broker.then(200, &[], credential("ASIA1"));
    broker.announce(200, &format!("{}{}", first.pem(), second.pem()));
    let agent = Setup::to(&broker, &first).start().await;
    assert_eq!(ask(&agent, 1).await, "ASIA1");
    until_logged(&agent, "BundleLearned").await;
    let seen = broker.seen().pop().unwrap();
    assert_eq!(seen.path, "/v1/bundle");
    assert!(!seen.headers.contains_key("authorization"));

    broker.move_to(&second);
    assert_eq!(ask(&agent, 2).await, "ASIA1");
    // The one before is still trusted: another replica may have it for a while.
    broker.move_to(&first);
    assert_eq!(ask(&agent, 3).await, "ASIA1");
    broker.move_to(&third);
    assert_eq!(ask(&agent, 4).await, "BrokerUnreachable");
}

#[tokio::test]
async fn an_agent_that_never_heard_of_an_authority_does_not_trust_it() {
    let (first, second) = (Authority::new(), Authority::new());
    let broker = Broker::start(&first, "localhost").await;
    broker.then(200, &[], credential("ASIA1"));
    let agent = Setup::to(&broker, &first).start().await;
    assert_eq!(ask(&agent, 1).await, "ASIA1");
    // Who has not proved to be the broker tells nothing.
    broker.announce(200, &format!("{}{}", first.pem(), second.pem()));
    broker.move_to(&second);
    for n in 2..4 {
        assert_eq!(ask(&agent, n).await, "BrokerUnreachable");
    }
    assert_eq!(broker.seen().len(), 1);
    broker.move_to(&first);
    assert_eq!(ask(&agent, 5).await, "ASIA1");
}

#[tokio::test]
async fn a_refusal_tells_of_the_authority_too() {
    let (first, second) = (Authority::new(), Authority::new());
    let broker = Broker::start(&first, "localhost").await;
    broker.then(403, &[], r#"{"Code":"NoBinding","Message":"none"}"#);
    broker.announce(200, &second.pem());
    let agent = Setup::to(&broker, &first).start().await;
    assert_eq!(ask(&agent, 1).await, "NoBinding");
    until_logged(&agent, "BundleLearned").await;
    broker.move_to(&second);
    assert_eq!(ask(&agent, 2).await, "NoBinding");
}

#[tokio::test]
async fn a_bundle_that_makes_no_sense_changes_nothing() {
    let (first, second) = (Authority::new(), Authority::new());
    let many: String = (0..8).map(|_| Authority::new().pem()).collect();
    let no_root = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let broken = second.pem().replace("-----END", "-----END OF");
    let huge = format!("{}{}", second.pem(), " ".repeat(64 * 1024));
    for (status, bundle, logged) in [
        (200, String::new(), true),
        (200, "hello".to_owned(), true),
        (200, broken, true),
        (200, format!("{}{no_root}", second.pem()), true),
        (200, format!("{many}{}", second.pem()), true),
        (200, huge, false),
        (404, second.pem(), false),
    ] {
        let broker = Broker::start(&first, "localhost").await;
        broker.then(200, &[], credential("ASIA1"));
        broker.announce(status, &bundle);
        let agent = Setup::to(&broker, &first).start().await;
        assert_eq!(ask(&agent, 1).await, "ASIA1");
        until(|| broker.seen().len() >= 2).await;
        if logged {
            until_logged(&agent, "BundleRefused").await;
        }
        broker.move_to(&second);
        assert_eq!(ask(&agent, 2).await, "BrokerUnreachable", "{bundle:.80}");
        broker.move_to(&first);
        assert_eq!(ask(&agent, 3).await, "ASIA1", "{bundle:.80}");
        assert!(!agent.log.text().contains("BundleLearned"), "{bundle:.80}");
    }
}
