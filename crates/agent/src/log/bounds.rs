//! How many lines one of many may cause: whoever has a log to himself floods himself alone, and the agent of a node has one for all pods.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// For how long lines of one kind are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Most lines of one kind in [`WINDOW`].
const LINES: u32 = 8;
/// Most kinds that are counted at a time: some for each of the pods that fit on a node. Others wait until there is room.
const MAX_KINDS: usize = 4096;

/// When there is no room, how often it is looked for.
const LOOK: Duration = Duration::from_secs(1);

/// Counts lines. A kind is what `pass` is given: who, the event, and its code.
#[derive(Default)]
pub(super) struct LineBounds(Mutex<Kinds>);

#[derive(Default)]
struct Kinds {
    windows: HashMap<String, Window>,
    /// When room was looked for last.
    looked: Option<Instant>,
}

struct Window {
    since: Instant,
    lines: u32,
    left_out: u64,
}

impl LineBounds {
    /// Whether a line of `kind` may be written; then, how many were left out since the last one.
    pub(super) fn pass(&self, kind: String) -> Option<u64> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !kinds.has_room(&kind) {
            return None;
        }
        let window = kinds.windows.entry(kind).or_insert_with(Window::new);
        let mut left_out = 0;
        if window.since.elapsed() >= WINDOW {
            left_out = window.left_out;
            *window = Window::new();
        }
        if window.lines >= LINES {
            window.left_out = window.left_out.saturating_add(1);
            return None;
        }
        window.lines = window.lines.saturating_add(1);
        Some(left_out)
    }
}

impl Kinds {
    fn has_room(&mut self, kind: &str) -> bool {
        if self.windows.len() < MAX_KINDS || self.windows.contains_key(kind) {
            return true;
        }
        // Not for each line of a flood.
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return false;
        }
        self.looked = Some(Instant::now());
        self.windows.retain(|_, window| window.since.elapsed() < WINDOW);
        self.windows.len() < MAX_KINDS
    }
}

impl Window {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            lines: 0,
            left_out: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_lines_of_one_kind_in_a_minute_pass_and_the_others_are_counted() {
        let bounds = LineBounds::default();
        let passed = |kind: &str, tries: u32| {
            let passed = (0..tries).filter_map(|_| bounds.pass(kind.to_owned()));
            passed.collect::<Vec<u64>>()
        };
        assert_eq!(passed("a", 100), [0; 8]);
        assert_eq!(passed("b", 1), [0], "another one's are not counted with it");
        tokio::time::sleep(WINDOW).await;
        assert_eq!(passed("a", 100), [92, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn kinds_that_somebody_makes_up_take_bounded_room() {
        let bounds = LineBounds::default();
        let passed = |from: usize| (from..from + 10_000).filter_map(|kind| bounds.pass(kind.to_string()));
        assert_eq!(passed(0).count(), MAX_KINDS);
        assert_eq!(bounds.0.lock().unwrap().windows.len(), MAX_KINDS);
        tokio::time::sleep(WINDOW).await;
        assert_eq!(passed(10_000).count(), MAX_KINDS);
    }
}
