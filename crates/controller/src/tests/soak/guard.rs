//! What must hold after every write.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use deputy_aws::model::InMemoryIam;
use deputy_delegation::{naming, plan::ObservedRole};
use parking_lot::Mutex;
use serde_json::Value;

use super::{
    gate::Chaos,
    wishes::{ACCOUNTS, Grant, ROLES, SHARED, Wishes},
};
use crate::{
    fixtures::{
        api_server::{ApiServer, path_of},
        cluster,
        roles::{Guard, Power, RoleWrite, power},
    },
    instances::FINALIZER,
};

/// What was asked for since everything was last at rest.
#[derive(Debug, Default)]
pub struct Asked {
    pub versions: Vec<Wishes>,
    /// Of which AWS has said that it will not do something: what is taken away instead is taken away.
    pub refused: Vec<Grant>,
    /// How many calls were late when that began.
    pub late: usize,
    /// Who had sessions then of which role, with its unique id.
    pub running: Vec<(Grant, &'static str, String)>,
}

/// Who looks.
#[derive(Clone)]
pub struct Eye {
    pub iams: Vec<Arc<InMemoryIam>>,
    pub chaos: Arc<Mutex<Chaos>>,
    pub asked: Arc<Mutex<Asked>>,
    /// By the path of an AWSAccount: the ARNs of the roles that it names as without an object.
    pub noted: Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>,
}

/// The IAM role of a grant: the number of its account, and its name.
pub fn in_aws(grant: Grant) -> (usize, deputy_delegation::RoleName) {
    let (_, account) = grant.place();
    let number = usize::from(account == ACCOUNTS[1].0);
    (number, naming::role_name(&cluster(), &grant.id()))
}

/// Whether an object with our finalizer explains the IAM role.
pub fn is_explained(api: &ApiServer, grant: Grant) -> bool {
    let has_finalizer = |object: &Value| {
        let finalizers = object.pointer("/metadata/finalizers").and_then(Value::as_array);
        finalizers.is_some_and(|all| all.contains(&FINALIZER.into()))
    };
    let path = match grant {
        Grant::Role(number) => path_of("awsroles", Some(ROLES[number].namespace), ROLES[number].name),
        Grant::Shared(_) => path_of("clusterawsroles", None, SHARED),
    };
    let Some(object) = api.get(&path).filter(has_finalizer) else {
        return false;
    };
    let (namespace, account) = grant.place();
    let is_of = |entry: &Value| {
        entry["namespace"] == namespace && entry["account"] == account && entry["roleARN"].is_string()
    };
    let entries = object.pointer("/status/instances").and_then(Value::as_array);
    matches!(grant, Grant::Role(_)) || entries.is_some_and(|all| all.iter().any(is_of))
}

/// Who may become a role and do what: without what sessions may that run.
fn of_new_sessions(power: Power) -> Power {
    power
        .into_iter()
        .filter(|(who, _)| !who.starts_with("session of"))
        .collect()
}

impl Eye {
    fn found(&self, what: String) {
        let mut chaos = self.chaos.lock();
        chaos.tell(|| format!("FAULT: {what}"));
        chaos.faults.push(what);
    }

    /// A late call may have made a role that its object does not wait for any more.
    pub fn may_be_late(&self) -> bool {
        self.chaos.lock().seen.late > self.asked.lock().late
    }

    /// Whether what a role may is between what was asked for.
    fn look(&self, grant: Grant, after: &str) {
        let (account, name) = in_aws(grant);
        let Some(role) = self.iams[account].role(&name) else {
            return;
        };
        if role.boundary.is_none() {
            self.found(format!("after {after}: {name} has no boundary"));
            return;
        }
        let now = of_new_sessions(power(&self.iams[account], Some(&role)));
        let asked = self.asked.lock();
        let (least, most) = grant.bounds(&asked.versions);
        let is_refused = asked.refused.contains(&grant);
        drop(asked);
        if !now.is_subset(&most) {
            self.found(format!(
                "after {after}: {name} may {now:?}, which is more than {most:?}"
            ));
        }
        if !is_refused && !now.is_superset(&least) {
            self.found(format!(
                "after {after}: {name} may {now:?}, which is less than {least:?}"
            ));
        }
    }

    /// Looks at each write of a role in the account of this number.
    pub fn of_roles(&self, account: usize, api: &Arc<ApiServer>) -> Guard {
        let (eye, api) = (self.clone(), Arc::clone(api));
        Box::new(move |call, written| {
            let text = format!("{call:?}");
            let grant = Grant::all().into_iter().find(|grant| {
                let (number, name) = in_aws(*grant);
                number == account && text.contains(&format!("\"{name}\""))
            });
            let Some(grant) = grant else {
                eye.found(format!("nobody asks for what is done: {text}"));
                return;
            };
            match written {
                RoleWrite::Refused => eye.asked.lock().refused.push(grant),
                RoleWrite::Done(None) => {
                    let (least, _) = grant.bounds(&eye.asked.lock().versions);
                    let is_missed = !least.is_empty() && !eye.may_be_late();
                    if is_missed {
                        eye.found(format!(
                            "{grant:?} is deleted, and somebody may {least:?} all the time"
                        ));
                    }
                }
                RoleWrite::Done(Some(role)) => {
                    let what = format!("      {} of {}", call.action(), role.arn.name());
                    eye.chaos.lock().tell(|| what);
                    if !is_explained(&api, grant) && !eye.may_be_late() {
                        eye.found(format!(
                            "after {}: {grant:?} is explained by nothing",
                            call.action()
                        ));
                    }
                    eye.look(grant, call.action());
                }
            }
        })
    }

    /// Looks at all roles of an account after a write of a policy.
    pub fn of_policies(&self, account: usize) {
        for grant in Grant::all() {
            if in_aws(grant).0 == account {
                self.look(grant, "a write of a boundary");
            }
        }
    }

    /// Whether an AWSAccount says that a role has no object.
    pub fn is_noted(&self, arn: &str) -> bool {
        self.noted.lock().values().any(|noted| noted.contains(arn))
    }

    /// An object changes, or is gone.
    pub fn hears(&self, path: &str, object: Option<&Value>) {
        let Some(object) = object else {
            self.is_gone(path);
            return;
        };
        if path.contains("/awsaccounts/") {
            let oldest = object.pointer("/status/orphans/oldest").and_then(Value::as_array);
            let arns = oldest.into_iter().flatten().map(|orphan| &orphan["roleARN"]);
            let arns = arns.filter_map(Value::as_str).map(str::to_owned).collect();
            self.noted.lock().insert(path.to_owned(), arns);
        }
    }

    /// An object is gone: so is what it had in AWS, or it is shut, and its account names it.
    fn is_gone(&self, path: &str) {
        for (number, place) in ROLES.iter().enumerate() {
            if path_of("awsroles", Some(place.namespace), place.name) == path {
                let (account, name) = in_aws(Grant::Role(number));
                let iam = &self.iams[account];
                let is_left = |role: &ObservedRole| {
                    !self.is_noted(&role.arn.to_string()) || !power(iam, Some(role)).is_empty()
                };
                if iam.role(&name).as_ref().is_some_and(is_left) && !self.may_be_late() {
                    self.found(format!("{path} is gone, and AWS has {name}"));
                }
            }
        }
    }
}
