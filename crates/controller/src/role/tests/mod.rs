//! Unit tests of the steps of a role, one file a step.

mod apply;
mod assess;
mod capped;
mod histories;
mod instance;
mod look;
mod paths;
mod sessions;
mod status;
mod trust;
mod waiting;
mod world;
