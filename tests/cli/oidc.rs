//! `deputy bootstrap oidc`, with keys from a file. With those of an API server: `tests/integration/test_web_identity.py`.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use crate::run::{Done, File, deputy};

const EXAMPLE: &str = "examples/productionapp/10-platform.yaml";
const ISSUER: &str = "https://oidc.example.com/production-1";
/// The x and y of the example key of RFC 7517, appendix A.1.
const KEYS: &str = r#"{"keys": [{"kty": "EC", "crv": "P-256", "kid": "one", "alg": "ES256", "use": "sig",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;
/// An authority of nothing, made with `openssl req -x509 -newkey ed25519`.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBUzCCAQWgAwIBAgIUBHGrvmPINSOVtyh7CJpwM7sOuNQwBQYDK2VwMB4xHDAa
BgNVBAMME2F1dGhvcml0eSBvZiBhIHRlc3QwIBcNMjYxMTI4MTUyNzIyWhgPMjEy
NjExMDQxNTI3MjJaMB4xHDAaBgNVBAMME2F1dGhvcml0eSBvZiBhIHRlc3QwKjAF
BgMrZXADIQB/WmKiI/mh/wBIuadAsexqzbj0PFAUYh1kmm3Wst1NPqNTMFEwHQYD
VR0OBBYEFJlQ9htyeF9HOpH+SEaf/T2/zSWmMB8GA1UdIwQYMBaAFJlQ9htyeF9H
OpH+SEaf/T2/zSWmMA8GA1UdEwEB/wQFMAMBAf8wBQYDK2VwA0EAvzcQVFMxFNRT
LARuoRwMA5iqYUQw8+7vd6FW1Psgp740lExd+7gkgGDMdNxvM3B9TzFsndxmV4Ev
Y9JWwmZ7Ag==
-----END CERTIFICATE-----
";
const THUMBPRINT: &str = "f76f49ae8dc31fb7da99a9bb27388fbe2a5f4930";

/// A folder for the length of a test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("deputy-oidc-{}-{name}", std::process::id())))
    }
    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
    fn read(&self, name: &str) -> Value {
        serde_json::from_str(&fs::read_to_string(self.0.join(name)).unwrap()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn run(folder: &Folder, issuer: &str, keys: &str, more: &[&str]) -> Done {
    let fixed = [
        "bootstrap",
        "oidc",
        "-f",
        EXAMPLE,
        "--directory",
        folder.path(),
        "--issuer",
        issuer,
        "--jwks",
        "-",
    ];
    deputy(&[&fixed, more].concat(), keys)
}

#[test]
fn the_two_documents_are_written_and_all_who_have_to_know_are_told() {
    let folder = Folder::new("written");
    let Done { code, out, err } = run(&folder, ISSUER, KEYS, &[]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(
        folder.read(".well-known/openid-configuration"),
        json!({
            "issuer": ISSUER,
            "jwks_uri": "https://oidc.example.com/production-1/keys.json",
            "authorization_endpoint": "urn:kubernetes:programmatic_authorization",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "claims_supported": ["sub", "iss"],
        })
    );
    assert_eq!(
        folder.read("keys.json"),
        serde_json::from_str::<Value>(KEYS).unwrap()
    );
    let provider = "arn:aws:iam::123456789012:oidc-provider/oidc.example.com/production-1";
    let file = |name: &str| {
        json!({
            "file": format!("{}/{name}", folder.path()),
            "url": format!("{ISSUER}/{name}"),
            "contentType": "application/json",
        })
    };
    assert_eq!(
        serde_json::from_str::<Value>(&out).unwrap(),
        json!({
            "publish": [file(".well-known/openid-configuration"), file("keys.json")],
            "apiServerFlags": [
                format!("--service-account-issuer={ISSUER}"),
                format!("--service-account-jwks-uri={ISSUER}/keys.json"),
            ],
            "createOpenIDConnectProvider": {"Url": ISSUER, "ClientIDList": ["sts.amazonaws.com"]},
            "providerARN": provider,
            "awsAccount": {
                "metadata": {"name": "production"},
                "spec": {"oidc": {"providerARN": provider, "audience": "sts.amazonaws.com"}},
            },
        })
    );
}

#[test]
fn an_authority_of_ones_own_is_named_by_its_thumbprint() {
    let folder = Folder::new("thumbprint");
    let authority = File::new("authority.pem", CERTIFICATE);
    let more = ["--ca-file", authority.path(), "--audience", "aws"];
    let Done { code, out, err } = run(&folder, ISSUER, KEYS, &more);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(
        serde_json::from_str::<Value>(&out).unwrap()["createOpenIDConnectProvider"],
        json!({"Url": ISSUER, "ClientIDList": ["aws"], "ThumbprintList": [THUMBPRINT]})
    );
    for (text, said) in [
        (
            String::new(),
            "0 certificates; IAM takes the thumbprints of 1 to 5",
        ),
        (
            CERTIFICATE.repeat(6),
            "6 certificates; IAM takes the thumbprints of 1 to 5",
        ),
        (CERTIFICATE.replace("MII", "!!!"), "not PEM"),
    ] {
        let authority = File::new("wrong.pem", &text);
        let Done { code, out, err } = run(&folder, ISSUER, KEYS, &["--ca-file", authority.path()]);
        assert_eq!((code, out.as_str()), (2, ""), "{text}");
        assert!(err.contains(said), "{err}");
    }
}

#[test]
fn what_aws_would_not_take_is_refused_and_nothing_is_written() {
    let folder = Folder::new("refused");
    let long = format!("https://oidc.example.com/{}", "a".repeat(231));
    for (issuer, said) in [
        ("http://oidc.example.com", "it begins with https://"),
        ("https://oidc.example.com:8443", "no port"),
        (&long, "256 characters; IAM takes at most 255"),
        ("https://oidc.example.com/", "no slash at the end"),
        ("https://kubernetes.default.svc.cluster.local", "no public name"),
        ("https://kubernetes.default.svc", "no public name"),
    ] {
        let Done { code, out, err } = run(&folder, issuer, KEYS, &[]);
        assert_eq!((code, out.as_str()), (2, ""), "{issuer}");
        assert!(err.contains(said), "{issuer}: {err}");
    }
    for (keys, said) in [
        (
            KEYS.replace("ES256", "HS256"),
            "keys[0]: alg is \"HS256\"; STS takes RS256",
        ),
        (
            KEYS.replace("\"crv\"", "\"d\": \"AQ\", \"crv\""),
            "only a secret key has",
        ),
        (
            KEYS.replace("\"x\"", "\"x\": \"AQ\", \"x\""),
            "the key is there more than once",
        ),
        (String::new(), "expected one JSON document with keys, found 0"),
        ("{}".to_owned(), "not a JSON Web Key Set"),
    ] {
        let Done { code, out, err } = run(&folder, ISSUER, &keys, &[]);
        assert_eq!((code, out.as_str()), (2, ""), "{keys}");
        assert!(err.contains(said), "{keys}: {err}");
    }
    let Done { code, err, .. } = run(&folder, ISSUER, KEYS, &["--account", "other"]);
    assert_eq!(code, 2);
    assert!(err.contains("expected one AWSAccount, found 0"), "{err}");
    let Done { code, err, .. } = run(&folder, ISSUER, KEYS, &["--ca-file", "-"]);
    assert_eq!(code, 2);
    assert!(err.contains("would both read standard input"), "{err}");
    assert!(!folder.0.exists());
}

#[test]
fn a_folder_that_cannot_be_written_is_a_failure_and_no_answer() {
    let file = File::new("in-the-way", "");
    let folder = Folder(PathBuf::from(file.path()));
    let Done { code, out, err } = run(&folder, ISSUER, KEYS, &[]);
    assert_eq!((code, out.as_str()), (3, ""));
    assert!(err.contains("in-the-way"), "{err}");
}
