//! The context of a kubeconfig.

use std::path::{Path, PathBuf};

use clap::Args;
use http::Uri;
use kube::config::{AuthInfo, Cluster, ExecAuthCluster, Kubeconfig, KubeconfigError};

use crate::{
    credentials::settings::Settings,
    exit::Failure,
    input::{MAX_FILE_BYTES, failed},
};

/// So many contexts are named to whoever asks for one that is not there.
const NAMED: usize = 20;

/// Which cluster, and who.
#[derive(Debug, Args)]
pub struct KubeconfigArguments {
    /// The context of the kubeconfig; by default its current one
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The kubeconfig; by default the files of KUBECONFIG, else ~/.kube/config
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// A context with its cluster and its user. No `Debug`: tokens and keys are in it.
pub struct ChosenContext {
    pub name: String,
    /// The namespace that it is for, where it says one.
    pub namespace: Option<String>,
    /// The name of the entry that says who asks.
    pub user: String,
    pub cluster: Cluster,
    pub server: Uri,
    pub login: AuthInfo,
}

impl KubeconfigArguments {
    /// Reads the kubeconfig, and chooses.
    ///
    /// # Errors
    /// When it can't be read, or has no such context, cluster or user.
    pub fn choose(&self, settings: &Settings<'_>) -> Result<ChosenContext, Failure> {
        choose(self.read(settings)?, self.context.as_deref())
    }

    /// The file that says the same to whoever has another environment; none where that is the one of everybody, `~/.kube/config`.
    ///
    /// # Errors
    /// When KUBECONFIG names several.
    pub fn file(&self, settings: &Settings<'_>) -> Result<Option<PathBuf>, Failure> {
        if let Some(file) = &self.kubeconfig {
            return Ok(Some(file.clone()));
        }
        let mut files = listed(settings);
        match (files.pop(), files.is_empty()) {
            (file, true) => Ok(file),
            (_, false) => Err(Failure::input(
                "KUBECONFIG names several files, and whatever uses the profile may not have that variable: say which one by --kubeconfig",
            )),
        }
    }

    fn read(&self, settings: &Settings<'_>) -> Result<Kubeconfig, Failure> {
        if let Some(file) = &self.kubeconfig {
            return read(file);
        }
        let mut files = listed(settings);
        if files.is_empty() {
            let home = settings.variable("HOME").ok_or_else(|| {
                Failure::input("there is no kubeconfig: set HOME or KUBECONFIG, or give --kubeconfig")
            })?;
            files.push(Path::new(&home).join(".kube").join("config"));
        }
        // As kubectl does: one that is not there is passed over, and the first one that says something counts.
        let mut merged: Option<Kubeconfig> = None;
        for file in files.iter().filter(|file| file.exists()) {
            let next = read(file)?;
            merged = Some(match merged {
                None => next,
                Some(before) => before
                    .merge(next)
                    .map_err(|_| failed(file, &"its kind or apiVersion is another one than before"))?,
            });
        }
        merged.ok_or_else(|| {
            let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
            Failure::input(format!(
                "there is no kubeconfig at {}: log in to the cluster first, or give --kubeconfig",
                files.join(", ")
            ))
        })
    }
}

/// The files of KUBECONFIG.
fn listed(settings: &Settings<'_>) -> Vec<PathBuf> {
    let listed = settings.variable("KUBECONFIG").unwrap_or_default();
    std::env::split_paths(&listed)
        .filter(|path| !path.as_os_str().is_empty())
        .collect()
}

fn read(file: &Path) -> Result<Kubeconfig, Failure> {
    let metadata = file.metadata().map_err(|error| failed(file, &error))?;
    // A pipe may never end.
    if !metadata.is_file() {
        return Err(failed(file, &"a kubeconfig is a file"));
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(failed(
            file,
            &format!("more than {MAX_FILE_BYTES} bytes, which is the most that is read of a file"),
        ));
    }
    Kubeconfig::read_from(file).map_err(|error| match error {
        KubeconfigError::ReadConfig(error, _) => failed(file, &error),
        // In its words would be the lines around the mistake, and in those tokens.
        KubeconfigError::Parse(error) => match error.location() {
            Some(at) => failed(
                file,
                &format!("it can't be read as a kubeconfig (line {})", at.line()),
            ),
            None => failed(file, &"it can't be read as a kubeconfig"),
        },
        _ => failed(file, &"it can't be read as a kubeconfig"),
    })
}

/// The context `wanted` of a kubeconfig, or its current one.
pub(super) fn choose(kubeconfig: Kubeconfig, wanted: Option<&str>) -> Result<ChosenContext, Failure> {
    let current = kubeconfig
        .current_context
        .as_deref()
        .filter(|name| !name.is_empty());
    let Some(name) = wanted.or(current) else {
        return Err(Failure::input(format!(
            "the kubeconfig has no current context: give --context{}",
            known(&kubeconfig)
        )));
    };
    let context = kubeconfig
        .contexts
        .iter()
        .find(|context| context.name == name)
        .and_then(|context| context.context.clone());
    let Some(context) = context else {
        return Err(Failure::input(format!(
            "the kubeconfig has no context {name:?}{}",
            known(&kubeconfig)
        )));
    };
    let name = name.to_owned();
    let lacks = |what: &str, named: &str| {
        Failure::input(format!(
            "context {name:?} names the {what} {named:?}, of which the kubeconfig says nothing"
        ))
    };
    let cluster = kubeconfig
        .clusters
        .into_iter()
        .find(|cluster| cluster.name == context.cluster)
        .and_then(|cluster| cluster.cluster)
        .ok_or_else(|| lacks("cluster", &context.cluster))?;
    let user = context.user.clone().unwrap_or_default();
    let login = kubeconfig.auth_infos.into_iter().find(|login| login.name == user);
    let login = login
        .and_then(|login| login.auth_info)
        .ok_or_else(|| lacks("user", &user))?;
    Ok(ChosenContext {
        server: server(&name, &cluster)?,
        login: with_cluster(login, &cluster, &name)?,
        namespace: context.namespace.filter(|namespace| !namespace.is_empty()),
        name,
        user,
        cluster,
    })
}

fn known(kubeconfig: &Kubeconfig) -> String {
    let names = kubeconfig.contexts.iter().map(|context| context.name.as_str());
    let names: Vec<&str> = names.take(NAMED).collect();
    if names.is_empty() {
        "; it has none".to_owned()
    } else {
        format!("; it has {}", names.join(", "))
    }
}

/// Where the API server is. By it goes what proves who asks, and a session comes back.
fn server(context: &str, cluster: &Cluster) -> Result<Uri, Failure> {
    let wrong = || {
        // It may hold a password.
        Failure::input(format!(
            "the server of context {context:?} is not https://HOST[:PORT][/PATH], nor http:// to this machine"
        ))
    };
    let text = cluster.server.as_deref().ok_or_else(wrong)?;
    let server: Uri = text.parse().map_err(|_| wrong())?;
    let authority = server.authority().ok_or_else(wrong)?;
    let is_taken = match server.scheme_str() {
        Some("https") => true,
        Some("http") => ["127.0.0.1", "[::1]", "localhost"].contains(&authority.host()),
        _ => false,
    };
    if is_taken && !authority.as_str().contains('@') && server.query().is_none() {
        Ok(server)
    } else {
        Err(wrong())
    }
}

/// A login program may want to know for which cluster it is asked.
fn with_cluster(mut login: AuthInfo, cluster: &Cluster, context: &str) -> Result<AuthInfo, Failure> {
    if let Some(exec) = login.exec.as_mut().filter(|exec| exec.provide_cluster_info) {
        let cluster = ExecAuthCluster::try_from(cluster)
            .map_err(|_| Failure::input(format!("the authority of context {context:?} can't be read")))?;
        exec.cluster = Some(cluster);
    }
    Ok(login)
}
