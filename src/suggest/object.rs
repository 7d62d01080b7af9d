//! The AWSRole that is proposed instead of another one.

use deputy_admission::DeputyKind;
use deputy_delegation::{model::Role, quota::ROLE_INLINE_POLICIES};
use deputy_policy::Document;
use serde_json::{Value, json};

use crate::{accounts::parsed_role, objects::AskedWorld};

/// The AWSRole with other policies, as it is applied.
pub fn narrower(world: &AskedWorld, role: &Role, documents: &[Option<Document>]) -> Result<Value, String> {
    let (namespace, name) = (role.id.namespace.as_str(), role.id.name.as_str());
    let found = world
        .objects
        .iter()
        .find(|object| object.id() == (DeputyKind::Role, Some(namespace), name));
    let mut value = found.ok_or("it is not there")?.value.clone();
    let policies: Vec<Value> = role
        .policies()
        .iter()
        .zip(documents)
        .filter_map(|(policy, document)| {
            let document = document.as_ref()?;
            Some(json!({"name": policy.name.as_str(), "document": document.to_value()}))
        })
        .collect();
    let spec = value.get_mut("spec").and_then(Value::as_object_mut);
    let spec = spec.ok_or("it has no spec")?;
    match policies.is_empty() {
        true => spec.remove("policies"),
        false => spec.insert("policies".to_owned(), policies.into()),
    };
    let mut metadata = serde_json::Map::new();
    for field in ["name", "namespace", "labels", "annotations"] {
        if let Some(was) = value.pointer(&format!("/metadata/{field}")) {
            metadata.insert(field.to_owned(), was.clone());
        }
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        // It has the former spec.
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
    Ok(json!({
        "apiVersion": value.get("apiVersion"),
        "kind": value.get("kind"),
        "metadata": metadata,
        "spec": value.get("spec"),
    }))
}

/// Whether the API server and AWS take a proposed role.
///
/// # Errors
/// Why they do not.
pub fn fits(object: &Value) -> Result<(), String> {
    let refused = |why: String| format!("what was used is no AWSRole: {why}");
    let role = parsed_role(object).map_err(refused)?;
    let inline = role.owned().and_then(|owned| owned.policies.inline());
    match inline.map_or(0, |inline| inline.size()) {
        size if size > ROLE_INLINE_POLICIES => Err(refused(format!(
            "its inline policy would have {size} characters, for the resources that were used are listed; AWS takes {ROLE_INLINE_POLICIES}"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(resources: usize) -> Value {
        let resources: Vec<String> = (0..resources)
            .map(|i| format!("arn:aws:s3:::bucket-{i:04}/{}", "x".repeat(80)))
            .collect();
        json!({
            "apiVersion": "deputy.dev/v1alpha1",
            "kind": "AWSRole",
            "metadata": {"name": "uploader", "namespace": "payments"},
            "spec": {
                "accountRef": {"name": "production"},
                "policies": [{"name": "own", "document": {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": resources}],
                }}],
            },
        })
    }

    #[test]
    fn what_would_be_refused_is_not_proposed() {
        assert_eq!(fits(&role(50)), Ok(()));
        let why = fits(&role(200)).unwrap_err();
        assert!(why.contains("10240"), "{why}");
        let mut nameless = role(1);
        nameless["spec"]["policies"][0]["name"] = "".into();
        assert!(fits(&nameless).is_err());
    }
}
