//! Faults of an install, each told by one check.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::SignedDuration;
use serde_json::json;

use super::install::{change, with_people};
use crate::doctor::{
    report::CheckState,
    snapshot::{DoctorSnapshot, MetadataAnswer, PEOPLE_ROLE, POLICIES, TrialAnswer},
};

/// The check that tells it, as what, what it says, and what breaks.
pub type Fault = (&'static str, CheckState, &'static str, fn(&mut DoctorSnapshot));

pub const FAULTS: &[Fault] = &[
    (
        "clock",
        CheckState::Error,
        "is 360 s behind this machine's; AWS refuses",
        |s| {
            let clock = s.clock.as_mut().unwrap();
            clock.said -= SignedDuration::from_secs(361);
        },
    ),
    ("clock", CheckState::Warning, "60 s ahead of", |s| {
        s.clock.as_mut().unwrap().said += SignedDuration::from_secs(60);
    }),
    ("clock", CheckState::Unknown, "no Date", |s| {
        s.clock = Err("no Date".to_owned())
    }),
    (
        "identities",
        CheckState::Error,
        "IssuerReady is False (NoCredentials)",
        |s| {
            let account = &mut s.accounts.as_mut().unwrap()[0];
            account["status"]["conditions"][1]["status"] = "False".into();
            account["status"]["conditions"][1]["reason"] = "NoCredentials".into();
        },
    ),
    (
        "identities",
        CheckState::Warning,
        "is of its generation 1, and it is at 2",
        |s| {
            s.accounts.as_mut().unwrap()[0]["metadata"]["generation"] = 2.into();
        },
    ),
    (
        "endpoints",
        CheckState::Error,
        "by AWS's own endpoint in eu-west-1",
        |s| {
            let account = &mut s.accounts.as_mut().unwrap()[0];
            account["status"]["conditions"][1]["status"] = "Unknown".into();
            account["status"]["conditions"][1]["reason"] = "Unavailable".into();
        },
    ),
    ("quotas", CheckState::Warning, "900 of 1000 IAM roles", |s| {
        s.accounts.as_mut().unwrap()[0]["status"]["quotas"]["roles"]["used"] = 900.into();
    }),
    (
        "quotas",
        CheckState::Error,
        "1500 of 1500 customer managed policies",
        |s| {
            s.accounts.as_mut().unwrap()[0]["status"]["quotas"]["policies"]["used"] = 1500.into();
        },
    ),
    (
        "quotas",
        CheckState::Warning,
        "2 IAM roles of this cluster without an object",
        |s| {
            s.accounts.as_mut().unwrap()[0]["status"]["orphans"] = json!({"count": 2});
        },
    ),
    (
        "metadata-service",
        CheckState::Warning,
        "gives this pod a token",
        |s| {
            s.metadata_service
                .insert("169.254.169.254", Ok(MetadataAnswer::Token));
        },
    ),
    (
        "metadata-service",
        CheckState::Warning,
        "gives this pod a token",
        |s| {
            s.metadata_service
                .insert("fd00:ec2::254", Ok(MetadataAnswer::Token));
        },
    ),
    ("metadata-service", CheckState::Warning, "without a token", |s| {
        s.metadata_service
            .insert("fd00:ec2::254", Ok(MetadataAnswer::Open));
    }),
    ("metadata-service", CheckState::Unknown, "it answers 503", |s| {
        s.metadata_service
            .insert("fd00:ec2::254", Err("it answers 503".to_owned()));
    }),
    ("metadata-service", CheckState::Skipped, "", |s| {
        s.metadata_service.clear()
    }),
    (
        "webhook-answers",
        CheckState::Error,
        "gave no answer: connection refused",
        |s| {
            s.trial = Ok(TrialAnswer::Failed("connection refused".to_owned()));
        },
    ),
    ("webhook-answers", CheckState::Error, "it is not there", |s| {
        s.trial = Ok(TrialAnswer::NoNamespace);
    }),
    (
        "webhook-answers",
        CheckState::Error,
        "no webhook was asked",
        |s| s.trial = Ok(TrialAnswer::Taken),
    ),
    ("webhook-answers", CheckState::Unknown, "forbidden", |s| {
        s.trial = Err("forbidden".to_owned())
    }),
    (
        "webhooks",
        CheckState::Error,
        "pods.deputy.dev has no caBundle",
        |s| {
            change(s, "MutatingWebhookConfiguration", "deputy", |object| {
                object["webhooks"][0]["clientConfig"]["caBundle"] = "".into();
            });
        },
    ),
    ("webhooks", CheckState::Error, "failurePolicy \"Ignore\"", |s| {
        change(s, "ValidatingWebhookConfiguration", "deputy", |object| {
            object["webhooks"][0]["failurePolicy"] = "Ignore".into();
        });
    }),
    ("webhooks", CheckState::Error, "nobody is ready behind it", |s| {
        s.endpoint_slices.as_mut().unwrap()[1]["endpoints"][0]["conditions"]["ready"] = false.into();
    }),
    ("webhooks", CheckState::Unknown, "may not list", |s| {
        s.endpoint_slices = Err("may not list".to_owned())
    }),
    ("policies", CheckState::Error, "it is not there", |s| {
        s.objects
            .insert(("ValidatingAdmissionPolicy", POLICIES[0].to_owned()), Ok(None));
    }),
    ("policies", CheckState::Error, "does not deny", |s| {
        change(s, "ValidatingAdmissionPolicyBinding", POLICIES[3], |object| {
            object["spec"]["validationActions"] = json!(["Audit"]);
        });
    }),
    ("policies", CheckState::Warning, "undefined field", |s| {
        change(s, "ValidatingAdmissionPolicy", POLICIES[1], |object| {
            let warning = json!({"fieldRef": "spec.validations[0]", "warning": "undefined field\nmore"});
            object["status"] = json!({"typeChecking": {"expressionWarnings": [warning]}});
        });
    }),
    (
        "rights",
        CheckState::Error,
        "it lacks patch awsroles/status.deputy.dev",
        |s| {
            change(s, "ClusterRole", "deputy-controller", |object| {
                let rules = object["rules"].as_array_mut().unwrap();
                for rule in rules {
                    if let Some(resources) = rule["resources"].as_array_mut() {
                        resources.retain(|resource| resource != "awsroles/status");
                    }
                }
            });
        },
    ),
    (
        "rights",
        CheckState::Error,
        "it does not give Role deputy-broker",
        |s| {
            change(s, "RoleBinding", "deputy-broker", |object| {
                object["subjects"] = json!([])
            });
        },
    ),
    ("rights", CheckState::Unknown, "forbidden", |s| {
        s.objects
            .insert(("Role", "deputy-limits".to_owned()), Err("forbidden".to_owned()));
    }),
    (
        "definitions",
        CheckState::Error,
        "differs at spec.versions[0]",
        |s| {
            change(s, "CustomResourceDefinition", "awsroles.deputy.dev", |object| {
                let schema = &mut object["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
                schema["properties"]["spec"]["properties"]
                    .as_object_mut()
                    .unwrap()
                    .remove("revocation");
            });
        },
    ),
    ("definitions", CheckState::Error, "it is not Established", |s| {
        change(s, "CustomResourceDefinition", "awsroles.deputy.dev", |object| {
            object["status"] = json!({})
        });
    }),
    (
        "processes",
        CheckState::Error,
        "none of its 2 pods is ready",
        |s| {
            change(s, "Deployment", "deputy-broker", |object| {
                object["status"] = json!({})
            });
        },
    ),
    (
        "processes",
        CheckState::Warning,
        "1 of its 2 pods are ready",
        |s| {
            change(s, "Deployment", "deputy-broker", |object| {
                object["status"]["readyReplicas"] = 1.into()
            });
        },
    ),
    (
        "processes",
        CheckState::Error,
        "the name of this cluster is not remembered",
        |s| {
            change(s, "ConfigMap", "deputy-cluster", |object| {
                object["data"] = json!({})
            });
        },
    ),
    ("versions", CheckState::Error, "different images", |s| {
        change(s, "Deployment", "deputy-limits", |object| {
            object["spec"]["template"]["spec"]["containers"][0]["image"] =
                "registry.example.com/deputy:0.0.9".into();
        });
    }),
    (
        "sidecars",
        CheckState::Warning,
        "4 pods have the agent from another image",
        |s| {
            let agents = s.agents.as_mut().unwrap();
            agents
                .images
                .insert("registry.example.com/deputy-agent:0.0.9".to_owned(), 4);
        },
    ),
    ("certificates", CheckState::Error, "has no certificate", |s| {
        change(s, "ConfigMap", "deputy-broker-bundle", |object| {
            object["data"] = json!({})
        });
    }),
    ("certificates", CheckState::Error, "can't be read", |s| {
        change(s, "ValidatingWebhookConfiguration", "deputy", |object| {
            object["webhooks"][0]["clientConfig"]["caBundle"] = STANDARD.encode("none").into();
        });
    }),
    ("certificates", CheckState::Warning, "in 9 days", |s| {
        s.now = "2036-11-18T00:00:00Z".parse().unwrap()
    }),
    (
        "certificates",
        CheckState::Error,
        "its last certificate ended",
        |s| {
            s.now = "2037-01-01T00:00:00Z".parse().unwrap();
        },
    ),
    (
        "processes",
        CheckState::Unknown,
        "its status is of generation 2, and it is at 3",
        |s| {
            change(s, "Deployment", "deputy-limits", |object| {
                object["status"]["observedGeneration"] = 2.into();
            });
        },
    ),
    (
        "processes",
        CheckState::Unknown,
        "its status is of generation none",
        |s| {
            change(s, "Deployment", "deputy-limits", |object| {
                object["status"]
                    .as_object_mut()
                    .unwrap()
                    .remove("observedGeneration");
            });
        },
    ),
    (
        "processes",
        CheckState::Warning,
        "1 of its pods are of an older version",
        |s| {
            change(s, "Deployment", "deputy-limits", |object| {
                object["spec"]["replicas"] = 1.into();
                // With maxSurge 1: the old pod is ready, and the new one's image can't be pulled.
                object["status"] = json!({
                    "observedGeneration": 3,
                    "replicas": 2,
                    "readyReplicas": 1,
                    "updatedReplicas": 1,
                    "availableReplicas": 1,
                    "unavailableReplicas": 1,
                });
            });
        },
    ),
    (
        "processes",
        CheckState::Warning,
        "1 of its 2 pods are of its newest version",
        |s| {
            change(s, "Deployment", "deputy-limits", |object| {
                object["status"]["updatedReplicas"] = 1.into();
            });
        },
    ),
    (
        "processes",
        CheckState::Warning,
        "1 of its pods are not available",
        |s| {
            change(s, "Deployment", "deputy-limits", |object| {
                object["status"]["unavailableReplicas"] = 1.into();
            });
        },
    ),
    (
        "processes",
        CheckState::Error,
        "does not get to run (ProgressDeadlineExceeded): ReplicaSet timed out",
        |s| {
            change(s, "Deployment", "deputy-limits", |object| {
                object["status"]["conditions"][1] = json!({
                    "type": "Progressing",
                    "status": "False",
                    "reason": "ProgressDeadlineExceeded",
                    "message": "ReplicaSet timed out",
                });
            });
        },
    ),
    (
        "processes",
        CheckState::Error,
        "can't be made (FailedCreate): exceeded quota",
        |s| {
            change(s, "Deployment", "deputy-limits", |object| {
                object["status"]["conditions"][1] = json!({
                    "type": "ReplicaFailure",
                    "status": "True",
                    "reason": "FailedCreate",
                    "message": "exceeded quota",
                });
            });
        },
    ),
    ("processes", CheckState::Warning, "it is paused", |s| {
        change(s, "Deployment", "deputy-limits", |object| {
            object["spec"]["paused"] = true.into();
        });
    }),
    ("processes", CheckState::Error, "it is scaled to 0 pods", |s| {
        change(s, "Deployment", "deputy-limits", |object| {
            object["spec"]["replicas"] = 0.into();
        });
    }),
    (
        "quotas",
        CheckState::Unknown,
        "it is not known how many IAM roles",
        |s| {
            let account = &mut s.accounts.as_mut().unwrap()[0];
            account["status"].as_object_mut().unwrap().remove("quotas");
        },
    ),
    (
        "quotas",
        CheckState::Unknown,
        "it is not known how many customer managed policies",
        |s| {
            let account = &mut s.accounts.as_mut().unwrap()[0];
            account["status"]["quotas"]["policies"] = json!({"used": 10});
        },
    ),
    (
        "quotas",
        CheckState::Unknown,
        "deputy controller has not looked at it",
        |s| {
            s.cluster_roles = Ok(vec![json!({"metadata": {"name": "reader"}})]);
        },
    ),
    (
        "quotas",
        CheckState::Unknown,
        "deputy limits has not looked at it",
        |s| {
            s.limits = Ok(vec![json!({"metadata": {"name": "teams"}})]);
        },
    ),
    (
        "identities",
        CheckState::Unknown,
        "IssuerReady is Unknown (Pending)",
        |s| {
            let account = &mut s.accounts.as_mut().unwrap()[0];
            account["status"]["conditions"][1]["status"] = "Unknown".into();
            account["status"]["conditions"][1]["reason"] = "Pending".into();
        },
    ),
    (
        "rights",
        CheckState::Error,
        "it lacks create subjectaccessreviews.authorization.k8s.io",
        |s| {
            with_people(s);
            change(s, "ClusterRole", "deputy-broker", |object| {
                object["rules"].as_array_mut().unwrap().pop();
            });
        },
    ),
    (
        "rights",
        CheckState::Error,
        "it lacks get configmaps extension-apiserver-authentication",
        |s| {
            with_people(s);
            change(s, "Role", PEOPLE_ROLE, |object| object["rules"] = json!([]));
        },
    ),
    ("rights", CheckState::Error, "it is not there", |s| {
        with_people(s);
        s.objects
            .insert(("RoleBinding", PEOPLE_ROLE.to_owned()), Ok(None));
    }),
    ("rights", CheckState::Unknown, "forbidden", |s| {
        with_people(s);
        s.objects
            .insert(("Role", PEOPLE_ROLE.to_owned()), Err("forbidden".to_owned()));
    }),
];
