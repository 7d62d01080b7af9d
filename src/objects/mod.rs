//! Deputy's objects from manifests and from a cluster, with where each field stands.

mod arguments;
mod beside;
mod cluster;
mod conditions;
mod core;
mod drift;
#[cfg(test)]
pub mod example;
mod faults;
mod files;
mod manifest;
mod metadata;
mod over;
mod page;
mod place;
#[cfg(test)]
mod tests;
mod walk;
mod world;

pub use self::{
    arguments::{AskedWorld, BesideFiles, WorldArguments},
    cluster::{NamedCluster, connection, connection_of_pod, list_objects, live, resource},
    conditions::{StatusCondition, conditions, outdated, unmet},
    core::{CoreKind, CoreObject, DriftReason, WantedBeside, title},
    manifest::{ReadObject, ReadObjects},
    over::take_over,
    page::{Unanswered, answer, each_page},
    place::{InputProblem, ProblemSort, WrittenPlace},
    world::world,
};
