//! The objects that take the place of former grants, each limit proved to allow what its roles have.

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum;
use deputy_delegation::{NamespaceName, RoleArn, model::Account};
use deputy_policy::Document;
use serde_json::{Map, Value, json};

use super::{
    former::{OldGrant, OldWay},
    grants::OldGrants,
    policies::KnownPolicies,
    roles::{OldRole, OldRoles},
    trust,
};
use crate::{
    ceiling::{limit, prove, union},
    distinct::distinct,
    proposal::{Proposal, ProposedObject},
};

/// AWS and the schema take as many subjects of a binding.
const SUBJECTS: usize = 100;

/// What becomes of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum RoleForm {
    /// It stays as it is, and Deputy gives sessions of it
    #[default]
    Existing,
    /// Deputy makes one with the same policies
    New,
}

/// Makes the proposal.
pub fn plan(grants: OldGrants, roles: &OldRoles, account: &Account, form: RoleForm) -> Proposal {
    let mut proposal = Proposal {
        objects: Vec::new(),
        left: grants.left,
    };
    let mut of_namespace: BTreeMap<NamespaceName, BTreeMap<RoleArn, BTreeSet<String>>> = BTreeMap::new();
    for grant in &grants.grants {
        let subject = format!("ServiceAccount {}/{}", grant.namespace, grant.service_account);
        let placed = NamespaceName::new(grant.namespace.as_str())
            .map_err(|error| error.to_string())
            .and_then(|namespace| Ok((namespace, arn_of(&grant.role, roles, account)?)))
            .and_then(|(namespace, role)| {
                let refusal = roles
                    .trust(&role)
                    .and_then(|trust| trust::refusal(trust, &role, grant));
                refusal.map_or(Ok((namespace, role)), Err)
            });
        match placed {
            Ok((namespace, role)) => {
                let of_role = of_namespace.entry(namespace).or_default().entry(role);
                of_role.or_default().insert(grant.service_account.clone());
            }
            Err(why) => proposal.left.push(format!("{subject}: {why}")),
        }
    }
    let carried: BTreeSet<&RoleArn> = of_namespace.values().flat_map(BTreeMap::keys).collect();
    proposal
        .left
        .extend(unseen_trust(&grants.grants, &carried, roles));
    for (namespace, granted) in &of_namespace {
        let space = Space {
            namespace,
            account,
            form,
            roles,
        };
        space.propose(granted, &mut proposal);
    }
    proposal
}

/// The trust policies that were not looked at.
fn unseen_trust(grants: &BTreeSet<OldGrant>, carried: &BTreeSet<&RoleArn>, roles: &OldRoles) -> Vec<String> {
    if grants.iter().all(|grant| grant.way == OldWay::Node) {
        let which =
            "trust policies were not looked at: the exports do not say which role of the nodes becomes these";
        return carried.first().map(|_| which.to_owned()).into_iter().collect();
    }
    let unseen = carried.iter().filter(|arn| roles.trust(arn).is_none());
    unseen
        .map(|arn| {
            format!("role {arn}: the files do not have its trust policy, so who becomes it today was not looked at")
        })
        .collect()
}

/// The ARN of what is written in an annotation.
fn arn_of(role: &str, roles: &OldRoles, account: &Account) -> Result<RoleArn, String> {
    let arn = if role.starts_with("arn:") {
        RoleArn::parse(role)
    } else if let Some(arn) = roles.named(role) {
        Ok(arn.clone())
    } else {
        let name = role.trim_start_matches('/');
        RoleArn::parse(&format!(
            "arn:{}:iam::{}:role/{name}",
            account.partition, account.id
        ))
    };
    let arn = arn.map_err(|error| error.to_string())?;
    if (arn.account(), arn.partition()) == (&account.id, &account.partition) {
        Ok(arn)
    } else {
        Err(format!(
            "{arn} is not of account {}, which AWSAccount {} is; run this again with the AWSAccount of {}",
            account.id,
            account.name,
            arn.account()
        ))
    }
}

/// One namespace.
struct Space<'a> {
    namespace: &'a NamespaceName,
    account: &'a Account,
    form: RoleForm,
    roles: &'a OldRoles,
}

impl Space<'_> {
    fn propose(&self, granted: &BTreeMap<RoleArn, BTreeSet<String>>, proposal: &mut Proposal) {
        let names: Vec<&str> = granted.keys().map(RoleArn::name).collect();
        let mut objects = Vec::new();
        let (mut carried, mut documents) = (Vec::new(), Vec::new());
        let (mut is_known, mut is_within) = (true, true);
        for ((arn, accounts), name) in granted.iter().zip(distinct(&names, label)) {
            let name = self.of_account(&name);
            let known = KnownPolicies::of(arn, self.roles);
            let gaps = known.gaps.iter();
            proposal.left.extend(gaps.map(|gap| format!("role {arn}: {gap}")));
            proposal
                .left
                .extend(known.beyond.iter().map(|why| format!("role {arn}: {why}")));
            let role = match self.form {
                RoleForm::Existing => Some(self.existing(arn, &name)),
                RoleForm::New => self.made(arn, &name, &known, &mut proposal.left),
            };
            let Some(role) = role else {
                let accounts: Vec<&str> = accounts.iter().map(String::as_str).collect();
                proposal.left.push(format!(
                    "role {arn}: no role is proposed; its ServiceAccounts {} of namespace {} are left as they are",
                    accounts.join(", "),
                    self.namespace
                ));
                continue;
            };
            is_known &= known.gaps.is_empty();
            is_within &= known.beyond.is_none();
            objects.push(role);
            objects.extend(self.bindings(&name, accounts));
            documents.push((arn, known.documents));
            carried.push(arn);
        }
        self.say_several(granted, &mut proposal.left);
        let limit = match (is_known, is_within) {
            (true, true) => self.limit(&carried, &documents),
            (false, _) => Err("not all policies of its roles are known".to_owned()),
            (true, false) => Err("it would be wider than the boundary of a role".to_owned()),
        };
        match limit {
            Ok(limit) => proposal.objects.push(limit),
            Err(_) if carried.is_empty() => {}
            Err(why) => proposal.left.push(format!(
                "namespace {}: no DelegationLimit is proposed: {why}",
                self.namespace
            )),
        }
        proposal.objects.extend(objects);
    }

    /// Each run has one account, and what it proposes stands beside the proposals of others. `name` has no dot: no two
    /// accounts make the same of it.
    fn of_account(&self, name: &str) -> String {
        format!("{name}.{}", self.account.name)
    }

    fn existing(&self, arn: &RoleArn, name: &str) -> ProposedObject {
        let mut comments = vec![format!(
            "The owner of {arn} adds the statements of status.trustStatement to its trust policy; the former ones may stay until all pods have moved."
        )];
        if self.roles.get(arn).is_some_and(|role| !role.is_whole) {
            comments.push(PARTS.to_owned());
        }
        let spec = json!({
            "accountRef": {"name": self.account.name.as_str()},
            "existing": {"roleARN": arn.to_string()},
        });
        ProposedObject {
            comments,
            object: self.object("AWSRole", name, spec),
        }
    }

    fn made(
        &self,
        arn: &RoleArn,
        name: &str,
        known: &KnownPolicies,
        left: &mut Vec<String>,
    ) -> Option<ProposedObject> {
        let role = self.roles.get(arn)?;
        if !known.gaps.is_empty() || known.beyond.is_some() {
            return None;
        }
        if role.inline.is_empty() && role.attached.is_empty() {
            left.push(format!(
                "role {arn}: it has no policies, so there is nothing to make"
            ));
            return None;
        }
        if let Some(boundary) = &role.boundary {
            left.push(format!(
                "role {arn}: its boundary {boundary}, which cuts off nothing of its policies today; the boundary of the limit takes its place"
            ));
        }
        let mut comments = vec![format!(
            "What names {arn} (policies of buckets, keys and other roles) has to name status.roleARN of this one, too."
        )];
        if !role.is_whole {
            comments.push(PARTS.to_owned());
        }
        Some(ProposedObject {
            comments,
            object: self.object("AWSRole", name, self.spec_of(role)),
        })
    }

    fn spec_of(&self, role: &OldRole) -> Value {
        let mut spec = Map::new();
        spec.insert("accountRef".into(), json!({"name": self.account.name.as_str()}));
        let names: Vec<&str> = role.inline.keys().map(String::as_str).collect();
        let policies = distinct(&names, label).into_iter().zip(role.inline.values());
        let policies: Vec<Value> = policies
            .map(|(name, document)| json!({"name": name, "document": document}))
            .collect();
        if !policies.is_empty() {
            spec.insert("policies".into(), policies.into());
        }
        if !role.attached.is_empty() {
            spec.insert("managedPolicyARNs".into(), role.attached.clone().into());
        }
        if let Some(seconds) = role.longest_session.filter(|seconds| *seconds > 3600) {
            let text = match seconds % 3600 {
                0 => format!("{}h", seconds / 3600),
                _ => format!("{seconds}s"),
            };
            spec.insert("maxSessionDuration".into(), text.into());
        }
        spec.into()
    }

    fn bindings(&self, name: &str, accounts: &BTreeSet<String>) -> Vec<ProposedObject> {
        let accounts: Vec<&String> = accounts.iter().collect();
        let chunks = accounts.chunks(SUBJECTS).enumerate();
        chunks
            .map(|(i, accounts)| {
                let subjects: Vec<Value> = accounts
                    .iter()
                    .map(|account| json!({"kind": "ServiceAccount", "name": account}))
                    .collect();
                let of_all = accounts.iter().any(|account| *account == "default");
                let comments = of_all.then(|| {
                    "Every pod of the namespace that names no ServiceAccount is of `default`: give those that need the role one of their own."
                        .to_owned()
                });
                let own = match i {
                    0 => name.to_owned(),
                    _ => format!("{name}-{}", i + 1),
                };
                let spec = json!({"roleRef": {"kind": "AWSRole", "name": name}, "subjects": subjects});
                ProposedObject {
                    comments: comments.into_iter().collect(),
                    object: self.object("AWSRoleBinding", &own, spec),
                }
            })
            .collect()
    }

    fn object(&self, kind: &str, name: &str, spec: Value) -> Value {
        json!({
            "apiVersion": "deputy.dev/v1alpha1",
            "kind": kind,
            "metadata": {"name": name, "namespace": self.namespace.as_str()},
            "spec": spec,
        })
    }

    /// Of two bindings of a ServiceAccount a pod says which.
    fn say_several(&self, granted: &BTreeMap<RoleArn, BTreeSet<String>>, left: &mut Vec<String>) {
        let accounts: BTreeSet<&String> = granted.values().flatten().collect();
        for account in accounts {
            let count = granted.values().filter(|of| of.contains(account)).count();
            if count > 1 {
                left.push(format!(
                    "ServiceAccount {}/{account}: it has {count} roles; its pods say which by the annotation deputy.dev/binding",
                    self.namespace
                ));
            }
        }
    }

    /// A limit that allows what the roles have, and the proof of that.
    fn limit(
        &self,
        carried: &[&RoleArn],
        documents: &[(&RoleArn, Vec<Document>)],
    ) -> Result<ProposedObject, String> {
        let ceiling = union(documents.iter().flat_map(|(_, documents)| documents))?;
        prove(
            &ceiling,
            documents
                .iter()
                .map(|(arn, documents)| (arn, documents.as_slice())),
        )?;
        let mut spec = Map::from_iter([
            ("namespaces".to_owned(), json!([self.namespace.as_str()])),
            ("accounts".to_owned(), json!([self.account.name.as_str()])),
        ]);
        match self.form {
            RoleForm::Existing => {
                let arns: Vec<String> = carried.iter().map(ToString::to_string).collect();
                spec.insert("existingRoles".into(), arns.into());
            }
            RoleForm::New => {
                let roles = carried.iter().filter_map(|arn| self.roles.get(arn));
                let managed: BTreeSet<&String> = roles.flat_map(|role| &role.attached).collect();
                if !managed.is_empty() {
                    spec.insert("managedPolicies".into(), json!(managed));
                }
            }
        }
        limit(
            &self.of_account(&format!("migrated-{}", self.namespace)),
            &ceiling,
            spec,
        )
    }
}

const PARTS: &str = "Of this role the files have the policies of single answers: `aws iam get-account-authorization-details` has all.";

/// A name that Kubernetes takes: `Payments_Uploader` is `payments-uploader`.
fn label(name: &str) -> String {
    let taken = |c: char| match c.to_ascii_lowercase() {
        c if c.is_ascii_lowercase() || c.is_ascii_digit() => c,
        _ => '-',
    };
    let name: String = name.chars().map(taken).take(60).collect();
    match name.trim_matches('-') {
        "" => "role".to_owned(),
        name => name.to_owned(),
    }
}
