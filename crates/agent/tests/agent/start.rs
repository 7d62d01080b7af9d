//! The start of a pod: what its hook waits for, and what ends the wait.

use std::time::Duration;

use crate::support::{Authority, Broker, Setup, TOKEN, credential};
use deputy_agent::{WaitFor, binding::SelectedBinding, ready};

#[tokio::test]
async fn ready_is_when_every_binding_in_use_has_its_first_credential() {
    let authority = Authority::new();
    let broker = Broker::start(&authority, "localhost").await;
    broker.then(
        503,
        &[],
        r#"{"Code":"NotReady","Message":"the role is being made"}"#,
    );
    let gate = broker.hold();
    let bindings = vec![SelectedBinding::Default, SelectedBinding::Named("archive".into())];
    let setup = Setup {
        bindings,
        wait_for: WaitFor::Credential,
        ..Setup::to(&broker, &authority)
    };
    let mut agent = setup.start().await;
    let answer = agent.get("/readyz", "").await;
    assert_eq!((answer.status(), answer.code().as_str()), (503, "NotReady"));
    let address = agent.address;
    let probe = move || tokio::task::spawn_blocking(move || ready::probe(address));
    let reason = probe().await.unwrap().unwrap_err().to_string();
    assert!(
        reason.contains("default binding") && reason.contains("\"archive\" binding"),
        "{reason}"
    );

    let waiting = tokio::task::spawn_blocking(move || ready::wait(address, Duration::from_secs(60)));
    broker.then(200, &[], credential("ASIA1"));
    gate.notify_one();
    waiting.await.unwrap().unwrap();
    agent.until_ready().await;
    probe().await.unwrap().unwrap();
    agent.stop().await;
    assert!(
        probe()
            .await
            .unwrap()
            .unwrap_err()
            .to_string()
            .contains("no answer from the agent")
    );
}

#[tokio::test]
async fn the_hook_of_a_pod_that_is_being_deleted_ends() {
    let authority = Authority::new();
    let broker = Broker::start(&authority, "localhost").await;
    let body = r#"{"Code":"NoBinding","Message":"none"}"#;
    broker.then(403, &[("deputy-pod", "terminating")], body);
    let setup = Setup {
        bindings: vec![SelectedBinding::Default],
        wait_for: WaitFor::Credential,
        ..Setup::to(&broker, &authority)
    };
    let agent = setup.start().await;
    let address = agent.address;
    let waited = tokio::task::spawn_blocking(move || ready::wait(address, Duration::from_secs(60)));
    let error = waited.await.unwrap().unwrap_err();
    assert!(matches!(error, ready::NotReadyError::Terminating(_)), "{error}");
    assert!(
        error
            .to_string()
            .starts_with("the pod is being deleted; default binding: NoBinding: none"),
        "{error}"
    );
}

#[tokio::test]
async fn waiting_for_the_listener_only_is_ready_at_once() {
    let authority = Authority::new();
    let broker = Broker::start(&authority, "localhost").await;
    broker.then(403, &[], "");
    let setup = Setup {
        bindings: vec![SelectedBinding::Default],
        ..Setup::to(&broker, &authority)
    };
    let agent = setup.start().await;
    assert_eq!(agent.get("/readyz", "").await.status(), 200);
}

#[tokio::test]
async fn the_hook_of_an_agent_whose_application_runs_ends() {
    let authority = Authority::new();
    let broker = Broker::start(&authority, "localhost").await;
    broker.always(
        "/v1/credentials/archive",
        403,
        r#"{"Code":"NoBinding","Message":"none"}"#,
    );
    broker.then(200, &[], credential("ASIA1"));
    let bindings = vec![SelectedBinding::Default, SelectedBinding::Named("archive".into())];
    let setup = Setup {
        bindings,
        wait_for: WaitFor::Credential,
        ..Setup::to(&broker, &authority)
    };
    let agent = setup.start().await;
    let address = agent.address;
    let waiting = tokio::task::spawn_blocking(move || ready::wait(address, Duration::from_secs(60)));
    // Without the token it may be anybody.
    assert_eq!(agent.get("/v1/credentials", "").await.status(), 401);
    assert_eq!(agent.get("/readyz", "").await.status(), 503);
    // No application starts before the hook has ended: this agent is one that was started again.
    assert_eq!(agent.credentials().await.key(), "ASIA1");
    waiting.await.unwrap().unwrap();
    assert_eq!(agent.get("/readyz", "").await.status(), 200);
    assert_eq!(
        agent.patient("/v1/credentials/archive", TOKEN).await.code(),
        "NoBinding"
    );
}
