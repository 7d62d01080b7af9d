//! deputy-policy
