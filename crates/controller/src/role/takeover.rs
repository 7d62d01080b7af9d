//! Roles in AWS that a former object of the same name had, and that are taken over: sessions of its time may run on.
//!
//! Where the namespace is the same as then, those are cut whom no binding names any more, as after any restore. Where the namespace was made
//! again, its ServiceAccounts are others by the same names, and sessions do not say of which they are: all are cut that were issued until
//! now. Nobody of the new namespace has one, for the broker makes none of a role whose status does not have its unique id.

use std::collections::HashMap;

use deputy_aws::{AwsError, Roles};
use deputy_delegation::{NamespaceName, RoleName, Uid, model::RoleId, naming, plan::ObservedRole};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use parking_lot::Mutex;

use crate::{context::ControllerContext, error::ReconcileError};

/// Whose a role was that is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takeover {
    /// Of the namespace that there is.
    SameNamespace,
    /// Of one of its name that is gone, as far as anybody knows.
    FormerNamespace,
}

/// Roles that were found to be taken over, by the uid of the object that takes them.
#[derive(Debug, Default)]
pub struct Takeovers {
    found: Mutex<HashMap<RoleId, (Uid, Takeover)>>,
}

impl Takeovers {
    /// What was found of the role of this object.
    #[must_use]
    pub fn of(&self, id: &RoleId, uid: &Uid) -> Option<Takeover> {
        let found = self.found.lock();
        found
            .get(id)
            .filter(|(whose, _)| whose == uid)
            .map(|(_, takeover)| *takeover)
    }

    /// The role of this object is to be taken over.
    pub fn found(&self, id: &RoleId, uid: &Uid, takeover: Takeover) {
        self.found.lock().insert(id.clone(), (uid.clone(), takeover));
    }

    /// It was, or is not to be any more.
    pub fn forget(&self, id: &RoleId) {
        self.found.lock().remove(id);
    }
}

/// Whether the tags of a role say that it was another object's than the one of this uid, or stayed when that went.
#[must_use]
pub fn was_anothers(observed: &ObservedRole, uid: &Uid) -> bool {
    let tag = |key: &str| observed.tags.get(key).map(String::as_str);
    tag(naming::TAG_RETAINED).is_some() || tag(naming::TAG_UID).is_some_and(|tagged| tagged != uid.as_str())
}

/// Looks at whose the role of this name was; `None` when AWS does not show it.
///
/// # Errors
/// [`ReconcileError`] when the API server does not say since when there is the namespace; and what AWS says.
pub async fn look(
    ctx: &ControllerContext,
    roles: &dyn Roles,
    name: &RoleName,
    namespace: &NamespaceName,
) -> Result<Result<Option<Takeover>, AwsError>, ReconcileError> {
    let api: Api<Namespace> = Api::all(ctx.client.clone());
    let object = api.get_opt(namespace.as_str()).await?;
    let since = object.and_then(|object| object.metadata.creation_timestamp);
    let role = roles.get_existing_role(name).await;
    Ok(role.map(|role| role.map(|role| whose(since.map(|since| since.0), role.created))))
}

/// A role that was made before its namespace was of another one. One that was taken over once counts so for ever, as nothing in AWS says when
/// that was; and so does what is not known.
fn whose(namespace: Option<Timestamp>, role: Timestamp) -> Takeover {
    match namespace {
        Some(namespace) if namespace <= role => Takeover::SameNamespace,
        _ => Takeover::FormerNamespace,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{uid, uploader};

    #[test]
    fn a_role_that_is_older_than_its_namespace_was_of_a_former_one() {
        let at = |second| Timestamp::from_second(second).unwrap();
        for (namespace, role, same) in [
            (Some(1), 2, true),
            (Some(2), 2, true),
            (Some(3), 2, false),
            (None, 2, false),
        ] {
            let found = whose(namespace.map(at), at(role));
            assert_eq!(found == Takeover::SameNamespace, same, "{namespace:?} {role:?}");
        }
    }

    #[test]
    fn what_was_found_for_one_object_says_nothing_of_the_next() {
        let (takeovers, id) = (Takeovers::default(), uploader());
        takeovers.found(&id, &uid("one"), Takeover::SameNamespace);
        assert_eq!(takeovers.of(&id, &uid("one")), Some(Takeover::SameNamespace));
        assert_eq!(takeovers.of(&id, &uid("two")), None);
        takeovers.forget(&id);
        assert_eq!(takeovers.of(&id, &uid("one")), None);
    }
}
