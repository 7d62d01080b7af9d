//! Types and reasons of the conditions in `status`, and how one is written.
//!
//! The types and reasons are a contract: alerts and `kubectl wait` are built on them. They follow the conventions of
//! Kubernetes and kstatus: `Ready` sums up, `observedGeneration` says what it was found on, and `lastTransitionTime`
//! moves only when `status` does.

mod words;

use std::fmt;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

pub use self::words::{ConditionReason, ConditionType, Status};

/// The longest message, in characters. The API takes 32,768 bytes; nobody reads as much.
pub const MAX_MESSAGE_CHARS: usize = 4096;

/// Writes conditions that were all found on one generation of an object, at one moment.
#[derive(Debug)]
pub struct Conditions<'a> {
    conditions: &'a mut Vec<Condition>,
    generation: Option<i64>,
    now: Timestamp,
}

impl<'a> Conditions<'a> {
    /// Writes into `conditions`, as found on `generation` (`metadata.generation`) at `now`.
    pub fn new(conditions: &'a mut Vec<Condition>, generation: Option<i64>, now: Timestamp) -> Self {
        Self {
            conditions,
            generation,
            now,
        }
    }

    /// Sets a condition, adding it if it is not there. `lastTransitionTime` stays unless `status` changes, so that
    /// what is written again is equal. Returns whether anything changed.
    ///
    /// A message of more than [`MAX_MESSAGE_CHARS`] characters is cut.
    pub fn set(
        &mut self,
        type_: ConditionType,
        status: Status,
        reason: ConditionReason,
        message: impl fmt::Display,
    ) -> bool {
        let condition = Condition {
            type_: type_.to_string(),
            status: status.to_string(),
            reason: reason.to_string(),
            message: cut(message.to_string()),
            observed_generation: self.generation,
            last_transition_time: Time(self.now),
        };
        put(self.conditions, condition)
    }
}

impl Conditions<'_> {
    /// Takes a condition away that has no meaning for the object any more.
    pub fn remove(&mut self, type_: ConditionType) {
        self.conditions.retain(|c| c.type_ != type_.as_str());
    }
}

fn put(conditions: &mut Vec<Condition>, mut new: Condition) -> bool {
    let Some(old) = conditions.iter_mut().find(|c| c.type_ == new.type_) else {
        conditions.push(new);
        return true;
    };
    if old.status == new.status {
        new.last_transition_time = old.last_transition_time.clone();
    }
    let changed = *old != new;
    *old = new;
    changed
}

/// The condition of a type.
#[must_use]
pub fn find(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|c| c.type_ == type_.as_str())
}

/// Whether the condition of a type is `True`. Absent is not true.
#[must_use]
pub fn is_true(conditions: &[Condition], type_: ConditionType) -> bool {
    find(conditions, type_).is_some_and(|c| c.status == Status::True.as_str())
}

fn cut(message: String) -> String {
    match message.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((end, _)) => format!("{} … (cut)", message.get(..end).unwrap_or_default()),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_transition_time_moves_only_with_the_status() {
        use {ConditionReason as Why, ConditionType::Ready};
        let mut conditions = Vec::new();
        let mut set = |generation, second, status, reason, message: &str| {
            Conditions::new(&mut conditions, Some(generation), at(second)).set(Ready, status, reason, message)
        };
        assert!(set(1, 10, Status::False, Why::Progressing, ""));
        assert!(set(2, 20, Status::False, Why::Conflict, "taken"));
        let ready = find(&conditions, Ready).unwrap();
        assert_eq!(
            (ready.last_transition_time.0, ready.reason.as_str()),
            (at(10), Why::Conflict.as_str())
        );
        assert!(Conditions::new(&mut conditions, Some(2), at(30)).set(Ready, Status::True, Why::Ready, ""));
        assert_eq!(find(&conditions, Ready).unwrap().last_transition_time.0, at(30));
        assert_eq!(conditions.len(), 1);
    }

    #[test]
    fn writing_the_same_again_changes_nothing() {
        let mut conditions = Vec::new();
        let mut set = |second| {
            let mut writer = Conditions::new(&mut conditions, Some(1), at(second));
            let changed = writer.set(
                ConditionType::Accepted,
                Status::True,
                ConditionReason::WithinLimits,
                "",
            );
            (changed, conditions.clone())
        };
        let (changed, before) = set(10);
        assert!(changed);
        assert_eq!(set(99), (false, before));
    }

    #[test]
    fn a_message_is_cut_at_a_character() {
        let mut conditions = Vec::new();
        Conditions::new(&mut conditions, None, at(0)).set(
            ConditionType::Ready,
            Status::False,
            ConditionReason::Invalid,
            "ä".repeat(50_000),
        );
        let message = &conditions[0].message;
        assert!(message.chars().count() < MAX_MESSAGE_CHARS + 10 && message.ends_with("(cut)"));
    }

    #[test]
    fn an_absent_condition_is_not_true() {
        assert!(!is_true(&[], ConditionType::Ready));
    }

    #[test]
    fn each_reason_is_read_as_it_is_written() {
        for reason in ConditionReason::ALL {
            assert_eq!(ConditionReason::from_word(reason.as_str()), Some(*reason));
        }
        assert_eq!(ConditionReason::from_word("ready"), None);
    }
}
