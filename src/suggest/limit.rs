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

Exit codes: 0 limits are proposed, 1 of a namespace none is, 2 something can't be read.";

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
    /// One limit for all namespaces: in each of them all may be granted
    #[arg(long)]
    together: bool,
    /// Write several resources of one folder as a pattern, which allows more than the roles have
    #[arg(long)]
    shorten: bool,
    /// What the limit is called; of several its namespace follows
    #[arg(long, value_name = "NAME", default_value = "suggested")]
    name: ObjectName,
}

/// What one limit is made of.
#[derive(Default)]
struct LimitParts {
    namespaces: BTreeSet<String>,
    accounts: BTreeSet<String>,
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
    let mut parts: BTreeMap<String, LimitParts> = BTreeMap::new();
    for object in &objects {
        match object.kind {
            DeputyKind::Role => {
                let key = arguments.key(object.namespace.as_deref().unwrap_or_default());
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
    let is_one = parts.len() == 1;
    for (key, parts) in &parts {
        let name = match is_one {
            true => arguments.name.to_string(),
            false => format!("{}-{key}", arguments.name),
        };
        match parts.limit(&name, arguments.shorten) {
            Ok(limit) => proposal.objects.push(limit),
            Err(why) => {
                answer = CommandAnswer::No;
                let namespaces: Vec<&str> = parts.namespaces.iter().map(String::as_str).collect();
                proposal.left.push(format!(
                    "namespace {}: no DelegationLimit is proposed: {why}",
                    namespaces.join(", ")
                ));
            }
        }
    }
    print("deputy suggest limit", &proposal)?;
    Ok(answer)
}

impl SuggestLimitArguments {
    fn key(&self, namespace: &str) -> String {
        match self.together {
            true => String::new(),
            false => namespace.to_owned(),
        }
    }

    /// Policies that belong to no object.
    fn bare(
        &self,
        files: &BTreeSet<String>,
        parts: &mut BTreeMap<String, LimitParts>,
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
                let accounts = match &self.account {
                    Some(account) => BTreeSet::from([account.to_string()]),
                    None => parts.values().flat_map(|parts| parts.accounts.clone()).collect(),
                };
                if accounts.len() != 1 {
                    return Err(Failure::input(format!(
                        "{name}: of which AWSAccount the policy is: say it by --account"
                    )));
                }
                let of = parts.entry(self.key(namespace.as_str())).or_default();
                of.namespaces.insert(namespace.to_string());
                of.accounts.extend(accounts);
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
        let account = text("/accountRef/name").ok_or_else(|| wrong(&"it names no account"))?;
        self.accounts.insert(account);
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

    fn limit(&self, name: &str, is_shorter: bool) -> Result<ProposedObject, String> {
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
            ("accounts".to_owned(), json!(self.accounts)),
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
        if self.namespaces.len() > 1 {
            proposed.comments.push(
                "In each of these namespaces all of it may be granted: a limit for each (without --together) is narrower.".to_owned(),
            );
        }
        Ok(proposed)
    }
}
