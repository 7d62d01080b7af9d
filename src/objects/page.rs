//! How lists are read from a cluster.

use std::time::Duration;

/// How long one page may take.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Objects read at a time.
pub const PAGE: u32 = 500;

/// What a call answers within its time.
pub async fn answer<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, String> {
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer in {} s", CALL_TIMEOUT.as_secs())),
    }
}
