//! What is refused: by whom, with which exit code, and what to ask of whom.

use super::{
    Person,
    double::{Say, failure},
};
use crate::run::{Done, deputy};

fn refused(alice: &Person, answer: Say, code: i32) -> String {
    alice.api.says([answer]);
    let Done {
        code: found,
        out,
        err,
    } = alice.role(&[]);
    assert_eq!((found, out.as_str()), (code, ""), "{err}");
    let by = format!(
        "deputy: AWSRoleBinding payments/reports by context \"production\" of http://{}",
        alice.api.address
    );
    assert!(err.starts_with(&by), "{err}");
    err
}

fn plain(status: u16, body: &str) -> Say {
    Say {
        status,
        headers: "Content-Type: text/plain\r\n".into(),
        body: body.into(),
    }
}

#[test]
fn the_three_who_refuse_have_three_sentences() {
    let alice = Person::new("refused");
    let rbac = "awsrolebindings.credentials.deputy.dev \"reports\" is forbidden: User \"alice@example.com\" cannot create resource \
                \"awsrolebindings/credentials\" in API group \"credentials.deputy.dev\" in the namespace \"payments\"";
    let said = refused(&alice, failure(403, "", rbac), 1);
    assert!(
        said.contains("RBAC does not let user alice@example.com ask for credentials"),
        "{said}"
    );
    let yaml = said
        .split_once("Ask whoever administers namespace payments to apply this:\n")
        .unwrap()
        .1;
    let manifest: serde_json::Value = serde_saphyr::from_str(yaml).unwrap();
    assert_eq!(manifest["kind"], "RoleBinding");
    assert_eq!(manifest["roleRef"]["name"], "deputy-credentials");

    let said = refused(
        &alice,
        failure(403, "NotASubject", "user \"alice\" is no subject"),
        1,
    );
    assert!(
        said.contains("Ask whoever administers namespace payments to add {kind: User, name: \"alice\"}"),
        "{said}"
    );

    for cause in ["NotAccepted", "Suspended", "AccessDenied"] {
        let message = "DelegationLimit payments, spec.people.users: alice is not in it";
        let said = refused(&alice, failure(403, cause, message), 1);
        assert!(
            said.contains(message) && said.ends_with("Ask the platform team\n"),
            "{said}"
        );
    }
    let said = refused(&alice, failure(403, "MFAGroup", "in none of mfa"), 1);
    assert!(said.contains("Which way of signing in counts"), "{said}");
}

#[test]
fn what_is_not_there_is_told_from_what_is_refused() {
    let alice = Person::new("absent");
    let said = refused(&alice, failure(404, "NoBinding", "no AWSRoleBinding reports"), 1);
    assert!(said.contains("there is no such binding"), "{said}");
    for answer in [
        plain(404, "404 page not found\n"),
        failure(404, "", "the server could not find the requested resource"),
    ] {
        let said = refused(&alice, answer, 3);
        assert!(said.contains("with the value people.enabled"), "{said}");
    }
    let said = refused(&alice, failure(401, "", "Unauthorized"), 1);
    assert!(said.contains("Log in to the cluster again"), "{said}");
    let said = refused(&alice, failure(422, "Duration", "900 to 3600"), 2);
    assert!(said.contains("--duration: 900 to 3600"), "{said}");
    for cause in ["NotReady", "Unavailable", "Throttled"] {
        let mut busy = failure(503, cause, "not now");
        busy.headers += "Retry-After: 120\r\n";
        let said = refused(&alice, busy, 3);
        assert!(
            said.contains("no session now: not now. Try again in 120 s"),
            "{said}"
        );
    }
    let said = refused(&alice, failure(500, "", "boom"), 3);
    assert!(said.contains("code 500"), "{said}");
}

#[test]
fn an_answer_that_is_none_is_not_taken_and_not_shown() {
    let alice = Person::new("odd");
    let secret = "hunter2 ".repeat(10);
    for answer in [
        plain(200, &secret),
        plain(201, &secret),
        plain(302, &secret),
        plain(400, &secret),
    ] {
        refused(&alice, answer, 3);
    }
    let said = refused(&alice, plain(201, &"x".repeat(65 * 1024)), 3);
    assert!(said.contains("more than 65536 bytes"), "{said}");
    // And nothing of it is kept.
    let kept = std::fs::read_dir(alice.home.join(".cache/deputy/credentials")).unwrap();
    assert!(
        !kept
            .flatten()
            .any(|file| file.path().extension().is_some_and(|e| e == "json"))
    );
}

#[test]
fn what_is_wrong_with_the_question_is_said_before_anything_is_sent() {
    let alice = Person::new("question");
    for (arguments, says) in [
        (
            &["role", "payments/reports", "--duration", "29m"][..],
            "30m to 12h",
        ),
        (
            &["role", "payments/reports", "--context", "none"],
            "no context \"none\"; it has production, other",
        ),
        (&["role", "payments/reports", "--kubeconfig", "none"], "none: "),
        (
            &["role", "reports", "--context", "other"],
            "say NAMESPACE/reports",
        ),
        (&["role", "payments/../x"], "payments/../x"),
        (&["role", "Payments/x"], "namespace"),
    ] {
        let done = alice.run(arguments);
        assert_eq!((done.code, done.out.as_str()), (2, ""), "{}", done.err);
        assert!(done.err.contains(says), "{}", done.err);
    }
    assert!(alice.api.seen().is_empty());
    let done = deputy(&["credentials", "role", "payments/reports"], "");
    assert!(
        done.code == 2 && done.err.contains("there is no kubeconfig: set HOME"),
        "{}",
        done.err
    );
}

#[test]
fn a_cluster_that_is_not_there_is_named() {
    let alice = Person::new("nobody");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let kubeconfig = alice
        .reads(".kube/config")
        .replace(&alice.api.address.to_string(), &nobody.to_string());
    alice.writes(".kube/config", &kubeconfig);
    let done = alice.role(&[]);
    assert_eq!((done.code, done.out.as_str()), (3, ""));
    assert!(
        done.err.contains("the API server can't be reached: ") && done.err.contains("refused"),
        "{}",
        done.err
    );
}
