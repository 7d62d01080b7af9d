//! Questions about what is granted: by files, or in a cluster. Only what is accepted grants anything.

mod decided;
mod grant;
mod grants;
mod policy;
mod subject;
#[cfg(test)]
mod tests;
mod undecided;
mod users;
mod what_can;
mod who_can;

pub use self::{
    decided::{binding_words, decision_words},
    grant::{AskedGrant, everything_but},
    grants::{Grants, grants},
    policy::{identity, statement},
    subject::subject_lines,
    undecided::{UndecidedOf, federated_subjects},
    users::{arn_parts, bindings_of_user, is_federated_user},
    what_can::{MayDo, WhatCanArguments, of_grant, run as what_can},
    who_can::{WhoCanArguments, run as who_can},
};
