//! Verdicts, object by object.

mod accounts;
mod bindings;
mod cluster_roles;
mod crafted;
mod dropped_nulls;
mod dry_runs;
mod federated;
mod keys;
mod limits;
mod lints;
mod named;
mod names;
mod overlaps;
mod properties;
mod roles;
mod statements;
mod unasked;

use std::sync::Arc;

use deputy_delegation::ClusterName;
use deputy_index::{Index, ResourceKind};
use serde_json::{Value, json};

use crate::{
    facts::Facts,
    review::{self, Verdict},
};

const ROLE_NAME: &str = "uploader";

fn account() -> Value {
    json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": "AWSAccount", "metadata": {"name": "production", "uid": "6c0a9a6e-0000-0000-0000-000000000002"},
        "spec": {
            "accountID": "123456789012", "partition": "aws", "region": "ap-northeast-1",
            "issuer": {"principalARN": "arn:aws:iam::123456789012:role/deputy-broker"},
        },
    })
}

fn policy(actions: &[&str], resource: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": actions, "Resource": resource}],
    })
}

fn limit(actions: &[&str]) -> Value {
    json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": "DelegationLimit",
        "metadata": {"name": "payments", "uid": "6c0a9a6e-0000-0000-0000-000000000001"},
        "spec": {
            "namespaces": ["payments", "payments-*"], "accounts": ["production"],
            "ceiling": policy(actions, "arn:aws:s3:::productionapp/*"),
            "acknowledgeEscalation": ["s3:*"],
            "session": {"maxDuration": "1h"},
        },
    })
}

fn role_of(namespace: &str, name: &str, actions: &[&str]) -> Value {
    json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": "AWSRole",
        "metadata": {"name": name, "namespace": namespace, "uid": "6c0a9a6e-0000-0000-0000-000000000003"},
        "spec": {
            "accountRef": {"name": "production"},
            "policies": [{"name": "objects", "document": policy(actions, "arn:aws:s3:::productionapp/*")}],
            "maxSessionDuration": "1h",
        },
    })
}

fn role(actions: &[&str]) -> Value {
    role_of("payments", ROLE_NAME, actions)
}

fn binding(name: &str, created: Option<&str>) -> Value {
    let mut object = json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": "AWSRoleBinding",
        "metadata": {"name": name, "namespace": "payments"},
        "spec": {
            "roleRef": {"kind": "AWSRole", "name": ROLE_NAME},
            "subjects": [{"kind": "ServiceAccount", "name": "uploader"}],
            "session": {"scope": "ServiceAccount"},
        },
    });
    if let Some(created) = created {
        object["metadata"]["creationTimestamp"] = json!(created);
    }
    object
}

/// A cluster that holds these objects.
fn facts(objects: &[Value]) -> Facts {
    let index = Arc::new(Index::new(ClusterName::new("prod-1").unwrap()));
    for (kind, name) in [
        (ResourceKind::Accounts, "AWSAccount"),
        (ResourceKind::Limits, "DelegationLimit"),
        (ResourceKind::Roles, "AWSRole"),
        (ResourceKind::ClusterRoles, "ClusterAWSRole"),
        (ResourceKind::Bindings, "AWSRoleBinding"),
        (ResourceKind::FederatedBindings, "AWSFederatedUserBinding"),
        (ResourceKind::Statements, "AWSResourcePolicyStatement"),
    ] {
        let of_kind = objects.iter().filter(|o| o["kind"] == name);
        index.reset(kind, of_kind.map(|o| serde_json::from_value(o.clone()).unwrap()));
    }
    Facts::new(index)
}

/// The usual one: an account, a limit of get and put, nothing granted.
fn usual() -> Facts {
    facts(&[account(), limit(&["s3:GetObject", "s3:PutObject"])])
}

fn plural(kind: &str) -> String {
    format!("{}s", kind.to_lowercase())
}

fn body(operation: &str, object: Option<&Value>, old: Option<&Value>) -> Value {
    let it = object.or(old).unwrap();
    let kind = it["kind"].as_str().unwrap();
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "0c9a8d74", "operation": operation,
            "kind": {"group": "deputy.dev", "version": "v1alpha1", "kind": kind},
            "resource": {"group": "deputy.dev", "version": "v1alpha1", "resource": plural(kind)},
            "name": it["metadata"]["name"], "namespace": it["metadata"].get("namespace"),
            "userInfo": {}, "object": object, "oldObject": old, "dryRun": false, "options": {},
        },
    })
}

fn ask(facts: &Facts, body: &Value) -> Answer {
    let bytes = serde_json::to_vec(body).unwrap();
    let request = review::parse(&bytes).unwrap();
    Answer::of(super::review(facts, &request).unwrap())
}

fn create(facts: &Facts, object: &Value) -> Answer {
    ask(facts, &body("CREATE", Some(object), None))
}
fn update(facts: &Facts, old: &Value, new: &Value) -> Answer {
    ask(facts, &body("UPDATE", Some(new), Some(old)))
}
fn delete(facts: &Facts, old: &Value) -> Answer {
    ask(facts, &body("DELETE", None, Some(old)))
}

/// The answer as the API server reads it.
#[derive(Debug)]
struct Answer(Value);

impl Answer {
    fn of(verdict: Verdict) -> Self {
        let json: Value = serde_json::from_slice(&verdict.into_json("0c9a8d74").unwrap()).unwrap();
        assert_eq!(json["response"]["uid"], "0c9a8d74");
        Self(json["response"].clone())
    }
    #[track_caller]
    fn allowed(&self) -> Vec<String> {
        assert_eq!(self.0["allowed"], true, "{:#}", self.0);
        let warnings = self.0["warnings"].as_array().cloned().unwrap_or_default();
        let warnings: Vec<_> = warnings.iter().map(|w| w.as_str().unwrap().to_owned()).collect();
        assert!(
            warnings.len() <= 32 && warnings.iter().all(|w| w.chars().count() <= 256),
            "{warnings:?}"
        );
        warnings
    }
    #[track_caller]
    fn denied(&self, code: u16) -> &str {
        assert_eq!(self.0["allowed"], false, "{:#}", self.0);
        assert_eq!(self.0["status"]["code"], code, "{:#}", self.0);
        self.0["status"]["message"].as_str().unwrap()
    }
    fn fields(&self) -> Vec<&str> {
        let causes = self.0["status"]["details"]["causes"].as_array().unwrap();
        causes.iter().map(|c| c["field"].as_str().unwrap()).collect()
    }
    fn audit(&self, key: &str) -> &str {
        self.0["auditAnnotations"][key].as_str().unwrap_or_default()
    }
}
