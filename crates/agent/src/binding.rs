//! Names of bindings, as they appear in request paths and in `DEPUTY_BINDINGS`.

use std::fmt;

/// Longest name of a Kubernetes object (DNS-1123 subdomain), in bytes.
const MAX_NAME: usize = 253;
/// What stands before the name of an AWSFederatedUserBinding.
const FEDERATED_USER: &str = "awsfederateduserbinding/";
/// Most bindings of one pod: named in `DEPUTY_BINDINGS`, or kept at a time.
pub const MAX_BINDINGS: usize = 64;

/// Which binding a credential is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SelectedBinding {
    /// The ServiceAccount's default binding: the oldest one.
    Default,
    /// The binding of that name in the pod's namespace: `NAME` of an AWSRoleBinding, or `awsfederateduserbinding/NAME`.
    Named(Box<str>),
}

/// The text is not a name that a Kubernetes object can have.
#[derive(Debug, thiserror::Error)]
#[error(
    "not a name of a binding: use at most {MAX_NAME} lower-case letters, digits, '-' and '.', letter or digit at both ends, and {FEDERATED_USER} before that of an AWSFederatedUserBinding"
)]
pub struct InvalidName;

impl SelectedBinding {
    /// Reads the name of a binding; the empty text is the default one.
    ///
    /// # Errors
    /// [`InvalidName`] for what is no DNS-1123 subdomain. The name becomes part of a URL, so nothing that
    /// could mean something there gets through.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        if text.is_empty() {
            return Ok(Self::Default);
        }
        let valid_label = |label: &str| {
            let alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
            let bytes = label.as_bytes();
            bytes.first().is_some_and(alphanumeric)
                && bytes.last().is_some_and(alphanumeric)
                && bytes.iter().all(|b| alphanumeric(b) || *b == b'-')
        };
        let name = text.strip_prefix(FEDERATED_USER).unwrap_or(text);
        if name.len() <= MAX_NAME && name.split('.').all(valid_label) {
            Ok(Self::Named(text.into()))
        } else {
            Err(InvalidName)
        }
    }

    /// The path of this binding's credential, the same at the agent and at the broker.
    pub fn path(&self) -> String {
        match self {
            Self::Default => "/v1/credentials".to_owned(),
            Self::Named(name) => format!("/v1/credentials/{name}"),
        }
    }

    /// The binding that a request path asks for; `None` when it is not a path of a credential.
    pub fn from_path(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("/v1/credentials")?;
        if rest.is_empty() {
            return Some(Self::Default);
        }
        match Self::parse(rest.strip_prefix('/')?) {
            Ok(named @ Self::Named(_)) => Some(named),
            Ok(Self::Default) | Err(InvalidName) => None,
        }
    }
}

impl fmt::Display for SelectedBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Named(name) => write!(f, "{name:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_kubernetes_allows_are_bindings() {
        let longest = format!("awsfederateduserbinding/{}", "a".repeat(253));
        for good in [
            "uploader",
            "a",
            "a-b.c9",
            &"a".repeat(253),
            "awsfederateduserbinding/manager",
            &longest,
        ] {
            assert_eq!(
                SelectedBinding::parse(good).unwrap(),
                SelectedBinding::Named(good.into())
            );
        }
        for bad in [
            "Uploader",
            "-a",
            "a-",
            "a..b",
            ".a",
            "a/b",
            "awsrolebinding/b",
            "awsfederateduserbinding/",
            "awsfederateduserbinding/a/b",
            "a b",
            "ä",
            "%61",
            "a?x",
            &"a".repeat(254),
        ] {
            assert!(SelectedBinding::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(SelectedBinding::parse("").unwrap(), SelectedBinding::Default);
    }

    #[test]
    fn a_path_is_matched_exactly() {
        assert_eq!(
            SelectedBinding::from_path("/v1/credentials"),
            Some(SelectedBinding::Default)
        );
        assert_eq!(
            SelectedBinding::from_path("/v1/credentials/x"),
            Some(SelectedBinding::Named("x".into()))
        );
        for bad in [
            "/v1/credentials/",
            "/v1/credentialsx",
            "/v1/credentials//x",
            "/v1/credentials/x/",
            "/",
            "",
        ] {
            assert_eq!(SelectedBinding::from_path(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_path_of_a_binding_leads_back_to_it() {
        let user = SelectedBinding::Named("awsfederateduserbinding/x.y".into());
        for binding in [
            SelectedBinding::Default,
            SelectedBinding::Named("x.y".into()),
            user,
        ] {
            assert_eq!(SelectedBinding::from_path(&binding.path()), Some(binding));
        }
    }
}
