//! What people ask for: the objects as they write them.

use std::time::Duration;

use deputy_delegation::{
    boundary::{self, AccountBoundary},
    model::Account,
    naming::{self, TAG_CLUSTER_UID},
};
use deputy_index::ResourceKind;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::World;
use crate::{
    fixtures::{
        OTHER_CLUSTER, account_object, binding_object, cluster, limit_object, role_object,
        roles::{ALICE, DEPLOY},
    },
    objects::parse,
    queue::Lane,
};

/// All that is written about one role.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Its uid; another one is another object of the name. `None`: it is deleted.
    pub uid: Option<&'static str>,
    pub actions: &'static [&'static str],
    pub managed: &'static [&'static str],
    pub longest: &'static str,
    pub is_retained: bool,
    /// What the session policy of the binding of ServiceAccounts allows; nothing: it has none.
    pub session: &'static [&'static str],
    /// Whether sessions are cut that can't be told apart from others.
    pub revokes_all: bool,
    /// The ServiceAccounts that the binding names; none, and there is no binding.
    pub bound: &'static [&'static str],
    /// How long after what was asked for before.
    pub later: Duration,
    /// Whether the status of the role is lost, as in a backup without it.
    pub is_restored: bool,
    /// Name and actions of the limit.
    pub limit: (&'static str, &'static [&'static str]),
    /// Whether AWS has the boundary as the limit is now.
    pub is_boundary_there: bool,
    pub issuer: &'static str,
    /// The one of before, while that changes.
    pub previous_issuer: Option<&'static str>,
    pub tag: &'static str,
    /// Users and roles that another binding names.
    pub principals: &'static [&'static str],
    /// Those of them that are deleted, and made again by somebody else, before it is asked for.
    pub replaced: &'static [&'static str],
    /// Another cluster of the name, which owns the role by its tag when it is asked for.
    pub owned_by: Option<&'static str>,
    /// Clusters from which the account takes over.
    pub adopt_from: &'static [&'static str],
    /// Whether the namespace was made again.
    pub is_namespace_new: bool,
    /// Whether as many roles are being deleted as may be at once.
    pub is_held: bool,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            uid: Some("uid-uploader"),
            actions: &["s3:GetObject"],
            managed: &[],
            longest: "1h",
            is_retained: false,
            session: &[],
            revokes_all: false,
            bound: &["uploader"],
            later: Duration::ZERO,
            is_restored: false,
            limit: ("payments", &["s3:GetObject", "s3:PutObject"]),
            is_boundary_there: true,
            issuer: "deputy-broker",
            previous_issuer: None,
            tag: "platform",
            principals: &[],
            replaced: &[],
            owned_by: None,
            adopt_from: &[],
            is_namespace_new: false,
            is_held: false,
        }
    }
}

impl Wish {
    /// The same but for `change`.
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub fn doing(self, actions: &'static [&'static str]) -> Self {
        self.with(|wish| wish.actions = actions)
    }

    pub fn managed(self, arns: &'static [&'static str]) -> Self {
        self.with(|wish| wish.managed = arns)
    }

    pub fn under(self, limit: &'static str, actions: &'static [&'static str]) -> Self {
        self.with(|wish| wish.limit = (limit, actions))
    }

    pub fn unbound(self) -> Self {
        self.bound_to(&[])
    }

    pub fn bound_to(self, names: &'static [&'static str]) -> Self {
        self.with(|wish| wish.bound = names)
    }

    pub fn trusting(self, principals: &'static [&'static str]) -> Self {
        self.with(|wish| wish.principals = principals)
    }

    /// Another cluster owns the role.
    pub fn of_another_cluster(self) -> Self {
        self.with(|wish| wish.owned_by = Some(OTHER_CLUSTER))
    }

    /// Another cluster owns the role, and the account takes over what that has.
    pub fn taken_over(self) -> Self {
        self.of_another_cluster()
            .with(|wish| wish.adopt_from = &[OTHER_CLUSTER])
    }

    pub fn gone(self) -> Self {
        self.with(|wish| wish.uid = None)
    }

    /// Deleted, with many others.
    pub fn held(self) -> Self {
        self.gone().with(|wish| wish.is_held = true)
    }

    fn account(&self) -> DynamicObject {
        let mut account = account_object();
        let user = |name: &str| json!({"principalARN": format!("arn:aws:iam::123456789012:user/{name}")});
        account.data["spec"]["issuer"] = user(self.issuer);
        if let Some(previous) = self.previous_issuer {
            account.data["spec"]["previousIssuers"] = json!([user(previous)]);
        }
        account.data["spec"]["tags"]["cost-center"] = json!(self.tag);
        account.data["spec"]["adoptFrom"] = json!(self.adopt_from);
        account
    }

    fn limit(&self) -> DynamicObject {
        let (name, actions) = self.limit;
        let mut limit = limit_object(actions);
        limit.metadata.name = Some(name.to_owned());
        limit.data["spec"]["allowRetain"] = json!(true);
        limit.data["spec"]["principals"] = json!([{"match": ["arn:aws:iam::999999999999:*"]}]);
        limit.data["spec"]["managedPolicies"] = json!(["arn:aws:iam::aws:policy/*"]);
        limit
    }

    fn bindings(&self) -> Vec<DynamicObject> {
        let subject = |arn: &&str| json!({"kind": "AWSPrincipal", "arn": arn});
        let partners = (!self.principals.is_empty()).then(|| {
            let mut binding = binding_object("partners");
            binding.data["spec"]["subjects"] = self.principals.iter().map(subject).collect();
            binding
        });
        let own = (!self.bound.is_empty()).then(|| {
            let subject = |name: &&str| json!({"kind": "ServiceAccount", "name": name});
            let mut binding = binding_object("uploader");
            binding.data["spec"]["subjects"] = self.bound.iter().map(subject).collect();
            if !self.session.is_empty() {
                let allow = json!([{"Effect": "Allow", "Action": self.session, "Resource": "*"}]);
                let policy = json!({"Version": "2012-10-17", "Statement": allow});
                binding.data["spec"]["session"] = json!({"policy": policy});
            }
            binding
        });
        own.into_iter().chain(partners).collect()
    }

    fn role(&self, uid: &str) -> DynamicObject {
        let mut role = role_object(self.actions);
        role.metadata.uid = Some(uid.to_owned());
        let spec = &mut role.data["spec"];
        spec["maxSessionDuration"] = json!(self.longest);
        if self.is_retained {
            spec["deletionPolicy"] = json!("Retain");
        }
        if self.revokes_all {
            spec["revocation"] = json!("All");
        }
        if !self.managed.is_empty() {
            spec["managedPolicyARNs"] = json!(self.managed);
        }
        if self.actions.is_empty() {
            spec.as_object_mut().unwrap().remove("policies");
        }
        role
    }
}

impl World {
    /// People write this.
    pub fn wish(&mut self, wish: &Wish) {
        if wish.is_held {
            self.most_deleted = 0;
            self.has_account();
            self.restart();
        }
        self.wait(wish.later);
        let takes_away = wish.uid.is_none() || wish.bound.is_empty();
        *self.lane.lock() = if takes_away { Lane::Revoke } else { Lane::Change };
        self.api.put_namespace(wish.is_namespace_new);
        let account_object = wish.account();
        let account = parse(&account_object, deputy_api::parse_account).unwrap();
        let limit = self.limit_in_force(wish, &account);
        for arn in wish.replaced {
            self.iam.remove_principal(arn);
            self.iam.add_principal(arn);
        }
        if let (Some(uid), Some(name)) = (wish.owned_by, self.iam.role_names().first()) {
            self.iam.tamper(name, |role| {
                role.tags.insert(TAG_CLUSTER_UID.to_owned(), uid.to_owned());
            });
        }
        self.index
            .reset(ResourceKind::Accounts, [self.written(account_object)]);
        self.index.reset(ResourceKind::Limits, [self.written(limit)]);
        self.index.reset(
            ResourceKind::Bindings,
            wish.bindings().into_iter().map(|binding| self.written(binding)),
        );
        let Some(uid) = wish.uid else {
            if let Some(mut role) = self.object_there() {
                role["metadata"]["deletionTimestamp"] = json!("2026-01-03T03:04:05Z");
                self.put(Some(role));
            }
            return;
        };
        let mut role = serde_json::to_value(self.written(wish.role(uid))).unwrap();
        if let Some(there) = self
            .object_there()
            .filter(|there| there["metadata"]["uid"] == uid)
        {
            role["metadata"]["finalizers"] = there["metadata"]["finalizers"].clone();
            if !wish.is_restored {
                role["status"] = there["status"].clone();
            }
        }
        for list in ["/metadata/finalizers", "/status"] {
            let (parent, key) = list.rsplit_once('/').unwrap();
            let parent = role.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            if parent.get(key).is_some_and(Value::is_null) {
                parent.remove(key);
            }
        }
        self.put(Some(role));
    }

    /// An object as it is stored after somebody wrote it: answers are kept for each generation of it.
    pub(super) fn written(&self, mut object: DynamicObject) -> DynamicObject {
        let version = self.api.next_version();
        object.metadata.generation = version.parse().ok();
        object.metadata.resource_version = Some(version);
        object
    }

    /// The limit, with its boundary in AWS if that is there; else with what there was of it.
    fn limit_in_force(&self, wish: &Wish, account: &Account) -> DynamicObject {
        let mut object = wish.limit();
        let limit = parse(&object, deputy_api::parse_limit).unwrap();
        let in_account = boundary::in_account(&cluster(), account, &limit).unwrap();
        let Ok(AccountBoundary::Generated(generated)) = in_account.as_ref() else {
            panic!("{in_account:?}");
        };
        let arn = naming::boundary_arn(&cluster(), account, &limit.name);
        if wish.is_boundary_there {
            self.iam
                .set_managed_policy(&arn.clone().into(), &generated.document.to_json());
        }
        let hash = if wish.is_boundary_there {
            generated.hash.as_str()
        } else {
            "of before"
        };
        object.data["status"] = json!({
            "boundaries": [{"account": "production", "policyARN": arn.to_string(), "documentHash": hash, "versionID": "v1"}],
        });
        object
    }

    /// Managed policies of AWS, which allow everything; the issuers, and principals that bindings name.
    pub fn furnish(&self) {
        for name in ["Reader", "Writer"] {
            let arn = deputy_delegation::ManagedPolicyArn::parse(&format!("arn:aws:iam::aws:policy/{name}"))
                .unwrap();
            let actions = if name == "Reader" { "s3:Get*" } else { "s3:Put*" };
            let text = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]});
            self.iam.set_managed_policy(&arn, &text.to_string());
        }
        for user in ["deputy-broker", "second-broker"] {
            self.iam
                .add_principal(&format!("arn:aws:iam::123456789012:user/{user}"));
        }
        for arn in [DEPLOY, ALICE] {
            self.iam.add_principal(arn);
        }
    }
}
