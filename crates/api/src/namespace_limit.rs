//! `NamespaceLimit`: a limit, as a namespace that it names may read it.

use std::borrow::Cow;

use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::DelegationLimitSpec;

// Its schema is that of the limit, made from it: what a limit says, its namespaces read. No names or patterns of namespaces, no uid of the
// limit, no owner: who may read one namespace learns nothing of another, and the uid of a limit tells the webhook that somebody may read the
// limit. Atomic: what somebody else writes into a copy does not stay beside what Deputy writes.
/// All that the limit says, but for the namespaces that it names.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "deputy.dev",
    version = "v1alpha1",
    kind = "NamespaceLimit",
    plural = "namespacelimits",
    shortname = "nslimit",
    category = "deputy",
    namespaced,
    derive = "PartialEq",
    doc = "A NamespaceLimit shows what its namespace may be granted: a copy, which Deputy writes, of the DelegationLimit of the same name. Nothing is decided by it: an edit has no effect, and is put right. Where several are there, a grant has to be within each one that names its account.",
    printcolumn(name = "Accounts", type_ = "string", json_path = ".spec.accounts"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(transparent)]
pub struct NamespaceLimitSpec {
    /// The fields, as the limit has them.
    pub fields: Map<String, Value>,
}

impl NamespaceLimitSpec {
    /// The one field of a limit that its copies do not have.
    pub const LEFT_OUT: &str = "namespaces";
}

impl JsonSchema for NamespaceLimitSpec {
    fn schema_name() -> Cow<'static, str> {
        "NamespaceLimitSpec".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = DelegationLimitSpec::json_schema(generator);
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.remove(Self::LEFT_OUT);
        }
        if let Some(Value::Array(required)) = schema.get_mut("required") {
            required.retain(|field| field != Self::LEFT_OUT);
        }
        let what = "All that the limit says, but for the namespaces that it names.";
        schema.insert("description".to_owned(), json!(what));
        schema.insert("x-kubernetes-map-type".to_owned(), json!("atomic"));
        schema
    }
}
