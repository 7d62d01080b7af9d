//! A healthy install, and what each fault of it is told as.

use std::{collections::BTreeMap, sync::LazyLock};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    checks::CHECKS,
    expected::definitions,
    report::{CheckReport, CheckState, is_well, judge},
    snapshot::{
        DoctorSnapshot, MetadataAnswer, POLICIES, PROCESSES, SeenAgents, SeenName, ServerClock, TrialAnswer,
        looked_at,
    },
};

const NAMESPACE: &str = "deputy";
const IMAGE: &str = "registry.example.com/deputy:0.1.0";
/// Until 2036-11-27.
const CA: &str = include_str!("fixtures/ca.pem");

fn now() -> Timestamp {
    "2026-12-01T00:00:00Z".parse().unwrap()
}

fn chart() -> &'static [Value] {
    static OBJECTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
        let text = std::fs::read_to_string("tests/chart/golden/minimal.yaml").unwrap();
        let nodes = crate::yaml::read(&text).unwrap();
        nodes.iter().map(crate::yaml::YamlNode::to_value).collect()
    });
    &OBJECTS
}

/// The chart's own objects, with what an API server and Deputy make of them.
fn object((kind, name): &SeenName, chart: &[Value]) -> Option<Value> {
    if *kind == "CustomResourceDefinition" {
        let (_, definition) = definitions().iter().find(|(own, _)| own == name).unwrap();
        let mut value = definition.clone();
        let condition = |kind: &str| json!({"type": kind, "status": "True"});
        value["status"] = json!({"conditions": [condition("Established"), condition("NamesAccepted")]});
        return Some(value);
    }
    let found = chart
        .iter()
        .find(|one| one["kind"] == *kind && one["metadata"]["name"] == **name);
    let mut value = found?.clone();
    match *kind {
        "Deployment" => value["status"] = json!({"readyReplicas": 2, "updatedReplicas": 2}),
        "ConfigMap" => value["data"] = json!({"clusterName": "demo", "ca.crt": CA}),
        "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => {
            for webhook in value["webhooks"].as_array_mut().unwrap() {
                webhook["clientConfig"]["caBundle"] = STANDARD.encode(CA).into();
            }
        }
        _ => {}
    }
    Some(value)
}

fn account() -> Value {
    let condition = |kind: &str| json!({"type": kind, "status": "True", "reason": "Ready", "message": "", "observedGeneration": 1});
    let kinds = [
        "Ready",
        "IssuerReady",
        "ProvisionerReady",
        "BoundaryWriterReady",
        "Listed",
        "Swept",
    ];
    json!({
        "metadata": {"name": "production", "generation": 1},
        "spec": {"region": "eu-west-1"},
        "status": {
            "conditions": kinds.map(condition),
            "quotas": {"roles": {"used": 100, "quota": 1000}, "policies": {"used": 10, "quota": 1500}},
        },
    })
}

fn slice(service: &str) -> Value {
    json!({
        "metadata": {"name": service, "labels": {"kubernetes.io/service-name": service}},
        "endpoints": [{"conditions": {"ready": true}}],
    })
}

fn healthy() -> DoctorSnapshot {
    let chart = chart();
    let names: Vec<String> = definitions().iter().map(|(name, _)| name.clone()).collect();
    let objects: BTreeMap<_, _> = looked_at(&names)
        .into_iter()
        .map(|name| {
            let object = object(&name, chart);
            (name, Ok(object))
        })
        .collect();
    let agent = "registry.example.com/deputy-agent:0.1.0".to_owned();
    DoctorSnapshot {
        namespace: NAMESPACE.to_owned(),
        now: now(),
        clock: Ok(ServerClock {
            said: now(),
            asked: now(),
            answered: now(),
        }),
        objects,
        accounts: Ok(vec![account()]),
        cluster_roles: Ok(Vec::new()),
        limits: Ok(Vec::new()),
        endpoint_slices: Ok(vec![slice("deputy-webhook"), slice("deputy-broker")]),
        agents: Ok(SeenAgents {
            images: BTreeMap::from([(agent, 3)]),
            is_whole: true,
        }),
        trial: Ok(TrialAnswer::Refused),
        metadata_service: Some(Ok(MetadataAnswer::Closed)),
    }
}

fn states(reports: &[CheckReport]) -> Vec<(&'static str, CheckState)> {
    let unlike = reports.iter().filter(|report| report.state != CheckState::Fine);
    unlike.map(|report| (report.check, report.state)).collect()
}

fn change(snapshot: &mut DoctorSnapshot, kind: &'static str, name: &str, how: impl FnOnce(&mut Value)) {
    let object = snapshot.objects.get_mut(&(kind, name.to_owned())).unwrap();
    how(object.as_mut().unwrap().as_mut().unwrap());
}

#[test]
fn a_healthy_install_is_fine_in_every_check() {
    let reports = judge(&healthy(), &[]);
    assert!(states(&reports).is_empty(), "{reports:?}");
    assert!(is_well(&reports));
    assert_eq!(reports.len(), CHECKS.len());
}

type Fault = (&'static str, CheckState, &'static str, fn(&mut DoctorSnapshot));

const FAULTS: &[Fault] = &[
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
        CheckState::Error,
        "no condition BoundaryWriterReady",
        |s| {
            let account = &mut s.accounts.as_mut().unwrap()[0];
            account["status"]["conditions"].as_array_mut().unwrap().remove(3);
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
            s.metadata_service = Some(Ok(MetadataAnswer::Token));
        },
    ),
    ("metadata-service", CheckState::Skipped, "", |s| {
        s.metadata_service = None
    }),
    (
        "webhook-answers",
        CheckState::Error,
        "gave no answer: connection refused",
        |s| {
            s.trial = Ok(TrialAnswer::Failed("connection refused".to_owned()));
        },
    ),
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
];

#[test]
fn every_fault_is_told_by_its_check_and_by_no_other() {
    for (check, state, says, breaks) in FAULTS {
        let mut snapshot = healthy();
        breaks(&mut snapshot);
        let reports = judge(&snapshot, &[]);
        assert_eq!(states(&reports), [(*check, *state)], "{says}: {reports:?}");
        let report = reports.iter().find(|report| report.check == *check).unwrap();
        let told = |finding: &super::finding::DoctorFinding| finding.message.contains(says);
        assert!(
            report.findings.iter().any(told) || report.findings.is_empty(),
            "{says}: {report:?}"
        );
        assert!(
            report.findings.iter().all(|finding| !finding.fix.is_empty()),
            "{report:?}"
        );
        let is_bad = matches!(state, CheckState::Error | CheckState::Unknown);
        assert_eq!(is_well(&reports), !is_bad, "{says}");
    }
    for check in CHECKS {
        assert!(
            FAULTS.iter().any(|(of, ..)| *of == check.name),
            "no fault of {}",
            check.name
        );
    }
}

/// What can't be seen is never fine.
#[test]
fn a_check_that_can_not_look_is_unknown() {
    let why = || "forbidden".to_owned();
    let mut snapshot = healthy();
    snapshot
        .objects
        .values_mut()
        .for_each(|object| *object = Err(why()));
    snapshot.clock = Err(why());
    snapshot.accounts = Err(why());
    snapshot.cluster_roles = Err(why());
    snapshot.limits = Err(why());
    snapshot.endpoint_slices = Err(why());
    snapshot.agents = Err(why());
    snapshot.trial = Err(why());
    snapshot.metadata_service = Some(Err(why()));
    for report in judge(&snapshot, &[]) {
        assert_eq!(report.state, CheckState::Unknown, "{report:?}");
    }
    let every: Vec<String> = CHECKS.iter().map(|check| check.name.to_owned()).collect();
    for report in judge(&snapshot, &every) {
        assert_eq!(report.state, CheckState::Skipped, "{report:?}");
    }
}

#[test]
fn the_fixture_is_of_the_chart() {
    let chart = chart();
    for process in PROCESSES {
        let found = object(&("Deployment", format!("deputy-{process}")), chart).unwrap();
        assert_eq!(found["spec"]["template"]["spec"]["containers"][0]["image"], IMAGE);
    }
}
