//! Labels and annotations of Deputy's kinds with a name of Deputy's that says nothing to Deputy. Others may put such there, so nothing
//! is refused: but a slip of the pen would be silent.

use deputy_api::{ACCEPT_REMOVING, RECONCILE_REQUESTED_AT};
use serde_json::{Map, Value};

use super::{blast_radius::ACCEPT_SUSPENDING, object::ReviewedObject};
use crate::{
    inject::{DELIVERY_ANNOTATION, INJECT_LABEL},
    kind::DeputyKind,
    nearest::nearest,
    review::{ObjectWarning, Verdict, cut},
};

/// What Deputy's names begin with.
const PREFIX: &str = "deputy.dev/";
/// The annotations that say something on objects of Deputy's kinds.
const ANNOTATIONS: [&str; 5] = [
    ACCEPT_SUSPENDING,
    ACCEPT_REMOVING,
    RECONCILE_REQUESTED_AT,
    "deputy.dev/uninstall-former-accept-suspending",
    "deputy.dev/uninstall-former-accept-removing-orphans",
];
/// The kinds of what is in AWS, which is looked at when somebody asks for it.
const LOOKED_AT: [DeputyKind; 4] = [
    DeputyKind::Limit,
    DeputyKind::ClusterRole,
    DeputyKind::Role,
    DeputyKind::Statement,
];
/// What says something on pods, ServiceAccounts and namespaces, and nothing here.
const OF_OTHERS: [&str; 2] = [INJECT_LABEL, DELIVERY_ANNOTATION];
/// So many are told.
const SHOWN: usize = 4;
/// Characters of a key that are shown.
const KEY_CHARS: usize = 96;

/// `verdict` with a warning for each key that the object did not have before.
pub(super) fn warn(reviewed: &ReviewedObject<'_>, verdict: Verdict) -> Verdict {
    let told = ["labels", "annotations"].into_iter().flat_map(|field| {
        let before = reviewed.old.and_then(|old| keys(old, field));
        let is_new = move |key: &&String| !before.is_some_and(|before| before.contains_key(*key));
        let now = keys(reviewed.object, field).into_iter().flat_map(Map::keys);
        now.filter(is_new)
            .filter_map(move |key| Some((field, key, why(reviewed.kind, field, key)?)))
    });
    told.take(SHOWN).fold(verdict, |verdict, (field, key, why)| {
        let message = format!("{} {}: {why}", field.trim_end_matches('s'), cut(key, KEY_CHARS));
        let field = format!("metadata.{field}.{key}");
        verdict.warn_of(ObjectWarning::new(Some("UnknownKey"), field, message))
    })
}

fn keys<'v>(object: &'v Value, field: &str) -> Option<&'v Map<String, Value>> {
    object.get("metadata")?.get(field)?.as_object()
}

/// Why a key says nothing here.
fn why(kind: DeputyKind, field: &str, key: &str) -> Option<String> {
    let name = key.strip_prefix(PREFIX)?;
    let is_annotation = ANNOTATIONS.contains(&key);
    if is_annotation && field == "annotations" {
        let says_nothing = key == RECONCILE_REQUESTED_AT && !LOOKED_AT.contains(&kind);
        let kinds = || LOOKED_AT.map(DeputyKind::name).join(", ");
        return says_nothing.then(|| format!("it says something on what is in AWS alone: {}", kinds()));
    }
    if is_annotation {
        return Some("it is an annotation, and says nothing as a label".to_owned());
    }
    if OF_OTHERS.contains(&key) {
        return Some("it says something on pods and their namespaces alone".to_owned());
    }
    let known = ANNOTATIONS.iter().filter_map(|known| known.strip_prefix(PREFIX));
    Some(match nearest(name, known) {
        Some(meant) => format!("deputy has no such key; did you mean the annotation {PREFIX}{meant}?"),
        None => format!("deputy has no such key; it has {}", ANNOTATIONS[..3].join(", ")),
    })
}
