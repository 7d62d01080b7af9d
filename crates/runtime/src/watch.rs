//! Following one named object with nothing but the right to watch it.

use std::{fmt::Debug, time::Duration};

use futures::{Stream, StreamExt as _, stream};
use kube::{
    Api,
    api::{WatchEvent, WatchParams},
};
use serde::de::DeserializeOwned;

/// How long the API server keeps one watch open. Five seconds later the connection counts as dead.
const WATCH_SECONDS: u32 = 20;
const OVERDUE: Duration = Duration::from_secs(5);
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(10);

/// Yields once for every change of the object `name` (and now and then without one): the reader gets the object
/// again. Failures are retried for ever, with a growing delay; a reader that must not miss a change also looks at
/// intervals of its own.
///
/// It watches by the field selector `metadata.name`, which RBAC counts as a request for that name, and needs
/// neither `list` nor any right on other objects.
pub fn changes<K>(api: Api<K>, name: &str) -> impl Stream<Item = ()> + Send + use<K>
where
    K: Clone + DeserializeOwned + Debug + Send + 'static,
{
    let params = WatchParams {
        timeout: Some(WATCH_SECONDS),
        ..WatchParams::default()
    }
    .fields(&format!("metadata.name={name}"));
    let name = name.to_owned();
    stream::unfold(FIRST_DELAY, move |delay| {
        let (api, params, name) = (api.clone(), params.clone(), name.clone());
        async move {
            let events = match tokio::time::timeout(LONGEST_DELAY, api.watch(&params, "0")).await {
                Ok(Ok(events)) => events,
                Ok(Err(error)) => {
                    tracing::warn!(
                        object = name,
                        error = describe(&error),
                        "watch failed; trying again"
                    );
                    tokio::time::sleep(delay).await;
                    return Some((stream::iter([()]).boxed(), (delay * 2).min(LONGEST_DELAY)));
                }
                Err(_) => return Some((stream::iter([()]).boxed(), delay)),
            };
            // The connection may die unseen: the stream ends by our clock too. A watch that ends is followed by
            // another after a pause, so that a server which ends them at once is not hammered.
            let end = tokio::time::sleep(Duration::from_secs(u64::from(WATCH_SECONDS)) + OVERDUE);
            let events = events
                .take_while(|event| std::future::ready(event.is_ok()))
                .filter_map(|event| async move {
                    match event {
                        Ok(WatchEvent::Bookmark(_)) | Err(_) => None,
                        Ok(_) => Some(()),
                    }
                })
                .take_until(end)
                .chain(stream::once(tokio::time::sleep(FIRST_DELAY)));
            Some((events.boxed(), FIRST_DELAY))
        }
    })
    .flatten()
}

/// What went wrong, without the body of any response: it may hold a Secret.
pub(crate) fn describe(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} {}: {}", status.code, status.reason, status.message),
        kube::Error::SerdeError(_) => "the response could not be read".to_owned(),
        other => other.to_string(),
    }
}
