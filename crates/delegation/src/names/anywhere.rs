//! ARNs of IAM Roles Anywhere: `arn:<partition>:rolesanywhere:<region>:<account>:<kind>/<id>`.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementrolesanywhere.html>

use std::fmt;

use super::{AccountId, NameError, Partition, Region};

/// Longer is no id: AWS makes UUIDs.
const MAX_ID: usize = 64;

/// What the ARNs have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct AnywhereArn {
    partition: Partition,
    region: Region,
    account: AccountId,
    id: String,
}

impl AnywhereArn {
    fn parse(text: &str, what: &'static str, kind: &str, rule: &'static str) -> Result<Self, NameError> {
        let bad = |rule| NameError::new(what, text, rule);
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let &["arn", partition, "rolesanywhere", region, account, resource] = parts.as_slice() else {
            return Err(bad(rule));
        };
        let id = resource
            .strip_prefix(kind)
            .and_then(|rest| rest.strip_prefix('/'))
            .ok_or_else(|| bad(rule))?;
        let is_id = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if id.is_empty() || id.len() > MAX_ID || !id.bytes().all(is_id) {
            return Err(bad("the id is of lower-case letters, digits and -, at most 64"));
        }
        Ok(Self {
            partition: Partition::new(partition).map_err(|_| bad("the partition is aws or aws-…"))?,
            region: Region::new(region).map_err(|_| bad("the region is missing, or no region"))?,
            account: AccountId::new(account).map_err(|_| bad("the account id has 12 digits"))?,
            id: id.to_owned(),
        })
    }

    fn write(&self, kind: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "arn:{}:rolesanywhere:{}:{}:{kind}/{}",
            self.partition, self.region, self.account, self.id
        )
    }
}

macro_rules! anywhere_arn {
    ($(#[$doc:meta])* $name:ident, $what:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(AnywhereArn);

        impl $name {
            #[doc = concat!("Parses `arn:<partition>:rolesanywhere:<region>:<account>:", $kind, "/<id>`.")]
            ///
            /// # Errors
            /// When `text` is not such an ARN.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                const RULE: &str = concat!("arn:<partition>:rolesanywhere:<region>:<account id>:", $kind, "/<id>");
                AnywhereArn::parse(text, $what, $kind, RULE).map(Self)
            }
            /// The partition.
            #[must_use]
            pub fn partition(&self) -> &Partition { &self.0.partition }
            /// The region that it is in.
            #[must_use]
            pub fn region(&self) -> &Region { &self.0.region }
            /// The account that owns it.
            #[must_use]
            pub fn account(&self) -> &AccountId { &self.0.account }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.write($kind, f) }
        }
        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(s: &str) -> Result<Self, NameError> { Self::parse(s) }
        }
    };
}

anywhere_arn! {
    /// The ARN of a trust anchor: the certificate authority whose certificates IAM Roles Anywhere takes.
    TrustAnchorArn, "trust anchor ARN", "trust-anchor"
}
anywhere_arn! {
    /// The ARN of a profile: which roles IAM Roles Anywhere may give sessions of.
    ProfileArn, "profile ARN", "profile"
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "8f3d1a52-2c3e-4f0e-9d9b-1f2e3d4c5b6a";

    #[test]
    fn arns_of_roles_anywhere_are_read_and_written_alike() {
        for partition in ["aws", "aws-cn", "aws-us-gov"] {
            let text = format!("arn:{partition}:rolesanywhere:eu-west-1:123456789012:trust-anchor/{ID}");
            let arn = TrustAnchorArn::parse(&text).unwrap();
            assert_eq!(arn.to_string(), text);
            assert_eq!(
                (
                    arn.partition().as_str(),
                    arn.region().as_str(),
                    arn.account().as_str()
                ),
                (partition, "eu-west-1", "123456789012")
            );
            assert_eq!(ProfileArn::parse(&text).ok(), None);
            let profile = text.replace("trust-anchor", "profile");
            assert_eq!(ProfileArn::parse(&profile).unwrap().to_string(), profile);
        }
    }

    #[test]
    fn what_is_no_such_arn_is_refused() {
        let good = format!("arn:aws:rolesanywhere:eu-west-1:123456789012:profile/{ID}");
        for (from, to) in [
            ("arn:", "ARN:"),
            (":aws:", ":other:"),
            ("rolesanywhere", "iam"),
            ("eu-west-1", ""),
            ("123456789012", "12345678901"),
            ("profile/", "profile"),
            ("profile/", "profile//"),
            (ID, ""),
            (ID, "*"),
            (ID, "A"),
            (ID, "a\nb"),
            (ID, &"a".repeat(65)),
        ] {
            let bad = good.replace(from, to);
            assert!(ProfileArn::parse(&bad).is_err(), "{bad}");
        }
    }
}
