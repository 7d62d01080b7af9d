//! What goes wrong, at which call: one sequence for the calls to AWS and those to the API server.

use parking_lot::Mutex;

/// What happens to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trouble {
    /// Refused, and nothing is done.
    Refused,
    /// Too many calls.
    Throttled,
    /// No answer, and nothing was done.
    NotDone,
    /// No answer, and it was done.
    AnswerLost,
    /// What was made before is not known everywhere yet.
    NotYetVisible,
    /// Something else was changed meanwhile.
    Conflict,
    /// The process dies before the call.
    DiesBefore,
    /// The process dies after the call.
    DiesAfter,
}

impl Trouble {
    pub const ALL: [Self; 8] = [
        Self::Refused,
        Self::Throttled,
        Self::NotDone,
        Self::AnswerLost,
        Self::NotYetVisible,
        Self::Conflict,
        Self::DiesBefore,
        Self::DiesAfter,
    ];

    /// For pairs, those after which something else is done: the others are like one of these.
    pub const FEW: [Self; 5] = [
        Self::Refused,
        Self::NotDone,
        Self::AnswerLost,
        Self::NotYetVisible,
        Self::DiesAfter,
    ];

    /// Whether it can happen to such a call, and is not what another one is.
    pub fn can_happen_to(self, call: Call) -> bool {
        match (self, call) {
            // A read changes nothing: its lost answer is one that never came, and dying after it is dying before the next call.
            (Self::AnswerLost | Self::DiesAfter | Self::Conflict, Call::ReadAws | Call::ReadApi) => false,
            // The API server shows to a read what was written before it.
            (Self::NotYetVisible, Call::ReadApi | Call::WriteApi) => false,
            _ => true,
        }
    }

    /// Whether the call is done.
    pub fn is_done(self) -> bool {
        matches!(self, Self::AnswerLost | Self::DiesAfter)
    }
}

/// What kind of call it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    ReadAws,
    WriteAws,
    ReadApi,
    WriteApi,
}

#[derive(Default)]
struct State {
    /// The calls of this history so far.
    calls: Vec<Call>,
    troubles: Vec<(usize, Trouble)>,
    is_dead: bool,
}

/// The calls of a history, and what happens to them.
#[derive(Default)]
pub struct Script(Mutex<State>);

impl Script {
    /// A history begins.
    pub fn begin(&self, troubles: &[(usize, Trouble)]) {
        *self.0.lock() = State {
            troubles: troubles.to_vec(),
            ..State::default()
        };
    }

    /// The next call; what happens to it.
    pub fn next(&self, call: Call) -> Option<Trouble> {
        let mut state = self.0.lock();
        if state.is_dead {
            return Some(Trouble::DiesBefore);
        }
        let index = state.calls.len();
        state.calls.push(call);
        let (_, trouble) = *state.troubles.iter().find(|(at, _)| *at == index)?;
        state.is_dead = matches!(trouble, Trouble::DiesBefore | Trouble::DiesAfter);
        Some(trouble)
    }

    /// The calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.0.lock().calls.clone()
    }

    /// Whether the process has died; it lives again from now on.
    pub fn revive(&self) -> bool {
        std::mem::take(&mut self.0.lock().is_dead)
    }
}
