//! deputy-agent
