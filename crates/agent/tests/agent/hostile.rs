//! Requests that the endpoint must refuse, over a real socket, byte by byte.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{Authority, Broker, Running, Setup, TOKEN, credential, until};

async fn agent() -> (Broker, Running) {
    let authority = Authority::new();
    let broker = Broker::start(&authority, "localhost").await;
    broker.then(200, &[("ETag", "\"1\"")], credential("ASIA1"));
    let agent = Setup::to(&broker, &authority).start().await;
    (broker, agent)
}

#[tokio::test]
async fn a_request_as_an_sdk_sends_it_gets_the_credential() {
    let (broker, agent) = agent().await;
    let port = agent.address.port();
    // Without the port: as the AWS common runtime sends it.
    let with_port = ["127.0.0.1", "localhost"].map(|host| format!("{host}:{port}"));
    for host in with_port
        .iter()
        .map(String::as_str)
        .chain(["127.0.0.1", "localhost"])
    {
        let answer = agent
            .raw(&format!(
                "GET /v1/credentials HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\n\
                 Authorization: {TOKEN}\r\nUser-Agent: x\r\nConnection: close\r\n\r\n"
            ))
            .await;
        assert_eq!(answer.status(), 200, "{}", answer.0);
        assert!(
            answer.has_header("content-type: application/json"),
            "{}",
            answer.0
        );
        assert!(answer.has_header("cache-control: no-store"));
        let body = answer.body();
        assert_eq!(body["AccessKeyId"], "ASIA1");
        assert_eq!(body["SecretAccessKey"], "canary-secret");
        assert_eq!(body["Token"], "canary-session");
        assert_eq!(body["AccountId"], "123456789012");
        assert!(body["Expiration"].as_str().unwrap().ends_with('Z'));
        assert_eq!(body.as_object().unwrap().len(), 5);
    }
    let seen = broker.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].path, "/v1/credentials");
    assert_eq!(
        seen[0].headers["authorization"],
        format!("Bearer {TOKEN}").as_str()
    );
    assert_eq!(
        seen[0].headers["host"],
        format!("localhost:{}", broker.address.port()).as_str()
    );
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one table, a row a request")]
async fn every_other_request_is_refused_without_asking_the_broker() {
    let (broker, agent) = agent().await;
    let port = agent.address.port();
    let host = format!("Host: 127.0.0.1:{port}");
    let auth = format!("Authorization: {TOKEN}");
    let get = "GET /v1/credentials HTTP/1.1";
    let long_path = format!("GET /v1/credentials/{} HTTP/1.1", "a".repeat(400));
    let absolute = format!("GET http://127.0.0.1:{port}/v1/credentials HTTP/1.1");
    let absolute_elsewhere = "GET http://169.254.169.254/latest/meta-data HTTP/1.1";
    let many: String = (0..100).map(|n| format!("X-H{n}: 1\r\n")).collect();
    let huge = format!("X-Huge: {}", "a".repeat(26 * 1024));
    let long_token = format!("Authorization: {}", "a".repeat(20 * 1024));
    let port_only = format!("Host: evil.example:{port}");
    let other_port = format!("Host: 127.0.0.1:{}", port.wrapping_add(1));
    let suffix = format!("Host: 127.0.0.1:{port}.evil.example");
    let user = format!("Host: u@127.0.0.1:{port}");
    let upper = format!("Host: LOCALHOST:{port}");
    let short_ip = format!("Host: 127.1:{port}");

    let cases: Vec<(&str, &str, Vec<&str>, u16, &str)> = vec![
        // Host games: DNS rebinding, other spellings, none, two.
        ("foreign host", get, vec![&port_only, &auth], 400, "BadRequest"),
        (
            "foreign host without port",
            get,
            vec!["Host: evil.example", &auth],
            400,
            "BadRequest",
        ),
        (
            "address and a colon",
            get,
            vec!["Host: 127.0.0.1:", &auth],
            400,
            "BadRequest",
        ),
        (
            "port of another scheme",
            get,
            vec!["Host: 127.0.0.1:80", &auth],
            400,
            "BadRequest",
        ),
        (
            "other loopback address",
            get,
            vec!["Host: 127.0.0.2", &auth],
            400,
            "BadRequest",
        ),
        ("other family", get, vec!["Host: [::1]", &auth], 400, "BadRequest"),
        (
            "below localhost",
            get,
            vec!["Host: evil.localhost", &auth],
            400,
            "BadRequest",
        ),
        (
            "host with another port",
            get,
            vec![&other_port, &auth],
            400,
            "BadRequest",
        ),
        ("host with a suffix", get, vec![&suffix, &auth], 400, "BadRequest"),
        ("host with a user", get, vec![&user, &auth], 400, "BadRequest"),
        ("host in capitals", get, vec![&upper, &auth], 400, "BadRequest"),
        ("short address", get, vec![&short_ip, &auth], 400, "BadRequest"),
        (
            "link-local host",
            get,
            vec!["Host: 169.254.170.2", &auth],
            400,
            "BadRequest",
        ),
        ("no host", get, vec![&auth], 400, "BadRequest"),
        ("empty host", get, vec!["Host:", &auth], 400, "BadRequest"),
        ("two hosts", get, vec![&host, &host, &auth], 400, "BadRequest"),
        (
            "no host, 1.0",
            "GET /v1/credentials HTTP/1.0",
            vec![&auth],
            400,
            "BadRequest",
        ),
        // Forwarded from elsewhere.
        (
            "x-forwarded-for",
            get,
            vec![&host, &auth, "X-Forwarded-For: 10.0.0.1"],
            400,
            "BadRequest",
        ),
        (
            "empty x-forwarded-for",
            get,
            vec![&host, &auth, "x-forwarded-for:"],
            400,
            "BadRequest",
        ),
        (
            "x-forwarded-host",
            get,
            vec![&host, &auth, "X-Forwarded-Host: a"],
            400,
            "BadRequest",
        ),
        (
            "x-forwarded-proto",
            get,
            vec![&host, &auth, "X-Forwarded-Proto: http"],
            400,
            "BadRequest",
        ),
        (
            "x-real-ip",
            get,
            vec![&host, &auth, "X-Real-IP: 10.0.0.1"],
            400,
            "BadRequest",
        ),
        (
            "forwarded",
            get,
            vec![&host, &auth, "Forwarded: for=10.0.0.1"],
            400,
            "BadRequest",
        ),
        (
            "via",
            get,
            vec![&host, &auth, "Via: 1.1 proxy"],
            400,
            "BadRequest",
        ),
        // Targets.
        ("absolute form", &absolute, vec![&host, &auth], 400, "BadRequest"),
        (
            "absolute form elsewhere",
            absolute_elsewhere,
            vec![&host, &auth],
            400,
            "BadRequest",
        ),
        ("root", "GET / HTTP/1.1", vec![&host, &auth], 404, "NotFound"),
        (
            "other path",
            "GET /v1/credential HTTP/1.1",
            vec![&host, &auth],
            404,
            "NotFound",
        ),
        (
            "trailing slash",
            "GET /v1/credentials/ HTTP/1.1",
            vec![&host, &auth],
            404,
            "NotFound",
        ),
        (
            "query",
            "GET /v1/credentials?x=1 HTTP/1.1",
            vec![&host, &auth],
            404,
            "NotFound",
        ),
        (
            "wait of nothing",
            "GET /readyz?wait=0 HTTP/1.1",
            vec![&host],
            404,
            "NotFound",
        ),
        (
            "wait for long",
            "GET /readyz?wait=61 HTTP/1.1",
            vec![&host],
            404,
            "NotFound",
        ),
        (
            "wait for a word",
            "GET /readyz?wait=1s HTTP/1.1",
            vec![&host],
            404,
            "NotFound",
        ),
        (
            "dots",
            "GET /v1/credentials/../credentials HTTP/1.1",
            vec![&host, &auth],
            404,
            "NotFound",
        ),
        (
            "escapes",
            "GET /v1/credentials/%61 HTTP/1.1",
            vec![&host, &auth],
            404,
            "NotFound",
        ),
        (
            "capitals",
            "GET /v1/credentials/A HTTP/1.1",
            vec![&host, &auth],
            404,
            "NotFound",
        ),
        ("long path", &long_path, vec![&host, &auth], 404, "NotFound"),
        (
            "metadata",
            "GET /latest/meta-data/ HTTP/1.1",
            vec![&host, &auth],
            404,
            "NotFound",
        ),
        // Methods and bodies.
        (
            "post",
            "POST /v1/credentials HTTP/1.1",
            vec![&host, &auth, "Content-Length: 0"],
            405,
            "MethodNotAllowed",
        ),
        (
            "put",
            "PUT /v1/credentials HTTP/1.1",
            vec![&host, &auth, "Content-Length: 9999999"],
            405,
            "MethodNotAllowed",
        ),
        (
            "options",
            "OPTIONS /v1/credentials HTTP/1.1",
            vec![&host, "Origin: http://evil"],
            405,
            "MethodNotAllowed",
        ),
        (
            "made-up method",
            "get /v1/credentials HTTP/1.1",
            vec![&host, &auth],
            405,
            "MethodNotAllowed",
        ),
        (
            "body",
            get,
            vec![&host, &auth, "Content-Length: 5"],
            400,
            "BadRequest",
        ),
        (
            "chunked body",
            get,
            vec![&host, &auth, "Transfer-Encoding: chunked"],
            400,
            "BadRequest",
        ),
        // Tokens.
        ("no token", get, vec![&host], 401, "Unauthorized"),
        (
            "empty token",
            get,
            vec![&host, "Authorization:"],
            401,
            "Unauthorized",
        ),
        (
            "wrong token",
            get,
            vec![&host, "Authorization: wrong"],
            401,
            "Unauthorized",
        ),
        (
            "bearer",
            get,
            vec![&host, "Authorization: Bearer canary-pod-token"],
            401,
            "Unauthorized",
        ),
        (
            "part of the token",
            get,
            vec![&host, "Authorization: canary-pod-toke"],
            401,
            "Unauthorized",
        ),
        (
            "longer token",
            get,
            vec![&host, "Authorization: canary-pod-tokenx"],
            401,
            "Unauthorized",
        ),
        ("two tokens", get, vec![&host, &auth, &auth], 401, "Unauthorized"),
        ("long token", get, vec![&host, &long_token], 401, "Unauthorized"),
        ("huge header", get, vec![&host, &auth, &huge], 400, "BadRequest"),
        // Refused by the HTTP parser, before there is a request.
        ("many headers", get, vec![&host, &auth, many.trim_end()], 431, ""),
        ("no HTTP", "hello", vec![], 400, ""),
        ("null in a header", get, vec![&host, "X: \0"], 400, ""),
        ("space before colon", get, vec!["Host : x"], 400, ""),
    ];
    for (name, line, headers, status, code) in cases {
        let mut request = format!("{line}\r\n");
        for header in headers {
            request.push_str(header);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        let answer = agent.raw(&request).await;
        assert_eq!(answer.status(), status, "{name}: {}", answer.0);
        if !code.is_empty() {
            assert_eq!(answer.code(), code, "{name}: {}", answer.0);
            assert!(
                answer.has_header("content-type: application/json"),
                "{name}: {}",
                answer.0
            );
            assert!(
                answer.has_header("cache-control: no-store"),
                "{name}: {}",
                answer.0
            );
        }
        assert!(!answer.0.contains("canary"), "{name}: {}", answer.0);
    }
    // HEAD has no body to look at.
    let head = agent
        .raw(&format!(
            "HEAD /v1/credentials HTTP/1.1\r\n{host}\r\n{auth}\r\n\r\n"
        ))
        .await;
    assert_eq!(head.status(), 405);
    assert!(head.has_header("allow: GET"), "{}", head.0);
    assert!(broker.seen().is_empty());
}

#[tokio::test]
async fn an_endpoint_reachable_from_outside_the_pod_is_not_opened() {
    let authority = Authority::new();
    for outside in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let config = deputy_agent::Config {
            listen: outside.parse().unwrap(),
            token_file: "/nonexistent".into(),
            broker: deputy_agent::config::BrokerEndpoint::parse("https://b", None, &authority.pem()).unwrap(),
            bindings: Vec::new(),
            wait_for: deputy_agent::WaitFor::Listener,
        };
        let log = deputy_agent::log::Log::new(std::io::sink());
        let result = deputy_agent::Agent::bind(config, log, None).await;
        assert!(
            matches!(result, Err(deputy_agent::StartError::NotLoopback(_))),
            "{outside}"
        );
    }
}

#[tokio::test]
async fn a_connection_serves_one_request_and_says_so() {
    let (broker, agent) = agent().await;
    let host = agent.address;
    let one = format!("GET /v1/credentials HTTP/1.1\r\nHost: {host}\r\nAuthorization: {TOKEN}\r\n\r\n");
    let answer = agent.raw(&format!("{one}{one}")).await;
    assert_eq!(answer.0.matches("HTTP/1.1 200 OK").count(), 1, "{}", answer.0);
    assert!(answer.has_header("connection: close"), "{}", answer.0);
    assert_eq!(broker.seen().len(), 1);
}

#[tokio::test]
async fn a_client_that_half_closes_after_its_request_is_answered() {
    let (broker, agent) = agent().await;
    // So that the end of what the client sends arrives before the answer.
    let gate = broker.hold();
    let mut stream = TcpStream::connect(agent.address).await.unwrap();
    let host = agent.address;
    let request = format!("GET /v1/credentials HTTP/1.1\r\nHost: {host}\r\nAuthorization: {TOKEN}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    until(|| !broker.seen().is_empty()).await;
    gate.notify_one();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("ASIA1"), "{answer}");
}

#[tokio::test]
async fn a_head_without_end_is_cut_off() {
    let (broker, agent) = agent().await;
    let host = agent.address;
    let request = format!(
        "GET /v1/credentials HTTP/1.1\r\nHost: {host}\r\nAuthorization: {TOKEN}\r\nX: {}\r\n\r\n",
        "a".repeat(4 * 1024 * 1024)
    );
    let answer = agent.raw(&request).await;
    assert!(answer.0.is_empty() || answer.status() == 431, "{}", answer.0);
    assert!(broker.seen().is_empty());
}
