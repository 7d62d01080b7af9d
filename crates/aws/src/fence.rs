//! Whether a write to AWS may begin, asked at the last moment.

use std::{fmt, sync::Arc, time::Duration};

/// Asked before each write, when its turn of the call budget has come, with the longest that the call may take from there. Whoever knows
/// of a Lease answers; without anybody to answer nothing is written.
#[derive(Clone)]
pub struct WriteFence(Arc<dyn Fn(Duration) -> bool + Send + Sync>);

impl WriteFence {
    /// `may_write` says whether a write that takes so long at most may begin now; must be quick.
    #[must_use]
    pub fn new(may_write: impl Fn(Duration) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(may_write))
    }

    /// For processes that write nothing.
    #[must_use]
    pub fn closed() -> Self {
        Self::new(|_| false)
    }

    pub(crate) fn may_write(&self, longest: Duration) -> bool {
        (self.0)(longest)
    }
}

impl fmt::Debug for WriteFence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WriteFence")
    }
}
