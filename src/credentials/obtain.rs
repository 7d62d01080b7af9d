//! From a question to the answer: the cache, one call for all who ask, and the cache again.

use std::time::Duration;

use deputy_aws::Profiles;
use jiff::Timestamp;

use super::{
    answer::ProcessCredentials,
    arguments::AnswerArguments,
    cache::{Cache, CacheKey},
    expiry::LeftOfSession,
    help::WhyNoSession,
    prompt,
    settings::Settings,
};
use crate::{
    exit::{CommandAnswer, CommandResult, Failure, say},
    output,
};

/// How long another process may take for a session that AWS is asked for: somebody types a code, and AWS is called, maybe through
/// several roles.
const TURN: Duration = Duration::from_secs(prompt::DEADLINE.as_secs() + 90);

/// Why there is no session.
pub enum Unobtained {
    /// AWS or the cluster was asked.
    Refused(Box<dyn WhyNoSession>),
    /// Nobody was.
    Failed(Failure),
}

impl<R: WhyNoSession + 'static> From<R> for Unobtained {
    fn from(refusal: R) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<Failure> for Unobtained {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What is wanted.
pub struct Wanted<'a> {
    /// All that decides which session it is.
    pub key: CacheKey,
    /// How long it was to live; none where whoever is asked says it.
    pub seconds: Option<u32>,
    /// Whether what is kept does not count.
    pub refresh: bool,
    /// How long another process may take for the same session.
    pub turn: Duration,
    pub answer: &'a AnswerArguments,
}

impl<'a> Wanted<'a> {
    /// A session of so many seconds that AWS is asked for.
    pub fn of_aws(key: CacheKey, seconds: u32, answer: &'a AnswerArguments) -> Self {
        Self {
            key,
            seconds: Some(seconds),
            refresh: false,
            turn: TURN,
            answer,
        }
    }
}

/// Runs what calls AWS or the cluster.
///
/// # Errors
/// When there can be no runtime.
pub fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::error)?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(outcome)
}

/// AWS's files.
///
/// # Errors
/// When they can't be read.
pub fn profiles() -> Result<Profiles, Failure> {
    block_on(Profiles::load())?.map_err(|error| Failure::input(error.to_string()))
}

/// Answers with a session: one from the cache while it is fresh, else the one that `make` makes.
pub fn obtain<S: Into<ProcessCredentials>>(
    settings: &Settings<'_>,
    wanted: &Wanted<'_>,
    make: impl FnOnce() -> Result<S, Unobtained>,
) -> CommandResult {
    // Not before all is read: of a process without dumps /dev/stdin can't be opened by its name any more.
    deputy_runtime::process::forbid_dumps().map_err(Failure::error)?;
    if wanted.answer.no_cache {
        return match make() {
            Ok(session) => print(&session.into(), wanted),
            Err(unobtained) => refused(unobtained),
        };
    }
    let cache = Cache::of_user(settings)?;
    if let (Some(session), LeftOfSession::Fresh) = look(&cache, wanted)? {
        return print(&session, wanted);
    }
    let turn = cache.turn(&wanted.key, wanted.turn)?;
    // Whoever had the turn before may have made it.
    let (left, freshness) = look(&cache, wanted)?;
    if let (Some(session), LeftOfSession::Fresh) = (&left, freshness) {
        return print(session, wanted);
    }
    let outcome = match make() {
        Ok(session) => {
            let session = session.into();
            // The session is there all the same.
            if let Err(failure) = cache.put(&wanted.key, &session) {
                say(&format!("the session is not kept: {failure}"));
            }
            print(&session, wanted)
        }
        Err(Unobtained::Refused(call)) => match (left, freshness) {
            (Some(session), LeftOfSession::Ending) if call.is_passing() => {
                say(&format!(
                    "{}. The session of before is used, which ends {}",
                    call.sentence(),
                    session.expiration
                ));
                print(&session, wanted)
            }
            _ => call.outcome(),
        },
        Err(Unobtained::Failed(failure)) => Err(failure),
    };
    drop(turn);
    outcome
}

fn look(cache: &Cache, wanted: &Wanted<'_>) -> Result<(Option<ProcessCredentials>, LeftOfSession), Failure> {
    if wanted.refresh {
        return Ok((None, LeftOfSession::Over));
    }
    let found = cache.get(&wanted.key)?;
    let now = Timestamp::now().as_second();
    let freshness = found.as_ref().map_or(LeftOfSession::Over, |session| {
        let asked = wanted.seconds;
        session.freshness(now, asked.unwrap_or_else(|| cache.life(&wanted.key, session)))
    });
    Ok((found, freshness))
}

fn refused(unobtained: Unobtained) -> CommandResult {
    match unobtained {
        Unobtained::Refused(call) => call.outcome(),
        Unobtained::Failed(failure) => Err(failure),
    }
}

fn print(session: &ProcessCredentials, wanted: &Wanted<'_>) -> CommandResult {
    output::print(session.print(wanted.answer.print).map_err(Failure::error)?)?;
    Ok(CommandAnswer::Yes)
}
