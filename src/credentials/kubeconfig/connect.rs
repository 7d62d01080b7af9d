//! From a context to what the client connects by: the login, certificates, a proxy.

use std::{path::Path, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use deputy_aws::{ExposeSecret as _, SecretString};
use http::{HeaderValue, header::USER_AGENT};
use kube::{
    Config,
    client::AuthError,
    config::{AuthInfo, Cluster, KubeconfigError, LoadDataError},
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use super::{context::ChosenContext, identity::read, plugin, proxy::proxy};
use crate::{credentials::settings::Settings, exit::Failure};

/// How long a login program may take: somebody signs in with a browser.
pub const LOGIN_DEADLINE: Duration = Duration::from_secs(5 * 60);
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);

/// What the client needs to know. Runs the login program where the kubeconfig has one.
///
/// # Errors
/// When the login program fails, or what the kubeconfig names can't be used.
pub fn client_config(context: ChosenContext, settings: &Settings<'_>) -> Result<Config, Failure> {
    let ChosenContext {
        server,
        cluster,
        login,
        ..
    } = context;
    let proxy = proxy(&server, cluster.proxy_url.as_deref(), |name| {
        settings.variable(name)
    })?;
    let root_cert = authority(&cluster)?;
    let mut config = Config::new(server);
    config.root_cert = root_cert;
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or_default();
    config.tls_server_name = cluster.tls_server_name.filter(|name| !name.is_empty());
    config.proxy_url = proxy;
    config.connect_timeout = Some(CONNECT);
    config.auth_info = logged_in(login)?;
    // What is busy is asked again by the call, which has the deadline.
    config.default_retry = false;
    let agent = concat!("deputy-credentials/", env!("CARGO_PKG_VERSION"));
    config.headers.push((USER_AGENT, HeaderValue::from_static(agent)));
    Ok(config)
}

/// By what the person shows who they are, without anything that would have to be run.
fn logged_in(mut login: AuthInfo) -> Result<AuthInfo, Failure> {
    if let Some(provider) = login.auth_provider.take() {
        // kubectl has no other one any more. It would renew the token, and write the kubeconfig anew; that is left to it.
        if provider.name != "oidc" {
            return Err(Failure::input(format!(
                "the kubeconfig logs in by the auth-provider {:?}, which kubectl has no more either: use a login program (exec)",
                provider.name
            )));
        }
        let token = provider.config.get("id-token").filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| {
            Failure::input("the auth-provider of the kubeconfig has no id-token: log in to the cluster first")
        })?;
        login.token = Some(SecretString::from(token.as_str()));
    }
    let Some(exec) = login.exec.take() else {
        return Ok(login);
    };
    // As kubectl has it: what stands in the kubeconfig counts first.
    if login.token.is_some() || login.token_file.is_some() || login.password.is_some() {
        return Ok(login);
    }
    let answer = plugin::run(&exec, LOGIN_DEADLINE)?;
    login.token = answer.token;
    if let (Some(certificate), Some(key)) = (answer.client_certificate_data, answer.client_key_data) {
        login.client_certificate_data = Some(STANDARD.encode(certificate));
        login.client_key_data = Some(SecretString::from(STANDARD.encode(key.expose_secret())));
    }
    Ok(login)
}

/// The authorities of the kubeconfig, in DER; none where it names none, and the system's are taken.
fn authority(cluster: &Cluster) -> Result<Option<Vec<Vec<u8>>>, Failure> {
    let wrong = |what: &str| Failure::input(format!("certificate-authority of the kubeconfig: {what}"));
    let pem = match (
        &cluster.certificate_authority_data,
        &cluster.certificate_authority,
    ) {
        (Some(data), _) => STANDARD.decode(data).map_err(|_| wrong("it is not Base64"))?,
        (None, Some(file)) => read(Path::new(file))?.into_bytes(),
        (None, None) => return Ok(None),
    };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem)
        .map(|certificate| certificate.map(|certificate| certificate.to_vec()))
        .collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(Some(certificates)),
        _ => Err(wrong("there is no certificate in it")),
    }
}

/// What of the login can't be used, where the client says so. Only names of files are taken from its errors.
pub fn load_problem(error: &kube::Error) -> Option<String> {
    match error {
        kube::Error::Auth(AuthError::ReadTokenFile(error, path)) => {
            Some(format!("{}: {error}", path.display()))
        }
        kube::Error::InferKubeconfig(
            KubeconfigError::LoadClientKey(LoadDataError::ReadFile(error, path))
            | KubeconfigError::LoadClientCertificate(LoadDataError::ReadFile(error, path)),
        ) => Some(format!("{}: {error}", path.display())),
        kube::Error::Auth(_) | kube::Error::InferKubeconfig(_) | kube::Error::HttpError(_) => {
            Some("the token, certificate, key or header of the kubeconfig can't be used".to_owned())
        }
        kube::Error::RustlsTls(_) => {
            Some("the client certificate and key of the kubeconfig can't be used".to_owned())
        }
        _ => None,
    }
}
