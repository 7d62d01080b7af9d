//! deputy-api
