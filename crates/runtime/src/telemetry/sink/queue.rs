//! Lines that wait to be written. Pure.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Bytes of audit lines that wait: some ten thousand lines.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of other lines that wait. They are apart: however many there are, they take no room from audit lines.
const MOST_LOG_BYTES: usize = 4 * 1024 * 1024;
/// The room that is kept for an audit line that is to come: most take half of it. Thousands of calls wait for their turn with one.
const RESERVED_BYTES: usize = 2 * 1024;

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineKind {
    /// Has to be kept.
    Audit,
    /// May be lost when nobody reads.
    Log,
}

/// A line, or what is left of it.
pub(super) struct PendingLine {
    kind: LineKind,
    came: Instant,
    /// Its place among all lines.
    number: u64,
    bytes: Vec<u8>,
    written: usize,
}

impl PendingLine {
    /// What is not written yet.
    pub(super) fn rest(&self) -> &[u8] {
        self.bytes.get(self.written..).unwrap_or_default()
    }

    /// So many further bytes are written.
    pub(super) fn advance(&mut self, bytes: usize) {
        self.written = self.written.saturating_add(bytes);
    }
}

/// Lines in their order.
#[derive(Default)]
pub(super) struct LineQueue {
    audit: LinesOfKind,
    log: LinesOfKind,
    next_number: u64,
    /// Of the line that is being written.
    writing: Option<(LineKind, Instant)>,
    failure: Option<String>,
    /// Whether an audit line was lost, and more than half of the room for them is still taken.
    is_losing: bool,
    /// Audit lines that are to come, for which room is kept.
    reserved: usize,
}

#[derive(Default)]
struct LinesOfKind {
    lines: VecDeque<PendingLine>,
    bytes: usize,
    dropped: u64,
}

impl LinesOfKind {
    /// Gives whether there was room.
    fn push(&mut self, line: PendingLine, most: usize) -> bool {
        let bytes = self.bytes.saturating_add(line.bytes.len());
        if bytes > most {
            self.dropped = self.dropped.saturating_add(1);
            return false;
        }
        self.bytes = bytes;
        self.lines.push_back(line);
        true
    }

    fn number(&self) -> Option<u64> {
        self.lines.front().map(|line| line.number)
    }

    fn pop(&mut self) -> Option<PendingLine> {
        let line = self.lines.pop_front()?;
        self.bytes = self.bytes.saturating_sub(line.bytes.len());
        Some(line)
    }

    fn put_back(&mut self, line: PendingLine) {
        self.bytes = self.bytes.saturating_add(line.bytes.len());
        self.lines.push_front(line);
    }
}

impl LineQueue {
    pub(super) fn push(&mut self, kind: LineKind, bytes: Vec<u8>, now: Instant) {
        let line = PendingLine {
            kind,
            came: now,
            number: self.next_number,
            bytes,
            written: 0,
        };
        self.next_number = self.next_number.wrapping_add(1);
        match kind {
            LineKind::Audit => {
                let room = MOST_BYTES.saturating_sub(self.reserved.saturating_mul(RESERVED_BYTES));
                if !self.audit.push(line, room) {
                    self.is_losing = true;
                }
            }
            LineKind::Log => {
                self.log.push(line, MOST_LOG_BYTES);
            }
        }
    }

    /// Keeps room for an audit line that is to come, until [`Self::release`]. Gives whether there is some.
    pub(super) fn reserve(&mut self) -> bool {
        let reserved = self.reserved.saturating_add(1);
        let taken = self
            .audit
            .bytes
            .saturating_add(reserved.saturating_mul(RESERVED_BYTES));
        if taken > MOST_BYTES {
            return false;
        }
        self.reserved = reserved;
        true
    }

    /// The line comes now, or never.
    pub(super) fn release(&mut self) {
        self.reserved = self.reserved.saturating_sub(1);
    }

    /// The next line, which is being written from now on.
    pub(super) fn take(&mut self) -> Option<PendingLine> {
        let is_audit = match (self.audit.number(), self.log.number()) {
            (Some(audit), Some(log)) => audit < log,
            (audit, _) => audit.is_some(),
        };
        let line = if is_audit {
            self.audit.pop()
        } else {
            self.log.pop()
        }?;
        self.writing = Some((line.kind, line.came));
        Some(line)
    }

    /// The line that was taken is written.
    pub(super) fn written(&mut self) {
        self.writing = None;
        self.failure = None;
        if self.audit.bytes <= MOST_BYTES / 2 {
            self.is_losing = false;
        }
    }

    /// It could not be written as a whole, and what is left of it is the next one again.
    pub(super) fn failed(&mut self, line: PendingLine, why: String) {
        self.writing = None;
        match line.kind {
            LineKind::Audit => self.audit.put_back(line),
            LineKind::Log => self.log.put_back(line),
        }
        self.failure = Some(why);
    }

    /// How long the oldest audit line has waited.
    pub(super) fn oldest(&self, now: Instant) -> Duration {
        let written = self.writing.filter(|(kind, _)| *kind == LineKind::Audit);
        let first = self.audit.lines.front().map(|line| line.came);
        let oldest = written.map(|(_, came)| came).or(first);
        oldest.map_or(Duration::ZERO, |came| now.saturating_duration_since(came))
    }

    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Lines of this kind that were lost.
    pub(super) fn dropped(&self, kind: LineKind) -> u64 {
        match kind {
            LineKind::Audit => self.audit.dropped,
            LineKind::Log => self.log.dropped,
        }
    }

    pub(super) fn is_losing(&self) -> bool {
        self.is_losing
    }

    /// Whether nothing waits and nothing is being written.
    pub(super) fn is_written(&self) -> bool {
        self.writing.is_none() && self.audit.lines.is_empty() && self.log.lines.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{LineKind::*, *};

    #[test]
    fn a_line_that_fails_stays_the_first_with_the_time_it_came_at() {
        let (mut queue, began) = (LineQueue::default(), Instant::now());
        let after = |seconds| began + Duration::from_secs(seconds);
        queue.push(Audit, b"one".to_vec(), began);
        queue.push(Audit, b"two".to_vec(), after(5));
        let mut line = queue.take().unwrap();
        line.advance(2);
        queue.failed(line, "no space".to_owned());
        assert_eq!(
            (queue.oldest(after(70)), queue.failure()),
            (Duration::from_secs(70), Some("no space"))
        );
        // What was written of it is not written again.
        for expected in ["e", "two"] {
            assert_eq!(queue.take().unwrap().rest(), expected.as_bytes());
            queue.written();
        }
        assert!(queue.is_written());
        assert_eq!((queue.oldest(after(80)), queue.failure()), (Duration::ZERO, None));
    }

    #[test]
    fn lines_that_are_lost_are_told_until_half_of_the_room_is_free() {
        let (mut queue, now) = (LineQueue::default(), Instant::now());
        for _ in 0..10 {
            queue.push(Audit, vec![b'x'; MOST_BYTES / 8], now);
        }
        assert_eq!((queue.dropped(Audit), queue.is_losing()), (2, true));
        for written in 1..=8 {
            assert!(queue.take().is_some());
            queue.written();
            assert_eq!(queue.is_losing(), written < 4, "{written}");
        }
        assert_eq!(queue.dropped(Audit), 2);
    }

    #[test]
    fn lines_that_are_to_come_find_the_room_that_was_kept() {
        let (mut queue, now) = (LineQueue::default(), Instant::now());
        let mut reserved = 0;
        while queue.reserve() {
            reserved += 1;
            queue.push(Audit, vec![b'x'; RESERVED_BYTES], now);
        }
        assert_eq!(reserved, MOST_BYTES / RESERVED_BYTES / 2);
        // Whoever reserved nothing finds no room.
        queue.push(Audit, b"x".to_vec(), now);
        assert_eq!(queue.dropped(Audit), 1);
        for _ in 0..reserved {
            queue.release();
            queue.push(Audit, vec![b'x'; RESERVED_BYTES], now);
        }
        assert_eq!(queue.dropped(Audit), 1);
        assert!(!queue.reserve());
    }

    #[test]
    fn other_lines_keep_their_order_and_take_no_room_from_audit_lines() {
        let (mut queue, now) = (LineQueue::default(), Instant::now());
        for (kind, line) in [(Log, "a"), (Audit, "b"), (Audit, "c"), (Log, "d"), (Audit, "e")] {
            queue.push(kind, line.into(), now);
        }
        let order: Vec<u8> = std::iter::from_fn(|| queue.take())
            .flat_map(|line| line.rest().to_vec())
            .collect();
        assert_eq!(order, b"abcde");
        queue.written();
        for _ in 0..6 {
            queue.push(Log, vec![b'x'; MOST_LOG_BYTES / 4], now);
        }
        queue.push(Audit, b"audit".to_vec(), now);
        assert_eq!((queue.dropped(Log), queue.dropped(Audit)), (2, 0));
        assert!(!queue.is_losing());
    }
}
