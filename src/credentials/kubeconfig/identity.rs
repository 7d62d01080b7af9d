//! What decides which person and which cluster it is, for the key of the cache. All of it goes into one digest; nothing is kept.

use std::{collections::BTreeMap, io::Read as _, path::Path};

use deputy_aws::ExposeSecret as _;
use kube::config::{AuthInfo, Cluster};

use super::context::ChosenContext;
use crate::{exit::Failure, input::failed};

/// More than a certificate, a bundle of them or a token has.
const LARGEST: u64 = 1024 * 1024;
/// What an auth provider renews by itself: the same person has others tomorrow.
const RENEWED: [&str; 5] = [
    "id-token",
    "refresh-token",
    "access-token",
    "expiry",
    "expires-on",
];

/// The cluster and the person of a context.
///
/// Of a login program it is how it is called: running it may open a browser, and a session that is kept is there without it.
///
/// # Errors
/// When a file that the kubeconfig names can't be read.
pub fn identity(context: &ChosenContext) -> Result<Vec<(String, String)>, Failure> {
    let mut fields = vec![
        pair("server", context.server.to_string()),
        pair("user", context.user.clone()),
    ];
    of_cluster(&context.cluster, &mut fields)?;
    of_login(&context.login, &mut fields)?;
    Ok(fields)
}

fn of_cluster(cluster: &Cluster, fields: &mut Vec<(String, String)>) -> Result<(), Failure> {
    fields.push(pair(
        "server name",
        cluster.tls_server_name.clone().unwrap_or_default(),
    ));
    // By one URL several clusters may be reached, one after the other: through tunnels, and on this machine.
    let authority = data_or_file(
        cluster.certificate_authority_data.as_deref(),
        cluster.certificate_authority.as_deref(),
    )?;
    fields.push(pair("authority", authority));
    Ok(())
}

fn of_login(login: &AuthInfo, fields: &mut Vec<(String, String)>) -> Result<(), Failure> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let certificate = data_or_file(
        login.client_certificate_data.as_deref(),
        login.client_certificate.as_deref(),
    )?;
    let token = match (&login.token, &login.token_file) {
        (Some(token), _) => token.expose_secret().to_owned(),
        (None, Some(file)) => read(Path::new(file))?,
        (None, None) => String::new(),
    };
    fields.extend([
        pair("certificate", certificate),
        pair("token", token),
        pair("basic", text(&login.username)),
        pair("as", text(&login.impersonate)),
        pair("as uid", text(&login.impersonate_uid)),
    ]);
    for group in login.impersonate_groups.iter().flatten() {
        fields.push(pair("as group", group.clone()));
    }
    let extra: BTreeMap<_, _> = login.impersonate_user_extra.iter().flatten().collect();
    for (name, values) in extra {
        fields.push(pair("as extra", name.clone()));
        fields.extend(values.iter().map(|value| pair("value", value.clone())));
    }
    if let Some(provider) = &login.auth_provider {
        fields.push(pair("provider", provider.name.clone()));
        let settings: BTreeMap<_, _> = provider.config.iter().collect();
        for (name, value) in settings
            .into_iter()
            .filter(|(name, _)| !RENEWED.contains(&name.as_str()))
        {
            fields.push(pair(name, value.clone()));
        }
    }
    if let Some(exec) = &login.exec {
        fields.push(pair("program", text(&exec.command)));
        fields.extend(
            exec.args
                .iter()
                .flatten()
                .map(|value| pair("argument", value.clone())),
        );
        for variable in exec.env.iter().flatten() {
            let part = |name: &str| variable.get(name).cloned().unwrap_or_default();
            fields.push(pair("variable", part("name")));
            fields.push(pair("value", part("value")));
        }
    }
    Ok(())
}

fn data_or_file(data: Option<&str>, file: Option<&str>) -> Result<String, Failure> {
    match (data, file) {
        (Some(data), _) => Ok(data.to_owned()),
        (None, Some(file)) => read(Path::new(file)),
        (None, None) => Ok(String::new()),
    }
}

/// A file that the kubeconfig names, which may be a secret.
pub(super) fn read(file: &Path) -> Result<String, Failure> {
    let is_file = file.metadata().map_err(|error| failed(file, &error))?.is_file();
    if !is_file {
        return Err(failed(file, &"the kubeconfig names it, and it is no file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(file)
        .and_then(|open| open.take(LARGEST + 1).read_to_end(&mut bytes))
        .map_err(|error| failed(file, &error))?;
    if bytes.len() as u64 > LARGEST {
        return Err(failed(file, &format!("more than {LARGEST} bytes")));
    }
    // It may be a secret: where it is no text is not said.
    String::from_utf8(bytes).map_err(|_| failed(file, &"it is not UTF-8"))
}

fn pair(name: &str, value: String) -> (String, String) {
    (name.to_owned(), value)
}
