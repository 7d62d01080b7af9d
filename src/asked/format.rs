//! How an answer is written.

use clap::ValueEnum;

/// How an answer is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum AskedFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object
    Json,
}
