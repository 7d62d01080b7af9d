//! The invariants of ARCHITECTURE.md that show in dependencies, sources and documents.

mod code;
mod dependencies;
mod documents;
mod files;
