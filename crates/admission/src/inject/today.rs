//! Whether the sidecar that a pod carries is today's.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    image,
    pod::{List, PodView},
};

/// What the sidecar was made from: a hash of it, as hexadecimal digits.
pub(super) const SIDECAR_ANNOTATION: &str = "deputy.dev/injected-sidecar";

/// The sidecar that is there, when it was made from what is wanted today: other webhooks and the API server may have
/// added to it, given it resources or another user, and sent its image through a mirror. Else what is wanted, with such
/// an image where it has one. And the hash of what is wanted.
pub(super) fn sidecar(view: &PodView<'_>, mut wanted: Value) -> (Value, String) {
    let hash = hash(&wanted);
    let init = view.list(List::Init).unwrap_or_default();
    let Some(found) = view.sidecars().first().and_then(|i| init.get(*i)) else {
        return (wanted, hash);
    };
    let of_today = view.annotation(SIDECAR_ANNOTATION) == Some(hash.as_str());
    let text = |of: &Value| {
        of.get("image")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (theirs, ours) = (text(found), text(&wanted));
    let keeps_image = theirs == ours || image::is_rewritten(&theirs, &ours, of_today);
    if of_today && keeps_image {
        let mut core = wanted.clone();
        if let Some(fields) = core.as_object_mut() {
            for of_others in ["image", "resources", "securityContext"] {
                fields.remove(of_others);
            }
        }
        if holds(found, &core) {
            return (found.clone(), hash);
        }
    }
    if keeps_image && let Some(fields) = wanted.as_object_mut() {
        fields.insert("image".to_owned(), json!(theirs));
    }
    (wanted, hash)
}

fn hash(value: &Value) -> String {
    let digest = Sha256::digest(value.to_string());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Whether `found` is `wanted` with nothing but additions, as the API server and other webhooks make them. An element of a
/// list of named things may stand anywhere in it; other lists must be the same. Empty strings the API server leaves out.
pub(super) fn holds(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => wanted
            .iter()
            .all(|(key, value)| found.get(key).map_or(*value == "", |f| holds(f, value))),
        (Value::Array(found), Value::Array(wanted)) if wanted.iter().all(|w| w.get("name").is_some()) => {
            wanted.iter().all(|w| found.iter().any(|f| holds(f, w)))
        }
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len() && found.iter().zip(wanted).all(|(f, w)| holds(f, w))
        }
        _ => found == wanted,
    }
}
