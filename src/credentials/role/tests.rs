//! What is said of each answer, what decides a session, and a call with an end.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    thread,
    time::Duration,
};

use super::{
    binding::{AskedBinding, NamedBinding},
    call::{ClusterAnswer, NoClusterAnswer, ask},
    key,
    refusal::{ClusterRefusal, WhyNone},
};
use crate::{
    credentials::{help::WhyNoSession as _, kubeconfig::testing::context, obtain::block_on},
    exit::{CommandAnswer, Failure},
};

fn named(text: &str) -> NamedBinding {
    let asked: AskedBinding = text.parse().unwrap();
    asked.of(&context("")).unwrap()
}

fn refusal(status: u16, body: &str) -> ClusterRefusal {
    let answer = ClusterAnswer {
        status,
        retry_after: (status == 503).then_some(7),
        body: body.into(),
    };
    ClusterRefusal {
        binding: named("payments/reports"),
        by: "context \"prod\" of https://api".into(),
        why: WhyNone::of(&answer),
    }
}

fn caused(reason: &str) -> String {
    format!(
        r#"{{"kind":"Status","message":"whole","details":{{"causes":[{{"reason":"{reason}","message":"user \"alice\" …"}}]}}}}"#
    )
}

const RBAC: &str = r#"{"kind":"Status","message":"awsrolebindings.credentials.deputy.dev \"reports\" is forbidden: User \"alice@example.com\" cannot create resource \"awsrolebindings/credentials\" in API group \"credentials.deputy.dev\" in the namespace \"payments\""}"#;

#[test]
fn each_refusal_says_what_to_ask_of_whom() {
    let admin = "Ask whoever administers namespace payments";
    for (status, body, says) in [
        (
            403,
            RBAC.to_owned(),
            vec![
                "RBAC does not let user alice@example.com",
                admin,
                "name: deputy-credentials\n",
            ],
        ),
        (
            403,
            caused("NotASubject"),
            vec![admin, "{kind: User, name: \"alice\"}", "AWSRoleBinding reports"],
        ),
        (
            403,
            caused("NotAccepted"),
            vec!["refused: user \"alice\" …. Ask the platform team"],
        ),
        (403, caused("Suspended"), vec!["Ask the platform team"]),
        (403, caused("AccessDenied"), vec!["Ask the platform team"]),
        (403, caused("MFAGroup"), vec!["Which way of signing in counts"]),
        (403, caused("Another"), vec!["Ask the platform team"]),
        (
            404,
            caused("NoBinding"),
            vec!["there is no such binding", "namespace payments makes one"],
        ),
        (404, "404 page not found".to_owned(), vec!["people.enabled"]),
        (
            401,
            String::new(),
            vec!["does not know who you are", "Log in to the cluster again"],
        ),
        (
            403,
            RBAC.replace("alice@example.com", "system:anonymous"),
            vec!["Log in to the cluster again"],
        ),
        (
            422,
            caused("Duration"),
            vec!["--duration: user", "as the binding says"],
        ),
        (
            503,
            caused("NotReady"),
            vec!["no session now", "Try again in 7 s"],
        ),
        (429, String::new(), vec!["Try again in a moment"]),
        (500, String::new(), vec!["code 500", "Try again in a moment"]),
        (
            302,
            "<html>".to_owned(),
            vec!["code 302", "the API server of the cluster"],
        ),
    ] {
        let said = refusal(status, &body).sentence();
        assert!(said.starts_with("AWSRoleBinding payments/reports by context \"prod\" of https://api: "));
        for part in says {
            assert!(said.contains(part), "{status} {part}: {said}");
        }
    }
}

#[test]
fn a_role_binding_that_is_shown_can_be_applied() {
    for (user, name) in [
        ("alice@example.com", "deputy-credentials-alice-example-com"),
        ("oidc:Ünï: x", "deputy-credentials-oidc--n---x"),
    ] {
        let said = refusal(403, &RBAC.replace("alice@example.com", user)).sentence();
        let yaml = said.split_once("apply this:\n").unwrap().1;
        let manifest: serde_json::Value = serde_saphyr::from_str(yaml).unwrap();
        assert_eq!(manifest["metadata"]["name"], name);
        assert_eq!(manifest["metadata"]["namespace"], "payments");
        assert_eq!(manifest["roleRef"]["name"], "deputy-credentials");
        assert_eq!(manifest["subjects"][0]["name"], user);
    }
}

#[test]
fn a_refusal_of_the_cluster_is_a_no_and_what_passes_is_none() {
    for (status, body, is_no, is_passing) in [
        (403, RBAC.to_owned(), true, false),
        (403, caused("NotAccepted"), true, false),
        (404, caused("NoBinding"), true, false),
        (401, String::new(), true, false),
        (404, String::new(), false, false),
        (503, String::new(), false, true),
        (500, String::new(), false, true),
        (400, String::new(), false, false),
    ] {
        let refusal = refusal(status, &body);
        assert_eq!(refusal.is_passing(), is_passing, "{status}");
        match refusal.outcome() {
            Ok(CommandAnswer::No) => assert!(is_no, "{status}"),
            Err(Failure::Process(_)) => assert!(!is_no, "{status}"),
            _ => panic!("{status}"),
        }
    }
    assert!(matches!(refusal(422, "").outcome(), Err(Failure::Input(_))));
}

#[test]
fn a_binding_is_in_its_namespace_or_in_that_of_the_context() {
    assert_eq!(named("payments/reports").to_string(), "payments/reports");
    assert_eq!(
        named("payments/reports").path(),
        "/apis/credentials.deputy.dev/v1alpha1/namespaces/payments/awsrolebindings/reports/credentials"
    );
    let asked: AskedBinding = "reports".parse().unwrap();
    assert!(asked.of(&context("")).is_err());
    let of_context = asked.of(&context("namespace: team")).unwrap();
    assert_eq!(of_context.to_string(), "team/reports");
    for text in ["", "/", "a/", "/b", "a/b/c", "a/../b", "A/b", "a/b?x", "a b"] {
        assert!(text.parse::<AskedBinding>().is_err(), "{text}");
    }
}

#[test]
fn all_that_decides_which_session_it_is_is_in_its_key() {
    let of = |text: &str, binding: &str, seconds| key(&context(text), &named(binding), seconds).unwrap();
    let base = of("", "payments/reports", None);
    assert_eq!(of("", "payments/reports", None), base);
    for (text, binding, seconds) in [
        ("", "payments/other", None),
        ("", "other/reports", None),
        ("", "payments/reports", Some(900)),
        ("server: https://other", "payments/reports", None),
        ("user-name: bob", "payments/reports", None),
        ("token: other", "payments/reports", None),
        ("as: bob", "payments/reports", None),
    ] {
        assert_ne!(of(text, binding, seconds), base, "{text} {binding}");
    }
    // Under which name the person has it is nobody's business.
    assert_eq!(of("namespace: team", "payments/reports", None), base);
}

/// A server that answers each connection with `bytes`, and then says nothing more.
fn server(bytes: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            drop(stream.read(&mut [0; 4096]));
            drop(stream.write_all(&bytes));
            open.push(stream);
        }
    });
    address
}

fn asked(server: SocketAddr, deadline: Duration) -> Result<ClusterAnswer, NoClusterAnswer> {
    let mut config = kube::Config::new(format!("http://{server}").parse().unwrap());
    config.default_retry = false;
    block_on(ask(config, "/apis", b"{}", deadline)).unwrap()
}

#[test]
fn an_answer_that_does_not_come_is_not_waited_for() {
    for begun in ["", "HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{"] {
        let none = asked(server(begun.into()), Duration::from_millis(300))
            .err()
            .unwrap();
        assert_eq!(none, NoClusterAnswer::Late(0));
    }
}

#[test]
fn an_answer_that_is_too_large_is_not_read() {
    let head = "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n";
    let mut bytes = head.as_bytes().to_vec();
    bytes.extend([b'x'; 0x10000]);
    bytes.extend(b"\r\n1\r\nx\r\n");
    let none = asked(server(bytes), Duration::from_secs(60)).err().unwrap();
    assert_eq!(none, NoClusterAnswer::Large);
}

#[test]
fn a_busy_cluster_that_says_when_is_not_asked_before() {
    let busy = b"HTTP/1.1 503 x\r\nRetry-After: 100\r\nContent-Length: 0\r\n\r\n".to_vec();
    let answer = asked(server(busy), Duration::from_secs(60)).ok().unwrap();
    assert_eq!((answer.status, answer.retry_after), (503, Some(100)));
}
