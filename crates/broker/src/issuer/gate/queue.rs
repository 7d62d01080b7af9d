//! Calls that wait for one endpoint. Pure.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

use deputy_delegation::{NamespaceName, people::UserName};

/// What a call is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallUrgency {
    /// Somebody has no session yet.
    First,
    /// There is a session; this makes the next one.
    Renewal,
}

/// In whose share a call counts, or a session that is kept. Of those who wait each has a turn before any of them has its second.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CallParty {
    /// Pods of a namespace.
    Namespace(NamespaceName),
    /// A person, of whatever namespace.
    Person(UserName),
    /// People, whoever they are: of what is kept they have the share of one namespace together.
    People,
    /// The broker itself, which asks who it is.
    Broker,
}

impl CallParty {
    pub(super) fn is_people(&self) -> bool {
        matches!(self, Self::Person(_) | Self::People)
    }
}

/// First requests that have their turn while a renewal waits, at most: a flood of them must not let sessions end that are in use.
const FIRST_BEFORE_RENEWAL: u32 = 15;

/// Waiting calls: first requests before renewals, and of each kind whom they are for in turn.
pub(super) struct FairQueue<P, T> {
    first: Line<P, T>,
    renewals: Line<P, T>,
    /// First requests that had their turn since a renewal had one, or none waited.
    passed_over: u32,
    capacity: usize,
}

struct Line<P, T> {
    calls: HashMap<P, VecDeque<T>>,
    /// Who waits, in the order of their turns.
    turns: VecDeque<P>,
    len: usize,
}

impl<P: Clone + Eq + Hash, T> FairQueue<P, T> {
    /// Of either kind at most `capacity` wait.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            first: Line::default(),
            renewals: Line::default(),
            passed_over: 0,
            capacity,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.first.len + self.renewals.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes room for a further call: when there is none, whoever `is_gone` goes.
    pub(super) fn make_room(&mut self, urgency: CallUrgency, is_gone: impl Fn(&T) -> bool) {
        let capacity = self.capacity;
        let line = match urgency {
            CallUrgency::First => &mut self.first,
            CallUrgency::Renewal => &mut self.renewals,
        };
        if line.len >= capacity {
            line.forget(is_gone);
        }
    }

    /// A call joins. When there is no room, the newest call of whoever has the most waiting gives way, and is returned: it may be this one.
    pub(super) fn push(&mut self, urgency: CallUrgency, who: &P, call: T) -> Option<T> {
        let capacity = self.capacity;
        let line = match urgency {
            CallUrgency::First => &mut self.first,
            CallUrgency::Renewal => &mut self.renewals,
        };
        if line.len < capacity {
            line.push(who, call);
            return None;
        }
        let own = line.calls.get(who).map_or(0, VecDeque::len);
        match line.longest() {
            Some((longest, waiting)) if waiting > own + 1 => {
                let gives_way = line.pop_newest(&longest);
                line.push(who, call);
                gives_way
            }
            _ => Some(call),
        }
    }

    /// The next call of those whose turn may be now.
    pub(super) fn pop(&mut self, may: impl Fn(CallUrgency, &P) -> bool) -> Option<(CallUrgency, P, T)> {
        let renewal_is_due = self.passed_over >= FIRST_BEFORE_RENEWAL;
        let order = if renewal_is_due {
            [CallUrgency::Renewal, CallUrgency::First]
        } else {
            [CallUrgency::First, CallUrgency::Renewal]
        };
        for urgency in order {
            let line = match urgency {
                CallUrgency::First => &mut self.first,
                CallUrgency::Renewal => &mut self.renewals,
            };
            let Some((who, call)) = line.pop(|who| may(urgency, who)) else {
                continue;
            };
            self.passed_over = match urgency {
                CallUrgency::First if self.renewals.len > 0 => self.passed_over.saturating_add(1),
                _ => 0,
            };
            return Some((urgency, who, call));
        }
        None
    }

    /// All that wait.
    pub(super) fn drain(&mut self) -> Vec<T> {
        self.passed_over = 0;
        let lines = [
            std::mem::take(&mut self.first),
            std::mem::take(&mut self.renewals),
        ];
        lines
            .into_iter()
            .flat_map(|line| line.calls.into_values().flatten())
            .collect()
    }
}

impl<P, T> Default for Line<P, T> {
    fn default() -> Self {
        Self {
            calls: HashMap::new(),
            turns: VecDeque::new(),
            len: 0,
        }
    }
}

impl<P: Clone + Eq + Hash, T> Line<P, T> {
    fn push(&mut self, who: &P, call: T) {
        let calls = self.calls.entry(who.clone()).or_default();
        if calls.is_empty() {
            self.turns.push_back(who.clone());
        }
        calls.push_back(call);
        self.len += 1;
    }

    fn forget(&mut self, is_gone: impl Fn(&T) -> bool) {
        for calls in self.calls.values_mut() {
            calls.retain(|call| !is_gone(call));
        }
        self.calls.retain(|_, calls| !calls.is_empty());
        self.turns.retain(|waits| self.calls.contains_key(waits));
        self.len = self.calls.values().map(VecDeque::len).sum();
    }

    fn longest(&self) -> Option<(P, usize)> {
        let lengths = self.calls.iter().map(|(who, calls)| (who, calls.len()));
        let longest = lengths.max_by_key(|(_, length)| *length);
        longest.map(|(who, length)| (who.clone(), length))
    }

    fn pop_newest(&mut self, who: &P) -> Option<T> {
        let call = self.calls.get_mut(who).and_then(VecDeque::pop_back)?;
        self.taken(who);
        Some(call)
    }

    /// The oldest call of the first in turn who may; they are the last in turn then.
    fn pop(&mut self, may: impl Fn(&P) -> bool) -> Option<(P, T)> {
        let at = self.turns.iter().position(may)?;
        let who = self.turns.remove(at)?;
        let call = self.calls.get_mut(&who).and_then(VecDeque::pop_front)?;
        self.turns.push_back(who.clone());
        self.taken(&who);
        Some((who, call))
    }

    /// One call of theirs is gone.
    fn taken(&mut self, who: &P) {
        self.len = self.len.saturating_sub(1);
        if self.calls.get(who).is_none_or(VecDeque::is_empty) {
            self.calls.remove(who);
            self.turns.retain(|waits| waits != who);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(namespace: &str) -> CallParty {
        CallParty::Namespace(NamespaceName::new(namespace).unwrap())
    }

    fn order(queue: &mut FairQueue<CallParty, String>) -> Vec<String> {
        std::iter::from_fn(|| queue.pop(|_, _| true))
            .map(|(_, _, call)| call)
            .collect()
    }

    #[test]
    fn namespaces_have_their_turns_one_after_the_other() {
        let mut queue = FairQueue::new(100);
        for n in 0..3 {
            queue.push(CallUrgency::First, &of("many"), format!("many{n}"));
        }
        for who in ["few", "one"] {
            queue.push(CallUrgency::First, &of(who), who.to_owned());
        }
        assert_eq!(order(&mut queue), ["many0", "few", "one", "many1", "many2"]);
        assert!(queue.is_empty());
    }

    #[test]
    fn first_requests_come_before_renewals_which_do_not_starve() {
        let mut queue = FairQueue::new(100);
        queue.push(CallUrgency::Renewal, &of("a"), "renewal".to_owned());
        for n in 0..20 {
            queue.push(CallUrgency::First, &of("a"), n.to_string());
        }
        let order = order(&mut queue);
        assert_eq!(
            order.iter().position(|call| call == "renewal"),
            Some(15),
            "{order:?}"
        );
    }

    #[test]
    fn when_there_is_no_room_whoever_has_most_gives_way() {
        let mut queue = FairQueue::new(4);
        for n in 0..4 {
            assert_eq!(
                queue.push(CallUrgency::First, &of("many"), format!("many{n}")),
                None
            );
        }
        let refused = queue.push(CallUrgency::First, &of("many"), "many4".to_owned());
        assert_eq!(refused.as_deref(), Some("many4"));
        let gives_way = queue.push(CallUrgency::First, &of("few"), "few".to_owned());
        assert_eq!(gives_way.as_deref(), Some("many3"));
        // Renewals have room of their own.
        assert_eq!(
            queue.push(CallUrgency::Renewal, &of("few"), "renewal".to_owned()),
            None
        );
        assert_eq!(order(&mut queue), ["many0", "few", "many1", "many2", "renewal"]);
    }

    #[test]
    fn who_may_not_now_keeps_their_place() {
        let mut queue = FairQueue::new(4);
        queue.push(CallUrgency::First, &CallParty::People, "person".to_owned());
        queue.push(CallUrgency::First, &of("a"), "pod".to_owned());
        let next = queue.pop(|_, who| *who != CallParty::People);
        assert_eq!(next.map(|(_, _, call)| call).as_deref(), Some("pod"));
        assert_eq!(queue.drain(), ["person"]);
        assert!(queue.is_empty());
    }

    #[test]
    fn who_is_gone_takes_no_room() {
        let mut queue = FairQueue::new(3);
        for who in ["a", "b", "a"] {
            queue.push(CallUrgency::First, &of(who), who.to_owned());
        }
        queue.make_room(CallUrgency::First, |call| call == "a");
        assert_eq!(queue.len(), 1);
        let new = CallUrgency::First;
        assert_eq!(queue.push(new, &of("c"), "c".to_owned()), None);
        queue.make_room(CallUrgency::First, |call| call == "b");
        assert_eq!(queue.len(), 2, "there is room");
        assert_eq!(order(&mut queue), ["b", "c"]);
    }
}
