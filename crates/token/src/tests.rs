use deputy_token_testing::{END, ISSUER, RSA_KEY, RSA_TOKEN, TokenSigner, claims};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn an_hour_before_the_end() -> Timestamp {
    Timestamp::from_second(END - 3600).unwrap()
}

fn keys(keys: &[Value]) -> PublishedKeys {
    let discovery = json!({"issuer": ISSUER, "jwks_uri": "x"}).to_string();
    PublishedKeys::parse(&discovery, &json!({ "keys": keys }).to_string()).unwrap()
}

fn rsa_key() -> Value {
    serde_json::from_str(RSA_KEY).unwrap()
}

/// Whose `token` is by `keys`, or the category of what is wrong with it.
fn verify(keys: &PublishedKeys, token: &str) -> Result<BoundPod, &'static str> {
    let whose = || {
        check_shape(token)?;
        let signed = SignedToken::parse(token)?;
        match keys.check(&signed) {
            Signature::Right => signed.claims()?.pod(an_hour_before_the_end()),
            Signature::Wrong => Err(InvalidToken::BadSignature),
            Signature::UnknownKey | Signature::ForeignKey => Err(InvalidToken::UnknownKey),
        }
    };
    whose().map_err(|error| error.category())
}

#[test]
fn a_genuine_token_says_whose_it_is_and_on_which_node() {
    let signer = TokenSigner::new("ec-1");
    let keys = keys(&[rsa_key(), signer.published()]);
    assert_eq!((keys.issuer(), keys.count()), (ISSUER, 2));
    for token in [RSA_TOKEN.trim(), &signer.sign(&claims())] {
        let pod = verify(&keys, token).unwrap();
        assert_eq!(
            (
                pod.namespace.as_str(),
                pod.service_account.as_str(),
                pod.name.as_str(),
                pod.uid.as_str()
            ),
            ("payments", "uploader", "uploader-1", "0af1")
        );
    }
    let token = signer.sign(&claims());
    assert_eq!(
        verify(&keys, &token).unwrap().node,
        Some(NodeName::new("n1").unwrap())
    );
    let mut before_1_30 = claims();
    before_1_30["kubernetes.io"]
        .as_object_mut()
        .unwrap()
        .remove("node");
    assert_eq!(verify(&keys, &signer.sign(&before_1_30)).unwrap().node, None);
    let signed = SignedToken::parse(&token).unwrap();
    let read = signed.claims().unwrap();
    assert_eq!((read.expires(), read.service_account_uid()), (END, "5a"));
}

#[test]
fn whatever_is_changed_in_a_token_makes_it_worthless() {
    let (signer, other) = (TokenSigner::new("ec-1"), TokenSigner::new("ec-1"));
    let keys = keys(&[signer.published(), rsa_key()]);
    let token = signer.sign(&claims());
    for (whole, step) in [(token.as_str(), 1), (RSA_TOKEN.trim(), 7)] {
        for place in (0..whole.len()).step_by(step) {
            let mut bytes = whole.as_bytes().to_vec();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(changed == whole || verify(&keys, &changed).is_err(), "{place}");
        }
    }
    assert_eq!(verify(&keys, &other.sign(&claims())), Err("BadSignature"));
}

#[test]
fn a_key_verifies_by_its_own_algorithm_alone() {
    let signer = TokenSigner::new("ec-1");
    let keys = keys(&[signer.published(), rsa_key()]);
    for (alg, kid) in [
        ("none", "ec-1"),
        ("HS256", "ec-1"),
        ("RS256", "ec-1"),
        ("ES256", "rsa-1"),
        ("ES384", "ec-1"),
    ] {
        let token = signer.sign_as(&json!({"alg": alg, "kid": kid}), &claims());
        assert_eq!(verify(&keys, &token), Err("BadSignature"), "{alg} {kid}");
    }
    for header in [
        json!({"alg": "ES256"}),
        json!({"alg": "ES256", "kid": ""}),
        json!({"alg": "ES256", "kid": "k".repeat(300)}),
        json!({"alg": "ES256", "kid": "ec-1", "crit": ["exp"]}),
        json!({"kid": "ec-1"}),
    ] {
        let token = signer.sign_as(&header, &claims());
        assert_eq!(verify(&keys, &token), Err("NotAToken"), "{header}");
    }
}

#[test]
fn a_genuine_token_must_be_for_deputy_in_time_and_a_pods() {
    let signer = TokenSigner::new("ec-1");
    let keys = keys(&[signer.published()]);
    let with = |pointer: &str, value: &Value| {
        let mut claims = claims();
        *claims.pointer_mut(pointer).unwrap() = value.clone();
        verify(&keys, &signer.sign(&claims))
    };
    for (pointer, value, category) in [
        ("/aud", json!(["https://kubernetes.default.svc"]), "OtherAudience"),
        ("/aud", json!("sts.amazonaws.com"), "OtherAudience"),
        ("/aud", json!([]), "OtherAudience"),
        ("/exp", json!(END - 3600 - 61), "Expired"),
        ("/exp", json!("soon"), "NotAToken"),
        ("/nbf", json!(END - 3600 + 61), "NotYetValid"),
        (
            "/sub",
            json!("system:serviceaccount:payments:other"),
            "NotAServiceAccount",
        ),
        ("/sub", json!("admin"), "NotAServiceAccount"),
        ("/kubernetes.io", json!(null), "NotAServiceAccount"),
        ("/kubernetes.io/pod", json!(null), "NoPod"),
        ("/kubernetes.io/node", json!({"name": "../n"}), "NotAToken"),
        ("/kubernetes.io/namespace", json!("other"), "NotAServiceAccount"),
    ] {
        assert_eq!(with(pointer, &value), Err(category), "{pointer} {value}");
    }
    for (pointer, value) in [
        ("/aud", json!("deputy")),
        ("/aud", json!(["deputy", "other"])),
        ("/exp", json!(END - 3600 - 60)),
        ("/nbf", json!(END - 3600 + 60)),
    ] {
        assert!(with(pointer, &value).is_ok(), "{pointer} {value}");
    }
}

#[test]
fn garbage_and_what_is_too_long_are_no_tokens() {
    for garbage in ["", "a.b", "a.b.c.d", "a..c", "a.b c.d", "a.b.c\u{e4}"] {
        assert_eq!(check_shape(garbage), Err(InvalidToken::NotAToken), "{garbage}");
    }
    let long = format!("a.b.{}", "c".repeat(MAX_TOKEN_BYTES - 4));
    assert_eq!(check_shape(&long), Ok(()));
    assert_eq!(
        check_shape(&format!("{long}c")),
        Err(InvalidToken::TooLong(MAX_TOKEN_BYTES + 1))
    );
}

#[test]
fn what_is_published_is_read_whole_or_not_at_all() {
    let discovery = json!({ "issuer": ISSUER }).to_string();
    let parse = |jwks: Value| PublishedKeys::parse(&discovery, &jwks.to_string()).err();
    let rsa = rsa_key();
    let malformed = Some(KeysError::Malformed("key set"));
    assert_eq!(parse(json!({"keys": [rsa]})), None);
    assert_eq!(parse(json!({"keys": []})), Some(KeysError::None));
    assert_eq!(parse(json!({})), malformed);
    assert_eq!(
        parse(json!({"keys": [rsa, {"kty": "RSA", "kid": "x"}]})),
        malformed
    );
    assert_eq!(
        parse(json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "x", "x": "AA", "y": "AA"}]})),
        malformed
    );
    assert_eq!(
        parse(json!({"keys": vec![rsa; 65]})),
        Some(KeysError::TooMany(65))
    );
    // A key of a kind that is not known here: its tokens are asked about.
    assert_eq!(
        parse(json!({"keys": [{"kty": "EC", "crv": "P-521", "kid": "x", "x": "AA", "y": "AA"}]})),
        None
    );
    assert!(PublishedKeys::parse("<html>", "{}").is_err());
}

#[test]
fn keys_that_are_handed_on_verify_the_same_tokens() {
    let signer = TokenSigner::new("ec-1");
    let foreign = json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": "AA"});
    let read = keys(&[rsa_key(), signer.published(), foreign]);
    let document = read.document().unwrap();
    let handed_on = PublishedKeys::from_document(document).unwrap();
    assert_eq!((handed_on.issuer(), handed_on.count()), (ISSUER, 3));
    for token in [RSA_TOKEN.trim(), &signer.sign(&claims())] {
        assert_eq!(verify(&handed_on, token), verify(&read, token));
        assert!(verify(&handed_on, token).is_ok());
    }
    let of_foreign = signer.sign_as(&json!({"alg": "EdDSA", "kid": "ed"}), &claims());
    let signed = SignedToken::parse(&of_foreign).unwrap();
    assert_eq!(handed_on.check(&signed), Signature::ForeignKey);
    assert_eq!(handed_on.document(), Some(document));
    for wrong in [&b"{}"[..], b"", b"[]", br#"{"issuer":"x","jwks":{"keys":[]}}"#] {
        assert!(PublishedKeys::from_document(wrong).is_err());
    }
    let mut long = rsa_key();
    long["n"] = json!("A".repeat(MAX_KEY_DOCUMENT_BYTES));
    assert_eq!(keys(&[long]).document(), None);
}

#[test]
fn a_name_of_a_node_is_one_that_kubernetes_allows() {
    for good in ["n1", "ip-10-0-0-1.ec2.internal", "a", &"a".repeat(253)] {
        assert_eq!(NodeName::new(good).unwrap().to_string(), good);
    }
    for bad in ["", "N1", "-a", "a-", "a..b", "a/b", "a b", &"a".repeat(254)] {
        assert_eq!(bad.parse::<NodeName>(), Err(InvalidNodeName), "{bad}");
    }
}

proptest! {
    #[test]
    fn whatever_comes_is_read_or_refused(text in ".{0,300}", parts in proptest::collection::vec("[A-Za-z0-9_-]{0,80}", 0..5)) {
        let keys = keys(&[rsa_key()]);
        prop_assert!(verify(&keys, &text).is_err());
        prop_assert!(verify(&keys, &parts.join(".")).is_err());
    }
}
