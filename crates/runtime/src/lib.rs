//! deputy-runtime
