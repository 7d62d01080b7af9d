//! `deputy bootstrap aws --format`: each format makes what `policies` says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde_json::Value;

use crate::run::{Done, deputy};

const EXAMPLE: &str = "examples/productionapp/10-platform.yaml";
const BOTH: &str = "examples/two-accounts/10-platform.yaml";
const FEDERATION: &str = "examples/federation/10-platform.yaml";
const EKS: &str = "arn:aws:eks:ap-northeast-1:123456789012:cluster/production";
const PROVIDER: &str =
    "arn:aws:iam::123456789012:oidc-provider/oidc.eks.ap-northeast-1.amazonaws.com/id/EXAMPLE";
const EMERGENCY: &str = "arn:aws:iam::123456789012:role/emergency";

fn of_file(file: &str, more: &[&str]) -> Done {
    let arguments = ["bootstrap", "aws", "--cluster-name", "production-1", "-f", file];
    deputy(&[&arguments, more].concat(), "")
}

/// The answer of a run that has nothing to say besides.
fn answer(file: &str, more: &[&str]) -> String {
    let Done { code, out, err } = of_file(file, more);
    assert_eq!((code, err.as_str()), (0, ""), "{file} {more:?}");
    out
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn what_each_format_makes_is_as_published() {
    let cases: [(&str, &[&str]); 6] = [
        (
            "cloudformation.json",
            &["--format", "cloudformation", "--eks-cluster", EKS],
        ),
        ("tf.json", &["--format", "terraform", "--eks-cluster", EKS]),
        ("sh", &["--format", "awscli", "--oidc-provider", PROVIDER]),
        ("eksctl.yaml", &["--format", "eksctl", "--eks-cluster", EKS]),
        (
            "irsa.eksctl.yaml",
            &[
                "--format",
                "eksctl",
                "--eks-cluster",
                EKS,
                "--oidc-provider",
                PROVIDER,
            ],
        ),
        (
            "scp.tf.json",
            &["--format", "terraform", "--scp", "--break-glass", EMERGENCY],
        ),
    ];
    for (ending, more) in cases {
        let out = answer(EXAMPLE, more);
        let name = format!("tests/golden/bootstrap-aws.{ending}");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&name);
        if std::env::var_os("UPDATE_GOLDEN").is_some_and(|v| v == "1") {
            fs::write(&path, &out).unwrap();
        }
        let is = fs::read_to_string(&path).unwrap_or_default();
        assert!(is == out, "{name} is out of date. Run: make generate");
    }
}

/// Policies and trust by the name of their identity, as `policies` says.
fn said(file: &str, more: &[&str], account: usize) -> BTreeMap<String, (Value, Value)> {
    let out = json(&answer(file, more));
    let identities = out["accounts"][account]["identities"].as_array().unwrap().iter();
    identities
        .map(|i| {
            let name = i["name"].as_str().unwrap().to_owned();
            (name, (i["policy"].clone(), i["trust"].clone()))
        })
        .collect()
}

/// The texts of `${TYPE.NAME.ATTRIBUTE}` in a configuration.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.values().for_each(|v| references(v, found)),
        Value::Array(items) => items.iter().for_each(|v| references(v, found)),
        Value::String(text) => {
            let without_literals = text.replace("$${", "").replace("%%{", "");
            assert!(!without_literals.contains("%{"), "{text}");
            let parts = without_literals.split("${").skip(1);
            found.extend(parts.map(|part| part.split_once('}').unwrap().0.to_owned()));
        }
        _ => {}
    }
}

#[test]
fn terraform_makes_what_the_policies_say_and_refers_to_it() {
    for (file, more) in [
        (EXAMPLE, &["--eks-cluster", EKS][..]),
        (EXAMPLE, &["--oidc-provider", PROVIDER]),
        (FEDERATION, &["--eks-cluster", EKS]),
    ] {
        let all = json(&answer(file, &[more, &["--format", "terraform"]].concat()));
        let resources = all["resource"].as_object().unwrap();
        let mut found = Vec::new();
        references(&all, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let parts: Vec<&str> = reference.split('.').collect();
            let [kind, name, "arn" | "name"] = parts[..] else {
                panic!("{reference}")
            };
            assert!(resources[kind].get(name).is_some(), "{reference}");
        }
        let text = |value: &Value| json(&value.as_str().unwrap().replace("$${", "${"));
        for (name, (policy, trust)) in said(file, more, 0) {
            assert_eq!(
                text(&resources["aws_iam_policy"][&name]["policy"]),
                policy,
                "{name}"
            );
            let role = resources["aws_iam_role"].get(&name);
            match role {
                Some(role) => assert_eq!(text(&role["assume_role_policy"]), trust),
                None => assert_eq!(resources["aws_iam_user"][&name]["name"], name.as_str()),
            }
        }
        let account = said_account(file);
        assert_eq!(
            all["provider"]["aws"]["allowed_account_ids"],
            Value::from(vec![account])
        );
    }
}

fn said_account(file: &str) -> String {
    let out = json(&answer(file, &[]));
    out["accounts"][0]["account"].as_str().unwrap().to_owned()
}

/// What a template refers to, and by which function.
fn intrinsics(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(name)) = fields.get("Ref") {
                found.insert(name.clone());
            }
            if let Some(Value::Array(parts)) = fields.get("Fn::GetAtt") {
                found.insert(parts[0].as_str().unwrap().to_owned());
            }
            fields.values().for_each(|v| intrinsics(v, found));
        }
        Value::Array(items) => items.iter().for_each(|v| intrinsics(v, found)),
        _ => {}
    }
}

#[test]
fn a_template_makes_what_the_policies_say_and_refers_to_it() {
    for (file, more) in [
        (EXAMPLE, &["--eks-cluster", EKS][..]),
        (FEDERATION, &["--eks-cluster", EKS]),
    ] {
        let template = json(&answer(file, &[more, &["--format", "cloudformation"]].concat()));
        let resources = template["Resources"].as_object().unwrap();
        let mut found = BTreeSet::new();
        intrinsics(&template, &mut found);
        assert!(found.len() >= 6, "{found:?}");
        assert!(found.iter().all(|name| resources.contains_key(name)), "{found:?}");
        let logical = |id: &String| id.chars().all(|c| c.is_ascii_alphanumeric());
        assert!(resources.keys().all(logical));
        let properties = |kind: &str, name: &str| -> Option<&Value> {
            let of_kind = resources.values().filter(|r| r["Type"] == kind);
            let mut properties = of_kind.map(|r| &r["Properties"]);
            properties.find(|p| {
                ["ManagedPolicyName", "RoleName", "UserName"]
                    .iter()
                    .any(|key| p[*key] == name)
            })
        };
        for (name, (policy, trust)) in said(file, more, 0) {
            let made = properties("AWS::IAM::ManagedPolicy", &name).unwrap();
            assert_eq!(made["PolicyDocument"], policy, "{name}");
            match properties("AWS::IAM::Role", &name) {
                Some(role) => assert_eq!(role["AssumeRolePolicyDocument"], trust),
                None => assert!(properties("AWS::IAM::User", &name).is_some()),
            }
        }
    }
}

#[test]
fn several_accounts_are_files_of_their_own_or_parts_with_a_head() {
    let more = ["--eks-cluster", EKS, "--format", "awscli"];
    let printed = answer(BOTH, &more);
    let folder = std::env::temp_dir().join(format!("deputy-formats-{}", std::process::id()));
    let path = folder.to_str().unwrap();
    let written = answer(BOTH, &[&more[..], &["--output", path]].concat());
    let mut together = String::new();
    for line in written.lines() {
        let name = Path::new(line)
            .strip_prefix(&folder)
            .unwrap()
            .display()
            .to_string();
        together.push_str(&format!(
            "# ==== {name} ====\n{}",
            fs::read_to_string(line).unwrap()
        ));
    }
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(written.lines().count(), 2);
    assert_eq!(together, printed);
    assert!(printed.starts_with("# ==== 123456789012/deputy.sh ====\n#!/usr/bin/env bash\n"));
    assert!(printed.contains("\n# ==== 210987654321/deputy.sh ====\n"));
}

#[test]
fn eksctl_says_what_it_does_not_make() {
    let done = of_file(BOTH, &["--format", "eksctl", "--eks-cluster", EKS]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.out.contains("roleName: deputy-broker\n"), "{}", done.out);
    let said: Vec<&str> = done.err.lines().collect();
    assert_eq!(said.len(), 2, "{}", done.err);
    assert_eq!(
        said[0],
        "deputy: eksctl makes roles that its cluster's ServiceAccounts get, and arn:aws:iam::210987654321:role/deputy-provisioner of deputy \
         controller is none of those: make it by another --format"
    );
}

#[test]
fn the_service_control_policies_are_for_the_organization() {
    let out = json(&answer(
        EXAMPLE,
        &["--format", "cloudformation", "--scp", "--break-glass", EMERGENCY],
    ));
    let policy = &out["Resources"]["Account123456789012"];
    assert_eq!(policy["Type"], "AWS::Organizations::Policy");
    assert_eq!(policy["Properties"]["TargetIds"][0], "123456789012");
    let plain = json(&answer(EXAMPLE, &["--scp", "--break-glass", EMERGENCY]));
    let guard = &plain["accounts"][0]["serviceControlPolicy"];
    assert_eq!(&policy["Properties"]["Content"], guard);
    assert!(plain["accounts"][0].get("identities").is_none());
    let writers = &guard["Statement"][0]["Condition"]["ArnNotEquals"]["aws:PrincipalArn"];
    assert_eq!(writers[1], EMERGENCY);
    let closed = of_file(EXAMPLE, &["--format", "awscli", "--scp"]);
    assert_eq!(closed.code, 0);
    assert_eq!(
        closed.err,
        "deputy: account 123456789012 has no --break-glass: when Deputy is gone, only who takes its service control policy away can change \
         what it left\n"
    );
}

#[test]
fn what_a_format_can_not_say_is_refused() {
    let elsewhere = EMERGENCY.replace("123456789012", "999999999999");
    let cases: [(&[&str], &str); 8] = [
        (
            &["--format", "terraform"],
            "nobody would become arn:aws:iam::123456789012:role/deputy-broker, the identity of deputy broker: say how it gets it",
        ),
        (&["--format", "awscli", "--users"], "nobody would become"),
        (&["--format", "eksctl"], "give --eks-cluster"),
        (
            &["--format", "eksctl", "--eks-cluster", EKS, "--scp"],
            "eksctl makes no service control policies",
        ),
        (
            &["--break-glass", &elsewhere],
            "the files have no AWSAccount of account 999999999999",
        ),
        (
            &[
                "--format",
                "terraform",
                "--eks-cluster",
                EKS,
                "--break-glass",
                EMERGENCY,
            ],
            "give --scp, too",
        ),
        (&["--eks-cluster", EKS, "--users"], "cannot be used with"),
        (
            &[
                "--eks-cluster",
                "arn:aws:eks:eu-west-1:210987654321:cluster/other",
            ],
            "--eks-cluster: arn:aws:iam::123456789012:role/deputy-broker is in another account",
        ),
    ];
    for (more, said) in cases {
        let done = of_file(EXAMPLE, more);
        assert_eq!((done.code, done.out.as_str()), (2, ""), "{more:?}");
        assert!(done.err.contains(said), "{more:?}: {}", done.err);
    }
}

#[test]
fn identities_with_keys_are_made_as_users() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(EXAMPLE)).unwrap();
    let text = text.replace("role/deputy-broker", "user/deputy-broker");
    let arguments = [
        "bootstrap",
        "aws",
        "--cluster-name",
        "production-1",
        "-f",
        "-",
        "--users",
    ];
    let done = deputy(&[&arguments[..], &["--format", "cloudformation"]].concat(), &text);
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    let template = json(&done.out);
    let kinds = template["Resources"]
        .as_object()
        .unwrap()
        .values()
        .map(|r| &r["Type"]);
    let kinds: Vec<&str> = kinds.map(|kind| kind.as_str().unwrap()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "AWS::IAM::User").count(), 3);
    assert!(!kinds.contains(&"AWS::IAM::Role"), "{kinds:?}");
}

#[test]
fn a_long_policy_is_divided_and_all_of_it_attached() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(EXAMPLE)).unwrap();
    let roles: Vec<String> = (0..64)
        .map(|i| format!("arn:aws:iam::123456789012:role/{}/team-{i}-*", "x".repeat(100)))
        .collect();
    let limit = format!("  accounts: [production]\n  existingRoles: {roles:?}\n");
    let text = text.replacen("  accounts: [production]\n", &limit, 1);
    let arguments = ["bootstrap", "aws", "--cluster-name", "production-1", "-f", "-"];
    let more = ["--format", "terraform", "--eks-cluster", EKS];
    let done = deputy(&[&arguments[..], &more].concat(), &text);
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    let all = json(&done.out);
    let policies = all["resource"]["aws_iam_policy"].as_object().unwrap();
    let attached = all["resource"]["aws_iam_role_policy_attachment"]
        .as_object()
        .unwrap();
    assert!(policies.contains_key("deputy-broker") && policies.contains_key("deputy-broker-2"));
    assert_eq!(
        policies.keys().collect::<Vec<_>>(),
        attached.keys().collect::<Vec<_>>()
    );
    let text = |policy: &Value| policy["policy"].as_str().unwrap().to_owned();
    assert!(policies.values().all(|policy| text(policy).len() <= 6_144));
    let of_broker = policies
        .iter()
        .filter(|(name, _)| name.starts_with("deputy-broker"));
    let of_broker: String = of_broker.map(|(_, policy)| text(policy)).collect();
    assert!(roles.iter().all(|role| of_broker.contains(role.as_str())));
}
