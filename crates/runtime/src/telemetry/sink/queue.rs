//! Lines that wait to be written. Pure.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Bytes of lines that wait: some ten thousand lines.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// Lines in their order.
#[derive(Default)]
pub(super) struct LineQueue {
    lines: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    /// When the line came that is being written.
    writing: Option<Instant>,
    failure: Option<String>,
    dropped: u64,
    /// Whether a line was lost since one was written.
    is_losing: bool,
}

impl LineQueue {
    pub(super) fn push(&mut self, line: Vec<u8>, now: Instant) {
        if self.bytes + line.len() > MOST_BYTES {
            self.dropped = self.dropped.saturating_add(1);
            self.is_losing = true;
            return;
        }
        self.bytes += line.len();
        self.lines.push_back((now, line));
    }

    /// The next line, which is being written from now on.
    pub(super) fn take(&mut self) -> Option<Vec<u8>> {
        let (came, line) = self.lines.pop_front()?;
        self.bytes -= line.len();
        self.writing = Some(came);
        Some(line)
    }

    /// The line that was taken is written.
    pub(super) fn written(&mut self) {
        self.writing = None;
        self.failure = None;
        self.is_losing = false;
    }

    /// It could not be written, and is the next one again.
    pub(super) fn failed(&mut self, line: Vec<u8>, why: String) {
        if let Some(came) = self.writing.take() {
            self.bytes += line.len();
            self.lines.push_front((came, line));
        }
        self.failure = Some(why);
    }

    pub(super) fn oldest(&self, now: Instant) -> Duration {
        let first = self.writing.or_else(|| self.lines.front().map(|(came, _)| *came));
        first.map_or(Duration::ZERO, |came| now.saturating_duration_since(came))
    }

    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn is_losing(&self) -> bool {
        self.is_losing
    }

    /// Whether nothing waits and nothing is being written.
    pub(super) fn is_written(&self) -> bool {
        self.writing.is_none() && self.lines.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_fails_stays_the_first_with_the_time_it_came_at() {
        let (mut queue, began) = (LineQueue::default(), Instant::now());
        let after = |seconds| began + Duration::from_secs(seconds);
        queue.push(b"one".to_vec(), began);
        queue.push(b"two".to_vec(), after(5));
        let line = queue.take().unwrap();
        queue.failed(line, "no space".to_owned());
        assert_eq!(
            (queue.oldest(after(70)), queue.failure()),
            (Duration::from_secs(70), Some("no space"))
        );
        for expected in ["one", "two"] {
            assert_eq!(queue.take().unwrap(), expected.as_bytes());
            queue.written();
        }
        assert!(queue.is_written());
        assert_eq!((queue.oldest(after(80)), queue.failure()), (Duration::ZERO, None));
    }

    #[test]
    fn what_does_not_fit_is_counted_until_there_is_room_again() {
        let (mut queue, now) = (LineQueue::default(), Instant::now());
        let line = || vec![b'x'; MOST_BYTES / 4];
        for _ in 0..6 {
            queue.push(line(), now);
        }
        assert_eq!((queue.dropped(), queue.is_losing()), (2, true));
        assert!(queue.take().is_some());
        queue.written();
        assert_eq!((queue.dropped(), queue.is_losing()), (2, false));
        queue.push(line(), now);
        assert_eq!(queue.dropped(), 2);
    }
}
