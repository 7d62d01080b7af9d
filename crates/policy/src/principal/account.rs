//! Accounts, and what names of principals are made of.

/// An AWS account in its partition (`aws`, `aws-cn`, `aws-us-gov`, …).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AwsAccount {
    /// The partition.
    pub partition: String,
    /// Twelve digits.
    pub id: String,
}

/// Whether the text is a 12-digit account id.
pub(crate) fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// What stands before the id of an origin access identity (CloudFront Developer Guide, "Restrict access with OAI").
pub(super) const ORIGIN_ACCESS_IDENTITY: &str =
    "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity ";

/// The name at the end of a path.
pub(super) fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
