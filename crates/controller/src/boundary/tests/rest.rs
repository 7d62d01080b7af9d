//! How a limit and its policy stand, and whether its status says so.

use std::collections::BTreeMap;

use deputy_api::{BoundaryStatus, DelegationLimit, DelegationLimitStatus, conditions};
use deputy_aws::{Policies as _, model::InMemoryIam};
use deputy_delegation::{PolicyArn, boundary};
use futures::FutureExt as _;
use serde_json::Value;

use super::world::FakeApi;
use crate::{fixtures, objects};

/// How it stands when nothing is left to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Rest {
    /// Document, number of versions, tags.
    pub policy: Option<(String, usize, BTreeMap<String, String>)>,
    /// Without what differs from one history to the next: the version, and when it was seen.
    pub entry: Option<BoundaryStatus>,
    /// Status and reason of `Ready`.
    pub ready: Option<(String, String)>,
}

impl Rest {
    /// What differs from what it should be.
    pub fn difference(&self, wanted: &Self) -> String {
        let (policy, wanted_policy) = (self.short_policy(), wanted.short_policy());
        let members = [
            (format!("{policy:?}"), format!("{wanted_policy:?}")),
            (format!("{:?}", self.entry), format!("{:?}", wanted.entry)),
            (format!("{:?}", self.ready), format!("{:?}", wanted.ready)),
        ];
        let differ = members.into_iter().filter(|(found, wanted)| found != wanted);
        let texts: Vec<String> = differ
            .map(|(found, wanted)| format!("{found} instead of {wanted}"))
            .collect();
        texts.join("; ")
    }

    /// With the hash of the document instead of that.
    fn short_policy(&self) -> Option<(String, usize, &BTreeMap<String, String>)> {
        let (document, versions, tags) = self.policy.as_ref()?;
        Some((boundary::hash_of(document), *versions, tags))
    }
}

/// What a status says that is not so, where it was `before`: an entry without a problem is of what AWS has, and `Ready` of what the limit
/// asks for.
pub fn untrue(iam: &InMemoryIam, arn: &PolicyArn, before: &Value, limit: &Value) -> Option<String> {
    let Some(Ok(there)) = iam.get_policy(arn).now_or_never() else {
        return None;
    };
    let parse = |status: &Value| serde_json::from_value::<DelegationLimitStatus>(status.clone()).unwrap();
    let (before, now) = (parse(before), parse(&limit["status"]));
    let in_aws = there.map(|there| (boundary::hash_of(&there.document), there.default_version));
    for entry in &now.boundaries {
        let is_new = !before.boundaries.contains(entry);
        let said = entry.document_hash.clone().zip(entry.version_id.clone());
        if is_new && entry.problem.is_none() && said != in_aws {
            return Some(format!("the status says {said:?}, and AWS has {in_aws:?}"));
        }
    }
    let is_ready = |status: &DelegationLimitStatus| {
        conditions::find(&status.conditions, conditions::ConditionType::Ready)
            .is_some_and(|r| r.status == "True")
    };
    let is_new = !is_ready(&before) || before.observed_generation != now.observed_generation;
    if !is_ready(&now) || !is_new {
        return None;
    }
    let limit =
        objects::parse::<DelegationLimit, _>(&FakeApi::object(limit), deputy_api::parse_limit).unwrap();
    let wanted = boundary::compile(&fixtures::cluster(), &fixtures::account(), &limit).unwrap();
    let is_so = in_aws.as_ref().is_some_and(|(hash, _)| *hash == wanted.hash);
    (!is_so).then(|| format!("Ready is said, and AWS has {in_aws:?}"))
}
