//! Bindings of both kinds by which pods get sessions, and how a pod names one.

use std::{fmt, str::FromStr};

use crate::names::{NameError, NamespaceName, ObjectId, ObjectName};

/// The kinds of bindings by which pods get sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BindingKind {
    /// `AWSRoleBinding`. First in order: of two bindings that are equally old and have one name, it counts.
    Role,
    /// `AWSFederatedUserBinding`.
    FederatedUser,
}

impl BindingKind {
    /// The kind as Kubernetes calls it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Role => "AWSRoleBinding",
            Self::FederatedUser => "AWSFederatedUserBinding",
        }
    }
}

/// One binding, of either kind. Displayed as `AWSRoleBinding payments/uploader`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BindingRef {
    /// Its kind.
    pub kind: BindingKind,
    /// Namespace and name.
    pub id: ObjectId,
}

impl BindingRef {
    /// An AWSRoleBinding.
    #[must_use]
    pub fn role(id: ObjectId) -> Self {
        let kind = BindingKind::Role;
        Self { kind, id }
    }

    /// An AWSFederatedUserBinding.
    #[must_use]
    pub fn federated_user(id: ObjectId) -> Self {
        let kind = BindingKind::FederatedUser;
        Self { kind, id }
    }

    /// How a pod of its namespace names it.
    #[must_use]
    pub fn selector(&self) -> BindingSelector {
        BindingSelector {
            kind: self.kind,
            name: self.id.name.clone(),
        }
    }
}

impl fmt::Display for BindingRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.id)
    }
}

/// What stands before the name of an AWSFederatedUserBinding, as kubectl writes `TYPE/NAME`. No object has a name with a slash.
const FEDERATED_USER: &str = "awsfederateduserbinding/";

/// The binding of its namespace that a pod names, in the annotation `deputy.dev/binding` and in the path of a request: `NAME` of an AWSRoleBinding,
/// or `awsfederateduserbinding/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BindingSelector {
    /// Its kind.
    pub kind: BindingKind,
    /// Its name.
    pub name: ObjectName,
}

impl BindingSelector {
    /// The binding that it is in this namespace.
    #[must_use]
    pub fn of(&self, namespace: &NamespaceName) -> BindingRef {
        BindingRef {
            kind: self.kind,
            id: ObjectId {
                namespace: namespace.clone(),
                name: self.name.clone(),
            },
        }
    }
}

impl FromStr for BindingSelector {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (kind, name) = match text.strip_prefix(FEDERATED_USER) {
            Some(name) => (BindingKind::FederatedUser, name),
            None => (BindingKind::Role, text),
        };
        let name = ObjectName::new(name)?;
        Ok(Self { kind, name })
    }
}

impl fmt::Display for BindingSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match self.kind {
            BindingKind::Role => "",
            BindingKind::FederatedUser => FEDERATED_USER,
        };
        write!(f, "{prefix}{}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_of_either_kind_is_named_in_one_way() {
        for (text, kind, name) in [
            ("uploader", BindingKind::Role, "uploader"),
            (
                "awsfederateduserbinding",
                BindingKind::Role,
                "awsfederateduserbinding",
            ),
            (
                "awsfederateduserbinding/manager",
                BindingKind::FederatedUser,
                "manager",
            ),
        ] {
            let selected: BindingSelector = text.parse().unwrap();
            assert_eq!((selected.kind, selected.name.as_str()), (kind, name));
            assert_eq!(selected.to_string(), text);
        }
        for bad in [
            "",
            "awsrolebinding/uploader",
            "awsfederateduserbinding/",
            "AWSFederatedUserBinding/manager",
            "awsfederateduserbinding/awsfederateduserbinding/manager",
            "awsfederateduserbinding/../manager",
        ] {
            assert!(bad.parse::<BindingSelector>().is_err(), "{bad}");
        }
    }
}
