//! Whether a manifest has the shape of its kind, said in the words of YAML and of the reference pages: an API server would
//! have refused it, and what our types say of it is for programmers.

use deputy_admission::nearest;
use deputy_api::unknown::unknown_fields;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::Value;

use crate::yaml::MERGE;

/// Something that does not fit.
pub struct Misfit {
    /// Such as `spec.policies[0].name`.
    pub path: String,
    /// A sentence without the path.
    pub message: String,
    pub sort: Sort,
}

/// What sort of thing does not fit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// A field that there is not, or that is null.
    Field,
    /// A field that is missing.
    Missing,
    /// A value of another type, or none of those that there are.
    Value,
}

/// Deeper than any schema of ours.
const MAX_DEPTH: usize = 16;
/// So many are listed.
const MAX_FOUND: usize = 32;

/// What does not fit `definition`; `metadata`, `status` and policy documents are not looked into.
pub fn misfits(definition: &CustomResourceDefinition, object: &Value) -> Vec<Misfit> {
    let kind = definition.spec.names.kind.as_str();
    let unknown = unknown_fields(definition, object).into_iter();
    let unknown = unknown.filter(|path| !path.starts_with("status"));
    let mut found: Vec<Misfit> = unknown
        .map(|path| {
            let pointer = format!("/{}", path.replace(['.', '['], "/").replace(']', ""));
            let message = match object.pointer(&pointer) {
                _ if path.ends_with(".<<") => MERGE.to_owned(),
                Some(Value::Null) => "it is null; write a value, or leave the field out".to_owned(),
                _ => match meant(definition, &path) {
                    Some(meant) => format!("{kind} has no such field; did you mean {meant}?"),
                    None => format!("{kind} has no such field"),
                },
            };
            let sort = Sort::Field;
            Misfit { path, message, sort }
        })
        .collect();
    let versions = definition.spec.versions.iter();
    let mut schemas = versions.filter_map(|v| v.schema.as_ref()?.open_api_v3_schema.as_ref());
    if let Some(spec) = schemas
        .next()
        .and_then(|schema| schema.properties.as_ref()?.get("spec"))
    {
        match object.get("spec") {
            Some(value) => walk(spec, value, "spec", 0, &mut found),
            None => found.push(missing("spec".to_owned())),
        }
    }
    found.truncate(MAX_FOUND);
    found
}

/// The field that was probably meant by one that there is not: the nearest of those that could stand at its place.
fn meant<'d>(definition: &'d CustomResourceDefinition, path: &str) -> Option<&'d str> {
    let versions = definition.spec.versions.iter();
    let mut schema = versions
        .filter_map(|v| v.schema.as_ref()?.open_api_v3_schema.as_ref())
        .next()?;
    let (above, field) = path.rsplit_once('.').unwrap_or(("", path));
    for part in above.split('.').filter(|part| !part.is_empty()) {
        let mut indexes = part.split('[');
        schema = schema.properties.as_ref()?.get(indexes.next()?)?;
        for _ in indexes {
            let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items else {
                return None;
            };
            schema = items;
        }
    }
    nearest(field, schema.properties.as_ref()?.keys().map(String::as_str))
}

fn missing(path: String) -> Misfit {
    let message = "it is missing".to_owned();
    let sort = Sort::Missing;
    Misfit { path, message, sort }
}

fn walk(schema: &JSONSchemaProps, value: &Value, path: &str, depth: usize, found: &mut Vec<Misfit>) {
    if depth > MAX_DEPTH || found.len() >= MAX_FOUND || value.is_null() {
        return;
    }
    let mut wrong = |message| {
        let path = path.to_owned();
        let sort = Sort::Value;
        found.push(Misfit { path, message, sort });
    };
    let needed = schema.type_.as_deref().unwrap_or_default();
    if let Some(needed) = Some(needed).filter(|needed| !is(value, needed)) {
        return wrong(format!(
            "it is {}; {} is needed",
            name_of(value),
            name_of_type(needed)
        ));
    }
    if let Some(words) = schema.enum_.as_ref().filter(|_| value.is_string()) {
        let words: Vec<&str> = words.iter().filter_map(|word| word.0.as_str()).collect();
        if !value.as_str().is_some_and(|word| words.contains(&word)) {
            return wrong(format!("{value} is none of {}", words.join(", ")));
        }
    }
    for field in schema.required.iter().flatten() {
        if value
            .as_object()
            .is_some_and(|fields| !fields.contains_key(field))
        {
            found.push(missing(format!("{path}.{field}")));
        }
    }
    for (field, value) in value.as_object().into_iter().flatten() {
        let known = schema.properties.as_ref().and_then(|fields| fields.get(field));
        let known = known.or(match &schema.additional_properties {
            Some(JSONSchemaPropsOrBool::Schema(values)) => Some(values),
            _ => None,
        });
        if let Some(known) = known {
            walk(known, value, &format!("{path}.{field}"), depth + 1, found);
        }
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        for (i, item) in value.as_array().into_iter().flatten().enumerate() {
            walk(items, item, &format!("{path}[{i}]"), depth + 1, found);
        }
    }
}

/// Whether a value is of a type of JSON schema.
fn is(value: &Value, needed: &str) -> bool {
    match needed {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => true,
    }
}

fn name_of_type(needed: &str) -> &'static str {
    match needed {
        "object" => "an object",
        "array" => "a list",
        "string" => "text",
        "boolean" => "true or false",
        "integer" => "a whole number",
        _ => "a number",
    }
}

fn name_of(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => format!("the boolean {flag}"),
        // As text in quotes it would have been right.
        Value::Number(number) => format!("the number {number} without quotes"),
        Value::String(_) => "text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}
