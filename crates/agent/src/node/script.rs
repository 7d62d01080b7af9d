//! A broker for tests, which gives every pod a credential until told otherwise, and notes whose token it saw.

use std::sync::{Arc, Mutex};

use http::{StatusCode, header::HeaderValue};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::pods::{HeldToken, PodSources};
use crate::{
    binding::SelectedBinding,
    broker::{CredentialSource, FetchError, Fetched},
    credential::WallClock,
    problem::AgentProblem,
};

/// What it says to everybody from now on: a status with a code. 200 is a credential that lives for an hour.
type Word = (u16, &'static str);

#[derive(Clone)]
pub struct ScriptedBroker {
    seen: Arc<Mutex<Vec<String>>>,
    word: Arc<Mutex<Word>>,
    /// Questions under way, and the most there were.
    under_way: Arc<Mutex<(usize, usize)>>,
    clock: WallClock,
}

impl ScriptedBroker {
    pub fn new(clock: WallClock) -> Self {
        Self {
            seen: Arc::default(),
            word: Arc::new(Mutex::new((200, ""))),
            under_way: Arc::default(),
            clock,
        }
    }

    pub fn says(&self, word: Word) {
        *self.word.lock().unwrap() = word;
    }

    /// The most questions that it had at a time.
    pub fn most_at_once(&self) -> usize {
        self.under_way.lock().unwrap().1
    }

    fn begins(&self) {
        let mut under_way = self.under_way.lock().unwrap();
        under_way.0 += 1;
        under_way.1 = under_way.1.max(under_way.0);
    }

    /// The tokens that it saw since it was asked last.
    pub fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

/// The wall clock of a test that begins at `start`, in seconds since 1970.
pub fn clock_from(start: i64) -> WallClock {
    let (began, wall) = (Instant::now(), Timestamp::from_second(start).unwrap());
    Arc::new(move || wall + SignedDuration::try_from(began.elapsed()).unwrap())
}

impl PodSources for ScriptedBroker {
    type Source = ScriptedPod;
    fn source(&self, token: Arc<HeldToken>) -> ScriptedPod {
        ScriptedPod {
            broker: self.clone(),
            token,
        }
    }
}

pub struct ScriptedPod {
    broker: ScriptedBroker,
    token: Arc<HeldToken>,
}

impl CredentialSource for ScriptedPod {
    async fn fetch(&self, _: &SelectedBinding, _: Option<HeaderValue>) -> Result<Fetched, FetchError> {
        let token = String::from_utf8(self.token.current().to_vec()).unwrap();
        self.broker.seen.lock().unwrap().push(token);
        self.broker.begins();
        tokio::task::yield_now().await;
        self.broker.under_way.lock().unwrap().0 -= 1;
        let (status, code) = *self.broker.word.lock().unwrap();
        let problem = AgentProblem::new(StatusCode::from_u16(status).unwrap(), code, "why");
        match status {
            200 => {
                let expiration = (self.broker.clock)() + SignedDuration::from_hours(1);
                let body = format!(
                    r#"{{"AccessKeyId":"ASIA1","SecretAccessKey":"s","Token":"t","Expiration":"{expiration}"}}"#
                );
                Ok(Fetched::Credential {
                    body: Zeroizing::new(body.into_bytes()),
                    etag: None,
                    refresh_after: None,
                })
            }
            403 => Err(FetchError::Refused(problem)),
            _ => Err(FetchError::Unavailable(AgentProblem {
                status: StatusCode::SERVICE_UNAVAILABLE,
                ..problem
            })),
        }
    }
}
