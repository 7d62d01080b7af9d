//! Which AWSRoleBinding is meant.

use std::fmt;

use deputy_delegation::{NamespaceName, ObjectName};

use crate::{credentials::kubeconfig::ChosenContext, exit::Failure};

/// `NAMESPACE/NAME`, or `NAME` in the namespace of the context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedBinding {
    namespace: Option<NamespaceName>,
    name: ObjectName,
}

/// An AWSRoleBinding by its namespace and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedBinding {
    pub namespace: NamespaceName,
    pub name: ObjectName,
}

impl std::str::FromStr for AskedBinding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (namespace, name) = match text.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, text),
        };
        let namespace = namespace.map(NamespaceName::new).transpose();
        Ok(Self {
            namespace: namespace.map_err(|error| error.to_string())?,
            name: ObjectName::new(name).map_err(|error| error.to_string())?,
        })
    }
}

impl AskedBinding {
    /// In the namespace that it says, else that of the context.
    ///
    /// # Errors
    /// When neither says one.
    pub fn of(&self, context: &ChosenContext) -> Result<NamedBinding, Failure> {
        let namespace = match (&self.namespace, &context.namespace) {
            (Some(namespace), _) => namespace.clone(),
            (None, Some(namespace)) => NamespaceName::new(namespace.as_str())?,
            (None, None) => {
                return Err(Failure::input(format!(
                    "in which namespace? say NAMESPACE/{}: context {:?} has none",
                    self.name, context.name
                )));
            }
        };
        Ok(NamedBinding {
            namespace,
            name: self.name.clone(),
        })
    }
}

impl NamedBinding {
    /// Where the API is asked for its credentials.
    pub fn path(&self) -> String {
        format!(
            "/apis/credentials.deputy.dev/v1alpha1/namespaces/{}/awsrolebindings/{}/credentials",
            self.namespace, self.name
        )
    }
}

impl fmt::Display for NamedBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
