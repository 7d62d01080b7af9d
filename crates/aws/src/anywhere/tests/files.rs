//! Certificates and keys as others make them: by the command line of openssl, so that nothing here is read by what wrote it.

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;

/// Runs openssl in `folder`.
pub(super) fn openssl(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let done = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("openssl is needed for this test");
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "openssl {arguments:?}: {told}");
    done.stdout
}

/// A kind of key, with how openssl makes it and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyKind {
    RsaPkcs1,
    RsaPkcs8,
    Rsa1024,
    P256Sec1,
    P256Pkcs8,
    P384,
    Ed25519,
}

impl KeyKind {
    fn make(self, folder: &Path) {
        let rsa = |bits: &str| openssl(folder, &["genrsa", "-out", "key.pem", bits]);
        let curve = |name: &str| {
            let arguments = ["ecparam", "-name", name, "-genkey", "-noout", "-out", "key.pem"];
            openssl(folder, &arguments)
        };
        match self {
            Self::RsaPkcs1 | Self::RsaPkcs8 => rsa("2048"),
            Self::Rsa1024 => rsa("1024"),
            Self::P256Sec1 | Self::P256Pkcs8 => curve("prime256v1"),
            Self::P384 => curve("secp384r1"),
            Self::Ed25519 => openssl(folder, &["genpkey", "-algorithm", "ed25519", "-out", "key.pem"]),
        };
        let out = ["-in", "key.pem", "-out", "tls.key"];
        let pkcs8 = [&["pkcs8", "-topk8", "-nocrypt"][..], &out].concat();
        match self {
            Self::RsaPkcs1 => openssl(folder, &[&["rsa", "-traditional"][..], &out].concat()),
            Self::P256Sec1 => openssl(folder, &[&["ec"][..], &out].concat()),
            _ => openssl(folder, &pkcs8),
        };
    }
}

pub(super) const END_ENTITY: &str =
    "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n";
pub(super) const SERIAL: &str = "0x0102030405060708090a0b0c0d0e0f1011121314";
/// The same in decimal, by `python3 -c 'print(0x0102…)'`.
pub(super) const SERIAL_DECIMAL: &str = "5753854965885600108575829560559299546819203860";

/// A folder with an authority, an intermediate one, and `tls.crt` (with the intermediate certificate and the root) and `tls.key`.
pub(super) fn issued(kind: KeyKind) -> TempDir {
    issued_with(kind, END_ENTITY)
}

/// The same with these extensions.
pub(super) fn issued_with(kind: KeyKind, extensions: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    let authority = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n";
    fs::write(path.join("ca.ext"), authority).unwrap();
    fs::write(path.join("leaf.ext"), extensions).unwrap();
    for name in ["root", "middle"] {
        let key = format!("{name}.key");
        openssl(
            path,
            &[
                "ecparam",
                "-name",
                "prime256v1",
                "-genkey",
                "-noout",
                "-out",
                &key,
            ],
        );
        request(path, name);
    }
    sign(
        path,
        "root",
        &["-signkey", "root.key", "-extfile", "ca.ext", "-days", "2"],
    );
    let by_root = ["-CA", "root.crt", "-CAkey", "root.key", "-set_serial", "7"];
    sign(
        path,
        "middle",
        &[&by_root[..], &["-extfile", "ca.ext", "-days", "2"]].concat(),
    );
    kind.make(path);
    fs::copy(path.join("tls.key"), path.join("leaf.key")).unwrap();
    request(path, "leaf");
    let by_middle = ["-CA", "middle.crt", "-CAkey", "middle.key", "-set_serial", SERIAL];
    sign(
        path,
        "leaf",
        &[&by_middle[..], &["-extfile", "leaf.ext", "-days", "2"]].concat(),
    );
    let chain: Vec<u8> = ["leaf", "middle", "root"]
        .iter()
        .flat_map(|name| fs::read(path.join(format!("{name}.crt"))).unwrap())
        .collect();
    fs::write(path.join("tls.crt"), chain).unwrap();
    folder
}

fn request(folder: &Path, name: &str) {
    let (key, out, subject) = (
        format!("{name}.key"),
        format!("{name}.csr"),
        format!("/CN={name}"),
    );
    openssl(
        folder,
        &["req", "-new", "-key", &key, "-subj", &subject, "-out", &out],
    );
}

fn sign(folder: &Path, name: &str, how: &[&str]) {
    let (request, out) = (format!("{name}.csr"), format!("{name}.crt"));
    let arguments = [&["x509", "-req", "-in", &request, "-out", &out][..], how].concat();
    openssl(folder, &arguments);
}

/// A certificate's DER in base64, as openssl writes it.
pub(super) fn der_in_base64(folder: &Path, name: &str) -> String {
    let der = format!("{name}.der");
    openssl(
        folder,
        &[
            "x509",
            "-in",
            &format!("{name}.crt"),
            "-outform",
            "DER",
            "-out",
            &der,
        ],
    );
    let text = openssl(folder, &["base64", "-A", "-in", &der]);
    String::from_utf8(text).unwrap()
}
