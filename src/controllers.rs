//! `deputy controller` and `deputy limits`

use clap::Args;
use deputy_aws::Proxy;
use deputy_controller::{ProcessConfig, run_controller, run_limits};

use crate::{
    cluster::Duty,
    exit::Failure,
    process::{Aws, Common, Started, start},
};

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    aws: Aws,
}

impl Arguments {
    fn config(&self, started: &Started, proxy: Option<Proxy>) -> ProcessConfig {
        ProcessConfig {
            cluster: self.common.cluster_name.clone(),
            namespace: self.common.namespace.clone(),
            identity: started.identity.clone(),
            allow_instance_metadata: self.aws.allow_instance_metadata,
            proxy,
        }
    }
}

pub async fn controller(arguments: &Arguments) -> Result<(), Failure> {
    let proxy = Aws::proxy()?;
    let started = start(&arguments.common, "controller", Duty::Remembers).await?;
    let config = arguments.config(&started, proxy);
    let Started {
        client,
        shutdown,
        health,
        metrics,
        ..
    } = started;
    run_controller(config, client, shutdown, health, metrics)
        .await
        .map_err(Failure::process)
}

pub async fn limits(arguments: &Arguments) -> Result<(), Failure> {
    let proxy = Aws::proxy()?;
    let started = start(&arguments.common, "limits", Duty::Waits).await?;
    let config = arguments.config(&started, proxy);
    let Started {
        client,
        shutdown,
        health,
        metrics,
        ..
    } = started;
    run_limits(config, client, shutdown, health, metrics)
        .await
        .map_err(Failure::process)
}
