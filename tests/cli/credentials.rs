//! `deputy credentials` before anything is sent: what is refused, and what it takes no AWS to answer. No home, no keys, no terminal.

use crate::run::{Done, File, deputy};

const ROLE: &str = "arn:aws:iam::123456789012:role/reports";
const PROVIDER: &str = "arn:aws:iam::123456789012:saml-provider/corp";

fn credentials(arguments: &[&str], input: &str) -> Done {
    deputy(&[&["credentials"], arguments].concat(), input)
}

/// Refused as bad input, with nothing on standard output.
fn refused(arguments: &[&str], input: &str) -> String {
    let done = credentials(arguments, input);
    assert_eq!(
        (done.code, done.out.as_str()),
        (2, ""),
        "{arguments:?}: {}",
        done.err
    );
    done.err
}

fn policy(action: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"{action}","Resource":"arn:aws:s3:::reports/*"}}]}}"#
    )
}

#[test]
fn a_session_policy_that_pretends_to_add_is_refused_with_its_place() {
    let session = File::new("pretends.json", policy("s3:GetObject"));
    let role = File::new("role.json", policy("s3:PutObject"));
    let arguments = [
        "assume-role",
        "--role-arn",
        ROLE,
        "--session-policy",
        session.path(),
    ];
    let said = refused(&[&arguments[..], &["--role-policy", role.path()]].concat(), "");
    let place = format!("{}:1:38: Statement[0] adds nothing", session.path());
    assert!(said.contains(&place), "{said}");
    // Of what goes beyond in part a request is shown, and the call is made: here there are no keys.
    let wide = File::new("wide.json", policy("s3:*"));
    let arguments = [
        "assume-role",
        "--role-arn",
        ROLE,
        "--session-policy",
        wide.path(),
        "--role-policy",
        role.path(),
    ];
    let said = refused(&arguments, "");
    assert!(
        said.contains("allows what the role does not") && said.contains("no credentials"),
        "{said}"
    );
}

#[test]
fn what_aws_would_not_take_is_refused_before_it_is_sent() {
    let large = File::new("large.json", policy(&format!("s3:{}", "Get".repeat(800))));
    let role = ["assume-role", "--role-arn", ROLE];
    let cases: &[(&[&str], &str)] = &[
        (&["--session-policy", large.path()], "AWS takes 2048"),
        (&["--duration", "13h"], "15m to 12h"),
        (&["--duration", "forever"], "such as 1h"),
        (&["--role-arn", ROLE, "--duration", "2h"], "15m to 1h"),
        (&["--tag", "team"], "KEY=VALUE"),
        (&["--tag", "aws:team=x"], "tag key"),
        (&["--transitive-tag", "team"], "needs --tag team="),
        (&["--session-name", "a b"], "session name"),
        (&["--external-id", "!"], "2 to 1224"),
        (&["--role-policy", "x.json"], "--session-policy"),
        (&["--session-policy", "none.json"], "none.json"),
    ];
    for (more, says) in cases {
        let said = refused(&[&role[..], more].concat(), "");
        assert!(said.contains(says), "{said}");
    }
    assert!(refused(&["session", "--duration", "37h"], "").contains("15m to 36h"));
    assert!(refused(&["assume-role"], "").contains("give --role-arn"));
    assert!(refused(&["session"], "").contains("there are no credentials"));
}

#[test]
fn a_token_is_read_within_a_limit_and_never_shown() {
    let stdin = ["web-identity", "--role-arn", ROLE, "--token-file", "-"];
    let token = "hunter2".repeat(3000);
    for (input, says) in [
        (token.as_str(), "more than 20000 bytes"),
        (" \n", "the token is empty"),
        ("hunter2 hunter2", "white space"),
    ] {
        let said = refused(&stdin, input);
        assert!(said.contains(says) && !said.contains("hunter2"), "{said}");
    }
    assert!(refused(&[&stdin[..], &["--session-policy", "-"]].concat(), "x").contains("read once"));
    assert!(refused(&["web-identity", "--role-arn", ROLE], "").contains("AWS_WEB_IDENTITY_TOKEN_FILE"));
    assert!(refused(&["web-identity", "--token-file", "-"], "x").contains("AWS_ROLE_ARN"));
    // Nothing else is wrong, and there is no place for the cache.
    assert!(refused(&stdin, "a.b.c").contains("HOME"));
}

#[test]
fn the_roles_of_an_assertion_are_listed() {
    let attribute = r#"<a:Attribute Name="https://aws.amazon.com/SAML/Attributes/Role">"#;
    let assertion = |attributes: &str| {
        format!(r#"<a:Assertion xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion">{attributes}</a:Assertion>"#)
    };
    let one = assertion(&format!(
        "{attribute}<a:AttributeValue>{PROVIDER},{ROLE}</a:AttributeValue></a:Attribute>"
    ));
    let list = ["saml", "--assertion-file", "-"];
    let done = credentials(&list, &one);
    assert_eq!(
        (done.code, done.out, done.err.as_str()),
        (0, format!("{ROLE} {PROVIDER}\n"), "")
    );
    let none = credentials(&list, &assertion(""));
    assert_eq!((none.code, none.out.as_str()), (1, ""));
    assert!(none.err.contains("names no role"), "{}", none.err);
    let other = [&list[..], &["--role-arn", "arn:aws:iam::123456789012:role/other"]].concat();
    assert!(refused(&other, &one).contains(&format!("it names {ROLE}")));
    let entity = r#"<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>"#;
    assert!(refused(&list, entity).contains("DOCTYPE"));
    assert!(refused(&list, &"QUJD".repeat(60_000)).contains("more than 200000 bytes"));
}

#[test]
fn a_code_needs_its_device_and_is_not_shown() {
    let keys = File::new(
        "keys",
        "[alice]\naws_access_key_id = AKIA\naws_secret_access_key = hunter2\n",
    );
    let run = |arguments: &[&str]| {
        let done = std::process::Command::new(env!("CARGO_BIN_EXE_deputy"))
            .args(["credentials", "session", "--profile", "alice", "--no-cache"])
            .args(arguments)
            .env_clear()
            .env("AWS_SHARED_CREDENTIALS_FILE", keys.path())
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
            .output()
            .unwrap();
        (
            done.status.code().unwrap(),
            String::from_utf8(done.stderr).unwrap(),
        )
    };
    let device = "arn:aws:iam::123456789012:mfa/alice";
    for (arguments, code, says) in [
        (&["--token-code", "314159"][..], 2, "--serial-number"),
        (
            &["--token-code", "31415", "--serial-number", device],
            2,
            "six digits",
        ),
        (&["--serial-number", "x"], 2, "no serial number"),
        (
            &["--token-code", "314159", "--serial-number", device],
            3,
            "no answer of AWS",
        ),
    ] {
        let (found, said) = run(arguments);
        assert_eq!(found, code, "{said}");
        assert!(
            said.contains(says) && !said.contains("31415") && !said.contains("hunter2"),
            "{said}"
        );
    }
    let (_, said) = run(&[]);
    assert!(
        said.starts_with(
            "deputy: GetSessionToken for a session by profile alice (access key AKIA): no answer of AWS"
        ),
        "{said}"
    );
}
