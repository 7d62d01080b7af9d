//! The AWSAccounts that a command is about, and the limits beside them, from manifests.

use std::path::PathBuf;

use clap::Args;
use deputy_api::{crds::crd, parse_account, parse_limit, parse_role};
use deputy_delegation::{
    ObjectName, Violations,
    model::{Account, Limit, Role},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{exit::Failure, manifests::manifests, shape::misfits};

/// What the platform team's manifests have.
#[derive(Debug, Default)]
pub struct Platform {
    /// In the order of the files.
    pub accounts: Vec<Account>,
    pub limits: Vec<Limit>,
}

/// Which AWSAccount.
#[derive(Debug, Args)]
pub struct AccountArguments {
    /// Manifests with AWSAccounts; `-` is standard input
    #[arg(short = 'f', long = "filename", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Which AWSAccount, by its name, when there are several
    #[arg(long, value_name = "NAME")]
    account: Option<ObjectName>,
}

impl AccountArguments {
    /// The files, for [`crate::input::once`].
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The one AWSAccount that is meant.
    ///
    /// # Errors
    /// When there is none, or more than one, or something can't be read.
    pub fn read(&self) -> Result<Account, Failure> {
        let mut accounts = self.read_all()?.accounts;
        if let Some(name) = &self.account {
            accounts.retain(|account| account.name == *name);
        }
        match <[Account; 1]>::try_from(accounts) {
            Ok([account]) => Ok(account),
            Err(accounts) => Err(Failure::input(format!(
                "expected one AWSAccount, found {}; say which with --account",
                accounts.len()
            ))),
        }
    }

    /// The name of the AWSAccount that is meant, if one is.
    pub fn chosen(&self) -> Option<&ObjectName> {
        self.account.as_ref()
    }

    /// All AWSAccounts and DelegationLimits of the files.
    ///
    /// # Errors
    /// When a file or an object can't be read, with everything that is wrong in any of them.
    pub fn read_all(&self) -> Result<Platform, Failure> {
        let mut platform = Platform::default();
        let mut wrong = Vec::new();
        for file in &self.files {
            for manifest in manifests(file)? {
                let kind = manifest.get("kind").and_then(Value::as_str);
                let problem = match kind {
                    Some("AWSAccount") => parsed(&manifest, "AWSAccount", "awsaccounts", parse_account)
                        .map(|account| platform.accounts.push(account)),
                    Some("DelegationLimit") => {
                        parsed(&manifest, "DelegationLimit", "delegationlimits", parse_limit)
                            .map(|limit| platform.limits.push(limit))
                    }
                    _ => Ok(()),
                };
                wrong.extend(problem.err());
            }
        }
        if wrong.is_empty() {
            Ok(platform)
        } else {
            Err(Failure::input(wrong.join("\n")))
        }
    }
}

/// The limit of a manifest, as the API server would take it.
///
/// # Errors
/// What is wrong with it: a line for each thing.
pub fn parsed_limit(manifest: &Value) -> Result<Limit, String> {
    parsed(manifest, "DelegationLimit", "delegationlimits", parse_limit)
}

/// The role of a manifest, as the API server would take it.
///
/// # Errors
/// What is wrong with it: a line for each thing.
pub fn parsed_role(manifest: &Value) -> Result<Role, String> {
    parsed(manifest, "AWSRole", "awsroles", parse_role)
}

/// What a manifest says, or what is wrong with it: a line for each thing, with kind, name and field.
fn parsed<K: DeserializeOwned, T>(
    manifest: &Value,
    kind: &str,
    plural: &str,
    parse: fn(&K) -> Result<T, Violations>,
) -> Result<T, String> {
    let name = manifest.pointer("/metadata/name").and_then(Value::as_str);
    let object = name.map_or_else(|| kind.to_owned(), |name| format!("{kind} {name}"));
    let misfits = crd(plural).map_or_else(Vec::new, |definition| misfits(definition, manifest));
    if !misfits.is_empty() {
        let said = misfits
            .iter()
            .map(|m| format!("{object}, {}: {}", m.path, m.message));
        return Err(said.collect::<Vec<_>>().join("\n"));
    }
    let parsable: K = serde_json::from_value(manifest.clone()).map_err(|e| format!("{object}: {e}"))?;
    parse(&parsable).map_err(|violations| {
        let said = violations
            .iter()
            .map(|violation| format!("{object}, {violation}"));
        said.collect::<Vec<_>>().join("\n")
    })
}
