//! Who asks, and whom a Principal element means.
//!
//! IAM User Guide: "AWS JSON policy elements: Principal" (reference_policies_elements_principal), "NotPrincipal"
//! (reference_policies_elements_notprincipal), "IAM identifiers" (reference_identifiers: unique ids), "Permissions
//! boundaries" (access_policies_boundaries). S3 User Guide: "Principals" (canonical user ids, origin access identities).

use std::fmt;

use serde_json::Value;

use super::{
    readings::{Readings, Sparing},
    text::texts,
};

/// A principal as it is in AWS, with every name that a policy may know it by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownCaller {
    /// `*` for somebody anonymous; the ARN of an account root, user, role session, federated session or origin access
    /// identity; the name of a service; the name or ARN of an identity provider.
    pub name: String,
    /// Of a role session: the ARN of the role, with the path that the session's ARN does not show.
    pub role: Option<String>,
    /// Of a federated session: the ARN of the user who made it.
    pub user: Option<String>,
    /// The unique id of the user (also of the one who made the federated session) or of the role.
    pub id: Option<String>,
    /// The canonical user id of the account, or of the origin access identity.
    pub canonical: Option<String>,
    /// Whether a permissions boundary is attached to the user or role.
    pub bounded: bool,
    /// An identity provider, whose name may look like that of a service.
    pub provider: bool,
}

impl KnownCaller {
    /// Reads `NAME [role=ARN] [user=ARN] [id=ID] [canonical=ID] [bounded]`; a provider's name begins with `provider=`.
    pub fn parse(text: &str) -> Self {
        let mut who = Self::default();
        let mut name: Vec<&str> = Vec::new();
        // The name of an origin access identity has spaces.
        for word in text.split(' ') {
            match word.split_once('=') {
                Some(("role", arn)) => who.role = Some(arn.to_owned()),
                Some(("user", arn)) => who.user = Some(arn.to_owned()),
                Some(("id", id)) => who.id = Some(id.to_owned()),
                Some(("canonical", id)) => who.canonical = Some(id.to_owned()),
                Some(("provider", provider)) => {
                    who.provider = true;
                    name.push(provider);
                }
                _ if word == "bounded" => who.bounded = true,
                _ => name.push(word),
            }
        }
        who.name = name.join(" ");
        who
    }

    /// Partition, service, account and the rest of the name, when it is an ARN.
    pub fn arn(&self) -> Option<NaiveArn<'_>> {
        (!self.provider).then(|| NaiveArn::parse(&self.name)).flatten()
    }

    /// Partition and account that it belongs to: users, sessions and root users.
    pub fn account(&self) -> Option<(&str, &str)> {
        let arn = self.arn()?;
        is_account(arn.account).then_some((arn.partition, arn.account))
    }

    /// The value of `aws:userid` ("Principal key values"), as far as it has a unique id in it: that of a user, or of a role
    /// and the name of the session.
    pub fn user_id(&self) -> Option<String> {
        let id = self.id.as_ref()?;
        if self.user.is_some() {
            return None;
        }
        match self.arn()?.rest.strip_prefix("assumed-role/") {
            Some(session) => Some(format!("{id}:{}", session.split_once('/')?.1)),
            None => Some(id.clone()),
        }
    }

    pub fn is_root(&self) -> bool {
        self.arn().is_some_and(|arn| arn.rest == "root")
    }

    pub fn is_identity_of_cloudfront(&self) -> bool {
        self.arn().is_some_and(|arn| arn.account == "cloudfront")
    }

    /// Boundaries are attached to users and roles, and bind their sessions.
    pub fn can_be_bounded(&self) -> bool {
        self.account().is_some() && !self.is_root()
    }
}

impl fmt::Display for KnownCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.provider { "provider=" } else { "" }, self.name)?;
        for (label, value) in [
            ("role", &self.role),
            ("user", &self.user),
            ("id", &self.id),
            ("canonical", &self.canonical),
        ] {
            if let Some(value) = value {
                write!(f, " {label}={value}")?;
            }
        }
        f.write_str(if self.bounded { " bounded" } else { "" })
    }
}

/// `arn:partition:service::account:rest`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NaiveArn<'a> {
    pub partition: &'a str,
    pub service: &'a str,
    pub account: &'a str,
    pub rest: &'a str,
}

impl<'a> NaiveArn<'a> {
    pub fn parse(text: &'a str) -> Option<Self> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        (parts.len() == 6 && parts[0] == "arn").then(|| Self {
            partition: parts[1],
            service: parts[2],
            account: parts[4],
            rest: parts[5],
        })
    }
}

pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.chars().all(|c| c.is_ascii_digit())
}

/// How a Principal element means the caller; the order is that of strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NamedAs {
    /// The account is named.
    Account,
    /// The role of the session, or the user of the federated session, is named.
    Behind,
    /// The caller itself is named, or everybody.
    Itself,
}

/// Types and texts of a Principal or NotPrincipal element.
pub fn listed(element: &Value) -> Vec<(String, String)> {
    let Some(types) = element.as_object() else {
        return Vec::new();
    };
    types
        .iter()
        .flat_map(|(kind, value)| texts(value).into_iter().map(|text| (kind.clone(), text)))
        .collect()
}

/// "All principals": `"*"` and `{"AWS": "*"}` are the same.
fn is_anyone(element: &Value) -> bool {
    *element == "*" || listed(element).contains(&("AWS".to_owned(), "*".to_owned()))
}

pub fn naming(element: &Value, who: &KnownCaller, readings: &Readings) -> Option<NamedAs> {
    if is_anyone(element) {
        return Some(NamedAs::Itself);
    }
    listed(element)
        .iter()
        .filter_map(|(kind, text)| naming_by(kind, text, who, readings))
        .max()
}

/// How one listed principal means the caller.
pub fn naming_by(kind: &str, text: &str, who: &KnownCaller, readings: &Readings) -> Option<NamedAs> {
    let when = |is: bool, naming| is.then_some(naming);
    match kind {
        // "AWS service principals": the name, whole.
        "Service" => when(
            who.arn().is_none() && !who.provider && text == who.name,
            NamedAs::Itself,
        ),
        // "Web identity" and "SAML session principals": the name or ARN of the provider; `*` is any provider.
        "Federated" => when(who.provider && (text == who.name || text == "*"), NamedAs::Itself),
        // S3: a canonical user id is an obfuscated form of the account id, and both identify the same account; that of an
        // origin access identity is the identity's.
        "CanonicalUser" if who.is_identity_of_cloudfront() => {
            when(who.canonical.as_deref() == Some(text), NamedAs::Itself)
        }
        "CanonicalUser" => when(
            who.account().is_some() && who.canonical.as_deref() == Some(text),
            NamedAs::Account,
        ),
        "AWS" => naming_of_aws(text, who, readings),
        other => panic!("{other}"),
    }
}

fn naming_of_aws(text: &str, who: &KnownCaller, readings: &Readings) -> Option<NamedAs> {
    if who.is_identity_of_cloudfront() {
        return (text == who.name).then_some(NamedAs::Itself);
    }
    let (partition, account) = who.account()?;
    // "The account ARN and the shortened account ID behave the same way." The documents are in the caller's partition.
    if is_account(text) {
        return (text == account).then_some(NamedAs::Account);
    }
    let Some(named) = NaiveArn::parse(text) else {
        // "Unique identifiers": what an ARN of a user or role becomes when the policy is saved. The session of a role has
        // the role's id, a federated session that of the user.
        let session = who.role.is_some() || who.user.is_some();
        let naming = if session { NamedAs::Behind } else { NamedAs::Itself };
        return (who.id.as_deref() == Some(text)).then_some(naming);
    };
    if (named.partition, named.account) != (partition, account) {
        return None;
    }
    if named.service == "iam" && named.rest == "root" {
        return Some(NamedAs::Account);
    }
    // "IAM role principals": the role's ARN means its sessions. Paths tell roles apart; names that differ in case only do
    // not (IAM and AWS STS quotas). "IAM user principals": a user's ARN means the user, and (Policy evaluation logic) the
    // federated sessions of it.
    let role = |role: &String| {
        let stem = |text: &str| text.len() - text.rsplit('/').next().unwrap().len();
        let (own, other) = (role.split_at(stem(role)), text.split_at(stem(text)));
        own.0 == other.0 && own.1.eq_ignore_ascii_case(other.1)
    };
    if who.role.as_ref().is_some_and(role) || who.user.as_deref() == Some(text) {
        return Some(NamedAs::Behind);
    }
    let session = |text: &str| match text.rsplit_once('/') {
        Some((role, name)) if who.role.is_some() && readings.session_case => {
            format!("{}/{name}", role.to_lowercase())
        }
        _ => text.to_owned(),
    };
    (session(text) == session(&who.name)).then_some(NamedAs::Itself)
}

/// Whether a Deny with this `NotPrincipal` does not apply to the caller.
pub fn spares(element: &Value, who: &KnownCaller, readings: &Readings) -> bool {
    // Boundaries: a Deny with NotPrincipal always denies IAM principals that have one, whatever is listed.
    if who.bounded && who.can_be_bounded() {
        return false;
    }
    if is_anyone(element) {
        return true;
    }
    let namings: Vec<(NamedAs, String)> = listed(element)
        .into_iter()
        .filter_map(|(kind, text)| naming_by(&kind, &text, who, readings).map(|naming| (naming, text)))
        .collect();
    let lists = |wanted| namings.iter().any(|(naming, _)| *naming == wanted);
    let (account, behind, itself) = (
        lists(NamedAs::Account),
        lists(NamedAs::Behind),
        lists(NamedAs::Itself),
    );
    if who.account().is_none() {
        // Services, providers, origin access identities and anonymous callers have nothing above them.
        return itself;
    }
    if who.is_root() {
        return account;
    }
    let Sparing {
        account_first,
        role_first,
        parent_stands,
    } = readings.sparing;
    // The example with Bob: who is listed with his account is spared, and nobody else of that account.
    if account_first && !account {
        return false;
    }
    if itself {
        return who.role.is_none() || behind || !role_first;
    }
    // The example with the role: its session is listed besides, and other sessions are denied. Whether a role of which no
    // session is listed stands for its sessions the guide does not say; nor what it is with users and federated sessions.
    behind && parent_stands && !listed(element).iter().any(|(_, text)| is_sibling(text, who))
}

/// Whether the text is the ARN of a session of the same role, or (since nobody knows who made it) of any federated session
/// of the same account.
fn is_sibling(text: &str, who: &KnownCaller) -> bool {
    let (Some(named), Some(own)) = (NaiveArn::parse(text), who.arn()) else {
        return false;
    };
    if named.service != "sts" || (named.partition, named.account) != (own.partition, own.account) {
        return false;
    }
    let role = |arn: NaiveArn<'_>| {
        let session = arn.rest.strip_prefix("assumed-role/")?;
        let role = session.split('/').next()?;
        Some(role.to_lowercase())
    };
    role(named) == role(own)
}
