//! Fields that a definition does not know.
//!
//! The API server refuses them for `kubectl`, which asks for strict validation, and silently drops them for others. A
//! mistyped restriction (`sesion:`) would then vanish. The webhook refuses such fields; for files that no API server has seen
//! (`deputy bootstrap aws`, `deputy policy`) this is the only guard.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::Value;

/// The most problems that are listed.
const MAX_FOUND: usize = 32;
/// Deeper than any schema of ours.
const MAX_DEPTH: usize = 16;

/// Paths in `object` that `crd` does not know, and those that are null. At most 32; `metadata` and what is kept as it
/// is (policy documents) are passed over.
#[must_use]
pub fn unknown_fields(crd: &CustomResourceDefinition, object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let schema = crd
        .spec
        .versions
        .iter()
        .filter_map(|v| v.schema.as_ref()?.open_api_v3_schema.as_ref())
        .next();
    if let (Some(schema), Value::Object(fields)) = (schema, object) {
        for (name, value) in fields {
            if matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
                continue;
            }
            member(schema, name, value, name.clone(), 0, &mut found);
        }
    }
    found.truncate(MAX_FOUND);
    found
}

fn member(
    schema: &JSONSchemaProps,
    name: &str,
    value: &Value,
    path: String,
    depth: usize,
    found: &mut Vec<String>,
) {
    if let Some(property) = schema.properties.as_ref().and_then(|p| p.get(name)) {
        walk(property, value, path, depth + 1, found);
    } else if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
        walk(values, value, path, depth + 1, found);
    } else {
        found.push(path);
    }
}

fn walk(schema: &JSONSchemaProps, value: &Value, path: String, depth: usize, found: &mut Vec<String>) {
    if found.len() >= MAX_FOUND
        || depth > MAX_DEPTH
        || schema.x_kubernetes_preserve_unknown_fields == Some(true)
    {
        return;
    }
    match value {
        Value::Null => found.push(path),
        Value::Object(fields) => {
            for (name, value) in fields {
                member(schema, name, value, format!("{path}.{name}"), depth, found);
            }
        }
        Value::Array(values) => {
            if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
                for (i, value) in values.iter().enumerate() {
                    walk(items, value, format!("{path}[{i}]"), depth + 1, found);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::unknown_fields;
    use crate::crds::crd;

    #[test]
    fn a_mistyped_restriction_is_found_and_a_policy_is_not_looked_into() {
        let binding = json!({
            "apiVersion": "deputy.dev/v1alpha1", "kind": "AWSRoleBinding",
            "metadata": {"name": "b", "whatever": 1},
            "spec": {
                "roleRef": {"kind": "AWSRole", "name": "r", "namespace": "other"},
                "subjects": [{"kind": "ServiceAccount", "name": "a"}, {"kind": "ServiceAccount", "name": "b", "nam": "c"}],
                "sesion": {"scope": "Pod"},
                "session": {"policy": {"Statment": []}, "tags": {"any": "thing"}, "duration": null},
            },
            "sepc": {},
        });
        let mut found = unknown_fields(crd("awsrolebindings").unwrap(), &binding);
        found.sort();
        let wanted = [
            "sepc",
            "spec.roleRef.namespace",
            "spec.sesion",
            "spec.session.duration",
            "spec.subjects[1].nam",
        ];
        assert_eq!(found, wanted);
    }
}
