//! `deputy credentials role` and `config` as a person calls them, against an API server of the test.

mod config;
mod double;
mod page;
mod refusals;
mod sessions;

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use self::double::ApiDouble;
use crate::run::Done;

/// Somebody with a home folder and a kubeconfig, and the cluster that they are logged in to.
struct Person {
    home: PathBuf,
    api: ApiDouble,
}

impl Person {
    /// Whose token is `hunter2-token`.
    fn new(name: &str) -> Self {
        let home = std::env::temp_dir().join(format!("deputy-people-{}-{name}", std::process::id()));
        drop(fs::remove_dir_all(&home));
        fs::create_dir_all(home.join(".kube")).unwrap();
        let person = Self {
            home,
            api: ApiDouble::start(),
        };
        person.logs_in("{token: hunter2-token}");
        person
    }

    /// From now on by this `user` of a kubeconfig.
    fn logs_in(&self, user: &str) {
        let kubeconfig = format!(
            "{{apiVersion: v1, kind: Config, current-context: production,
            contexts: [{{name: production, context: {{cluster: c, user: alice, namespace: payments}}}},
                       {{name: other, context: {{cluster: c, user: alice}}}}],
            clusters: [{{name: c, cluster: {{server: 'http://{}'}}}}], users: [{{name: alice, user: {user}}}]}}",
            self.api.address
        );
        self.writes(".kube/config", &kubeconfig);
    }

    fn writes(&self, name: &str, text: &str) {
        fs::write(self.home.join(name), text).unwrap();
    }

    fn reads(&self, name: &str) -> String {
        fs::read_to_string(self.home.join(name)).unwrap()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.home)
            .env_clear()
            .env("HOME", &self.home)
            .env("PATH", std::env::var_os("PATH").unwrap())
            .stdin(Stdio::null());
        command
    }

    /// Runs `deputy credentials …`. No secret is in what it says.
    fn run(&self, arguments: &[&str]) -> Done {
        let mut command = self.command(env!("CARGO_BIN_EXE_deputy"));
        let output = command.arg("credentials").args(arguments).output().unwrap();
        let done = Done {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!done.err.contains("hunter2"), "{}", done.err);
        done
    }

    fn role(&self, more: &[&str]) -> Done {
        self.run(&[&["role", "payments/reports"], more].concat())
    }

    /// The access key id of the session that is printed.
    fn session(&self, more: &[&str]) -> String {
        let done = self.role(more);
        assert_eq!((done.code, done.err.as_str()), (0, ""));
        key_of(&done.out)
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.home));
    }
}

fn key_of(printed: &str) -> String {
    let answer: serde_json::Value = serde_json::from_str(printed).unwrap();
    assert_eq!(answer["Version"], 1);
    answer["AccessKeyId"].as_str().unwrap().to_owned()
}
