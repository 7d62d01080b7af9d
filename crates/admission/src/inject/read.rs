//! How much of a pod is read: what injection looks at, in one pass over the text of the request. The rest (`managedFields`, probes,
//! commands, most of the environment) is passed over, and nothing is allocated for it.
//!
//! Places in lists stay: where an element says nothing to anybody here, `null` stands for it.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor},
};
use serde_json::value::RawValue;
use serde_json_borrow::ObjectAsVec;

use super::{
    json::{Json, JsonFields as _},
    ours::{self, AWS_TOKEN_VOLUME, SIDECAR, TOKEN_VOLUME},
};

/// A pod as far as injection looks at it.
#[derive(Debug)]
pub struct PodJson<'t>(Json<'t>);

impl<'t> Deserialize<'t> for PodJson<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        POD.deserialize(deserializer).map(Self)
    }
}

impl<'t> PodJson<'t> {
    /// All of a pod, for tests to compare with.
    #[cfg(test)]
    pub(super) fn whole(pod: Json<'t>) -> Self {
        Self(pod)
    }

    /// What its metadata have under `key`.
    pub(crate) fn metadata(&self, key: &str) -> Option<&Json<'t>> {
        self.0.at("metadata")?.at(key)
    }

    /// What its spec has under `key`.
    pub(crate) fn spec(&self, key: &str) -> Option<&Json<'t>> {
        self.0.at("spec")?.at(key)
    }

    /// The value of a label.
    pub(crate) fn label(&self, key: &str) -> Option<&str> {
        self.metadata("labels")?.text_at(key)
    }

    /// Whether it has something with a name of ours: it came through here before, now or as a stored pod.
    pub(crate) fn names_ours(&self) -> bool {
        let has = |list: &str, names: &[&str]| {
            let elements = self.spec(list).and_then(Json::as_array);
            elements
                .into_iter()
                .flatten()
                .any(|e| names.contains(&ours::name(e)))
        };
        has("initContainers", &[SIDECAR]) || has("volumes", &[TOKEN_VOLUME, AWS_TOKEN_VOLUME])
    }
}

/// A field's name, and how much of it is kept.
type Field = (&'static str, Keep);

/// How much of a value is kept. What has another shape than Kubernetes says is an error: the API server sends no such pod.
#[derive(Clone, Copy)]
enum Keep {
    /// All of it.
    All,
    /// That it is there.
    Nothing,
    /// Of an object these fields.
    Fields(&'static [Field]),
    /// Of each element of a list.
    Each(&'static Keep),
    /// Of a variable its name and where its value comes from, if the name is [asked about](ours::is_asked_about).
    Variable,
    /// Of an init container as of any other; all of one that is named like the sidecar, which is compared with today's.
    InitContainer,
}

const POD: Keep = Keep::Fields(&[("metadata", METADATA), ("spec", SPEC)]);

const METADATA: Keep = Keep::Fields(&[
    ("labels", Keep::All),
    ("annotations", Keep::All),
    ("ownerReferences", Keep::All),
]);

const SPEC: Keep = Keep::Fields(&[
    ("volumes", Keep::Each(&VOLUME)),
    ("initContainers", Keep::Each(&Keep::InitContainer)),
    ("containers", Keep::Each(&CONTAINER)),
    ("nodeSelector", Keep::All),
    ("serviceAccountName", Keep::All),
    ("hostNetwork", Keep::All),
    ("securityContext", Keep::Fields(&[("runAsUser", Keep::All)])),
    ("schedulerName", Keep::All),
    ("tolerations", Keep::Each(&Keep::Fields(&[("key", Keep::All)]))),
    ("os", Keep::Fields(&[("name", Keep::All)])),
    ("resources", Keep::All),
]);

const VOLUME: Keep = Keep::Fields(&[("name", Keep::All), ("projected", Keep::All)]);

const CONTAINER: Keep = Keep::Fields(&[
    ("name", Keep::All),
    ("image", Keep::All),
    (
        "ports",
        Keep::Each(&Keep::Fields(&[
            ("containerPort", Keep::All),
            ("protocol", Keep::All),
        ])),
    ),
    ("envFrom", Keep::Each(&Keep::Nothing)),
    ("env", Keep::Each(&Keep::Variable)),
    ("resources", Keep::All),
    (
        "volumeMounts",
        Keep::Each(&Keep::Fields(&[
            ("name", Keep::All),
            ("mountPath", Keep::All),
            ("readOnly", Keep::All),
        ])),
    ),
]);

impl<'t> DeserializeSeed<'t> for Keep {
    type Value = Json<'t>;

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<Json<'t>, D::Error> {
        match self {
            Self::All => Json::deserialize(deserializer),
            Self::Nothing => IgnoredAny::deserialize(deserializer).map(|IgnoredAny| Json::Null),
            Self::Fields(_) | Self::Each(_) | Self::Variable => deserializer.deserialize_any(Reader(self)),
            Self::InitContainer => {
                let text = <&RawValue>::deserialize(deserializer)?.get();
                let kept = if is_named_as_the_sidecar(text) {
                    Self::All
                } else {
                    CONTAINER
                };
                kept.deserialize(&mut serde_json::Deserializer::from_str(text))
                    .map_err(D::Error::custom)
            }
        }
    }
}

fn is_named_as_the_sidecar(container: &str) -> bool {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow, default)]
        name: Option<Cow<'a, str>>,
    }
    serde_json::from_str::<Named<'_>>(container).is_ok_and(|named| named.name.as_deref() == Some(SIDECAR))
}

/// Reads an object or a list; `null` is as good as none.
struct Reader(Keep);

impl<'t> Visitor<'t> for Reader {
    type Value = Json<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Keep::Each(_) => "a list",
            _ => "an object",
        })
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Json<'t>, A::Error> {
        let fields = match self.0 {
            Keep::Fields(fields) => fields,
            Keep::Variable => return variable(map),
            _ => return Err(A::Error::invalid_type(Unexpected::Map, &self)),
        };
        let mut kept = ObjectAsVec::default();
        while let Some(field) = map.next_key_seed(FieldAmong(fields))? {
            if let Some((name, keep)) = field {
                kept.insert_unchecked_and_get_mut(name, map.next_value_seed(*keep)?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Json::Object(kept))
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut list: A) -> Result<Json<'t>, A::Error> {
        let Keep::Each(of_each) = self.0 else {
            return Err(A::Error::invalid_type(Unexpected::Seq, &self));
        };
        let mut kept = Vec::new();
        while let Some(element) = list.next_element_seed(*of_each)? {
            kept.push(element);
        }
        Ok(Json::Array(kept))
    }

    fn visit_unit<E>(self) -> Result<Json<'t>, E> {
        Ok(Json::Null)
    }
}

/// Most of a large pod is variables that nobody asks about: for them nothing is allocated.
fn variable<'t, A: MapAccess<'t>>(mut map: A) -> Result<Json<'t>, A::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    enum Key {
        Name,
        Value,
        ValueFrom,
        #[serde(other)]
        Other,
    }
    let (mut name, mut value, mut value_from) = (None::<Json<'t>>, None::<Json<'t>>, None::<Json<'t>>);
    let is_asked_about = |name: &Json<'t>| name.as_str().is_some_and(ours::is_asked_about);
    while let Some(key) = map.next_key()? {
        // Known in time: as the API server writes it, the name comes first.
        let is_unasked = name.as_ref().is_some_and(|name| !is_asked_about(name));
        let place = match key {
            Key::Name => &mut name,
            Key::Value if !is_unasked => &mut value,
            Key::ValueFrom if !is_unasked => &mut value_from,
            _ => {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
        };
        *place = Some(map.next_value()?);
    }
    let Some(name) = name.filter(is_asked_about) else {
        return Ok(Json::Null);
    };
    let fields = [("name", Some(name)), ("value", value), ("valueFrom", value_from)];
    let fields = fields.into_iter().filter_map(|(key, value)| Some((key, value?)));
    Ok(Json::Object(fields.collect()))
}

/// Which of these fields a key names.
struct FieldAmong(&'static [Field]);

impl<'t> DeserializeSeed<'t> for FieldAmong {
    type Value = Option<&'static Field>;

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for FieldAmong {
    type Value = Option<&'static Field>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().find(|(name, _)| *name == key))
    }
}
