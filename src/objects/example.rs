//! For tests: the objects of `examples/productionapp`.

use deputy_delegation::ClusterName;

use super::{AskedWorld, ReadObject, ReadObjects, over::over};

pub const PLATFORM: &str = include_str!("../../examples/productionapp/10-platform.yaml");
pub const APPLICATION: &str = include_str!("../../examples/productionapp/20-application.yaml");

/// The objects of these manifests, in a cluster of that name.
pub fn world(texts: &[&str], cluster: Option<&str>) -> AskedWorld {
    of(texts.iter().copied().flat_map(read).collect(), cluster)
}

/// The same, over a cluster that holds the objects of `stored`.
pub fn world_over(stored: &[&str], texts: &[&str], cluster: Option<&str>) -> AskedWorld {
    let stored = stored.iter().copied().flat_map(read);
    let stored = stored.filter_map(|object| ReadObject::of_cluster(object.kind, object.value));
    let files = texts.iter().copied().flat_map(read).collect();
    let mut world = of(over(stored.collect(), files), cluster);
    world.is_whole = true;
    world
}

fn read(text: &str) -> Vec<ReadObject> {
    ReadObjects::of_text("x.yaml", text.to_owned(), None)
        .sound()
        .unwrap()
}

fn of(objects: Vec<ReadObject>, cluster: Option<&str>) -> AskedWorld {
    let cluster = cluster.map(|name| ClusterName::new(name).unwrap());
    AskedWorld::of(objects, cluster, None).unwrap()
}
