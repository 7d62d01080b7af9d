//! AWS's conventions: variables of the environment, and settings of a profile.

use deputy_aws::Profiles;

use crate::exit::Failure;

type Variable<'a> = Box<dyn Fn(&str) -> Option<String> + 'a>;
type Setting<'a> = Box<dyn Fn(&str, &str) -> Option<String> + 'a>;

/// What is looked up, and where. Both are closed over so that a test needs no environment and no file.
pub struct Settings<'a> {
    asked: Option<String>,
    variable: Variable<'a>,
    setting: Setting<'a>,
    has: Box<dyn Fn(&str) -> bool + 'a>,
}

impl<'a> Settings<'a> {
    /// Of this process: its environment and AWS's files. `profile` is the one that a flag names.
    pub fn new(profile: Option<&str>, profiles: &'a Profiles) -> Self {
        Self {
            asked: profile.map(str::to_owned),
            variable: Box::new(|name| std::env::var(name).ok()),
            setting: Box::new(|profile, name| profiles.get(profile, name).map(str::to_owned)),
            has: Box::new(|profile| profiles.has(profile)),
        }
    }

    /// Of this process's environment alone.
    pub fn of_environment() -> Self {
        Self {
            asked: None,
            variable: Box::new(|name| std::env::var(name).ok()),
            setting: Box::new(|_, _| None),
            has: Box::new(|_| false),
        }
    }

    /// Of these variables and profiles.
    #[cfg(test)]
    pub fn of(
        profile: Option<&str>,
        variables: &'a [(&'a str, &'a str)],
        profiles: &'a [(&'a str, &'a [(&'a str, &'a str)])],
    ) -> Settings<'a> {
        use std::collections::BTreeMap;
        let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
        let profiles: BTreeMap<&str, BTreeMap<&str, &str>> = profiles
            .iter()
            .map(|(name, settings)| (*name, settings.iter().copied().collect()))
            .collect();
        let known = profiles.clone();
        Settings {
            asked: profile.map(str::to_owned),
            variable: Box::new(move |name| variables.get(name).map(|value| (*value).to_owned())),
            setting: Box::new(move |profile, name| {
                profiles.get(profile)?.get(name).map(|value| (*value).to_owned())
            }),
            has: Box::new(move |profile| known.contains_key(profile)),
        }
    }

    /// A variable; an empty one counts as none.
    pub fn variable(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.trim().is_empty())
    }

    /// The profile that a flag names.
    pub fn asked(&self) -> Option<&str> {
        self.asked.as_deref()
    }

    /// The profile in use, and whether somebody chose it.
    pub fn profile(&self) -> (String, bool) {
        match self.asked.clone().or_else(|| self.variable("AWS_PROFILE")) {
            Some(name) => (name, true),
            None => ("default".to_owned(), false),
        }
    }

    /// Whether there is a profile of this name.
    pub fn has(&self, profile: &str) -> bool {
        (self.has)(profile)
    }

    /// A setting of a profile; an empty one counts as none.
    pub fn of_profile(&self, profile: &str, name: &str) -> Option<String> {
        (self.setting)(profile, name).filter(|value| !value.trim().is_empty())
    }

    /// A setting of the profile in use.
    pub fn get(&self, name: &str) -> Option<String> {
        self.of_profile(&self.profile().0, name)
    }

    /// Seconds that a flag names, else `duration_seconds` of the profile in use.
    ///
    /// # Errors
    /// When that is no number.
    pub fn duration(&self, flag: Option<u32>) -> Result<Option<u32>, Failure> {
        if flag.is_some() {
            return Ok(flag);
        }
        let Some(text) = self.get("duration_seconds") else {
            return Ok(None);
        };
        text.trim().parse().map(Some).map_err(|_| {
            Failure::input(format!(
                "duration_seconds of profile {}: {text:?} is no number of seconds",
                self.profile().0
            ))
        })
    }

    /// The name of the session, where nobody chose one: `role_session_name`, `AWS_ROLE_SESSION_NAME`, who is logged in. It is the
    /// same each time, so that a session is found again.
    pub fn session_name(&self) -> String {
        let named = self
            .get("role_session_name")
            .or_else(|| self.variable("AWS_ROLE_SESSION_NAME"));
        named.unwrap_or_else(|| {
            let user = self.variable("USER").or_else(|| self.variable("LOGNAME"));
            let taken = |c: char| {
                if c.is_ascii_alphanumeric() || "_+=,.@-".contains(c) {
                    c
                } else {
                    '-'
                }
            };
            let user: String = user.unwrap_or_default().chars().map(taken).take(64).collect();
            if user.len() < 2 { "deputy".to_owned() } else { user }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_counts_before_the_variable_and_both_before_default() {
        let name = |flag, variables: &[(&str, &str)]| Settings::of(flag, variables, &[]).profile();
        assert_eq!(name(None, &[]), ("default".to_owned(), false));
        assert_eq!(name(None, &[("AWS_PROFILE", "")]), ("default".to_owned(), false));
        assert_eq!(name(None, &[("AWS_PROFILE", "dev")]), ("dev".to_owned(), true));
        assert_eq!(
            name(Some("prod"), &[("AWS_PROFILE", "dev")]),
            ("prod".to_owned(), true)
        );
    }

    #[test]
    fn a_session_has_the_name_of_whoever_is_logged_in() {
        let name = |variables: &[(&str, &str)], profile: &[(&str, &str)]| {
            Settings::of(None, variables, &[("default", profile)]).session_name()
        };
        assert_eq!(name(&[("USER", "alice")], &[]), "alice");
        assert_eq!(name(&[("USER", "EXAMPLE\\al ice")], &[]), "EXAMPLE-al-ice");
        assert_eq!(name(&[("USER", "a")], &[]), "deputy");
        assert_eq!(name(&[], &[]), "deputy");
        let named = [("USER", "alice"), ("AWS_ROLE_SESSION_NAME", "job")];
        assert_eq!(name(&named, &[]), "job");
        assert_eq!(name(&named, &[("role_session_name", "nightly")]), "nightly");
    }

    #[test]
    fn seconds_of_a_profile_are_a_number() {
        let of = |text| Settings::of(None, &[], &[("default", &[("duration_seconds", text)])]).duration(None);
        assert!(matches!(of("1800"), Ok(Some(1800))));
        assert!(matches!(of(""), Ok(None)));
        assert!(of("1h").is_err());
    }
}
