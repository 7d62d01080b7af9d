//! Calls that wait for their turn. Pure.

use std::collections::VecDeque;

use tokio::sync::oneshot::{self, Receiver, Sender};

use super::purpose::CallPurpose;

/// The calls that wait, by purpose, each in the order of asking.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    lines: [Line; CallPurpose::ALL.len()],
}

#[derive(Debug, Default)]
struct Line {
    calls: VecDeque<Sender<()>>,
    /// Calls of other purposes that had their turn since one of these had it, or came to an empty line.
    passed_over: u32,
}

impl Waiting {
    /// A call joins its line. It hears of its turn; dropped before, it is passed over.
    pub(super) fn join(&mut self, purpose: CallPurpose) -> Receiver<()> {
        let (turn, heard) = oneshot::channel();
        if let Some(line) = self.lines.get_mut(purpose.index()) {
            line.forget_those_who_left();
            if line.calls.is_empty() {
                line.passed_over = 0;
            }
            line.calls.push_back(turn);
        }
        heard
    }

    /// Whether a call waits.
    pub(super) fn is_empty(&mut self) -> bool {
        self.next().is_none()
    }

    /// Whose turn it is: a purpose that was passed over as often as it may be, else the most urgent one of which a call waits.
    fn next(&mut self) -> Option<CallPurpose> {
        for line in &mut self.lines {
            line.forget_those_who_left();
        }
        let waits = |purpose: &CallPurpose| {
            let line = self.lines.get(purpose.index());
            line.is_some_and(|line| !line.calls.is_empty())
        };
        let is_due = |purpose: &CallPurpose| {
            let line = self.lines.get(purpose.index());
            purpose
                .others_first()
                .zip(line)
                .is_some_and(|(most, line)| line.passed_over >= most)
        };
        let all = CallPurpose::ALL.into_iter();
        let due = all
            .clone()
            .rev()
            .find(|purpose| waits(purpose) && is_due(purpose));
        due.or_else(|| all.clone().find(waits))
    }

    /// Gives the next call its turn. Gives whether there was one.
    pub(super) fn grant(&mut self) -> bool {
        while let Some(purpose) = self.next() {
            let turn = self
                .lines
                .get_mut(purpose.index())
                .and_then(|line| line.calls.pop_front());
            // Whoever is gone in this moment has no turn, and takes none.
            if turn.is_some_and(|turn| turn.send(()).is_ok()) {
                self.count(purpose);
                return true;
            }
        }
        false
    }

    fn count(&mut self, granted: CallPurpose) {
        for purpose in CallPurpose::ALL {
            if let Some(line) = self.lines.get_mut(purpose.index()) {
                line.passed_over = if purpose == granted || line.calls.is_empty() {
                    0
                } else {
                    line.passed_over.saturating_add(1)
                };
            }
        }
    }
}

impl Line {
    fn forget_those_who_left(&mut self) {
        self.calls.retain(|turn| !turn.is_closed());
    }
}
