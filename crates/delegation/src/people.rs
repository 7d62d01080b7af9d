//! People whom the API server knows: as whom a binding names somebody, what their session is called, and what a limit asks of whoever
//! comes. Kubernetes, "Configure the Aggregation Layer": user and groups are those that the API server authenticated.

use std::{collections::BTreeSet, fmt};

use crate::{
    cut_sessions::digest,
    model::{Account, Binding, Limit, PersonSubject, Subjects},
    names::{FromValidParts as _, NamespaceName, PersonName, SessionName, Uid},
    naming,
    share::SessionShare,
};

/// 128 bits in base32.
const MARK_BYTES: usize = 16;

/// The longest name of a user that is read, in bytes.
const USER_MAX: usize = 256;
/// The fewest characters of a session name and of a source identity (STS API Reference, AssumeRole).
const SESSION_NAME_MIN: usize = 2;
/// How many groups a refusal names.
const GROUPS_SHOWN: usize = 8;

/// The name of a user, as the API server says it: also one that no binding can name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(String);

/// Why a name is no user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a user's name has 1 to {USER_MAX} bytes and no control characters; this one has {0} bytes")]
pub struct UserNameError(usize);

impl UserName {
    /// `name`.
    ///
    /// # Errors
    /// When it is empty, longer than 256 bytes, or has control characters.
    pub fn new(name: &str) -> Result<Self, UserNameError> {
        if (1..=USER_MAX).contains(&name.len()) && !name.chars().any(char::is_control) {
            Ok(Self(name.to_owned()))
        } else {
            Err(UserNameError(name.len()))
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who asks, as the API server authenticated them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticatedPerson {
    /// Who.
    pub user: UserName,
    /// Their groups, but for those that no binding and no limit can name.
    pub groups: BTreeSet<PersonName>,
}

impl AuthenticatedPerson {
    /// As whom `subjects` name them: by their own name, else by the first of their groups; `None` when they do not.
    #[must_use]
    pub fn among<'s>(&self, subjects: &'s Subjects) -> Option<&'s PersonSubject> {
        let Subjects::People(list) = subjects else {
            return None;
        };
        let is_user = |subject: &&PersonSubject| matches!(subject, PersonSubject::User(name) if name.as_str() == self.user.as_str());
        let is_group = |subject: &&PersonSubject| matches!(subject, PersonSubject::Group(name) if self.groups.contains(name));
        list.iter().find(is_user).or_else(|| list.iter().find(is_group))
    }

    /// Whether they are in a group that says what a limit asks of people: that they came with a second factor.
    ///
    /// # Errors
    /// What the limit asks for.
    pub fn admitted(&self, limit: &Limit) -> Result<(), String> {
        let asked = &limit.subjects.people.mfa_groups;
        if asked.is_empty() || asked.iter().any(|group| self.groups.contains(group)) {
            return Ok(());
        }
        let shown: Vec<&str> = asked.iter().take(GROUPS_SHOWN).map(PersonName::as_str).collect();
        let more = match asked.len().saturating_sub(GROUPS_SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Err(format!(
            "limit {:?} gives sessions only to people in a group of a second factor (people.mfaGroups: {}{more}), and user {:?} is in none \
             of them; sign in to the cluster with a second factor, so that the identity provider says so",
            limit.name.as_str(),
            shown.join(", "),
            self.user.as_str(),
        ))
    }
}

/// What tells the sessions that a subject of a binding may have from all others: by the binding, how long they are, their tags and their
/// policies. It says nothing of who it is. A session has it as a tag, and goes on while the binding gives just that.
#[must_use]
pub fn mark(account: &Account, binding: &Binding, subject: &PersonSubject) -> String {
    let (kind, name) = match subject {
        PersonSubject::User(name) => ("User", name),
        PersonSubject::Group(name) => ("Group", name),
    };
    let spec = &binding.session;
    let duration = binding.duration_in(account).to_string();
    let arns: Vec<String> = spec.policy_arns.iter().map(ToString::to_string).collect();
    let share = SessionShare::of(spec);
    let mut fields = vec![
        kind,
        name.as_str(),
        binding.uid.as_ref().map(Uid::as_str).unwrap_or_default(),
        &duration,
        share.policy().unwrap_or_default(),
    ];
    fields.extend(arns.iter().map(String::as_str));
    // No ARN is empty: what comes after it are tags.
    fields.push("");
    fields.extend(
        spec.tags
            .iter()
            .flat_map(|(key, value)| [key.as_str(), value.as_str()]),
    );
    naming::hash_of(&fields, MARK_BYTES)
}

/// The marks of all people whom a binding names; none of one of others.
#[must_use]
pub fn marks(account: &Account, binding: &Binding) -> BTreeSet<String> {
    match &binding.subjects {
        Subjects::People(list) => list.iter().map(|one| mark(account, binding, one)).collect(),
        _ => BTreeSet::new(),
    }
}

/// What stands for all marks of a role where there are more than are written down: SHA-256 in hexadecimal, which no mark is.
#[must_use]
pub fn digest_of(marks: &BTreeSet<String>) -> String {
    digest(marks.iter().map(String::as_str))
}

/// What a session of a user is called in AWS: by their name where AWS takes it as it is, else by what AWS takes of it and a hash. It is
/// never one that another user has, or pods of the namespace.
#[must_use]
pub fn session_name(namespace: &NamespaceName, user: &UserName) -> SessionName {
    let name = user.as_str();
    let is_taken = |c: char| c.is_ascii_alphanumeric() || "_=,.@-".contains(c);
    let readable: String = name.chars().map(|c| if is_taken(c) { c } else { '-' }).collect();
    // As those end that have a hash.
    let may_be_hashed = name
        .rsplit_once('-')
        .is_some_and(|(_, end)| end.len() == naming::HASH_CHARS);
    let as_it_is = readable == name
        && !may_be_hashed
        && (SESSION_NAME_MIN..=naming::SESSION_NAME_MAX).contains(&name.len())
        && !name.starts_with(&format!("{namespace}."));
    let name = if as_it_is {
        readable
    } else {
        naming::with_hash(&readable, &["User", name])
    };
    SessionName::from_valid_parts(name)
}
