//! `deputy bootstrap aws`.

use std::{fs, path::Path};

use serde_json::Value;

use crate::run::{Done, deputy};

const EXAMPLE: &str = "examples/productionapp/10-platform.yaml";

#[test]
fn what_the_example_account_needs_is_as_published() {
    let Done { code, out, err } = deputy(
        &[
            "bootstrap",
            "aws",
            "--cluster-name",
            "production-1",
            "-f",
            EXAMPLE,
        ],
        "",
    );
    assert_eq!((code, err.as_str()), (0, ""));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/bootstrap-aws.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|v| v == "1") {
        fs::write(&file, &out).unwrap();
    }
    let golden = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        golden == out,
        "tests/golden/bootstrap-aws.json is out of date. Run: make generate"
    );
    let names: Vec<_> = serde_json::from_str::<Value>(&out).unwrap()["identities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        names,
        ["deputy-broker", "deputy-provisioner", "deputy-boundary-writer"]
    );
}

#[test]
fn the_account_may_come_from_standard_input() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(EXAMPLE)).unwrap();
    let piped = deputy(
        &["bootstrap", "aws", "--cluster-name", "production-1", "-f", "-"],
        &text,
    );
    let read = deputy(
        &[
            "bootstrap",
            "aws",
            "--cluster-name",
            "production-1",
            "-f",
            EXAMPLE,
        ],
        "",
    );
    assert_eq!((piped.code, piped.out), (0, read.out));
}

#[test]
fn what_is_wrong_is_said() {
    let run = |arguments: &[&str], input: &str| {
        deputy(&[&["bootstrap", "aws", "-f", "-"], arguments].concat(), input)
    };
    let none = run(&["--cluster-name", "c"], "");
    assert_eq!(none.code, 2);
    assert!(
        none.err.contains("expected one AWSAccount, found 0"),
        "{}",
        none.err
    );
    assert_eq!(run(&["--cluster-name", "Not/A/Path"], "").code, 2);
    assert_eq!(run(&[], "").code, 2);
    let account = |id: &str| {
        format!(
            "apiVersion: deputy.dev/v1alpha1\nkind: AWSAccount\nmetadata: {{name: a}}\nspec: {{accountID: {id}, partition: aws, region: eu-west-1, issuer: {{principalARN: 'arn:aws:iam::123456789012:role/b'}}}}\n"
        )
    };
    let unquoted = run(&["--cluster-name", "c"], &account("123456789012"));
    assert_eq!(unquoted.code, 2);
    assert!(unquoted.err.contains("AWSAccount"), "{}", unquoted.err);
    assert_eq!(run(&["--cluster-name", "c"], &account("'123456789012'")).code, 0);
    let twice = account("'123456789012'").replace("metadata:", "kind: AWSAccount\nmetadata:");
    let twice = run(&["--cluster-name", "c"], &twice);
    assert_eq!(twice.code, 2, "a key given twice is refused");
}

/// In the words of YAML and of the reference page, with the field.
#[test]
fn an_account_of_another_shape_is_refused_in_plain_words() {
    let good = "accountID: '123456789012', partition: aws, region: eu-west-1, issuer: {principalARN: 'arn:aws:iam::123456789012:role/b'}";
    let run = |spec: &str| {
        let text =
            format!("apiVersion: deputy.dev/v1alpha1\nkind: AWSAccount\nmetadata: {{name: a}}\n{spec}\n");
        deputy(&["bootstrap", "aws", "--cluster-name", "c", "-f", "-"], &text)
    };
    assert_eq!(run(&format!("spec: {{{good}}}")).code, 0);
    for (spec, said) in [
        (String::new(), "AWSAccount spec: it is missing"),
        (
            "spec: []".to_owned(),
            "AWSAccount spec: it is a list; an object is needed",
        ),
        ("spec: {}".to_owned(), "AWSAccount spec.accountID: it is missing"),
        (
            format!("spec: {{{}}}", good.replace("'123456789012',", "123456789012,")),
            "AWSAccount spec.accountID: it is the number 123456789012 without quotes; text is needed",
        ),
        (
            format!(
                "spec: {{{}}}",
                good.replace('{', "[")
                    .replace('}', "]")
                    .replace("principalARN: ", "")
            ),
            "AWSAccount spec.issuer: it is a list; an object is needed",
        ),
        (
            format!("spec: {{{good}, isuer: {{}}}}"),
            "AWSAccount spec.isuer: AWSAccount has no such field",
        ),
        (
            format!("spec: {{{good}, defaults: null}}"),
            "AWSAccount spec.defaults: it is null; write a value, or leave the field out",
        ),
    ] {
        let Done { code, out, err } = run(&spec);
        assert_eq!((code, out.as_str()), (2, ""), "{spec}");
        assert!(err.contains(said), "{spec}: {err}");
        assert!(!err.contains("struct"), "{err}");
    }
}
