//! What a process logs, for tests that look at it. It is for them alone: no crate depends on it but for its tests.

#![expect(clippy::unwrap_used, reason = "a test ends where one of these does")]

use std::{io, sync::Arc};

use parking_lot::Mutex;
use serde_json::Value;
use tracing::{Dispatch, Subscriber, subscriber::NoSubscriber};
use tracing_subscriber::fmt::MakeWriter;

/// Where a log is written to, and read from. Clones share it.
#[derive(Clone)]
pub struct CapturedLog {
    written: Arc<Mutex<Vec<u8>>>,
    /// Lives beside the subscriber that is looked at: with one alone, tracing asks the thread that reaches a line first
    /// whether it is wanted, and a thread of another test, which has none, answers no for all.
    _another: Dispatch,
}

impl Default for CapturedLog {
    fn default() -> Self {
        Self {
            written: Arc::default(),
            _another: Dispatch::new(NoSubscriber::default()),
        }
    }
}

impl CapturedLog {
    /// A subscriber that writes JSON here, from level debug on, with the innermost span of each line.
    pub fn subscriber(&self) -> impl Subscriber + use<> {
        tracing_subscriber::fmt()
            .json()
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(self.clone())
            .finish()
    }

    /// What was written.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8(self.written.lock().clone()).unwrap()
    }

    /// What was written, line by line.
    #[must_use]
    pub fn lines(&self) -> Vec<Value> {
        let text = self.text();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl io::Write for CapturedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for CapturedLog {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
