//! Lines on their way through a bounded queue and a thread of its own: whoever reads standard output and stops doing so holds up nobody who
//! asks for credentials. What finds no room is left out, and counted.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

/// Lines that wait at most.
const MAX_LINES: usize = 1024;

enum Message {
    Line(Vec<u8>),
    /// To be told when everything before it is written.
    Written(SyncSender<()>),
}

/// The end of the queue that lines are put into. Each `write` is a whole line, and none waits.
#[derive(Clone)]
pub(super) struct WriterQueue {
    lines: SyncSender<Message>,
    left_out: Arc<AtomicU64>,
}

impl WriterQueue {
    /// Writes to `out` from now on, in a thread that ends with the last clone.
    ///
    /// # Errors
    /// There can be no thread.
    pub(super) fn start(
        out: impl Write + Send + 'static,
        left_out_line: fn(u64) -> String,
    ) -> io::Result<Self> {
        let (lines, queue) = sync_channel(MAX_LINES);
        let left_out = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&left_out);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_all(&queue, out, &counted, left_out_line))?;
        Ok(Self { lines, left_out })
    }

    /// Waits until what was put in before is written, for so long at most.
    pub(super) fn flush(&self, patience: Duration) {
        let (written, is_written) = sync_channel(1);
        // No room: then the reader is gone, and waiting is in vain.
        if self.lines.try_send(Message::Written(written)).is_ok() {
            is_written.recv_timeout(patience).unwrap_or_default();
        }
    }
}

impl Write for WriterQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.lines.try_send(Message::Line(line.to_vec())).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Until nobody puts in any more.
fn write_all(
    queue: &Receiver<Message>,
    mut out: impl Write,
    left_out: &AtomicU64,
    left_out_line: fn(u64) -> String,
) {
    // Nobody reads the log any more: no reason to stop serving credentials.
    let mut write = |line: &[u8]| out.write_all(line).and_then(|()| out.flush()).unwrap_or_default();
    while let Ok(message) = queue.recv() {
        match message {
            Message::Line(line) => write(&line),
            // He may have stopped waiting.
            Message::Written(written) => written.try_send(()).unwrap_or_default(),
        }
        match left_out.swap(0, Ordering::Relaxed) {
            0 => {}
            number => write(left_out_line(number).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use super::*;

    /// Writes a line when it is let, and notes it.
    struct Gate(mpsc::Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Gate {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            // Open for good once the other end is gone.
            self.0.recv().unwrap_or_default();
            self.1.lock().unwrap().extend_from_slice(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn who_logs_never_waits_for_who_reads_and_what_is_left_out_is_counted() {
        let (open, gate) = mpsc::channel();
        let written = Arc::new(Mutex::new(Vec::new()));
        let gate = Gate(gate, Arc::clone(&written));
        let mut queue = WriterQueue::start(gate, |number| format!("{number} left out\n")).unwrap();
        let tries = MAX_LINES + 500;
        for number in 0..tries {
            queue.write_all(format!("{number}\n").as_bytes()).unwrap();
        }
        assert!(written.lock().unwrap().is_empty());
        queue.flush(Duration::ZERO);
        drop(open);
        while !String::from_utf8_lossy(&written.lock().unwrap()).contains("left out") {
            queue.flush(Duration::from_secs(10));
        }
        queue.flush(Duration::from_secs(10));
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| !line.contains("left out")).collect();
        let numbers: Vec<String> = (0..lines.len()).map(|number| number.to_string()).collect();
        assert_eq!(lines, numbers, "in their order");
        let left_out = text.lines().find_map(|line| line.strip_suffix(" left out"));
        assert_eq!(left_out.unwrap().parse::<usize>().unwrap(), tries - lines.len());
    }
}
