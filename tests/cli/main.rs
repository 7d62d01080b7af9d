//! The command line as others call it: exact lines in and out, and exit codes (docs/contracts.md).

mod bootstrap;
mod policy;
mod run;
mod whole;
