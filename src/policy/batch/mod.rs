//! The batch forms: one JSON object a line in, one a line out, in the same order (docs/contracts.md). A line that is not
//! understood is answered, with its `id` where one can be found, and the next one is read.

mod id;
mod lines;
mod members;

pub use self::{
    lines::{BatchAnswer, batch},
    members::{Members, list, name_of, short, text},
};
