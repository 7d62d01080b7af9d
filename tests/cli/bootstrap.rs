//! `deputy bootstrap aws`.

use std::{fs, path::Path};

use serde_json::Value;

use crate::run::{Done, deputy};

const EXAMPLE: &str = "examples/productionapp/10-platform.yaml";

const BOTH: &str = "examples/two-accounts/10-platform.yaml";

fn of_file(file: &str) -> Done {
    deputy(
        &["bootstrap", "aws", "--cluster-name", "production-1", "-f", file],
        "",
    )
}

/// A run about the manifests of standard input.
fn of_text(text: &str, more: &[&str]) -> Done {
    let arguments = ["bootstrap", "aws", "--cluster-name", "production-1", "-f", "-"];
    deputy(&[&arguments, more].concat(), text)
}

fn example(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// The ARNs of an answer, account by account.
fn arns(out: &str) -> Vec<Vec<String>> {
    let out: Value = serde_json::from_str(out).unwrap();
    let accounts = out["accounts"].as_array().unwrap().iter();
    let arns = accounts.map(|account| {
        let identities = account["identities"].as_array().unwrap().iter();
        identities
            .map(|i| i["arn"].as_str().unwrap().to_owned())
            .collect()
    });
    arns.collect()
}

#[test]
fn what_the_accounts_of_the_examples_need_is_as_published() {
    for (file, golden) in [
        (EXAMPLE, "bootstrap-aws.json"),
        (BOTH, "bootstrap-aws-two-accounts.json"),
    ] {
        let Done { code, out, err } = of_file(file);
        assert_eq!((code, err.as_str()), (0, ""), "{file}");
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden")
            .join(golden);
        if std::env::var_os("UPDATE_GOLDEN").is_some_and(|v| v == "1") {
            fs::write(&path, &out).unwrap();
        }
        let is = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            is == out,
            "tests/golden/{golden} is out of date. Run: make generate"
        );
    }
}

#[test]
fn policies_of_resources_that_a_limit_names_are_the_controllers_to_write() {
    let done = of_file("examples/federation/10-platform.yaml");
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    let out: Value = serde_json::from_str(&done.out).unwrap();
    let identities = out["accounts"][0]["identities"].as_array().unwrap().iter();
    let with_them = identities.filter(|identity| identity["policy"].to_string().contains("BucketPolic"));
    let [controller] = with_them.collect::<Vec<_>>()[..] else {
        panic!("one identity has them: {}", done.out)
    };
    assert_eq!(controller["process"], "deputy controller");
    let mut statements = controller["policy"]["Statement"].as_array().unwrap().iter();
    let statement = statements.find(|s| s["Sid"] == "BucketPolicies").unwrap();
    assert_eq!(
        statement,
        &serde_json::json!({
            "Sid": "BucketPolicies",
            "Effect": "Allow",
            "Action": ["s3:DeleteBucketPolicy", "s3:GetBucketPolicy", "s3:PutBucketPolicy"],
            "Resource": "arn:aws:s3:::productionapp",
            "Condition": {"StringEquals": {"aws:ResourceAccount": "123456789012"}},
        })
    );
}

#[test]
fn one_account_of_several_is_printed_as_in_the_answer_about_all() {
    let all: Value = serde_json::from_str(&of_file(BOTH).out).unwrap();
    for (i, name) in ["orders", "warehouse"].into_iter().enumerate() {
        let one = of_text(&example(BOTH), &["--account", name]);
        assert_eq!((one.code, one.err.as_str()), (0, ""), "{name}");
        let one: Value = serde_json::from_str(&one.out).unwrap();
        assert_eq!(one["accounts"].as_array().unwrap().len(), 1);
        assert_eq!(one["accounts"][0], all["accounts"][i], "{name}");
    }
    let other = of_text(&example(BOTH), &["--account", "archive"]);
    assert_eq!((other.code, other.out.as_str()), (2, ""));
    assert_eq!(
        other.err,
        "deputy: --account archive: the files have no such AWSAccount; they have orders, warehouse\n"
    );
    // Both files in one run are the same as one file with both.
    let folder = std::env::temp_dir().join(format!("deputy-bootstrap-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let text = example(BOTH);
    let (orders, rest) = text.split_once("\n---\n").unwrap();
    let [first, second] = ["a.yaml", "b.yaml"].map(|name| folder.join(name).display().to_string());
    fs::write(&first, orders).unwrap();
    fs::write(&second, rest).unwrap();
    let arguments = ["bootstrap", "aws", "--cluster-name", "production-1", "-f"];
    let apart = deputy(&[&arguments, &[&*first, "-f", &*second][..]].concat(), "");
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!((apart.code, apart.out), (0, of_file(BOTH).out));
}

#[test]
fn what_can_not_be_together_is_said_with_both_names() {
    let text = example(BOTH);
    let second = |from: &str, to: &str| {
        let (first, rest) = text.split_once("name: warehouse").unwrap();
        format!("{first}name: warehouse{}", rest.replacen(from, to, 1))
    };
    let assumed =
        "  provisioner:\n    assumeRole:\n      roleARN: arn:aws:iam::210987654321:role/deputy-provisioner\n";
    for (text, said) in [
        (
            text.replace("name: warehouse", "name: orders"),
            "AWSAccount orders is there twice",
        ),
        (
            text.replace("210987654321", "123456789012"),
            "AWSAccounts orders and warehouse are both of AWS account 123456789012",
        ),
        (
            second(
                "arn:aws:iam::123456789012:role/deputy-broker",
                "arn:aws:iam::123456789012:role/other",
            ),
            "AWSAccount orders: spec.issuer.principalARN is arn:aws:iam::123456789012:role/deputy-broker, of warehouse it is \
             arn:aws:iam::123456789012:role/other; the broker is one identity in all accounts of a cluster",
        ),
        (
            second(assumed, ""),
            "AWSAccounts orders and warehouse both leave spec.provisioner out",
        ),
        (
            second("role/deputy-boundary-writer", "role/deputy-provisioner"),
            "arn:aws:iam::210987654321:role/deputy-provisioner would be the identity of deputy controller and of deputy limits",
        ),
        (
            format!(
                "{text}---\n{}",
                text.split("\n---\n")
                    .find(|t| t.contains("kind: DelegationLimit"))
                    .unwrap()
            ),
            "DelegationLimit reports is there twice",
        ),
        (
            text.replace("\"123456789012\"", "123456789012")
                .replace("us-east-1", "cn-north-1"),
            "deputy: AWSAccount orders, spec.accountID: it is the number 123456789012 without quotes; text is needed\n\
             AWSAccount warehouse, spec.region: cn-north-1 is a region of partition aws-cn",
        ),
    ] {
        let Done { code, out, err } = of_text(&text, &[]);
        assert_eq!((code, out.as_str()), (2, ""), "{said}");
        assert!(err.contains(said), "{said}: {err}");
    }
}

/// Limits may be about accounts that are prepared elsewhere: nothing is wrong with that, and nobody takes the answer for all.
#[test]
fn a_limit_of_an_account_that_is_not_there_is_a_note() {
    let text = example(BOTH).replace("[orders, warehouse]", "[orders, archive]");
    let Done { code, out, err } = of_text(&text, &[]);
    assert_eq!(code, 0);
    assert_eq!(
        err,
        "deputy: DelegationLimit reports, spec.accounts: the files have no AWSAccount archive; nothing is printed for it\n"
    );
    assert_eq!(out, of_file(BOTH).out);
}

/// One statement with a role for each account is the longest that there is.
#[test]
fn a_policy_that_no_managed_policy_holds_is_a_note() {
    let account = |i: usize| {
        let id = format!("{i:012}");
        format!(
            "kind: AWSAccount\nmetadata: {{name: a{i}}}\nspec:\n  accountID: '{id}'\n  region: eu-west-1\n  issuer: {{principalARN: \
             'arn:aws:iam::123456789012:role/deputy-broker'}}\n  provisioner: {{assumeRole: {{roleARN: 'arn:aws:iam::{id}:role/p'}}}}\n  \
             boundaryWriter: {{assumeRole: {{roleARN: 'arn:aws:iam::{id}:role/w'}}}}\n"
        )
    };
    let many: Vec<String> = (1..=120).map(account).collect();
    let Done { code, out, err } = of_text(&many.join("---\n"), &[]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(arns(&out).len(), 121);
    assert_eq!(
        arns(&out)[0],
        ["deputy-broker", "deputy-controller", "deputy-limits"]
            .map(|name| format!("arn:aws:iam::123456789012:role/{name}"))
    );
    let broker = err.lines().next().unwrap();
    assert!(
        broker.starts_with("deputy: the policy of arn:aws:iam::123456789012:role/deputy-broker has ")
            && broker.ends_with(
                "characters; a managed policy has at most 6144, and the inline policies of a role together at most 10240: divide it by \
                 its statements"
            ),
        "{err}"
    );
}

#[test]
fn the_account_may_come_from_standard_input() {
    let piped = of_text(&example(EXAMPLE), &[]);
    assert_eq!((piped.code, piped.out), (0, of_file(EXAMPLE).out));
}

#[test]
fn what_is_wrong_is_said() {
    let run = |arguments: &[&str], input: &str| {
        deputy(&[&["bootstrap", "aws", "-f", "-"], arguments].concat(), input)
    };
    let none = run(&["--cluster-name", "c"], "");
    assert_eq!(none.code, 2);
    assert!(
        none.err.contains("expected an AWSAccount, found none"),
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
        (String::new(), "AWSAccount a, spec: it is missing"),
        (
            "spec: []".to_owned(),
            "AWSAccount a, spec: it is a list; an object is needed",
        ),
        (
            "spec: {}".to_owned(),
            "AWSAccount a, spec.accountID: it is missing",
        ),
        (
            format!("spec: {{{}}}", good.replace("'123456789012',", "123456789012,")),
            "AWSAccount a, spec.accountID: it is the number 123456789012 without quotes; text is needed",
        ),
        (
            format!(
                "spec: {{{}}}",
                good.replace('{', "[")
                    .replace('}', "]")
                    .replace("principalARN: ", "")
            ),
            "AWSAccount a, spec.issuer: it is a list; an object is needed",
        ),
        (
            format!("spec: {{{good}, isuer: {{}}}}"),
            "AWSAccount a, spec.isuer: AWSAccount has no such field",
        ),
        (
            format!("spec: {{{good}, defaults: null}}"),
            "AWSAccount a, spec.defaults: it is null; write a value, or leave the field out",
        ),
    ] {
        let Done { code, out, err } = run(&spec);
        assert_eq!((code, out.as_str()), (2, ""), "{spec}");
        assert!(err.contains(said), "{spec}: {err}");
        assert!(!err.contains("struct"), "{err}");
    }
}

const ANCHOR: &str =
    "arn:aws:rolesanywhere:ap-northeast-1:123456789012:trust-anchor/8f3d1a52-2c3e-4f0e-9d9b-1f2e3d4c5b6a";

#[test]
fn with_a_trust_anchor_the_identities_come_from_roles_anywhere() {
    let text = example(EXAMPLE);
    let done = of_text(&text, &["--trust-anchor", ANCHOR]);
    assert_eq!(
        (done.code, done.err.as_str()),
        (
            0,
            "deputy: AWSAccount production: spec.issuer needs hasSourceIdentity: true, or AWS refuses the broker every role: sessions of \
             IAM Roles Anywhere have a source identity\n"
        )
    );
    let out: Value = serde_json::from_str(&done.out).unwrap();
    let identities = out["accounts"][0]["identities"].as_array().unwrap();
    assert_eq!(identities.len(), 3);
    for identity in identities {
        let statement = &identity["trust"]["Statement"][0];
        assert_eq!(statement["Condition"]["ArnEquals"]["aws:SourceArn"], ANCHOR);
        let common_name = &statement["Condition"]["StringEquals"]["aws:PrincipalTag/x509Subject/CN"];
        assert_eq!(common_name, &identity["name"]);
    }
    let said = text.replace(
        "role/deputy-broker\n",
        "role/deputy-broker\n    hasSourceIdentity: true\n",
    );
    assert_ne!(said, text);
    let done = of_text(&said, &["--trust-anchor", ANCHOR]);
    assert_eq!((done.code, done.err.as_str()), (0, ""));

    let other = of_text(
        &text,
        &["--trust-anchor", &ANCHOR.replace("123456789012", "210987654321")],
    );
    assert_eq!((other.code, other.out.as_str()), (2, ""));
    assert!(other.err.contains(
        "deputy: --trust-anchor: arn:aws:iam::123456789012:role/deputy-broker is in another account"
    ));
    let wrong = of_text(&text, &["--trust-anchor", "arn:aws:iam::123456789012:role/x"]);
    assert_eq!(wrong.code, 2);
}

#[test]
fn half_of_roles_anywhere_ends_a_process_before_it_begins() {
    let profile = ANCHOR.replace("trust-anchor", "profile");
    let role = "arn:aws:iam::123456789012:role/deputy-broker";
    for process in ["broker", "controller", "limits"] {
        let begin = |profile: &str, more: &[&str]| {
            let head = [
                process,
                "--cluster-name",
                "production-1",
                "--roles-anywhere-trust-anchor",
                ANCHOR,
            ];
            deputy(
                &[&head, &["--roles-anywhere-profile", profile][..], more].concat(),
                "",
            )
        };
        let half = begin(&profile, &[]);
        assert_eq!(half.code, 2, "{}", half.err);
        assert!(half.err.contains("--roles-anywhere-role"), "{}", half.err);
        let elsewhere = begin(
            &profile.replace("ap-northeast-1", "eu-west-1"),
            &["--roles-anywhere-role", role],
        );
        assert_eq!(elsewhere.code, 2);
        assert!(
            elsewhere.err.starts_with(
                "deputy: IAM Roles Anywhere: profile arn:aws:rolesanywhere:eu-west-1:123456789012:profile/"
            ) && elsewhere.err.contains("is in another region than trust anchor"),
            "{}",
            elsewhere.err
        );
        let plain = [
            "--roles-anywhere-role",
            role,
            "--roles-anywhere-endpoint",
            "http://example.com",
        ];
        let plain = begin(&profile, &plain);
        assert!(
            plain.err.contains("is not https://<host>[:port][/path]"),
            "{}",
            plain.err
        );
    }
}
