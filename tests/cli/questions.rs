//! `deputy who-can`, `what-can`, `denied` and `explain` of objects, as others call them.

use serde_json::Value;

use crate::run::{Done, deputy};

const EXAMPLE: &str = "examples/productionapp";

fn json(arguments: &[&str]) -> (i32, Value) {
    let Done { code, out, err } = deputy(&[arguments, &["-f", EXAMPLE, "-o", "json"]].concat(), "");
    assert_eq!(err, "", "{arguments:?}");
    (code, serde_json::from_str(&out).unwrap())
}

#[test]
fn who_can_answers_in_json_with_the_arn_of_the_role() {
    let asked = ["who-can", "s3:Get*", "arn:aws:s3:::productionapp/*"];
    let (code, answer) = json(&[&asked[..], &["--cluster-name", "production-1"]].concat());
    let one = &answer["bindings"][0];
    assert_eq!((code, &one["can"]), (0, &"yes".into()));
    let arn = one["roleArn"].as_str().unwrap();
    assert!(
        arn.contains(":role/deputy/production-1/deputy.payments.uploader-"),
        "{arn}"
    );
    let (code, answer) = json(&["who-can", "iam:*", "*"]);
    assert_eq!((code, answer["bindings"].as_array().unwrap().len()), (1, 0));
}

#[test]
fn what_can_of_nobody_is_a_no() {
    assert_eq!(json(&["what-can", "payments/uploader"]).0, 0);
    let (code, answer) = json(&["what-can", "user:ada"]);
    assert_eq!((code, answer["bindings"].as_array().unwrap().len()), (1, 0));
}

#[test]
fn a_denial_leads_to_the_change_that_the_limit_accepts() {
    let named = [
        "explain",
        "role",
        "payments/uploader",
        "--cluster-name",
        "production-1",
    ];
    let (_, answer) = json(&named);
    let facts = answer["objects"][0]["facts"].as_array().unwrap();
    let arn = facts.iter().find(|fact| fact["what"] == "arn").unwrap()["is"]
        .as_str()
        .unwrap();
    let name = arn.rsplit('/').next().unwrap();
    let message = format!(
        "An error occurred (AccessDenied) when calling the DeleteObject operation: User: \
         arn:aws:sts::123456789012:assumed-role/{name}/payments.uploader is not authorized to perform: s3:DeleteObject on resource: \
         \"arn:aws:s3:::productionapp/x\" because no session policy allows the s3:DeleteObject action"
    );
    let Done { code, out, .. } = deputy(&["denied", &message, "-f", EXAMPLE], "");
    assert_eq!(code, 0, "{out}");
    for expected in [
        "AWS says: nothing allows it in the session policy\n",
        "binding: AWSRoleBinding payments/uploader\n",
        "the role allows it\nthe session policy does not allow it\nthe boundary of limit payments allows it\n",
        "change AWSRoleBinding payments/uploader, add to spec.session.policy.Statement:\n- Effect: Allow\n  Action: s3:DeleteObject\n",
        "the limits say to that: accepted\n",
    ] {
        assert!(out.contains(expected), "{out}");
    }
    let (code, answer) = json(&["denied", &message]);
    assert_eq!((code, &answer["cause"]["limits"]), (0, &"accepted".into()));
    assert_eq!(answer["message"]["layer"], "session");
    let (code, answer) = json(&["explain", "arn", arn, "--cluster-name", "production-1"]);
    assert_eq!(
        (code, &answer["objects"][0]["object"]),
        (0, &"AWSRole payments/uploader".into())
    );
}

#[test]
fn what_is_asked_of_nothing_is_bad_input() {
    for (arguments, expected) in [
        (
            &["who-can", "s3:GetObject", "*"][..],
            "manifests by -f FILE|DIR, or a cluster by --context NAME",
        ),
        (&["who-can", "nonsense", "*", "-f", EXAMPLE], "ACTION or RESOURCE"),
        (&["denied", "Access Denied", "-f", EXAMPLE], "CloudTrail"),
        (
            &["explain", "role", "uploader", "-f", EXAMPLE],
            "say NAMESPACE/NAME",
        ),
        (&["explain", "arn", "uploader", "-f", EXAMPLE], "an ARN of a role"),
        (
            &["what-can", "payments/uploader", "-f", "no/such/file"],
            "no/such/file",
        ),
    ] {
        let Done { code, err, .. } = deputy(arguments, "");
        assert_eq!(code, 2, "{arguments:?}: {err}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
    }
}
