//! Which policies of a file a command is about.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use deputy_policy::{Code, Document, Lint, PolicyKind};

use super::{
    namespaces::InNamespaces,
    report::{Style, refused, text},
    source::{File, Policy, PolicyGroup},
    types::PolicyType,
};
use crate::exit::Failure;

/// Policies that are judged together.
pub struct Judged {
    /// What they belong to, when it has a name.
    pub label: Option<String>,
    pub policies: Vec<Policy>,
    /// The policies as they were read.
    pub documents: Vec<Document>,
}

/// The policies of this kind in a file: each one that stands alone, and those of the objects whose policies are of it.
///
/// # Errors
/// When there is none, or one is refused.
pub fn all(path: &Path, kind: PolicyKind) -> Result<(File, Vec<Judged>), Failure> {
    let file = File::read(path)?;
    let groups = file
        .groups(InNamespaces::Each)
        .map_err(|found| refused(&found, &file.source()))?;
    let alone = groups.iter().filter(|group| group.of.is_none()).count();
    let (wanted, others): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group| {
        let of = group.of.as_ref();
        of.is_none_or(|owner| owner.kind.policies() == kind) && !group.policies.is_empty()
    });
    if wanted.is_empty() {
        return Err(nothing(&file, kind, &others));
    }
    let mut problems = Vec::new();
    let mut judged = Vec::new();
    for (i, group) in wanted.into_iter().enumerate() {
        let documents = documents(&group.policies, kind, &mut problems);
        let number = (alone > 1).then(|| format!("document {}", i + 1));
        judged.push(Judged {
            label: group.of.map(|owner| owner.to_string()).or(number),
            policies: group.policies,
            documents,
        });
    }
    if !problems.is_empty() {
        return Err(refused(&problems, &file.source()));
    }
    for judged in &judged {
        for (policy, document) in judged.policies.iter().zip(&judged.documents) {
            warn(policy, document, &file);
        }
    }
    Ok((file, judged))
}

/// Says on standard error what changes an answer without being a mistake of the policy language: an account id that Helm
/// printed as another text names nobody's account.
fn warn(policy: &Policy, document: &Document, file: &File) {
    let mut warnings = policy.warnings(document);
    warnings.retain(|warning| warning.code == Code::HelmNumber);
    let stream = std::io::stderr();
    let shown = text(&warnings, &file.source(), Style::of(&stream));
    drop(write!(&stream, "{shown}"));
}

/// The policies of the one object, or the one policy, of this kind in a file.
///
/// # Errors
/// As of [`all`], and when there are several.
pub fn one(path: &Path, kind: PolicyKind) -> Result<Vec<Document>, Failure> {
    Ok(only(path, kind)?.1.documents)
}

/// The same with the file and where the policies stand in it.
///
/// # Errors
/// As of [`one`].
pub fn only(path: &Path, kind: PolicyKind) -> Result<(File, Judged), Failure> {
    let (file, judged) = all(path, kind)?;
    match <[Judged; 1]>::try_from(judged) {
        Ok([judged]) => Ok((file, judged)),
        Err(several) => {
            let labels: Vec<String> = several.into_iter().filter_map(|one| one.label).collect();
            Err(Failure::input(format!(
                "{}: one {} policy is needed here, there are {}; put each into a file of its own",
                file.name,
                PolicyType::word(kind),
                labels.join(", ")
            )))
        }
    }
}

/// The one policy of this kind in a file.
///
/// # Errors
/// As of [`one`], and when its object has several.
pub fn single(path: &Path, kind: PolicyKind) -> Result<Document, Failure> {
    let documents = one(path, kind)?;
    <[Document; 1]>::try_from(documents)
        .map(|[document]| document)
        .map_err(|several| {
            Failure::input(format!(
                "{}: one policy is needed here, not {}",
                path.display(),
                several.len()
            ))
        })
}

/// The files of each level of an organisation, root first: separated by commas, an argument a level.
pub fn levels(arguments: &[String]) -> Vec<Vec<PathBuf>> {
    let files = |level: &String| level.split(',').map(PathBuf::from).collect();
    arguments.iter().map(files).collect()
}

fn documents(policies: &[Policy], kind: PolicyKind, problems: &mut Vec<Lint>) -> Vec<Document> {
    let mut documents = Vec::with_capacity(policies.len());
    for policy in policies {
        match policy.parse(kind) {
            Ok(document) => documents.push(document),
            Err(found) => problems.extend(found),
        }
    }
    documents
}

fn nothing(file: &File, kind: PolicyKind, others: &[PolicyGroup]) -> Failure {
    let word = PolicyType::word(kind);
    let there: Vec<String> = others
        .iter()
        .filter_map(|group| {
            let owner = group.of.as_ref()?;
            Some(match group.policies.as_slice() {
                [] => format!("{owner} without one"),
                _ => format!(
                    "{owner}, whose policies are of type {}",
                    PolicyType::word(owner.kind.policies())
                ),
            })
        })
        .collect();
    let there = if there.is_empty() {
        "no policy at all: neither one by itself nor one of an AWSRole, ClusterAWSRole, AWSRoleBinding, \
         AWSFederatedUserBinding, AWSResourcePolicyStatement or \
         DelegationLimit"
            .to_owned()
    } else {
        there.join("; ")
    };
    Failure::input(format!(
        "{}: no {word} policy is in it; there is {there}",
        file.name
    ))
}
