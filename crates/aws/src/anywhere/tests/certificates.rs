use std::fs;

use jiff::Timestamp;

use super::files::{KeyKind, SERIAL_DECIMAL, issued, issued_with};
use crate::anywhere::certificate::{MAX_FILE, SigningAlgorithm, read};

/// What is wrong with the files in `folder`.
async fn wrong(folder: &std::path::Path) -> String {
    let error = read(folder, Timestamp::now).await.err().expect("refused");
    error.to_string().replace(folder.to_str().unwrap(), "DIR")
}

#[tokio::test]
async fn keys_are_read_in_every_form_that_cert_manager_writes() {
    for (kind, algorithm) in [
        (KeyKind::RsaPkcs1, SigningAlgorithm::Rsa),
        (KeyKind::RsaPkcs8, SigningAlgorithm::Rsa),
        (KeyKind::P256Sec1, SigningAlgorithm::Ecdsa),
        (KeyKind::P256Pkcs8, SigningAlgorithm::Ecdsa),
    ] {
        let folder = issued(kind);
        let read = read(folder.path(), Timestamp::now)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(read.algorithm, algorithm, "{kind:?}");
        assert_eq!(read.serial, SERIAL_DECIMAL);
        // The intermediate one; the root is what the trust anchor has.
        assert_eq!(read.chain.len(), 1);
        let days = (read.not_after.as_second() - Timestamp::now().as_second()) / 3600;
        assert!((47..=48).contains(&days), "{days}");
    }
}

#[tokio::test]
async fn keys_that_cant_be_used_are_refused_with_what_could() {
    for kind in [KeyKind::P384, KeyKind::Ed25519, KeyKind::Rsa1024] {
        let folder = issued(kind);
        let message = wrong(folder.path()).await;
        assert!(
            message.starts_with(
                "the key in DIR/tls.key is of a kind that can't be used: RSA of 2048 to 4096 bits or ECDSA on P-256"
            ),
            "{kind:?}: {message}"
        );
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_valid_now_is_refused_with_its_end() {
    let folder = issued(KeyKind::P256Pkcs8);
    let at = async |time: &str| {
        let time: Timestamp = time.parse().unwrap();
        let error = read(folder.path(), || time).await.err().expect("refused");
        error.to_string().replace(folder.path().to_str().unwrap(), "DIR")
    };
    let end = read(folder.path(), Timestamp::now)
        .await
        .unwrap_or_else(|error| panic!("{error}"))
        .not_after;
    assert_eq!(
        at("2098-01-01T00:00:00Z").await,
        format!(
            "the certificate in DIR/tls.crt (CN=leaf, serial {SERIAL_DECIMAL}) ended at {end}: have it renewed (cert-manager: kubectl \
             describe certificate); it is read again by itself"
        )
    );
    let message = at("2020-01-01T00:00:00Z").await;
    assert!(
        message.contains(" on only, and the clock here says 2020-01-01T00:00:00Z"),
        "{message}"
    );
}

#[tokio::test]
async fn certificates_that_aws_would_not_take_are_refused() {
    let authority = "basicConstraints=critical,CA:TRUE\n";
    let folder = issued_with(KeyKind::P256Pkcs8, authority);
    let message = wrong(folder.path()).await;
    assert!(message.ends_with("is one of an authority; IAM Roles Anywhere takes end-entity certificates"));
    let other = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,keyEncipherment\n";
    let folder = issued_with(KeyKind::P256Pkcs8, other);
    let message = wrong(folder.path()).await;
    assert!(message.contains("has no digitalSignature"), "{message}");
}

#[tokio::test]
async fn files_that_are_none_of_these_are_refused_and_no_key_is_shown() {
    let folder = issued(KeyKind::P256Pkcs8);
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    let (good, good_key) = (fs::read(&certificate).unwrap(), fs::read(&key).unwrap());
    let secret = String::from_utf8(good_key.clone()).unwrap();
    let secret = secret.lines().nth(1).unwrap();

    let other = issued(KeyKind::P256Pkcs8);
    let others_key = fs::read(other.path().join("tls.key")).unwrap();
    let large = [good_key.clone(), vec![b'\n'; MAX_FILE]].concat();
    let leaf = String::from_utf8(good.clone()).unwrap();
    let long = leaf.repeat(4);
    for (text, key_text, expected) in [
        (
            &good,
            &others_key,
            "DIR/tls.key is not the key of the certificate in DIR/tls.crt (CN=leaf, serial",
        ),
        (&good, &large, "DIR/tls.key has more than 65536 bytes"),
        (&large, &good_key, "DIR/tls.crt has more than 65536 bytes"),
        (&good, &good, "DIR/tls.key holds no private key in PEM"),
        (&good_key, &good_key, "DIR/tls.crt holds no certificate in PEM"),
        (&Vec::new(), &good_key, "DIR/tls.crt holds no certificate in PEM"),
        (
            &long.into_bytes(),
            &good_key,
            "DIR/tls.crt holds 7 certificates after the first one; at most 5",
        ),
    ] {
        fs::write(&certificate, text).unwrap();
        fs::write(&key, key_text).unwrap();
        let message = wrong(folder.path()).await;
        assert!(message.starts_with(expected), "{expected}: {message}");
        assert!(!message.contains(secret), "{message}");
    }
    fs::remove_file(&certificate).unwrap();
    let message = wrong(folder.path()).await;
    assert!(message.starts_with("DIR/tls.crt can't be read: "), "{message}");
}

#[tokio::test]
async fn a_swap_between_the_two_files_is_waited_out() {
    let (old, new) = (issued(KeyKind::P256Pkcs8), issued(KeyKind::P256Sec1));
    fs::copy(new.path().join("tls.key"), old.path().join("tls.key")).unwrap();
    let (from, to) = (new.path().join("tls.crt"), old.path().join("tls.crt"));
    let swap = async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        fs::copy(from, to).unwrap();
    };
    let (outcome, ()) = tokio::join!(read(old.path(), Timestamp::now), swap);
    assert!(outcome.is_ok());
}
