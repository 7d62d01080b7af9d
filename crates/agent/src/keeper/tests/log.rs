//! What is logged: changes alone, and no secret.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_log_holds_the_access_key_id_and_no_secret() {
    let f = Fixture::new()
        .then(0, credential("K1"))
        .then(0, not_modified())
        .then(0, credential("K2"));
    for _ in 0..3 {
        f.get().await;
        pass(6).await;
    }
    let text = f.log.text();
    assert_eq!(f.events(), ["CredentialCurrent", "CredentialCurrent"]);
    assert!(
        text.contains("\"K1\"") && text.contains("\"K2\"") && !text.contains("canary"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn another_cause_is_logged_and_the_same_one_once() {
    let because = |code: &str| Err(FetchError::Unavailable(AgentProblem::unavailable(code, "later")));
    let f = Fixture::new()
        .then(0, refused(403))
        .then(0, refused(403))
        .then(0, because("BrokerUnreachable"))
        .then(0, because("BrokerUnreachable"))
        .then(0, because("Throttled"));
    for _ in 0..5 {
        f.get().await;
        pass(2).await;
    }
    let text = f.log.text();
    let codes: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["code"].to_string())
        .collect();
    assert_eq!(codes, ["\"NoBinding\"", "\"BrokerUnreachable\"", "\"Throttled\""]);
    // One line says which binding, and in the broker's words why.
    assert!(
        text.lines()
            .next()
            .unwrap()
            .contains("\"message\":\"no binding\"")
    );
}
