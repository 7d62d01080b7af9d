//! Files with policies: JSON as AWS takes it, the same in YAML, and Deputy's manifests.

use std::{
    collections::{BTreeSet, HashMap},
    ops::Range,
    path::Path,
};

use deputy_delegation::boundary::is_acknowledged;
use deputy_policy::{Code, Document, Lint, PolicyKind, lint, unless_meant};
use serde::de::IgnoredAny;

use super::{
    manifest::{self, ManifestKind},
    namespaces::InNamespaces,
    report::ReportSource,
    statement,
    translate::Translated,
};
use crate::{
    exit::Failure,
    input,
    yaml::{self, YamlNode},
};

/// A file that has been read.
pub struct File {
    pub name: String,
    pub text: String,
    /// By its name it is YAML, whatever it begins with.
    yaml: bool,
}

/// What is judged together: the policies of an object, or the one that stands alone in its document.
pub struct PolicyGroup {
    pub of: Option<Owner>,
    /// None, of a binding without session policy.
    pub policies: Vec<Policy>,
}

/// A policy of a file.
pub struct Policy {
    /// The object that it is part of.
    pub of: Option<Owner>,
    /// Where in its document, such as `spec.ceiling`; empty when it is all of it.
    pub path: String,
    text: Text,
}

/// An object with policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub kind: ManifestKind,
    /// `NAMESPACE/NAME`, or the name alone; of a ClusterAWSRole that differs by namespace, with the one in which it is looked at.
    pub name: String,
    acknowledged: BTreeSet<String>,
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind.name(), self.name)
    }
}

/// The JSON of a policy.
enum Text {
    /// The file's own text.
    Own(String),
    Translated(Translated),
}

impl File {
    /// Reads a file, or standard input.
    ///
    /// # Errors
    /// What [`input::read`] refuses.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let extension = path.extension().unwrap_or_default();
        Ok(Self {
            name: path.display().to_string(),
            text: input::read(path)?,
            yaml: ["yaml", "yml"].iter().any(|known| extension == *known),
        })
    }

    /// Its name and text, for messages.
    pub fn source(&self) -> ReportSource<'_> {
        ReportSource {
            name: &self.name,
            text: &self.text,
        }
    }

    /// The policies in it, by the objects that have them; those of a ClusterAWSRole as they are in these namespaces.
    ///
    /// # Errors
    /// What is wrong with the file around its policies.
    pub fn groups(&self, which: InNamespaces) -> Result<Vec<PolicyGroup>, Vec<Lint>> {
        if self.is_policy_in_json() {
            return Ok(vec![PolicyGroup::alone(Text::Own(self.text.clone()))]);
        }
        let nodes = yaml::read(&self.text).map_err(|problem| vec![self.not_yaml(&problem)])?;
        let mut problems = Vec::new();
        let documents = manifest::documents(&nodes, which, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let translated = |node: &YamlNode| Text::Translated(Translated::new(node, &self.text));
        let group = |document| match document {
            manifest::ManifestDocument::Policy(node) => PolicyGroup::alone(translated(node)),
            manifest::ManifestDocument::Object(object) => {
                let owner = Owner {
                    kind: object.kind,
                    name: object.name,
                    acknowledged: object.acknowledged,
                };
                let policies = object.policies.into_iter().map(|(path, node)| Policy {
                    of: Some(owner.clone()),
                    path,
                    text: translated(&node),
                });
                PolicyGroup {
                    policies: policies.collect(),
                    of: Some(owner),
                }
            }
        };
        Ok(documents.into_iter().map(group).collect())
    }

    /// What begins as JSON is read as such, so that what YAML forgives (a comma too many) is found; a manifest in JSON is
    /// read as YAML, of which it is a part.
    pub fn is_policy_in_json(&self) -> bool {
        if !self.begins_as_json() {
            return false;
        }
        match serde_json::from_str::<HashMap<String, IgnoredAny>>(&self.text) {
            Ok(members) => !members.contains_key("apiVersion") && !members.contains_key("kind"),
            Err(error) => error.is_data() || !(self.yaml || self.text.contains("\n---")),
        }
    }

    fn begins_as_json(&self) -> bool {
        self.text.trim_start().starts_with(['{', '['])
    }

    fn not_yaml(&self, problem: &yaml::YamlError) -> Lint {
        let template = if self.text.contains("{{") {
            "; a Helm template has to be rendered first (helm template)"
        } else {
            ""
        };
        Lint {
            code: Code::NotJson,
            path: String::new(),
            message: format!(
                "neither a JSON nor a YAML document: {}{template}",
                problem.message
            ),
            suggestion: None,
            span: problem.at.and_then(|at| self.offset(at)),
        }
    }

    /// The byte at a line and column.
    fn offset(&self, (line, column): (u64, u64)) -> Option<Range<usize>> {
        let before = usize::try_from(line).ok()?.checked_sub(1)?;
        let start: usize = self.text.split_inclusive('\n').take(before).map(str::len).sum();
        let column = usize::try_from(column).ok()?.checked_sub(1)?;
        let on_line = self.text.get(start..)?;
        let at = start
            + on_line
                .char_indices()
                .nth(column)
                .map_or(on_line.len(), |(at, _)| at);
        Some(at..at)
    }
}

impl PolicyGroup {
    fn alone(text: Text) -> Self {
        let policy = Policy {
            of: None,
            path: String::new(),
            text,
        };
        Self {
            of: None,
            policies: vec![policy],
        }
    }
}

impl Policy {
    /// One that is a part of something else: at `path` of the text `yaml`.
    pub fn inside(path: &str, node: &YamlNode, yaml: &str) -> Self {
        Self {
            of: None,
            path: path.to_owned(),
            text: Text::Translated(Translated::new(node, yaml)),
        }
    }

    /// Its JSON.
    pub fn json(&self) -> &str {
        match &self.text {
            Text::Own(text) => text,
            Text::Translated(translated) => &translated.json,
        }
    }

    /// Reads it as a policy of this kind.
    ///
    /// # Errors
    /// What is wrong with it, with places in the file.
    pub fn parse(&self, kind: PolicyKind) -> Result<Document, Vec<Lint>> {
        let parsed = Document::parse(self.json(), kind);
        let mut findings: Vec<Lint> = match &self.text {
            Text::Own(_) => Vec::new(),
            Text::Translated(translated) => {
                let own = translated.ambiguous.iter().cloned();
                own.map(|finding| self.prefixed(finding)).collect()
            }
        };
        match parsed {
            Ok(document) if findings.is_empty() => Ok(document),
            Ok(_) => Err(findings),
            Err(problems) => {
                findings.extend(problems.iter().map(|problem| self.placed(problem.into())));
                // What concerns the whole comes last.
                findings.sort_by_key(|finding| finding.span.as_ref().map_or(usize::MAX, |span| span.start));
                Err(findings)
            }
        }
    }

    /// The warnings of the policy, with places in the file. Of a limit's ceiling, what the limit acknowledges is not
    /// one.
    pub fn warnings(&self, document: &Document) -> Vec<Lint> {
        let mut kept = lint(document, Some(self.json()));
        if let Some(owner) = self.of.as_ref().filter(|owner| owner.kind == ManifestKind::Limit) {
            kept = unless_meant(kept, document, |action| {
                is_acknowledged(&owner.acknowledged, action)
            });
        }
        kept.into_iter().map(|finding| self.placed(finding)).collect()
    }

    /// A finding on the JSON as one on the file.
    fn placed(&self, mut finding: Lint) -> Lint {
        if let Text::Translated(translated) = &self.text {
            finding.span = finding.span.and_then(|span| translated.place(&span));
        }
        self.prefixed(finding)
    }

    fn prefixed(&self, mut finding: Lint) -> Lint {
        finding.path = self.path_of(&finding.path);
        finding
    }

    /// The path of an element in the policy's document, such as `spec.ceiling.Statement[0]`.
    pub fn path_of(&self, element: &str) -> String {
        let is_statement = |owner: &Owner| owner.kind == ManifestKind::Statement;
        let element = match self.of.as_ref().is_some_and(is_statement) {
            true => statement::path_in(element),
            false => element,
        };
        match (self.path.as_str(), element) {
            ("", path) | (path, "") => path.to_owned(),
            (path, element) => format!("{path}.{element}"),
        }
    }

    /// Where an element of the policy stands in the file.
    pub fn find(&self, element: &str) -> Option<Range<usize>> {
        let span = deputy_policy::Locator::new(self.json()).find(element, false)?;
        match &self.text {
            Text::Own(_) => Some(span),
            Text::Translated(translated) => translated.place(&span),
        }
    }
}
