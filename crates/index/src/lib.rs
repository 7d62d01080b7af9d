//! deputy-index
