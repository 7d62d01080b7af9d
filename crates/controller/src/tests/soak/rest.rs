//! When all troubles end: everything comes to rest, as it would have in a world that never knew anything else.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use deputy_aws::{Policies as _, model::InMemoryIam};
use deputy_delegation::{naming, plan::ObservedRole};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    controllers::SOON,
    gate::Standing,
    guard::{Asked, in_aws, is_explained},
    wishes::{Grant, ROLES, SHARED},
    world::World,
};
use crate::fixtures::{api_server::path_of, cluster, roles::power};

/// More than it ever takes.
const STEPS: usize = 3000;
/// After which no session runs that was issued before.
const SESSIONS: Duration = Duration::from_secs(13 * 3600);

/// Of a policy: its document, its versions, its tags.
type PolicyAtRest = (String, usize, BTreeMap<String, String>);

/// How a world stands.
struct Rest {
    roles: BTreeMap<String, ObservedRole>,
    policies: BTreeMap<String, PolicyAtRest>,
    /// Status and reason of `Ready`, by path.
    ready: BTreeMap<String, Option<(String, String)>>,
    /// The boundaries of roles that are suspended, and how many of those there are.
    held: BTreeSet<String>,
    suspended: usize,
}

impl Rest {
    /// What differs from what it should be.
    fn difference(&self, wanted: &Self) -> Vec<String> {
        let mut found = differences(&self.roles, &wanted.roles);
        let mut policies = self.policies.clone();
        policies.retain(|arn, _| wanted.policies.contains_key(arn) || !self.held.contains(arn));
        found.extend(differences(&policies, &wanted.policies));
        found.extend(differences(&self.ready, &wanted.ready));
        found
    }
}

fn differences<T: std::fmt::Debug + PartialEq>(
    found: &BTreeMap<String, T>,
    wanted: &BTreeMap<String, T>,
) -> Vec<String> {
    let keys: BTreeSet<&String> = found.keys().chain(wanted.keys()).collect();
    let differ = keys.into_iter().filter(|key| found.get(*key) != wanted.get(*key));
    differ
        .map(|key| format!("{key} is {:?} instead of {:?}", found.get(key), wanted.get(key)))
        .collect()
}

async fn policies(iam: &InMemoryIam) -> BTreeMap<String, PolicyAtRest> {
    let mut all = BTreeMap::new();
    for listed in iam.list_policies(&naming::limit_path(&cluster())).await.unwrap() {
        let policy = iam.get_policy(&listed.arn).await.unwrap().unwrap();
        let rest = (policy.document, policy.versions.len(), policy.tags);
        all.insert(listed.arn.to_string(), rest);
    }
    all
}

fn ready(object: &Value) -> Option<(String, String)> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready")?;
    let word = |key: &str| ready[key].as_str().unwrap_or_default().to_owned();
    let reason = word("reason");
    // What is suspended was never made in a world that has always refused it.
    let is_refusal = ["Suspended", "NoLimit"].contains(&reason.as_str());
    let reason = if is_refusal {
        "NotAccepted".to_owned()
    } else {
        reason
    };
    Some((word("status"), reason))
}

impl World {
    async fn stands(&self) -> Rest {
        let (mut roles, mut all_policies) = (BTreeMap::new(), BTreeMap::new());
        let mut held = BTreeSet::new();
        for iam in &self.ground.iams {
            for name in iam.role_names() {
                let role = iam.role(&name).unwrap();
                let rest = ObservedRole {
                    unique_id: String::new(),
                    ..role
                };
                roles.insert(rest.arn.to_string(), rest);
            }
            all_policies.extend(policies(iam).await);
        }
        let (objects, mut suspended) = (self.ground.api.all(), 0);
        for grant in Grant::all() {
            // One that was there before it was refused is there still, of no use to anybody, and holds its boundary.
            let (account, name) = in_aws(grant);
            let iam = &self.ground.iams[account];
            let role = iam
                .role(&name)
                .filter(|role| self.is_suspended(grant) || self.is_held(grant, role));
            let Some(role) = role.filter(|role| power(iam, Some(role)).is_empty()) else {
                continue;
            };
            suspended += 1;
            roles.remove(&role.arn.to_string());
            if let Some(boundary) = &role.boundary {
                held.insert(boundary.to_string());
            }
        }
        Rest {
            roles,
            policies: all_policies,
            ready: objects
                .iter()
                .map(|(path, object)| (path.clone(), ready(object)))
                .collect(),
            held,
            suspended,
        }
    }

    /// Whether a role was left because too many were to be deleted at once.
    fn is_held(&self, grant: Grant, role: &ObservedRole) -> bool {
        self.eye.is_noted(&role.arn.to_string()) && !is_explained(&self.ground.api, grant)
    }

    /// What a sweep would find: accounts name the roles that are left, and no others.
    fn sweep(&self) {
        let held = Grant::all().into_iter().filter(|grant| {
            let (account, name) = in_aws(*grant);
            let role = self.ground.iams[account].role(&name);
            role.is_some_and(|role| self.is_held(*grant, &role))
        });
        let held: BTreeSet<String> = held
            .map(|grant| {
                let (account, name) = in_aws(grant);
                self.ground.iams[account].role(&name).unwrap().arn.to_string()
            })
            .collect();
        self.ground.chaos.lock().seen.held += held.len();
        for (path, mut object) in self.ground.api.all() {
            let oldest = object.pointer_mut("/status/orphans/oldest");
            if let Some(oldest) = oldest.and_then(Value::as_array_mut) {
                oldest.retain(|orphan| orphan["roleARN"].as_str().is_some_and(|arn| held.contains(arn)));
                self.ground.api.put(&path, Some(object));
            }
        }
    }

    /// Whether its object says that a role is suspended.
    fn is_suspended(&self, grant: Grant) -> bool {
        let (namespace, account) = grant.place();
        let path = match grant {
            Grant::Role(number) => path_of("awsroles", Some(namespace), ROLES[number].name),
            Grant::Shared(_) => path_of("clusterawsroles", None, SHARED),
        };
        let Some(object) = self.ground.api.get(&path) else {
            return false;
        };
        let says_so = |of: &Value| of["reason"] == "Suspended";
        let list = |pointer: &str| object.pointer(pointer).and_then(Value::as_array).cloned();
        match grant {
            Grant::Role(_) => {
                let conditions = list("/status/conditions").unwrap_or_default();
                conditions.iter().any(|c| c["type"] == "Ready" && says_so(c))
            }
            Grant::Shared(_) => {
                let entries = list("/status/instances").unwrap_or_default();
                let is_of = |e: &&Value| e["namespace"] == namespace && e["account"] == account;
                entries.iter().filter(is_of).any(|entry| entry["ready"] == false)
            }
        }
    }

    /// Everything is done that is due, without trouble. Gives whether that comes to an end.
    async fn settle(&mut self) -> bool {
        for _ in 0..STEPS {
            self.succeed();
            self.spread();
            let busy = (0..4).find(|place| !self.processes[*place].is_idle());
            if let Some(place) = busy {
                self.processes[place].resume(0).await;
                continue;
            }
            for place in 0..4 {
                for kind in self.processes[place].behind() {
                    self.processes[place].listens(kind, usize::MAX);
                }
            }
            let leaders = self.leaders();
            let ready = leaders
                .iter()
                .find_map(|place| Some((*place, self.processes[*place].ready().into_iter().next()?)));
            if let Some((place, work)) = ready {
                self.processes[place].begin(work, &self.ground.api).await;
                continue;
            }
            let next = leaders
                .iter()
                .filter_map(|place| self.processes[*place].next_due());
            let now = Instant::now();
            match next.min().map(|at| at.saturating_duration_since(now)) {
                Some(left) if left < SOON => self.pass(left.max(Duration::from_millis(1))).await,
                _ => return true,
            }
        }
        false
    }

    /// Every other process ends, and new ones begin.
    fn restart(&mut self) {
        for process in &self.processes {
            process.gate.stands(Standing::Dead);
        }
        self.succeed();
    }

    /// All troubles end. What is found then that must not be is a fault.
    pub async fn come_to_rest(&mut self) {
        {
            let mut chaos = self.ground.chaos.lock();
            (chaos.trouble, chaos.slow) = (0, 0);
            chaos.tell(|| "the troubles end".to_owned());
        }
        let mut found = Vec::new();
        if !self.settle().await {
            found.push("does not come to rest".to_owned());
        }
        found.extend(self.uncut_sessions());
        self.pass(SESSIONS).await;
        for place in 0..4 {
            self.processes[place].confirm(&self.ground.api);
            self.processes[place].looks_at_all();
        }
        if !self.settle().await {
            found.push("does not come to rest after a day".to_owned());
        }
        self.remove_late_roles();
        self.sweep();
        let mut wanted = Self::new(0, self.wishes.clone());
        if !wanted.settle().await {
            found.push("a world of the end alone does not come to rest".to_owned());
        }
        let wanted = wanted.stands().await;
        let stands = self.stands().await;
        found.extend(stands.difference(&wanted));
        self.ground.chaos.lock().seen.suspensions += stands.suspended;
        found.extend(self.idle_writes().await);
        let running = self.running_sessions();
        let mut chaos = self.ground.chaos.lock();
        chaos.faults.extend(found);
        chaos.seen.histories += 1;
        *self.eye.asked.lock() = Asked {
            versions: vec![self.wishes.clone()],
            refused: Vec::new(),
            late: chaos.seen.late,
            running,
        };
    }

    /// What new processes write when nothing is left to do.
    async fn idle_writes(&mut self) -> Vec<String> {
        self.restart();
        for iam in &self.ground.iams {
            iam.clear_log();
        }
        self.ground.api.take_writes();
        self.ground.api.take_events();
        self.settle().await;
        let to_aws = self.ground.iams.iter().flat_map(|iam| iam.writes());
        let to_aws = to_aws.map(|write| format!("writes when there is nothing to do: {write}"));
        let to_api = self.ground.api.take_writes();
        let to_api = to_api
            .iter()
            .map(|write| format!("writes when there is nothing to do: {write}"));
        to_aws.chain(to_api).collect()
    }

    /// Who may have sessions now, of which role.
    fn running_sessions(&self) -> Vec<(Grant, &'static str, String)> {
        let mut running = Vec::new();
        for grant in Grant::all() {
            let (account, name) = in_aws(grant);
            let iam = &self.ground.iams[account];
            let Some(role) = iam.role(&name) else { continue };
            let may = power(iam, Some(&role));
            let of =
                |bearer: &&'static str| may.iter().any(|(who, _)| *who == format!("session of {bearer}"));
            let bearers = grant.bearers(&self.wishes).into_iter().filter(of);
            running.extend(bearers.map(|bearer| (grant, bearer, role.unique_id.clone())));
        }
        running
    }

    /// Sessions that run of who had them when it was last at rest, and is not bound any more.
    fn uncut_sessions(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (grant, bearer, id) in &self.eye.asked.lock().running {
            let (account, name) = in_aws(*grant);
            let iam = &self.ground.iams[account];
            let role = iam.role(&name).filter(|role| role.unique_id == *id);
            let may = power(iam, role.as_ref());
            let is_running = may.iter().any(|(who, _)| *who == format!("session of {bearer}"));
            if is_running && !grant.bearers(&self.wishes).contains(bearer) {
                found.push(format!("a session of {bearer} goes on by {name}"));
            }
        }
        found
    }

    /// What a late call has made for an object that was gone by then is a sweep's, which has tests of its own.
    fn remove_late_roles(&self) {
        for grant in Grant::all() {
            let (account, name) = in_aws(grant);
            let role = self.ground.iams[account].role(&name);
            let is_held = role.is_some_and(|role| self.is_held(grant, &role));
            if self.eye.may_be_late() && !is_explained(&self.ground.api, grant) && !is_held {
                self.ground.iams[account].uproot(&name);
            }
        }
    }
}
