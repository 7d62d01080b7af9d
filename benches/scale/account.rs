//! What one account holds, and how fast it may be asked.

use std::{collections::BTreeMap, time::Instant};

use crate::{policies::Policy, roles::Role};

/// When every entity of the stub was made: older than any grace period.
pub const CREATED: &str = "2026-01-02T03:04:05Z";

/// Roles by name, managed policies by ARN.
pub struct Account {
    /// Twelve digits.
    pub id: String,
    /// By name.
    pub roles: BTreeMap<String, Role>,
    /// By ARN.
    pub policies: BTreeMap<String, Policy>,
    /// Calls that are granted now.
    pub bucket: Bucket,
    serial: u64,
}

impl Account {
    /// An empty one.
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            roles: BTreeMap::new(),
            policies: BTreeMap::new(),
            bucket: Bucket::default(),
            serial: 0,
        }
    }

    /// How many roles it has.
    pub fn roles(&self) -> usize {
        self.roles.len()
    }

    /// An id that nothing else has.
    pub fn unique(&mut self, prefix: &str) -> String {
        self.serial += 1;
        format!("{prefix}{}{:05}", self.id, self.serial)
    }
}

/// A token bucket that holds what a second brings.
#[derive(Default)]
pub struct Bucket {
    tokens: f64,
    filled: Option<Instant>,
}

impl Bucket {
    /// Takes one token if there is one.
    pub fn take(&mut self, rate: f64, now: Instant) -> bool {
        let passed = self
            .filled
            .map_or(1.0, |at| now.saturating_duration_since(at).as_secs_f64());
        self.filled = Some(now);
        self.tokens = passed.mul_add(rate, self.tokens).min(rate.max(1.0));
        let granted = self.tokens >= 1.0;
        if granted {
            self.tokens -= 1.0;
        }
        granted
    }
}
