//! After a fault: the same program again, on the same listening socket, with nothing else left but what the broker told of its authorities.
//!
//! A container that ends is started again after a pause, and the second time in a row after ten seconds, in which nobody listens. So
//! the listening socket is also the standard input of the process, which a program hands on to the one that takes its place. Clients
//! that connect meanwhile wait in the socket's queue. The broker's bundle, which is public, goes along in the environment: the broker
//! may by now have a certificate that the roots given at the start do not prove. A fault that comes back at once ends the process
//! after all.

use std::{
    ffi::OsString,
    fmt,
    net::{SocketAddr, TcpListener},
    os::{fd::AsFd, unix::ffi::OsStringExt as _},
};

/// The environment variable by which one program tells the next that it took its place, and when that happened before: seconds
/// since 1970, with commas between.
pub const VARIABLE: &str = "_DEPUTY_AGENT_REVIVALS";
/// The environment variable in which the next program finds the bundle of the broker that this one has learned.
pub const BUNDLE_VARIABLE: &str = "_DEPUTY_AGENT_BUNDLE";
/// Largest value of [`BUNDLE_VARIABLE`], in bytes: what is taken from the broker. Linux allows one of 128 KiB.
const MAX_BUNDLE: usize = 64 * 1024;
/// So often in [`WINDOW`], and no more.
const MOST: usize = 3;
/// In seconds.
const WINDOW: i64 = 60;

/// When this program took the place of another one of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revivals(Vec<i64>);

impl Revivals {
    /// Reads [`VARIABLE`]; what is no time counts as none.
    pub fn parse(text: &str) -> Self {
        Self(text.split(',').filter_map(|time| time.parse().ok()).collect())
    }

    /// How often that was, this time included, as far as it is remembered: for a minute.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// With one more at `now`, in seconds since 1970. `None` when that would be too many.
    #[must_use]
    pub fn next(&self, now: i64) -> Option<Self> {
        // A clock that was set back does not make room for more.
        let recent = self
            .0
            .iter()
            .copied()
            .filter(|time| now.saturating_sub(*time) < WINDOW);
        let mut times: Vec<i64> = recent.collect();
        if times.len() >= MOST {
            return None;
        }
        times.push(now);
        Some(Self(times))
    }
}

impl fmt::Display for Revivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times: Vec<String> = self.0.iter().map(i64::to_string).collect();
        f.write_str(&times.join(","))
    }
}

/// What [`BUNDLE_VARIABLE`] may hold of `bundle`: nothing of what is too large, or has a zero byte, with which no program can be
/// started.
pub fn fit_for_environment(bundle: Vec<u8>) -> Option<OsString> {
    let fits = !bundle.is_empty() && bundle.len() <= MAX_BUNDLE && !bundle.contains(&0);
    fits.then(|| OsString::from_vec(bundle))
}

/// Makes `listener` the standard input too, where it outlives the program.
///
/// # Errors
/// What the system said.
pub fn hand_on(listener: impl AsFd) -> std::io::Result<()> {
    rustix::stdio::dup2_stdin(listener)?;
    Ok(())
}

/// Closes what was handed on: nobody is to wait for a process that ends.
pub fn let_go() {
    if let Ok(nothing) = std::fs::File::open("/dev/null") {
        rustix::stdio::dup2_stdin(nothing).unwrap_or_default();
    }
}

/// The socket that the program before listened on, when it is one on `address`.
pub fn inherited(address: SocketAddr) -> Option<TcpListener> {
    let listener = TcpListener::from(rustix::stdio::stdin().try_clone_to_owned().ok()?);
    (listener.local_addr().ok()? == address).then_some(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_three_within_a_minute_there_is_no_fourth() {
        let mut revivals = Revivals::parse("");
        for now in [1_000, 1_010, 1_059] {
            revivals = revivals.next(now).unwrap();
        }
        assert_eq!(revivals.to_string(), "1000,1010,1059");
        assert_eq!(revivals.next(1_059), None);
        assert_eq!(revivals.next(500), None);
        let next = revivals.next(1_060).unwrap();
        assert_eq!(Revivals::parse(&next.to_string()), next);
        assert_eq!(next.to_string(), "1010,1059,1060");
        assert_eq!(next.next(5_000).unwrap().to_string(), "5000");
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["", "x", ",,", "1.5", "99999999999999999999"] {
            assert_eq!(Revivals::parse(text), Revivals(Vec::new()), "{text}");
        }
        assert_eq!(
            Revivals::parse(&format!("{},{}", i64::MIN, i64::MAX))
                .next(0)
                .unwrap()
                .0
                .len(),
            2
        );
    }

    #[test]
    fn a_bundle_that_would_keep_the_next_program_from_starting_stays_behind() {
        let longest = vec![b'a'; MAX_BUNDLE];
        assert_eq!(fit_for_environment(longest.clone()).unwrap().len(), MAX_BUNDLE);
        for bundle in [Vec::new(), b"a\0b".to_vec(), [longest, vec![b'a']].concat()] {
            assert_eq!(fit_for_environment(bundle), None);
        }
    }

    #[test]
    fn a_standard_input_that_is_no_listener_is_not_taken() {
        assert!(inherited(([127, 0, 0, 1], 7419).into()).is_none());
    }
}
