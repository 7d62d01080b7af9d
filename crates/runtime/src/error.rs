//! Errors as one line of a log.

use std::fmt::Write as _;

/// An error with its causes, outermost first: `a: b: c`.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Some errors repeat their cause in their own words.
        let words = error.to_string();
        if !text.contains(&words) {
            // Writing to a string never fails.
            write!(text, ": {words}").ok();
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Said(&'static str, #[source] Option<Box<Said>>);

    #[test]
    fn a_chain_has_every_cause_once() {
        let said = |words, cause| Said(words, Some(Box::new(cause)));
        let cause = Said("no such host", None);
        assert_eq!(
            chain(&said("no answer", said("not connected", cause))),
            "no answer: not connected: no such host"
        );
        // Some repeat their cause in their own words.
        let cause = Said("no such host", None);
        assert_eq!(
            chain(&said("no answer: no such host", cause)),
            "no answer: no such host"
        );
    }
}
