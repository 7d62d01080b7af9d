//! JSON values to the syntax tree.

use serde_json::{Map, Value};

use super::{
    code::Code,
    error::{ElementPath, ParseError, ParseErrorKind as Kind, Problems},
    principal::check_principal,
};
use crate::{
    ast::{
        ActionElement, Effect, PolicyKind, Principal, PrincipalElement, ResourceElement, Statement, Version,
    },
    text::quote,
};

/// What [`document`] found; only complete when there are no problems.
pub(super) struct Parsed {
    pub(super) version: Version,
    pub(super) id: Option<String>,
    pub(super) statements: Vec<Statement>,
    /// Where each statement stood; those that could not be read are missing.
    pub(super) positions: Vec<usize>,
}

/// Reads a document; problems are appended.
pub(super) fn document(value: &Value, kind: PolicyKind, problems: &mut Problems) -> Parsed {
    let mut parsed = Parsed {
        version: Version::V2012,
        id: None,
        statements: Vec::new(),
        positions: Vec::new(),
    };
    let Some(object) = value.as_object() else {
        problems.push(ParseError::new(
            Kind::Type,
            Code::WrongType,
            "",
            format!("a policy is an object, not {}", name_of(value)),
        ));
        return parsed;
    };
    let mut reader = Reader { problems };
    reader.only_known(object, None, &["Version", "Id", "Statement"]);
    parsed.version = reader.version(object.get("Version"), kind);
    parsed.id = object
        .get("Id")
        .and_then(|id| reader.string(id, format_args!("Id")));
    match object.get("Statement") {
        None => reader.problem(
            Kind::MissingElement,
            Code::MissingElement,
            format_args!("Statement"),
            "a policy has at least one statement",
        ),
        Some(Value::Array(list)) if list.is_empty() => {
            reader.problem(
                Kind::Empty,
                Code::EmptyElement,
                format_args!("Statement"),
                "the list of statements is empty",
            );
        }
        Some(statements) => {
            let list = statements
                .as_array()
                .map_or(std::slice::from_ref(statements), Vec::as_slice);
            for (i, statement) in list.iter().enumerate() {
                if let Some(statement) = reader.statement(statement, format_args!("Statement[{i}]")) {
                    parsed.statements.push(statement);
                    parsed.positions.push(i);
                }
            }
        }
    }
    parsed
}

pub(super) struct Reader<'a> {
    pub(super) problems: &'a mut Problems,
}

pub(super) fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl Reader<'_> {
    pub(super) fn problem(
        &mut self,
        kind: Kind,
        code: Code,
        path: ElementPath<'_>,
        message: impl Into<String>,
    ) {
        self.problems
            .push(ParseError::new(kind, code, path.to_string(), message));
    }

    /// With what should stand there instead.
    pub(super) fn correct(
        &mut self,
        kind: Kind,
        code: Code,
        path: ElementPath<'_>,
        message: String,
        suggestion: Option<&str>,
    ) {
        let problem =
            ParseError::new(kind, code, path.to_string(), message).suggest(suggestion.map(str::to_owned));
        self.problems.push(problem);
    }

    fn only_known(&mut self, object: &Map<String, Value>, path: Option<ElementPath<'_>>, known: &[&str]) {
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            let within = |path| format!("{path}.{key}");
            let at = path.map_or_else(|| key.clone(), within);
            let near = known.iter().find(|name| name.eq_ignore_ascii_case(key));
            let hint = near
                .map(|name| format!("; did you mean {name}?"))
                .unwrap_or_default();
            let message = format!("{} is not an element here{hint}", quote(key));
            self.correct(
                Kind::UnknownElement,
                Code::UnknownElement,
                format_args!("{at}"),
                message,
                near.copied(),
            );
        }
    }

    fn version(&mut self, value: Option<&Value>, kind: PolicyKind) -> Version {
        let sent = kind.is_language_of_2012();
        match value.map(Value::as_str) {
            Some(Some("2012-10-17")) => return Version::V2012,
            Some(Some("2008-10-17")) | None if !sent => return Version::V2008,
            None => self.correct(
                Kind::Version,
                Code::VersionMissing,
                format_args!("Version"),
                "the Version is missing, which AWS reads as \"2008-10-17\"; write \"2012-10-17\"".to_owned(),
                None,
            ),
            Some(found) => {
                let message = match found {
                    None => "the Version is a string: \"2012-10-17\"".to_owned(),
                    Some(text) => format!("Version {} is not \"2012-10-17\"", quote(text)),
                };
                let known = Some("2012-10-17");
                self.correct(
                    Kind::Version,
                    Code::VersionUnsupported,
                    format_args!("Version"),
                    message,
                    known,
                );
            }
        }
        Version::V2012
    }

    fn string(&mut self, value: &Value, path: ElementPath<'_>) -> Option<String> {
        match value {
            Value::String(text) => Some(text.clone()),
            other => {
                self.problem(
                    Kind::Type,
                    Code::WrongType,
                    path,
                    format!("{} where a string belongs", name_of(other)),
                );
                None
            }
        }
    }

    /// A string or a list of strings.
    fn strings(&mut self, value: &Value, path: ElementPath<'_>) -> Vec<String> {
        match value {
            Value::Array(list) => {
                let mut texts = Vec::with_capacity(list.len());
                for (i, item) in list.iter().enumerate() {
                    texts.extend(self.string(item, format_args!("{path}[{i}]")));
                }
                if list.is_empty() {
                    self.problem(Kind::Empty, Code::EmptyElement, path, "the list is empty");
                }
                texts
            }
            one => self.string(one, path).into_iter().collect(),
        }
    }

    fn statement(&mut self, value: &Value, path: ElementPath<'_>) -> Option<Statement> {
        let Some(object) = value.as_object() else {
            self.problem(
                Kind::Type,
                Code::WrongType,
                path,
                format!("a statement is an object, not {}", name_of(value)),
            );
            return None;
        };
        let known = [
            "Sid",
            "Effect",
            "Principal",
            "NotPrincipal",
            "Action",
            "NotAction",
            "Resource",
            "NotResource",
            "Condition",
        ];
        self.only_known(object, Some(path), &known);
        let sid = object
            .get("Sid")
            .and_then(|sid| self.string(sid, format_args!("{path}.Sid")));
        let effect = self.effect(object.get("Effect"), format_args!("{path}.Effect"));
        let principal = self.principal_element(object, path);
        let action = self.one_of(object, path, "Action", "NotAction", true);
        let resource = self.one_of(object, path, "Resource", "NotResource", false);
        let conditions = object
            .get("Condition")
            .map(|value| self.conditions(value, format_args!("{path}.Condition")));
        let (not_action, actions) = action?;
        Some(Statement {
            sid,
            effect: effect?,
            principal,
            action: if not_action {
                ActionElement::NotAction(actions)
            } else {
                ActionElement::Action(actions)
            },
            resource: resource.map(|(not, resources)| match not {
                true => ResourceElement::NotResource(resources),
                false => ResourceElement::Resource(resources),
            }),
            conditions: conditions.unwrap_or_default(),
        })
    }

    fn effect(&mut self, value: Option<&Value>, path: ElementPath<'_>) -> Option<Effect> {
        match value.map(Value::as_str) {
            Some(Some("Allow")) => Some(Effect::Allow),
            Some(Some("Deny")) => Some(Effect::Deny),
            None => {
                self.problem(
                    Kind::MissingElement,
                    Code::MissingElement,
                    path,
                    "a statement has an Effect",
                );
                None
            }
            Some(other) => {
                let found = other.map_or_else(|| "that is not a string".to_owned(), quote);
                let message = format!("the Effect is \"Allow\" or \"Deny\" (case matters), not {found}");
                let near = ["Allow", "Deny"]
                    .into_iter()
                    .find(|name| other.is_some_and(|text| text.eq_ignore_ascii_case(name)));
                self.correct(Kind::Type, Code::InvalidEffect, path, message, near);
                None
            }
        }
    }

    fn principal_element(
        &mut self,
        object: &Map<String, Value>,
        path: ElementPath<'_>,
    ) -> Option<PrincipalElement> {
        match (object.get("Principal"), object.get("NotPrincipal")) {
            (Some(_), Some(_)) => {
                self.problem(
                    Kind::ForbiddenElement,
                    Code::ExclusiveElements,
                    path,
                    "Principal and NotPrincipal exclude each other",
                );
                None
            }
            (Some(value), None) => self
                .principal(value, format_args!("{path}.Principal"))
                .map(PrincipalElement::Principal),
            (None, Some(value)) => self
                .principal(value, format_args!("{path}.NotPrincipal"))
                .map(PrincipalElement::NotPrincipal),
            (None, None) => None,
        }
    }

    /// Exactly one of an element and its negation; the flag says that it is the negation.
    fn one_of(
        &mut self,
        object: &Map<String, Value>,
        path: ElementPath<'_>,
        plain: &str,
        negated: &str,
        required: bool,
    ) -> Option<(bool, Vec<String>)> {
        match (object.get(plain), object.get(negated)) {
            (Some(_), Some(_)) => {
                self.problem(
                    Kind::ForbiddenElement,
                    Code::ExclusiveElements,
                    path,
                    format!("{plain} and {negated} exclude each other"),
                );
                None
            }
            (Some(value), None) => Some((false, self.strings(value, format_args!("{path}.{plain}")))),
            (None, Some(value)) => Some((true, self.strings(value, format_args!("{path}.{negated}")))),
            (None, None) => {
                if required {
                    self.problem(
                        Kind::MissingElement,
                        Code::MissingElement,
                        format_args!("{path}.{plain}"),
                        format!("a statement has {plain} or {negated}"),
                    );
                }
                None
            }
        }
    }

    fn principal(&mut self, value: &Value, path: ElementPath<'_>) -> Option<Principal> {
        let object = match value {
            Value::String(text) if text == "*" => return Some(Principal::Anyone),
            Value::Object(object) => object,
            other => {
                let message = format!(
                    "a Principal is \"*\" or an object by type, not {}",
                    name_of(other)
                );
                let suggestion = match other {
                    Value::String(text) if check_principal("AWS", text).is_ok() => {
                        Some(format!("{{\"AWS\": {other}}}"))
                    }
                    _ => None,
                };
                self.correct(
                    Kind::Principal,
                    Code::InvalidPrincipal,
                    path,
                    message,
                    suggestion.as_deref(),
                );
                return None;
            }
        };
        self.only_known(
            object,
            Some(path),
            &["AWS", "Service", "Federated", "CanonicalUser"],
        );
        let mut list = |name: &str| match object.get(name) {
            Some(value) => self.strings(value, format_args!("{path}.{name}")),
            None => Vec::new(),
        };
        let (aws, service) = (list("AWS"), list("Service"));
        let (federated, canonical_user) = (list("Federated"), list("CanonicalUser"));
        // Beside everybody nobody else has to be named.
        if aws.iter().any(|one| one == "*") {
            return Some(Principal::Anyone);
        }
        Some(Principal::Listed {
            aws,
            service,
            federated,
            canonical_user,
        })
    }
}
