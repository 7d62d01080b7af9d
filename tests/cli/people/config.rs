//! The profile that `deputy credentials config` writes.

use super::Person;

#[test]
fn a_profile_is_written_once_and_asks_for_the_session() {
    let alice = Person::new("profile");
    let config = |more: &[&str]| alice.run(&[&["config", "reports"], more].concat());
    let program = env!("CARGO_BIN_EXE_deputy");
    let written = format!(
        "[profile payments-reports]\ncredential_process = {program} credentials role payments/reports --context production\n"
    );
    let shown = config(&["--print"]);
    assert_eq!((shown.code, shown.out.as_str()), (0, written.as_str()));
    assert!(!alice.home.join(".aws").exists());
    let done = config(&[]);
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    assert!(
        done.out
            .contains("has the profile now: aws --profile payments-reports "),
        "{}",
        done.out
    );
    assert_eq!(alice.reads(".aws/config"), written);
    assert!(config(&[]).out.contains("has the profile already"));
    let done = config(&["--region", "eu-west-1"]);
    assert_eq!((done.code, done.out.as_str()), (2, ""));
    assert!(done.err.contains("give --replace"), "{}", done.err);
    assert_eq!(alice.reads(".aws/config"), written);
    assert_eq!(config(&["--region", "eu-west-1", "--replace"]).code, 0);
    assert_eq!(
        alice.reads(".aws/config"),
        format!("{written}region = eu-west-1\n")
    );
    // As an SDK without a way of its own does it.
    let process = written
        .lines()
        .nth(1)
        .unwrap()
        .strip_prefix("credential_process = ")
        .unwrap();
    let output = alice.command("sh").args(["-c", process]).output().unwrap();
    assert_eq!(
        super::key_of(&String::from_utf8(output.stdout).unwrap()),
        "ASIASESSION1"
    );
}

#[test]
fn a_profile_names_the_kubeconfig_that_the_environment_names() {
    let alice = Person::new("environment");
    let file = alice.home.join(".kube/config").canonicalize().unwrap();
    let config = |listed: &str| {
        let mut command = alice.command(env!("CARGO_BIN_EXE_deputy"));
        command.env("KUBECONFIG", listed);
        let output = command
            .args(["credentials", "config", "payments/reports", "--print"])
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let named = file.to_str().unwrap();
    let (code, written, _) = config(named);
    assert_eq!(code, Some(0));
    assert!(written.contains(&format!("--kubeconfig {named}")), "{written}");
    let (code, written, said) = config(&format!("{named}:{named}"));
    assert_eq!((code, written.as_str()), (Some(2), ""));
    assert!(said.contains("KUBECONFIG names several files"), "{said}");
}

#[test]
fn a_profile_says_all_that_was_asked_for() {
    let alice = Person::new("flags");
    let config = |more: &[&str]| alice.run(&[&["config", "payments/reports", "--print"], more].concat());
    let shown = config(&[
        "--profile",
        "default",
        "--context",
        "other",
        "--kubeconfig",
        ".kube/config",
        "--duration",
        "1h",
    ])
    .out;
    let kubeconfig = alice.home.canonicalize().unwrap().join(".kube/config");
    let ends = format!(
        "--context other --kubeconfig {} --duration 3600s\n",
        kubeconfig.display()
    );
    assert!(
        shown.starts_with("[default]\n") && shown.ends_with(&ends),
        "{shown}"
    );
    for (arguments, says) in [
        (&["--profile", "a b"][..], "--profile"),
        (&["--profile", "a]"], "--profile"),
        (&["--region", "a b"], "region"),
        (&["--context", "none"], "no context"),
        (&["--duration", "1m"], "30m to 12h"),
    ] {
        let done = config(arguments);
        assert!(done.code == 2 && done.err.contains(says), "{}", done.err);
    }
    assert!(alice.api.seen().is_empty());
}

#[test]
fn the_file_is_the_one_that_the_environment_names() {
    let alice = Person::new("place");
    alice.writes("mine", "# mine\n");
    for named in ["mine", "~/mine"] {
        let output = alice
            .command(env!("CARGO_BIN_EXE_deputy"))
            .args([
                "credentials",
                "config",
                "reports",
                "--profile",
                &format!("p{}", named.len()),
            ])
            .env("AWS_CONFIG_FILE", named)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let text = alice.reads("mine");
    assert!(
        text.starts_with("# mine\n\n[profile p4]\n") && text.contains("\n\n[profile p6]\n"),
        "{text}"
    );
}
