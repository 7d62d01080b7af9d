//! deputy-delegation
