//! Where a generator's decisions come from.
//!
//! Every generator takes its decisions from [`Choices`], so that one generator serves random runs, property tests (whose
//! shrinking makes the numbers fewer and smaller) and fuzzers. The first alternative of every decision is the simplest
//! one, and a source that has run dry keeps choosing it.

/// A sequence of bounded decisions.
pub struct Choices<'a>(Source<'a>);

enum Source<'a> {
    /// SplitMix64.
    Random(u64),
    /// Given numbers.
    Words(&'a [u32]),
    /// Given bytes, one or two for each decision.
    Bytes(&'a [u8]),
}

impl<'a> Choices<'a> {
    /// Random decisions; equal seeds decide equally.
    pub fn seeded(seed: u64) -> Choices<'static> {
        Choices(Source::Random(seed))
    }

    /// Decisions from numbers, such as those that proptest shrinks.
    pub fn words(words: &'a [u32]) -> Self {
        Self(Source::Words(words))
    }

    /// Decisions from the bytes of a fuzzer.
    pub fn bytes(bytes: &'a [u8]) -> Self {
        Self(Source::Bytes(bytes))
    }

    fn next(&mut self, wide: bool) -> u64 {
        match &mut self.0 {
            Source::Random(state) => {
                *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut z = *state;
                z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                (z ^ (z >> 31)) >> 32
            }
            Source::Words(words) => match words.split_first() {
                Some((first, rest)) => {
                    *words = rest;
                    u64::from(*first)
                }
                None => 0,
            },
            Source::Bytes(bytes) => {
                let mut value = 0;
                for _ in 0..if wide { 2 } else { 1 } {
                    let Some((first, rest)) = bytes.split_first() else {
                        break;
                    };
                    *bytes = rest;
                    value = value << 8 | u64::from(*first);
                }
                value
            }
        }
    }

    /// A number below `n`; 0 is the simplest. `n` is at least 1.
    pub fn below(&mut self, n: usize) -> usize {
        if n <= 1 {
            return 0;
        }
        let value = self.next(n > 256);
        // Numbers of proptest stay as they are, so that smaller ones are simpler.
        usize::try_from(value).unwrap_or(0) % n
    }

    /// One of the items; the first is the simplest.
    pub fn pick<'b, T>(&mut self, items: &'b [T]) -> &'b T {
        &items[self.below(items.len())]
    }

    /// True in `n` of `of` cases; false is the simplest.
    pub fn chance(&mut self, n: usize, of: usize) -> bool {
        self.below(of) >= of - n
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// A seed for another sequence.
    pub fn seed(&mut self) -> u64 {
        self.next(true) << 32 | self.next(true)
    }
}
