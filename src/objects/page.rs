//! How a cluster is asked: each call has a deadline, and lists come page by page.

use std::{fmt, time::Duration};

use deputy_runtime::error::chain;
use kube::{api::ListParams, core::ObjectList};

/// How long one page may take whoever asks for no other time.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Objects read at a time.
const PAGE: u32 = 500;

/// Why a call has no answer.
#[derive(Debug)]
pub enum Unanswered {
    /// What the API server said, or why it could not be asked.
    Error(kube::Error),
    /// Nothing came in this time.
    Late(Duration),
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => f.write_str(&chain(error)),
            Self::Late(within) => write!(f, "no answer in {} s", within.as_secs()),
        }
    }
}

/// What a call answers in its time.
///
/// # Errors
/// Why it does not.
pub async fn answer<T>(
    within: Duration,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, Unanswered> {
    match tokio::time::timeout(within, call).await {
        Ok(answer) => answer.map_err(Unanswered::Error),
        Err(_) => Err(Unanswered::Late(within)),
    }
}

/// Goes through a list page by page. `take` is given each, with whether another one follows, and says whether that is wanted.
///
/// # Errors
/// Why a page is not answered in its time.
pub async fn each_page<T: Clone>(
    within: Duration,
    parameters: ListParams,
    list: impl AsyncFn(&ListParams) -> Result<ObjectList<T>, kube::Error>,
    mut take: impl FnMut(Vec<T>, bool) -> bool,
) -> Result<(), Unanswered> {
    let mut parameters = parameters.limit(PAGE);
    loop {
        let page = answer(within, list(&parameters)).await?;
        let next = page.metadata.continue_.filter(|token| !token.is_empty());
        let is_next_wanted = take(page.items, next.is_some());
        match next.filter(|_| is_next_wanted) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok(()),
        }
    }
}

/// All objects of a list.
///
/// # Errors
/// Why a page is not answered in its time.
pub async fn all_pages<T: Clone>(
    within: Duration,
    list: impl AsyncFn(&ListParams) -> Result<ObjectList<T>, kube::Error>,
) -> Result<Vec<T>, Unanswered> {
    let mut all = Vec::new();
    each_page(within, ListParams::default(), list, |page, _| {
        all.extend(page);
        true
    })
    .await?;
    Ok(all)
}
