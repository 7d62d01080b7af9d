//! Where pods find the broker: its Service's address and its bundle, as the sidecar is told.

use std::{sync::Arc, time::Duration};

use deputy_runtime::{health::ReadyHandle, shutdown::Shutdown, tls::Bundle};
use k8s_openapi::api::core::v1::Service;
use kube::{Api, Client};
use tokio::sync::watch;

use crate::inject::InjectionConfig;

/// The port of the broker's Service.
const PORT: u16 = 7418;
/// A Service's address stays for its life; it is looked at again because the Service may be made again.
const TICK: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(2);
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// `https://<service>.<namespace>.svc:7418`
pub(crate) fn url(service: &str, namespace: &str) -> String {
    format!("https://{service}.{namespace}.svc:{PORT}")
}

/// `<cluster address>:7418`; `None` for a headless Service, which has no address.
fn address(service: &Service) -> Option<String> {
    let ip = service.spec.as_ref()?.cluster_ip.as_deref()?;
    let ip: std::net::IpAddr = ip.parse().ok()?;
    Some(std::net::SocketAddr::new(ip, PORT).to_string())
}

/// What is known of the broker's Service.
type Address = Option<Option<String>>;

/// Follows the Service `name`. `None` until it was read; while it can't be read, the last value stays.
///
/// Right on the Service by name: `get`.
pub(crate) fn follow_service(
    client: Client,
    namespace: &str,
    name: &str,
    ready: ReadyHandle,
    shutdown: Shutdown,
) -> watch::Receiver<Address> {
    let (sender, receiver) = watch::channel(None);
    let api = Api::<Service>::namespaced(client, namespace);
    let name = name.to_owned();
    tokio::spawn(async move {
        loop {
            let read = tokio::time::timeout(CALL_TIMEOUT, api.get_opt(&name)).await;
            let why = match read {
                Ok(Ok(Some(service))) => {
                    sender.send_replace(Some(address(&service)));
                    ready.ready();
                    None
                }
                Ok(Ok(None)) => Some(format!("Service {name} does not exist; the chart creates it")),
                Ok(Err(error)) => Some(format!("Service {name} could not be read: {error}")),
                Err(_) => Some(format!("Service {name} could not be read: no answer")),
            };
            let pause = if why.is_some() { PAUSE } else { TICK };
            if let Some(why) = why {
                tracing::warn!(
                    error = why,
                    "failed to read the address of the broker's Service, retrying"
                );
                if sender.borrow().is_none() {
                    ready.not_ready(why);
                }
            }
            tokio::select! {
                () = shutdown.stopped() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    });
    receiver
}

/// Keeps what sidecars are told, made of `template`, the bundle and the address. `None` until both are known.
pub(crate) fn injection(
    template: InjectionConfig,
    mut bundle: watch::Receiver<Bundle>,
    mut address: watch::Receiver<Address>,
) -> watch::Receiver<Option<Arc<InjectionConfig>>> {
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        loop {
            let known = current(
                &template,
                &bundle.borrow_and_update(),
                &address.borrow_and_update(),
            );
            sender.send_replace(known.map(Arc::new));
            let changed = tokio::select! {
                changed = bundle.changed() => changed,
                changed = address.changed() => changed,
                () = sender.closed() => return,
            };
            if changed.is_err() {
                // Whoever followed it has stopped, as the process does.
                return;
            }
        }
    });
    receiver
}

fn current(template: &InjectionConfig, bundle: &str, address: &Address) -> Option<InjectionConfig> {
    if bundle.is_empty() {
        return None;
    }
    Some(InjectionConfig {
        broker_ca: bundle.to_owned(),
        broker_address: address.clone()?,
        ..template.clone()
    })
}

#[cfg(test)]
mod tests {
    use deputy_delegation::NamespaceName;
    use serde_json::json;

    use super::*;
    use crate::inject::{AgentSettings, MeshDefaults, PodDelivery, Resources, RunAs};

    fn service(ip: serde_json::Value) -> Service {
        serde_json::from_value(json!({"metadata": {"name": "deputy-broker"}, "spec": {"clusterIP": ip}}))
            .unwrap()
    }

    #[test]
    fn the_address_of_a_service_is_its_cluster_address() {
        assert_eq!(address(&service(json!("10.96.0.77"))).unwrap(), "10.96.0.77:7418");
        assert_eq!(address(&service(json!("fd00::1"))).unwrap(), "[fd00::1]:7418");
        assert_eq!(address(&service(json!("None"))), None);
        assert_eq!(address(&service(json!(null))), None);
    }

    #[tokio::test]
    async fn nothing_is_injected_before_bundle_and_address_are_known() {
        let template = InjectionConfig {
            agent: AgentSettings {
                image: "example.com/deputy".into(),
                port: 7419,
                resources: Resources::default(),
                run_as: RunAs::Image,
                default_region: None,
                mesh: MeshDefaults::default(),
                delivery: PodDelivery::Sidecar,
                node: None,
            },
            broker_url: url("deputy-broker", "deputy-system"),
            broker_address: None,
            broker_ca: String::new(),
            own_namespace: NamespaceName::new("deputy-system").unwrap(),
        };
        let (bundle, bundle_seen) = watch::channel(Bundle::from(""));
        let (address, address_seen) = watch::channel(None);
        let mut known = injection(template, bundle_seen, address_seen);
        known.changed().await.unwrap();
        assert!(known.borrow_and_update().is_none());
        bundle.send_replace("PEM".into());
        known.changed().await.unwrap();
        assert!(known.borrow_and_update().is_none());
        address.send_replace(Some(Some("10.96.0.77:7418".into())));
        known.changed().await.unwrap();
        let config = known.borrow_and_update().clone().unwrap();
        assert_eq!(config.broker_ca, "PEM");
        assert_eq!(config.broker_address.as_deref(), Some("10.96.0.77:7418"));
        assert_eq!(config.broker_url, "https://deputy-broker.deputy-system.svc:7418");
    }
}
