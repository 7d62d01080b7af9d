//! The pauses between rounds that look at everything.

use std::time::Duration;

/// Between two rounds when nothing is left to do.
pub const ROUND_EVERY: Duration = Duration::from_secs(600);
/// The first pause while something is left; doubled with each round that changes nothing, up to [`ROUND_EVERY`].
pub const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// When the next round is due: soon after something changed that it depends on, and with growing pauses while something is left that
/// can't be done yet.
#[derive(Debug)]
pub struct RoundBackoff {
    pause: Duration,
}

impl Default for RoundBackoff {
    fn default() -> Self {
        Self { pause: FIRST_PAUSE }
    }
}

impl RoundBackoff {
    /// How long to wait after a round that left something to do or not.
    pub fn next(&mut self, left: bool) -> Duration {
        if !left {
            self.pause = FIRST_PAUSE;
            return ROUND_EVERY;
        }
        let pause = self.pause;
        self.pause = self.pause.saturating_mul(2).min(ROUND_EVERY);
        pause
    }

    /// Something changed: what is left may be possible now.
    pub fn reset(&mut self) {
        self.pause = FIRST_PAUSE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_never_goes_is_looked_at_less_and_less_often() {
        let mut backoff = RoundBackoff::default();
        let pauses: Vec<u64> = (0..9).map(|_| backoff.next(true).as_secs()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 600, 600]);
        backoff.reset();
        assert_eq!(backoff.next(true), FIRST_PAUSE);
        assert_eq!(backoff.next(false), ROUND_EVERY);
        assert_eq!(backoff.next(true), FIRST_PAUSE);
    }
}
