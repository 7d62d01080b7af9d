use std::{collections::BTreeMap, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConfig, ServerConnection};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};

use super::{FrontProxy, FrontProxyError, FrontProxyKeeper};
use crate::tls::{authority::tests::authority_for_tests, certificates_of};

/// An authority, as PEM and to sign with.
struct TestCa {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

fn ca(name: &str) -> TestCa {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    TestCa {
        pem,
        issuer: Issuer::new(params, key),
    }
}

fn certificate(ca: &TestCa, names: &[&str]) -> CertificateDer<'static> {
    certificate_and_key(ca, names).0
}

fn certificate_and_key(ca: &TestCa, names: &[&str]) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    for name in names {
        params.distinguished_name.push(DnType::CommonName, *name);
    }
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &ca.issuer).unwrap().der().clone();
    (certificate, PrivatePkcs8KeyDer::from(key.serialize_der()).into())
}

/// A whole handshake, and how it was made; with it goes what the server sends afterwards.
fn handshake(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> Result<HandshakeKind, rustls::Error> {
    let name = "deputy-webhook.deputy.svc".try_into().unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name)?;
    let mut server = ServerConnection::new(Arc::clone(server))?;
    for _ in 0..8 {
        let (mut there, mut back) = (Vec::new(), Vec::new());
        while client.wants_write() {
            client.write_tls(&mut there).unwrap();
        }
        let mut there = there.as_slice();
        while !there.is_empty() {
            server.read_tls(&mut there).unwrap();
            server.process_new_packets()?;
        }
        while server.wants_write() {
            server.write_tls(&mut back).unwrap();
        }
        let mut back = back.as_slice();
        while !back.is_empty() {
            client.read_tls(&mut back).unwrap();
            client.process_new_packets()?;
        }
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok(server.handshake_kind().unwrap())
}

fn data(ca: &str, names: &str) -> BTreeMap<String, String> {
    [
        ("requestheader-client-ca-file", ca),
        ("requestheader-allowed-names", names),
        ("requestheader-username-headers", r#"["X-Remote-User"]"#),
        ("requestheader-group-headers", r#"["X-Remote-Group"]"#),
        ("requestheader-extra-headers-prefix", r#"["X-Remote-Extra-"]"#),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

fn lets_in(keeper: &FrontProxyKeeper, certificate: &CertificateDer<'_>) -> bool {
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
    keeper
        .verifier()
        .verify_client_cert(certificate, &[], now)
        .is_ok()
}

fn learned(data: &BTreeMap<String, String>) -> FrontProxyKeeper {
    let keeper = FrontProxyKeeper::default();
    keeper.learn(FrontProxy::parse(data)).unwrap();
    keeper
}

#[test]
fn nobody_is_let_in_without_a_certificate_of_the_front_proxy() {
    let (ours, theirs) = (ca("front proxy"), ca("clients"));
    let keeper = learned(&data(&ours.pem, r#"["front-proxy-client"]"#));
    assert!(keeper.verifier().client_auth_mandatory());
    for (certificate, expected) in [
        (certificate(&ours, &["front-proxy-client"]), true),
        (certificate(&ours, &["somebody"]), false),
        (certificate(&ours, &[]), false),
        (certificate(&ours, &["front-proxy-client", "somebody"]), false),
        (certificate(&theirs, &["front-proxy-client"]), false),
        (CertificateDer::from(b"no certificate".to_vec()), false),
    ] {
        assert_eq!(lets_in(&keeper, &certificate), expected);
    }
    // Before anything is known, and when it can't be read any more.
    let good = certificate(&ours, &["front-proxy-client"]);
    assert!(!lets_in(&FrontProxyKeeper::default(), &good));
    let unreadable = FrontProxy::parse(&data("rubbish", "[]"));
    assert!(keeper.learn(unreadable).is_err());
    assert!(!lets_in(&keeper, &good));
}

#[test]
fn an_authority_that_is_replaced_counts_no_more() {
    let (old, new) = (ca("old"), ca("new"));
    let names = r#"["aggregator"]"#;
    let (by_old, by_new) = (
        certificate(&old, &["aggregator"]),
        certificate(&new, &["aggregator"]),
    );
    let keeper = learned(&data(&old.pem, names));
    let verifier = keeper.verifier();
    let both = format!("{}{}", old.pem, new.pem);
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
    let lets_in = |one: &CertificateDer<'_>| verifier.verify_client_cert(one, &[], now).is_ok();
    assert_eq!((lets_in(&by_old), lets_in(&by_new)), (true, false));
    keeper.learn(FrontProxy::parse(&data(&both, names))).unwrap();
    assert_eq!((lets_in(&by_old), lets_in(&by_new)), (true, true));
    keeper.learn(FrontProxy::parse(&data(&new.pem, names))).unwrap();
    assert_eq!((lets_in(&by_old), lets_in(&by_new)), (false, true));
}

#[test]
fn a_certificate_is_verified_at_each_connection_and_no_tls_session_resumed() {
    let ours = ca("front proxy");
    let keeper = learned(&data(&ours.pem, "[]"));
    let authority = authority_for_tests();
    let server = authority.server_config_for(keeper.verifier()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    for trusted in certificates_of(authority.bundle().borrow().as_bytes()).unwrap() {
        roots.add(trusted).unwrap();
    }
    for versions in [&[&rustls::version::TLS13][..], &[&rustls::version::TLS12]] {
        let (certificate, key) = certificate_and_key(&ours, &["front-proxy-client"]);
        let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots.clone());
        let known = client
            .clone()
            .with_client_auth_cert(vec![certificate], key)
            .unwrap();
        let (known, nobody) = (Arc::new(known), Arc::new(client.with_no_client_auth()));
        for _ in 0..3 {
            assert_eq!(handshake(&known, &server), Ok(HandshakeKind::Full));
        }
        assert!(handshake(&nobody, &server).is_err());
        // The same client, whose authority counts no more.
        keeper
            .learn(FrontProxy::parse(&data(&ca("another").pem, "[]")))
            .unwrap();
        assert!(handshake(&known, &server).is_err());
        keeper.learn(FrontProxy::parse(&data(&ours.pem, "[]"))).unwrap();
    }
}

#[test]
fn without_names_the_authority_is_the_front_proxys_alone() {
    let ours = ca("front proxy");
    let mut alone = data(&ours.pem, "[]");
    assert!(lets_in(&learned(&alone), &certificate(&ours, &["anything"])));
    alone.insert("client-ca-file".into(), ca("clients").pem);
    assert!(FrontProxy::parse(&alone).is_ok());
    alone.insert("client-ca-file".into(), ours.pem.clone());
    assert!(matches!(
        FrontProxy::parse(&alone),
        Err(FrontProxyError::AnyClient)
    ));
    alone.insert("requestheader-allowed-names".into(), r#"["aggregator"]"#.into());
    assert!(FrontProxy::parse(&alone).is_ok());
}

#[test]
fn what_is_no_configuration_is_refused() {
    let ours = ca("front proxy").pem;
    let good = data(&ours, "[]");
    for (key, value) in [
        ("requestheader-client-ca-file", None),
        ("requestheader-client-ca-file", Some("")),
        ("requestheader-username-headers", None),
        ("requestheader-username-headers", Some("[]")),
        ("requestheader-username-headers", Some("X-Remote-User")),
        ("requestheader-username-headers", Some(r#"["X-Forwarded-User"]"#)),
        ("requestheader-allowed-names", Some(r#"{"a": 1}"#)),
        ("requestheader-allowed-names", Some("[1]")),
    ] {
        let mut broken = good.clone();
        match value {
            None => broken.remove(key),
            Some(value) => broken.insert(key.into(), value.into()),
        };
        assert!(FrontProxy::parse(&broken).is_err(), "{key}: {value:?}");
    }
    assert!(FrontProxy::parse(&good).is_ok());
    assert!(FrontProxy::parse(&BTreeMap::new()).is_err());
}

#[test]
fn a_request_names_one_user_and_any_groups() {
    let mut data = data(&ca("front proxy").pem, "[]");
    // The API server sets the first and takes it out of what a client sends; it does neither with the second.
    for (key, names) in [
        ("username-headers", r#"["X-Remote-User", "X-Forwarded-User"]"#),
        ("group-headers", r#"["X-Forwarded-Group", "X-Remote-Group"]"#),
    ] {
        data.insert(format!("requestheader-{key}"), names.into());
    }
    let known = Arc::new(FrontProxy::parse(&data).unwrap());
    let of = |headers: &[(&'static str, &'static str)]| {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        known.user_of(&map)
    };
    let user = of(&[
        ("x-remote-user", "alice@example.com"),
        ("x-remote-group", "sre"),
        ("x-remote-group", "system:authenticated"),
        ("x-remote-extra-example.com%2fscopes", "a"),
        ("x-remote-extra-example.com%2fscopes", "b"),
        ("x-other", "c"),
        ("x-forwarded-user", "bob"),
        ("x-forwarded-group", "system:masters"),
    ])
    .unwrap();
    assert_eq!(user.name, "alice@example.com");
    assert_eq!(user.groups, ["sre", "system:authenticated"]);
    let scopes = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(
        user.extra,
        BTreeMap::from([("example.com/scopes".to_owned(), scopes)])
    );
    for bad in [
        &[][..],
        &[("x-remote-user", "")],
        &[("x-remote-user", "alice"), ("x-remote-user", "bob")],
        &[("x-remote-group", "sre")],
    ] {
        assert!(of(bad).is_err(), "{bad:?}");
    }
}
