//! Chance for pauses, so that pods that started together do not come back together.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

/// Somewhere from `low` to `high`; `low` when that is no less.
pub(crate) fn between(low: Duration, high: Duration) -> Duration {
    // A fresh RandomState is randomly keyed: enough chance for this, without a generator.
    let random = RandomState::new().hash_one(0_u8);
    let part = u32::try_from(random % 1025).unwrap_or_default();
    let width = high.saturating_sub(low);
    low.saturating_add(width.saturating_mul(part) / 1024)
}

/// The pause before the next try after so many `failures` in a row: twice as long each time, from the first of `range` to the
/// last, and then between half of that and all of it. `wanted` is what the other side asked for, within the range.
pub(crate) fn backoff(
    failures: u32,
    (first, longest): (Duration, Duration),
    wanted: Option<u32>,
) -> Duration {
    let wanted = wanted.map_or(Duration::ZERO, |seconds| Duration::from_secs(seconds.into()));
    let pause = first
        .saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX))
        .max(wanted)
        .min(longest);
    between(pause / 2, pause)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn chance_stays_within_its_bounds(low in 0_u64..100_000, width in 0_u64..100_000) {
            let (low, high) = (Duration::from_millis(low), Duration::from_millis(low + width));
            prop_assert!((low..=high).contains(&between(low, high)));
            prop_assert_eq!(between(high, low), high);
        }

        #[test]
        fn a_pause_grows_up_to_its_longest(failures in 0_u32..200, wanted in proptest::option::of(0_u32..100_000)) {
            let range = (Duration::from_secs(5), Duration::from_secs(60));
            let pause = backoff(failures, range, wanted);
            prop_assert!(pause >= range.0 / 2 && pause <= range.1, "{:?}", pause);
            prop_assert!(failures < 4 || pause >= range.1 / 2, "{:?}", pause);
        }
    }

    #[test]
    fn the_other_side_may_ask_for_a_longer_pause() {
        let range = (Duration::from_secs(5), Duration::from_secs(60));
        assert!(backoff(0, range, Some(40)) >= Duration::from_secs(20));
        assert!(backoff(0, range, Some(4_000_000)) <= Duration::from_secs(60));
    }
}
