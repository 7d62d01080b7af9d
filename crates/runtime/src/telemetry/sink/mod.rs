//! Audit lines on their way to standard output: through a bounded queue and a thread of its own, so that it is known when they do not get
//! there. Lines keep their order. One that can't be written is tried again; none is lost but when the queue is full, and that is counted.

mod queue;

use std::{
    fmt,
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tracing_subscriber::fmt::MakeWriter;

use self::queue::LineQueue;

/// Between two tries to write a line that can't be written.
const TRY_AGAIN: Duration = if cfg!(test) {
    Duration::from_millis(1)
} else {
    Duration::from_secs(1)
};

/// That audit lines do not get to where they are kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the audit log can't be written: {0}. Nothing new is given before it can: whoever runs Deputy has to look at who reads the standard \
     output of this process"
)]
pub struct AuditStalled(String);

impl AuditStalled {
    /// For this reason.
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// How it is with audit lines: the figures for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AuditFigures {
    /// How long the oldest line has waited.
    pub oldest: Duration,
    /// Lines that were lost, for the queue was full.
    pub dropped: u64,
}

/// Where audit lines go. Clones are the same one.
#[derive(Clone)]
pub struct AuditSink {
    shared: Arc<Shared>,
    required_within: Duration,
}

struct Shared {
    queue: Mutex<LineQueue>,
    changed: Condvar,
}

impl fmt::Debug for AuditSink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AuditSink")
    }
}

impl AuditSink {
    /// Writes to `out` from now on, in a thread that lives as long as the process. `required_within` is how long a line may take before
    /// [`Self::check`] says so; never, if it is nothing.
    ///
    /// # Errors
    /// There can be no thread.
    pub fn start(out: impl Write + Send + 'static, required_within: Duration) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            changed: Condvar::new(),
        });
        let of_thread = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || of_thread.write_all_to(out))?;
        Ok(Self {
            shared,
            required_within,
        })
    }

    /// Whether audit lines get to where they are kept.
    ///
    /// # Errors
    /// A line has waited for longer than it may, or was lost since one was written.
    pub fn check(&self) -> Result<(), AuditStalled> {
        if self.required_within.is_zero() {
            return Ok(());
        }
        let queue = self.shared.lock();
        let oldest = queue.oldest(Instant::now());
        let why = match queue.failure() {
            Some(failure) => format!("it fails ({failure})"),
            None => "it blocks".to_owned(),
        };
        if oldest > self.required_within {
            return Err(AuditStalled::new(format!("for {} s {why}", oldest.as_secs())));
        }
        if queue.is_losing() {
            return Err(AuditStalled::new(format!("{why}, and its queue is full")));
        }
        Ok(())
    }

    /// How it is with audit lines now.
    #[must_use]
    pub fn figures(&self) -> AuditFigures {
        let queue = self.shared.lock();
        AuditFigures {
            oldest: queue.oldest(Instant::now()),
            dropped: queue.dropped(),
        }
    }

    /// Waits until all lines are written, so long at most. Before the process ends.
    pub fn flush(&self, patience: Duration) {
        let queue = self.shared.lock();
        let is_busy = |queue: &mut LineQueue| !queue.is_written();
        drop(self.shared.changed.wait_timeout_while(queue, patience, is_busy));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, LineQueue> {
        // Lines, each whole: nothing to repair.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(&self, line: Vec<u8>) {
        self.lock().push(line, Instant::now());
        self.changed.notify_all();
    }

    /// Never ends.
    fn write_all_to(&self, mut out: impl Write) {
        loop {
            let line = self.next();
            let written = out.write_all(&line).and_then(|()| out.flush());
            let mut queue = self.lock();
            match written {
                Ok(()) => queue.written(),
                Err(error) => {
                    queue.failed(line, error.to_string());
                    // Woken by new lines as well: that is no reason to try earlier.
                    let _queue = self
                        .changed
                        .wait_timeout_while(queue, TRY_AGAIN, |_| true)
                        .unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
            }
            drop(queue);
            self.changed.notify_all();
        }
    }

    fn next(&self) -> Vec<u8> {
        let mut queue = self.lock();
        loop {
            if let Some(line) = queue.take() {
                return line;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<'a> MakeWriter<'a> for AuditSink {
    type Writer = AuditLine;

    fn make_writer(&'a self) -> AuditLine {
        AuditLine {
            sink: Arc::clone(&self.shared),
            line: Vec::new(),
        }
    }
}

/// One line that is being composed. It goes on its way when it is whole.
pub struct AuditLine {
    sink: Arc<Shared>,
    line: Vec<u8>,
}

impl Write for AuditLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for AuditLine {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            self.sink.enqueue(std::mem::take(&mut self.line));
        }
    }
}

#[cfg(test)]
mod tests;
