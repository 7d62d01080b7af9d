//! Files and standard input that are not what they should be.

use crate::run::{Done, File, deputy, deputy_on};

const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;

#[test]
fn standard_input_is_read_once() {
    let evaluate = |more: &[&str]| {
        let base = [
            "policy",
            "evaluate",
            "--action",
            "s3:GetObject",
            "--resource",
            "*",
        ];
        let all: Vec<String> = base.iter().chain(more).map(|a| (*a).to_owned()).collect();
        all
    };
    let other = |all: &[&str]| all.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>();
    let cases = [
        (other(&["policy", "contains", "-", "-"]), "CANDIDATE and CEILING"),
        (
            other(&["policy", "contains", "-", "/dev/stdin"]),
            "CANDIDATE and CEILING",
        ),
        (
            other(&["policy", "contains", "x", "-", "--boundary", "-"]),
            "CEILING and --boundary",
        ),
        (
            other(&["policy", "contains", "x", "y", "--session", "-", "--session", "-"]),
            "--session and --session",
        ),
        (
            other(&["bootstrap", "aws", "--cluster-name", "c", "-f", "-", "-f", "-"]),
            "--filename and --filename",
        ),
        (
            evaluate(&["--identity", "-", "--identity", "/dev/fd/0"]),
            "--identity and --identity",
        ),
        (
            evaluate(&["--identity", "-", "--resource-policy", "-"]),
            "--identity and --resource-policy",
        ),
        (
            evaluate(&["--boundary", "-", "--session", "-"]),
            "--boundary and --session",
        ),
        (evaluate(&["--scps", "a,-", "--rcps", "-"]), "--scps and --rcps"),
        (evaluate(&["--scps=-,-"]), "--scps and --scps"),
        (evaluate(&["--rcps", "-", "--rcps", "-"]), "--rcps and --rcps"),
    ];
    for (arguments, which) in cases {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let Done { code, out, err } = deputy(&arguments, POLICY);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}");
        let wanted = format!(
            "deputy: {which} would both read standard input, which can be read once; name a file for one of them\n"
        );
        assert_eq!(err, wanted, "{arguments:?}");
    }
    let file = File::new("once", POLICY);
    assert_eq!(deputy(&["policy", "contains", "-", file.path()], POLICY).code, 0);
    assert_eq!(
        deputy(&["policy", "contains", file.path(), "/dev/stdin"], POLICY).code,
        0
    );
}

#[test]
fn a_batch_takes_no_policies_beside_it() {
    let file = File::new("beside", POLICY);
    let path = file.path();
    let cases: [&[&str]; 6] = [
        &["policy", "contains", path, path],
        &["policy", "contains", "--type", "trust"],
        &["policy", "lint", path],
        &["policy", "lint", "--format", "json"],
        &["policy", "evaluate", "--identity", path],
        &["policy", "evaluate", "--context", "a:b=c"],
    ];
    for arguments in cases {
        let Done { code, err, .. } = deputy(&[arguments, &["--batch", "-"]].concat(), "");
        assert_eq!(code, 2, "{arguments:?}");
        assert!(err.contains("--batch"), "{arguments:?}: {err}");
    }
    assert_eq!(
        deputy(&["policy", "evaluate", "--explain", "--batch", "-"], "").code,
        0
    );
}

#[test]
fn a_file_in_another_encoding_is_named() {
    let utf16 = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> { POLICY.encode_utf16().flat_map(bytes).collect() };
    let (little, big) = (utf16(u16::to_le_bytes), utf16(u16::to_be_bytes));
    let cases: [(&str, Vec<u8>, &str); 6] = [
        (
            "mark",
            [b"\xEF\xBB\xBF", POLICY.as_bytes()].concat(),
            "it begins with a byte order mark (U+FEFF), which AWS does not take; save it as UTF-8 without one",
        ),
        (
            "le",
            [b"\xFF\xFE", little.as_slice()].concat(),
            "it is UTF-16 (little endian); save it as UTF-8",
        ),
        (
            "be",
            [b"\xFE\xFF", big.as_slice()].concat(),
            "it is UTF-16 (big endian); save it as UTF-8",
        ),
        ("le-bare", little, "it is UTF-16; save it as UTF-8"),
        ("be-bare", big, "it is UTF-16; save it as UTF-8"),
        (
            "latin1",
            POLICY
                .replace("s3:GetObject", "\u{1}")
                .into_bytes()
                .iter()
                .map(|b| if *b == 1 { 0xE9 } else { *b })
                .collect(),
            "it is not UTF-8: the byte 0xE9 at offset 65; save it as UTF-8",
        ),
    ];
    let good = File::new("encoding", POLICY);
    for (name, bytes, said) in cases {
        for extension in ["json", "yaml"] {
            let file = File::new(&format!("{name}.{extension}"), &bytes);
            let path = file.path();
            let runs: [&[&str]; 5] = [
                &["policy", "lint", path],
                &["policy", "contains", path, good.path()],
                &["policy", "contains", good.path(), path],
                &[
                    "policy",
                    "evaluate",
                    "--action",
                    "s3:GetObject",
                    "--resource",
                    "*",
                    "--identity",
                    path,
                ],
                &["bootstrap", "aws", "--cluster-name", "c", "-f", path],
            ];
            for arguments in runs {
                let Done { code, out, err } = deputy(arguments, "");
                assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}");
                assert!(
                    err.starts_with(&format!("deputy: {path}: {said}")),
                    "{arguments:?}: {err}"
                );
            }
        }
        let piped = deputy_on(&["policy", "lint", "-"], bytes);
        assert!(
            piped.err.starts_with(&format!("deputy: -: {said}")),
            "{}",
            piped.err
        );
    }
}

#[test]
fn a_file_that_is_too_large_is_refused_with_both_numbers() {
    let file = File::new("large", " ".repeat((16 << 20) + 1));
    let Done { code, err, .. } = deputy(&["policy", "lint", file.path()], "");
    assert_eq!(code, 2);
    assert!(err.contains("more than 16777216 bytes"), "{err}");
    let policy = File::new("large-policy", format!("{POLICY}{}", " ".repeat(300_000)));
    let Done { code, err, .. } = deputy(&["policy", "lint", policy.path()], "");
    assert_eq!(code, 2);
    let bytes = POLICY.len() + 300_000;
    assert!(
        err.contains(&format!("the policy has {bytes} bytes; at most 262144 are read")),
        "{err}"
    );
}
