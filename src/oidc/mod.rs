//! `deputy bootstrap oidc`: what makes the ServiceAccount tokens of a self-managed cluster known to AWS. The two documents that
//! AWS reads from the issuer's URL, and what the OIDC provider in IAM and the AWSAccount have to say.

mod issuer;
mod keys;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use deputy_delegation::{Audience, model::Account};
use deputy_runtime::client;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::{Value, json};

use self::{issuer::IssuerUrl, keys::KeySet};
use crate::{
    accounts::AccountArguments,
    exit::{CommandAnswer, CommandResult, Failure},
    input::{self, named, once},
    manifests::manifests,
    output,
    process::block_on,
};

/// Where an API server has its keys: <https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#service-account-issuer-discovery>.
const KEYS_OF_API_SERVER: &str = "/openid/v1/jwks";
/// The most that is read of it: 200 keys of 16,384 bits take 600,000 bytes.
const MAX_KEYS_BYTES: u64 = 1024 * 1024;
const DEADLINE: Duration = Duration::from_secs(15);

/// Where the documents are, below the folder and below the issuer's URL.
const DISCOVERY: &str = ".well-known/openid-configuration";
const KEYS: &str = "keys.json";

/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateOpenIDConnectProvider.html>, `ThumbprintList`.
const MAX_THUMBPRINTS: usize = 5;

const EXAMPLE: &str = "\
Example:
  deputy bootstrap oidc -f account.yaml --issuer https://oidc.example.com/production-1 --directory site";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub struct OidcArguments {
    #[command(flatten)]
    account: AccountArguments,
    /// The URL at which AWS will find the documents, and which tokens will name as their issuer: https, without a port
    #[arg(long, value_name = "URL")]
    issuer: IssuerUrl,
    /// The keys of the API server as a JSON Web Key Set; asked of the API server of the current kubeconfig when left out
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// The audience of the tokens that pods get for AWS
    #[arg(long, default_value = "sts.amazonaws.com")]
    audience: Audience,
    /// PEM certificates of the authority behind the issuer's URL, when it is none that AWS trusts by itself
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// The folder for the two documents; made when it is not there
    #[arg(long, value_name = "FOLDER")]
    directory: PathBuf,
}

pub fn run(arguments: &OidcArguments) -> CommandResult {
    let files = [("--jwks", &arguments.jwks), ("--ca-file", &arguments.ca_file)];
    let files = files
        .into_iter()
        .filter_map(|(name, path)| Some((name, path.as_deref()?)));
    once(named("--filename", arguments.account.files()).chain(files))?;
    let account = arguments.account.read()?;
    let provider = arguments
        .issuer
        .provider(&account.partition, &account.id)?
        .to_string();
    let thumbprints = match &arguments.ca_file {
        Some(file) => thumbprints(file)?,
        None => Vec::new(),
    };
    let keys = match &arguments.jwks {
        Some(file) => keys_of_file(file)?,
        None => keys_of_api_server()?,
    };
    let published = [
        (DISCOVERY, discovery(&arguments.issuer, &keys)),
        (KEYS, keys.to_value()),
    ];
    for (name, document) in &published {
        write(&arguments.directory.join(name), document)?;
    }
    let published: Vec<Value> = published
        .iter()
        .map(|(name, _)| {
            json!({
                "file": arguments.directory.join(name).display().to_string(),
                "url": format!("{}/{name}", arguments.issuer),
                "contentType": "application/json",
            })
        })
        .collect();
    let out = answer(arguments, &account, &thumbprints, &published, &provider);
    output::print(format_args!("{out:#}"))?;
    Ok(CommandAnswer::Yes)
}

/// What there is to do with the documents, in the spelling of who is told.
fn answer(
    arguments: &OidcArguments,
    account: &Account,
    thumbprints: &[String],
    published: &[Value],
    provider: &str,
) -> Value {
    let OidcArguments { issuer, audience, .. } = arguments;

    // AWS trusts a common authority by itself, and asks for no thumbprint then.
    let mut create = json!({"Url": issuer.to_string(), "ClientIDList": [audience.as_str()]});
    if let (false, Some(fields)) = (thumbprints.is_empty(), create.as_object_mut()) {
        fields.insert("ThumbprintList".into(), thumbprints.into());
    }
    json!({
        "publish": published,
        "apiServerFlags": [
            format!("--service-account-issuer={issuer}"),
            format!("--service-account-jwks-uri={issuer}/{KEYS}"),
        ],
        "createOpenIDConnectProvider": create,
        "providerARN": provider,
        "awsAccount": {
            "metadata": {"name": account.name.as_str()},
            "spec": {"oidc": {"providerARN": provider, "audience": audience.as_str()}},
        },
    })
}

/// The discovery document. <https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata> requires all of these; nobody can
/// log in here, which is what the URN of Kubernetes says.
fn discovery(issuer: &IssuerUrl, keys: &KeySet) -> Value {
    json!({
        "issuer": issuer.to_string(),
        "jwks_uri": format!("{issuer}/{KEYS}"),
        "authorization_endpoint": "urn:kubernetes:programmatic_authorization",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": keys.algorithms(),
        "claims_supported": ["sub", "iss"],
    })
}

fn keys_of_file(file: &Path) -> Result<KeySet, Failure> {
    let documents = manifests(file)?;
    let [document] = documents.as_slice() else {
        let found = format!("expected one JSON document with keys, found {}", documents.len());
        return Err(input::failed(file, &found));
    };
    KeySet::read(document).map_err(|e| input::failed(file, &e))
}

fn keys_of_api_server() -> Result<KeySet, Failure> {
    let mut bytes = Vec::new();
    block_on(async {
        client::install_crypto_provider().map_err(Failure::error)?;
        let agent = format!("deputy-bootstrap/{}", env!("CARGO_PKG_VERSION"));
        let client = client::kube_client(&agent).await.map_err(Failure::error)?;
        bytes = client::document(&client, KEYS_OF_API_SERVER, MAX_KEYS_BYTES, DEADLINE)
            .await
            .map_err(Failure::error)?;
        Ok(())
    })?;
    let at =
        |e: &dyn std::fmt::Display| Failure::input(format!("{KEYS_OF_API_SERVER} of the API server: {e}"));
    let document: Value = serde_json::from_slice(&bytes).map_err(|e| at(&e))?;
    KeySet::read(&document).map_err(|e| at(&e))
}

/// SHA-1 over each certificate of a PEM file, as IAM wants it
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc_verify-thumbprint.html>).
fn thumbprints(file: &Path) -> Result<Vec<String>, Failure> {
    let text = input::read(file)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(text.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|e| input::failed(file, &format!("not PEM: {e}")))?;
    if !(1..=MAX_THUMBPRINTS).contains(&certificates.len()) {
        let found = certificates.len();
        let message = format!("{found} certificates; IAM takes the thumbprints of 1 to {MAX_THUMBPRINTS}");
        return Err(input::failed(file, &message));
    }
    Ok(certificates
        .iter()
        .map(|certificate| {
            let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, certificate);
            digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
        })
        .collect())
}

fn write(file: &Path, document: &Value) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::process(format!("{}: {e}", file.display()));
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::write(file, format!("{document:#}\n")).map_err(failed)
}
