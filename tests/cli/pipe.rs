//! Pipes that are closed, full, or read while they are written.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Stdio},
};

const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
const NARROW: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}]}"#;
const ACCOUNT: &str = "examples/productionapp/10-platform.yaml";

fn start(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_deputy"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Exit code and standard error of a run whose standard output nobody reads.
fn unread(arguments: &[&str], input: &str) -> (i32, String) {
    let mut child = start(arguments);
    drop(child.stdout.take());
    // Only now is there anything to answer.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    let done = child.wait_with_output().unwrap();
    let err = String::from_utf8(done.stderr).unwrap();
    (done.status.code().unwrap_or(-1), err)
}

fn line(command: &str) -> String {
    match command {
        "contains" => format!("{{\"candidate\":{POLICY},\"ceiling\":{NARROW}}}\n"),
        "evaluate" => {
            format!(
                "{{\"request\":{{\"action\":\"s3:GetObject\",\"resource\":\"*\"}},\"identity\":[{NARROW}]}}\n"
            )
        }
        _ => format!("{{\"policy\":{POLICY}}}\n"),
    }
}

#[test]
fn a_closed_pipe_ends_quietly_and_keeps_the_answer() {
    let narrow = crate::run::File::new("pipe-narrow", NARROW);
    let wide = crate::run::File::new("pipe-wide", POLICY.replace("s3:GetObject", "iam:*"));
    let evaluate = [
        "policy",
        "evaluate",
        "--resource",
        "*",
        "--identity",
        "-",
        "--action",
    ];
    let get = [&evaluate[..], &["s3:GetObject"]].concat();
    let put = [&evaluate[..], &["s3:PutObject"]].concat();
    let cases: [(&[&str], &str, i32); 14] = [
        (&["policy", "contains", narrow.path(), "-"], NARROW, 0),
        (&["policy", "contains", narrow.path(), "-"], POLICY, 1),
        (&get, POLICY, 0),
        (&put, POLICY, 1),
        (&["policy", "lint", "-"], POLICY, 0),
        (&["policy", "lint", "--format", "json", "-"], POLICY, 0),
        (&["policy", "lint", "--type", "boundary", wide.path()], "", 1),
        (&["crds"], "", 0),
        (&["bootstrap", "aws", "--cluster-name", "c", "-f", ACCOUNT], "", 0),
        (&["--help"], "", 0),
        (&["completion", "bash"], "", 0),
        (&["man"], "", 0),
        (&["version"], "", 0),
        (&["version", "-o", "json"], "", 0),
    ];
    for (arguments, input, code) in cases {
        assert_eq!(unread(arguments, input), (code, String::new()), "{arguments:?}");
    }
    for command in ["contains", "evaluate", "lint"] {
        // More than any buffer between the two holds.
        let input = line(command).repeat(5_000);
        let done = unread(&["policy", command, "--batch", "-"], &input);
        assert_eq!(done, (0, String::new()), "{command}");
    }
}

#[test]
fn a_reader_of_the_first_line_gets_it_and_the_batch_ends() {
    for command in ["contains", "evaluate", "lint"] {
        let mut child = start(&["policy", command, "--batch", "-"]);
        let mut stdin = child.stdin.take().unwrap();
        let text = line(command);
        let writer = std::thread::spawn(move || {
            // Without end, until nobody reads.
            while stdin.write_all(text.as_bytes()).is_ok() {}
        });
        let mut first = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut first).unwrap();
        assert!(first.starts_with("{\"id\":null,"), "{first}");
        drop(out);
        let done = child.wait_with_output().unwrap();
        writer.join().unwrap();
        assert_eq!(
            (done.status.code(), done.stderr.as_slice()),
            (Some(0), &b""[..]),
            "{command}"
        );
    }
}

#[test]
fn an_answer_comes_before_the_next_question() {
    for command in ["contains", "evaluate", "lint"] {
        let mut child = start(&["policy", command, "--batch", "-"]);
        let mut stdin = child.stdin.take().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        for _ in 0..3 {
            stdin.write_all(line(command).as_bytes()).unwrap();
            stdin.flush().unwrap();
            let mut answer = String::new();
            out.read_line(&mut answer).unwrap();
            assert!(answer.ends_with("}\n"), "{answer}");
        }
        drop(stdin);
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        assert_eq!((rest.as_str(), child.wait().unwrap().code()), ("", Some(0)));
    }
}

#[test]
fn an_answer_that_cannot_be_written_is_a_failure_of_the_process() {
    // A device that is always full.
    let Ok(full) = File::options().write(true).open("/dev/full") else {
        return;
    };
    let run = |arguments: &[&str], input: &str| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_deputy"))
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::piped())
            .stdout(full.try_clone().unwrap())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
        let done = child.wait_with_output().unwrap();
        (done.status.code(), String::from_utf8(done.stderr).unwrap())
    };
    let cases: [(&[&str], String); 5] = [
        (&["policy", "lint", "-"], POLICY.to_owned()),
        (&["policy", "contains", "--batch", "-"], line("contains")),
        (&["policy", "evaluate", "--batch", "-"], line("evaluate")),
        (&["crds"], String::new()),
        (
            &["bootstrap", "aws", "--cluster-name", "c", "-f", ACCOUNT],
            String::new(),
        ),
    ];
    for (arguments, input) in cases {
        let (code, err) = run(arguments, &input);
        assert_eq!(code, Some(3), "{arguments:?}: {err}");
        assert!(
            err.starts_with("deputy: standard output: "),
            "{arguments:?}: {err}"
        );
    }
}

#[test]
fn a_closed_standard_error_does_not_change_the_exit_code() {
    let mut child = start(&["policy", "lint", "-"]);
    drop(child.stderr.take());
    drop(child.stdin.take().unwrap().write_all(b"{"));
    assert_eq!(child.wait().unwrap().code(), Some(2));
}
