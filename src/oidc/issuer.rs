//! The URL of an issuer, as IAM and STS take it.

use std::{fmt, str::FromStr};

use deputy_delegation::{AccountId, NameError, OidcProviderArn, Partition};

const SCHEME: &str = "https://";
/// The most characters of the URL
/// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateOpenIDConnectProvider.html>).
const MAX: usize = 255;
/// What names end with that resolve nowhere but in a cluster or a private network: AWS reads the documents over the internet.
const PRIVATE: [&str; 4] = [".svc", ".local", ".internal", ".localhost"];

/// `https://<host>[/<path>]`, without port, query and trailing slash: it equals the `iss` of the tokens letter by letter
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html>).
#[derive(Debug, Clone)]
pub struct IssuerUrl(String);

/// A URL that is none of an issuer.
#[derive(Debug, thiserror::Error)]
pub enum IssuerUrlError {
    /// Plain text, or no URL.
    #[error("it begins with https://, because AWS reads the keys from there")]
    Scheme,
    /// Too long.
    #[error("{0} characters; IAM takes at most {MAX}")]
    Length(usize),
    /// A port, or credentials.
    #[error("it has no port and no credentials: IAM takes neither")]
    Port,
    /// A host that is not public.
    #[error(
        "AWS reads the keys over the internet, and {0:?} is no public name; name one, such as that of a bucket or a CDN, and give it to \
         the API server as --service-account-issuer"
    )]
    Private(String),
    /// `https://host/`.
    #[error("it has no slash at the end: it equals the iss of the tokens")]
    Slash,
    /// Something between that does not belong there.
    #[error("its path is segments of letters, digits and -._~, without query and fragment")]
    Path,
    /// No name of a provider.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl FromStr for IssuerUrl {
    type Err = IssuerUrlError;

    fn from_str(url: &str) -> Result<Self, IssuerUrlError> {
        let rest = url.strip_prefix(SCHEME).ok_or(IssuerUrlError::Scheme)?;
        if url.chars().count() > MAX {
            return Err(IssuerUrlError::Length(url.chars().count()));
        }
        let (host, path) = match rest.split_once('/') {
            Some((host, path)) => (host, Some(path)),
            None => (rest, None),
        };
        if host.contains([':', '@']) {
            return Err(IssuerUrlError::Port);
        }
        if !host.contains('.') || PRIVATE.iter().any(|end| host.ends_with(end)) {
            return Err(IssuerUrlError::Private(host.chars().take(80).collect()));
        }
        let character = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        let segment = |s: &str| !s.is_empty() && s.bytes().all(character);
        match path {
            Some(path) if path.ends_with('/') || path.is_empty() => return Err(IssuerUrlError::Slash),
            Some(path) if !path.split('/').all(segment) => return Err(IssuerUrlError::Path),
            _ => {}
        }
        let issuer = Self(url.to_owned());
        // The host: whatever the account, the same rule.
        issuer.provider(&Partition::new("aws")?, &AccountId::new("000000000000")?)?;
        Ok(issuer)
    }
}

impl IssuerUrl {
    /// The ARN of its provider in an account.
    pub fn provider(&self, partition: &Partition, account: &AccountId) -> Result<OidcProviderArn, NameError> {
        let name = self.0.strip_prefix(SCHEME).unwrap_or_default();
        OidcProviderArn::parse(&format!("arn:{partition}:iam::{account}:oidc-provider/{name}"))
    }
}

impl fmt::Display for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_what_iam_takes_as_the_url_of_a_provider() {
        let longest = format!("https://oidc.example.com/{}", "a".repeat(230));
        for good in [
            "https://oidc.example.com",
            "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE",
            "https://bucket.s3.eu-west-1.amazonaws.com/cluster_1/~a.b",
            &longest,
        ] {
            let issuer = IssuerUrl::from_str(good).unwrap_or_else(|e| panic!("{good}: {e}"));
            assert_eq!(issuer.to_string(), good);
        }
        for (bad, rule) in [
            ("http://oidc.example.com", "https://"),
            ("HTTPS://oidc.example.com", "https://"),
            ("oidc.example.com", "https://"),
            ("https://oidc.example.com:8443", "no port"),
            (
                "https://user:secret@oidc.example.com",
                "no port and no credentials",
            ),
            ("https://user@oidc.example.com", "no port and no credentials"),
            ("https://", "no public name"),
            ("https://localhost", "no public name"),
            ("https://kubernetes.default.svc", "no public name"),
            ("https://a..b", "provider ARN"),
            ("https://OIDC.example.com", "provider ARN"),
            ("https://oidc.example.com/", "no slash at the end"),
            ("https://oidc.example.com/a/", "no slash at the end"),
            ("https://oidc.example.com/a//b", "its path"),
            ("https://oidc.example.com/?a=b", "its path"),
            ("https://oidc.example.com/${aws:username}", "its path"),
            (&format!("{longest}a"), "256 characters; IAM takes at most 255"),
        ] {
            let error = IssuerUrl::from_str(bad).unwrap_err().to_string();
            assert!(error.contains(rule), "{bad}: {error}");
        }
    }
}
