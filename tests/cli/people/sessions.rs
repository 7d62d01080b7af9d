//! Sessions: what is asked, what is kept, how somebody logs in.

use std::{fs, os::unix::fs::PermissionsExt as _, thread, time::Duration};

use super::{
    Person,
    double::{failure, session},
    key_of,
};

#[test]
fn a_session_is_asked_of_the_api_and_kept() {
    let alice = Person::new("kept");
    assert_eq!(alice.session(&[]), "ASIASESSION1");
    let [asked] = alice.api.seen().try_into().unwrap();
    assert_eq!(
        asked.line,
        "POST /apis/credentials.deputy.dev/v1alpha1/namespaces/payments/awsrolebindings/reports/credentials"
    );
    assert!(asked.headers.contains("authorization: bearer hunter2-token"));
    assert!(asked.headers.contains("user-agent: deputy-credentials/"));
    assert_eq!(
        asked.body,
        r#"{"apiVersion":"credentials.deputy.dev/v1alpha1","kind":"CredentialRequest","spec":{}}"#
    );
    // Neither is the cluster asked again, nor in whatever way the same binding is named.
    assert_eq!(alice.session(&["--context", "other"]), "ASIASESSION1");
    assert_eq!(key_of(&alice.run(&["role", "reports"]).out), "ASIASESSION1");
    assert_eq!(alice.api.seen().len(), 1);
    // Nothing but the session is kept.
    let cache = alice.home.join(".cache/deputy/credentials");
    for entry in fs::read_dir(&cache).unwrap() {
        let path = entry.unwrap().path();
        assert!(!fs::read_to_string(&path).unwrap().contains("hunter2-token"));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let lines = alice.role(&["--print", "env"]).out;
    assert!(
        lines.starts_with("export AWS_ACCESS_KEY_ID='ASIASESSION1'\n"),
        "{lines}"
    );
    assert_eq!(alice.session(&["--duration", "30m"]), "ASIASESSION2");
    assert!(alice.api.seen()[1].body.contains(r#"{"durationSeconds":1800}"#));
}

#[test]
fn a_session_is_asked_for_anew_by_refresh_and_without_the_cache() {
    let alice = Person::new("refresh");
    assert_eq!(alice.session(&[]), "ASIASESSION1");
    assert_eq!(alice.session(&["--refresh"]), "ASIASESSION2");
    assert_eq!(alice.session(&[]), "ASIASESSION2");
    assert_eq!(alice.session(&["--no-cache"]), "ASIASESSION3");
    assert_eq!(alice.session(&[]), "ASIASESSION2");
    // What is kept is no answer to who wants another one.
    alice.api.says([failure(503, "NotReady", "not now")]);
    assert_eq!(alice.session(&[]), "ASIASESSION2");
    alice.api.says([failure(403, "NotASubject", "no")]);
    assert_eq!(alice.role(&["--refresh"]).code, 1);
    assert_eq!(alice.role(&["--refresh", "--no-cache"]).code, 2);
}

#[test]
fn a_session_near_its_end_is_renewed_and_used_while_the_cluster_is_away() {
    let alice = Person::new("ending");
    // Of ten minutes none is left to a session of half an hour that was asked for.
    alice.api.says([
        session(1, Duration::from_secs(600)),
        session(2, Duration::from_secs(600)),
    ]);
    let half = ["--duration", "30m"];
    assert_eq!(
        (alice.session(&half), alice.session(&half)),
        ("ASIASESSION1".into(), "ASIASESSION2".into())
    );
    // A session that the binding makes so short is good for half of its life.
    assert_eq!(
        (alice.session(&[]), alice.session(&[])),
        ("ASIASESSION2".into(), "ASIASESSION2".into())
    );
    assert_eq!(alice.api.seen().len(), 3);
    let mut away = failure(503, "NotReady", "the broker starts");
    away.headers += "Retry-After: 100\r\n";
    alice.api.says([away]);
    let done = alice.role(&half);
    assert_eq!((done.code, key_of(&done.out).as_str()), (0, "ASIASESSION2"));
    assert!(
        done.err.contains("The session of before is used, which ends"),
        "{}",
        done.err
    );
    alice.api.says([failure(403, "NotASubject", "no longer")]);
    let done = alice.role(&half);
    assert_eq!((done.code, done.out.as_str()), (1, ""));
}

#[test]
fn several_processes_that_ask_at_once_make_one_request() {
    let alice = Person::new("at-once");
    alice.api.shut(true);
    let sessions: Vec<String> = thread::scope(|scope| {
        let asking: Vec<_> = (0..4).map(|_| scope.spawn(|| alice.session(&[]))).collect();
        alice.api.wait_for(1);
        alice.api.shut(false);
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(sessions, ["ASIASESSION1"; 4]);
    assert_eq!(alice.api.seen().len(), 1);
}

#[test]
fn a_cluster_that_is_busy_is_asked_again_by_itself() {
    let alice = Person::new("busy");
    let mut busy = failure(503, "Throttled", "too many");
    busy.headers += "Retry-After: 1\r\n";
    alice.api.says([busy, session(2, Duration::from_secs(3600))]);
    assert_eq!(alice.session(&[]), "ASIASESSION2");
    assert_eq!(alice.api.seen().len(), 2);
}

#[test]
fn a_login_program_is_run_when_a_session_is_wanted_and_not_before() {
    let alice = Person::new("program");
    let exec = |script: &str| {
        let script = serde_json::Value::from(script);
        format!(
            "{{exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: IfAvailable, command: sh, args: ['-c', {script}]}}}}"
        )
    };
    let credential = r#"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"hunter2-fresh"}}"#;
    alice.logs_in(&exec(&format!(
        "echo run >> runs; echo open a browser >&2; echo '{credential}'"
    )));
    let done = alice.role(&[]);
    assert_eq!((done.code, done.err.as_str()), (0, "open a browser\n"));
    assert!(
        alice.api.seen()[0]
            .headers
            .contains("authorization: bearer hunter2-fresh")
    );
    assert_eq!(alice.session(&[]), "ASIASESSION1");
    assert_eq!(alice.reads("runs"), "run\n");
    // Another call of it may be another person.
    alice.logs_in(&exec("echo hunter2-secret; exit 5"));
    let done = alice.role(&[]);
    assert_eq!((done.code, done.out.as_str()), (3, ""));
    assert!(
        done.err
            .contains("\"sh\" of the kubeconfig failed (exit status: 5)"),
        "{}",
        done.err
    );
    assert_eq!(alice.api.seen().len(), 1);
}

#[test]
fn another_person_has_another_session() {
    let alice = Person::new("persons");
    let mut sessions = Vec::new();
    for user in [
        "{token: hunter2-token}",
        "{token: hunter2-other}",
        "{token: hunter2-token, as: bob}",
        "{tokenFile: token}",
        "{username: alice, password: hunter2}",
        "{auth-provider: {name: oidc, config: {client-id: a, id-token: hunter2-id}}}",
    ] {
        alice.writes(".kube/token", "hunter2-file");
        alice.logs_in(user);
        let made = alice.session(&[]);
        assert_eq!(alice.session(&[]), made, "{user}");
        sessions.push(made);
    }
    assert_eq!(alice.api.seen().len(), sessions.len());
    let headers: Vec<_> = alice.api.seen().into_iter().map(|seen| seen.headers).collect();
    assert!(headers[2].contains("impersonate-user: bob"));
    assert!(headers[3].contains("bearer hunter2-file"));
    assert!(headers[4].contains("authorization: basic "));
    assert!(headers[5].contains("bearer hunter2-id"));
}
