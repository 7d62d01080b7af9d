//! That a key in hand has become more urgent than it was when it was taken.

use tokio::sync::watch;

/// For whoever works on the key.
#[derive(Debug, Clone)]
pub struct Superseded(watch::Receiver<bool>);

/// For the queue.
#[derive(Debug)]
pub(crate) struct Supersede(watch::Sender<bool>);

pub(crate) fn new() -> (Supersede, Superseded) {
    let (supersede, superseded) = watch::channel(false);
    (Supersede(supersede), Superseded(superseded))
}

impl Supersede {
    pub(crate) fn now(&self) {
        self.0.send_replace(true);
    }
}

impl Superseded {
    /// Whether it has.
    #[must_use]
    pub fn is_superseded(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it has, which may be never.
    pub async fn until_superseded(&self) {
        if self.0.clone().wait_for(|superseded| *superseded).await.is_err() {
            // It is in hand no more.
            std::future::pending::<()>().await;
        }
    }

    /// When the first of the two is called.
    #[cfg(test)]
    pub(crate) fn by_hand() -> (impl Fn() + Send + Sync + 'static, Self) {
        let (supersede, superseded) = new();
        (move || supersede.now(), superseded)
    }

    /// Never.
    #[cfg(test)]
    pub(crate) fn never() -> Self {
        Self(watch::channel(false).1)
    }
}
