//! ARNs that name another partition than the account is in: AWS takes no policy with them.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>: each partition has ARNs of its own, `arn:aws-cn:…`
//! in China. IAM answers `MalformedPolicyDocument: Partition "aws" is not valid for resource "…"`.

use deputy_policy::{Document, ResourceElement};

use crate::names::Partition;

/// An ARN of another partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ForeignArn {
    /// Where in the policy: `Statement[0].Resource[1]`.
    pub(crate) path: String,
    /// As it is written.
    pub(crate) arn: String,
    /// As it would be in the account's partition.
    pub(crate) corrected: String,
}

/// The resources of `document` that are of another partition than `partition`, in order. A partition with a wildcard or a
/// variable in it is nobody's.
pub(crate) fn foreign_arns(document: &Document, partition: &Partition) -> Vec<ForeignArn> {
    let mut found = Vec::new();
    for (index, statement) in document.statements().iter().enumerate() {
        let (element, resources) = match &statement.resource {
            Some(ResourceElement::Resource(resources)) => ("Resource", resources),
            Some(ResourceElement::NotResource(resources)) => ("NotResource", resources),
            None => continue,
        };
        for (place, arn) in resources.iter().enumerate() {
            let Some((named, rest)) = arn.strip_prefix("arn:").and_then(|rest| rest.split_once(':')) else {
                continue;
            };
            if named == partition.as_str() || named.contains(['*', '?', '$']) {
                continue;
            }
            found.push(ForeignArn {
                path: format!("Statement[{index}].{element}[{place}]"),
                arn: arn.clone(),
                corrected: format!("arn:{partition}:{rest}"),
            });
        }
    }
    found
}
