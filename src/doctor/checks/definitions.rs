//! Whether the API server has Deputy's definitions as this program has them.

use serde_json::Value;

use crate::doctor::{
    expected::definitions,
    finding::{CheckOutcome, DoctorFinding},
    look::{list, of_object, text},
    snapshot::DoctorSnapshot,
};

/// So many places that differ are named.
const SHOWN: usize = 3;

pub fn check(snapshot: &DoctorSnapshot) -> CheckOutcome {
    let mut found = Vec::new();
    let version = env!("CARGO_PKG_VERSION");
    let fix = format!(
        "apply those of the release that is installed (deputy crds | kubectl apply --server-side -f -); this program is {version}"
    );
    for (name, expected) in definitions() {
        let title = format!("CustomResourceDefinition {name}");
        found.extend(of_object(
            snapshot,
            "CustomResourceDefinition",
            name,
            &fix,
            |is| {
                let mut found = Vec::new();
                for kind in ["Established", "NamesAccepted"] {
                    let conditions = list(is, "/status/conditions");
                    let one = conditions.iter().find(|one| text(one, "/type") == kind);
                    if one.map(|one| text(one, "/status")) != Some("True") {
                        let why = one.map(|one| text(one, "/message")).unwrap_or_default();
                        found.push(DoctorFinding::error(
                            &title,
                            format!("it is not {kind}: {why}"),
                            fix.clone(),
                        ));
                    }
                }
                let mut places = Vec::new();
                for part in ["names", "scope", "versions"] {
                    let get = |of: &Value| of.pointer(&format!("/spec/{part}")).cloned().unwrap_or_default();
                    differ(&get(expected), &get(is), &format!("spec.{part}"), &mut places);
                }
                if !places.is_empty() {
                    let more = places.len().saturating_sub(SHOWN);
                    places.truncate(SHOWN);
                    let more = if more > 0 {
                        format!(" and {more} more")
                    } else {
                        String::new()
                    };
                    found.push(DoctorFinding::error(
                        &title,
                        format!(
                            "it is not that of {version}: it differs at {}{more}",
                            places.join(", ")
                        ),
                        fix.clone(),
                    ));
                }
                found
            },
        ));
    }
    CheckOutcome::Looked(found)
}

/// Where what is expected is not there, or is another value. What the API server adds by itself does not count where nothing is expected.
fn differ(expected: &Value, is: &Value, at: &str, places: &mut Vec<String>) {
    match (expected, is) {
        (Value::Object(expected), Value::Object(is)) => {
            for (key, value) in expected.iter().filter(|(_, value)| !value.is_null()) {
                differ(
                    value,
                    is.get(key).unwrap_or(&Value::Null),
                    &format!("{at}.{key}"),
                    places,
                );
            }
            // A rule more refuses more, a field more is kept: in a schema nothing is added by itself.
            let is_schema = at.contains("openAPIV3Schema");
            let added = is.keys().filter(|key| is_schema && !expected.contains_key(*key));
            places.extend(added.map(|key| format!("{at}.{key}")));
        }
        (Value::Array(expected), Value::Array(is)) if expected.len() == is.len() => {
            for (i, (a, b)) in expected.iter().zip(is).enumerate() {
                differ(a, b, &format!("{at}[{i}]"), places);
            }
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => {}
        // An empty list is not stored.
        (Value::Array(a), Value::Null) if a.is_empty() => {}
        (a, b) if a == b => {}
        _ => places.push(at.to_owned()),
    }
}
