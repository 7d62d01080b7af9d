//! Random policies of the whole language over alphabets so small that their patterns meet, pairs of them that are near to each
//! other, and requests near the edge of both. Every decision is taken from [`Choices`](crate::choices::Choices).

pub mod callers;
pub mod edits;
pub mod identities;
pub mod keys;
pub mod model;
pub mod pairs;
pub mod policies;
pub mod profiles;
pub mod requests;
pub mod samples;
pub mod values;
