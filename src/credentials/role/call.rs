//! The call: one POST within a deadline, again while the cluster says that it is busy.

use std::time::Duration;

use http::{
    Request, Response,
    header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use kube::{Client, Config, client::Body};
use tokio::time::{Instant, sleep, timeout_at};

use super::reply::retry_after_of;
use crate::credentials::kubeconfig::load_problem;

/// The most that is read of an answer.
pub const LARGEST_ANSWER: usize = 64 * 1024;
/// Pauses where the cluster does not say how long: the first one, twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// An answer over HTTP, whatever it says. No `Debug`: a session may be in it.
pub struct ClusterAnswer {
    pub status: u16,
    /// Seconds after which another try may bring more.
    pub retry_after: Option<u64>,
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub enum NoClusterAnswer {
    /// Not within so many seconds.
    Late(u64),
    /// More than [`LARGEST_ANSWER`].
    Large,
    /// The API server can't be reached, for this reason.
    Unreachable(String),
    /// What the kubeconfig says to log in with can't be used.
    Login(String),
}

/// Asks at `path`, and again while the cluster is busy and `deadline` allows it.
///
/// # Errors
/// [`NoClusterAnswer`].
pub async fn ask(
    config: Config,
    path: &str,
    body: &[u8],
    deadline: Duration,
) -> Result<ClusterAnswer, NoClusterAnswer> {
    let until = Instant::now() + deadline;
    let late = |_| NoClusterAnswer::Late(deadline.as_secs());
    let client = Client::try_from(config).map_err(|error| said(&error))?;
    let mut pause = FIRST_PAUSE;
    loop {
        let answer = timeout_at(until, once(&client, path, body))
            .await
            .map_err(late)??;
        let wait = answer
            .retry_after
            .map_or(pause, |seconds| Duration::from_secs(seconds).max(FIRST_PAUSE));
        let again = Instant::now().checked_add(wait);
        if !is_busy(answer.status) || again.is_none_or(|again| again >= until) {
            return Ok(answer);
        }
        sleep(wait).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

/// Whether another try may bring an answer.
pub fn is_busy(status: u16) -> bool {
    matches!(status, 429 | 503 | 504)
}

async fn once(client: &Client, path: &str, body: &[u8]) -> Result<ClusterAnswer, NoClusterAnswer> {
    let request = Request::post(path)
        .header(CONTENT_TYPE, "application/json")
        .header(ACCEPT, "application/json")
        .body(Body::from(body.to_vec()))
        .map_err(|error| NoClusterAnswer::Unreachable(error.to_string()))?;
    let answer = client.send(request).await.map_err(|error| said(&error))?;
    let status = answer.status().as_u16();
    let header = seconds(&answer);
    let body = Limited::new(answer.into_body(), LARGEST_ANSWER).collect().await;
    let body = body.map_err(|error| {
        if error.is::<LengthLimitError>() {
            NoClusterAnswer::Large
        } else {
            NoClusterAnswer::Unreachable(deputy_runtime::error::chain(error.as_ref()))
        }
    })?;
    let body = body.to_bytes().to_vec();
    Ok(ClusterAnswer {
        status,
        retry_after: header.or_else(|| retry_after_of(&body)),
        body,
    })
}

fn seconds<B>(answer: &Response<B>) -> Option<u64> {
    answer
        .headers()
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// The client's error in words. Its own would name requests and settings; causes of the network name hosts and certificates.
fn said(error: &kube::Error) -> NoClusterAnswer {
    if let Some(problem) = load_problem(error) {
        return NoClusterAnswer::Login(problem);
    }
    NoClusterAnswer::Unreachable(match error {
        kube::Error::HyperError(cause) => deputy_runtime::error::chain(cause),
        kube::Error::Service(cause) => match cause.downcast_ref::<kube::Error>() {
            Some(inner) => {
                return load_problem(inner).map_or_else(
                    || NoClusterAnswer::Unreachable("the client failed".to_owned()),
                    NoClusterAnswer::Login,
                );
            }
            None => deputy_runtime::error::chain(cause.as_ref()),
        },
        _ => "the client can't be made".to_owned(),
    })
}
