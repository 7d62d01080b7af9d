//! The AWSAccount that a command is about, from manifests.

use std::path::PathBuf;

use clap::Args;
use deputy_api::{AWSAccount, crds::crd, parse_account};
use deputy_delegation::model::Account;
use serde_json::Value;

use crate::{exit::Failure, manifests::manifests, shape::misfits};

/// Which AWSAccount.
#[derive(Debug, Args)]
pub struct AccountArguments {
    /// Manifests with the AWSAccount; `-` is standard input
    #[arg(short = 'f', long = "filename", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Which AWSAccount, when there are several
    #[arg(long)]
    account: Option<String>,
}

impl AccountArguments {
    /// The files, for [`crate::input::once`].
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The one AWSAccount that is meant.
    ///
    /// # Errors
    /// When there is none, or more than one, or it can't be read.
    pub fn read(&self) -> Result<Account, Failure> {
        let mut accounts = Vec::new();
        for file in &self.files {
            for manifest in manifests(file)? {
                if manifest.get("kind").and_then(Value::as_str) == Some("AWSAccount") {
                    accounts.push(manifest);
                }
            }
        }
        if let Some(name) = &self.account {
            accounts.retain(|a| a.pointer("/metadata/name").and_then(Value::as_str) == Some(name));
        }
        let [account] = accounts.as_slice() else {
            return Err(Failure::input(format!(
                "expected one AWSAccount, found {}; say which with --account",
                accounts.len()
            )));
        };
        account_of(account)
    }
}

/// The account of a manifest.
fn account_of(account: &Value) -> Result<Account, Failure> {
    let misfits = crd("awsaccounts").map_or_else(Vec::new, |definition| misfits(&definition, account));
    if !misfits.is_empty() {
        let said = misfits
            .iter()
            .map(|m| format!("AWSAccount {}: {}", m.path, m.message));
        return Err(Failure::input(said.collect::<Vec<_>>().join("\n")));
    }
    let account: AWSAccount =
        serde_json::from_value(account.clone()).map_err(|e| Failure::input(format!("AWSAccount: {e}")))?;
    parse_account(&account).map_err(|violations| {
        Failure::input(
            violations
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n"),
        )
    })
}
