//! How lists are read from a cluster.

use std::time::Duration;

/// How long one page may take.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Objects read at a time.
pub const PAGE: u32 = 500;
