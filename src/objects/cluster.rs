//! The objects of a cluster, read once.

use std::path::PathBuf;

use clap::Args;
use deputy_admission::DeputyKind;
use deputy_api::{GROUP, VERSION};
use deputy_runtime::client::install_crypto_provider;
use http::{HeaderValue, header::USER_AGENT};
use kube::{
    Api, Client, Config,
    api::{ApiResource, DynamicObject},
};

use super::{
    ReadObject,
    beside::beside,
    core::{CoreObjects, WantedBeside},
    page::{CALL_TIMEOUT, Unanswered, all_pages},
};
use crate::{
    credentials::{
        block_on,
        kubeconfig::{KubeconfigArguments, client_config},
        settings::Settings,
    },
    exit::Failure,
};

/// What a cluster holds.
#[derive(Debug)]
pub struct LiveObjects {
    pub objects: Vec<ReadObject>,
    /// What was wanted beside them.
    pub core: CoreObjects,
    /// That of the context, where it says one.
    pub namespace: Option<String>,
}

/// A cluster that is looked at where somebody names one.
#[derive(Debug, Args)]
pub struct NamedCluster {
    /// Look at the cluster of this context of the kubeconfig; without --context and --kubeconfig no cluster is asked
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Look at the cluster of this kubeconfig, of its current context unless --context says another; by default, for --context, the files
    /// of KUBECONFIG, else ~/.kube/config
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

impl NamedCluster {
    /// How it is reached; `None` where none is named.
    pub fn arguments(&self) -> Option<KubeconfigArguments> {
        let is_named = self.context.is_some() || self.kubeconfig.is_some();
        is_named.then(|| KubeconfigArguments {
            context: self.context.clone(),
            kubeconfig: self.kubeconfig.clone(),
        })
    }
}

/// All of Deputy's objects of a cluster; `None` where none is named.
///
/// # Errors
/// When the kubeconfig can't be used, or the cluster does not list them.
pub fn live(arguments: &NamedCluster) -> Result<Option<LiveObjects>, Failure> {
    live_beside(arguments, &WantedBeside::Nothing)
}

/// The same, with what is wanted beside them.
///
/// # Errors
/// The same; of a pod also when it is not there. What else can't be read is in [`CoreObjects::unread`].
pub fn live_beside(
    arguments: &NamedCluster,
    wanted: &WantedBeside<'_>,
) -> Result<Option<LiveObjects>, Failure> {
    let Some(arguments) = arguments.arguments() else {
        return Ok(None);
    };
    let (config, namespace) = connection(&arguments)?;
    let of_context = namespace.as_deref();
    let url = config.cluster_url.clone();
    let read = block_on(async {
        let client = Client::try_from(config).map_err(Failure::error)?;
        let core = beside(&client, wanted, of_context).await?;
        Ok::<_, Failure>((list_all(&client).await?, core))
    })?;
    let (objects, core) = read.map_err(|failure| failure.of_api_server(&url))?;
    Ok(Some(LiveObjects {
        objects,
        core,
        namespace,
    }))
}

/// How the cluster of `arguments`, or of the kubeconfig's current context, is reached, and the namespace of that context.
///
/// # Errors
/// When the kubeconfig can't be used.
pub fn connection(arguments: &KubeconfigArguments) -> Result<(Config, Option<String>), Failure> {
    install_crypto_provider().map_err(Failure::error)?;
    let settings = Settings::of_environment();
    let context = arguments.choose(&settings)?;
    let namespace = context.namespace.clone();
    Ok((named(client_config(context, &settings)?), namespace))
}

/// How a pod reaches its own cluster.
///
/// # Errors
/// When this is no pod, or one without a token.
pub fn connection_of_pod() -> Result<Config, Failure> {
    install_crypto_provider().map_err(Failure::error)?;
    let mut config = Config::incluster().map_err(Failure::error)?;
    config.connect_timeout = Some(CALL_TIMEOUT);
    config.default_retry = false;
    Ok(named(config))
}

/// Who asks, for the API server's logs.
fn named(mut config: Config) -> Config {
    config.headers.retain(|(name, _)| name != USER_AGENT);
    let agent = concat!("deputy/", env!("CARGO_PKG_VERSION"));
    config.headers.push((USER_AGENT, HeaderValue::from_static(agent)));
    config
}

async fn list_all(client: &Client) -> Result<Vec<ReadObject>, Failure> {
    let mut objects = Vec::new();
    for kind in DeputyKind::ALL {
        objects.extend(list(client, kind).await?);
    }
    Ok(objects)
}

async fn list(client: &Client, kind: DeputyKind) -> Result<Vec<ReadObject>, Failure> {
    let mut objects = Vec::new();
    let plural = kind.plural();
    let listed = list_objects(client, kind).await?;
    for mut object in
        listed.ok_or_else(|| Failure::process(format!("the cluster has no {plural}.{GROUP}")))?
    {
        object.types.get_or_insert_with(|| kube::core::TypeMeta {
            api_version: resource(kind).api_version,
            kind: kind.name().to_owned(),
        });
        let value = serde_json::to_value(&object).map_err(Failure::error)?;
        objects.extend(ReadObject::of_cluster(kind, value));
    }
    Ok(objects)
}

/// All objects of a kind; `None` where the cluster does not know the kind.
///
/// # Errors
/// When the cluster does not list them in time.
pub async fn list_objects(client: &Client, kind: DeputyKind) -> Result<Option<Vec<DynamicObject>>, Failure> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource(kind));
    match all_pages(CALL_TIMEOUT, async |parameters| api.list(parameters).await).await {
        Ok(objects) => Ok(Some(objects)),
        Err(Unanswered::Error(kube::Error::Api(status))) if status.code == 404 => Ok(None),
        Err(why) => Err(Failure::process(format!(
            "failed to list {}: {why}",
            kind.plural()
        ))),
    }
}

/// How an API server is asked for a kind.
pub fn resource(kind: DeputyKind) -> ApiResource {
    ApiResource {
        group: GROUP.to_owned(),
        version: VERSION.to_owned(),
        api_version: format!("{GROUP}/{VERSION}"),
        kind: kind.name().to_owned(),
        plural: kind.plural().to_owned(),
    }
}
