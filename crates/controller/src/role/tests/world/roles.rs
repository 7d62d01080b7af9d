//! The IAM in memory, with a script of troubles before it and an eye on each change behind it.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use deputy_aws::{
    AccountSummaries, AccountSummary, AwsError, DefaultVersion, ForeignRole, ListedRole, ManagedPolicies,
    RoleDetailsPage, Roles, model::InMemoryIam,
};
use deputy_delegation::{
    IamPath, ManagedPolicyArn, RoleName,
    plan::{IamCall, ObservedRole},
};
use deputy_policy::{Context, Document, Effect, PolicyKind, Request};
use parking_lot::Mutex;

use super::wish::{ALICE, DEPLOY, NOBODY};
use crate::fixtures::script::{Call, Script, Trouble};

/// Who may do what: a principal that may become the role, or somebody who has a session of it already, and an action.
pub type Power = BTreeSet<(String, &'static str)>;

/// What is asked for: two actions that a limit may have, and one that none has.
const ACTIONS: [&str; 3] = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"];

/// What a role may be, from one moment to another.
#[derive(Debug, Clone, Default)]
pub struct Bounds {
    pub at_least: Power,
    pub at_most: Power,
    /// What sessions may now and not afterwards: once they may not, they never may again.
    pub cut: Power,
}

/// Whose sessions run all the time: they were issued before anything was asked for.
const BEARERS: [&str; 2] = ["uploader", "second"];

/// What of a power is of sessions that run.
pub fn sessions<'a>(
    power: impl Iterator<Item = &'a (String, &'static str)>,
) -> impl Iterator<Item = (String, &'static str)> {
    power.filter(|(who, _)| who.starts_with("session of")).cloned()
}

/// Looks at each change, with the role as it is then.
pub type Guard = Box<dyn FnMut(&IamCall, Option<&ObservedRole>) + Send>;

/// Roles that fail by the script.
pub struct ScriptedRoles {
    pub iam: Arc<InMemoryIam>,
    pub script: Arc<Script>,
    pub bounds: Arc<Mutex<Option<Bounds>>>,
    /// Asked after each change, with the role as it is then.
    pub watch: Mutex<Guard>,
}

impl ScriptedRoles {
    /// One read: `hidden` is what it says of what is not visible yet.
    async fn read<T: Send>(
        &self,
        operation: &'static str,
        hidden: T,
        real: impl Future<Output = Result<T, AwsError>> + Send,
    ) -> Result<T, AwsError> {
        match self.script.next(Call::ReadAws) {
            None => real.await,
            Some(Trouble::NotYetVisible) => Ok(hidden),
            Some(trouble) => Err(trouble.of_aws(operation)),
        }
    }
}

#[async_trait]
impl AccountSummaries for ScriptedRoles {
    async fn account_summary(&self) -> Result<AccountSummary, AwsError> {
        self.iam.account_summary().await
    }
}

#[async_trait]
impl ManagedPolicies for ScriptedRoles {
    async fn default_version(&self, arn: &ManagedPolicyArn) -> Result<Option<DefaultVersion>, AwsError> {
        self.iam.default_version(arn).await
    }
}

#[async_trait]
impl Roles for ScriptedRoles {
    async fn get_role(&self, name: &RoleName) -> Result<Option<ObservedRole>, AwsError> {
        self.read("iam:GetRole", None, self.iam.get_role(name)).await
    }

    async fn get_role_and_own_policy(&self, name: &RoleName) -> Result<Option<ObservedRole>, AwsError> {
        self.read("iam:GetRole", None, self.iam.get_role_and_own_policy(name))
            .await
    }

    async fn get_existing_role(&self, name: &RoleName) -> Result<Option<ForeignRole>, AwsError> {
        self.read("iam:GetRole", None, self.iam.get_existing_role(name))
            .await
    }

    async fn list_roles(&self, path: &IamPath) -> Result<Vec<ListedRole>, AwsError> {
        self.read("iam:ListRoles", Vec::new(), self.iam.list_roles(path))
            .await
    }

    async fn role_details(&self, path: &IamPath, marker: Option<&str>) -> Result<RoleDetailsPage, AwsError> {
        let hidden = RoleDetailsPage::default();
        self.read(
            "iam:GetAccountAuthorizationDetails",
            hidden,
            self.iam.role_details(path, marker),
        )
        .await
    }

    async fn execute(&self, call: &IamCall) -> Result<(), AwsError> {
        let trouble = self.script.next(Call::WriteAws);
        if matches!(trouble, Some(Trouble::Refused | Trouble::NotYetVisible)) {
            // What AWS says it will not do is not waited for: what is taken away instead is taken away.
            self.bounds
                .lock()
                .iter_mut()
                .for_each(|bounds| bounds.at_least.clear());
        }
        let is_done = trouble.is_none_or(Trouble::is_done);
        let done = if is_done {
            self.iam.execute(call).await
        } else {
            Ok(())
        };
        if is_done && done.is_ok() {
            let after = self.iam.role_names().first().and_then(|name| self.iam.role(name));
            (self.watch.lock())(call, after.as_ref());
        }
        match trouble {
            Some(Trouble::Superseded) => {
                self.script.supersede();
                done
            }
            Some(trouble) => Err(trouble.of_aws(call.action())),
            None => done,
        }
    }
}

/// Who may do what by a role, as AWS decides; nobody without one. That somebody is named in an `Allow` of the trust policy is enough here.
pub fn power(iam: &InMemoryIam, role: Option<&ObservedRole>) -> Power {
    let Some(role) = role else {
        return Power::new();
    };
    let may = |action: &str, context: Context| {
        let request = Request {
            action: action.to_owned(),
            resource: "arn:aws:s3:::productionapp/key".to_owned(),
            principal: None,
            context,
        };
        iam.would_allow(role, &request)
            .unwrap_or_else(|e| panic!("{e}: {role:?}"))
    };
    let allowed: Vec<&str> = ACTIONS
        .into_iter()
        .filter(|action| may(action, Context::default()))
        .collect();
    let running = BEARERS.into_iter().filter_map(|name| {
        let context = Context::new()
            .with("aws:PrincipalTag/deputy-service-account", name)
            .with("aws:TokenIssueTime", "2026-01-01T00:00:00Z");
        may(ACTIONS[0], context).then(|| (format!("session of {name}"), ACTIONS[0]))
    });
    trusted(&role.trust)
        .into_iter()
        .flat_map(|principal| allowed.iter().map(move |action| (principal.clone(), *action)))
        .chain(running)
        .collect()
}

/// Whom a trust policy lets in: the issuers in it, by the condition that names them, and principals that bindings name.
fn trusted(text: &str) -> BTreeSet<String> {
    let document = Document::parse(text, PolicyKind::Trust).unwrap();
    let allows = document.statements().iter().filter(|s| s.effect == Effect::Allow);
    let texts: Vec<String> = allows.map(|statement| format!("{statement:?}")).collect();
    ["user/deputy-broker", "user/second-broker", DEPLOY, ALICE, NOBODY]
        .into_iter()
        .filter(|issuer| texts.iter().any(|text| text.contains(issuer)))
        .map(ToOwned::to_owned)
        .collect()
}
