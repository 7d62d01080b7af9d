//! A context for tests.

use kube::config::Kubeconfig;
use serde_json::{Value, json};

use super::context::{ChosenContext, choose};

/// A context whose cluster is https://api, and whose user has a token. `more` is YAML: what of `server`, `namespace`, `user-name` is
/// another, and fields of the user.
pub fn context(more: &str) -> ChosenContext {
    let more: Value = if more.is_empty() {
        json!({})
    } else {
        serde_saphyr::from_str(more).unwrap()
    };
    let text = |name: &str, usual: &str| more[name].as_str().unwrap_or(usual).to_owned();
    let mut login = json!({"token": "hunter2"});
    for (name, value) in more.as_object().unwrap() {
        if !["server", "namespace", "user-name"].contains(&name.as_str()) {
            login[name] = value.clone();
        }
    }
    let user = text("user-name", "alice");
    let kubeconfig = json!({
        "current-context": "prod",
        "contexts": [{"name": "prod", "context": {"cluster": "c", "user": user, "namespace": text("namespace", "")}}],
        "clusters": [{"name": "c", "cluster": {"server": text("server", "https://api")}}],
        "users": [{"name": user, "user": login}],
    });
    choose(Kubeconfig::from_yaml(&kubeconfig.to_string()).unwrap(), None)
        .ok()
        .unwrap()
}
