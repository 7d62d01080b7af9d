//! deputy-controller
