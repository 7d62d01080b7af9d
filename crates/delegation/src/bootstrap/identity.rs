//! One identity of Deputy's in AWS.

use deputy_policy::Document;

use crate::names::IssuerArn;

/// One identity and what it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessIdentity {
    /// As the AWSAccounts name it, else the suggested one.
    pub arn: IssuerArn,
    /// Which process uses it, and for what: `deputy broker`, `deputy controller`, `deputy limits`, or `deputy broker for federated users`.
    pub process: &'static str,
    /// Its identity policy.
    pub policy: Document,
    /// Who becomes it, where a process does by `sts:AssumeRole` or by IAM Roles Anywhere. Otherwise a process's own identity comes about in
    /// the cluster.
    pub trust: Option<Document>,
}
