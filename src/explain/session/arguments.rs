//! What people give: a scenario, or flags.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use deputy_policy::SessionWay;

use crate::output::OutputFormat;

const EXAMPLE: &str = "Example: may Carol, for whom token-app calls GetFederationToken, read an object?

  deputy explain session --way federation-token --caller arn:aws:iam::123456789012:user/token-app \\
    --policy token-app.json --name Carol --session-policy carol.json \\
    --action s3:GetObject --resource arn:aws:s3:::productionapp/a --resource-policy bucket.json";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct SessionArguments {
    /// All of it in one file, YAML or JSON (docs/sessions.md), instead of --way and the rest; - is standard input
    #[arg(required_unless_present = "way", conflicts_with = "way", value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// The call of STS
    #[arg(long, value_enum, requires = "caller")]
    pub way: Option<WayArgument>,
    /// Who calls: the ARN of a user, role, role session or identity provider; of a token the host of its issuer will do
    #[arg(long, value_name = "ARN", requires = "way")]
    pub caller: Option<String>,
    /// The role of a caller that is a role session: a session's ARN does not show the role's path
    #[arg(long, value_name = "ARN", requires = "way")]
    pub caller_role: Option<String>,
    /// The unique id of the caller's user or role (AIDA…, AROA…), which is what a trust policy stores
    #[arg(long, value_name = "ID", requires = "way")]
    pub caller_id: Option<String>,
    /// The caller's credentials come from GetSessionToken
    #[arg(long, requires = "way")]
    pub caller_has_session_token: bool,
    /// Of the ways of roles: identity policy of the caller; may be repeated
    #[arg(long, value_name = "FILE", requires = "way")]
    pub caller_policy: Vec<PathBuf>,
    /// Of the ways of roles: permissions boundary of the caller
    #[arg(long, value_name = "FILE", requires = "way")]
    pub caller_boundary: Vec<PathBuf>,
    /// Session policy of a caller that is a session; may be repeated
    #[arg(long, value_name = "FILE", requires = "way")]
    pub caller_session: Vec<PathBuf>,
    /// Of the ways of roles: service control policies of the caller's account, where it is another one than the role's
    #[arg(long, value_name = "FILE,…", requires = "way")]
    pub caller_scps: Vec<String>,
    /// The role that is assumed
    #[arg(long, value_name = "ARN", requires = "way")]
    pub role: Option<String>,
    /// The unique id of the role (AROA…), by which resource policies may name it
    #[arg(long, value_name = "ID", requires = "way")]
    pub role_id: Option<String>,
    /// The role's MaxSessionDuration in seconds; an hour by default
    #[arg(long, value_name = "SECONDS", requires = "way")]
    pub role_max_duration: Option<u32>,
    /// Trust policy of the role
    #[arg(long, value_name = "FILE", requires = "way")]
    pub trust: Option<PathBuf>,
    /// Identity policy of the role, or of the user who calls, or a manifest with one AWSRole; may be repeated
    #[arg(long, value_name = "FILE", requires = "way")]
    pub policy: Vec<PathBuf>,
    /// Permissions boundary of the role or user, or a manifest with one DelegationLimit; of several, each must allow
    #[arg(long, value_name = "FILE", requires = "way")]
    pub boundary: Vec<PathBuf>,
    /// Service control policies of the role's or user's account: of one level, separated by commas; repeated for each level,
    /// root first
    #[arg(long, value_name = "FILE,…", requires = "way")]
    pub scps: Vec<String>,
    /// Name of the role session or federated user
    #[arg(long, requires = "way")]
    pub name: Option<String>,
    /// Session policy, what is passed as Policy or a document of PolicyArns, or a manifest with one AWSRoleBinding; may be
    /// repeated
    #[arg(long, value_name = "FILE", requires = "way")]
    pub session_policy: Vec<PathBuf>,
    /// DurationSeconds
    #[arg(long, value_name = "SECONDS", requires = "way")]
    pub duration: Option<u32>,
    /// The call carries an MFA code, or the caller's credentials of GetSessionToken do
    #[arg(long, requires = "way")]
    pub mfa: bool,
    /// A context key of the call and its value, such as sts:ExternalId=x or aws:RequestTag/team=a; may be repeated
    #[arg(long, value_name = "KEY=VALUE", requires = "way")]
    pub passed: Vec<String>,
    /// What the session asks for: service:Action
    #[arg(long, requires = "resource")]
    pub action: Option<String>,
    /// ARN, or * for actions that have none
    #[arg(long, requires = "action")]
    pub resource: Option<String>,
    /// Policy of the resource, or trust policy of a role that the session assumes
    #[arg(long, value_name = "FILE", requires = "action")]
    pub resource_policy: Option<PathBuf>,
    /// Account that owns the resource; by default the one in its ARN, else the session's
    #[arg(long, value_name = "ID", requires = "action")]
    pub resource_account: Option<String>,
    /// Resource control policies of that account, as --scps
    #[arg(long, value_name = "FILE,…", requires = "action")]
    pub rcps: Vec<String>,
    /// A context key of the session's request and its value; may be repeated, also for one key
    #[arg(long, value_name = "KEY=VALUE", requires = "action")]
    pub context: Vec<String>,
    /// Say what every statement of every policy has to say
    #[arg(long, conflicts_with = "output")]
    pub explain: bool,
    /// How the answer is written
    #[arg(short, long, visible_alias = "format", value_enum, default_value_t)]
    pub output: OutputFormat,
}

/// AWS's five ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WayArgument {
    /// AssumeRole
    AssumeRole,
    /// AssumeRoleWithSAML
    Saml,
    /// AssumeRoleWithWebIdentity
    WebIdentity,
    /// GetFederationToken
    FederationToken,
    /// GetSessionToken
    SessionToken,
}

impl From<WayArgument> for SessionWay {
    fn from(way: WayArgument) -> Self {
        match way {
            WayArgument::AssumeRole => Self::AssumeRole,
            WayArgument::Saml => Self::AssumeRoleWithSaml,
            WayArgument::WebIdentity => Self::AssumeRoleWithWebIdentity,
            WayArgument::FederationToken => Self::FederationToken,
            WayArgument::SessionToken => Self::SessionToken,
        }
    }
}
