//! Where a key waits: how urgent it is, and whose it is.

use deputy_delegation::{NamespaceName, ObjectName};

/// How urgent a key is, the most urgent first. Each has workers of its own, so none waits for another one's; whose calls to AWS come
/// first says the call budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Something is to be taken away: a grant is refused, or its object goes.
    Revoke,
    /// Something changed.
    Change,
    /// It is time to look.
    Routine,
}

impl Lane {
    /// All of them, the most urgent one first.
    pub const ALL: [Self; 3] = [Self::Revoke, Self::Change, Self::Routine];

    /// A short word for metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revoke => "revoke",
            Self::Change => "change",
            Self::Routine => "routine",
        }
    }
}

/// A number for each lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerLane {
    pub revoke: usize,
    pub change: usize,
    pub routine: usize,
}

impl PerLane {
    #[must_use]
    pub fn get(&self, lane: Lane) -> usize {
        match lane {
            Lane::Revoke => self.revoke,
            Lane::Change => self.change,
            Lane::Routine => self.routine,
        }
    }

    pub(super) fn at(&mut self, lane: Lane) -> &mut usize {
        match lane {
            Lane::Revoke => &mut self.revoke,
            Lane::Change => &mut self.change,
            Lane::Routine => &mut self.routine,
        }
    }

    #[must_use]
    pub fn sum(&self) -> usize {
        self.revoke + self.change + self.routine
    }
}

/// Whose a key is: of which AWSAccount, which may be slow or away, and of which namespace, which may have very much to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    /// `None` when nothing of it is in AWS, or the account is not known.
    pub account: Option<ObjectName>,
    /// `None` for what is of the whole cluster.
    pub namespace: Option<NamespaceName>,
}

impl Place {
    /// Of an account, and of the whole cluster.
    #[must_use]
    pub fn of_account(account: &ObjectName) -> Self {
        Self {
            account: Some(account.clone()),
            namespace: None,
        }
    }

    /// Of a namespace, without anything in AWS.
    #[must_use]
    pub fn of_namespace(namespace: &NamespaceName) -> Self {
        Self {
            account: None,
            namespace: Some(namespace.clone()),
        }
    }
}

/// How much may be in hand at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workers {
    /// In each lane of one account.
    pub of_account: PerLane,
    /// In all. One key of each lane of each account may be in hand beyond that, so that no number of accounts that are away keeps the
    /// others from being served.
    pub shared: usize,
}

impl Workers {
    /// For a kind that makes many calls to AWS. With 256 accounts no more than 64 + 3 × 256 tasks.
    pub const AWS: Self = Self {
        of_account: PerLane {
            revoke: 4,
            change: 4,
            routine: 2,
        },
        shared: 64,
    };

    /// So many in each lane, and in all.
    #[must_use]
    pub const fn each(count: usize) -> Self {
        Self {
            of_account: PerLane {
                revoke: count,
                change: count,
                routine: count,
            },
            shared: count,
        }
    }
}
