//! The AWSAccount that a command is about, from manifests.

use std::path::PathBuf;

use clap::Args;
use deputy_api::{crds::crd, parse_account, parse_limit};
use deputy_delegation::{
    Violations,
    model::{Account, Limit},
};
use serde::de::DeserializeOwned;
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
        self.read_with_limits().map(|(account, _)| account)
    }

    /// The one AWSAccount that is meant, and all DelegationLimits of the files.
    ///
    /// # Errors
    /// When there is no account, or more than one, or something can't be read.
    pub fn read_with_limits(&self) -> Result<(Account, Vec<Limit>), Failure> {
        let (mut accounts, mut limits) = (Vec::new(), Vec::new());
        for file in &self.files {
            for manifest in manifests(file)? {
                match manifest.get("kind").and_then(Value::as_str) {
                    Some("AWSAccount") => accounts.push(manifest),
                    Some("DelegationLimit") => limits.push(manifest),
                    _ => {}
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
        let limits = limits
            .iter()
            .map(|limit| parsed(limit, "DelegationLimit", "delegationlimits", parse_limit));
        Ok((
            parsed(account, "AWSAccount", "awsaccounts", parse_account)?,
            limits.collect::<Result<_, _>>()?,
        ))
    }
}

/// What a manifest says.
fn parsed<K: DeserializeOwned, T>(
    manifest: &Value,
    kind: &str,
    plural: &str,
    parse: fn(&K) -> Result<T, Violations>,
) -> Result<T, Failure> {
    let misfits = crd(plural).map_or_else(Vec::new, |definition| misfits(&definition, manifest));
    if !misfits.is_empty() {
        let said = misfits
            .iter()
            .map(|m| format!("{kind} {}: {}", m.path, m.message));
        return Err(Failure::input(said.collect::<Vec<_>>().join("\n")));
    }
    let object: K =
        serde_json::from_value(manifest.clone()).map_err(|e| Failure::input(format!("{kind}: {e}")))?;
    parse(&object).map_err(|violations| {
        Failure::input(
            violations
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n"),
        )
    })
}
