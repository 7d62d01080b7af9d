//! For tests: the objects of `examples/productionapp`.

use deputy_delegation::ClusterName;

use super::{AskedWorld, ReadObjects};

pub const PLATFORM: &str = include_str!("../../examples/productionapp/10-platform.yaml");
pub const APPLICATION: &str = include_str!("../../examples/productionapp/20-application.yaml");

/// The objects of these manifests, in a cluster of that name.
pub fn world(texts: &[&str], cluster: Option<&str>) -> AskedWorld {
    let objects = texts.iter().flat_map(|text| {
        ReadObjects::of_text("x.yaml", (*text).to_owned(), None)
            .sound()
            .unwrap()
    });
    let cluster = cluster.map(|name| ClusterName::new(name).unwrap());
    AskedWorld::of(objects.collect(), cluster, None).unwrap()
}
