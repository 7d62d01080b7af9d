//! What a call to AWS is made for, which says whose turn comes first.

use std::time::Duration;

use deputy_delegation::plan::Nature;

/// What a call is made for: the call itself, or the reads that a write rests on. In the order in which waiting calls have their turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallPurpose {
    /// Something is taken away: a suspension, a deletion, a narrower policy.
    Revoke,
    /// Something is given, or changed.
    Provision,
    /// Nothing is known to have changed: it was time to look.
    Look,
}

impl CallPurpose {
    /// All of them, the most urgent one first.
    pub const ALL: [Self; 3] = [Self::Revoke, Self::Provision, Self::Look];

    /// A short word for metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revoke => "revoke",
            Self::Provision => "provision",
            Self::Look => "look",
        }
    }

    /// How long a call may wait for its turn, all its attempts together. A write that waits longer fails, and is planned anew from
    /// what AWS has then.
    #[must_use]
    pub fn patience(self) -> Duration {
        Duration::from_secs(30)
    }

    /// What a write is made for that comes of this: whatever was looked at, a write is no look.
    #[must_use]
    pub fn of_write(self) -> Self {
        self.min(Self::Provision)
    }

    /// The most calls of other purposes that have their turn while one of these waits: no purpose starves for ever. `None` for the most
    /// urgent one, before which the others come by their shares alone.
    ///
    /// Looks keep a 20th of the calls: they find what somebody changed by hand in AWS, which may be a trust policy that was opened, and
    /// an account where changes never end must not be without them. What gives keeps a 10th: whoever suspends grants without end must
    /// not keep everybody else from being served. So what takes away has at least 17 calls in 20.
    #[must_use]
    pub(super) fn others_first(self) -> Option<u32> {
        match self {
            Self::Revoke => None,
            Self::Provision => Some(9),
            Self::Look => Some(19),
        }
    }

    pub(super) fn index(self) -> usize {
        match self {
            Self::Revoke => 0,
            Self::Provision => 1,
            Self::Look => 2,
        }
    }
}

impl From<Nature> for CallPurpose {
    fn from(nature: Nature) -> Self {
        match nature {
            Nature::Shrinks => Self::Revoke,
            Nature::Grows => Self::Provision,
            Nature::Cosmetic => Self::Look,
        }
    }
}
