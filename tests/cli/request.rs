//! Requests that no caller of AWS can make are refused, not answered.

use serde_json::{Value, json};

use crate::run::{Done, File, deputy};

const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
const BUCKET: &str = "arn:aws:s3:::b/k";
const BOB: &str = "arn:aws:iam::123456789012:user/bob";

/// What the command line and the batch form say to a request.
fn said(action: &str, resource: &str, principal: Option<&str>, context: Option<(&str, &str)>) -> [String; 2] {
    let policy = File::new(&format!("request-{:?}", std::thread::current().id()), POLICY);
    let mut arguments = vec!["policy", "evaluate", "--identity", policy.path()];
    let action_is = format!("--action={action}");
    let resource_is = format!("--resource={resource}");
    arguments.extend([action_is.as_str(), &resource_is]);
    let principal_is = principal.map(|p| format!("--principal={p}"));
    arguments.extend(principal_is.as_deref());
    let context_is = context.map(|(key, value)| format!("--context={key}={value}"));
    arguments.extend(context_is.as_deref());
    let Done { code, out, err } = deputy(&arguments, "");
    let one = match code {
        0 => out,
        2 => err,
        _ => panic!("{code}: {out}{err}"),
    };

    let mut request = json!({"action": action, "resource": resource});
    if let Some(principal) = principal {
        request["principal"] = principal.into();
    }
    if let Some((key, value)) = context {
        request["context"] = json!({key: value});
    }
    let line = json!({"request": request, "identity": [serde_json::from_str::<Value>(POLICY).unwrap()]});
    let Done { out, .. } = deputy(&["policy", "evaluate", "--batch", "-"], &line.to_string());
    let answer: Value = serde_json::from_str(&out).unwrap();
    let reason = answer["reason"].as_str().unwrap();
    let two = match answer["decision"].as_str().unwrap() {
        "invalid" => format!("deputy: {}\n", reason.replacen("request.", "--", 1)),
        decision => format!("{decision}: {reason}\n"),
    };
    [one, two]
}

#[test]
fn what_is_no_request_is_refused_with_what_would_be_one() {
    let action = "an action is service:Name, such as s3:GetObject, in letters, digits and hyphens";
    let one_action = "a request asks for one action, without wildcards, such as s3:GetObject";
    let resource = "a resource is an ARN such as arn:aws:s3:::bucket/key, or * for actions that have none";
    let one_resource = "a request names one resource; wildcards before the fifth colon are for policies";
    for (text, why) in [
        ("", action),
        ("s3", action),
        ("s3:", action),
        (":GetObject", action),
        ("s3:Get Object", action),
        (" s3:GetObject", action),
        ("s3:GetObject\n", action),
        ("s3:Get:Object", action),
        ("s3:GetObject,s3:PutObject", action),
        ("s3:Gét", action),
        ("*", one_action),
        ("s3:*", one_action),
        ("s3:GetObjec?", one_action),
    ] {
        for found in said(text, BUCKET, None, None) {
            assert_eq!(
                found,
                format!("deputy: --action \"{}\": {why}\n", text.escape_debug())
            );
        }
    }
    for (text, why) in [
        ("", resource),
        ("b/k", resource),
        ("s3:::b/k", resource),
        ("arn", resource),
        ("arn:aws:s3", resource),
        ("arn:aws:s3:::", resource),
        ("arn:::::b", resource),
        ("arn::s3:::b", resource),
        ("ARN:aws:s3:::b", resource),
        (" arn:aws:s3:::b", resource),
        ("arn:aws:s3:us east-1::b", resource),
        ("**", resource),
        ("arn:aws:iam::*:role/x", one_resource),
        ("arn:aws*:s3:::b", one_resource),
    ] {
        for found in said("s3:GetObject", text, None, None) {
            assert_eq!(
                found,
                format!("deputy: --resource \"{}\": {why}\n", text.escape_debug())
            );
        }
    }
    for text in [
        "",
        "bob",
        "**",
        "12345678901",
        "arn:aws:iam::123456789012:bob",
        "arn:aws:iam::123456789012:user/*",
        "arn:aws:iam::123456789012:user/bob ",
        "arn:aws:iam::123456789012:group/admins",
        "arn:aws:iam::12345678901:user/bob",
        "arn:aws:iam::mine:saml-provider/x",
        "arn:aws:sts::123456789012:assumed-role/app",
        "arn:aws:sts::123456789012:assumed-role/app/*",
    ] {
        for found in said("s3:GetObject", BUCKET, Some(text), None) {
            let start = format!("deputy: --principal: \"{text}\"");
            assert!(
                found.starts_with(&start) && found.len() > start.len() + 20,
                "{found}"
            );
        }
    }
    for key in ["", "k", ":k", "aws:", "aws:Req*", " aws:SourceIp", "a:${b}"] {
        for found in said("s3:GetObject", BUCKET, None, Some((key, "v"))) {
            assert_eq!(
                found,
                format!("deputy: --context \"{key}\": a context key is prefix:name, such as aws:SourceIp\n")
            );
        }
    }
}

#[test]
fn what_is_a_request_is_answered() {
    for action in [
        "s3:GetObject",
        "S3:getobject",
        "execute-api:Invoke",
        "a4b:X",
        "ec2:Describe-x_y",
    ] {
        for found in said(action, BUCKET, None, None) {
            assert!(found.starts_with("allowed: "), "{action}: {found}");
        }
    }
    for resource in [
        "*",
        BUCKET,
        // Keys of S3 may hold these.
        "arn:aws:s3:::b/a*b?c d:e",
        "arn:aws:iam::aws:policy/ReadOnlyAccess",
        "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:queue",
        "arn:aws:iam::cloudfront:user/x",
    ] {
        for found in said("s3:GetObject", resource, None, None) {
            assert!(found.starts_with("allowed: "), "{resource}: {found}");
        }
    }
    for principal in [BOB, "arn:aws:iam::123456789012:root", "123456789012"] {
        for found in said(
            "s3:GetObject",
            BUCKET,
            Some(principal),
            Some(("aws:RequestTag/a b", "v")),
        ) {
            assert!(found.starts_with("allowed: "), "{principal}: {found}");
        }
    }
}

#[test]
fn a_key_given_twice_has_both_values_whatever_its_case() {
    let policy = File::new(
        "two-values",
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*",
            "Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}}]})
        .to_string(),
    );
    let code = |keys: &[&str]| {
        let base = [
            "policy",
            "evaluate",
            "--identity",
            policy.path(),
            "--action",
            "s3:GetObject",
            "--resource",
            "*",
        ];
        deputy(&[&base[..], keys].concat(), "").code
    };
    assert_eq!(
        code(&["--context", "aws:TagKeys=a", "--context", "aws:tagkeys=b"]),
        0
    );
    assert_eq!(
        code(&["--context", "aws:TagKeys=c", "--context", "aws:tagkeys=a"]),
        1
    );
    assert_eq!(code(&["--context", "aws:TagKeys"]), 2);
}
