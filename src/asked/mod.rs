//! Questions about what is granted: by files, or in a cluster. Only what is accepted grants anything.

mod format;
mod grant;
mod subject;
#[cfg(test)]
mod tests;
mod what_can;
mod who_can;

pub use self::{
    format::AskedFormat,
    grant::{AskedGrant, everything_but, grants},
    subject::subject_lines,
    what_can::{WhatCanArguments, run as what_can},
    who_can::{WhoCanArguments, run as who_can},
};
