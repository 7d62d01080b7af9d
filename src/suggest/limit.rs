//! `deputy suggest limit`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use clap::Args;
use deputy_admission::DeputyKind;
use deputy_delegation::{NamespaceName, ObjectName};
use deputy_policy::{Document, PolicyKind};
use serde_json::{Map, Value, json};

use super::merge::merged;
use crate::{
    ceiling::{limit, prove, union},
    exit::{CommandAnswer, CommandResult, Failure},
    input::{named, once},
    objects::{ReadObject, ReadObjects},
    policy::{namespaces::InNamespaces, report::refused, source::File},
    proposal::{Proposal, ProposedObject, print},
};

const EXAMPLES: &str = "Examples:

  deputy suggest limit -f teams/payments/ > limit.yaml
  deputy suggest limit -f policies/ --namespace payments --account production

Exit codes: 0 limits are proposed, 1 of a namespace and account none is, 2 something can't be read, 3 the answer can't be written.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SuggestLimitArguments {
    /// AWSRoles, and policies by themselves, or folders of them; may be repeated
    #[arg(short = 'f', long = "filename", value_name = "FILE|DIR", required = true)]
    files: Vec<PathBuf>,
    /// The namespace of roles that name none, and of policies by themselves
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<NamespaceName>,
    /// The AWSAccount of policies by themselves; by default that of the roles, where they have one
    #[arg(long, value_name = "NAME")]
    account: Option<ObjectName>,
    /// One limit of an account for all namespaces: in each of them all may be granted
    #[arg(long)]
    together: bool,
    /// Write several resources of one folder as a pattern, which allows more than the roles have
    #[arg(long)]
    shorten: bool,
    /// What the limit is called; of several its namespace follows, and .ACCOUNT where there are several accounts
    #[arg(long, value_name = "NAME", default_value = "suggested")]
    name: ObjectName,
}

/// Of what a limit is: a namespace, or none of all together, and an account. What one account has, is nothing that another one may have:
/// a limit of both would allow the actions of each in the other.
type LimitKey = (String, String);

/// What one limit is made of.
#[derive(Default)]
struct LimitParts {
    namespaces: BTreeSet<String>,
    /// By what they are called.
    roles: Vec<(String, Vec<Document>)>,
    managed: BTreeSet<String>,
    existing: BTreeSet<String>,
}

pub fn run(arguments: &SuggestLimitArguments) -> CommandResult {
    once(named("--filename", &arguments.files))?;
    let namespace = arguments.namespace.as_ref().map(NamespaceName::as_str);
    let read = ReadObjects::of(&arguments.files, namespace)?;
    let with_policies = read.with_policies.clone();
    let objects = read.sound()?;
    let mut proposal = Proposal::default();
    let mut parts: BTreeMap<LimitKey, LimitParts> = BTreeMap::new();
    for object in &objects {
        match object.kind {
            DeputyKind::Role => {
                let namespace = object.namespace.as_deref().unwrap_or_default();
                let key = arguments.key(namespace, account_of(object)?);
                parts.entry(key).or_default().role(object)?;
            }
            DeputyKind::ClusterRole => proposal.left.push(format!(
                "{}: which namespaces bind it, and what it is there, a limit for it has to say itself",
                object.title()
            )),
            _ => {}
        }
    }
    arguments.bare(&with_policies, &mut parts)?;
    if parts.is_empty() {
        return Err(Failure::input(
            "there is neither an AWSRole nor a policy in these files",
        ));
    }
    let mut answer = CommandAnswer::Yes;
    let names: Vec<String> = names(&arguments.name, parts.keys());
    for (name, ((_, account), parts)) in names.iter().zip(&parts) {
        match parts.limit(name, account, arguments.shorten) {
            Ok(limit) => proposal.objects.push(limit),
            Err(why) => {
                answer = CommandAnswer::No;
                let namespaces: Vec<&str> = parts.namespaces.iter().map(String::as_str).collect();
                proposal.left.push(format!(
                    "namespace {}, account {account}: no DelegationLimit is proposed: {why}",
                    namespaces.join(", ")
                ));
            }
        }
    }
    print("deputy suggest limit", &proposal)?;
    Ok(answer)
}

/// What limits are called: by what they differ in.
fn names<'k>(name: &ObjectName, keys: impl Iterator<Item = &'k LimitKey> + Clone) -> Vec<String> {
    let namespaces: BTreeSet<&str> = keys.clone().map(|(namespace, _)| namespace.as_str()).collect();
    let accounts: BTreeSet<&str> = keys.clone().map(|(_, account)| account.as_str()).collect();
    let of = |(namespace, account): &LimitKey| {
        let mut full = name.to_string();
        if namespaces.len() > 1 {
            full = format!("{full}-{namespace}");
        }
        if accounts.len() > 1 {
            full = format!("{full}.{account}");
        }
        full
    };
    keys.map(of).collect()
}

fn account_of(object: &ReadObject) -> Result<String, Failure> {
    let account = object
        .value
        .pointer("/spec/accountRef/name")
        .and_then(Value::as_str);
    account
        .map(str::to_owned)
        .ok_or_else(|| Failure::input(format!("{}: it names no account", object.title())))
}

impl SuggestLimitArguments {
    fn key(&self, namespace: &str, account: String) -> LimitKey {
        match self.together {
            true => (String::new(), account),
            false => (namespace.to_owned(), account),
        }
    }

    /// Policies that belong to no object.
    fn bare(
        &self,
        files: &BTreeSet<String>,
        parts: &mut BTreeMap<LimitKey, LimitParts>,
    ) -> Result<(), Failure> {
        for name in files {
            if name == "-" {
                return Err(Failure::input(
                    "a policy by itself is read from a file: give its name instead of -",
                ));
            }
            let file = File::read(&PathBuf::from(name))?;
            let groups = file
                .groups(InNamespaces::Each)
                .map_err(|found| refused(&found, &file.source()))?;
            for group in groups.iter().filter(|group| group.of.is_none()) {
                let mut documents = Vec::new();
                for policy in &group.policies {
                    let document = policy
                        .parse(PolicyKind::Identity)
                        .map_err(|found| refused(&found, &file.source()))?;
                    documents.push(document);
                }
                let namespace = self.namespace.as_ref().ok_or_else(|| {
                    Failure::input(format!(
                        "{name}: of which namespace the policy is: say it by --namespace"
                    ))
                })?;
                let accounts: BTreeSet<&String> = parts.keys().map(|(_, account)| account).collect();
                let account = match (&self.account, accounts.first()) {
                    (Some(account), _) => account.to_string(),
                    (None, Some(account)) if accounts.len() == 1 => (*account).clone(),
                    (None, _) => {
                        return Err(Failure::input(format!(
                            "{name}: of which AWSAccount the policy is: say it by --account"
                        )));
                    }
                };
                let of = parts.entry(self.key(namespace.as_str(), account)).or_default();
                of.namespaces.insert(namespace.to_string());
                of.roles.push((name.clone(), documents));
            }
        }
        Ok(())
    }
}

impl LimitParts {
    fn role(&mut self, object: &ReadObject) -> Result<(), Failure> {
        let title = object.title();
        let wrong = |what: &dyn std::fmt::Display| Failure::input(format!("{title}: {what}"));
        let spec = object.value.get("spec").ok_or_else(|| wrong(&"it has no spec"))?;
        let text = |pointer: &str| spec.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        self.namespaces.extend(object.namespace.clone());
        self.existing.extend(text("/existing/roleARN"));
        let items = |field: &str| spec.get(field).and_then(Value::as_array).into_iter().flatten();
        let managed = items("managedPolicyARNs").filter_map(Value::as_str);
        self.managed.extend(managed.map(str::to_owned));
        let mut documents = Vec::new();
        for (i, policy) in items("policies").enumerate() {
            let document = policy.get("document").unwrap_or(&Value::Null);
            let document = Document::from_value(document, PolicyKind::Identity);
            documents
                .push(document.map_err(|errors| wrong(&format!("spec.policies[{i}].document: {errors}")))?);
        }
        if !documents.is_empty() {
            self.roles.push((title.clone(), documents));
        }
        Ok(())
    }

    fn limit(&self, name: &str, account: &str, is_shorter: bool) -> Result<ProposedObject, String> {
        if self.roles.is_empty() {
            return Err("its roles have no policies of their own, and what managed policies and existing roles allow is not in the files: write the ceiling by hand".to_owned());
        }
        let whole = union(self.roles.iter().flat_map(|(_, documents)| documents))?;
        let ceiling = merged(&whole, is_shorter)?;
        prove(
            &ceiling,
            self.roles
                .iter()
                .map(|(title, documents)| (title, documents.as_slice())),
        )?;
        let mut spec = Map::from_iter([
            ("namespaces".to_owned(), json!(self.namespaces)),
            ("accounts".to_owned(), json!([account])),
        ]);
        if !self.managed.is_empty() {
            spec.insert("managedPolicies".to_owned(), json!(self.managed));
        }
        if !self.existing.is_empty() {
            spec.insert("existingRoles".to_owned(), json!(self.existing));
        }
        let mut proposed = limit(name, &ceiling, spec)?;
        let is_wider = prove(&whole, std::iter::once(("it", std::slice::from_ref(&ceiling)))).is_err();
        if is_wider && let Some(first) = proposed.comments.first_mut() {
            "It allows all that the policies of these roles allow, proved, and more, for resources are shortened to patterns. What they deny is not in it."
                .clone_into(first);
        }
        if !self.managed.is_empty() {
            let all: Vec<&str> = self.managed.iter().map(String::as_str).collect();
            proposed.comments.push(format!(
                "What managed policies allow is not in the files, so not in the ceiling, which cuts off what it has not: {}",
                all.join(", ")
            ));
        }
        if self.namespaces.len() > 1 {
            proposed.comments.push(
                "In each of these namespaces all of it may be granted: a limit for each (without --together) is narrower.".to_owned(),
            );
        }
        Ok(proposed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_called_by_what_they_differ_in() {
        let key = |namespace: &str, account: &str| (namespace.to_owned(), account.to_owned());
        let name = ObjectName::new("made").unwrap();
        for (keys, expected) in [
            (vec![key("a", "x")], vec!["made"]),
            (vec![key("a", "x"), key("b", "x")], vec!["made-a", "made-b"]),
            (vec![key("a", "x"), key("a", "y")], vec!["made.x", "made.y"]),
            (vec![key("a", "x"), key("b", "y")], vec!["made-a.x", "made-b.y"]),
        ] {
            assert_eq!(names(&name, keys.iter()), expected, "{keys:?}");
        }
    }

    /// What managed policies allow is not known, which is not nothing.
    #[test]
    fn of_managed_policies_alone_no_ceiling_is_made() {
        let parts = LimitParts {
            managed: BTreeSet::from(["arn:aws:iam::aws:policy/AdministratorAccess".to_owned()]),
            ..LimitParts::default()
        };
        let why = parts.limit("made", "production", false).err().unwrap();
        assert!(why.contains("managed policies"), "{why}");
    }
}
