//! Where Deputy's objects have policies, and what is wrong with them before these are looked at.

use std::{borrow::Cow, collections::BTreeSet, ops::Range};

use deputy_api::{GROUP, VERSION, crds::crd};
use deputy_policy::{Code, Lint, PolicyKind};

use super::{
    namespaces::{InNamespaces, namespaces, put_in},
    statement::{STATEMENT, policy_of},
};
use crate::{
    shape::{Sort, misfits},
    yaml::YamlNode,
};

/// The kinds that have policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManifestKind {
    /// `AWSRole`: each `spec.policies[].document`.
    Role,
    /// `ClusterAWSRole`: the same, in a namespace that binds it.
    ClusterRole,
    /// `AWSRoleBinding`: `spec.session.policy`.
    Binding,
    /// `AWSFederatedUserBinding`: the same.
    FederatedBinding,
    /// `AWSResourcePolicyStatement`: `spec.statement`, as a policy of an identity would say it.
    Statement,
    /// `DelegationLimit`: `spec.ceiling`.
    Limit,
}

impl ManifestKind {
    pub const ALL: [Self; 6] = [
        Self::Role,
        Self::ClusterRole,
        Self::Binding,
        Self::FederatedBinding,
        Self::Statement,
        Self::Limit,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Role => "AWSRole",
            Self::ClusterRole => "ClusterAWSRole",
            Self::Binding => "AWSRoleBinding",
            Self::FederatedBinding => "AWSFederatedUserBinding",
            Self::Statement => "AWSResourcePolicyStatement",
            Self::Limit => "DelegationLimit",
        }
    }

    fn plural(self) -> &'static str {
        match self {
            Self::Role => "awsroles",
            Self::ClusterRole => "clusterawsroles",
            Self::Binding => "awsrolebindings",
            Self::FederatedBinding => "awsfederateduserbindings",
            Self::Statement => "awsresourcepolicystatements",
            Self::Limit => "delegationlimits",
        }
    }

    /// What its policies are used as.
    pub fn policies(self) -> PolicyKind {
        match self {
            Self::Role | Self::ClusterRole | Self::Statement => PolicyKind::Identity,
            Self::Binding | Self::FederatedBinding => PolicyKind::Session,
            Self::Limit => PolicyKind::Boundary,
        }
    }
}

/// An object of one of these kinds.
pub struct ManifestObject<'a> {
    pub kind: ManifestKind,
    /// `NAMESPACE/NAME`, or the name alone; of a ClusterAWSRole that differs by namespace, with the one in which it is looked at.
    pub name: String,
    /// Its policies and their paths.
    pub policies: Vec<(String, Cow<'a, YamlNode>)>,
    /// `spec.acknowledgeEscalation`, lower case.
    pub acknowledged: BTreeSet<String>,
}

/// What a document of a file is.
pub enum ManifestDocument<'a> {
    /// Neither `apiVersion` nor `kind`.
    Policy(&'a YamlNode),
    Object(ManifestObject<'a>),
}

/// The documents of a file, those of a `List` one by one, a ClusterAWSRole once for each namespace in which it is looked at. Other kinds of
/// objects are left out.
pub fn documents<'a>(
    nodes: &'a [YamlNode],
    which: InNamespaces,
    problems: &mut Vec<Lint>,
) -> Vec<ManifestDocument<'a>> {
    let mut found = Vec::new();
    for node in nodes {
        let (version, kind) = (node.get("apiVersion"), node.get("kind"));
        if version.is_none() && kind.is_none() {
            found.push(ManifestDocument::Policy(node));
            continue;
        }
        let text = |of: Option<&'a YamlNode>| of.and_then(YamlNode::as_str);
        let (Some(version), Some(kind)) = (text(version), text(kind)) else {
            let message = "a manifest has an apiVersion and a kind, both text; a policy has neither";
            problems.push(problem(Code::WrongType, "", message, node.span.clone()));
            continue;
        };
        if (version, kind) == ("v1", "List") {
            found.extend(documents(
                node.get("items").map_or(&[], YamlNode::items),
                which,
                problems,
            ));
            continue;
        }
        repeated(node, kind, problems);
        let Some(rest) = version
            .strip_prefix(GROUP)
            .and_then(|rest| rest.strip_prefix('/'))
        else {
            continue;
        };
        if rest != VERSION {
            let message = format!("there is no {version}; write {GROUP}/{VERSION}");
            problems.push(problem(
                Code::WrongType,
                "apiVersion",
                message,
                node.find("apiVersion").span.clone(),
            ));
            continue;
        }
        match ManifestKind::ALL.into_iter().find(|known| known.name() == kind) {
            Some(kind) => {
                let object = object(kind, node, problems);
                let objects = in_namespaces(object, node, which);
                found.extend(objects.into_iter().map(ManifestDocument::Object));
            }
            None if kind == "AWSAccount" => {}
            None => {
                let message = format!(
                    "{version} has no kind {kind:?}; those with policies are AWSRole, ClusterAWSRole, \
                     AWSRoleBinding, \
                     AWSFederatedUserBinding, AWSResourcePolicyStatement and DelegationLimit"
                );
                problems.push(problem(
                    Code::WrongType,
                    "kind",
                    message,
                    node.find("kind").span.clone(),
                ));
            }
        }
    }
    found
}

/// Keys that are there twice, but for those of policies, which are looked at as such.
fn repeated(node: &YamlNode, kind: &str, problems: &mut Vec<Lint>) {
    let of_policy = |path: &str| match ManifestKind::ALL.into_iter().find(|known| known.name() == kind) {
        Some(ManifestKind::Role | ManifestKind::ClusterRole) => {
            path.starts_with("spec.policies[") && path.contains("].document.")
        }
        Some(ManifestKind::Binding | ManifestKind::FederatedBinding) => {
            path.starts_with("spec.session.policy.")
        }
        Some(ManifestKind::Statement) => path.starts_with("spec.statement."),
        Some(ManifestKind::Limit) => path.starts_with("spec.ceiling."),
        None => false,
    };
    for (path, span) in node.repeated_keys() {
        if !of_policy(&path) {
            let message = "the key is there more than once";
            problems.push(problem(Code::DuplicateKey, path, message, span));
        }
    }
}

fn object<'a>(kind: ManifestKind, node: &'a YamlNode, problems: &mut Vec<Lint>) -> ManifestObject<'a> {
    let field = |path: &str| path.split('.').try_fold(node, |node, field| node.get(field));
    let before = problems.len();
    if let Some(definition) = crd(kind.plural()) {
        for misfit in misfits(definition, &node.to_value()) {
            let code = match misfit.sort {
                Sort::Field => Code::UnknownElement,
                Sort::Missing => Code::MissingElement,
                Sort::Value => Code::WrongType,
            };
            let span = node.find(&misfit.path).span.clone();
            problems.push(problem(code, misfit.path, misfit.message, span));
        }
    }
    let mut policies = Vec::new();
    match kind {
        ManifestKind::Limit => {
            let policy = field("spec.ceiling").map(Cow::Borrowed);
            policies.extend(policy.map(|policy| ("spec.ceiling".to_owned(), policy)));
        }
        ManifestKind::Binding | ManifestKind::FederatedBinding => {
            let policy = field("spec.session.policy").map(Cow::Borrowed);
            policies.extend(policy.map(|policy| ("spec.session.policy".to_owned(), policy)));
        }
        ManifestKind::Statement => {
            let written = field(STATEMENT);
            let policy = written.map(|written| policy_of(written, field("spec.resourceARN"), problems));
            policies.extend(policy.map(|policy| (STATEMENT.to_owned(), Cow::Owned(policy))));
        }
        ManifestKind::Role | ManifestKind::ClusterRole => {
            let listed = field("spec.policies").map_or(&[][..], YamlNode::items);
            for (i, policy) in listed.iter().enumerate() {
                let path = format!("spec.policies[{i}].document");
                let document = policy.get("document").map(Cow::Borrowed);
                policies.extend(document.map(|document| (path, document)));
            }
        }
    }
    let needed = match kind {
        // What a managed policy allows is not in the manifest, nor is what a role may do that exists already.
        ManifestKind::Role | ManifestKind::ClusterRole
            if ["spec.managedPolicyARNs", "spec.existing"]
                .iter()
                .any(|f| field(f).is_some()) =>
        {
            None
        }
        ManifestKind::Role | ManifestKind::ClusterRole => Some("spec.policies"),
        ManifestKind::Statement => Some(STATEMENT),
        ManifestKind::Limit => Some("spec.ceiling"),
        // A session without policy gets all of the role; of a federated user, what resource policies grant it.
        ManifestKind::Binding | ManifestKind::FederatedBinding => None,
    };
    if let Some(path) = needed.filter(|_| policies.is_empty() && problems.len() == before) {
        let message = format!("the {} has no policy", kind.name());
        problems.push(problem(
            Code::MissingElement,
            path,
            message,
            node.find(path).span.clone(),
        ));
    }
    let acknowledged = field("spec.acknowledgeEscalation").map_or(&[][..], YamlNode::items);
    ManifestObject {
        kind,
        name: name(node),
        policies,
        acknowledged: acknowledged
            .iter()
            .filter_map(YamlNode::as_str)
            .map(str::to_lowercase)
            .collect(),
    }
}

/// The object as it is in each namespace in which it is looked at, if that makes a difference.
fn in_namespaces<'a>(
    object: ManifestObject<'a>,
    node: &YamlNode,
    which: InNamespaces,
) -> Vec<ManifestObject<'a>> {
    if object.kind != ManifestKind::ClusterRole {
        return vec![object];
    }
    let listed = node.find("spec.namespaces").items();
    let policies: Vec<&YamlNode> = object
        .policies
        .iter()
        .map(|(_, policy)| policy.as_ref())
        .collect();
    let namespaces = namespaces(listed, &policies, which);
    if namespaces.is_empty() {
        return vec![object];
    }
    let there = namespaces.iter().map(|namespace| ManifestObject {
        kind: object.kind,
        name: format!("{} ({namespace})", object.name),
        policies: object
            .policies
            .iter()
            .map(|(path, policy)| (path.clone(), Cow::Owned(put_in(policy, &namespace.name))))
            .collect(),
        acknowledged: BTreeSet::new(),
    });
    there.collect()
}

fn name(node: &YamlNode) -> String {
    let text = |field| {
        node.get("metadata")
            .and_then(|m| m.get(field))
            .and_then(YamlNode::as_str)
    };
    let name = text("name").unwrap_or("(without a name)");
    text("namespace").map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
}

fn problem(code: Code, path: impl Into<String>, message: impl Into<String>, span: Range<usize>) -> Lint {
    Lint {
        code,
        path: path.into(),
        message: message.into(),
        suggestion: None,
        span: Some(span),
    }
}
