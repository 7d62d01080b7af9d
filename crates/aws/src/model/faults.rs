//! Calls that fail on order.

use crate::error::{AwsError, ErrorClass};

/// Whether a failing call is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// It fails and changes nothing.
    Before,
    /// It is applied, and its answer is lost.
    After,
}

/// One order for trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub(super) when: When,
    class: ErrorClass,
    /// Index of the call in the log; any if `None`.
    index: Option<usize>,
    operation: Option<&'static str>,
    times: usize,
}

impl Fault {
    /// A call fails with `class` and changes nothing.
    #[must_use]
    pub fn before(class: ErrorClass) -> Self {
        Self {
            when: When::Before,
            class,
            index: None,
            operation: None,
            times: 1,
        }
    }

    /// A call is applied, but its caller sees `class`.
    #[must_use]
    pub fn after(class: ErrorClass) -> Self {
        Self {
            when: When::After,
            ..Self::before(class)
        }
    }

    /// Only the call at `index` of the log (the first is 0).
    #[must_use]
    pub fn at(mut self, index: usize) -> Self {
        self.index = Some(index);
        self
    }

    /// Only calls of `operation`, such as `iam:PutRolePolicy`.
    #[must_use]
    pub fn of(mut self, operation: &'static str) -> Self {
        self.operation = Some(operation);
        self
    }

    /// The first `times` such calls, not only one.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    pub(super) fn error(&self, operation: &'static str) -> AwsError {
        let error = AwsError::new(operation, self.class, "on order of the test");
        match (self.when, self.class) {
            (When::After, _) | (_, ErrorClass::Unreachable | ErrorClass::Service) => {
                error.with_unknown_outcome()
            }
            _ => error,
        }
    }
}

#[derive(Clone, Default)]
pub(super) struct Faults {
    orders: Vec<Fault>,
    dead_from: Option<usize>,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.orders.push(fault);
    }

    pub(super) fn die_at(&mut self, index: Option<usize>) {
        self.dead_from = index;
    }

    /// The fault that the call at `index` of the log suffers.
    pub(super) fn take(&mut self, operation: &'static str, index: usize) -> Option<Fault> {
        if self.dead_from.is_some_and(|dead| index >= dead) {
            return Some(Fault::before(ErrorClass::Unreachable));
        }
        let fault = self.orders.iter_mut().find(|fault| {
            fault.times > 0
                && fault.index.is_none_or(|i| i == index)
                && fault.operation.is_none_or(|o| o == operation)
        })?;
        fault.times -= 1;
        Some(fault.clone())
    }
}
