//! What a status says, as a number: whoever knows what it should say knows by it whether it says that, and reads no object for it.
//!
//! The key is made anew with each index, so nobody can write a status whose number is that of another. Two statuses that differ have one number
//! once in 2^64.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    io,
};

use deputy_api::{AWSRoleBindingStatus, AWSRoleStatus};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use serde::Serialize;

/// Makes these numbers.
#[derive(Debug, Default)]
pub(crate) struct Telling(RandomState);

impl Telling {
    /// Of the status of an AWSRole, and its finalizers. `None`: of one that can't be written as JSON.
    pub(crate) fn of_role(&self, mut status: AWSRoleStatus, finalizers: &[String]) -> Option<u64> {
        status.conditions = timeless(status.conditions);
        self.of(&(status, finalizers))
    }

    /// Of the status of a binding.
    pub(crate) fn of_binding(&self, mut status: AWSRoleBindingStatus) -> Option<u64> {
        status.conditions = timeless(status.conditions);
        self.of(&status)
    }

    fn of(&self, told: &impl Serialize) -> Option<u64> {
        let mut hashed = Hashed(self.0.build_hasher());
        serde_json::to_writer(&mut hashed, told).ok()?;
        Some(hashed.0.finish())
    }
}

/// Without their order, and without since when they are so: neither is decided by what is true now.
fn timeless(mut conditions: Vec<Condition>) -> Vec<Condition> {
    for condition in &mut conditions {
        condition.last_transition_time = Time(Timestamp::UNIX_EPOCH);
    }
    conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
    conditions
}

/// Text as it is written, hashed instead of held.
struct Hashed<H>(H);

impl<H: Hasher> io::Write for Hashed<H> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.write(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
