//! Calls that wait for their turn: the plan is kept, and not for ever.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use deputy_aws::{
    AccountSummaries, AccountSummary, AwsError, DefaultVersion, ErrorClass, ForeignRole, ListedRole,
    ManagedPolicies, RoleDetailsPage, Roles, model::InMemoryIam,
};
use deputy_delegation::{
    IamPath, ManagedPolicyArn, ObjectName, RoleName,
    model::RoleId,
    plan::{DesiredRole, IamCall, ObservedRole},
    trust,
};
use parking_lot::Mutex;

use crate::{
    fixtures::{account, cluster, role, uploader},
    queue::{Superseded, superseded},
    role::{
        converge::{RoleApplyError, RoleCalls, RoleReads, close_first, converge},
        target::{Ownership, RoleTarget},
        tests::{histories::Rig, ours, paths::reads, world::World},
    },
};

/// Each write has its turn after a while; the log has what was called for what.
struct Slow<'a> {
    iam: &'a InMemoryIam,
    wait: Duration,
    /// Whether it has no turn for writes any more.
    is_fenced: bool,
    purpose: &'static str,
    log: &'a Mutex<Vec<(&'static str, String)>>,
}

#[async_trait]
impl AccountSummaries for Slow<'_> {
    async fn account_summary(&self) -> Result<AccountSummary, AwsError> {
        self.iam.account_summary().await
    }
}

#[async_trait]
impl ManagedPolicies for Slow<'_> {
    async fn default_version(&self, arn: &ManagedPolicyArn) -> Result<Option<DefaultVersion>, AwsError> {
        self.iam.default_version(arn).await
    }
}

#[async_trait]
impl Roles for Slow<'_> {
    async fn get_role(&self, name: &RoleName) -> Result<Option<ObservedRole>, AwsError> {
        self.log.lock().push((self.purpose, "read".to_owned()));
        self.iam.get_role(name).await
    }
    async fn get_role_and_own_policy(&self, name: &RoleName) -> Result<Option<ObservedRole>, AwsError> {
        self.log.lock().push((self.purpose, "read to close".to_owned()));
        self.iam.get_role_and_own_policy(name).await
    }
    async fn get_existing_role(&self, name: &RoleName) -> Result<Option<ForeignRole>, AwsError> {
        self.iam.get_existing_role(name).await
    }
    async fn list_roles(&self, path: &IamPath) -> Result<Vec<ListedRole>, AwsError> {
        self.iam.list_roles(path).await
    }
    async fn role_details(&self, path: &IamPath, marker: Option<&str>) -> Result<RoleDetailsPage, AwsError> {
        self.iam.role_details(path, marker).await
    }
    async fn execute(&self, call: &IamCall) -> Result<(), AwsError> {
        tokio::time::sleep(self.wait).await;
        let action = call.action();
        if self.is_fenced {
            return Err(AwsError::new(action, ErrorClass::NotLeader, "not now"));
        }
        self.log.lock().push((self.purpose, action.to_owned()));
        self.iam.execute(call).await
    }
}

/// Nothing of it ever has its turn.
struct Never;

#[async_trait]
impl ManagedPolicies for Never {
    async fn default_version(&self, _: &ManagedPolicyArn) -> Result<Option<DefaultVersion>, AwsError> {
        std::future::pending().await
    }
}

#[async_trait]
impl AccountSummaries for Never {
    async fn account_summary(&self) -> Result<AccountSummary, AwsError> {
        std::future::pending().await
    }
}

#[async_trait]
impl Roles for Never {
    async fn get_role(&self, _: &RoleName) -> Result<Option<ObservedRole>, AwsError> {
        std::future::pending().await
    }
    async fn get_role_and_own_policy(&self, _: &RoleName) -> Result<Option<ObservedRole>, AwsError> {
        std::future::pending().await
    }
    async fn get_existing_role(&self, _: &RoleName) -> Result<Option<ForeignRole>, AwsError> {
        std::future::pending().await
    }
    async fn list_roles(&self, _: &IamPath) -> Result<Vec<ListedRole>, AwsError> {
        std::future::pending().await
    }
    async fn role_details(&self, _: &IamPath, _: Option<&str>) -> Result<RoleDetailsPage, AwsError> {
        std::future::pending().await
    }
    async fn execute(&self, _: &IamCall) -> Result<(), AwsError> {
        std::future::pending().await
    }
}

fn target(trust_is_open: bool) -> RoleTarget {
    let role = role(&["s3:GetObject"]);
    let owned = role.owned().unwrap();
    RoleTarget::Provision(Box::new(DesiredRole {
        name: ours().name,
        path: ours().path,
        trust: if trust_is_open {
            trust::for_issuer(&cluster(), &account(), &uploader())
        } else {
            trust::deny_all()
        },
        inline: owned.policies.inline().cloned(),
        attached: owned.policies.managed().clone(),
        boundary: None,
        tags: BTreeMap::from_iter(ours().tags),
        max_session_duration: owned.max_session_duration,
    }))
}

/// What is called to bring a role that is open there, with each write after `wait`.
async fn calls(
    iam: &InMemoryIam,
    to: &RoleTarget,
    wait: u64,
    is_fenced: bool,
) -> Vec<(&'static str, String)> {
    let log = Mutex::default();
    let client = |purpose| Slow {
        iam,
        wait: Duration::from_secs(wait),
        is_fenced,
        purpose,
        log: &log,
    };
    let (roles, revoking) = (client("provision"), client("revoke"));
    let calls = RoleCalls {
        roles: &roles,
        revoking: &revoking,
        reads: to.reads(),
        superseded: &Superseded::never(),
    };
    let done = converge(calls, &ours().name, &|| true, |observed| {
        to.steps(&ours(), observed)
    })
    .await;
    assert_eq!(done == Err(RoleApplyError::NotLeader), is_fenced, "{done:?}");
    log.into_inner()
}

fn empty() -> InMemoryIam {
    InMemoryIam::new(account().partition, account().id)
}

#[tokio::test(start_paused = true)]
async fn a_plan_is_kept_while_its_calls_wait_and_made_anew_when_it_is_old() {
    let names = |calls: Vec<(&'static str, String)>| -> Vec<String> {
        calls.into_iter().map(|(_, name)| name).collect()
    };
    let found = names(calls(&empty(), &target(true), 20, false).await);
    assert_eq!(found, ["read", "iam:CreateRole", "iam:PutRolePolicy", "read"]);
    // The first call alone took longer than what was read may be old.
    let found = names(calls(&empty(), &target(true), 61, false).await);
    assert_eq!(
        found,
        ["read", "iam:CreateRole", "read", "iam:PutRolePolicy", "read"]
    );
}

#[tokio::test(start_paused = true)]
async fn what_takes_away_is_called_as_that_whatever_the_role_was_read_for() {
    let iam = empty();
    calls(&iam, &target(true), 0, false).await;
    let found = calls(&iam, &target(false), 0, false).await;
    let call = |purpose, name: &str| (purpose, name.to_owned());
    assert_eq!(
        found,
        [
            call("provision", "read"),
            call("revoke", "iam:UpdateAssumeRolePolicy"),
            call("provision", "read")
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_lost_while_a_call_waits_is_no_refusal_of_aws() {
    assert_eq!(calls(&empty(), &target(true), 5, true).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_suspension_reads_no_more_than_it_rests_on() {
    let iam = empty();
    calls(&iam, &target(true), 0, false).await;
    let found = calls(&iam, &RoleTarget::Suspend, 0, false).await;
    let names: Vec<&str> = found.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "read to close",
            "iam:PutRolePolicy",
            "iam:UpdateAssumeRolePolicy",
            "read to close"
        ]
    );
    // Whose role it is, is looked at all the same.
    let foreign = Ownership {
        path: IamPath::new("/other/").unwrap(),
        ..ours()
    };
    let observed = iam.get_role_and_own_policy(&ours().name).await.unwrap();
    assert!(RoleTarget::Suspend.steps(&foreign, observed.as_ref()).is_err());
}

/// What is called to shut out who is to be shut out.
async fn closing_calls(iam: &InMemoryIam, to: &RoleTarget) -> Vec<String> {
    let log = Mutex::default();
    let client = Slow {
        iam,
        wait: Duration::ZERO,
        is_fenced: false,
        purpose: "revoke",
        log: &log,
    };
    let calls = RoleCalls {
        roles: &client,
        revoking: &client,
        reads: to.reads(),
        superseded: &Superseded::never(),
    };
    let plan = |observed: Option<&ObservedRole>| {
        let steps = to.steps(&ours(), observed)?;
        Ok(steps.into_iter().find(|step| to.shuts_out(step)))
    };
    close_first(calls, &ours().name, &|| true, plan).await.unwrap();
    log.into_inner().into_iter().map(|(_, name)| name).collect()
}

#[tokio::test(start_paused = true)]
async fn who_is_shut_out_is_so_before_all_of_the_role_is_read() {
    let (read, close) = ("read to close", "iam:UpdateAssumeRolePolicy");
    for to in [target(false), RoleTarget::Delete] {
        let iam = empty();
        assert_eq!(closing_calls(&iam, &to).await, [read], "there is none");
        calls(&iam, &target(true), 0, false).await;
        let before = iam.role(&ours().name).unwrap();
        assert_eq!(closing_calls(&iam, &to).await, [read, close]);
        let after = iam.role(&ours().name).unwrap();
        assert_eq!((&after.inline, &after.tags), (&before.inline, &before.tags));
        assert!(!after.trust.contains("Allow"), "{}", after.trust);
        assert_eq!(closing_calls(&iam, &to).await, [read], "it is closed");
        assert_eq!(
            closing_calls(&iam, &target(true)).await,
            [read],
            "it opens at the end"
        );
    }
    // What is not read of a role is not taken for absent: nobody is shut out who stays, though policies would be written.
    let iam = empty();
    calls(&iam, &target(true), 0, false).await;
    let mut other = target(true);
    if let RoleTarget::Provision(desired) = &mut other {
        desired.trust = trust::for_issuer(
            &cluster(),
            &account(),
            &RoleId {
                name: ObjectName::new("another").unwrap(),
                ..uploader()
            },
        );
        desired.inline = None;
    }
    assert_eq!(closing_calls(&iam, &other).await, [read]);
}

#[tokio::test(start_paused = true)]
async fn what_is_urgent_begins_with_shutting_out() {
    let rig = Rig::new().await;
    for urgent in [reads().gone(), reads().unbound()] {
        let mut world = World::new(&rig.leadership);
        world.furnish();
        world.wish(&reads());
        world.settle(4, World::is_quiet).await;
        world.take_calls();
        world.wish(&urgent);
        world.settle(1, |_| true).await;
        let calls = world.take_calls();
        let begins = ["iam:GetRole", "iam:UpdateAssumeRolePolicy", "iam:GetRole"];
        assert!(
            calls.iter().zip(begins).all(|(call, begins)| call == begins) && calls.len() > 3,
            "{calls:?}"
        );
    }
}

/// What is called to make a role, when after some calls it turns out that it is to be suspended.
async fn superseded_after(calls_made: usize) -> Vec<&'static str> {
    let (iam, log) = (empty(), Mutex::default());
    let (supersede, superseded) = superseded::new();
    let slow = Slow {
        iam: &iam,
        wait: Duration::from_secs(1),
        is_fenced: false,
        purpose: "provision",
        log: &log,
    };
    let to = target(true);
    let calls = RoleCalls {
        roles: &slow,
        revoking: &slow,
        reads: to.reads(),
        superseded: &superseded,
    };
    let name = ours().name;
    let work = converge(calls, &name, &|| true, |observed| to.steps(&ours(), observed));
    let news = async {
        while log.lock().len() < calls_made {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        supersede.now();
    };
    let (done, ()) = tokio::join!(work, news);
    assert_eq!(done, Err(RoleApplyError::Superseded));
    iam.writes()
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_is_superseded_makes_no_further_call() {
    assert_eq!(superseded_after(1).await, ["iam:CreateRole"], "it was under way");
    assert_eq!(superseded_after(2).await, ["iam:CreateRole", "iam:PutRolePolicy"]);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_waits_for_its_turn_is_given_up_when_it_is_superseded() {
    let (supersede, superseded) = superseded::new();
    let never = Never;
    let calls = RoleCalls {
        roles: &never,
        revoking: &never,
        reads: RoleReads::Whole,
        superseded: &superseded,
    };
    let name = ours().name;
    let work = converge(calls, &name, &|| true, |_| panic!("nothing was read"));
    let news = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        supersede.now();
    };
    let both = async { tokio::join!(work, news).0 };
    let done = tokio::time::timeout(Duration::from_secs(2), both).await;
    assert_eq!(done.unwrap(), Err(RoleApplyError::Superseded));
}
