//! How long a session lives, and how long one may live.

use std::{fmt, ops::RangeInclusive};

use super::NameError;
use crate::quota;

/// The longest text of a duration, in bytes; the schema of the kinds has the same.
const TEXT_MAX: usize = 32;

macro_rules! duration_type {
    ($(#[$doc:meta])* $name:ident, $range:expr, $rule:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u32);

        impl $name {
            const RANGE: RangeInclusive<u32> = $range;
            /// One hour: the default of AWS and of Deputy.
            pub const HOUR: Self = Self(60 * 60);

            /// # Errors
            /// Outside the range of the type.
            pub fn from_seconds(seconds: u64) -> Result<Self, NameError> {
                Self::in_range(seconds).ok_or_else(|| NameError::new("duration", &format!("{seconds}s"), $rule))
            }

            /// Reads `1h`, `90m`, `1h30m`, `3600s`: `^([0-9]+(h|m|s))+$`.
            ///
            /// # Errors
            /// Another form, or outside the range of the type.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                seconds_in(text)
                    .and_then(Self::in_range)
                    .ok_or_else(|| NameError::new("duration", text, concat!("such as 1h or 90m, ", $rule)))
            }

            fn in_range(seconds: u64) -> Option<Self> {
                let seconds = u32::try_from(seconds).ok()?;
                Self::RANGE.contains(&seconds).then_some(Self(seconds))
            }

            /// Seconds.
            #[must_use]
            pub fn as_seconds(self) -> u32 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_seconds(f, self.0)
            }
        }
    };
}

duration_type! {
    /// The life of a session through the broker: 30 minutes to 12 hours ([`quota::SESSION_SECONDS_MIN`], [`quota::SESSION_SECONDS_MAX`]).
    SessionDuration, quota::SESSION_SECONDS_MIN..=quota::SESSION_SECONDS_MAX, "30m to 12h"
}
duration_type! {
    /// `MaxSessionDuration` of a role: one hour to 12 hours ([`quota::MAX_SESSION_SECONDS_MIN`], [`quota::SESSION_SECONDS_MAX`]), the
    /// range of IAM.
    MaxSessionDuration, quota::MAX_SESSION_SECONDS_MIN..=quota::SESSION_SECONDS_MAX, "1h to 12h"
}

duration_type! {
    /// The life of a session of a federated user: 15 minutes to 36 hours ([`quota::FEDERATED_SECONDS_MIN`],
    /// [`quota::FEDERATED_SECONDS_MAX`]), the range of STS.
    FederatedDuration, quota::FEDERATED_SECONDS_MIN..=quota::FEDERATED_SECONDS_MAX, "15m to 36h"
}

impl From<SessionDuration> for FederatedDuration {
    fn from(duration: SessionDuration) -> Self {
        // INVARIANT: the range of sessions of roles is within that of federated users.
        Self(duration.0)
    }
}

impl SessionDuration {
    /// Whether it is longer than `max`.
    #[must_use]
    pub fn exceeds(self, max: MaxSessionDuration) -> bool {
        self.0 > max.0
    }
}

/// The seconds of a text such as `1h30m`: `^([0-9]+(h|m|s))+$`.
#[must_use]
pub fn seconds_in(text: &str) -> Option<u64> {
    if text.is_empty() || text.len() > TEXT_MAX {
        return None;
    }
    let (mut total, mut number): (u64, Option<u64>) = (0, None);
    for c in text.chars() {
        let unit = match c {
            '0'..='9' => {
                let digit = u64::from(c.to_digit(10)?);
                number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(digit)?);
                continue;
            }
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    // A number without a unit is none.
    number.is_none().then_some(total)
}

fn write_seconds(f: &mut fmt::Formatter<'_>, seconds: u32) -> fmt::Result {
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    for (n, unit) in [(h, 'h'), (m, 'm'), (s, 's')] {
        if n > 0 {
            write!(f, "{n}{unit}")?;
        }
    }
    Ok(())
}
