//! The login program of a kubeconfig (client-go's "credential plugin"): `kubelogin`, `aws eks get-token` and the like. It may open a
//! browser and ask on the terminal; what it answers is a token or a client certificate.
//!
//! Not left to the client: there it has no deadline, runs twice, and what it wrote stands in errors.

use std::{
    io::{IsTerminal as _, Read as _},
    os::unix::process::CommandExt as _,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use deputy_aws::SecretString;
use kube::config::{ExecConfig, ExecInteractiveMode};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Deserializer};
use serde_json::json;

use crate::exit::Failure;

/// More than a token, or a certificate with its chain and key.
const LARGEST: u64 = 256 * 1024;
/// How often it is looked whether the program has ended.
const LOOK: Duration = Duration::from_millis(10);
/// How long its output may stay open when it has ended: something that it left running may hold it.
const OUTPUT: Duration = Duration::from_secs(2);

/// What it answered. No `Debug`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExecCredential {
    api_version: String,
    kind: String,
    status: Option<PluginLogin>,
}

/// By what the person is known to the API server. No `Debug`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginLogin {
    #[serde(default, deserialize_with = "secret")]
    pub token: Option<SecretString>,
    /// PEM.
    pub client_certificate_data: Option<String>,
    /// PEM.
    #[serde(default, deserialize_with = "secret")]
    pub client_key_data: Option<SecretString>,
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SecretString>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(SecretString::from))
}

/// Runs the login program to its end, within `deadline`.
///
/// # Errors
/// When it can't be started, fails, is late, or answers something else. Nothing of its answer is in the error; what it says on standard
/// error is the person's to read.
pub fn run(exec: &ExecConfig, deadline: Duration) -> Result<PluginLogin, Failure> {
    let Some(program) = exec.command.as_deref().filter(|program| !program.is_empty()) else {
        return Err(Failure::input(
            "the kubeconfig names a login program without command",
        ));
    };
    let interactive = is_interactive(exec, program)?;
    let mut child = command(exec, program, interactive).spawn().map_err(|error| {
        let hint = exec.install_hint.as_deref().map(str::trim).unwrap_or_default();
        let hint = if hint.is_empty() {
            String::new()
        } else {
            format!(": {hint}")
        };
        Failure::process(format!(
            "the login program {program:?} of the kubeconfig can't be started: {error}{hint}"
        ))
    })?;
    let output = read(&mut child);
    let ended = wait(&mut child, deadline, interactive).map_err(Failure::error)?;
    let Some(status) = ended else {
        return Err(Failure::process(format!(
            "the login program {program:?} of the kubeconfig took more than {} s, and was ended",
            deadline.as_secs()
        )));
    };
    if !status.success() {
        return Err(Failure::process(format!(
            "the login program {program:?} of the kubeconfig failed ({status}): log in to the cluster again"
        )));
    }
    let bytes = output.recv_timeout(OUTPUT).ok().flatten();
    bytes
        .filter(|bytes| bytes.len() as u64 <= LARGEST)
        .and_then(|bytes| parse(&bytes, exec.api_version.as_deref()))
        .ok_or_else(|| {
            Failure::process(format!(
                "what the login program {program:?} of the kubeconfig wrote is no ExecCredential with a token or a certificate"
            ))
        })
}

/// Whether the program may ask on the terminal.
fn is_interactive(exec: &ExecConfig, program: &str) -> Result<bool, Failure> {
    let is_terminal = std::io::stdin().is_terminal();
    match exec.interactive_mode {
        Some(ExecInteractiveMode::Never) => Ok(false),
        Some(ExecInteractiveMode::Always) if !is_terminal => Err(Failure::process(format!(
            "the login program {program:?} of the kubeconfig needs a terminal, and standard input is none: log in to the cluster \
                 in a terminal first"
        ))),
        _ => Ok(is_terminal),
    }
}

fn command(exec: &ExecConfig, program: &str, interactive: bool) -> Command {
    let asked = json!({
        "apiVersion": exec.api_version,
        "kind": "ExecCredential",
        "spec": {"interactive": interactive, "cluster": exec.cluster},
    });
    let mut command = Command::new(program);
    command
        .args(exec.args.iter().flatten())
        .env("KUBERNETES_EXEC_INFO", asked.to_string())
        .stdin(if interactive {
            Stdio::inherit()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    for variable in exec.env.iter().flatten() {
        if let (Some(name), Some(value)) = (variable.get("name"), variable.get("value")) {
            command.env(name, value);
        }
    }
    if !interactive {
        // So that it can be ended with all that it started. Who asks on the terminal must be in our own group.
        command.process_group(0);
    }
    command
}

/// What a child writes, once it is all there; one byte more than [`LARGEST`] where it is more.
fn read(child: &mut Child) -> mpsc::Receiver<Option<Vec<u8>>> {
    let (done, output) = mpsc::sync_channel(1);
    let stdout = child.stdout.take();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.and_then(|out| out.take(LARGEST + 1).read_to_end(&mut bytes).ok());
        // Nobody may be waiting any more.
        drop(done.send(read.map(|_| bytes)));
    });
    output
}

/// Waits for a child, and ends it when it is late.
fn wait(child: &mut Child, deadline: Duration, interactive: bool) -> std::io::Result<Option<ExitStatus>> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begun.elapsed() >= deadline {
            match Pid::from_raw(i32::try_from(child.id()).unwrap_or_default()) {
                Some(group) if !interactive => kill_process_group(group, Signal::KILL)?,
                _ => child.kill()?,
            }
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
}

/// JSON, or YAML, which kubectl takes too.
fn parse(bytes: &[u8], version: Option<&str>) -> Option<PluginLogin> {
    let read: ExecCredential = match serde_json::from_slice(bytes) {
        Ok(read) => read,
        Err(_) => serde_saphyr::from_slice(bytes).ok()?,
    };
    let is_it = read.kind == "ExecCredential" && version.is_none_or(|version| version == read.api_version);
    read.status.filter(|login| {
        let has_certificate = login.client_certificate_data.is_some() && login.client_key_data.is_some();
        is_it && (login.token.is_some() || has_certificate)
    })
}

#[cfg(test)]
mod tests {
    use deputy_aws::ExposeSecret as _;

    use super::*;

    const V1: &str = "client.authentication.k8s.io/v1";

    fn shell(script: &str) -> ExecConfig {
        ExecConfig {
            api_version: Some(V1.into()),
            command: Some("/bin/sh".into()),
            args: Some(vec!["-c".into(), script.into()]),
            interactive_mode: Some(ExecInteractiveMode::Never),
            ..ExecConfig::default()
        }
    }

    fn answer(status: &str) -> String {
        format!(r#"echo '{{"apiVersion":"{V1}","kind":"ExecCredential","status":{status}}}'"#)
    }

    #[test]
    fn a_token_or_a_certificate_with_its_key_is_an_answer() {
        let run = |script: &str| run(&shell(script), Duration::from_secs(30));
        let login = run(&answer(
            r#"{"token":"hunter2","expirationTimestamp":"2026-11-30T00:00:00Z"}"#,
        ));
        assert_eq!(login.ok().unwrap().token.unwrap().expose_secret(), "hunter2");
        let login = run(&answer(r#"{"clientCertificateData":"c","clientKeyData":"k"}"#))
            .ok()
            .unwrap();
        assert_eq!(login.client_certificate_data.unwrap(), "c");
        let yaml = format!("printf 'apiVersion: {V1}\\nkind: ExecCredential\\nstatus: {{token: t}}\\n'");
        assert!(run(&yaml).is_ok());
        // It is told that nobody can be asked.
        let told = format!(
            r#"echo "$KUBERNETES_EXEC_INFO" | grep -q '"interactive":false' && {}"#,
            answer(r#"{"token":"t"}"#)
        );
        assert!(run(&told).is_ok());
    }

    #[test]
    fn nothing_of_a_wrong_answer_is_shown() {
        for (script, says) in [
            (
                answer(r#"{"clientCertificateData":"hunter2"}"#),
                "no ExecCredential",
            ),
            (
                answer(r#"{"token":"hunter2"}"#).replace("/v1", "/v2"),
                "no ExecCredential",
            ),
            ("echo hunter2".into(), "no ExecCredential"),
            ("echo hunter2; exit 3".into(), "exit status: 3"),
            ("yes hunter2".into(), "failed"),
        ] {
            let said = run(&shell(&script), Duration::from_secs(30))
                .err()
                .unwrap()
                .to_string();
            assert!(said.contains(says) && !said.contains("hunter2"), "{said}");
        }
        let missing = ExecConfig {
            command: Some("/none/such".into()),
            install_hint: Some("install it".into()),
            ..shell("")
        };
        let said = run(&missing, Duration::from_secs(30)).err().unwrap().to_string();
        assert!(
            said.contains("can't be started") && said.ends_with(": install it"),
            "{said}"
        );
    }

    #[test]
    fn a_login_program_that_does_not_end_is_ended() {
        let begun = Instant::now();
        let said = run(&shell("sleep 60; true"), Duration::from_millis(50))
            .err()
            .unwrap();
        assert!(said.to_string().contains("and was ended"), "{said}");
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
