//! Policies in YAML, and in Deputy's own manifests.

use serde_json::{Value, json};

use crate::run::{Done, File, deputy};

const PLATFORM: &str = "examples/productionapp/10-platform.yaml";
const APPLICATION: &str = "examples/productionapp/20-application.yaml";
const REFUSED: &str = "examples/refused/another-bucket.yaml";

fn limit(ceiling: &str) -> String {
    let lines: String = ceiling.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "apiVersion: deputy.dev/v1alpha1\nkind: DelegationLimit\nmetadata: {{name: payments}}\nspec:\n  \
         namespaces: [payments]\n  accounts: [production]\n  ceiling:\n{lines}"
    )
}

fn role(name: &str, actions: &[&str]) -> String {
    let mut text = format!(
        "apiVersion: deputy.dev/v1alpha1\nkind: AWSRole\nmetadata: {{name: {name}, namespace: payments}}\nspec:\n  \
         accountRef: {{name: production}}\n  policies:\n"
    );
    for (i, action) in actions.iter().enumerate() {
        text += &format!(
            "  - name: p{i}\n    document:\n      Version: \"2012-10-17\"\n      Statement:\n      \
             - {{Effect: Allow, Action: {action}, Resource: \"*\"}}\n"
        );
    }
    text
}

const ALLOW: &str =
    "Version: \"2012-10-17\"\nStatement:\n- Effect: Allow\n  Action: s3:*\n  Resource: \"*\"\n";

#[test]
fn the_examples_are_judged_as_they_are() {
    let run = |arguments: &[&str]| {
        let Done { code, out, err } = deputy(&[&["policy"], arguments].concat(), "");
        assert_eq!(err, "", "{arguments:?}");
        (code, out)
    };
    assert_eq!(
        run(&["contains", APPLICATION, PLATFORM]),
        (0, "AWSRole payments/uploader: contained\n".to_owned())
    );
    assert_eq!(
        run(&["contains", "--type", "session", APPLICATION, PLATFORM]),
        (0, "AWSRoleBinding payments/uploader: contained\n".to_owned())
    );
    assert_eq!(
        run(&["contains", "--type", "boundary", PLATFORM, PLATFORM]),
        (0, "DelegationLimit payments: contained\n".to_owned())
    );
    let (code, out) = run(&["contains", REFUSED, PLATFORM]);
    assert_eq!(code, 1);
    assert!(
        out.starts_with("AWSRole payments/reporter: exceeds: s3:GetObject on arn:aws:s3:::customer-records/"),
        "{out}"
    );
    assert!(
        out.ends_with(&format!(
            "\nAWSRole payments/reporter: allowed by {REFUSED}:19:13: spec.policies[0].document.Statement[1]\n"
        )),
        "{out}"
    );
    // What the boundary that Deputy makes of the limit leaves of the role is within the limit.
    assert_eq!(run(&["contains", "--boundary", PLATFORM, REFUSED, PLATFORM]).0, 0);
    assert_eq!(
        run(&["contains", "--session", APPLICATION, REFUSED, PLATFORM]).0,
        0
    );
    assert_eq!(
        run(&["lint", PLATFORM]),
        (
            0,
            "DelegationLimit payments, spec.ceiling: 242 characters as AWS counts them, 0 findings\n"
                .to_owned()
        )
    );
    let evaluate = |action: &str| {
        run(&[
            "evaluate",
            "--action",
            action,
            "--resource",
            "arn:aws:s3:::productionapp/a",
            "--identity",
            APPLICATION,
            "--boundary",
            PLATFORM,
            "--session",
            APPLICATION,
        ])
        .0
    };
    assert_eq!((evaluate("s3:GetObject"), evaluate("s3:DeleteObject")), (0, 1));
}

#[test]
fn a_policy_reads_the_same_in_json_and_yaml() {
    let block = File::new("block.yaml", ALLOW);
    let flow = File::new(
        "flow.yaml",
        "{Version: 2012-10-17, Statement: {Effect: Allow, Action: 's3:*', Resource: '*',}}",
    );
    let anchors = File::new(
        "anchors.yaml",
        "Version: \"2012-10-17\"\nStatement:\n- Effect: Allow\n  Action: &all [\"s3:*\"]\n  Resource: \"*\"\n- Effect: Allow\n  Action: *all\n  Resource: \"*\"\n",
    );
    let json = File::new(
        "same.json",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#,
    );
    let list = File::new(
        "list.json",
        json!({"apiVersion": "v1", "kind": "List", "items": [{
            "apiVersion": "deputy.dev/v1alpha1", "kind": "AWSRole", "metadata": {"name": "r"},
            "spec": {"accountRef": {"name": "a"}, "policies": [{"name": "p", "document":
                {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}}]},
        }]})
        .to_string(),
    );
    for file in [&block, &flow, &anchors, &list] {
        for arguments in [
            ["contains", file.path(), json.path()],
            ["contains", json.path(), json.path()],
        ] {
            let Done { code, out, err } = deputy(&[&["policy"], &arguments[..]].concat(), "");
            assert_eq!((code, err.as_str()), (0, ""), "{arguments:?}: {out}");
            assert!(out.ends_with("contained\n"), "{out}");
        }
        assert!(deputy(&["policy", "lint", file.path()], "").code < 2);
    }
    for file in [&block, &flow, &anchors] {
        assert_eq!(
            deputy(&["policy", "contains", json.path(), file.path()], "").code,
            0
        );
        let text = std::fs::read_to_string(file.path()).unwrap();
        if !text.starts_with('{') {
            assert_eq!(deputy(&["policy", "contains", json.path(), "-"], &text).code, 0);
        }
    }
    // A comma too many is a mistake in JSON, whatever YAML says.
    let comma = File::new("comma.json", r#"{"Version":"2012-10-17","Statement":[],}"#);
    let Done { code, err, .. } = deputy(&["policy", "lint", comma.path()], "");
    assert_eq!(code, 2);
    assert!(
        err.contains(":1:40: error[not-json]: not a JSON document: trailing comma"),
        "{err}"
    );
}

#[test]
fn findings_point_into_the_yaml() {
    let text = limit(
        "Version: \"2012-10-17\"\nStatement:\n- Effect: Allow\n  Action: s3:ListBucket # é\n  Resource:\n  - s3:::b\n\
         - {Effect: Allow, Action: \"s3:ListBucket\", Resource: 'arn:aws:s3:::é', Condition: {StringEquals: {\"s3:prefix\": \"home/*\"}}}\n\
         - Effect: Allow\n  Action: &a [iam:CreateRole]\n  Resource: \"*\"\n- Effect: Allow\n  Action: *a\n  Resource: \"*\"\n  Sid: >-\n    a\n    b\n",
    );
    let file = File::new("findings.yaml", &text);
    let Done { code, err, .. } = deputy(&["policy", "lint", file.path()], "");
    assert_eq!(code, 2);
    let path = file.path();
    let wanted = format!(
        "deputy: {path} is refused\n\
         {path}:13:9: error[short-arn]: spec.ceiling.Statement[0].Resource[0]: "
    );
    assert!(err.starts_with(&wanted), "{err}");
    assert!(
        err.contains(&format!(
            "{path}:22:9: error[sid-characters]: spec.ceiling.Statement[3].Sid: "
        )),
        "{err}"
    );

    let good = text
        .replace("s3:::b", "arn:aws:s3:::b")
        .replace("  Sid: >-\n        a\n        b\n", "");
    let good = good.split("      Sid:").next().unwrap().to_owned();
    let file = File::new("findings-good.yaml", &good);
    let path = file.path();
    let Done { code, out, err } = deputy(&["policy", "lint", path], "");
    assert_eq!((code, err.as_str()), (1, ""));
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 4, "{out}");
    assert!(
        lines[0].starts_with(&format!(
            "{path}:14:116: warning[wildcard-in-equals]: spec.ceiling.Statement[1].Condition.StringEquals.s3:prefix[0]: "
        )),
        "{out}"
    );
    // Of an alias, what it stands for.
    for (line, statement) in [(lines[1], 2), (lines[2], 3)] {
        let wanted =
            format!("{path}:16:19: warning[escalation]: spec.ceiling.Statement[{statement}].Action[0]: ");
        assert!(line.starts_with(&wanted), "{out}");
    }
    let Done { out, .. } = deputy(&["policy", "lint", "--format", "json", path], "");
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer["policy"], "DelegationLimit payments, spec.ceiling");
    let span = &answer["findings"][0]["span"];
    let bytes = |member: &str| usize::try_from(span[member].as_u64().unwrap()).unwrap();
    assert_eq!(&good[bytes("start")..bytes("end")], "\"home/*\"");
    assert_eq!((bytes("line"), bytes("column")), (14, 116));
}

#[test]
fn what_a_limit_acknowledges_is_no_finding() {
    let ceiling = "Version: \"2012-10-17\"\nStatement:\n- Effect: Allow\n  Action: [iam:CreateRole, iam:PutRolePolicy]\n  Resource: \"*\"\n\
                   - Effect: Allow\n  Action: s3:*\n  Resource: \"arn:aws:s3:::${aws:PrincipalTag/deputy-namespace}/${aws:PrincipalTag/team}\"\n\
                   - Effect: Allow\n  Action: s3:*\n  Resource: \"arn:aws:s3:::${aws:PrincipalTag/deputy-namespace}/*\"\n";
    let text = limit(ceiling).replace(
        "  ceiling:",
        "  acknowledgeEscalation: [\"IAM:Create*\", \"s3:*\"]\n  ceiling:",
    );
    let Done { code, out, .. } = deputy(&["policy", "lint", "-"], &text);
    assert_eq!(code, 1);
    let codes: Vec<&str> = out.lines().filter_map(|line| line.split(": ").nth(1)).collect();
    let found: Vec<&str> = codes
        .into_iter()
        .filter(|code| code.starts_with("warning["))
        .collect();
    assert_eq!(found, ["warning[escalation]", "warning[tag-variable]"], "{out}");
    assert!(
        out.contains("iam:PutRolePolicy") && out.contains("${aws:PrincipalTag/team}"),
        "{out}"
    );
}

#[test]
fn every_role_of_a_file_is_asked_about_by_itself() {
    let limit = File::new("limit-s3.yaml", limit(ALLOW));
    // Of one role all policies count together, of two roles not.
    let deny = role("b", &["s3:GetObject", "sqs:*"]);
    let denied = role("a", &["sqs:*"])
        + "  - name: deny\n    document: {Version: \"2012-10-17\", Statement: {Effect: Deny, Action: \"sqs:*\", Resource: \"*\"}}\n";
    let file = File::new(
        "roles.yaml",
        format!("{denied}---\n{deny}---\nkind: Namespace\napiVersion: v1\n"),
    );
    let Done { code, out, .. } = deputy(&["policy", "contains", file.path(), limit.path()], "");
    assert_eq!(code, 1);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 3, "{out}");
    assert_eq!(lines[0], "AWSRole payments/a: contained");
    assert!(lines[1].starts_with("AWSRole payments/b: exceeds: sqs:"), "{out}");
    assert!(
        lines[2].ends_with(":30:9: spec.policies[1].document.Statement[0]"),
        "{out}"
    );
    let several = format!("{ALLOW}---\n{}", ALLOW.replace("s3:*", "sqs:*"));
    let Done { code, out, .. } = deputy(&["policy", "contains", "-", limit.path()], &several);
    assert_eq!(code, 1);
    assert!(
        out.starts_with("document 1: contained\ndocument 2: exceeds: "),
        "{out}"
    );
}

#[test]
fn what_is_asked_for_and_not_there_is_said() {
    let limits = format!(
        "{}---\n{}",
        limit(ALLOW),
        limit(ALLOW).replace("payments", "other")
    );
    let two = File::new("two-limits.yaml", &limits);
    let binding = File::new(
        "binding.yaml",
        "apiVersion: deputy.dev/v1alpha1\nkind: AWSRoleBinding\nmetadata: {name: b, namespace: ns}\nspec: {roleRef: {kind: AWSRole, name: r}, subjects: []}\n",
    );
    let empty = File::new("empty.yaml", "# nothing\n---\n");
    let two_policies = File::new("two-policies.yaml", role("r", &["s3:*", "sqs:*"]));
    let managed = role("managed", &[]).replace(
        "  policies:\n",
        "  managedPolicyARNs: [\"arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess\"]\n",
    );
    let managed = File::new("managed.yaml", managed);
    let cases: [(&[&str], &str); 11] = [
        (
            &["contains", managed.path(), PLATFORM],
            "no identity policy is in it; there is AWSRole payments/managed without one",
        ),
        (&["lint", managed.path()], "there is no policy in it"),
        (
            &["contains", PLATFORM, PLATFORM],
            "no identity policy is in it; there is DelegationLimit payments, whose policies are of type boundary",
        ),
        (
            &["contains", APPLICATION, APPLICATION],
            "no boundary policy is in it; there is AWSRole payments/uploader, whose policies are of type identity; AWSRoleBinding",
        ),
        (
            &["contains", "--type", "session", binding.path(), PLATFORM],
            "no session policy is in it; there is AWSRoleBinding ns/b without one",
        ),
        (
            &["contains", "--type", "trust", APPLICATION, PLATFORM],
            "no trust policy is in it; there is AWSRole payments/uploader",
        ),
        (
            &["contains", APPLICATION, two.path()],
            "one boundary policy is needed here, there are DelegationLimit payments, DelegationLimit other",
        ),
        (
            &["contains", empty.path(), PLATFORM],
            "no identity policy is in it; there is no policy at all",
        ),
        (&["lint", empty.path()], "there is no policy in it"),
        (
            &["lint", "--type", "identity", PLATFORM],
            "the policies of DelegationLimit payments are of type boundary, not identity; leave --type out",
        ),
        (
            &[
                "evaluate",
                "--action",
                "s3:GetObject",
                "--resource",
                "*",
                "--resource-policy",
                two_policies.path(),
            ],
            "no resource policy is in it",
        ),
    ];
    for (arguments, said) in cases {
        let Done { code, out, err } = deputy(&[&["policy"], arguments].concat(), "");
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}");
        assert!(err.contains(said), "{arguments:?}: {err}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_is_wrong_with_a_manifest_is_refused_where_it_stands() {
    let good = limit(ALLOW);
    let cases = [
        (
            "twice in the policy",
            good.replace(
                "      Action: s3:*\n",
                "      Action: s3:*\n      Action: sqs:*\n",
            ),
            ":12:7: error[duplicate-key]: spec.ceiling.Statement[0].Action: ",
        ),
        (
            "twice in the object",
            good.replace("  accounts:", "  namespaces: [x]\n  accounts:"),
            ":6:3: error[duplicate-key]: spec.namespaces: the key is there more than once",
        ),
        (
            "policy twice",
            good.clone() + "  ceiling: {}\n",
            ":13:3: error[duplicate-key]: spec.ceiling: the key is there more than once",
        ),
        (
            "a field that there is not",
            good.replace("spec:\n", "spec:\n  sesion: {}\n"),
            ":5:11: error[unknown-element]: spec.sesion: DelegationLimit has no such field",
        ),
        (
            "null",
            good.replace("spec:\n", "spec:\n  session: null\n"),
            ":5:12: error[unknown-element]: spec.session: it is null; ",
        ),
        (
            "no ceiling",
            good.replace("ceiling:", "namespaces: [b]\n  #")
                .replace("  namespaces: [payments]\n", ""),
            "",
        ),
        (
            "another version",
            good.replace("v1alpha1", "v1"),
            ":1:13: error[wrong-type]: apiVersion: there is no deputy.dev/v1; write deputy.dev/v1alpha1",
        ),
        (
            "another kind",
            good.replace("DelegationLimit", "Limit"),
            ":2:7: error[wrong-type]: kind: deputy.dev/v1alpha1 has no kind \"Limit\"",
        ),
        (
            "no version",
            good.replace("apiVersion: deputy.dev/v1alpha1\n", ""),
            "error[wrong-type]: a manifest has an apiVersion and a kind",
        ),
        (
            "no YAML",
            good.replace("accounts: [production]", "accounts: [production"),
            ":7:10: error[not-json]: neither a JSON nor a YAML document: ",
        ),
        (
            "a template",
            good.replace("ceiling:\n", "ceiling: {{ toYaml .Values.ceiling }}\n"),
            "a Helm template has to be rendered first (helm template)",
        ),
        (
            "a key twice elsewhere",
            format!("apiVersion: v1\nkind: Namespace\nkind: Namespace\n---\n{good}"),
            ":3:1: error[duplicate-key]: kind: ",
        ),
    ];
    let application = File::new("wrong-role.yaml", role("r", &["s3:*"]));
    for (name, text, said) in cases {
        let file = File::new("wrong.yaml", &text);
        for arguments in [
            vec!["lint", file.path()],
            vec!["contains", application.path(), file.path()],
        ] {
            let Done { code, out, err } = deputy(&[&["policy"], arguments.as_slice()].concat(), "");
            assert_eq!((code, out.as_str()), (2, ""), "{name}: {out}{err}");
            assert!(err.contains(said), "{name}: {err}");
        }
        let Done { out, .. } = deputy(&["policy", "lint", "--format", "json", file.path()], "");
        let answer: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(answer["valid"], json!(false), "{name}");
        assert!(!answer["findings"].as_array().unwrap().is_empty(), "{name}");
    }
}

/// What one reader of YAML takes for text and another one for a boolean or number.
#[test]
fn values_that_readers_of_yaml_disagree_on_are_refused() {
    let with =
        |value: &str, operator: &str| format!("{ALLOW}  Condition: {{{operator}: {{\"a:k\": {value}}}}}\n");
    let run = |text: &str| deputy(&["policy", "lint", "-"], text);
    for value in [
        "yes",
        "tRue",
        "?0",
        "No",
        "on",
        "OFF",
        "y",
        "N",
        "012",
        "0123456789012",
        "0o17",
        "0x1F",
        "1_000",
        "+1",
        ".5",
        "1.",
        "0b11",
        "-.5",
        "1e3_0",
    ] {
        let Done { code, err, .. } = run(&with(value, "StringEquals"));
        assert_eq!(code, 2, "{value}");
        assert!(
            err.contains(&format!(":6:37: error[wrong-type]: Statement[0].Condition.StringEquals.a:k: YAML readers disagree on what {value} is without quotes")),
            "{value}: {err}"
        );
        assert_eq!(err.lines().count(), 2, "said once: {err}");
        let block = format!("|-\n      {value}");
        let quoted = [format!("\"{value}\""), format!("'{value}'")];
        let in_block = format!("{ALLOW}  Condition:\n    StringEquals:\n     \"a:k\": {block}\n");
        assert_eq!(run(&in_block).code, 0, "{in_block}");
        for quoted in quoted {
            assert_eq!(run(&with(&quoted, "StringEquals")).code, 0, "{quoted}");
        }
    }
    for value in [
        "true",
        "FALSE",
        "2012-10-17",
        "abc",
        "12:30",
        "10.0.0.0/8",
        "1.2.3",
        "null_",
        "e+11",
        "yess",
    ] {
        assert_eq!(run(&with(value, "StringEquals")).code, 0, "{value}");
    }
    for value in ["5", "1.5", "-3"] {
        assert_eq!(run(&with(value, "NumericEquals")).code, 0, "{value}");
        assert_eq!(run(&with(value, "StringEquals")).code, 2, "{value}");
    }
}

/// kubectl reads YAML 1.1, and some things in its own way: what would be applied must not differ from what is judged.
#[test]
fn what_would_be_applied_otherwise_is_refused() {
    let run = |text: &str| deputy(&["policy", "lint", "-"], text);
    let merge =
        "a merge key (<<); YAML readers disagree on which of two values counts, so write the values out";
    let merged =
        format!("{ALLOW}- Action: sqs:*\n  <<: &one {{Effect: Allow, Action: \"*\", Resource: \"*\"}}\n");
    let cases = [
        (merged.clone(), format!(":7:3: error[wrong-type]: Statement[1].<<: {merge}")),
        (limit(&merged), format!(":14:7: error[wrong-type]: spec.ceiling.Statement[1].<<: {merge}")),
        (
            limit(ALLOW).replace("spec:\n", "spec:\n  <<: {accounts: [x]}\n"),
            format!(":5:7: error[unknown-element]: spec.<<: {merge}"),
        ),
        (
            ALLOW.replace("s3:*", "!!binary czM6Kg=="),
            ":4:20: error[wrong-type]: Statement[0].Action: a tag (tag:yaml.org,2002:binary), which YAML readers treat differently; leave it out".to_owned(),
        ),
        (ALLOW.replace("- Effect", "- !one\n  Effect"), "error[wrong-type]: Statement[0]: a tag (!one), ".to_owned()),
        (ALLOW.replace("s3:*", "s3:* # \u{2028}  NotAction: x"), ":4:18: error[not-json]: ".to_owned()),
        (ALLOW.replace("s3:*", "s3:* # \u{85}  NotAction: x"), "the character U+0085, which ends a line for some YAML readers".to_owned()),
        (format!("{ALLOW}---\n\u{feff}{ALLOW}"), "the character U+FEFF, which ends a line for some YAML readers".to_owned()),
    ];
    for (text, said) in cases {
        let Done { code, err, .. } = run(&text);
        assert_eq!(code, 2, "{text}");
        assert!(err.contains(&said), "{said}\n{err}");
    }
    for key in ["1", "1.5", "0x1F", "true", "yes", "null", "?a"] {
        let Done { code, err, .. } = run(&format!("{ALLOW}  Condition: {{StringEquals: {{{key}: x}}}}\n"));
        let said = format!("YAML readers disagree on what {key} is without quotes");
        assert!(code == 2 && err.contains(&said), "{key}: {err}");
    }
    // In quotes, and in an object that has no policies, it is fine.
    assert_eq!(
        run(&format!(
            "{ALLOW}  Condition: {{StringEquals: {{\"a:k\": \"<<\"}}}}\n"
        ))
        .code,
        0
    );
    assert_eq!(
        run(&format!(
            "apiVersion: v1\nkind: Pod\nspec: {{<<: {{a: !b c}}}}\n---\n{ALLOW}"
        ))
        .code,
        0
    );
}

#[test]
fn a_number_as_helm_prints_it_is_named() {
    let with =
        |value: &str| format!("{ALLOW}  Condition: {{StringEquals: {{\"aws:SourceAccount\": {value}}}}}\n");
    let said = "1.23456789012e+11 is how Helm prints the number 123456789012 that a value without quotes is; put it in quotes where it is set";
    let Done { code, err, .. } = deputy(&["policy", "lint", "-"], &with("1.23456789012e+11"));
    assert_eq!(code, 2);
    assert!(
        err.contains("-:6:51: error[unquoted-number]: ") && err.contains(said),
        "{err}"
    );
    assert!(err.ends_with("; write \"123456789012\"\n"), "{err}");
    let quoted = with("\"1.23456789012e+11\"");
    let Done { code, out, .. } = deputy(&["policy", "lint", "-"], &quoted);
    assert_eq!(code, 1);
    assert!(
        out.starts_with(&format!(
            "-:6:51: warning[helm-number]: Statement[0].Condition.StringEquals.aws:SourceAccount[0]: {said}; write 123456789012\n"
        )),
        "{out}"
    );
    // The other commands say so beside their answer.
    let all = File::new("helm-all.yaml", ALLOW);
    let contains = deputy(&["policy", "contains", "-", all.path()], &quoted);
    assert_eq!((contains.code, contains.out.as_str()), (0, "contained\n"));
    assert!(contains.err.contains("warning[helm-number]"), "{}", contains.err);
    let evaluate = [
        "policy",
        "evaluate",
        "--action",
        "s3:GetObject",
        "--resource",
        "*",
        "--identity",
        "-",
    ];
    let evaluate = deputy(&evaluate, &quoted);
    assert_eq!(evaluate.code, 1);
    assert!(evaluate.err.contains("warning[helm-number]"), "{}", evaluate.err);
    // In a refused text too, and in every batch.
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::1.23456789012e+11:root"},"Action":"sts:AssumeRole"}}"#;
    for (command, line) in [
        (
            "contains",
            format!(r#"{{"candidate":{trust},"ceiling":{trust},"type":"trust"}}"#),
        ),
        ("lint", format!(r#"{{"policy":{trust},"type":"trust"}}"#)),
        (
            "evaluate",
            format!(
                r#"{{"request":{{"action":"sts:AssumeRole","resource":"arn:aws:iam::123456789012:role/r"}},"resourcePolicy":{trust}}}"#
            ),
        ),
    ] {
        let Done { out, .. } = deputy(&["policy", command, "--batch", "-"], &line);
        assert!(out.contains(said), "{command}: {out}");
    }
}

#[test]
fn what_is_too_deep_or_too_much_is_refused_with_the_limit() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..9 {
        let before = format!("*a{}, ", i - 1).repeat(10);
        text += &format!("a{i}: &a{i} [{}]\n", before.trim_end_matches(", "));
    }
    let many = "- a\n".repeat(260_000);
    let documents = "---\na: 1\n".repeat(1_100);
    for (text, said) in [
        (text, "its aliases stand for more than 100000 values"),
        ("[".repeat(100_000), "nested deeper than 12 levels"),
        ("- ".repeat(100_000), "it nests more than 64 deep"),
        (
            format!("{ALLOW}x: {}\n", "{a: ".repeat(5_000)),
            "it nests more than 64 deep",
        ),
        (many, "it has more than 250000 values"),
        (documents, "it has more than 1,024 documents"),
        (
            "a: &a {b: *a}\n".to_owned(),
            "an alias stands within what its anchor names, so it has no end",
        ),
    ] {
        let Done { code, err, .. } = deputy(&["policy", "lint", "-"], &text);
        assert_eq!(code, 2);
        assert!(err.contains(said) && err.len() < 500, "{said}: {err}");
    }
}

#[test]
fn the_session_policy_of_a_federated_user_is_judged_like_any_other() {
    let manager = |session: &str| {
        let text = format!(
            "apiVersion: deputy.dev/v1alpha1\nkind: AWSFederatedUserBinding\nmetadata: {{name: manager, namespace: payments}}\nspec:\n  \
             accountRef: {{name: production}}\n  userName: Manager\n  subjects: [{{kind: ServiceAccount, name: reports}}]\n  \
             session: {session}\n"
        );
        File::new("manager.yaml", &text)
    };
    let run = |arguments: &[&str]| {
        let Done { code, out, err } = deputy(&[&["policy"], arguments].concat(), "");
        (code, out, err)
    };
    let read = "{policy: {Version: \"2012-10-17\", Statement: [{Effect: Allow, Action: s3:GetObject, Resource: \
                \"arn:aws:s3:::productionapp/a\"}]}}";
    let (code, out, err) = run(&["contains", "--type", "session", manager(read).path(), PLATFORM]);
    assert_eq!(
        (code, out.as_str()),
        (0, "AWSFederatedUserBinding payments/manager: contained\n"),
        "{err}"
    );
    let (code, out, err) = run(&["lint", manager("{polcy: {}}").path()]);
    assert_eq!(code, 2, "a policy that can't be found is no answer");
    assert!(format!("{out}{err}").contains("spec.session.polcy"), "{out}{err}");
}
