//! Deputy's objects from manifests and from a cluster, with where each field stands.

mod arguments;
mod cluster;
mod faults;
mod files;
mod kinds;
mod manifest;
mod metadata;
mod place;
mod walk;
mod world;

pub use self::{
    arguments::{AskedWorld, WorldArguments},
    cluster::live,
    kinds::ObjectKind,
    manifest::{ReadObject, ReadObjects},
    place::{InputProblem, ProblemSort, WrittenPlace},
    world::world,
};
