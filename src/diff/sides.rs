//! What is on one side of a comparison.

use std::path::{Path, PathBuf};

use deputy_policy::{Document, PolicyKind};

use crate::{
    exit::Failure,
    objects::{ReadObject, ReadObjects},
    policy::{
        namespaces::InNamespaces,
        report::{place, refused},
        source::{File, Policy},
    },
};

/// Objects, and policies that stand alone.
pub struct DiffSide {
    pub objects: Vec<ReadObject>,
    /// Of one file, with what they say.
    pub policies: Vec<(Policy, Document)>,
    file: Option<File>,
}

impl DiffSide {
    /// Reads a file, a folder or standard input. Policies that stand alone are of `kind`.
    ///
    /// # Errors
    /// All that can't be read.
    pub fn read(path: &Path, kind: PolicyKind, namespace: Option<&str>) -> Result<Self, Failure> {
        if path.is_dir() {
            return Ok(Self {
                objects: ReadObjects::of(&[PathBuf::from(path)], namespace)?.sound()?,
                policies: Vec::new(),
                file: None,
            });
        }
        let file = File::read(path)?;
        // What is wrong with a manifest is said below, with the object.
        let groups = file.groups(InNamespaces::Longest).unwrap_or_default();
        let alone = groups.into_iter().filter(|group| group.of.is_none());
        let mut policies = Vec::new();
        for policy in alone.flat_map(|group| group.policies) {
            let document = policy
                .parse(kind)
                .map_err(|found| refused(&found, &file.source()))?;
            policies.push((policy, document));
        }
        let objects = if file.is_policy_in_json() {
            Vec::new()
        } else {
            ReadObjects::of_text(&file.name, file.text.clone(), namespace).sound()?
        };
        Ok(Self {
            objects,
            policies,
            file: Some(file),
        })
    }

    /// The policies that stand alone.
    pub fn documents(&self) -> Vec<Document> {
        self.policies
            .iter()
            .map(|(_, document)| document.clone())
            .collect()
    }

    /// Where a statement of them stands.
    pub fn place(&self, (document, statement): (usize, usize)) -> Option<String> {
        let (policy, _) = self.policies.get(document)?;
        let span = policy.find(&format!("Statement[{statement}]"));
        Some(place(&self.file.as_ref()?.source(), span.as_ref()))
    }
}
