use std::{fs, time::Duration};

use deputy_delegation::RoleArn;
use jiff::Timestamp;
use proptest::prelude::*;

use super::{
    at,
    files::{KeyKind, SERIAL_DECIMAL, der_in_base64, issued, openssl},
    plain_settings,
};
use crate::anywhere::{
    RolesAnywhere, RolesAnywhereSettings,
    certificate::read,
    request::{SignedRequest, canonical, signed},
};

const ENDPOINT: &str = "https://rolesanywhere.eu-west-1.amazonaws.com";
/// SHA-256 of `{"durationSeconds":3600}`, by sha256sum.
const BODY_HASH: &str = "1a15f67f6619aa540b13e9a4c37d149fb2c9bdea25d82b73a3878826694dfe27";

fn now() -> Timestamp {
    "2026-11-29T20:43:22Z".parse().unwrap()
}

fn header<'a>(request: &'a SignedRequest, name: &str) -> &'a str {
    let found = request.headers.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| value.as_str()).unwrap()
}

/// What AWS's page says is signed, written out by hand; openssl hashes it.
fn string_to_sign(folder: &std::path::Path, algorithm: &str, host: &str, path: &str) -> String {
    let (leaf, middle) = (der_in_base64(folder, "leaf"), der_in_base64(folder, "middle"));
    let id = super::ID;
    let canonical = format!(
        "POST\n{path}/sessions\n\
         profileArn=arn%3Aaws%3Arolesanywhere%3Aeu-west-1%3A123456789012%3Aprofile%2F{id}\
         &roleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fplatform%2Fdeputy-broker%2B1\
         &trustAnchorArn=arn%3Aaws%3Arolesanywhere%3Aeu-west-1%3A123456789012%3Atrust-anchor%2F{id}\n\
         content-type:application/json\nhost:{host}\nx-amz-date:20261129T204322Z\nx-amz-x509:{leaf}\nx-amz-x509-chain:{middle}\n\n\
         content-type;host;x-amz-date;x-amz-x509;x-amz-x509-chain\n{BODY_HASH}"
    );
    fs::write(folder.join("canonical"), canonical).unwrap();
    let hash = String::from_utf8(openssl(folder, &["dgst", "-sha256", "-r", "canonical"])).unwrap();
    let hash = hash.split_whitespace().next().unwrap();
    format!("{algorithm}\n20261129T204322Z\n20261129/eu-west-1/rolesanywhere/aws4_request\n{hash}")
}

/// Whether openssl finds the signature of `request` to be that of the certificate's key over what AWS says is signed.
fn verify(folder: &std::path::Path, request: &SignedRequest, algorithm: &str, host: &str, path: &str) {
    let to_sign = string_to_sign(folder, algorithm, host, path);
    let authorization = header(request, "authorization");
    let (head, signature) = authorization.split_once(", Signature=").unwrap();
    assert_eq!(
        head,
        format!(
            "{algorithm} Credential={SERIAL_DECIMAL}/20261129/eu-west-1/rolesanywhere/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-x509;x-amz-x509-chain"
        )
    );
    let signature = data_encoding::HEXLOWER.decode(signature.as_bytes()).unwrap();
    fs::write(folder.join("signature"), signature).unwrap();
    fs::write(folder.join("signed"), to_sign).unwrap();
    let public = openssl(folder, &["x509", "-in", "leaf.crt", "-pubkey", "-noout"]);
    fs::write(folder.join("public.pem"), public).unwrap();
    let arguments = [
        "dgst",
        "-sha256",
        "-verify",
        "public.pem",
        "-signature",
        "signature",
        "signed",
    ];
    assert_eq!(openssl(folder, &arguments), b"Verified OK\n");
}

#[tokio::test]
async fn openssl_verifies_what_is_signed_as_aws_describes_it() {
    for (kind, algorithm) in [
        (KeyKind::RsaPkcs1, "AWS4-X509-RSA-SHA256"),
        (KeyKind::P256Sec1, "AWS4-X509-ECDSA-SHA256"),
    ] {
        let folder = issued(kind);
        let certificate = read(folder.path(), Timestamp::now)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        for (endpoint, host, path) in [
            (ENDPOINT, "rolesanywhere.eu-west-1.amazonaws.com", ""),
            ("https://vpce-1.example.com:443/a/", "vpce-1.example.com", "/a"),
            ("http://127.0.0.1:5000", "127.0.0.1:5000", ""),
        ] {
            let settings = at(folder.path(), endpoint);
            let request = signed(&settings, &certificate, now()).unwrap();
            assert_eq!(request.body, "{\"durationSeconds\":3600}");
            assert!(
                request.url.starts_with(endpoint.trim_end_matches('/')),
                "{}",
                request.url
            );
            verify(folder.path(), &request, algorithm, host, path);
        }
        // RSASSA-PKCS1-v1_5 has no chance in it: the same request has the same signature.
        if kind == KeyKind::RsaPkcs1 {
            let settings = RolesAnywhere::new(plain_settings(folder.path())).unwrap();
            let [one, two] = [0, 1].map(|_| signed(&settings, &certificate, now()).unwrap());
            assert_eq!(one, two);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the names are: what is signed has one line for each part, and the URL has what is signed.
    #[test]
    fn no_name_of_a_role_changes_the_shape_of_what_is_signed(
        path in "(/[A-Za-z0-9.,+@=_-]{1,20}){0,3}",
        name in "[A-Za-z0-9+=,.@_-]{1,64}",
        seconds in 900_u64..=43_200,
    ) {
        let role = RoleArn::parse(&format!("arn:aws:iam::123456789012:role{path}/{name}")).unwrap();
        let settings = RolesAnywhereSettings {
            role: role.clone(),
            session: Duration::from_secs(seconds),
            ..plain_settings(std::path::Path::new("/nowhere"))
        };
        let settings = RolesAnywhere::new(settings).unwrap();
        let [one, two] = [0, 1].map(|_| canonical(&settings, now()));
        prop_assert_eq!(&one, &two);
        prop_assert_eq!(one.lines().count(), 10);
        let query = one.lines().nth(2).unwrap();
        let safe = |b: u8| b.is_ascii_alphanumeric() || b"-._~%&=".contains(&b);
        prop_assert!(query.bytes().all(safe), "{}", query);
        let decoded = query.split('&').nth(1).unwrap().trim_start_matches("roleArn=");
        let parts = decoded.split('%').enumerate().map(|(i, part)| match i {
            0 => part.to_owned(),
            _ => {
                let (code, rest) = part.split_at(2);
                format!("{}{rest}", char::from(u8::from_str_radix(code, 16).unwrap()))
            }
        });
        prop_assert_eq!(parts.collect::<String>(), role.to_string());
    }
}
