//! What STS refuses whatever the policies say (STS API reference, the parameters of each call).

use std::fmt;

use super::{question::SessionQuestion, way::SessionWay};
use crate::{principal::caller::Caller, text::quote};

/// What STS refuses whatever the policies say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionRefusal {
    /// The duration is out of bounds.
    Duration {
        /// What is asked for, in seconds.
        asked: u32,
        /// The least.
        least: u32,
        /// The most.
        most: u32,
    },
    /// A session that a role session makes lasts an hour at most.
    ChainedDuration {
        /// What is asked for, in seconds.
        asked: u32,
    },
    /// The session's name has characters or a length that STS does not take.
    Name {
        /// The name.
        name: String,
        /// The most characters.
        most: usize,
    },
    /// The call does not take something that is passed.
    NotTaken {
        /// The call.
        way: SessionWay,
        /// What is passed.
        what: &'static str,
    },
    /// MFA is a user's; other callers have no device.
    MfaOfNoUser,
}

/// Seconds of the shortest session.
const LEAST: u32 = 900;
/// Seconds of the longest session that a role session makes.
const CHAINED: u32 = 3_600;
/// Seconds of the longest session of a user.
const OF_USER: u32 = 129_600;

impl SessionQuestion<'_> {
    /// All that STS refuses whatever the policies say.
    pub(super) fn refused(&self) -> Vec<SessionRefusal> {
        let mut found = Vec::new();
        found.extend(self.refused_duration());
        if let Some(name) = &self.name {
            let most = if self.way == SessionWay::FederationToken {
                32
            } else {
                64
            };
            if self.way != SessionWay::SessionToken && !is_name(name, most) {
                let name = name.clone();
                found.push(SessionRefusal::Name { name, most });
            }
        }
        if self.mfa && !matches!(self.caller.principal, Caller::User { .. }) {
            found.push(SessionRefusal::MfaOfNoUser);
        }
        let way = self.way;
        let not_taken = self.passed().into_iter().filter(|(is, _)| *is);
        found.extend(not_taken.map(|(_, what)| SessionRefusal::NotTaken { way, what }));
        found
    }

    fn refused_duration(&self) -> Option<SessionRefusal> {
        let asked = self.duration.unwrap_or(self.way.usual_duration());
        let most = match &self.role {
            Some(role) if self.way.is_of_role() => role.max_duration.unwrap_or(CHAINED),
            _ => OF_USER,
        };
        if asked < LEAST || (asked > most && self.duration.is_some()) {
            let least = LEAST;
            return Some(SessionRefusal::Duration { asked, least, most });
        }
        let chained =
            self.way == SessionWay::AssumeRole && matches!(self.caller.principal, Caller::RoleSession { .. });
        (chained && asked > CHAINED).then_some(SessionRefusal::ChainedDuration { asked })
    }

    /// What may be passed that this way does not take, and whether it is.
    fn passed(&self) -> Vec<(bool, &'static str)> {
        let has = |key: &str| self.context.get(key).is_some();
        let tags = self
            .context
            .iter()
            .any(|(key, _)| key.to_lowercase().starts_with("aws:requesttag/"));
        let external_id = (has("sts:ExternalId"), "an external id");
        let source_identity = (has("sts:SourceIdentity"), "a source identity");
        match self.way {
            SessionWay::AssumeRole => {
                let (own, set) = ("aws:SourceIdentity", "sts:SourceIdentity");
                let other = has(own) && has(set) && self.context.get(own) != self.context.get(set);
                vec![(other, "another source identity than the caller's own")]
            }
            SessionWay::AssumeRoleWithSaml | SessionWay::AssumeRoleWithWebIdentity => vec![external_id],
            SessionWay::FederationToken => {
                let code = self.mfa && !self.caller.temporary;
                vec![external_id, source_identity, (code, "an MFA code")]
            }
            SessionWay::SessionToken => vec![
                external_id,
                source_identity,
                (tags, "tags"),
                (!self.session_policies.is_empty(), "a session policy"),
                (self.name.is_some(), "a name for the session"),
            ],
        }
    }
}

/// `[\w+=,.@-]`, two to so many.
fn is_name(name: &str, most: usize) -> bool {
    (2..=most).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c))
}

impl fmt::Display for SessionRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duration { asked, least, most } => {
                write!(
                    f,
                    "a session of {asked} s; from {least} s to {most} s may be asked for"
                )
            }
            Self::ChainedDuration { asked } => {
                write!(
                    f,
                    "a session of {asked} s; one that a role session makes lasts {CHAINED} s at most"
                )
            }
            Self::Name { name, most } => write!(
                f,
                "the name {}; it has 2 to {most} letters, digits or _+=,.@-",
                quote(name)
            ),
            Self::NotTaken { way, what } => write!(f, "{way} does not take {what}"),
            Self::MfaOfNoUser => f.write_str("MFA is a user's, and the caller is none"),
        }
    }
}
