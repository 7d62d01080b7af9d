//! How long a session lives.

use std::fmt;

use super::NameError;

/// The life of a session in seconds: 900 (15 minutes) to 43,200 (12 hours), the range of STS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionDuration(u32);

impl SessionDuration {
    /// One hour: the default of AWS and of Deputy, and the most under role chaining.
    pub const HOUR: Self = Self(3600);

    /// # Errors
    /// Outside 900 to 43,200.
    pub fn from_seconds(seconds: u64) -> Result<Self, NameError> {
        match u32::try_from(seconds) {
            Ok(s) if (900..=43_200).contains(&s) => Ok(Self(s)),
            _ => Err(NameError::new("duration", &format!("{seconds}s"), "15m to 12h")),
        }
    }
    /// Reads `1h`, `90m`, `1h30m`, `3600s`: `^([0-9]+(h|m|s))+$`.
    ///
    /// # Errors
    /// Another form, or outside 15 minutes to 12 hours.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let bad = || NameError::new("duration", text, "such as 1h or 45m, 15m to 12h");
        if text.is_empty() || text.len() > 32 {
            return Err(bad());
        }
        let (mut total, mut number): (u64, Option<u64>) = (0, None);
        for c in text.chars() {
            let unit = match c {
                '0'..='9' => {
                    let digit = u64::from(c.to_digit(10).unwrap_or(0));
                    number = Some(
                        number
                            .unwrap_or(0)
                            .checked_mul(10)
                            .and_then(|n| n.checked_add(digit))
                            .ok_or_else(bad)?,
                    );
                    continue;
                }
                'h' => 3600,
                'm' => 60,
                's' => 1,
                _ => return Err(bad()),
            };
            let n = number.take().ok_or_else(bad)?;
            total = n
                .checked_mul(unit)
                .and_then(|n| total.checked_add(n))
                .ok_or_else(bad)?;
        }
        if number.is_some() {
            return Err(bad());
        }
        Self::from_seconds(total)
    }
    /// Seconds.
    #[must_use]
    pub fn as_seconds(self) -> u32 {
        self.0
    }
}

impl fmt::Display for SessionDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (h, m, s) = (self.0 / 3600, self.0 / 60 % 60, self.0 % 60);
        for (n, unit) in [(h, 'h'), (m, 'm'), (s, 's')] {
            if n > 0 {
                write!(f, "{n}{unit}")?;
            }
        }
        Ok(())
    }
}
