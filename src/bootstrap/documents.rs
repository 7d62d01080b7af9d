//! The documents of an answer: what each is called, and where it goes.

use std::{fs, path::Path};

use clap::ValueEnum;
use deputy_delegation::{
    EksClusterArn,
    bootstrap::{AccountSetup, ProcessIdentity},
};
use serde_json::{Map, Value, json};

use super::{awscli, cloudformation, eksctl, making::Making, terraform};
use crate::{exit::Failure, output::Output};

/// In whose words the answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum BootstrapFormat {
    /// Identities with their policies, as JSON
    #[default]
    Policies,
    /// A CloudFormation template for each AWS account
    Cloudformation,
    /// A Terraform configuration in JSON for each AWS account
    Terraform,
    /// A script of calls of the AWS CLI for each AWS account, which can be run again
    Awscli,
    /// A ClusterConfig of eksctl, with what it can make
    Eksctl,
}

impl BootstrapFormat {
    /// The file of an account.
    fn file(self) -> &'static str {
        match self {
            Self::Policies => "policies.json",
            Self::Cloudformation => "cloudformation.json",
            Self::Terraform => "deputy.tf.json",
            Self::Awscli => "deputy.sh",
            Self::Eksctl => "eksctl.yaml",
        }
    }
}

/// What is asked for.
pub struct WantedDocuments<'a> {
    pub format: BootstrapFormat,
    /// The service control policies instead of the identities.
    pub guards: bool,
    pub eks_cluster: Option<&'a EksClusterArn>,
}

/// A file, or a part of what is printed.
pub struct OutputDocument {
    /// Its folder is the AWS account, or `organization`.
    pub name: String,
    pub text: String,
}

/// The documents of all accounts; what is to be told about them goes to `told`.
///
/// # Errors
/// What the format can't say.
pub fn documents(
    wanted: &WantedDocuments<'_>,
    making: &Making<'_>,
    setups: &[AccountSetup],
    told: &mut Vec<String>,
) -> Result<Vec<OutputDocument>, Failure> {
    let named = |folder: &str, text: String| OutputDocument {
        name: format!("{folder}/{}", wanted.format.file()),
        text,
    };
    match wanted.format {
        BootstrapFormat::Eksctl => {
            return eksctl_document(wanted, making, setups, told).map(|text| {
                let cluster = wanted
                    .eks_cluster
                    .map_or("", |cluster| cluster.account().as_str());
                vec![named(cluster, text)]
            });
        }
        BootstrapFormat::Policies => {
            return Ok(setups
                .iter()
                .filter(|setup| !wanted.guards || setup.service_control_policy.is_some())
                .map(|setup| {
                    named(
                        setup.id.as_str(),
                        format!("{:#}\n", in_json(setup, !wanted.guards)),
                    )
                })
                .collect());
        }
        BootstrapFormat::Cloudformation | BootstrapFormat::Terraform | BootstrapFormat::Awscli => {}
    }
    if wanted.guards {
        let guards = making.guards(setups);
        let title = format!(
            "Service control policies around Deputy, cluster {}: for the account that manages the organization",
            making.cluster_name
        );
        let text = match wanted.format {
            BootstrapFormat::Cloudformation => cloudformation::guards(&title, &guards),
            BootstrapFormat::Terraform => terraform::guards(&title, &guards),
            _ => awscli::guards(&title, &guards),
        };
        return Ok(vec![named("organization", text)]);
    }
    setups
        .iter()
        .filter(|setup| !setup.identities.is_empty())
        .map(|setup| {
            let made = making.identities(setup)?;
            let title = title(making, setup);
            let text = match wanted.format {
                BootstrapFormat::Cloudformation => cloudformation::identities(making, &title, &made),
                BootstrapFormat::Terraform => terraform::identities(making, setup.id.as_str(), &title, &made),
                _ => awscli::identities(making, setup.id.as_str(), &title, &made),
            };
            Ok(named(setup.id.as_str(), text))
        })
        .collect()
}

fn title(making: &Making<'_>, setup: &AccountSetup) -> String {
    let of = setup
        .name
        .as_ref()
        .map_or_else(String::new, |name| format!(" (AWSAccount {name})"));
    format!(
        "Deputy's identities, cluster {}, in AWS account {}{of}",
        making.cluster_name, setup.id
    )
}

fn eksctl_document(
    wanted: &WantedDocuments<'_>,
    making: &Making<'_>,
    setups: &[AccountSetup],
    told: &mut Vec<String>,
) -> Result<String, Failure> {
    if wanted.guards {
        return Err(Failure::input(
            "--scp: eksctl makes no service control policies; use another --format",
        ));
    }
    let cluster = wanted
        .eks_cluster
        .ok_or_else(|| Failure::input("--format eksctl is about an EKS cluster: give --eks-cluster"))?;
    let title = format!("Deputy's identities, cluster {}", making.cluster_name);
    let config = eksctl::cluster_config(making, cluster, &title, setups)?;
    told.extend(config.missing);
    Ok(config.text)
}

/// Prints all of it: policies as one JSON document, anything else one after the other, each under its name where there are several.
///
/// # Errors
/// When standard output takes nothing.
pub fn print(format: BootstrapFormat, documents: &[OutputDocument]) -> Result<(), Failure> {
    let mut out = Output::new();
    if format == BootstrapFormat::Policies {
        let accounts = documents
            .iter()
            .map(|document| serde_json::from_str(&document.text));
        let accounts: Vec<Value> = accounts.collect::<Result<_, _>>().map_err(Failure::process)?;
        out.line(format_args!("{:#}", json!({ "accounts": accounts })))?;
    } else {
        for document in documents {
            if documents.len() > 1 {
                out.line(format_args!("# ==== {} ====", document.name))?;
            }
            out.write(&document.text)?;
        }
    }
    out.flush()
}

/// Writes each into its folder below `folder`, and prints its path.
///
/// # Errors
/// When a file can't be written.
pub fn write(folder: &Path, documents: &[OutputDocument]) -> Result<(), Failure> {
    let mut out = Output::new();
    for document in documents {
        let file = folder.join(&document.name);
        let failed = |e: std::io::Error| Failure::process(format!("{}: {e}", file.display()));
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        fs::write(&file, &document.text).map_err(failed)?;
        out.line(file.display())?;
    }
    out.flush()
}

/// An account as it is printed: docs/contracts.md.
fn in_json(setup: &AccountSetup, with_identities: bool) -> Value {
    let identities: Vec<Value> = setup.identities.iter().map(identity_in_json).collect();
    let mut out = Map::from_iter([
        ("account".to_owned(), setup.id.as_str().into()),
        ("partition".to_owned(), setup.partition.as_str().into()),
    ]);
    if with_identities {
        out.insert("identities".into(), identities.into());
    }
    if let Some(name) = &setup.name {
        out.insert("name".into(), name.as_str().into());
    }
    if let Some(guard) = &setup.service_control_policy {
        out.insert("serviceControlPolicy".into(), guard.to_value());
    }
    out.into()
}

fn identity_in_json(identity: &ProcessIdentity) -> Value {
    let mut out = Map::from_iter([
        ("arn".to_owned(), identity.arn.to_string().into()),
        ("name".to_owned(), identity.arn.name().into()),
        ("process".to_owned(), identity.process.into()),
        ("policy".to_owned(), identity.policy.to_value()),
    ]);
    if let Some(trust) = &identity.trust {
        out.insert("trust".into(), trust.to_value());
    }
    out.into()
}
