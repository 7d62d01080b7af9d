//! The decisions of an election: pure, with the time passed in.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::api::ObjectMeta;
use tokio::time::Instant;

use super::LeaseConfig;

/// The longest duration believed of another holder: a Lease edited by hand does not lock everybody out for years.
const LONGEST_DURATION: Duration = Duration::from_secs(300);

/// The holder of a Lease that was missing. No process has this name: there is no pod `nobody (…)`.
pub(super) const NOBODY: &str =
    "nobody (the Lease was missing: whoever held it may go on for as long as it lasts)";

/// What a candidate may do with a Lease that it has just read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ElectionVerdict {
    /// Nobody holds it, or who did has not renewed it in time: write ourselves in.
    Acquire,
    /// We hold it: renew it.
    Renew,
    /// Another holds it.
    Wait {
        /// Who.
        holder: String,
        /// When it may be taken if it has not changed by then.
        until: Instant,
    },
}

/// Decides what `identity` may do with a Lease.
///
/// `observed` is when the candidate first saw the Lease as it is now. A Lease that we can still see unchanged
/// after its duration was not renewed for at least that long, whatever the clocks of other machines say;
/// `renewTime` in it is never compared with a local clock. `duration` stands in when the Lease names none.
pub fn evaluate(
    spec: Option<&LeaseSpec>,
    identity: &str,
    observed: Instant,
    now: Instant,
    duration: Duration,
) -> ElectionVerdict {
    let Some(spec) = spec else {
        return ElectionVerdict::Acquire;
    };
    let holder = match spec.holder_identity.as_deref() {
        None | Some("") => return ElectionVerdict::Acquire,
        Some(holder) if holder == identity => return ElectionVerdict::Renew,
        Some(holder) => holder,
    };
    let duration = spec
        .lease_duration_seconds
        .and_then(|seconds| u64::try_from(seconds).ok())
        .filter(|seconds| *seconds > 0)
        .map_or(duration, |seconds| {
            Duration::from_secs(seconds).min(LONGEST_DURATION)
        });
    let until = observed + duration;
    if now >= until {
        ElectionVerdict::Acquire
    } else {
        ElectionVerdict::Wait {
            holder: holder.to_owned(),
            until,
        }
    }
}

/// What a candidate does next.
#[derive(Debug, PartialEq)]
pub(super) enum ElectionStep {
    /// Make the missing Lease, in nobody's name, and wait.
    Create(Box<Lease>),
    /// Take it, or renew it.
    Replace(Box<Lease>),
    Wait {
        holder: String,
        until: Instant,
    },
}

/// One candidate's view of the Lease.
#[derive(Debug)]
pub(super) struct Election {
    config: LeaseConfig,
    observed: Option<(Option<String>, Instant)>,
}

impl Election {
    pub(super) fn new(config: LeaseConfig) -> Self {
        Self {
            config,
            observed: None,
        }
    }

    pub(super) fn config(&self) -> &LeaseConfig {
        &self.config
    }

    /// Decides on the Lease as just read. `wall` is written into it for people to read.
    pub(super) fn decide(&mut self, lease: Option<Lease>, now: Instant, wall: Timestamp) -> ElectionStep {
        let Some(mut lease) = lease else {
            self.observed = None;
            return ElectionStep::Create(Box::new(self.nobodys(wall)));
        };
        let version = lease.metadata.resource_version.clone();
        let observed = match &self.observed {
            Some((seen, at)) if *seen == version => *at,
            _ => now,
        };
        self.observed = Some((version, observed));
        let spec = lease.spec.as_ref();
        match evaluate(spec, &self.config.identity, observed, now, self.config.duration) {
            ElectionVerdict::Wait { holder, until } => ElectionStep::Wait { holder, until },
            ElectionVerdict::Renew => {
                let acquired = spec.and_then(|spec| spec.acquire_time.clone());
                let transitions = spec.and_then(|spec| spec.lease_transitions).unwrap_or_default();
                lease.spec = Some(self.spec(acquired.unwrap_or(MicroTime(wall)), transitions, wall));
                ElectionStep::Replace(Box::new(lease))
            }
            ElectionVerdict::Acquire => {
                let transitions = spec.and_then(|spec| spec.lease_transitions).unwrap_or_default();
                lease.spec = Some(self.spec(MicroTime(wall), transitions.saturating_add(1), wall));
                ElectionStep::Replace(Box::new(lease))
            }
        }
    }

    /// The Lease given up, when it is ours.
    pub(super) fn released(&self, mut lease: Lease, wall: Timestamp) -> Option<Lease> {
        let spec = lease.spec.as_mut()?;
        if spec.holder_identity.as_deref() != Some(&self.config.identity) {
            return None;
        }
        spec.holder_identity = None;
        spec.acquire_time = None;
        spec.renew_time = Some(MicroTime(wall));
        Some(lease)
    }

    /// The Lease as it is made: held by nobody who could renew it. For everybody, its maker included, it has to run out first.
    fn nobodys(&self, wall: Timestamp) -> Lease {
        Lease {
            metadata: ObjectMeta {
                name: Some(self.config.name.clone()),
                namespace: Some(self.config.namespace.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(NOBODY.to_owned()),
                ..self.spec(MicroTime(wall), 0, wall)
            }),
        }
    }

    fn spec(&self, acquired: MicroTime, transitions: i32, wall: Timestamp) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(self.config.identity.clone()),
            lease_duration_seconds: Some(i32::try_from(self.config.duration.as_secs()).unwrap_or(i32::MAX)),
            acquire_time: Some(acquired),
            renew_time: Some(MicroTime(wall)),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }
}
