//! deputy-broker
