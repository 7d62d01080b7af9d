//! All that findings rest on, and how one is made.

use std::collections::BTreeMap;

use deputy_delegation::model::RoleId;

use crate::{
    asked::AskedGrant,
    objects::{AskedWorld, ReadObject},
    report::model::{
        AccessFinding, FindingTopic, FindingWeight, ReportedBinding, ReportedLimit, ReportedRole,
    },
};

/// All that findings rest on.
pub struct Estate<'a> {
    pub world: &'a AskedWorld,
    pub limits: &'a [ReportedLimit],
    pub roles: &'a [ReportedRole],
    pub bindings: &'a [ReportedBinding],
    /// By what they are called.
    objects: BTreeMap<String, &'a ReadObject>,
    /// By their role.
    grants: BTreeMap<&'a RoleId, Vec<&'a AskedGrant>>,
}

impl<'a> Estate<'a> {
    pub fn new(
        world: &'a AskedWorld,
        given: &'a [AskedGrant],
        limits: &'a [ReportedLimit],
        roles: &'a [ReportedRole],
        bindings: &'a [ReportedBinding],
    ) -> Self {
        let mut grants: BTreeMap<&RoleId, Vec<&AskedGrant>> = BTreeMap::new();
        for grant in given {
            grants.entry(&grant.role.id).or_default().push(grant);
        }
        Self {
            world,
            limits,
            roles,
            bindings,
            objects: world
                .objects
                .iter()
                .map(|object| (object.title(), object))
                .collect(),
            grants,
        }
    }

    /// The grants by a role.
    pub fn grants_of(&self, role: &RoleId) -> &[&'a AskedGrant] {
        self.grants.get(role).map_or(&[], Vec::as_slice)
    }

    /// A finding about a field of an object, which is where its file says.
    pub fn finding(
        &self,
        sort: FindingSort<'_>,
        object: String,
        field: &str,
        message: String,
    ) -> AccessFinding {
        let read = self.objects.get(&object);
        AccessFinding {
            weight: sort.weight,
            topic: sort.topic,
            reason: sort.reason.to_owned(),
            namespace: read.and_then(|read| read.namespace.clone()),
            place: read
                .and_then(|read| read.place(field))
                .map(|place| place.to_string()),
            field: field.to_owned(),
            object,
            also: Vec::new(),
            message,
            advice: sort.advice.to_owned(),
        }
    }
}

/// What is the same of all findings of a sort.
#[derive(Debug, Clone, Copy)]
pub struct FindingSort<'a> {
    pub weight: FindingWeight,
    pub topic: FindingTopic,
    pub reason: &'a str,
    pub advice: &'a str,
}

/// The object in which a role is written: of a ClusterAWSRole the one object, wherever it is bound.
pub fn object_of(id: &RoleId) -> String {
    match id.bound_account() {
        Some(_) => format!("ClusterAWSRole {}", id.name),
        None => format!("AWSRole {}/{}", id.namespace, id.name),
    }
}
