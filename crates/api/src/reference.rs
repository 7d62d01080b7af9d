//! The page in `docs/reference/` that describes a kind, made from its definition.

use std::fmt::Write as _;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

/// The page of one kind, in Markdown.
#[must_use]
pub fn reference_md(crd: &CustomResourceDefinition) -> String {
    let names = &crd.spec.names;
    let mut page = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| {
        // Writing to a String can't fail.
        let _written = page.write_fmt(text);
        page.push('\n');
    };
    for version in &crd.spec.versions {
        let Some(schema) = version
            .schema
            .as_ref()
            .and_then(|s| s.open_api_v3_schema.as_ref())
        else {
            continue;
        };
        line(format_args!(
            "<!-- Generated from the types in crates/api. Do not edit. -->"
        ));
        line(format_args!("# {}\n", names.kind));
        line(format_args!(
            "{}\n",
            schema.description.as_deref().unwrap_or_default()
        ));
        line(format_args!("| | |\n|---|---|"));
        line(format_args!(
            "| apiVersion | `{}/{}` |",
            crd.spec.group, version.name
        ));
        line(format_args!("| kind | `{}` |", names.kind));
        line(format_args!("| scope | {} |", crd.spec.scope));
        let mut words = vec![names.plural.clone()];
        words.extend(names.singular.clone());
        words.extend(names.short_names.iter().flatten().cloned());
        words.extend(names.categories.iter().flatten().cloned());
        line(format_args!("| for kubectl | `{}` |", words.join("`, `")));
        for part in ["spec", "status"] {
            let Some(schema) = schema.properties.as_ref().and_then(|p| p.get(part)) else {
                continue;
            };
            line(format_args!("\n## {part}\n"));
            line(format_args!(
                "{}\n",
                one_line(schema.description.as_deref().unwrap_or_default())
            ));
            line(format_args!(
                "| field | type | default | rules | what |\n|---|---|---|---|---|"
            ));
            let mut rows = Vec::new();
            fields(schema, part, &mut rows);
            for row in rows {
                line(format_args!("{row}"));
            }
            let rules = validations(schema);
            if !rules.is_empty() {
                line(format_args!("\nFor the whole of `{part}`: {}.", rules.join("; ")));
            }
        }
    }
    page
}

fn fields(schema: &JSONSchemaProps, path: &str, rows: &mut Vec<String>) {
    for (name, property) in schema.properties.iter().flatten() {
        let path = format!("{path}.{name}");
        let required = schema.required.iter().flatten().any(|r| r == name);
        rows.push(format!(
            "| `{path}` | {} | {} | {} | {} |",
            type_of(property),
            property
                .default
                .as_ref()
                .map_or_else(String::new, |d| cell(&format!("`{}`", d.0))),
            cell(&rules(property, required).join("; ")),
            cell(&one_line(property.description.as_deref().unwrap_or_default())),
        ));
        // Conditions are metav1.Condition, known to everybody.
        if name == "conditions" {
            continue;
        }
        fields(property, &path, rows);
        if let Some(JSONSchemaPropsOrArray::Schema(items)) = &property.items {
            fields(items, &format!("{path}[]"), rows);
        }
    }
}

fn type_of(schema: &JSONSchemaProps) -> String {
    if schema.x_kubernetes_preserve_unknown_fields == Some(true) {
        return "policy document".to_owned();
    }
    match (
        schema.type_.as_deref(),
        &schema.items,
        &schema.additional_properties,
    ) {
        (Some("array"), Some(JSONSchemaPropsOrArray::Schema(items)), _) => {
            let unique = match schema.x_kubernetes_list_type.as_deref() {
                Some("set") => "set",
                Some("map") => "list by key",
                _ => "list",
            };
            format!("{unique} of {}", type_of(items))
        }
        (_, _, Some(JSONSchemaPropsOrBool::Schema(values))) => {
            format!("map of string to {}", type_of(values))
        }
        (Some(type_), ..) => type_.to_owned(),
        (None, ..) => "any".to_owned(),
    }
}

fn rules(schema: &JSONSchemaProps, required: bool) -> Vec<String> {
    let mut rules = Vec::new();
    if required {
        rules.push("required".to_owned());
    }
    rules.extend(bounds(schema));
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        rules.extend(bounds(items).into_iter().map(|rule| format!("each: {rule}")));
    }
    if let Some(keys) = &schema.x_kubernetes_list_map_keys {
        rules.push(format!("one for each {}", keys.join(", ")));
    }
    rules.extend(validations(schema));
    rules
}

fn bounds(schema: &JSONSchemaProps) -> Vec<String> {
    let mut rules = Vec::new();
    if let Some(values) = &schema.enum_ {
        let values: Vec<String> = values
            .iter()
            .map(|v| format!("`{}`", v.0.as_str().unwrap_or_default()))
            .collect();
        rules.push(values.join(" or "));
    }
    let mut range = |min: Option<i64>, max: Option<i64>, what: &str| match (min, max) {
        (Some(min), Some(max)) => rules.push(format!("{min} to {max} {what}")),
        (Some(min), None) => rules.push(format!("at least {min} {what}")),
        (None, Some(max)) => rules.push(format!("at most {max} {what}")),
        (None, None) => {}
    };
    range(schema.min_length, schema.max_length, "characters");
    range(schema.min_items, schema.max_items, "entries");
    range(schema.min_properties, schema.max_properties, "entries");
    if let Some(pattern) = &schema.pattern {
        rules.push(format!("`{pattern}`"));
    }
    rules
}

fn validations(schema: &JSONSchemaProps) -> Vec<String> {
    schema
        .x_kubernetes_validations
        .iter()
        .flatten()
        .map(|rule| rule.message.clone().unwrap_or_else(|| format!("`{}`", rule.rule)))
        .collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text that does not end its cell, and in which `<name>` is shown: outside of code it would be HTML.
fn cell(text: &str) -> String {
    let parts = text.split('`').enumerate();
    // Every second part is code.
    let shown = parts.map(|(n, part)| {
        if n % 2 == 0 {
            part.replace('<', "\\<")
        } else {
            part.to_owned()
        }
    });
    shown.collect::<Vec<_>>().join("`").replace('|', "\\|")
}
