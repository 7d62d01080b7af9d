//! Panics: one in a request, or in a connection, ends that one; one anywhere else ends the process.
//!
//! No code of Deputy's panics on purpose, but a dependency may. A process that serves every tenant must not end
//! because of one request, and must not go on as if nothing had happened when a part of it that runs for ever (a watch,
//! the keeper of an authority) is gone. So work that belongs to one request runs [`contained`], and the hook of
//! [`install`] ends the process for any other panic.

use std::{
    any::Any,
    cell::Cell,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, Location, catch_unwind},
    task::Poll,
};

thread_local! {
    /// How many containments this thread is in.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// The work panicked. Where is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fault in this program; its log says where")]
pub struct Panicked;

/// Installs the hook. Called in `main` before anything else runs.
///
/// A panic is logged by its place alone: its message may hold what was being read, a token for example. Outside of
/// [`contained`] work the process aborts (exit by SIGABRT, without a core: see [`crate::process`]).
pub fn install() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(Location::to_string).unwrap_or_default();
        if DEPTH.get() > 0 {
            tracing::error!(place, "a request ended by a panic");
        } else {
            tracing::error!(place, "the process ends by a panic");
            crate::telemetry::flush();
            std::process::abort();
        }
    }));
}

/// `work`, of which a panic is an error.
///
/// # Errors
/// [`Panicked`].
pub async fn contained<F: Future>(work: F) -> Result<F::Output, Panicked> {
    let mut work = Box::pin(work);
    poll_fn(move |context| match attempt(|| work.as_mut().poll(context)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Err(Panicked) => Poll::Ready(Err(Panicked)),
    })
    .await
}

/// `work` that does not wait, of which a panic is an error.
///
/// # Errors
/// [`Panicked`].
pub fn attempt<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    let before = DEPTH.replace(DEPTH.get().saturating_add(1));
    // What the work leaves behind half done is its own: locks that are shared are taken over from whoever panicked.
    let outcome = catch_unwind(AssertUnwindSafe(work));
    DEPTH.set(before);
    outcome.map_err(|_: Box<dyn Any + Send>| Panicked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_contained_work_is_an_error_before_and_after_a_wait() {
        assert_eq!(contained(async { 7 }).await, Ok(7));
        assert_eq!(
            contained(async { panic!("at once") }).await,
            Ok::<(), _>(()).and(Err(Panicked))
        );
        let late = async {
            tokio::task::yield_now().await;
            panic!("late");
        };
        assert_eq!(contained(late).await, Err::<(), _>(Panicked));
        assert_eq!(DEPTH.get(), 0);
    }

    #[test]
    fn containments_are_nested_and_left_again() {
        let inner = attempt(|| {
            assert_eq!(DEPTH.get(), 1);
            let inner = attempt(|| panic!("inner"));
            assert_eq!(DEPTH.get(), 1);
            inner
        });
        assert_eq!(inner, Ok(Err::<(), _>(Panicked)));
        assert_eq!(DEPTH.get(), 0);
    }

    /// Started by the test below in a process of its own.
    #[test]
    #[ignore = "the other half of a test"]
    fn child() {
        let which = std::env::var("DEPUTY_TEST_PANIC").unwrap_or_default();
        crate::process::forbid_dumps().unwrap();
        install();
        tracing::subscriber::set_global_default(
            tracing_subscriber::fmt()
                .json()
                .with_writer(std::io::stderr)
                .finish(),
        )
        .unwrap();
        match which.as_str() {
            "contained" => assert_eq!(attempt(|| panic!("s3cret")), Err::<(), _>(Panicked)),
            "not contained" => {
                std::thread::spawn(|| panic!("s3cret")).join().ok();
            }
            _ => {}
        }
        eprintln!("the process goes on");
    }

    #[test]
    fn a_panic_outside_of_a_request_ends_the_process_and_no_message_is_logged() {
        for (which, goes_on) in [("contained", true), ("not contained", false)] {
            let child =
                crate::process::tests::in_child("contain::tests::child", ("DEPUTY_TEST_PANIC", which));
            let log = String::from_utf8_lossy(&child.stderr);
            assert_eq!(log.contains("the process goes on"), goes_on, "{which}: {log}");
            assert_eq!(child.status.success(), goes_on, "{which}: {log}");
            assert!(log.contains("contain.rs:"), "{which}: {log}");
            assert!(!log.contains("s3cret"), "{which}: {log}");
        }
    }
}
