//! When agents ask again, and what they are to trust by then.

use super::*;

fn header(answer: &str, name: &str) -> Option<String> {
    let value = answer
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name}: ")));
    value.map(str::to_owned)
}

fn serving(bundle: watch::Receiver<Bundle>) -> Router {
    let broker = broker_of(index(), false, Arc::new(FixedSts::default()));
    router(Arc::new(broker), bundle)
}

#[tokio::test(start_paused = true)]
async fn an_agent_hears_when_there_will_be_a_newer_session() {
    let router = broker(index(), false, Arc::new(FixedSts::default()));
    let after = async || {
        let answer = exchange(&router, REQUEST).await;
        header(&answer, "deputy-refresh-after")
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    let first = after().await;
    // Of an hour: due between 360 and 600 s, found within 15, and up to 180 of its own.
    assert!((375..=795).contains(&first), "{first}");
    tokio::time::advance(std::time::Duration::from_secs(100)).await;
    assert_eq!(after().await, first - 100);
    let refused = exchange(&router, "GET /v1/credentials\nauthorization: Bearer q.q.q").await;
    assert_eq!(header(&refused, "deputy-refresh-after"), None);
}

#[tokio::test]
async fn an_agent_hears_of_a_new_bundle_and_fetches_it_without_a_token() {
    let (sender, bundle) = watch::channel(Bundle::from(PUBLIC));
    let router = serving(bundle);
    let digest = |text: &str| data_encoding::HEXLOWER.encode(&Sha256::digest(text));
    for text in [PUBLIC, "next"] {
        sender.send_replace(text.into());
        for request in [
            REQUEST,
            "GET /v1/credentials",
            "GET /v1/credentials/absent\nauthorization: Bearer a.b.c",
        ] {
            let answer = exchange(&router, request).await;
            assert_eq!(header(&answer, "deputy-bundle"), Some(digest(text)), "{answer}");
        }
        let answer = exchange(&router, "GET /v1/bundle").await;
        assert!(
            answer.starts_with("200\n") && answer.ends_with(&format!("\n\n{text}\n")),
            "{answer}"
        );
        assert_eq!(
            header(&answer, "content-type").as_deref(),
            Some("application/x-pem-file")
        );
    }
    let unknown = exchange(&router, "POST /v1/bundle").await;
    assert!(unknown.starts_with("404\n"), "{unknown}");
    assert_eq!(header(&unknown, "deputy-bundle"), None);
}

#[tokio::test]
async fn a_broker_without_an_authority_names_no_bundle() {
    let (_sender, bundle) = watch::channel(Bundle::from(""));
    let router = serving(bundle);
    let answer = exchange(&router, REQUEST).await;
    assert!(answer.starts_with("200\n"), "{answer}");
    assert_eq!(header(&answer, "deputy-bundle"), None);
    let answer = exchange(&router, "GET /v1/bundle").await;
    assert!(
        answer.starts_with("503\n") && answer.contains("NotReady"),
        "{answer}"
    );
}
