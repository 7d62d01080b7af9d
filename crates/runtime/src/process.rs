//! What a process says about itself to the operating system: no dumps of its memory, and as many open files as it may
//! have.

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

/// A process could not be protected.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// Its memory may end on a disk.
    #[error("failed to forbid core dumps ({what})")]
    Dumps {
        /// What was refused.
        what: &'static str,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
}

impl ProcessError {
    /// A bounded name for metrics and events.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Dumps { .. } => "dumps",
        }
    }
}

/// Forbids core dumps of this process and reading its memory by others of the same user (`ptrace`,
/// `/proc/<pid>/mem`): it holds tenants' sessions and keys. Called in `main` before anything secret is read.
///
/// # Errors
/// [`ProcessError`]: the process should not go on.
pub fn forbid_dumps() -> Result<(), ProcessError> {
    let failed = |what| {
        move |errno: rustix::io::Errno| ProcessError::Dumps {
            what,
            source: errno.into(),
        }
    };
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // Both: the first holds also where dumps go to a program (`core_pattern` with a pipe), the second for children.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(failed("PR_SET_DUMPABLE"))?;
    setrlimit(Resource::Core, none).map_err(failed("RLIMIT_CORE"))
}

/// Raises the soft limit of open files to the hard one: container runtimes commonly start processes with 1024, and each
/// connection is a file. Gives the limit that holds now; a refusal leaves it as it was.
pub fn raise_open_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "failed to raise limit of open files");
        }
    }
    open_files()
}

/// How many files this process may have open at a time.
pub(crate) fn open_files() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Runs an ignored test of this crate in a process of its own: what it sets is the whole process's.
    pub(crate) fn in_child(test: &str, variable: (&str, &str)) -> std::process::Output {
        std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--ignored", "--nocapture"])
            .env(variable.0, variable.1)
            .output()
            .unwrap()
    }

    #[test]
    #[ignore = "the other half of a test"]
    fn child() {
        let hard = getrlimit(Resource::Nofile).maximum;
        // Lower first, so that there is something to raise.
        let low = Rlimit {
            current: Some(512),
            maximum: hard,
        };
        setrlimit(Resource::Nofile, low).unwrap();
        assert_eq!(open_files(), 512);
        assert_eq!(raise_open_files(), hard.unwrap_or(u64::MAX));
        forbid_dumps().unwrap();
        assert_eq!(
            rustix::process::dumpable_behavior().unwrap(),
            DumpableBehavior::NotDumpable
        );
        let limit = getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
        println!("as it should be");
    }

    #[test]
    fn a_process_cannot_be_dumped_and_has_as_many_files_as_it_may() {
        let child = in_child("process::tests::child", ("DEPUTY_TEST", ""));
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(
            child.status.success() && said.contains("as it should be"),
            "{said}"
        );
    }
}
