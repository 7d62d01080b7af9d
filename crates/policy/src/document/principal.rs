//! What may stand in a Principal element.

use super::code::Code;
use crate::{
    principal::{account::is_account_id, caller::Caller, listed::Listed},
    text::quote,
};

/// What a `NotPrincipal` list that names this lacks: the account, or the role of a session.
pub(crate) fn missing_parent(text: &str, listed: &[String]) -> Option<String> {
    let callers = || listed.iter().filter_map(|other| Caller::parse(other).ok());
    let caller = Caller::parse(text).ok()?;
    let account = caller.account()?;
    // An account id means the account in its partition, whichever that is.
    let of_account = |other: &Caller| {
        matches!(other, Caller::Root(root) if root == account) || listed.contains(&account.id)
    };
    if !callers().any(|other| of_account(&other)) {
        return Some(format!("arn:{}:iam::{}:root", account.partition, account.id));
    }
    match &caller {
        Caller::RoleSession {
            account,
            role,
            session: Some(_),
            ..
        } => {
            let is_role = |other: Caller| matches!(other, Caller::RoleSession { account: of, role: name, session: None, .. } if of == *account && name.eq_ignore_ascii_case(role));
            (!callers().any(is_role))
                .then(|| format!("arn:{}:iam::{}:role/{role}", account.partition, account.id))
        }
        _ => None,
    }
}

/// Whether the text can be the name of an identity provider: the ARN of a SAML or OIDC provider, or a host name.
pub(crate) fn is_provider(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("arn:") else {
        let host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '/' | '_' | ':');
        return text.contains('.') && text.chars().all(host);
    };
    let Some((account, name)) = rest
        .split_once(":iam::")
        .and_then(|(_, rest)| rest.split_once(':'))
    else {
        return false;
    };
    let named = |prefix| name.strip_prefix(prefix).is_some_and(|name| !name.is_empty());
    is_account_id(account) && (named("saml-provider/") || named("oidc-provider/"))
}

/// Whether the text is a principal of the type (`AWS`, `Service`, `Federated`, `CanonicalUser`); the error is a name and a
/// sentence.
pub(super) fn check_principal(kind: &str, text: &str) -> Result<(), (Code, String)> {
    let wrong = |what: &str| Err((Code::InvalidPrincipal, format!("{}: {what}", quote(text))));
    if kind == "Federated" && text == "*" {
        return Ok(());
    }
    if text.contains(['*', '?']) {
        let message = format!(
            "{}: principals have no wildcards, and \"*\" stands alone",
            quote(text)
        );
        return Err((Code::WildcardInPrincipal, message));
    }
    match kind {
        "AWS" => check_aws_principal(text).or_else(wrong),
        "Service" if !text.contains('.') || text.contains([':', ' ', '/']) => {
            wrong("a service principal looks like ec2.amazonaws.com")
        }
        // AWS compares the text with the provider's name and looks no closer; nor is it looked at here.
        "Federated" if text.is_empty() => {
            wrong("a federated principal is the ARN of a provider, or its host name")
        }
        // Whether AWS takes capitals for the same id is not known, so there are none.
        "CanonicalUser"
            if text.is_empty() || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) =>
        {
            wrong("a canonical user id is hexadecimal, in small letters")
        }
        _ => Ok(()),
    }
}

/// An account, a user, a role, a session, a unique id, or an origin access identity.
fn check_aws_principal(text: &str) -> Result<(), &'static str> {
    const SHAPES: &str = "an AWS principal is a 12-digit account id, the ARN of an account root, user, role or session, or a unique id";
    match Listed::aws(text) {
        // The only one with spaces.
        Some(Listed::OriginAccessIdentity(id)) if !id.contains([' ', '$']) => Ok(()),
        Some(_) if !text.contains([' ', '$']) => Ok(()),
        _ => Err(SHAPES),
    }
}
