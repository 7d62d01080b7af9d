//! A counter of glob-position updates, so that adversarial patterns end in a bounded time.

/// Work that may still be done. When it is used up every question is answered "no", and the asker must look at
/// [`Work::exhausted`] before trusting an answer.
#[derive(Debug)]
pub(crate) struct Work {
    left: u64,
}

impl Work {
    /// At most this many position updates.
    pub(crate) fn limited(updates: u64) -> Self {
        Self { left: updates }
    }

    /// No limit, for single evaluations whose inputs are small.
    pub(crate) fn unlimited() -> Self {
        Self { left: u64::MAX }
    }

    /// Takes one update; false when none is left.
    pub(crate) fn step(&mut self) -> bool {
        self.charge(1)
    }

    /// Takes so many updates; false when not enough are left.
    pub(crate) fn charge(&mut self, updates: usize) -> bool {
        self.left = self
            .left
            .saturating_sub(u64::try_from(updates).unwrap_or(u64::MAX));
        self.left > 0
    }

    /// Leaves no more than so much.
    pub(crate) fn cut(&mut self, most: u64) {
        self.left = self.left.min(most);
    }

    /// A part of what is left, at most so much. What is left of it is to be given back.
    pub(crate) fn take(&mut self, most: u64) -> Self {
        let part = self.left.min(most);
        self.left -= part;
        Self::limited(part)
    }

    /// Takes back a part.
    pub(crate) fn give_back(&mut self, part: Self) {
        self.left = self.left.saturating_add(part.left);
    }

    /// Whether the limit was reached; answers given since then mean nothing.
    pub(crate) fn exhausted(&self) -> bool {
        self.left == 0
    }
}
