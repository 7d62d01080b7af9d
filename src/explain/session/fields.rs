//! The fields of a scenario: each is known, of one type, and there once; what is wrong is said with its place.

use std::path::Path;

use deputy_policy::PolicyKind;

use super::scenario::PlacedPolicy;
use crate::{
    exit::Failure,
    policy::{
        report::{ReportSource, refused},
        source::Policy,
    },
    text::position,
    yaml::{self, MERGE, YamlKind, YamlNode},
};

/// A scenario's text.
pub struct ScenarioFile {
    name: String,
    text: String,
}

/// A mapping of a scenario, and where it stands.
#[derive(Clone, Copy)]
pub struct Fields<'f> {
    file: &'f ScenarioFile,
    node: &'f YamlNode,
}

/// A value of a scenario with its path.
pub struct Field<'f> {
    file: &'f ScenarioFile,
    node: &'f YamlNode,
    path: String,
}

impl ScenarioFile {
    pub fn new(path: &Path, text: String) -> Self {
        let name = path.display().to_string();
        Self { name, text }
    }

    /// The one document of the file.
    ///
    /// # Errors
    /// What is not YAML, several documents, and keys that are there twice.
    pub fn document(&self) -> Result<YamlNode, Failure> {
        let mut documents = yaml::read(&self.text).map_err(|problem| {
            let (line, column) = problem.at.unwrap_or((1, 1));
            let message = format!("neither a JSON nor a YAML document: {}", problem.message);
            Failure::input(format!("{}:{line}:{column}: {message}", self.name))
        })?;
        let (Some(document), true) = (documents.pop(), documents.is_empty()) else {
            let message = format!("{}: one scenario is needed, in one document", self.name);
            return Err(Failure::input(message));
        };
        Ok(document)
    }

    fn wrong(&self, node: &YamlNode, path: &str, what: &str) -> Failure {
        let (line, column) = position(&self.text, node.span.start).unwrap_or((1, 1));
        let colon = if path.is_empty() { "" } else { ": " };
        Failure::input(format!("{}:{line}:{column}: {path}{colon}{what}", self.name))
    }

    /// The whole scenario as a field.
    pub fn root<'f>(&'f self, node: &'f YamlNode) -> Field<'f> {
        Field {
            file: self,
            node,
            path: String::new(),
        }
    }
}

impl<'f> Field<'f> {
    /// A failure about this field.
    pub fn wrong(&self, what: impl std::fmt::Display) -> Failure {
        self.file.wrong(self.node, &self.path, &what.to_string())
    }

    fn below(&self, name: &str) -> String {
        let dot = if self.path.is_empty() { "" } else { "." };
        format!("{}{dot}{name}", self.path)
    }

    /// The fields of a mapping that has no others than these.
    ///
    /// # Errors
    /// A value that is no mapping, a field that is not known, null, or there twice.
    pub fn fields(&self, known: &[&str]) -> Result<Fields<'f>, Failure> {
        if !matches!(self.node.kind, YamlKind::Map(_)) {
            return Err(self.wrong("a mapping is needed"));
        }
        let mut seen: Vec<&str> = Vec::new();
        for (key, value) in self.node.members() {
            let path = self.below(&key.name);
            let wrong = |what: &str| {
                let (line, column) = position(&self.file.text, key.span.start).unwrap_or((1, 1));
                Failure::input(format!("{}:{line}:{column}: {path}: {what}", self.file.name))
            };
            if key.merges {
                return Err(wrong(MERGE));
            }
            if !known.contains(&key.name.as_str()) {
                return Err(wrong(&format!(
                    "there is no such field; there are {}",
                    known.join(", ")
                )));
            }
            if seen.contains(&key.name.as_str()) {
                return Err(wrong("the key is there more than once"));
            }
            if matches!(value.kind, YamlKind::Null) {
                return Err(wrong("it is null; write a value, or leave the field out"));
            }
            seen.push(&key.name);
        }
        let Self { file, node, .. } = *self;
        Ok(Fields { file, node })
    }

    /// # Errors
    /// What is no text.
    pub fn text(&self) -> Result<String, Failure> {
        let text = self.node.as_str().map(str::to_owned);
        text.ok_or_else(|| self.wrong("text is needed (write numbers in quotes)"))
    }

    /// # Errors
    /// What is neither true nor false.
    pub fn boolean(&self) -> Result<bool, Failure> {
        match self.node.kind {
            YamlKind::Bool(value) => Ok(value),
            _ => Err(self.wrong("true or false is needed")),
        }
    }

    /// # Errors
    /// What is no number of seconds.
    pub fn seconds(&self) -> Result<u32, Failure> {
        let number = match &self.node.kind {
            YamlKind::Number(number) => number.as_u64().and_then(|n| u32::try_from(n).ok()),
            _ => None,
        };
        number.ok_or_else(|| self.wrong("a number of seconds is needed"))
    }

    /// # Errors
    /// What is no list.
    pub fn items(&self) -> Result<Vec<Self>, Failure> {
        if !matches!(self.node.kind, YamlKind::List(_)) {
            return Err(self.wrong("a list is needed"));
        }
        let item = |(i, node)| Self {
            file: self.file,
            node,
            path: format!("{}[{i}]", self.path),
        };
        Ok(self.node.items().iter().enumerate().map(item).collect())
    }

    /// The values of a context key: text, booleans and numbers as they are written, or a list of those.
    ///
    /// # Errors
    /// Any other value.
    pub fn values(&self) -> Result<Vec<String>, Failure> {
        match &self.node.kind {
            YamlKind::Text(text) => Ok(vec![text.clone()]),
            YamlKind::Bool(value) => Ok(vec![value.to_string()]),
            YamlKind::Number(_) => {
                let written = self.file.text.get(self.node.span.clone());
                Ok(vec![written.unwrap_or_default().to_owned()])
            }
            YamlKind::List(_) => {
                let items = self.items()?;
                let read = items.iter().map(|item| match item.node.kind {
                    YamlKind::List(_) => Err(item.wrong("text, a boolean or a number is needed")),
                    _ => item.values(),
                });
                Ok(read.collect::<Result<Vec<_>, _>>()?.concat())
            }
            YamlKind::Null | YamlKind::Map(_) => {
                Err(self.wrong("text, a boolean, a number or a list of those is needed"))
            }
        }
    }

    /// A mapping of any keys.
    ///
    /// # Errors
    /// What is no mapping.
    pub fn pairs(&self) -> Result<Vec<(&'f str, Self)>, Failure> {
        if !matches!(self.node.kind, YamlKind::Map(_)) {
            return Err(self.wrong("a mapping is needed"));
        }
        let pair = |(key, node): &'f (yaml::YamlKey, YamlNode)| {
            let field = Self {
                file: self.file,
                node,
                path: self.below(&key.name),
            };
            (key.name.as_str(), field)
        };
        Ok(self.node.members().iter().map(pair).collect())
    }

    /// A policy.
    ///
    /// # Errors
    /// What is wrong with it, with places in the scenario.
    pub fn policy(&self, kind: PolicyKind) -> Result<PlacedPolicy, Failure> {
        let source = ReportSource {
            name: &self.file.name,
            text: &self.file.text,
        };
        let policy = Policy::inside(&self.path, self.node, &self.file.text);
        let document = policy.parse(kind).map_err(|found| refused(&found, &source))?;
        Ok(PlacedPolicy::new(document, &policy, &source))
    }

    /// A list of policies.
    ///
    /// # Errors
    /// As of [`Field::policy`].
    pub fn policies(&self, kind: PolicyKind) -> Result<Vec<PlacedPolicy>, Failure> {
        self.items()?.iter().map(|item| item.policy(kind)).collect()
    }

    /// A list of levels, each a list of policies.
    ///
    /// # Errors
    /// As of [`Field::policy`].
    pub fn levels(&self, kind: PolicyKind) -> Result<Vec<Vec<PlacedPolicy>>, Failure> {
        self.items()?.iter().map(|level| level.policies(kind)).collect()
    }
}

impl<'f> Fields<'f> {
    /// A field, when it is there; `of` is the path of the mapping.
    pub fn get(&self, of: &Field<'f>, name: &str) -> Option<Field<'f>> {
        let node = self.node.get(name)?;
        Some(Field {
            file: self.file,
            node,
            path: of.below(name),
        })
    }
}
