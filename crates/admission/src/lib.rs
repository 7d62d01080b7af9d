//! deputy-admission
