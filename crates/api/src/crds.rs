//! The custom resource definitions, as they are in `crds/`.

use std::{collections::HashMap, sync::LazyLock};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt as _;

use crate::{
    AWSAccount, AWSFederatedUserBinding, AWSResourcePolicyStatement, AWSRole, AWSRoleBinding, ClusterAWSRole,
    DelegationLimit, NamespaceLimit,
};

/// The definitions of all kinds.
#[must_use]
pub fn crds() -> Vec<CustomResourceDefinition> {
    let mut crds = vec![
        AWSAccount::crd(),
        AWSFederatedUserBinding::crd(),
        AWSResourcePolicyStatement::crd(),
        AWSRole::crd(),
        AWSRoleBinding::crd(),
        ClusterAWSRole::crd(),
        DelegationLimit::crd(),
        NamespaceLimit::crd(),
    ];
    for crd in &mut crds {
        let example = example(&crd.spec.names.plural);
        let kept = if crd.spec.names.kind == "AWSRoleBinding" {
            NULL_KEPT
        } else {
            &[]
        };
        for version in &mut crd.spec.versions {
            if let Some(schema) = version
                .schema
                .as_mut()
                .and_then(|s| s.open_api_v3_schema.as_mut())
            {
                if let (Some(description), Some(example)) = (&mut schema.description, example) {
                    *description = with_example(description, example);
                }
                drop_null(schema);
                kept.iter().for_each(|path| keep_null(schema, path));
            }
        }
    }
    crds
}

/// One object of a kind, by the plural of its name: the smallest that does the kind's main job. Together they are one installation, in
/// which each grant is within its limit.
#[must_use]
pub fn example(plural: &str) -> Option<&'static str> {
    Some(match plural {
        "awsaccounts" => include_str!("examples/awsaccounts.yaml"),
        "awsfederateduserbindings" => include_str!("examples/awsfederateduserbindings.yaml"),
        "awsresourcepolicystatements" => include_str!("examples/awsresourcepolicystatements.yaml"),
        "awsroles" => include_str!("examples/awsroles.yaml"),
        "awsrolebindings" => include_str!("examples/awsrolebindings.yaml"),
        "clusterawsroles" => include_str!("examples/clusterawsroles.yaml"),
        "delegationlimits" => include_str!("examples/delegationlimits.yaml"),
        "namespacelimits" => include_str!("examples/namespacelimits.yaml"),
        _ => return None,
    })
}

/// What `kubectl explain KIND` prints. It keeps the lines of a text that stand further in.
fn with_example(description: &str, example: &str) -> String {
    let lines: Vec<String> = example.lines().map(|line| format!("    {line}")).collect();
    format!("{description}\n\nExample:\n\n{}", lines.join("\n"))
}

/// The definition of one kind by the plural of its name, such as `awsroles`.
#[must_use]
pub fn crd(plural: &str) -> Option<&'static CustomResourceDefinition> {
    /// Made once, because that takes a while.
    static BY_PLURAL: LazyLock<HashMap<String, CustomResourceDefinition>> = LazyLock::new(|| {
        let named = |crd: CustomResourceDefinition| (crd.spec.names.plural.clone(), crd);
        crds().into_iter().map(named).collect()
    });
    BY_PLURAL.get(plural)
}

/// The content of `crds/<plural>.yaml`; `None` for a kind that there is not.
#[must_use]
pub fn crds_yaml(plural: &str) -> Option<String> {
    let yaml = serde_saphyr::to_string(crd(plural)?).ok()?;
    Some(format!(
        "# Generated from the types in crates/api by `deputy crds`. Do not edit.\n{yaml}"
    ))
}

/// Fields of a binding whose absence means more than their presence. A template that renders `policy:` with nothing
/// behind it did not mean "all of the role". The API server would silently drop such a null; kept, it reaches those who
/// refuse it. The outer ones come first.
pub const NULL_KEPT: &[&[&str]] = &[&["spec", "session"], &["spec", "session", "policy"]];

fn keep_null(schema: &mut JSONSchemaProps, path: &[&str]) {
    match path.split_first() {
        Some((name, rest)) => {
            if let Some(property) = schema.properties.as_mut().and_then(|p| p.get_mut(*name)) {
                keep_null(property, rest);
            }
        }
        None => schema.nullable = Some(true),
    }
}

/// Takes `nullable` out of a schema: `kube` makes every optional field nullable. The API server drops null from the
/// others, so that it means absent everywhere.
fn drop_null(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    for property in schema.properties.iter_mut().flat_map(|p| p.values_mut()) {
        drop_null(property);
    }
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => drop_null(items),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(drop_null),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        drop_null(values);
    }
}
