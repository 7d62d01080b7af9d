//! The profiles of the person who calls: `~/.aws/config` and `~/.aws/credentials`, where AWS's own variables say they are.

use std::{borrow::Cow, time::Duration};

use aws_config::profile::{self, ProfileSet};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};

/// How long the files may take to be read: they may be on a network.
const DEADLINE: Duration = Duration::from_secs(10);

/// The profiles can't be read. Their text is not shown: keys stand in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfilesError {
    /// A file can't be read, or is not in AWS's format: the library says which, and in which line.
    #[error(
        "the files with the profiles (AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE, else those in ~/.aws): {0}"
    )]
    Unusable(String),
    /// Not read in time.
    #[error("the files with the profiles were not read within {0:?}")]
    TooSlow(Duration),
}

/// What an error and its cause say, in one line.
fn told(error: &dyn std::error::Error) -> String {
    let texts = [Some(error.to_string()), error.source().map(ToString::to_string)];
    let words = texts.iter().flatten().flat_map(|text| text.split_whitespace());
    words.collect::<Vec<_>>().join(" ")
}

/// The profiles of both files together.
pub struct Profiles(ProfileSet);

impl Profiles {
    /// Reads them as every AWS SDK does: `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE`, else those in `~/.aws`.
    /// Files that are not there in their usual place count as empty.
    ///
    /// # Errors
    /// See [`ProfilesError`].
    pub async fn load() -> Result<Self, ProfilesError> {
        let (fs, env, files) = (Fs::real(), Env::real(), EnvConfigFiles::default());
        let loaded = profile::load(&fs, &env, &files, None::<Cow<'static, str>>);
        let set = tokio::time::timeout(DEADLINE, loaded)
            .await
            .map_err(|_| ProfilesError::TooSlow(DEADLINE))?;
        set.map(Self)
            .map_err(|error| ProfilesError::Unusable(told(&error)))
    }

    /// Whether there is a profile of this name.
    #[must_use]
    pub fn has(&self, profile: &str) -> bool {
        self.0.get_profile(profile).is_some()
    }

    /// A setting of a profile.
    #[must_use]
    pub fn get(&self, profile: &str, setting: &str) -> Option<&str> {
        self.0.get_profile(profile)?.get(setting)
    }
}
