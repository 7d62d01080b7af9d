//! Sets of statements.

/// Sets of statements: the branches of a case distinction.
#[derive(Debug)]
pub(super) struct Branches {
    lists: Vec<Vec<usize>>,
    /// One more than the largest index.
    until: usize,
}

impl Branches {
    pub(super) fn new(lists: impl Iterator<Item = Vec<usize>>) -> Self {
        let lists: Vec<Vec<usize>> = lists.collect();
        let until = lists
            .iter()
            .flatten()
            .max()
            .map_or(0, |max| max.saturating_add(1));
        Self { lists, until }
    }

    /// How many statements are listed.
    pub(super) fn size(&self) -> usize {
        self.lists.iter().map(|list| 1 + list.len()).sum()
    }

    pub(super) fn has_empty(&self) -> bool {
        self.lists.iter().any(Vec::is_empty)
    }

    /// Whether some branch keeps no more than was kept.
    pub(super) fn allow(&self, kept: impl Iterator<Item = usize>) -> bool {
        // A certificate may name any number; there are not more statements than this.
        let mut is_kept = vec![false; self.until.min(1 << 20)];
        for i in kept {
            if let Some(kept) = is_kept.get_mut(i) {
                *kept = true;
            }
        }
        let has = |i: &usize| is_kept.get(*i).copied().unwrap_or(false);
        self.lists.iter().any(|list| list.iter().all(has))
    }
}
