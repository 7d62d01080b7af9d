//! What is on one side of a comparison.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use deputy_policy::{Document, Lint, PolicyKind};

use crate::{
    exit::Failure,
    objects::{ReadObject, ReadObjects},
    policy::{
        namespaces::InNamespaces,
        report::{place, refused},
        source::{File, Policy},
        types::PolicyType,
    },
};

/// Objects, and policies that stand alone.
pub struct DiffSide {
    pub objects: Vec<ReadObject>,
    /// Files with policies that stand alone, by their path in the folder; that of a file that was named itself is empty.
    pub policies: BTreeMap<String, PolicyFile>,
    /// Documents that are neither.
    pub passed_over: usize,
}

/// A file with policies that stand alone.
pub struct PolicyFile {
    policies: Vec<(Policy, Document)>,
    file: File,
}

impl DiffSide {
    /// Reads a file, a folder or standard input. Policies that stand alone are of `kind`.
    ///
    /// # Errors
    /// All that can't be read.
    pub fn read(path: &Path, kind: PolicyKind, namespace: Option<&str>) -> Result<Self, Failure> {
        if path.is_dir() {
            return Self::folder(path, kind, namespace);
        }
        let file = File::read(path)?;
        let mut side = Self {
            objects: Vec::new(),
            policies: BTreeMap::new(),
            passed_over: 0,
        };
        // What is wrong with an object is said of the object, before what is wrong with the rest.
        if !file.is_policy_in_json() {
            side.objects(ReadObjects::of_text(&file.name, file.text.clone(), namespace))?;
        }
        side.policies(String::new(), file, kind)?;
        Ok(side)
    }

    fn folder(path: &Path, kind: PolicyKind, namespace: Option<&str>) -> Result<Self, Failure> {
        let mut side = Self {
            objects: Vec::new(),
            policies: BTreeMap::new(),
            passed_over: 0,
        };
        let read = ReadObjects::of(&[PathBuf::from(path)], namespace)?;
        let files = read.with_policies.clone();
        side.objects(read)?;
        for name in files {
            let file = Path::new(&name);
            let inside = file.strip_prefix(path).unwrap_or(file).display().to_string();
            side.policies(inside, File::read(file)?, kind)?;
        }
        Ok(side)
    }

    fn objects(&mut self, read: ReadObjects) -> Result<(), Failure> {
        self.passed_over = read.passed_over;
        self.objects = read.sound()?;
        Ok(())
    }

    fn policies(&mut self, name: String, file: File, kind: PolicyKind) -> Result<(), Failure> {
        let groups = file.groups(InNamespaces::Longest);
        let groups = groups.map_err(|found| refused(&found, &file.source()))?;
        let alone = groups.into_iter().filter(|group| group.of.is_none());
        let mut policies = Vec::new();
        for policy in alone.flat_map(|group| group.policies) {
            let document = policy.parse(kind).map_err(|mut found| {
                hint(&policy, kind, &mut found);
                refused(&found, &file.source())
            })?;
            policies.push((policy, document));
        }
        self.passed_over = self.passed_over.saturating_sub(policies.len());
        if !policies.is_empty() {
            self.policies.insert(name, PolicyFile { policies, file });
        }
        Ok(())
    }

    /// Whether there is nothing that could be compared.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.policies.is_empty()
    }
}

/// Says which sort a policy is of that is none of `kind`, where it is one of another: what is compared is said by `--type` alone.
fn hint(policy: &Policy, kind: PolicyKind, found: &mut [Lint]) {
    let others = [PolicyKind::Trust, PolicyKind::Resource].into_iter();
    let fits = others
        .filter(|other| *other != kind)
        .find(|other| policy.parse(*other).is_ok());
    if let (Some(fits), Some(first)) = (fits, found.first_mut()) {
        let (of, word) = (PolicyType::word(kind), PolicyType::word(fits));
        first.message.push_str(&format!(
            "; it is read as one of --type {of}: with --type {word} it can be compared"
        ));
    }
}

impl PolicyFile {
    pub fn documents(&self) -> Vec<Document> {
        self.policies
            .iter()
            .map(|(_, document)| document.clone())
            .collect()
    }

    /// Where a statement stands.
    pub fn place(&self, (document, statement): (usize, usize)) -> Option<String> {
        let (policy, _) = self.policies.get(document)?;
        let span = policy.find(&format!("Statement[{statement}]"));
        Some(place(&self.file.source(), span.as_ref()))
    }
}
