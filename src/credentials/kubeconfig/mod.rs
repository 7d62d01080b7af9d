//! A person's kubeconfig: which cluster is asked, as whom, and how they log in there. It is read as kubectl reads it; what kubectl
//! never meets on a terminal is bounded here: the size of files, the time and the output of a login program.

mod connect;
mod context;
mod identity;
mod plugin;
mod proxy;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;

pub use self::{
    connect::{LOGIN_DEADLINE, client_config, load_problem},
    context::{ChosenContext, KubeconfigArguments},
    identity::identity,
};
