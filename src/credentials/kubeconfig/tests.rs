//! Kubeconfigs as they are found, and what is never said about them.

use std::{fs, path::PathBuf};

use deputy_aws::ExposeSecret as _;
use kube::config::Kubeconfig;

use super::{client_config, context::choose, identity, testing::context};
use crate::credentials::{kubeconfig::KubeconfigArguments, settings::Settings};

fn refused(yaml: &str, wanted: Option<&str>) -> String {
    let kubeconfig = Kubeconfig::from_yaml(yaml).unwrap();
    choose(kubeconfig, wanted).err().unwrap().to_string()
}

const WHOLE: &str = "{current-context: a, contexts: [{name: a, context: {cluster: c, user: u}}],
    clusters: [{name: c, cluster: {server: 'https://api'}}], users: [{name: u, user: {token: hunter2}}]}";

#[test]
fn what_a_context_lacks_is_named() {
    for (part, other, says) in [
        (
            "current-context: a",
            "current-context: ''",
            "no current context: give --context; it has a",
        ),
        (
            "current-context: a",
            "current-context: b",
            "no context \"b\"; it has a",
        ),
        ("name: c,", "name: d,", "names the cluster \"c\""),
        ("name: u,", "name: v,", "names the user \"u\""),
        (
            "https://api",
            "http://api",
            "the server of context \"a\" is not https://",
        ),
        ("https://api", "https://u:hunter2@api", "is not https://HOST"),
        ("https://api", "ftp://api", "is not https://HOST"),
    ] {
        let said = refused(&WHOLE.replace(part, other), None);
        assert!(said.contains(says) && !said.contains("hunter2"), "{said}");
    }
    assert!(refused(WHOLE, Some("b")).contains("no context \"b\""));
    assert!(choose(Kubeconfig::from_yaml(WHOLE).unwrap(), Some("a")).is_ok());
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("deputy-kubeconfig-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

#[test]
fn the_kubeconfig_is_the_flags_else_the_variables_else_that_of_the_home() {
    let folder = Folder::new("places");
    fs::create_dir_all(folder.0.join(".kube")).unwrap();
    let home = folder.0.to_str().unwrap();
    let named = |name: &str| {
        WHOLE
            .replace("name: a", &format!("name: {name}"))
            .replace("context: a", &format!("context: {name}"))
    };
    folder.file(".kube/config", &named("home"));
    let (one, two) = (
        folder.file("one", &named("one")),
        folder.file("two", &named("two")),
    );
    let of = |flag: Option<&str>, context: Option<&str>, variable: &str| {
        let arguments = KubeconfigArguments {
            context: context.map(str::to_owned),
            kubeconfig: flag.map(PathBuf::from),
        };
        let variables = [("HOME", home), ("KUBECONFIG", variable)];
        let settings = Settings::of(None, &variables, &[]);
        arguments
            .choose(&settings)
            .map(|context| context.name)
            .map_err(|failure| failure.to_string())
    };
    assert_eq!(of(None, None, "").unwrap(), "home");
    let both = format!("{home}/none:{one}::{two}");
    assert_eq!(of(None, None, &both).unwrap(), "one");
    assert_eq!(of(None, Some("two"), &both).unwrap(), "two");
    assert_eq!(of(Some(&two), None, &both).unwrap(), "two");
    assert!(
        of(None, None, "/none/such")
            .unwrap_err()
            .contains("there is no kubeconfig at /none/such")
    );
    assert!(
        of(Some(home), None, "")
            .unwrap_err()
            .contains("a kubeconfig is a file")
    );
    let broken = folder.file("broken", "users:\n- name: u\n  user: {token: hunter2\n");
    let said = of(Some(&broken), None, "").unwrap_err();
    assert!(
        said.contains("can't be read as a kubeconfig (line") && !said.contains("hunter2"),
        "{said}"
    );
}

#[test]
fn who_it_is_is_decided_by_what_stays_the_same_person() {
    let of = |more: &str| identity(&context(more)).unwrap();
    let provider = |more: &str| {
        format!("{{token: null, auth-provider: {{name: oidc, config: {{client-id: a, {more}}}}}}}")
    };
    assert_eq!(of(&provider("id-token: x")), of(&provider("id-token: y")));
    assert_ne!(of(&provider("id-token: x")), of(&provider("idp-issuer-url: y")));
    let exec = |argument: &str| {
        format!("{{token: null, exec: {{apiVersion: v1, command: kubelogin, args: [{argument}]}}}}")
    };
    assert_ne!(of(&exec("a")), of(&exec("b")));
    assert_ne!(of("as-groups: [a]"), of("as-groups: [b]"));
    let folder = Folder::new("token");
    let file = format!("{{token: null, tokenFile: '{}'}}", folder.file("token", "one"));
    let before = of(&file);
    folder.file("token", "two");
    assert_ne!(of(&file), before);
    assert!(identity(&context("{token: null, tokenFile: /none/such}")).is_err());
}

#[test]
fn a_login_is_what_the_kubeconfig_or_its_program_says() {
    let settings = Settings::of(None, &[], &[]);
    let token = |more: &str| {
        let config = client_config(context(more), &settings).map_err(|failure| failure.to_string())?;
        Ok::<_, String>(
            config
                .auth_info
                .token
                .map(|token| token.expose_secret().to_owned()),
        )
    };
    assert_eq!(token("").unwrap().unwrap(), "hunter2");
    let provider = |name: &str, token: &str| {
        format!("{{token: null, auth-provider: {{name: {name}, config: {{id-token: '{token}'}}}}}}")
    };
    assert_eq!(token(&provider("oidc", "t")).unwrap().unwrap(), "t");
    assert!(token(&provider("oidc", "")).unwrap_err().contains("no id-token"));
    assert!(
        token(&provider("gcp", "hunter2"))
            .unwrap_err()
            .contains("use a login program")
    );
    let script = r#"echo '{"apiVersion":"v1","kind":"ExecCredential","status":{"token":"fresh"}}'"#;
    let exec = |token: &str| {
        format!(
            "{{token: {token}, exec: {{apiVersion: v1, command: sh, args: ['-c', {}]}}}}",
            serde_json::Value::from(script)
        )
    };
    assert_eq!(token(&exec("null")).unwrap().unwrap(), "fresh");
    assert_eq!(token(&exec("mine")).unwrap().unwrap(), "mine");
}
