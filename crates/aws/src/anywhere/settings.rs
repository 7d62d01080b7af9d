//! What a process is told about IAM Roles Anywhere, checked as a whole before anything is called.

use std::{path::PathBuf, time::Duration};

use deputy_api::convert::is_endpoint;
use deputy_delegation::names::{AccountId, Partition, ProfileArn, RoleArn, TrustAnchorArn};

/// What IAM Roles Anywhere gives: 15 minutes to 12 hours. The least of this, the profile's and the role's own maximum counts.
/// <https://docs.aws.amazon.com/rolesanywhere/latest/userguide/authentication-create-session.html>
const SESSION_SECONDS: std::ops::RangeInclusive<u32> = 900..=43_200;

/// What a process is told, not checked yet.
#[derive(Debug, Clone)]
pub struct RolesAnywhereSettings {
    /// The authority whose certificates are taken.
    pub trust_anchor: TrustAnchorArn,
    /// The profile that lets the role be given.
    pub profile: ProfileArn,
    /// Who the process is to be.
    pub role: RoleArn,
    /// The folder with `tls.crt` (the certificate, then intermediate ones) and `tls.key`.
    pub certificate_folder: PathBuf,
    /// How long a session is to last.
    pub session: Duration,
    /// What is called instead of AWS's own endpoint.
    pub endpoint: Option<String>,
}

/// An identity from IAM Roles Anywhere: all of one account and region.
#[derive(Debug, Clone)]
pub struct RolesAnywhere {
    settings: RolesAnywhereSettings,
    session_seconds: u32,
    endpoint: String,
}

/// Why there can be no such identity. The sentences name what contradicts what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RolesAnywhereError {
    /// Trust anchor and profile are in different regions.
    #[error(
        "profile {profile} is in another region than trust anchor {trust_anchor}; IAM Roles Anywhere takes both from one region"
    )]
    Region {
        /// The profile.
        profile: Box<ProfileArn>,
        /// The trust anchor.
        trust_anchor: Box<TrustAnchorArn>,
    },
    /// Something is of another account or partition than the trust anchor.
    #[error(
        "{what} is of account {account} in partition {partition}, and trust anchor {trust_anchor} is not; IAM Roles Anywhere gives \
         sessions of roles of its own account, and roles of others are assumed from there (spec.provisioner, spec.boundaryWriter)"
    )]
    Account {
        /// Which of them, with its ARN.
        what: String,
        /// Its account.
        account: AccountId,
        /// Its partition.
        partition: Partition,
        /// The trust anchor.
        trust_anchor: Box<TrustAnchorArn>,
    },
    /// No such length.
    #[error("sessions of IAM Roles Anywhere last 900 to 43200 seconds, not {0}")]
    Session(u64),
    /// Not an address that may be called.
    #[error("endpoint {0:?} is not https://<host>[:port][/path], nor http:// to 127.0.0.1 or [::1]")]
    Endpoint(String),
    /// AWS's own one is not known.
    #[error("no endpoint of IAM Roles Anywhere is known in partition {0}: name one")]
    NoEndpoint(Partition),
}

impl RolesAnywhere {
    /// Checks that `settings` fit together.
    ///
    /// # Errors
    /// [`RolesAnywhereError`]: AWS would refuse every call, with less to say about why.
    pub fn new(settings: RolesAnywhereSettings) -> Result<Self, RolesAnywhereError> {
        let (anchor, profile, role) = (&settings.trust_anchor, &settings.profile, &settings.role);
        let others = [
            (
                format!("profile {profile}"),
                profile.account(),
                profile.partition(),
            ),
            (format!("role {role}"), role.account(), role.partition()),
        ];
        for (what, account, partition) in others {
            if account != anchor.account() || partition != anchor.partition() {
                return Err(RolesAnywhereError::Account {
                    what,
                    account: account.clone(),
                    partition: partition.clone(),
                    trust_anchor: Box::new(anchor.clone()),
                });
            }
        }
        if profile.region() != anchor.region() {
            return Err(RolesAnywhereError::Region {
                profile: Box::new(profile.clone()),
                trust_anchor: Box::new(anchor.clone()),
            });
        }
        let seconds = settings.session.as_secs();
        let session_seconds = u32::try_from(seconds)
            .ok()
            .filter(|seconds| SESSION_SECONDS.contains(seconds))
            .ok_or(RolesAnywhereError::Session(seconds))?;
        let endpoint = match &settings.endpoint {
            Some(endpoint) if is_endpoint(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            Some(endpoint) => {
                let shown = endpoint.chars().take(80).collect();
                return Err(RolesAnywhereError::Endpoint(shown));
            }
            None => own_endpoint(anchor)?,
        };
        Ok(Self {
            session_seconds,
            endpoint,
            settings,
        })
    }

    pub(super) fn trust_anchor(&self) -> &TrustAnchorArn {
        &self.settings.trust_anchor
    }
    pub(super) fn profile(&self) -> &ProfileArn {
        &self.settings.profile
    }
    pub(super) fn role(&self) -> &RoleArn {
        &self.settings.role
    }
    pub(super) fn certificate_folder(&self) -> &PathBuf {
        &self.settings.certificate_folder
    }
    pub(super) fn session_seconds(&self) -> u32 {
        self.session_seconds
    }
    /// Without a slash at its end.
    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

/// <https://docs.aws.amazon.com/general/latest/gr/rolesanywhere.html>
fn own_endpoint(anchor: &TrustAnchorArn) -> Result<String, RolesAnywhereError> {
    let suffix = match anchor.partition().as_str() {
        "aws" | "aws-us-gov" => "amazonaws.com",
        "aws-cn" => "amazonaws.com.cn",
        _ => return Err(RolesAnywhereError::NoEndpoint(anchor.partition().clone())),
    };
    Ok(format!("https://rolesanywhere.{}.{suffix}", anchor.region()))
}
