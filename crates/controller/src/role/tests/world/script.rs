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
    /// It is done, and what is being done is superseded: something more urgent came in.
    Superseded,
}

impl Trouble {
    pub const ALL: [Self; 9] = [
        Self::Refused,
        Self::Throttled,
        Self::NotDone,
        Self::AnswerLost,
        Self::NotYetVisible,
        Self::Conflict,
        Self::DiesBefore,
        Self::DiesAfter,
        Self::Superseded,
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
            // It is noticed between calls to AWS; before the first one nothing was done.
            (Self::Superseded, Call::ReadAws | Call::ReadApi | Call::WriteApi) => false,
            _ => true,
        }
    }

    /// Whether the call is done.
    pub fn is_done(self) -> bool {
        matches!(self, Self::AnswerLost | Self::DiesAfter | Self::Superseded)
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
    /// What happens to the first call of this kind.
    first: Option<(Call, Trouble)>,
    is_dead: bool,
}

/// Supersedes what is being done.
type Supersede = Box<dyn Fn() + Send + Sync>;

/// The calls of a history, and what happens to them.
#[derive(Default)]
pub struct Script {
    state: Mutex<State>,
    supersede: Mutex<Option<Supersede>>,
}

impl Script {
    /// A history begins.
    pub fn begin(&self, troubles: &[(usize, Trouble)]) {
        *self.state.lock() = State {
            troubles: troubles.to_vec(),
            ..State::default()
        };
    }

    /// A history begins, with this at the first call of its kind.
    pub fn begin_with(&self, first: Option<(Call, Trouble)>) {
        *self.state.lock() = State {
            first,
            ..State::default()
        };
    }

    /// The next call; what happens to it.
    pub fn next(&self, call: Call) -> Option<Trouble> {
        let mut state = self.state.lock();
        if state.is_dead {
            return Some(Trouble::DiesBefore);
        }
        let index = state.calls.len();
        state.calls.push(call);
        let planned = state.troubles.iter().find(|(at, _)| *at == index).copied();
        let first = state.first.take_if(|(kind, _)| *kind == call);
        let (_, trouble) = planned.map(|(_, trouble)| (call, trouble)).or(first)?;
        state.is_dead = matches!(trouble, Trouble::DiesBefore | Trouble::DiesAfter);
        Some(trouble)
    }

    /// This supersedes what is being done from now on.
    pub fn superseded_by(&self, supersede: impl Fn() + Send + Sync + 'static) {
        *self.supersede.lock() = Some(Box::new(supersede));
    }

    /// Something more urgent came in.
    pub fn supersede(&self) {
        if let Some(supersede) = &*self.supersede.lock() {
            supersede();
        }
    }

    /// The calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.state.lock().calls.clone()
    }

    /// Whether the process has died; it lives again from now on.
    pub fn revive(&self) -> bool {
        std::mem::take(&mut self.state.lock().is_dead)
    }
}
