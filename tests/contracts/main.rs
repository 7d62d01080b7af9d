//! docs/contracts.md against the code: each table is read, and each value looked for where the code has it.

mod kubernetes;
mod page;
mod protocol;
mod watching;
