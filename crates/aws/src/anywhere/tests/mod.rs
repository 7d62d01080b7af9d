mod certificates;
mod files;
mod renewal;
mod settings;
mod signing;

use std::{path::Path, time::Duration};

use deputy_delegation::{ProfileArn, RoleArn, TrustAnchorArn};

use super::{RolesAnywhere, RolesAnywhereSettings};

const ID: &str = "8f3d1a52-2c3e-4f0e-9d9b-1f2e3d4c5b6a";

fn plain_settings(folder: &Path) -> RolesAnywhereSettings {
    let arn = |kind: &str| format!("arn:aws:rolesanywhere:eu-west-1:123456789012:{kind}/{ID}");
    RolesAnywhereSettings {
        trust_anchor: TrustAnchorArn::parse(&arn("trust-anchor")).unwrap(),
        profile: ProfileArn::parse(&arn("profile")).unwrap(),
        role: RoleArn::parse("arn:aws:iam::123456789012:role/platform/deputy-broker+1").unwrap(),
        certificate_folder: folder.to_owned(),
        session: Duration::from_secs(3600),
        endpoint: None,
    }
}

fn at(folder: &Path, endpoint: &str) -> RolesAnywhere {
    RolesAnywhere::new(RolesAnywhereSettings {
        endpoint: Some(endpoint.to_owned()),
        ..plain_settings(folder)
    })
    .unwrap()
}
