//! `deputy explain …`: who may do what, from policies and objects.

mod objects;
mod session;

use clap::Subcommand;

use self::objects::{ExplainObjectArguments, ExplainedKind};
use crate::exit::CommandResult;

/// `deputy explain`
#[derive(Debug, Subcommand)]
pub enum ExplainCommand {
    /// Whose is an ARN of a role, of a session, of a federated user or of a boundary?
    #[command(after_help = objects::ARN_EXAMPLES)]
    Arn(Box<ExplainObjectArguments>),
    /// What is a role in AWS, who is bound to it, and is it accepted?
    #[command(after_help = objects::ROLE_EXAMPLES)]
    Role(Box<ExplainObjectArguments>),
    /// What do pods of a ServiceAccount get?
    #[command(after_help = objects::OTHER_EXAMPLES)]
    Serviceaccount(Box<ExplainObjectArguments>),
    /// Whom does a binding give which role, and is it accepted?
    #[command(after_help = objects::OTHER_EXAMPLES)]
    Binding(Box<ExplainObjectArguments>),
    /// Where does a limit apply, and what is under it?
    #[command(after_help = objects::OTHER_EXAMPLES)]
    Limit(Box<ExplainObjectArguments>),
    /// Which role does a pod get, by which binding, what may it do, and what is not ready?
    #[command(after_help = objects::POD_EXAMPLES)]
    Pod(Box<ExplainObjectArguments>),
    /// Who may have a session by one of AWS's five ways, and what may it do?
    Session(Box<session::SessionArguments>),
}

impl ExplainCommand {
    pub fn run(&self) -> CommandResult {
        match self {
            Self::Arn(a) => objects::run(ExplainedKind::Arn, a),
            Self::Role(a) => objects::run(ExplainedKind::Role, a),
            Self::Serviceaccount(a) => objects::run(ExplainedKind::ServiceAccount, a),
            Self::Binding(a) => objects::run(ExplainedKind::Binding, a),
            Self::Limit(a) => objects::run(ExplainedKind::Limit, a),
            Self::Pod(a) => objects::run(ExplainedKind::Pod, a),
            Self::Session(a) => session::run(a),
        }
    }
}
