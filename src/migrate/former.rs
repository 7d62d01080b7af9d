//! Who becomes which role today.

use clap::ValueEnum;

/// What gives pods their roles today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Former {
    /// IAM roles for service accounts: ServiceAccounts with `eks.amazonaws.com/role-arn`
    Irsa,
    /// EKS Pod Identity: its associations, as `aws eks describe-pod-identity-association` prints them
    PodIdentity,
    /// kube2iam: pods and their templates with `iam.amazonaws.com/role`
    Kube2iam,
    /// kiam: the same annotation
    Kiam,
}

/// That pods of a ServiceAccount become a role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OldGrant {
    pub namespace: String,
    pub service_account: String,
    /// An ARN; of kube2iam and kiam also a name.
    pub role: String,
    pub way: OldWay,
}

/// How pods become their role: what its trust policy is asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum OldWay {
    /// With a token of their cluster's.
    Token { audience: String },
    /// By EKS.
    Association {
        /// The association's.
        arn: Option<String>,
        /// Whether EKS sets its tags.
        is_tagged: bool,
    },
    /// By a role of the nodes or of kiam's server: which one no export says.
    Node,
}
