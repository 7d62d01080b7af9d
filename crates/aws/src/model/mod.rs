//! An IAM and STS in memory, and buckets, queues and topics with their policies, for tests: what AWS does and no local double of it does.
//!
//! Names that clash ignoring case, quotas, `DeleteConflict`, principals stored as unique ids, reads that lag behind
//! writes, principals that are not known everywhere yet; and on order: calls that fail before or after they are applied,
//! and a process that dies between two calls. One method of a trait is one call here, also where AWS needs several.

mod faults;
mod federation;
mod issue;
mod policies;
mod principals;
mod refusals;
mod resources;
mod roles;
mod state;
mod stored_policy;
mod sts;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use deputy_delegation::{
    names::{AccountId, IamPath, ManagedPolicyArn, Partition, RoleArn, RoleName},
    plan::ObservedRole,
    session::SessionRequest,
};
use deputy_policy::{Document, Layers, PolicyKind, Request, evaluate};
use jiff::Timestamp;

use self::{
    faults::Faults,
    principals::KnownPrincipals,
    state::{ModelState, StoredPolicy, StoredRole},
};
pub use self::{
    faults::{Fault, When},
    state::{IssuedFederation, IssuedSession, Lag, LoggedCall, Quotas},
};
use crate::error::AwsError;

/// The account: implements [`Roles`](crate::Roles), [`Policies`](crate::Policies), [`ResourcePolicies`](crate::ResourcePolicies) and
/// [`Sts`](crate::Sts).
pub struct InMemoryIam {
    partition: Partition,
    account: AccountId,
    state: Mutex<ModelState>,
}

/// All that an account had at a moment.
pub struct Snapshot(ModelState);

impl InMemoryIam {
    /// An empty account with AWS's default quotas, called by its IAM user `deputy-broker`.
    #[must_use]
    pub fn new(partition: Partition, account: AccountId) -> Self {
        let caller = format!("arn:{partition}:iam::{account}:user/deputy-broker");
        let mut principals = KnownPrincipals::default();
        principals.add(&caller, "AIDA00000000000000000".to_owned(), 0);
        Self {
            partition,
            account,
            state: Mutex::new(ModelState {
                roles: BTreeMap::new(),
                policies: BTreeMap::new(),
                resources: BTreeMap::new(),
                principals,
                sessions: Vec::new(),
                federated: Vec::new(),
                log: Vec::new(),
                faults: Faults::default(),
                lag: Lag::default(),
                quotas: Quotas::default(),
                caller,
                page_size: 500,
                sts_delay: Duration::ZERO,
                now: None,
                serial: 0,
            }),
        }
    }

    /// Who calls STS: the ARN of an IAM user or role. It must exist when a trust policy names it.
    pub fn set_caller(&self, arn: &str) {
        self.add_principal(arn);
        self.lock().caller = arn.to_owned();
    }

    /// From now on reads lag behind writes.
    pub fn set_lag(&self, lag: Lag) {
        self.lock().lag = lag;
    }

    /// Other limits than AWS's defaults.
    pub fn set_quotas(&self, quotas: Quotas) {
        self.lock().quotas = quotas;
    }

    /// Stops the clock that sessions and roles are dated with; it is the system's otherwise.
    pub fn set_now(&self, now: Timestamp) {
        self.lock().now = Some(now);
    }

    /// So many roles are on a page.
    pub fn set_page_size(&self, roles: usize) {
        self.lock().page_size = roles;
    }

    /// How long AssumeRole takes.
    pub fn set_sts_delay(&self, delay: Duration) {
        self.lock().sts_delay = delay;
    }

    /// Makes a call fail. Several faults apply one after the other.
    pub fn fail(&self, fault: Fault) {
        self.lock().faults.add(fault);
    }

    /// The process dies: after `calls` more calls, all fail and nothing is applied any more, until [`Self::revive`].
    pub fn die_after(&self, calls: usize) {
        let mut state = self.lock();
        let at = state.log.len() + calls;
        state.faults.die_at(Some(at));
    }

    /// A new process begins; faults that were not used are gone.
    pub fn revive(&self) {
        self.lock().faults = Faults::default();
    }

    /// All that there is now, to come back to by [`Self::restore`].
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.lock().clone())
    }

    /// Everything is as it was then.
    pub fn restore(&self, snapshot: &Snapshot) {
        *self.lock() = snapshot.0.clone();
    }

    /// All calls so far.
    #[must_use]
    pub fn log(&self) -> Vec<LoggedCall> {
        self.lock().log.clone()
    }

    /// The operations so far that were applied and changed something, in order.
    #[must_use]
    pub fn writes(&self) -> Vec<&'static str> {
        self.lock()
            .log
            .iter()
            .filter(|c| c.applied)
            .map(|c| c.operation)
            .collect()
    }

    /// Forgets the calls so far.
    pub fn clear_log(&self) {
        self.lock().log.clear();
    }

    /// The sessions so far.
    #[must_use]
    pub fn sessions(&self) -> Vec<IssuedSession> {
        self.lock().sessions.clone()
    }

    /// The role as it is, without lag, fault or log.
    #[must_use]
    pub fn role(&self, name: &RoleName) -> Option<ObservedRole> {
        self.lock().shown(name)
    }

    /// When a role was made.
    #[must_use]
    pub fn created(&self, name: &RoleName) -> Option<Timestamp> {
        self.lock().roles.get(name).map(|stored| stored.created)
    }

    /// The names of all roles.
    #[must_use]
    pub fn role_names(&self) -> Vec<RoleName> {
        self.lock().roles.keys().cloned().collect()
    }

    /// Somebody changes a role by hand. Does nothing if there is none.
    pub fn tamper(&self, name: &RoleName, change: impl FnOnce(&mut ObservedRole)) {
        if let Some(stored) = self.lock().roles.get_mut(name) {
            change(&mut stored.role);
        }
    }

    /// Somebody makes a role by hand.
    pub fn plant(&self, name: RoleName, role: ObservedRole) {
        let mut state = self.lock();
        let created = state.now();
        state
            .principals
            .add(&role.arn.to_string(), role.unique_id.clone(), 0);
        state.roles.insert(
            name,
            StoredRole {
                role,
                created,
                hidden_reads: 0,
                stale_trust: None,
            },
        );
    }

    /// Somebody deletes a role by hand, whatever is in it.
    pub fn uproot(&self, name: &RoleName) {
        let mut state = self.lock();
        if let Some(stored) = state.roles.remove(name) {
            state.principals.remove(&stored.role.arn.to_string());
        }
    }

    /// A user or role, of this or another account, comes to be: it gets a new unique id, even if there was one of
    /// that name before. Does nothing if there is one now.
    pub fn add_principal(&self, arn: &str) {
        let mut state = self.lock();
        let prefix = if arn.contains(":user/") { "AIDA" } else { "AROA" };
        let id = state.unique_id(prefix);
        let lag = state.lag.principal_saves;
        state.principals.add(arn, id, lag);
    }

    /// That user or role is deleted. Trust policies show its unique id from now on.
    pub fn remove_principal(&self, arn: &str) {
        self.lock().principals.remove(arn);
    }

    /// Whether a trust policy that is refused for a principal is refused without a word on whom.
    pub fn hide_principals_in_refusals(&self, hides: bool) {
        self.lock().principals.says_whom = !hides;
    }

    /// AWS makes or edits a managed policy of its own, or a customer does so by hand.
    pub fn set_managed_policy(&self, arn: &ManagedPolicyArn, document: &str) {
        let mut state = self.lock();
        let policy = state
            .policies
            .entry(arn.clone())
            .or_insert_with(StoredPolicy::empty);
        policy.put(document.to_owned());
        // AWS keeps five; nobody asks for those of before.
        let latest = policy.latest;
        policy.versions.retain(|number, _| *number == latest);
    }

    /// A managed policy is deleted by hand, or withdrawn by AWS; what it is attached to keeps it.
    pub fn remove_managed_policy(&self, arn: &ManagedPolicyArn) {
        self.lock().policies.remove(arn);
    }

    /// What a session of the role without session policy may do: its inline policies and its attached ones, within its
    /// boundary.
    ///
    /// # Errors
    /// When a policy of the role is beyond our dialect, or not there.
    pub fn allows(&self, name: &RoleName, request: &Request) -> Result<bool, String> {
        self.evaluate(name, None, request)
    }

    /// The same of a session with the session policies of `session`: what the role allows, and the inline policy or one of the
    /// managed ones.
    ///
    /// # Errors
    /// As [`Self::allows`].
    pub fn session_allows(&self, session: &SessionRequest, request: &Request) -> Result<bool, String> {
        let name = RoleName::new(session.role.name()).map_err(|e| e.to_string())?;
        self.evaluate(&name, Some(session), request)
    }

    /// What a session of a role would be allowed that has these policies, by the managed policies that are there now.
    ///
    /// # Errors
    /// As [`Self::allows`].
    pub fn would_allow(&self, role: &ObservedRole, request: &Request) -> Result<bool, String> {
        evaluated(&self.lock(), role, None, request)
    }

    fn evaluate(
        &self,
        name: &RoleName,
        session: Option<&SessionRequest>,
        request: &Request,
    ) -> Result<bool, String> {
        let state = self.lock();
        let stored = state.roles.get(name).ok_or_else(|| format!("no role {name}"))?;
        evaluated(&state, &stored.role, session, request)
    }

    fn role_arn(&self, path: &IamPath, name: &RoleName) -> RoleArn {
        RoleArn::of(&self.partition, &self.account, path, name)
    }

    fn lock(&self) -> MutexGuard<'_, ModelState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One call: faults, log, and between them the work. `role` is the role that a write changes.
    fn call<T>(
        &self,
        operation: &'static str,
        target: String,
        role: Option<&RoleName>,
        work: impl FnOnce(&mut ModelState) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        let is_write = !operation.starts_with("sts:")
            && !["iam:Get", "iam:List", "s3:Get", "sqs:Get", "sns:Get"]
                .iter()
                .any(|p| operation.starts_with(p));
        let mut state = self.lock();
        let index = state.log.len();
        let (result, applied) = match state.faults.take(operation, index) {
            None => {
                let result = work(&mut state);
                let applied = is_write && result.is_ok();
                (result, applied)
            }
            Some(fault) => {
                let applied = fault.when == When::After && work(&mut state).is_ok() && is_write;
                (Err(fault.error(operation)), applied)
            }
        };
        let role_after = role.filter(|_| applied).and_then(|name| state.shown(name));
        state.log.push(LoggedCall {
            operation,
            target,
            applied,
            outcome: result.as_ref().err().map_or("ok", AwsError::category),
            role_after,
        });
        result
    }
}

/// Whether the policies of `role`, and those of a session of it, allow `request`.
fn evaluated(
    state: &ModelState,
    role: &ObservedRole,
    session: Option<&SessionRequest>,
    request: &Request,
) -> Result<bool, String> {
    let parse = |text: &str, kind| Document::parse(text, kind).map_err(|e| e.to_string());
    let managed = |arn: &str, kind| {
        let policy = ManagedPolicyArn::parse(arn)
            .ok()
            .and_then(|arn| state.policies.get(&arn))
            .ok_or_else(|| format!("no policy {arn}"))?;
        parse(policy.default_document(), kind)
    };
    let inline = role.inline.values().map(|text| parse(text, PolicyKind::Identity));
    let attached = role.attached.iter().map(|arn| managed(arn, PolicyKind::Identity));
    let identity = inline.chain(attached).collect::<Result<Vec<_>, _>>()?;
    let boundary = role
        .boundary
        .as_ref()
        .map(|arn| managed(arn, PolicyKind::Boundary))
        .transpose()?;
    let of_session = match session {
        None => Vec::new(),
        Some(session) => {
            let inline = session.policy.iter().map(|text| parse(text, PolicyKind::Session));
            let arns = session.policy_arns.iter();
            let managed = arns.map(|arn| managed(&arn.to_string(), PolicyKind::Session));
            inline.chain(managed).collect::<Result<Vec<_>, _>>()?
        }
    };
    let identity: Vec<&Document> = identity.iter().collect();
    let of_session: Vec<&Document> = of_session.iter().collect();
    let layers = Layers {
        identity: &identity,
        boundary: boundary.as_ref(),
        session: (!of_session.is_empty()).then_some(of_session.as_slice()),
    };
    Ok(evaluate(&layers, request).is_allowed())
}
