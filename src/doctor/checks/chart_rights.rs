//! What the chart gives to Deputy's ServiceAccounts; held against its renders by tests.

use crate::doctor::snapshot::{PEOPLE_ROLE, PEOPLE_SERVICE};

/// API group, resources or paths, names where it is about some alone, verbs.
pub type ChartRule = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
);

/// The rules of a role.
pub struct GivenRights {
    /// `ClusterRole`, or `Role` of the release's namespace, or of the one that the name begins with.
    pub kind: &'static str,
    /// The role's and its binding's.
    pub name: &'static str,
    pub rules: &'static [ChartRule],
}

/// Without any value set.
pub const RIGHTS: &[GivenRights] = &[
    GivenRights {
        kind: "ClusterRole",
        name: "deputy-broker",
        rules: &[
            (
                "deputy.dev",
                &[
                    "awsaccounts",
                    "delegationlimits",
                    "awsroles",
                    "clusterawsroles",
                    "awsrolebindings",
                    "awsfederateduserbindings",
                ],
                &[],
                &["list", "watch"],
            ),
            (
                "deputy.dev",
                &["awsaccounts", "awsrolebindings", "awsfederateduserbindings"],
                &[],
                &["get"],
            ),
            (
                "deputy.dev",
                &[
                    "awsaccounts/status",
                    "awsrolebindings/status",
                    "awsfederateduserbindings/status",
                ],
                &[],
                &["patch"],
            ),
            (
                "",
                &["/.well-known/openid-configuration", "/openid/v1/jwks"],
                &[],
                &["get"],
            ),
            ("authentication.k8s.io", &["tokenreviews"], &[], &["create"]),
            ("", &["pods"], &[], &["list", "watch"]),
            ("", &["serviceaccounts"], &[], &["list", "watch"]),
            ("events.k8s.io", &["events"], &[], &["create"]),
        ],
    },
    GivenRights {
        kind: "Role",
        name: "deputy-broker",
        rules: &[
            (
                "",
                &["secrets"],
                &["deputy-broker-ca"],
                &["get", "watch", "update"],
            ),
            ("", &["configmaps"], &["deputy-broker-bundle"], &["get", "update"]),
            ("", &["configmaps"], &["deputy-cluster"], &["get"]),
        ],
    },
    GivenRights {
        kind: "ClusterRole",
        name: "deputy-controller",
        rules: &[
            (
                "deputy.dev",
                &[
                    "awsaccounts",
                    "delegationlimits",
                    "awsroles",
                    "clusterawsroles",
                    "awsrolebindings",
                    "awsfederateduserbindings",
                    "awsresourcepolicystatements",
                ],
                &[],
                &["list", "watch"],
            ),
            (
                "deputy.dev",
                &[
                    "awsaccounts",
                    "awsroles",
                    "clusterawsroles",
                    "awsrolebindings",
                    "awsfederateduserbindings",
                    "awsresourcepolicystatements",
                ],
                &[],
                &["get"],
            ),
            (
                "deputy.dev",
                &["awsroles", "clusterawsroles", "awsresourcepolicystatements"],
                &[],
                &["patch"],
            ),
            (
                "deputy.dev",
                &[
                    "awsaccounts/status",
                    "awsroles/status",
                    "clusterawsroles/status",
                    "awsrolebindings/status",
                    "awsfederateduserbindings/status",
                    "awsresourcepolicystatements/status",
                ],
                &[],
                &["patch"],
            ),
            ("", &["namespaces"], &[], &["get"]),
            ("events.k8s.io", &["events"], &[], &["create", "patch"]),
        ],
    },
    GivenRights {
        kind: "Role",
        name: "deputy-controller",
        rules: &[
            (
                "coordination.k8s.io",
                &["leases"],
                &["deputy-controller"],
                &["get", "update"],
            ),
            ("coordination.k8s.io", &["leases"], &[], &["create"]),
            ("", &["configmaps"], &["deputy-cluster"], &["get", "update"]),
        ],
    },
    GivenRights {
        kind: "ClusterRole",
        name: "deputy-limits",
        rules: &[
            (
                "deputy.dev",
                &[
                    "awsaccounts",
                    "delegationlimits",
                    "awsroles",
                    "clusterawsroles",
                    "awsrolebindings",
                    "awsfederateduserbindings",
                    "awsresourcepolicystatements",
                ],
                &[],
                &["list", "watch"],
            ),
            ("deputy.dev", &["delegationlimits", "awsaccounts"], &[], &["get"]),
            (
                "deputy.dev",
                &["delegationlimits/status", "awsaccounts/status"],
                &[],
                &["patch"],
            ),
            (
                "deputy.dev",
                &["namespacelimits"],
                &[],
                &["list", "create", "patch", "delete"],
            ),
            ("", &["namespaces"], &[], &["list", "watch"]),
            ("", &["namespaces"], &["kube-system"], &["get"]),
            ("events.k8s.io", &["events"], &[], &["create", "patch"]),
        ],
    },
    GivenRights {
        kind: "Role",
        name: "deputy-limits",
        rules: &[
            (
                "coordination.k8s.io",
                &["leases"],
                &["deputy-limits"],
                &["get", "update"],
            ),
            ("coordination.k8s.io", &["leases"], &[], &["create"]),
            ("", &["configmaps"], &["deputy-cluster"], &["get"]),
        ],
    },
    GivenRights {
        kind: "ClusterRole",
        name: "deputy-webhook",
        rules: &[
            (
                "deputy.dev",
                &[
                    "awsaccounts",
                    "delegationlimits",
                    "awsroles",
                    "clusterawsroles",
                    "awsrolebindings",
                    "awsfederateduserbindings",
                    "awsresourcepolicystatements",
                ],
                &[],
                &["list", "watch"],
            ),
            (
                "",
                &["namespaces", "serviceaccounts"],
                &[],
                &["get", "list", "watch"],
            ),
            (
                "admissionregistration.k8s.io",
                &["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
                &["deputy"],
                &["get", "watch", "patch"],
            ),
            ("events.k8s.io", &["events"], &[], &["create"]),
        ],
    },
    GivenRights {
        kind: "Role",
        name: "deputy-webhook",
        rules: &[
            (
                "",
                &["secrets"],
                &["deputy-webhook-ca"],
                &["get", "watch", "update"],
            ),
            ("", &["configmaps"], &["deputy-broker-bundle"], &["get", "watch"]),
            ("", &["configmaps"], &["deputy-cluster"], &["get"]),
            ("", &["services"], &["deputy-broker"], &["get"]),
        ],
    },
];

/// With `people.enabled`, besides.
pub const RIGHTS_FOR_PEOPLE: &[GivenRights] = &[
    GivenRights {
        kind: "ClusterRole",
        name: "deputy-broker",
        rules: &[
            (
                "authorization.k8s.io",
                &["subjectaccessreviews"],
                &[],
                &["create"],
            ),
            (
                "apiregistration.k8s.io",
                &["apiservices"],
                &[PEOPLE_SERVICE],
                &["get", "watch", "patch"],
            ),
        ],
    },
    GivenRights {
        kind: "Role",
        name: PEOPLE_ROLE,
        rules: &[(
            "",
            &["configmaps"],
            &["extension-apiserver-authentication"],
            &["get", "watch"],
        )],
    },
];
