//! The answer in each form.

mod json;
mod markdown;
mod text;

pub use self::{json::json, markdown::markdown, text::text};
