//! The ARN of an EKS cluster: `arn:<partition>:eks:<region>:<account>:cluster/<name>`.
//!
//! <https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html>

use std::fmt;

use super::{AccountId, NameError, Partition, Region};

const RULE: &str = "arn:<partition>:eks:<region>:<account id>:cluster/<name>";

/// EKS CreateCluster, parameter `name`.
const MAX_NAME: usize = 100;

/// The ARN of an EKS cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EksClusterArn {
    partition: Partition,
    region: Region,
    account: AccountId,
    name: String,
}

impl EksClusterArn {
    /// Parses `arn:<partition>:eks:<region>:<account>:cluster/<name>`.
    ///
    /// # Errors
    /// When `text` is not such an ARN.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let bad = |rule| NameError::new("EKS cluster ARN", text, rule);
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let &["arn", partition, "eks", region, account, resource] = parts.as_slice() else {
            return Err(bad(RULE));
        };
        let name = resource.strip_prefix("cluster/").ok_or_else(|| bad(RULE))?;
        let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        let begins = name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        if !begins || name.len() > MAX_NAME || !name.bytes().all(is_name) {
            return Err(bad(
                "the name begins with a letter or digit, and is of letters, digits, - and _, at most 100",
            ));
        }
        Ok(Self {
            partition: Partition::new(partition).map_err(|_| bad("the partition is aws or aws-…"))?,
            region: Region::new(region).map_err(|_| bad("the region is missing, or no region"))?,
            account: AccountId::new(account).map_err(|_| bad("the account id has 12 digits"))?,
            name: name.to_owned(),
        })
    }

    /// The partition.
    #[must_use]
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// The region that it is in.
    #[must_use]
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The account that owns it.
    #[must_use]
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for EksClusterArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            partition,
            region,
            account,
            name,
        } = self;
        write!(f, "arn:{partition}:eks:{region}:{account}:cluster/{name}")
    }
}

impl std::str::FromStr for EksClusterArn {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        Self::parse(s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_eks_cluster_is_named_by_region_account_and_name() {
        let text = "arn:aws-cn:eks:cn-north-1:123456789012:cluster/production_1";
        let arn = EksClusterArn::parse(text).unwrap();
        assert_eq!(arn.to_string(), text);
        assert_eq!(
            (arn.region().as_str(), arn.account().as_str(), arn.name()),
            ("cn-north-1", "123456789012", "production_1")
        );
        for wrong in [
            "production",
            "arn:aws:eks:eu-west-1:123456789012:nodegroup/a",
            "arn:aws:eks:eu-west-1:123456789012:cluster/",
            "arn:aws:eks:eu-west-1:123456789012:cluster/-a",
            "arn:aws:eks:eu-west-1:123456789012:cluster/a/b",
            "arn:aws:eks::123456789012:cluster/a",
            "arn:aws:eks:eu-west-1:1234:cluster/a",
            "arn:aws:iam::123456789012:role/a",
        ] {
            assert!(EksClusterArn::parse(wrong).is_err(), "{wrong}");
        }
    }
}
