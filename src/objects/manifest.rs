//! Objects of files, as `kubectl` reads them.

use std::{collections::BTreeSet, path::PathBuf, rc::Rc};

use deputy_admission::{DeputyKind, nearest};
use deputy_api::{GROUP, VERSION};
use serde_json::Value;

use super::{
    core::{CoreObject, title},
    faults::{WrittenName, faults, head, not_yaml},
    files::{FileContent, content},
    place::{InputProblem, ProblemSort, TextFile, WrittenPlace},
    walk::{self, NamedFile},
};
use crate::{
    exit::Failure,
    yaml::{self, YamlKind, YamlNode},
};

/// Where an object was read.
#[derive(Debug)]
struct Written {
    file: Rc<TextFile>,
    node: YamlNode,
}

/// One of Deputy's objects.
#[derive(Debug)]
pub struct ReadObject {
    pub kind: DeputyKind,
    /// Of a kind that has one.
    pub namespace: Option<String>,
    pub name: String,
    pub value: Value,
    written: Option<Written>,
}

impl ReadObject {
    /// One that no file has.
    pub fn of_cluster(kind: DeputyKind, value: Value) -> Option<Self> {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            kind,
            namespace: text("/metadata/namespace").filter(|_| kind.is_namespaced()),
            name: text("/metadata/name")?,
            value,
            written: None,
        })
    }

    /// What no other object has.
    pub fn id(&self) -> (DeputyKind, Option<&str>, &str) {
        (self.kind, self.namespace.as_deref(), &self.name)
    }

    /// `AWSRole payments/uploader`
    pub fn title(&self) -> String {
        title(self.kind.name(), self.namespace.as_deref(), &self.name)
    }

    /// Where a field stands, or as much of its path as is there; `None` of an object that no file has.
    pub fn place(&self, field: &str) -> Option<WrittenPlace> {
        let written = self.written.as_ref()?;
        Some(written.file.place(written.node.find(field).span.start))
    }
}

/// What files have.
#[derive(Debug, Default)]
pub struct ReadObjects {
    /// In the order of the files.
    pub objects: Vec<ReadObject>,
    pub problems: Vec<InputProblem>,
    /// Documents that are no objects of Deputy's.
    pub passed_over: usize,
    /// Pods and what else stands around Deputy's objects. Such documents are passed over, too.
    pub core: Vec<CoreObject>,
    /// Files with a document that is a policy by itself. Such documents are passed over, too.
    pub with_policies: BTreeSet<String>,
}

impl ReadObjects {
    /// Reads files and folders. An object without a namespace is in `namespace`.
    ///
    /// # Errors
    /// What an argument names and is not there. What is wrong with files is in [`ReadObjects::problems`].
    pub fn of(arguments: &[PathBuf], namespace: Option<&str>) -> Result<Self, Failure> {
        let mut read = Self::default();
        for file in walk::files(arguments)? {
            read.file(&file, namespace)?;
        }
        read.refuse_twice();
        Ok(read)
    }

    fn file(&mut self, file: &NamedFile, namespace: Option<&str>) -> Result<(), Failure> {
        let name = file.path.display().to_string();
        match content(file)? {
            FileContent::Text(text) => self.text(&name, text, file.is_named, namespace),
            FileContent::Other => self.passed_over += 1,
            FileContent::Unreadable(message, (line, column)) => self.problems.push(InputProblem {
                sort: ProblemSort::Unreadable,
                object: None,
                place: WrittenPlace {
                    file: name.into(),
                    line,
                    column,
                },
                field: String::new(),
                message,
            }),
        }
        Ok(())
    }

    /// The objects of one text. `is_named`: somebody asked for just this one, so that it is one of manifests.
    fn text(&mut self, name: &str, text: String, is_named: bool, namespace: Option<&str>) {
        let text = TextFile {
            name: name.into(),
            text,
        };
        let nodes = match yaml::read(&text.text) {
            Ok(nodes) => nodes,
            // Beside manifests a folder has other things, such as templates.
            Err(_) if !is_named && !text.text.contains(GROUP) => {
                self.passed_over += 1;
                return;
            }
            Err(error) => return self.problems.push(not_yaml(&text, &error)),
        };
        let text = Rc::new(text);
        for node in nodes {
            self.document(node, &text, namespace);
        }
    }

    /// The objects of a text that was read already.
    pub fn of_text(name: &str, text: String, namespace: Option<&str>) -> Self {
        let mut read = Self::default();
        read.text(name, text, true, namespace);
        read.refuse_twice();
        read
    }

    fn document(&mut self, node: YamlNode, file: &Rc<TextFile>, namespace: Option<&str>) {
        if let Some(problem) = head(&node, file) {
            return self.problems.push(problem);
        }
        let text = |field: &str| node.get(field).and_then(YamlNode::as_str).map(str::to_owned);
        let (Some(version), Some(kind)) = (text("apiVersion"), text("kind")) else {
            if is_policy(&node) {
                self.with_policies.insert(file.name.to_string());
            }
            self.passed_over += 1;
            return;
        };
        if kind.ends_with("List") && node.get("items").is_some() {
            return self.list(node, file, namespace);
        }
        let Some(ours) = version
            .strip_prefix(GROUP)
            .and_then(|rest| rest.strip_prefix('/'))
        else {
            self.core
                .extend(CoreObject::of(&version, &kind, || node.to_value(), namespace));
            self.passed_over += 1;
            return;
        };
        let problem = |sort, field: &str, message: String| InputProblem {
            sort,
            object: None,
            place: file.place(node.find(field).span.start),
            field: field.to_owned(),
            message,
        };
        if ours != VERSION {
            let message = format!("there is no {GROUP}/{ours}; write {GROUP}/{VERSION}");
            let sort = spelled(ours.eq_ignore_ascii_case(VERSION));
            return self.problems.push(problem(sort, "apiVersion", message));
        }
        let Some(kind) = DeputyKind::of_name(&kind) else {
            // Deputy writes those, for namespaces to read.
            if kind == "NamespaceLimit" {
                self.passed_over += 1;
                return;
            }
            let names = DeputyKind::ALL.map(DeputyKind::name);
            let meant =
                nearest(&kind, names).map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
            let message = format!("{GROUP}/{VERSION} has no kind {kind:?}{meant}");
            let sort = spelled(names.iter().any(|name| name.eq_ignore_ascii_case(&kind)));
            return self.problems.push(problem(sort, "kind", message));
        };
        match object(kind, node, file, namespace) {
            Ok(object) => self.objects.push(object),
            Err(problems) => self.problems.extend(problems),
        }
    }

    /// The objects, if nothing is wrong with any input.
    ///
    /// # Errors
    /// All that is, a line each.
    pub fn sound(self) -> Result<Vec<ReadObject>, Failure> {
        if self.problems.is_empty() {
            return Ok(self.objects);
        }
        let lines: Vec<String> = self.problems.iter().map(ToString::to_string).collect();
        Err(Failure::input(lines.join("\n")))
    }

    fn list(&mut self, node: YamlNode, file: &Rc<TextFile>, namespace: Option<&str>) {
        let YamlKind::Map(members) = node.kind else {
            return;
        };
        let items = members.into_iter().filter(|(key, _)| key.name == "items");
        for (_, items) in items {
            if let YamlKind::List(items) = items.kind {
                for item in items {
                    self.document(item, file, namespace);
                }
            }
        }
    }

    /// Of two objects of one name the second one is a problem: which one counts would be chance.
    fn refuse_twice(&mut self) {
        let mut seen = std::collections::BTreeMap::new();
        let mut kept = Vec::with_capacity(self.objects.len());
        for object in std::mem::take(&mut self.objects) {
            let (kind, namespace, name) = object.id();
            let id = (kind, namespace.map(str::to_owned), name.to_owned());
            let place = object.place("metadata.name");
            match (seen.get(&id), &place) {
                (Some(first), Some(place)) => self.problems.push(InputProblem {
                    sort: ProblemSort::Unreadable,
                    object: Some(object.title()),
                    place: place.clone(),
                    field: "metadata.name".to_owned(),
                    message: format!("the object is there twice: {first} has it, too"),
                }),
                (_, place) => {
                    if let Some(place) = place {
                        seen.insert(id, place.clone());
                    }
                    kept.push(object);
                }
            }
        }
        self.objects = kept;
    }
}

/// What is wrong with a version or kind that there is not: in another spelling it is one that can't be read, else one that nobody has.
fn spelled(is_spelling: bool) -> ProblemSort {
    match is_spelling {
        true => ProblemSort::Unreadable,
        false => ProblemSort::NotTaken,
    }
}

/// Whether a document is a policy by itself, and no object.
fn is_policy(node: &YamlNode) -> bool {
    let has = |member: &str| node.get(member).is_some();
    has("Statement") && !has("apiVersion") && !has("kind")
}

/// One object, or all that is wrong with how it is written.
fn object(
    kind: DeputyKind,
    node: YamlNode,
    file: &Rc<TextFile>,
    namespace: Option<&str>,
) -> Result<ReadObject, Vec<InputProblem>> {
    let mut value = node.to_value();
    let text = |field: &str| {
        let metadata = value.get("metadata")?;
        metadata.get(field).and_then(Value::as_str).map(str::to_owned)
    };
    let namespace = text("namespace").or_else(|| namespace.map(str::to_owned));
    let named = WrittenName {
        kind,
        name: text("name"),
        namespace: namespace.filter(|_| kind.is_namespaced()),
    };
    let problems = faults(&named, &node, &value, file);
    let WrittenName { name, namespace, .. } = named;
    let (Some(name), true) = (name, problems.is_empty()) else {
        return Err(problems);
    };
    if let (Some(namespace), Some(Value::Object(metadata))) = (&namespace, value.get_mut("metadata")) {
        metadata.insert("namespace".to_owned(), namespace.as_str().into());
    }
    Ok(ReadObject {
        kind,
        namespace,
        name,
        value,
        written: Some(Written {
            file: Rc::clone(file),
            node,
        }),
    })
}
