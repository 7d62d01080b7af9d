//! What has to be made in AWS, before it is written in somebody's format.

use deputy_delegation::{
    ClusterName, EksClusterArn, IamEntity, IssuerArn, NamespaceName,
    bootstrap::{AccountSetup, ProcessIdentity, service_account},
    quota::{MANAGED_POLICIES_OF_ROLE, MANAGED_POLICY},
};
use deputy_policy::{Document, ResourceElement, Statement};

use crate::exit::Failure;

/// A managed policy.
pub struct MadePolicy {
    pub name: String,
    pub arn: String,
    pub document: Document,
}

/// One identity: a role with its trust policy, or a user.
pub struct MadeIdentity<'a> {
    pub identity: &'a ProcessIdentity,
    pub path: String,
    /// Its policy, in as many managed ones as it needs.
    pub policies: Vec<MadePolicy>,
    /// The ServiceAccount that EKS Pod Identity gives it.
    pub association: Option<&'static str>,
}

/// A service control policy, and the account that it is for.
pub struct MadeGuard<'a> {
    pub name: String,
    pub account: &'a str,
    pub document: &'a Document,
}

/// What all of it is made for.
pub struct Making<'a> {
    pub cluster_name: &'a ClusterName,
    /// The namespace of the chart's release.
    pub namespace: &'a NamespaceName,
    /// Where EKS Pod Identity gives the roles.
    pub pod_identity: Option<&'a EksClusterArn>,
    /// The broker's identity; a ServiceAccount has one role, also while there is another of before.
    pub issuer: &'a IssuerArn,
}

impl Making<'_> {
    /// What is made in one account.
    ///
    /// # Errors
    /// A role that nobody would become, a policy that can't be divided, names that clash.
    pub fn identities<'s>(&self, setup: &'s AccountSetup) -> Result<Vec<MadeIdentity<'s>>, Failure> {
        let identities = setup.identities.iter().map(|identity| self.identity(identity));
        let made: Vec<MadeIdentity<'s>> = identities.collect::<Result<_, _>>()?;
        let policies = || made.iter().flat_map(|one| &one.policies);
        let twice = policies().find(|policy| {
            let same = policies().filter(|other| other.name.eq_ignore_ascii_case(&policy.name));
            same.count() > 1
        });
        match twice {
            None => Ok(made),
            Some(policy) => Err(Failure::input(format!(
                "AWS account {}: two managed policies would be called {}; make these identities by hand, of --format policies",
                setup.id, policy.name
            ))),
        }
    }

    fn identity<'s>(&self, identity: &'s ProcessIdentity) -> Result<MadeIdentity<'s>, Failure> {
        let arn = &identity.arn;
        if arn.entity() == IamEntity::Role && identity.trust.is_none() {
            return Err(Failure::input(format!(
                "nobody would become {arn}, the identity of {}: say how it gets it, by --oidc-provider, --eks-cluster or --trust-anchor, or \
                 with --users that it has keys and the AWSAccount names a user",
                identity.process
            )));
        }
        let policies = divided(&identity.policy)
            .ok_or_else(|| {
                Failure::input(format!(
                    "the policy of {arn} does not fit into {MANAGED_POLICIES_OF_ROLE} managed policies of {MANAGED_POLICY} characters"
                ))
            })?
            .into_iter()
            .enumerate()
            .map(|(i, document)| {
                let name = match i {
                    0 => arn.name().to_owned(),
                    _ => format!("{}-{}", arn.name(), i + 1),
                };
                let place = format!("arn:{}:iam::{}:policy{}", arn.partition(), arn.account(), arn.path());
                MadePolicy {
                    arn: format!("{place}{name}"),
                    name,
                    document,
                }
            })
            .collect();
        Ok(MadeIdentity {
            identity,
            path: arn.path().to_string(),
            policies,
            association: self.association(identity),
        })
    }

    /// The ServiceAccount that gets the role through the cluster. One that a process becomes by itself is of none.
    pub fn association(&self, identity: &ProcessIdentity) -> Option<&'static str> {
        self.pod_identity?;
        self.service_account(identity)
    }

    /// The ServiceAccount whose pods get the role at once.
    pub fn service_account(&self, identity: &ProcessIdentity) -> Option<&'static str> {
        let account = service_account(identity.process)?;
        let trust = identity.trust.as_ref()?.statements();
        let is_pods = trust.iter().any(|statement| {
            let sid = statement.sid.as_deref();
            matches!(sid, Some("PodIdentity" | "ServiceAccountToken"))
        });
        let is_former = identity.process == "deputy broker" && identity.arn != *self.issuer;
        (is_pods && !is_former).then_some(account)
    }

    /// The service control policies of all accounts.
    pub fn guards<'s>(&self, setups: &'s [AccountSetup]) -> Vec<MadeGuard<'s>> {
        let guards = setups.iter().filter_map(|setup| {
            Some(MadeGuard {
                name: format!("deputy-{}-{}", self.cluster_name, setup.id),
                account: setup.id.as_str(),
                document: setup.service_control_policy.as_ref()?,
            })
        });
        guards.collect()
    }
}

/// A policy as managed ones that together say the same: by its statements, and a long one by its resources.
fn divided(policy: &Document) -> Option<Vec<Document>> {
    let fits = |statements: &[Statement]| {
        let part = Document::new(policy.version(), statements.to_vec(), policy.kind()).ok()?;
        (part.size() <= MANAGED_POLICY).then_some(part)
    };
    let mut parts: Vec<Vec<Statement>> = vec![Vec::new()];
    for statement in policy.statements() {
        for piece in pieces(statement, &fits)? {
            let last = parts.last_mut()?;
            let with = [last.as_slice(), std::slice::from_ref(&piece)].concat();
            if fits(&with).is_some() {
                *last = with;
            } else {
                parts.push(vec![piece]);
            }
        }
    }
    (parts.len() <= MANAGED_POLICIES_OF_ROLE)
        .then(|| parts.iter().map(|part| fits(part)).collect())
        .flatten()
}

/// A statement as some that each fit. What it says of a list of resources it says of each of them.
fn pieces(statement: &Statement, fits: &impl Fn(&[Statement]) -> Option<Document>) -> Option<Vec<Statement>> {
    if fits(std::slice::from_ref(statement)).is_some() {
        return Some(vec![statement.clone()]);
    }
    let Some(ResourceElement::Resource(resources)) = &statement.resource else {
        return None;
    };
    (2..=resources.len()).find_map(|count| {
        let chunks = resources.chunks(resources.len().div_ceil(count)).enumerate();
        let pieces: Vec<Statement> = chunks
            .map(|(i, chunk)| Statement {
                sid: statement.sid.as_ref().map(|sid| match i {
                    0 => sid.clone(),
                    _ => format!("{sid}{}", i + 1),
                }),
                resource: Some(ResourceElement::Resource(chunk.to_vec())),
                ..statement.clone()
            })
            .collect();
        let all_fit = pieces
            .iter()
            .all(|piece| fits(std::slice::from_ref(piece)).is_some());
        all_fit.then_some(pieces)
    })
}

#[cfg(test)]
mod tests {
    use deputy_policy::PolicyKind;
    use serde_json::json;

    use super::*;

    fn policy(resources: &[String], others: usize) -> Document {
        let mut statements =
            vec![json!({"Sid": "All", "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": resources})];
        statements.extend((0..others).map(|i| {
            json!({"Sid": format!("S{i}"), "Effect": "Allow", "Action": "s3:GetObject",
                "Resource": format!("arn:aws:s3:::{}{i}/*", "b".repeat(50))})
        }));
        let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        Document::parse(&text, PolicyKind::Identity).unwrap()
    }

    fn roles(count: usize) -> Vec<String> {
        (0..count)
            .map(|i| format!("arn:aws:iam::{i:012}:role/deputy/production-1/*"))
            .collect()
    }

    #[test]
    fn a_divided_policy_says_all_that_it_said() {
        for (resources, others) in [(1, 0), (1, 90), (120, 0), (400, 20)] {
            let whole = policy(&roles(resources), others);
            let parts = divided(&whole).unwrap();
            assert_eq!(parts.len() == 1, whole.size() <= MANAGED_POLICY);
            assert!(parts.iter().all(|part| part.size() <= MANAGED_POLICY));
            let said = |documents: &[Document]| -> Vec<String> {
                let statements = documents.iter().flat_map(Document::statements);
                let of = statements.flat_map(|s| match &s.resource {
                    Some(ResourceElement::Resource(resources)) => resources.clone(),
                    _ => Vec::new(),
                });
                of.collect()
            };
            assert_eq!(said(&parts), said(&[whole]));
        }
    }

    #[test]
    fn more_than_an_identity_can_have_is_not_divided() {
        assert!(divided(&policy(&roles(2_000), 0)).is_none());
        let long = ["a".repeat(7_000)].map(|name| format!("arn:aws:iam::123456789012:role/{name}"));
        assert!(divided(&policy(&long, 0)).is_none());
    }
}
