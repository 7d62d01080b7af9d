//! Lines on their way to standard output: through a bounded queue and a thread of its own, so that nobody who logs waits for whoever reads,
//! and so that it is known when audit lines do not get there. Lines keep their order. One that can't be written is tried again, from where it
//! ended; none is lost but when there is no room, and that is counted. Audit lines have room of their own.

mod queue;

use std::{
    fmt,
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tracing_subscriber::fmt::MakeWriter;

use self::queue::{LineKind, LineQueue, PendingLine};

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
    /// Audit lines that were lost, for the queue was full.
    pub dropped: u64,
    /// Other lines that were lost.
    pub dropped_logs: u64,
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
            .name("log".to_owned())
            .spawn(move || of_thread.write_all_to(out))?;
        Ok(Self {
            shared,
            required_within,
        })
    }

    /// Whether audit lines get to where they are kept.
    ///
    /// # Errors
    /// A line has waited for longer than it may, or was lost and most of the queue still waits.
    pub fn check(&self) -> Result<(), AuditStalled> {
        if self.required_within.is_zero() {
            return Ok(());
        }
        self.checked(&self.shared.lock())
    }

    /// A place for the audit line of what is about to be done: what can't be recorded is not done.
    ///
    /// # Errors
    /// As [`Self::check`], or there is no room for a further line.
    pub fn reserve(&self) -> Result<AuditPlace, AuditStalled> {
        if self.required_within.is_zero() {
            return Ok(AuditPlace::default());
        }
        let mut queue = self.shared.lock();
        self.checked(&queue)?;
        if !queue.reserve() {
            return Err(full(&queue));
        }
        drop(queue);
        let reserved = ReservedPlace(Arc::clone(&self.shared));
        Ok(AuditPlace(Arc::new(Mutex::new(Some(reserved)))))
    }

    fn checked(&self, queue: &LineQueue) -> Result<(), AuditStalled> {
        let oldest = queue.oldest(Instant::now());
        if oldest > self.required_within {
            let why = why(queue);
            return Err(AuditStalled::new(format!("for {} s {why}", oldest.as_secs())));
        }
        if queue.is_losing() {
            return Err(full(queue));
        }
        Ok(())
    }

    /// Where lines that are no audit lines go: through the same thread.
    #[must_use]
    pub fn log_lines(&self) -> LogSink {
        LogSink(Arc::clone(&self.shared))
    }

    /// How it is with audit lines now.
    #[must_use]
    pub fn figures(&self) -> AuditFigures {
        let queue = self.shared.lock();
        AuditFigures {
            oldest: queue.oldest(Instant::now()),
            dropped: queue.dropped(LineKind::Audit),
            dropped_logs: queue.dropped(LineKind::Log),
        }
    }

    /// Waits until all lines are written, so long at most. Before the process ends.
    pub fn flush(&self, patience: Duration) {
        let queue = self.shared.lock();
        let is_busy = |queue: &mut LineQueue| !queue.is_written();
        drop(self.shared.changed.wait_timeout_while(queue, patience, is_busy));
    }
}

fn why(queue: &LineQueue) -> String {
    match queue.failure() {
        Some(failure) => format!("it fails ({failure})"),
        None => "it blocks".to_owned(),
    }
}

fn full(queue: &LineQueue) -> AuditStalled {
    AuditStalled::new(format!("{}, and its queue is full", why(queue)))
}

/// The place of an audit line that is to come. Clones are the same one; it is free when all are gone.
#[derive(Clone, Default)]
pub struct AuditPlace(Arc<Mutex<Option<ReservedPlace>>>);

impl AuditPlace {
    /// The line comes now.
    pub fn take(&self) {
        let reserved = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(reserved);
    }
}

struct ReservedPlace(Arc<Shared>);

impl Drop for ReservedPlace {
    fn drop(&mut self) {
        self.0.lock().release();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, LineQueue> {
        // Lines, each whole: nothing to repair.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(&self, kind: LineKind, line: Vec<u8>) {
        self.lock().push(kind, line, Instant::now());
        self.changed.notify_all();
    }

    /// Never ends.
    fn write_all_to(&self, mut out: impl Write) {
        loop {
            let mut line = self.next();
            let written = write_rest(&mut out, &mut line);
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

    fn next(&self) -> PendingLine {
        let mut queue = self.lock();
        loop {
            if let Some(line) = queue.take() {
                return line;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Writes what is left of a line. What an error leaves is what the next try writes.
fn write_rest(out: &mut impl Write, line: &mut PendingLine) -> io::Result<()> {
    while !line.rest().is_empty() {
        match out.write(line.rest()) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => line.advance(written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    out.flush()
}

impl<'a> MakeWriter<'a> for AuditSink {
    type Writer = SinkLine;

    fn make_writer(&'a self) -> SinkLine {
        SinkLine::new(&self.shared, LineKind::Audit)
    }
}

/// Where lines go that are no audit lines. Clones are the same one.
#[derive(Clone)]
pub struct LogSink(Arc<Shared>);

impl<'a> MakeWriter<'a> for LogSink {
    type Writer = SinkLine;

    fn make_writer(&'a self) -> SinkLine {
        SinkLine::new(&self.0, LineKind::Log)
    }
}

/// One line that is being composed. It goes on its way when it is whole.
pub struct SinkLine {
    sink: Arc<Shared>,
    kind: LineKind,
    line: Vec<u8>,
}

impl SinkLine {
    fn new(sink: &Arc<Shared>, kind: LineKind) -> Self {
        Self {
            sink: Arc::clone(sink),
            kind,
            line: Vec::new(),
        }
    }
}

impl Write for SinkLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for SinkLine {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            self.sink.enqueue(self.kind, std::mem::take(&mut self.line));
        }
    }
}

#[cfg(test)]
mod tests;
