//! Whether something in AWS is of this cluster, or of another one that has its name: by the tag [`TAG_CLUSTER_UID`].
//!
//! Names in AWS follow from the name of the cluster, so a cluster that is made anew under that name finds what the former one made, and
//! two that were given one name find each other's. Neither may take it for its own: whoever made the other one may be somebody else.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{
    names::{ClusterUid, TagKey, TagValue},
    naming::TAG_CLUSTER_UID,
};

/// Whose something with this cluster's name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterClaim {
    /// This cluster's.
    Own,
    /// Another cluster's, from which it is taken over.
    Adopted,
}

/// Why something with this cluster's name is not this cluster's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForeignCluster {
    /// Another cluster owns it, by its tag.
    Other {
        /// That one.
        theirs: ClusterUid,
        /// This one.
        ours: String,
    },
    /// Its tag is missing, or says no uid of a cluster.
    Unknown {
        /// What it says.
        found: Option<String>,
        /// This cluster.
        ours: String,
    },
}

impl fmt::Display for ForeignCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other { theirs, ours } => write!(
                f,
                "its tag {TAG_CLUSTER_UID} says that the cluster {theirs} owns it, and this cluster is {ours}; if that one is gone, or \
                 gives it up, the AWSAccount takes it over with spec.adoptFrom: [{theirs}]"
            ),
            Self::Unknown { found, ours } => {
                match found {
                    None => write!(f, "its tag {TAG_CLUSTER_UID} is missing")?,
                    Some(found) => {
                        write!(f, "its tag {TAG_CLUSTER_UID} says {found:?}, no uid of a cluster")?
                    }
                }
                write!(
                    f,
                    ", and this cluster is {ours}; if it is to be this cluster's, set the tag in AWS: to {ours}, or to the uid of the \
                     cluster that made it, which the AWSAccount then lists in spec.adoptFrom"
                )
            }
        }
    }
}

impl std::error::Error for ForeignCluster {}

/// Whether something with the tags `observed` is of the cluster whose tags are `wanted`, or is taken over from one of `adopt_from`.
///
/// # Errors
/// [`ForeignCluster`]: it is neither.
pub fn claim(
    wanted: &BTreeMap<TagKey, TagValue>,
    adopt_from: &BTreeSet<ClusterUid>,
    observed: &BTreeMap<String, String>,
) -> Result<ClusterClaim, ForeignCluster> {
    let ours = wanted.get(TAG_CLUSTER_UID).map(TagValue::as_str);
    let found = observed.get(TAG_CLUSTER_UID).map(String::as_str);
    if ours.is_some() && ours == found {
        return Ok(ClusterClaim::Own);
    }
    let ours = ours.unwrap_or_default().to_owned();
    match found.map(ClusterUid::new) {
        Some(Ok(theirs)) if adopt_from.contains(&theirs) => Ok(ClusterClaim::Adopted),
        Some(Ok(theirs)) => Err(ForeignCluster::Other { theirs, ours }),
        Some(Err(_)) | None => {
            let found = found.map(ToOwned::to_owned);
            Err(ForeignCluster::Unknown { found, ours })
        }
    }
}
