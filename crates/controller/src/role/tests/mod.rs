//! Unit tests of the steps of a role, one file a step.

mod apply;
mod assess;
mod capped;
mod histories;
mod instance;
mod left;
mod listing;
mod look;
mod narrowed;
mod orphans;
mod paths;
mod people;
mod sessions;
mod status;
mod trust;
mod untagged;
mod waiting;
mod world;

use crate::{
    fixtures::{account, cluster, cluster_uid, uid, uploader},
    role::target::Ownership,
};

/// How the role of the example is known as ours.
fn ours() -> Ownership {
    Ownership::of(
        &cluster(),
        &cluster_uid(),
        &account(),
        &uploader(),
        &uid("uid-uploader"),
    )
}
