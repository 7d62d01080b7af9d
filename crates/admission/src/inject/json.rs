//! The JSON of a pod. Its texts are those of the request: nothing is copied that nobody asks for.

use serde_json::Value;
pub use serde_json_borrow::Value as Json;

/// How objects are looked into.
pub(crate) trait JsonFields<'t> {
    /// What an object has under `key`. `None` also of what is no object.
    fn at(&self, key: &str) -> Option<&Json<'t>>;

    /// The text that an object has under `key`.
    fn text_at(&self, key: &str) -> Option<&str>;
}

impl<'t> JsonFields<'t> for Json<'t> {
    fn at(&self, key: &str) -> Option<&Json<'t>> {
        self.as_object()?.get(key)
    }

    fn text_at(&self, key: &str) -> Option<&str> {
        self.at(key)?.as_str()
    }
}

/// Whether `found` is `wanted`, and nothing more.
pub(super) fn same(found: &Json<'_>, wanted: &Value) -> bool {
    match (found, wanted) {
        (Json::Object(found), Value::Object(wanted)) => {
            found.len() == wanted.len()
                && wanted
                    .iter()
                    .all(|(key, value)| found.get(key).is_some_and(|f| same(f, value)))
        }
        (Json::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len() && found.iter().zip(wanted).all(|(f, w)| same(f, w))
        }
        _ => same_scalar(found, wanted),
    }
}

/// Whether `found` is `wanted` with nothing but additions, as the API server and other webhooks make them. An element of a
/// list of named things may stand anywhere in it; other lists must be the same. Empty strings the API server leaves out.
pub(super) fn holds(found: &Json<'_>, wanted: &Value) -> bool {
    match (found, wanted) {
        (Json::Object(found), Value::Object(wanted)) => wanted
            .iter()
            .all(|(key, value)| found.get(key).map_or(*value == "", |f| holds(f, value))),
        (Json::Array(found), Value::Array(wanted)) if wanted.iter().all(|w| w.get("name").is_some()) => {
            wanted.iter().all(|w| found.iter().any(|f| holds(f, w)))
        }
        (Json::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len() && found.iter().zip(wanted).all(|(f, w)| holds(f, w))
        }
        _ => same_scalar(found, wanted),
    }
}

fn same_scalar(found: &Json<'_>, wanted: &Value) -> bool {
    match (found, wanted) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(found), Value::Bool(wanted)) => found == wanted,
        (Json::Str(found), Value::String(wanted)) => found == wanted,
        (Json::Number(_), Value::Number(wanted)) => {
            (found.as_u64(), found.as_i64()) == (wanted.as_u64(), wanted.as_i64())
                && found.as_f64() == wanted.as_f64()
        }
        _ => false,
    }
}
