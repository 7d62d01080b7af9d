//! `AdmissionReview` v1 on the wire, and the answer.
//!
//! Types of our own rather than `kube::core::admission`: each endpoint says what objects are read as (a pod as far as injection
//! looks at it, other objects as text until somebody asks for them), fields that no type knows survive, and patches go out in
//! base64 instead of a list of numbers.

use std::{collections::BTreeMap, str::Utf8Error, sync::LazyLock};

use base64::engine::{Engine as _, Simd, general_purpose::PAD};
use deputy_delegation::Violation;
use kube::core::{
    GroupVersionKind, GroupVersionResource, Status,
    admission::Operation,
    response::{StatusCause, StatusDetails},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use tracing::Span;

use crate::{inject::Patch, live::LookAgain};

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";
/// By the instructions that the CPU has for it.
static BASE64: LazyLock<Simd> = LazyLock::new(|| Simd::standard(PAD));
/// Longer ones the API server may cut.
/// <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#response>
const MAX_WARNING_CHARS: usize = 256;
const MAX_WARNINGS: usize = 32;
const MAX_AUDIT_CHARS: usize = 1024;
/// What a refusal lists; the API server sends it back to whoever wrote the object.
const MAX_LISTED: usize = 100;
const MAX_LISTED_CHARS: usize = 2048;
/// Of a field of the span. Names of kinds have at most 63, uids 36.
const MAX_FIELD_CHARS: usize = 64;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "O: Deserialize<'de>"))]
struct Review<O> {
    api_version: String,
    kind: String,
    request: Option<ReviewRequest<O>>,
}

/// What the API server asks. `O` is what its objects are read as.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "O: Deserialize<'de>"))]
pub(crate) struct ReviewRequest<O> {
    pub(crate) uid: String,
    pub(crate) kind: GroupVersionKind,
    pub(crate) resource: GroupVersionResource,
    #[serde(default)]
    pub(crate) sub_resource: Option<String>,
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) namespace: Option<String>,
    pub(crate) operation: Operation,
    #[serde(default)]
    dry_run: Option<bool>,
    #[serde(default)]
    pub(crate) object: Option<O>,
    #[serde(default)]
    old_object: Option<O>,
}

/// Why a review can't be answered as one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReviewError {
    #[error("the body is not an AdmissionReview: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the body is not an AdmissionReview: {0}")]
    Text(Utf8Error),
    #[error("the body is {0}, not an AdmissionReview of admission.k8s.io/v1")]
    Type(String),
    #[error("the AdmissionReview holds no request")]
    NoRequest,
    #[error("the request's {field} is not readable: {error}")]
    Object {
        field: &'static str,
        #[source]
        error: serde_json::Error,
    },
}

impl ReviewError {
    /// A bounded name for metrics.
    pub(crate) fn category(&self) -> &'static str {
        match self {
            Self::Json(_) | Self::Text(_) => "json",
            Self::Type(_) => "type",
            Self::NoRequest => "no-request",
            Self::Object { .. } => "object",
        }
    }
}

/// Reads a review.
pub(crate) fn parse<'a, O: Deserialize<'a>>(bytes: &'a [u8]) -> Result<ReviewRequest<O>, ReviewError> {
    // Once for all: of a slice each string would be looked through by itself.
    let text = str::from_utf8(bytes).map_err(ReviewError::Text)?;
    let review: Review<O> = serde_json::from_str(text)?;
    if review.api_version != API_VERSION || review.kind != KIND {
        let shown: String = format!("{} {}", review.api_version, review.kind)
            .chars()
            .take(120)
            .collect();
        return Err(ReviewError::Type(shown));
    }
    review.request.ok_or(ReviewError::NoRequest)
}

impl ReviewRequest<&RawValue> {
    /// The whole object. `None` when the request carries none.
    pub(crate) fn object(&self) -> Result<Option<Value>, ReviewError> {
        read("object", self.object)
    }
    /// The whole object as it was.
    pub(crate) fn old_object(&self) -> Result<Option<Value>, ReviewError> {
        read("oldObject", self.old_object)
    }
}

impl<O> ReviewRequest<O> {
    /// Nothing of it will be stored, so nothing may be written because of it.
    pub(crate) fn dry_run(&self) -> bool {
        self.dry_run.unwrap_or(false)
    }

    /// The span of its review: what joins all lines about it, here and in the API server's audit log. What the API server
    /// sends is cut, and of the object nothing is in it.
    pub(crate) fn span(&self) -> Span {
        let (uid, kind) = (
            cut(&self.uid, MAX_FIELD_CHARS),
            cut(&self.kind.kind, MAX_FIELD_CHARS),
        );
        tracing::info_span!("review", uid, kind, operation = self.operation())
    }

    /// A bounded name of the operation.
    pub(crate) fn operation(&self) -> &'static str {
        match self.operation {
            Operation::Create => "CREATE",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
            Operation::Connect => "CONNECT",
        }
    }
}

fn read(field: &'static str, text: Option<&RawValue>) -> Result<Option<Value>, ReviewError> {
    match text.map(RawValue::get) {
        None | Some("null") => Ok(None),
        Some(text) => serde_json::from_str(text)
            .map(Some)
            .map_err(|error| ReviewError::Object { field, error }),
    }
}

/// The answer to a review. There is no default: an answer is made by saying yes or no.
#[must_use]
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Verdict {
    denial: Option<Box<Denial>>,
    warnings: Vec<ObjectWarning>,
    audit: BTreeMap<&'static str, String>,
    patch: Patch,
    look_again: Option<Box<LookAgain>>,
}

/// A warning to whoever wrote an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectWarning {
    /// What sort it is, where that has a name: the reason of a decision, or the code of a finding about a policy.
    pub code: Option<&'static str>,
    /// The field that it is about, such as `spec.ceiling.Statement[0]`; empty where it is about the object.
    pub field: String,
    /// For people.
    pub message: String,
    /// What is said before the message where it goes out without its field.
    before: String,
}

/// Why not.
#[derive(Debug, Clone, PartialEq)]
struct Denial {
    code: u16,
    reason: &'static str,
    message: String,
    violations: Vec<Violation>,
    /// The kind and the name that it is about.
    about: Option<(&'static str, String)>,
}

impl Verdict {
    /// Yes.
    pub(crate) fn allow() -> Self {
        Self {
            denial: None,
            warnings: Vec::new(),
            audit: BTreeMap::new(),
            patch: Patch::default(),
            look_again: None,
        }
    }

    fn no(code: u16, reason: &'static str, message: String, violations: &[Violation]) -> Self {
        Self {
            denial: Some(Box::new(Denial {
                code,
                reason,
                message,
                violations: violations.to_vec(),
                about: None,
            })),
            ..Self::allow()
        }
    }

    /// No: not allowed (403).
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::no(403, "Forbidden", message.into(), &[])
    }
    /// No: it can't be right (422).
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::no(422, "Invalid", message.into(), &[])
    }
    /// No: this is no question for us (400).
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::no(400, "BadRequest", message.into(), &[])
    }
    /// No: the answer is not known; trying again may help (500).
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::no(500, "InternalError", message.into(), &[])
    }
    /// No: the answer took too long (504).
    pub(crate) fn timed_out(message: impl Into<String>) -> Self {
        Self::no(504, "Timeout", message.into(), &[])
    }

    /// No, because more is granted than may be (403), with everything that is too much.
    pub(crate) fn refused(subject: &str, violations: &[Violation]) -> Self {
        let message = list(&format!("{subject} is refused"), violations);
        Self::no(403, "Forbidden", message, violations)
    }
    /// No, because it can't be read (422), with every field that is wrong.
    pub(crate) fn unreadable(subject: &str, violations: &[Violation]) -> Self {
        let message = list(&format!("{subject} is invalid"), violations);
        Self::no(422, "Invalid", message, violations)
    }

    /// About an object: kubectl says which one was refused by what is said here, not by the message; and of a warning it
    /// says nothing, so that in a file of ten objects it has to say for itself whose it is.
    pub(crate) fn about(mut self, kind: &'static str, name: &str) -> Self {
        for warning in &mut self.warnings {
            warning.before = format!("{kind} {name}: {}", warning.before);
        }
        if let Some(denial) = &mut self.denial {
            denial.about = Some((kind, name.to_owned()));
        }
        self
    }

    /// With a warning to whoever wrote the object.
    pub(crate) fn warn(self, warning: impl Into<String>) -> Self {
        self.warn_of(ObjectWarning::new(None, "", warning))
    }

    /// With a warning whose sort or field is known.
    pub(crate) fn warn_of(mut self, warning: ObjectWarning) -> Self {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(warning);
        }
        self
    }

    /// With a line in the audit log of the API server.
    pub(crate) fn audit(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.audit.insert(key, cut(&value.into(), MAX_AUDIT_CHARS));
        self
    }

    /// Resting on what the index may not know yet: to be decided again by what is seen there now.
    pub(crate) fn resting_on(mut self, what: LookAgain) -> Self {
        self.look_again = Some(Box::new(what));
        self
    }

    /// What to look up before this is the answer.
    pub(crate) fn look_again(&self) -> Option<&LookAgain> {
        self.look_again.as_deref()
    }

    /// Whether it is a no.
    pub(crate) fn is_denied(&self) -> bool {
        self.denial.is_some()
    }

    /// What is said in the audit log under this key.
    pub(crate) fn audited(&self, key: &str) -> Option<&str> {
        self.audit.get(key).map(String::as_str)
    }

    /// The refusal, if it is one: its sentence, and all that is wrong.
    pub(crate) fn refusal(&self) -> Option<(&str, &[Violation])> {
        let denial = self.denial.as_deref()?;
        Some((&denial.message, &denial.violations))
    }

    /// The warnings.
    pub(crate) fn warnings(&self) -> &[ObjectWarning] {
        &self.warnings
    }

    /// With RFC 6902 operations.
    pub(crate) fn patch(mut self, operations: Patch) -> Self {
        self.patch = operations;
        self
    }

    /// A bounded name for metrics.
    pub(crate) fn outcome(&self) -> &'static str {
        match self.denial.as_ref().map(|d| d.code) {
            None if self.warnings.is_empty() => "allowed",
            None => "warned",
            Some(code) if code >= 500 => "failed",
            Some(_) => "denied",
        }
    }

    /// As the API server wants it.
    pub(crate) fn into_json(self, uid: &str) -> Result<Vec<u8>, serde_json::Error> {
        let mut json = serde_json::to_string(&Answer {
            api_version: API_VERSION,
            kind: KIND,
            response: Response {
                uid,
                allowed: self.denial.is_none(),
                status: self.denial.map(|d| d.into_status()),
                audit_annotations: self.audit,
                warnings: self.warnings.iter().map(ObjectWarning::text).collect(),
            },
        })?;
        if !self.patch.is_empty() {
            // Into the response, which is the last field and no longer empty: base64 needs none of the looking for characters to escape that
            // a string of serde's costs, and a patch is most of an answer.
            let patch = self.patch.into_json();
            json.truncate(json.len().saturating_sub("}}".len()));
            json.reserve(patch.len().div_ceil(3) * 4 + 64);
            json.push_str(r#","patchType":"JSONPatch","patch":""#);
            BASE64.encode_string(patch, &mut json);
            json.push_str("\"}}");
        }
        Ok(json.into_bytes())
    }
}

impl ObjectWarning {
    /// The code of what a change takes away from grants that are there.
    pub const WOULD_SUSPEND: &str = "WouldSuspend";
    /// The code of an annotation that accepts what the change does not do.
    pub const NOT_NEEDED: &str = "NotNeeded";

    /// Whether it compares the object with what is there before the change: where the object is there already, it has nothing to say.
    #[must_use]
    pub fn is_about_the_change(&self) -> bool {
        matches!(self.code, Some(Self::WOULD_SUSPEND | Self::NOT_NEEDED))
    }

    pub(crate) fn new(
        code: Option<&'static str>,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code,
            field: field.into(),
            message: message.into(),
            before: String::new(),
        }
    }

    /// The same, which goes out with these words before it.
    pub(crate) fn after(self, before: impl Into<String>) -> Self {
        let before = before.into();
        Self { before, ..self }
    }

    /// As the API server hands it on.
    fn text(&self) -> String {
        cut(&format!("{}{}", self.before, self.message), MAX_WARNING_CHARS)
    }
}

impl Denial {
    fn into_status(self) -> Status {
        let status = Status::failure(&self.message, self.reason).with_code(self.code);
        if self.violations.is_empty() && self.about.is_none() {
            return status;
        }
        let (kind, name) = self.about.unwrap_or_default();
        status.with_details(StatusDetails {
            name,
            group: if kind.is_empty() { "" } else { deputy_api::GROUP }.to_owned(),
            kind: kind.to_owned(),
            uid: String::new(),
            causes: causes(&self.violations),
            retry_after_seconds: 0,
        })
    }
}

fn list(title: &str, violations: &[Violation]) -> String {
    let mut text = format!("{title}:");
    for violation in violations.iter().take(MAX_LISTED) {
        text.push_str("\n- ");
        text.push_str(&cut(&violation.to_string(), MAX_LISTED_CHARS));
    }
    if let Some(more) = violations.len().checked_sub(MAX_LISTED).filter(|n| *n > 0) {
        text.push_str(&format!("\n- and {more} more"));
    }
    text
}

fn causes(violations: &[Violation]) -> Vec<StatusCause> {
    let cause = |v: &Violation| StatusCause {
        reason: v.reason.as_str().to_owned(),
        message: cut(&v.message, MAX_LISTED_CHARS),
        field: v.field.clone(),
    };
    violations.iter().take(MAX_LISTED).map(cause).collect()
}

/// At most `max` characters, the last one `…` when something was cut.
pub(crate) fn cut(text: &str, max: usize) -> String {
    if text.chars().nth(max).is_none() {
        return text.to_owned();
    }
    text.chars().take(max.saturating_sub(1)).chain(['…']).collect()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}
