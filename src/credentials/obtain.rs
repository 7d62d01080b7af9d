//! From a question to the answer: the cache, one call for all who ask, and the cache again.

use std::time::Duration;

use deputy_aws::{ErrorClass, PersonalSession, Profiles};
use jiff::Timestamp;

use super::{
    answer::ProcessCredentials,
    arguments::AnswerArguments,
    cache::{Cache, CacheKey},
    expiry::LeftOfSession,
    help::RefusedCall,
    prompt,
    settings::Settings,
};
use crate::{
    exit::{CommandAnswer, CommandResult, Failure, say},
    output,
};

/// How long another process may take for the session that is wanted here: somebody types a code, and AWS is called, maybe through
/// several roles.
const TURN: Duration = Duration::from_secs(prompt::DEADLINE.as_secs() + 90);

/// Why there is no session.
pub enum Unobtained {
    /// AWS was asked.
    Refused(Box<RefusedCall>),
    /// It was not.
    Failed(Failure),
}

impl From<RefusedCall> for Unobtained {
    fn from(call: RefusedCall) -> Self {
        Self::Refused(Box::new(call))
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
    /// How long it was to live.
    pub seconds: u32,
    pub answer: &'a AnswerArguments,
}

/// Runs what calls AWS.
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
pub fn obtain(
    settings: &Settings<'_>,
    wanted: &Wanted<'_>,
    make: impl FnOnce() -> Result<PersonalSession, Unobtained>,
) -> CommandResult {
    // Not before all is read: of a process without dumps /dev/stdin can't be opened by its name any more.
    deputy_runtime::process::forbid_dumps().map_err(Failure::error)?;
    if wanted.answer.no_cache {
        return match make() {
            Ok(session) => print(&ProcessCredentials::from(&session), wanted),
            Err(unobtained) => refused(unobtained),
        };
    }
    let cache = Cache::of_user(settings)?;
    if let (Some(session), LeftOfSession::Fresh) = look(&cache, wanted)? {
        return print(&session, wanted);
    }
    let turn = cache.turn(&wanted.key, TURN)?;
    // Whoever had the turn before may have made it.
    let (left, freshness) = look(&cache, wanted)?;
    if let (Some(session), LeftOfSession::Fresh) = (&left, freshness) {
        return print(session, wanted);
    }
    let outcome = match make() {
        Ok(session) => {
            let session = ProcessCredentials::from(&session);
            // The session is there all the same.
            if let Err(failure) = cache.put(&wanted.key, &session) {
                say(&format!("the session is not kept: {failure}"));
            }
            print(&session, wanted)
        }
        Err(Unobtained::Refused(call)) => match (left, freshness) {
            (Some(session), LeftOfSession::Ending) if is_passing(call.error.class()) => {
                say(&format!(
                    "{} The session of before is used, which ends {}",
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
    let found = cache.get(&wanted.key)?;
    let now = Timestamp::now().as_second();
    let freshness = found.as_ref().map_or(LeftOfSession::Over, |session| {
        session.freshness(now, wanted.seconds)
    });
    Ok((found, freshness))
}

/// Whether AWS has not refused, but is not there.
fn is_passing(class: ErrorClass) -> bool {
    matches!(
        class,
        ErrorClass::Throttled | ErrorClass::Unreachable | ErrorClass::Service
    )
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
