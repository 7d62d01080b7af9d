//! Whether the sidecar that a pod carries is today's.

use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};
use sha2::{Digest as _, Sha256};

use super::{
    image,
    json::{Json, JsonFields as _, holds, same},
    pod::{List, PodView},
    sidecar::Sidecar,
};

/// What the sidecar was made from: a hash of it, as hexadecimal digits.
pub(super) const SIDECAR_ANNOTATION: &str = "deputy.dev/injected-sidecar";

/// What becomes of the sidecar that a pod has, or has not.
pub(super) enum Today<'a> {
    /// The one that is there stays: it is what is wanted, or was made from that. Other webhooks and the API server may have added to it,
    /// given it resources or another user, and sent its image through a mirror.
    Stays(&'a Json<'a>),
    /// This one is put in, with the image of the one that is there where a mirror's rewriting is kept.
    Wanted(Box<RawValue>),
}

/// What becomes of the sidecar when `wanted` is wanted, and the hash of that.
///
/// # Errors
/// It can't be written.
pub(super) fn sidecar<'a>(
    view: &PodView<'a>,
    wanted: &Sidecar<'_>,
) -> Result<(Today<'a>, String), serde_json::Error> {
    let text = to_raw_value(wanted)?;
    let hash = hash(text.get());
    let init = view.list(List::Init).unwrap_or_default();
    let Some(found) = view.sidecars().first().and_then(|i| init.get(*i)) else {
        return Ok((Today::Wanted(text), hash));
    };
    let mut wanted: Value = serde_json::from_str(text.get())?;
    let of_today = view.annotation(SIDECAR_ANNOTATION) == Some(hash.as_str());
    let theirs = found.text_at("image").unwrap_or_default();
    let ours = wanted.get("image").and_then(Value::as_str).unwrap_or_default();
    let keeps_image = theirs == ours || image::is_rewritten(theirs, ours, of_today);
    if of_today && keeps_image {
        let mut core = wanted.clone();
        if let Some(fields) = core.as_object_mut() {
            for of_others in ["image", "resources", "securityContext"] {
                fields.remove(of_others);
            }
        }
        if holds(found, &core) {
            return Ok((Today::Stays(found), hash));
        }
    }
    if keeps_image && let Some(fields) = wanted.as_object_mut() {
        fields.insert("image".to_owned(), json!(theirs));
    }
    let today = if same(found, &wanted) {
        Today::Stays(found)
    } else {
        Today::Wanted(to_raw_value(&wanted)?)
    };
    Ok((today, hash))
}

fn hash(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
