//! What was written lately, so that it is not written again and again. Bounded.

use std::{collections::HashMap, hash::Hash, time::Duration};

use tokio::time::Instant;

/// How often each of a bounded number of things was written in the present minute.
pub(crate) struct RecentLines<K> {
    began: Instant,
    lines: HashMap<K, u32>,
    /// Things that are told apart.
    most: usize,
}

const MINUTE: Duration = Duration::from_secs(60);

impl<K: Eq + Hash> RecentLines<K> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            began: Instant::now(),
            lines: HashMap::new(),
            most,
        }
    }

    /// Whether a further line about `what` may be written now, of at most so many a minute. `None`: it is not told apart from others, for
    /// there are too many.
    pub(crate) fn may_write(&mut self, what: K, at_most: u32) -> Option<bool> {
        if self.began.elapsed() >= MINUTE {
            self.lines.clear();
            self.began = Instant::now();
        }
        if self.lines.len() >= self.most && !self.lines.contains_key(&what) {
            return None;
        }
        Some(self.may_write_of_all(what, at_most))
    }

    /// The same of something of which there are few: there is always room for it.
    pub(crate) fn may_write_of_all(&mut self, what: K, at_most: u32) -> bool {
        let lines = self.lines.entry(what).or_default();
        *lines = lines.saturating_add(1);
        *lines <= at_most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_lines_a_minute_of_each_and_of_so_many_at_most() {
        let mut recent = RecentLines::new(2);
        for expected in [true, true, false, false] {
            assert_eq!(recent.may_write("a", 2), Some(expected));
        }
        assert_eq!(recent.may_write("b", 2), Some(true));
        assert_eq!(recent.may_write("c", 2), None);
        tokio::time::advance(MINUTE).await;
        assert_eq!(recent.may_write("c", 2), Some(true));
        assert_eq!(recent.may_write("a", 2), Some(true));
        assert_eq!(recent.may_write("b", 2), None);
    }
}
