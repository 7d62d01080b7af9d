//! What is wrong with how an object is written.

use std::rc::Rc;

use deputy_admission::DeputyKind;
use deputy_api::{GROUP, VERSION, crds::crd};
use serde_json::Value;

use super::{
    metadata,
    place::{InputProblem, ProblemSort, TextFile, WrittenPlace},
};
use crate::{
    policy::ambiguous,
    shape::misfits,
    yaml::{YamlError, YamlNode},
};

/// That a text is no YAML.
pub fn not_yaml(file: &TextFile, error: &YamlError) -> InputProblem {
    let template = if file.text.contains("{{") {
        "; a Helm template has to be rendered first (helm template CHART | deputy check -)"
    } else {
        ""
    };
    let (line, column) = error.at.unwrap_or((1, 1));
    let number = |number: u64| usize::try_from(number).unwrap_or(1).max(1);
    InputProblem {
        sort: ProblemSort::Unreadable,
        object: None,
        place: WrittenPlace {
            file: Rc::clone(&file.name),
            line: number(line),
            column: number(column),
        },
        field: String::new(),
        message: format!("neither a JSON nor a YAML document: {}{template}", error.message),
    }
}

/// What makes it uncertain which object a document is, of one that may be Deputy's or a list with such: passed over it would be neither
/// judged nor told.
pub fn head(node: &YamlNode, file: &TextFile) -> Option<InputProblem> {
    let named = |name: &'static str| node.members().iter().filter(move |(key, _)| key.name == name);
    let is = |name, is: fn(&str) -> bool| named(name).any(|(_, value)| value.as_str().is_some_and(is));
    let is_ours = is("apiVersion", is_ours);
    let is_list = is("kind", |kind| kind.ends_with("List")) && named("items").next().is_some();
    if !is_ours && !is_list {
        return None;
    }
    let problem = |field: &str, at: usize, message: String| InputProblem {
        sort: ProblemSort::Unreadable,
        object: None,
        place: file.place(at),
        field: field.to_owned(),
        message,
    };
    for field in ["apiVersion", "kind", "items"] {
        if let Some((key, _)) = named(field).nth(1) {
            let message = "the key is there more than once".to_owned();
            return Some(problem(field, key.span.start, message));
        }
    }
    let version = node.get("apiVersion").filter(|_| is_ours)?;
    if node.get("kind").and_then(YamlNode::as_str).is_none() {
        let message = "it is missing, or no text".to_owned();
        return Some(problem("kind", node.find("kind").span.start, message));
    }
    let text = version.as_str()?;
    if text.split('/').next() != Some(GROUP) || !text.contains('/') {
        let message = format!("there is no {text}; write {GROUP}/{VERSION}");
        return Some(problem("apiVersion", version.span.start, message));
    }
    None
}

/// Whether a version is meant to be of Deputy's group, however it is spelled.
fn is_ours(version: &str) -> bool {
    let group = version.split('/').next().unwrap_or_default();
    group.trim().eq_ignore_ascii_case(GROUP)
}

/// What an object is called, as far as that is said.
pub struct WrittenName {
    pub kind: DeputyKind,
    pub name: Option<String>,
    pub namespace: Option<String>,
}

impl WrittenName {
    fn title(&self) -> String {
        let of = self.namespace.as_ref();
        let of = of.map_or_else(String::new, |namespace| format!("{namespace}/"));
        let name = self.name.as_deref().unwrap_or("(without a name)");
        format!("{} {of}{name}", self.kind.name())
    }
}

/// All that is wrong with how an object is written.
pub fn faults(named: &WrittenName, node: &YamlNode, value: &Value, file: &TextFile) -> Vec<InputProblem> {
    let title = named.title();
    let problem = |sort, field: &str, at: usize, message: String| InputProblem {
        sort,
        object: Some(title.clone()),
        place: file.place(at),
        field: field.to_owned(),
        message,
    };
    let unreadable = ProblemSort::Unreadable;
    let mut problems = Vec::new();
    for (path, span) in node.repeated_keys() {
        let message = "the key is there more than once".to_owned();
        problems.push(problem(unreadable, &path, span.start, message));
    }
    for finding in ambiguous(named.kind.name(), node, &file.text) {
        let at = finding.span.map_or(node.span.start, |span| span.start);
        problems.push(problem(unreadable, &finding.path, at, finding.message));
    }
    let at = |field: &str| node.find(field).span.start;
    let lacks = |field: &str, missing: &str| match node.get("metadata").and_then(|of| of.get(field)) {
        // Without quotes `n`, `y` and `no` are none.
        Some(_) => "it is not text; write it in quotes".to_owned(),
        None => missing.to_owned(),
    };
    if named.name.is_none() {
        let message = lacks("name", "it is missing, and a generateName says too little here");
        problems.push(problem(unreadable, "metadata.name", at("metadata.name"), message));
    }
    if named.kind.is_namespaced() && named.namespace.is_none() {
        let missing = "it is missing; write it, or say by --namespace where the object belongs";
        let (field, message) = ("metadata.namespace", lacks("namespace", missing));
        problems.push(problem(unreadable, field, at(field), message));
    }
    for fault in metadata::faults(value) {
        let place = at(&fault.field);
        problems.push(problem(fault.sort, &fault.field, place, fault.message));
    }
    if let Some(definition) = crd(named.kind.plural()) {
        for misfit in misfits(definition, value) {
            let place = at(&misfit.path);
            problems.push(problem(
                ProblemSort::NotTaken,
                &misfit.path,
                place,
                misfit.message,
            ));
        }
    }
    problems
}
