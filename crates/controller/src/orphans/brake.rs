//! *Brake*: how many roles of an account are deleted in a while, for whatever reason. Pure but for the lock, and what time it is.
//!
//! Many deletions at once are what an accident looks like from here: a definition that was deleted, a pipeline that prunes what it should not. A
//! role that is deleted and made again is another one to whoever names it, so those beyond a few are shut and left (`role/left.rs`). What
//! counts is in memory: a process that begins counts anew.

use std::{collections::HashMap, time::Duration};

use deputy_delegation::{ObjectName, model::RoleId};
use parking_lot::Mutex;
use tokio::{sync::MutexGuard, time::Instant};

use super::sweep::MOST;

/// A deletion counts for so long.
pub const WITHIN: Duration = Duration::from_secs(600);
/// Of so many roles that have objects one may go, where that is more than [`MOST`].
const SHARE: usize = 10;

/// What counts of the deletions in each account.
pub struct DeletionBrake {
    windows: Mutex<HashMap<ObjectName, Window>>,
    most: usize,
    noting: tokio::sync::Mutex<()>,
}

impl Default for DeletionBrake {
    fn default() -> Self {
        Self::of(MOST)
    }
}

/// How an attempt to delete a role ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletionEnd {
    /// The role is gone.
    Gone,
    /// AWS refused for good to delete it: it is there, with the id that it has.
    Refused,
    /// What has become of it is not known.
    Unknown,
}

/// A deletion that may go on. Dropped, what has become of it is not known.
pub struct DeletionTurn<'a> {
    brake: &'a DeletionBrake,
    account: ObjectName,
    id: RoleId,
    is_over: bool,
}

impl DeletionBrake {
    /// Lets so many go in place of [`MOST`].
    #[must_use]
    pub fn of(most: usize) -> Self {
        Self {
            windows: Mutex::default(),
            most,
            noting: tokio::sync::Mutex::default(),
        }
    }

    /// How many go in a while where so many roles have objects.
    #[must_use]
    pub fn most(&self, roles: usize) -> usize {
        self.most.max(roles / SHARE)
    }

    /// Asks for the turn to delete a role, where at most so many go in a while. `None`: it is not deleted now.
    #[must_use]
    pub fn turn(&self, account: &ObjectName, id: &RoleId, most: usize) -> Option<DeletionTurn<'_>> {
        let mut windows = self.windows.lock();
        let window = windows.entry(account.clone()).or_default();
        window.admits(id, most, Instant::now()).then(|| DeletionTurn {
            brake: self,
            account: account.clone(),
            id: id.clone(),
            is_over: false,
        })
    }

    /// A write of a deletion that has its turn begins. Until then it is none: there may be no such role.
    pub fn writes(&self, account: &ObjectName, id: &RoleId) {
        if let Some(window) = self.windows.lock().get_mut(account) {
            window.writes(id);
        }
    }

    /// The turn to note down what is left: one after the other, since it is one status of an account.
    pub async fn turn_to_note(&self) -> MutexGuard<'_, ()> {
        self.noting.lock().await
    }
}

impl DeletionTurn<'_> {
    pub fn end(mut self, end: DeletionEnd) {
        self.ended(end);
    }

    fn ended(&mut self, end: DeletionEnd) {
        if let Some(window) = self.brake.windows.lock().get_mut(&self.account) {
            window.ended(&self.id, end, Instant::now());
        }
        self.is_over = true;
    }
}

impl Drop for DeletionTurn<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.ended(DeletionEnd::Unknown);
        }
    }
}

/// What counts of the deletions in one account.
#[derive(Debug, Default)]
struct Window {
    /// Those that are not known to be over.
    begun: HashMap<RoleId, BegunDeletion>,
    /// When others were over.
    over: Vec<Instant>,
}

#[derive(Debug)]
struct BegunDeletion {
    /// When it had its turn, or later: when it was last tried, and what became of that is not known.
    since: Instant,
    is_in_hand: bool,
    has_written: bool,
}

impl Window {
    /// Whether this one may go on. One that has begun may, without counting again, for as long as it counts.
    fn admits(&mut self, id: &RoleId, most: usize, now: Instant) -> bool {
        let counts = |since: Instant| now.saturating_duration_since(since) < WITHIN;
        self.begun
            .retain(|_, begun| begun.is_in_hand || counts(begun.since));
        self.over.retain(|over| counts(*over));
        let counted = self.begun.len() + self.over.len();
        if let Some(begun) = self.begun.get_mut(id) {
            begun.is_in_hand = true;
            return true;
        }
        let admits = counted < most;
        if admits {
            let begun = BegunDeletion {
                since: now,
                is_in_hand: true,
                has_written: false,
            };
            self.begun.insert(id.clone(), begun);
        }
        admits
    }

    fn writes(&mut self, id: &RoleId) {
        if let Some(begun) = self.begun.get_mut(id) {
            begun.has_written = true;
        }
    }

    fn ended(&mut self, id: &RoleId, end: DeletionEnd, now: Instant) {
        let Some(begun) = self.begun.get_mut(id) else {
            return;
        };
        begun.is_in_hand = false;
        let has_written = begun.has_written;
        match end {
            // It may have been done. AWS not having answered is no reason to count less.
            DeletionEnd::Unknown if has_written => begun.since = now,
            // What AWS refuses for ever does not keep others from their turn for ever.
            DeletionEnd::Refused if has_written => {}
            DeletionEnd::Gone if has_written => {
                self.begun.remove(id);
                self.over.push(now);
            }
            // Nothing of it was ever there, or nothing was done about it.
            _ => {
                self.begun.remove(id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::role_of;

    const MINUTE: Duration = Duration::from_secs(60);

    /// One deletion after the other, and when each may begin, by the minute. Each goes at once.
    #[test]
    fn so_many_go_in_a_while_and_one_more_when_the_first_is_long_enough_ago() {
        let start = Instant::now();
        for (most, minutes, admitted) in [
            (2, vec![0, 0, 0], vec![true, true, false]),
            (2, vec![0, 5, 9, 10, 11], vec![true, true, false, true, false]),
            (0, vec![0], vec![false]),
            // More are accepted, or there are more roles.
            (4, vec![0, 0, 0, 0, 0], vec![true, true, true, true, false]),
        ] {
            let mut window = Window::default();
            let found: Vec<bool> = minutes
                .iter()
                .enumerate()
                .map(|(number, minute)| {
                    let (id, now) = (role_of(&format!("role-{number}")), start + MINUTE * *minute);
                    let admits = window.admits(&id, most, now);
                    window.writes(&id);
                    window.ended(&id, DeletionEnd::Gone, now);
                    admits
                })
                .collect();
            assert_eq!(found, admitted, "{most} {minutes:?}");
        }
    }

    #[test]
    fn the_share_is_a_tenth_where_that_is_more() {
        let brake = DeletionBrake::default();
        for (roles, most) in [(0, 10), (25, 10), (109, 10), (110, 11), (10_000, 1000)] {
            assert_eq!(brake.most(roles), most, "{roles}");
        }
    }

    /// How the first one ended, whether something of it was written, and after how many minutes another one may go.
    #[test]
    fn what_did_not_end_counts_as_long_as_it_may_have_been_done() {
        let (one, other) = (role_of("one"), role_of("other"));
        for (ended, has_written, free_after) in [
            (None, false, None),
            (None, true, None),
            (Some(DeletionEnd::Gone), true, Some(15)),
            (Some(DeletionEnd::Unknown), true, Some(15)),
            (Some(DeletionEnd::Refused), true, Some(10)),
            // There was no such role.
            (Some(DeletionEnd::Gone), false, Some(5)),
            (Some(DeletionEnd::Unknown), false, Some(5)),
            (Some(DeletionEnd::Refused), false, Some(5)),
        ] {
            let start = Instant::now();
            let first = (0..60).find(|minute| {
                let mut window = Window::default();
                assert!(window.admits(&one, 1, start));
                if has_written {
                    window.writes(&one);
                }
                if let Some(end) = ended.filter(|_| *minute >= 5) {
                    window.ended(&one, end, start + 5 * MINUTE);
                }
                window.admits(&other, 1, start + *minute * MINUTE)
            });
            assert_eq!(first, free_after, "{ended:?} {has_written}");
        }
    }

    #[test]
    fn one_that_has_begun_goes_on_and_counts_once() {
        let (one, other, start) = (role_of("one"), role_of("other"), Instant::now());
        let mut window = Window::default();
        for minute in 0..10 {
            assert!(window.admits(&one, 1, start + minute * MINUTE));
            window.writes(&one);
            window.ended(&one, DeletionEnd::Refused, start + minute * MINUTE);
            assert!(!window.admits(&other, 1, start + minute * MINUTE));
        }
        // Its time is over: whoever comes first has the turn.
        assert!(window.admits(&other, 1, start + 10 * MINUTE));
        assert!(!window.admits(&one, 1, start + 10 * MINUTE));
        // The same name again, after it is gone, is another role.
        window.writes(&other);
        window.ended(&other, DeletionEnd::Gone, start + 10 * MINUTE);
        assert!(!window.admits(&other, 1, start + 11 * MINUTE));
    }
}
