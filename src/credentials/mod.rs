//! `deputy credentials …`: ways to a session for a person, as a `credential_process` of AWS's SDKs and CLI.
//!
//! AWS's own ways are the caller's own business: the caller's keys, token or assertion make the call, and AWS decides. By way of the
//! cluster (`role`) the broker makes it, for a person that an AWSRoleBinding names, within the limit of its namespace. What is added
//! is what AWS's tools do not do: one call for several processes that ask at once, a cache that holds sessions and nothing
//! else, checks before anything is sent, and refusals that say what would help.

mod answer;
mod arguments;
mod assertion;
mod assume_role;
mod cache;
mod config;
mod connection;
mod expiry;
mod help;
mod hops;
pub mod kubeconfig;
mod narrowing;
mod obtain;
mod prompt;
mod role;
mod saml;
mod secret_input;
mod session;
pub mod settings;
mod signer;
mod vouched;
mod wait;
mod web_identity;

use clap::Subcommand;

pub use self::obtain::block_on;

use crate::exit::CommandResult;

/// `deputy credentials`
#[derive(Debug, Subcommand)]
pub enum CredentialsCommand {
    /// A session of the IAM user whose keys you have (GetSessionToken), with MFA where it is asked for
    Session(session::SessionTokenArguments),
    /// A session of a role, or of the last of several roles (AssumeRole)
    AssumeRole(Box<assume_role::AssumeRoleArguments>),
    /// A session of a role for whom a token of an OpenID Connect provider vouches (AssumeRoleWithWebIdentity)
    WebIdentity(Box<web_identity::WebIdentityArguments>),
    /// A session of a role for whom an assertion of a SAML provider vouches (AssumeRoleWithSAML)
    Saml(Box<saml::SamlArguments>),
    /// A session of the role of an AWSRoleBinding that names you, by way of the cluster that you are logged in to
    Role(Box<role::PeopleRoleArguments>),
    /// Write a profile into ~/.aws/config whose credentials are those of an AWSRoleBinding
    Config(Box<config::WriteProfileArguments>),
}

impl CredentialsCommand {
    pub fn run(&self) -> CommandResult {
        match self {
            Self::Session(a) => session::run(a),
            Self::AssumeRole(a) => assume_role::run(a),
            Self::WebIdentity(a) => web_identity::run(a),
            Self::Saml(a) => saml::run(a),
            Self::Role(a) => role::run(a),
            Self::Config(a) => config::run(a),
        }
    }
}
