//! What was found wrong with a limit, kept with it: thousands of grants are decided under one limit, and it does not change.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::{boundary::sealed::AccountBoundary, decision::Violation, names::ObjectName};

/// Accounts that a limit is remembered to fit into; a limit names at most 256.
const ACCOUNTS_MAX: usize = 512;

/// All that the boundary of a limit depends on beside the limit: the AWSAccount, and the resources of Deputy itself in it.
pub(crate) type AccountKey = (ObjectName, Vec<String>);

/// Answers about one value of a limit. A copy begins without any, because whoever copies may change the fields. It says nothing about
/// the limit that the limit does not say, so it is never a difference between two.
#[derive(Default)]
pub struct Checked {
    alone: OnceLock<Vec<Violation>>,
    in_accounts: Mutex<Vec<(AccountKey, InAccount)>>,
}

/// Its boundary in an account, or why there can't be one; none where it is only checked.
pub(crate) type InAccount = Option<Arc<Result<AccountBoundary, Violation>>>;

impl Checked {
    /// What is wrong with the limit by itself.
    pub(crate) fn alone(&self, check: impl FnOnce() -> Vec<Violation>) -> &[Violation] {
        self.alone.get_or_init(check)
    }

    /// Its boundary in an account.
    pub(crate) fn in_account(
        &self,
        key: AccountKey,
        make: impl FnOnce() -> Option<Result<AccountBoundary, Violation>>,
    ) -> InAccount {
        let known = |answers: &Vec<(AccountKey, InAccount)>| {
            let found = answers.iter().find(|(k, _)| *k == key);
            found.map(|(_, answer)| answer.clone())
        };
        if let Some(answer) = known(&self.lock()) {
            return answer;
        }
        let answer = make().map(Arc::new);
        let mut answers = self.lock();
        if answers.len() >= ACCOUNTS_MAX {
            answers.clear();
        }
        answers.push((key, answer.clone()));
        answer
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(AccountKey, InAccount)>> {
        // Whatever is in it is whole.
        self.in_accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for Checked {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Checked {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Checked {}

impl std::fmt::Debug for Checked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Checked")
    }
}
