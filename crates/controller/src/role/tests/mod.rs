//! Unit tests of the steps of a role, one file a step.

mod apply;
mod assess;
mod capped;
mod instance;
mod look;
mod status;
mod waiting;
