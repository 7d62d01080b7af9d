//! What a round of the census does, beside the role itself.

use std::sync::Arc;

use deputy_api::AWSAccountStatus;
use deputy_aws::{ErrorClass, model::Fault};
use deputy_index::ResourceKind;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

use super::{World, of_account, path};
use crate::{
    census::{Rounds, TakeInHand},
    fixtures::{account, account_object, uploader},
    queue::{Place, Queue, Workers},
    work::Urgency,
};

impl World {
    /// The AWSRole is gone, and nobody has looked: somebody took its finalizer off.
    pub fn orphan(&mut self) {
        self.put(None);
        self.restart();
    }

    /// It is there again, as it was: a restore, which knows no finalizer of ours that was not there.
    pub fn put_back(&self, role: serde_json::Value) {
        self.put(Some(role));
    }

    /// The same, and no watch shows it.
    pub fn put_back_unseen(&self, role: serde_json::Value) {
        self.api.put_unseen(&path(), role);
    }

    /// A round after which a person has accepted whatever goes.
    pub async fn accept_removing_all(&mut self) -> AWSAccountStatus {
        let (_, status) = self.sweeps().await;
        self.accept_removing("10");
        status
    }

    /// The AWSRole as it is.
    pub fn object(&self) -> serde_json::Value {
        self.object_there().unwrap()
    }

    pub fn pass(&self, time: SignedDuration) {
        let mut now = self.now.lock();
        *now += time;
        self.iam.set_now(*now);
    }

    /// Somebody deletes the namespace of the AWSRole.
    pub fn delete_namespace(&self) {
        self.api.delete_namespace();
    }

    /// AWS does not let anybody delete a role any more.
    pub fn keeps_roles(&self) {
        let denied = Fault::before(ErrorClass::AccessDenied);
        self.iam.fail(denied.of("iam:DeleteRole").times(usize::MAX));
    }

    /// The AWSRole, if it is there.
    pub fn is_there(&self) -> bool {
        self.object_there().is_some()
    }

    /// What the account says.
    pub fn account_status(&self) -> AWSAccountStatus {
        serde_json::from_value(self.api.get(&of_account()).unwrap()["status"].clone()).unwrap()
    }

    /// A person accepts that so many roles go.
    pub fn accept_removing(&self, count: &str) {
        let mut account = self.api.get(&of_account()).unwrap();
        account["metadata"]["annotations"]["deputy.dev/accept-removing-orphans"] = count.into();
        let object = serde_json::from_value(account.clone()).unwrap();
        self.index.apply(ResourceKind::Accounts, object);
        self.api.put(&of_account(), Some(account));
    }

    /// The API server has the AWSAccount.
    pub fn has_account(&self) {
        if self.api.get(&of_account()).is_none() {
            let account = serde_json::to_value(account_object()).unwrap();
            self.api.put(&of_account(), Some(account));
        }
    }

    /// It has not, as the index does not know yet.
    pub fn loses_account(&self) {
        self.api.put(&of_account(), None);
    }

    /// A round of the census, and the work that it makes. Gives when a grace ends, and what the account says then.
    pub async fn sweeps(&mut self) -> (Option<Timestamp>, AWSAccountStatus) {
        self.script.begin(&[]);
        self.has_account();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let taking = Arc::clone(&taken);
        let take: TakeInHand = Arc::new(move |id, uid, account| {
            taking.lock().push((id.clone(), uid.clone(), account.clone()));
        });
        let rounds = Rounds {
            ctx: Arc::clone(&self.ctx),
            census: Arc::clone(self.controller.census()),
            queue: Queue::new(Workers::AWS, |_| Place::default()),
            take,
            turns: Rounds::turns(),
            since: Mutex::default(),
        };
        let account = self.index.account(&account().name).known().cloned().unwrap();
        // Beside it, what it shows is looked at.
        let looks = async {
            loop {
                tokio::task::yield_now().await;
                if rounds.census.sighting(&uploader()).is_some() {
                    let _outcome = self.controller.reconcile(&uploader(), &Urgency::change()).await;
                }
            }
        };
        let listed = tokio::select! {
            listed = rounds.list(&account) => listed,
            () = looks => unreachable!("it goes on for ever"),
        };
        let next = rounds.tell(&account, listed).await.unwrap();
        rounds.census.end(&account.name);
        for (id, uid, account) in taken.lock().drain(..) {
            self.controller.take_in_hand(&id, &uid, &account);
        }
        for _ in 0..3 {
            let _outcome = self.controller.reconcile(&uploader(), &Urgency::change()).await;
        }
        (next, self.account_status())
    }
}
