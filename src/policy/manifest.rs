//! Where Deputy's objects have policies, and what is wrong with them before these are looked at.

use std::{collections::BTreeSet, ops::Range};

use deputy_api::{GROUP, VERSION, crds::crd};
use deputy_policy::{Code, Lint, PolicyKind};

use crate::{
    shape::{Sort, misfits},
    yaml::Node,
};

/// The kinds that have policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `AWSRole`: each `spec.policies[].document`.
    Role,
    /// `AWSRoleBinding`: `spec.session.policy`.
    Binding,
    /// `DelegationLimit`: `spec.ceiling`.
    Limit,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Role, Self::Binding, Self::Limit];

    pub fn name(self) -> &'static str {
        match self {
            Self::Role => "AWSRole",
            Self::Binding => "AWSRoleBinding",
            Self::Limit => "DelegationLimit",
        }
    }

    fn plural(self) -> &'static str {
        match self {
            Self::Role => "awsroles",
            Self::Binding => "awsrolebindings",
            Self::Limit => "delegationlimits",
        }
    }

    /// What its policies are used as.
    pub fn policies(self) -> PolicyKind {
        match self {
            Self::Role => PolicyKind::Identity,
            Self::Binding => PolicyKind::Session,
            Self::Limit => PolicyKind::Boundary,
        }
    }
}

/// An object of one of these kinds.
pub struct Object<'a> {
    pub kind: Kind,
    /// `NAMESPACE/NAME`, or the name alone.
    pub name: String,
    /// Its policies and their paths.
    pub policies: Vec<(String, &'a Node)>,
    /// `spec.acknowledgeEscalation`, lower case.
    pub acknowledged: BTreeSet<String>,
}

/// What a document of a file is.
pub enum Document<'a> {
    /// Neither `apiVersion` nor `kind`.
    Policy(&'a Node),
    Object(Object<'a>),
}

/// The documents of a file, those of a `List` one by one. Other kinds of objects are left out.
pub fn documents<'a>(nodes: &'a [Node], problems: &mut Vec<Lint>) -> Vec<Document<'a>> {
    let mut found = Vec::new();
    for node in nodes {
        let (version, kind) = (node.get("apiVersion"), node.get("kind"));
        if version.is_none() && kind.is_none() {
            found.push(Document::Policy(node));
            continue;
        }
        let text = |of: Option<&'a Node>| of.and_then(Node::as_str);
        let (Some(version), Some(kind)) = (text(version), text(kind)) else {
            let message = "a manifest has an apiVersion and a kind, both text; a policy has neither";
            problems.push(problem(Code::WrongType, "", message, node.span.clone()));
            continue;
        };
        if (version, kind) == ("v1", "List") {
            found.extend(documents(node.get("items").map_or(&[], Node::items), problems));
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
        match Kind::ALL.into_iter().find(|known| known.name() == kind) {
            Some(kind) => found.push(Document::Object(object(kind, node, problems))),
            None if kind == "AWSAccount" => {}
            None => {
                let message = format!(
                    "{version} has no kind {kind:?}; those with policies are AWSRole, AWSRoleBinding and DelegationLimit"
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
fn repeated(node: &Node, kind: &str, problems: &mut Vec<Lint>) {
    let of_policy = |path: &str| match Kind::ALL.into_iter().find(|known| known.name() == kind) {
        Some(Kind::Role) => path.starts_with("spec.policies[") && path.contains("].document."),
        Some(Kind::Binding) => path.starts_with("spec.session.policy."),
        Some(Kind::Limit) => path.starts_with("spec.ceiling."),
        None => false,
    };
    for (path, span) in node.repeated_keys() {
        if !of_policy(&path) {
            let message = "the key is there more than once";
            problems.push(problem(Code::DuplicateKey, path, message, span));
        }
    }
}

fn object<'a>(kind: Kind, node: &'a Node, problems: &mut Vec<Lint>) -> Object<'a> {
    let field = |path: &str| path.split('.').try_fold(node, |node, field| node.get(field));
    let before = problems.len();
    if let Some(definition) = crd(kind.plural()) {
        for misfit in misfits(&definition, &node.to_value()) {
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
        Kind::Limit => {
            policies.extend(field("spec.ceiling").map(|policy| ("spec.ceiling".to_owned(), policy)))
        }
        Kind::Binding => {
            let policy = field("spec.session.policy");
            policies.extend(policy.map(|policy| ("spec.session.policy".to_owned(), policy)));
        }
        Kind::Role => {
            let listed = field("spec.policies").map_or(&[][..], Node::items);
            for (i, policy) in listed.iter().enumerate() {
                let path = format!("spec.policies[{i}].document");
                policies.extend(policy.get("document").map(|document| (path, document)));
            }
        }
    }
    let needed = match kind {
        Kind::Role => Some("spec.policies"),
        Kind::Limit => Some("spec.ceiling"),
        // A session without policy gets all of the role.
        Kind::Binding => None,
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
    let acknowledged = field("spec.acknowledgeEscalation").map_or(&[][..], Node::items);
    Object {
        kind,
        name: name(node),
        policies,
        acknowledged: acknowledged
            .iter()
            .filter_map(Node::as_str)
            .map(str::to_lowercase)
            .collect(),
    }
}

fn name(node: &Node) -> String {
    let text = |field| {
        node.get("metadata")
            .and_then(|m| m.get(field))
            .and_then(Node::as_str)
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
