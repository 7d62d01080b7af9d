//! Whom a binding names.

use std::str::FromStr;

use deputy_delegation::{
    NamespaceName, ServiceAccountName,
    model::{Binding, FederatedBinding, PersonSubject, Subjects},
};

/// Whom a question is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskedSubject {
    ServiceAccount(Option<NamespaceName>, ServiceAccountName),
    User(String),
    Group(String),
    /// A user, role, account or identity provider of AWS.
    Arn(String),
}

impl FromStr for AskedSubject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(name) = text.strip_prefix("user:") {
            return Ok(Self::User(name.to_owned()));
        }
        if let Some(name) = text.strip_prefix("group:") {
            return Ok(Self::Group(name.to_owned()));
        }
        if text.starts_with("arn:") {
            return Ok(Self::Arn(text.to_owned()));
        }
        // As the API server names them.
        let text = match text.strip_prefix("system:serviceaccount:") {
            Some(rest) => rest.replacen(':', "/", 1),
            None => text.to_owned(),
        };
        let (namespace, name) = match text.split_once('/') {
            Some((namespace, name)) => {
                let namespace = NamespaceName::new(namespace).map_err(|error| error.to_string())?;
                (Some(namespace), name)
            }
            None => (None, text.as_str()),
        };
        let name = ServiceAccountName::new(name).map_err(|error| error.to_string())?;
        Ok(Self::ServiceAccount(namespace, name))
    }
}

impl AskedSubject {
    /// Whether `binding` gives it sessions of a federated user.
    pub fn is_of_federated(&self, binding: &FederatedBinding, namespace: Option<&str>) -> bool {
        match self {
            Self::ServiceAccount(own, name) => {
                let of = own.as_ref().map(NamespaceName::as_str).or(namespace);
                of.is_none_or(|of| of == binding.id.namespace.as_str())
                    && binding.service_accounts.contains(name)
            }
            Self::User(_) | Self::Group(_) | Self::Arn(_) => false,
        }
    }

    /// Whether `binding` gives it sessions. A ServiceAccount without namespace is one of `namespace`.
    pub fn is_of(&self, binding: &Binding, namespace: Option<&str>) -> bool {
        match (self, &binding.subjects) {
            (Self::ServiceAccount(own, name), Subjects::ServiceAccounts(names)) => {
                let of = own.as_ref().map(NamespaceName::as_str).or(namespace);
                of.is_none_or(|of| of == binding.id.namespace.as_str()) && names.contains(name)
            }
            (Self::User(name), Subjects::People(people)) => people
                .iter()
                .any(|person| matches!(person, PersonSubject::User(user) if user.as_str() == name)),
            (Self::Group(name), Subjects::People(people)) => people
                .iter()
                .any(|person| matches!(person, PersonSubject::Group(group) if group.as_str() == name)),
            (Self::Arn(arn), subjects) => subject_lines(binding, subjects)
                .iter()
                .any(|line| line.contains(arn.as_str())),
            _ => false,
        }
    }
}

/// Each subject of a binding in words: `ServiceAccount payments/uploader`.
pub fn subject_lines(binding: &Binding, subjects: &Subjects) -> Vec<String> {
    match subjects {
        Subjects::ServiceAccounts(names) => names
            .iter()
            .map(|name| format!("ServiceAccount {}/{name}", binding.id.namespace))
            .collect(),
        Subjects::AwsPrincipals(list) => list
            .iter()
            .map(|one| format!("AWS principal {}", one.arn()))
            .collect(),
        Subjects::SamlPrincipals(list) => list
            .iter()
            .map(|one| format!("users of the SAML provider {}", one.provider))
            .collect(),
        Subjects::OidcPrincipals(list) => list
            .iter()
            .map(|one| format!("tokens of the provider {}", one.provider()))
            .collect(),
        Subjects::People(list) => list
            .iter()
            .map(|person| match person {
                PersonSubject::User(name) => format!("user {}", name.as_str()),
                PersonSubject::Group(name) => format!("group {}", name.as_str()),
            })
            .collect(),
    }
}
