//! An AWSRole or ClusterAWSRole as it was read from the API server.

use std::{ops::Deref, sync::OnceLock};

use deputy_api::AWSRoleStatus;
use kube::api::DynamicObject;

use crate::objects;

/// That object. The status of an AWSRole is asked for many times in a reconciliation, and read once.
#[derive(Debug)]
pub struct RoleObject {
    object: DynamicObject,
    status: OnceLock<AWSRoleStatus>,
}

impl RoleObject {
    /// One whose status is known without being read.
    pub fn with_status(object: DynamicObject, status: AWSRoleStatus) -> Self {
        Self {
            object,
            status: OnceLock::from(status),
        }
    }

    /// The status of an AWSRole; the empty one if there is none that can be read.
    pub fn status(&self) -> &AWSRoleStatus {
        self.status.get_or_init(|| objects::status_of(&self.object))
    }
}

impl From<DynamicObject> for RoleObject {
    fn from(object: DynamicObject) -> Self {
        Self {
            object,
            status: OnceLock::new(),
        }
    }
}

impl Deref for RoleObject {
    type Target = DynamicObject;
    fn deref(&self) -> &DynamicObject {
        &self.object
    }
}
