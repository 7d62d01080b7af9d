//! Deputy's objects from manifests and from a cluster, with where each field stands.

mod arguments;
mod cluster;
#[cfg(test)]
pub mod example;
mod faults;
mod files;
mod manifest;
mod metadata;
mod place;
mod walk;
mod world;

pub use self::{
    arguments::{AskedWorld, WorldArguments},
    cluster::live,
    manifest::{ReadObject, ReadObjects},
    place::{InputProblem, ProblemSort, WrittenPlace},
    world::world,
};
