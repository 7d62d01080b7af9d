//! A healthy install, and what each fault of it is told as.

mod faults;
mod install;

use self::{
    faults::FAULTS,
    install::{IMAGE, chart, healthy, object, with_people},
};
use super::{
    checks::CHECKS,
    finding::DoctorFinding,
    report::{CheckReport, CheckState, is_well, judge},
    snapshot::{DoctorSnapshot, PEOPLE_ROLE, PROCESSES},
};

fn states(reports: &[CheckReport]) -> Vec<(&'static str, CheckState)> {
    let unlike = reports.iter().filter(|report| report.state != CheckState::Fine);
    unlike.map(|report| (report.check, report.state)).collect()
}

#[test]
fn a_healthy_install_is_fine_in_every_check() {
    let reports = judge(&healthy(), &[]);
    assert!(states(&reports).is_empty(), "{reports:?}");
    assert!(is_well(&reports));
    assert_eq!(reports.len(), CHECKS.len());
}

#[test]
fn every_fault_is_told_by_its_check_and_by_no_other() {
    for (check, state, says, breaks) in FAULTS {
        let mut snapshot = healthy();
        breaks(&mut snapshot);
        let reports = judge(&snapshot, &[]);
        assert_eq!(states(&reports), [(*check, *state)], "{says}: {reports:?}");
        let report = reports.iter().find(|report| report.check == *check).unwrap();
        let told = |finding: &DoctorFinding| finding.message.contains(says);
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
    snapshot
        .metadata_service
        .values_mut()
        .for_each(|answer| *answer = Err(why()));
    for report in judge(&snapshot, &[]) {
        assert_eq!(report.state, CheckState::Unknown, "{report:?}");
    }
    let every: Vec<String> = CHECKS.iter().map(|check| check.name.to_owned()).collect();
    for report in judge(&snapshot, &every) {
        assert_eq!(report.state, CheckState::Skipped, "{report:?}");
    }
}

/// Nor is it where a check sees all but one object.
#[test]
fn a_check_that_misses_one_object_is_unknown() {
    for has_people in [false, true] {
        let install = || match has_people {
            true => healthy_with_people(),
            false => healthy(),
        };
        for (kind, name) in install().objects.keys() {
            if !has_people && name != PEOPLE_ROLE {
                continue;
            }
            let expected: &[&str] = match *kind {
                "CustomResourceDefinition" => &["definitions"],
                "Deployment" if name == "deputy-webhook" => &["processes", "versions", "sidecars"],
                "Deployment" => &["processes", "versions"],
                "Role" | "RoleBinding" if name == PEOPLE_ROLE && !has_people => &[],
                "ClusterRole" | "ClusterRoleBinding" | "Role" | "RoleBinding" => &["rights"],
                "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => {
                    &["webhooks", "certificates"]
                }
                "ValidatingAdmissionPolicy" | "ValidatingAdmissionPolicyBinding" => &["policies"],
                "ConfigMap" if name == "deputy-cluster" => &["processes"],
                "ConfigMap" => &["certificates"],
                "APIService" => &["rights", "certificates"],
                other => panic!("what looks at {other}?"),
            };
            let mut snapshot = install();
            let object = snapshot.objects.get_mut(&(*kind, name.clone())).unwrap();
            *object = Ok(None);
            let reports = judge(&snapshot, &[]);
            // It was looked at, and is not there: to look once more would not help.
            for finding in reports.iter().flat_map(|report| &report.findings) {
                assert!(
                    !finding.fix.starts_with("look at it"),
                    "{kind} {name}: {finding:?}"
                );
            }
            // Nor is anything said to be fine about a process that is not there at all.
            for check in expected.iter().filter(|_| *kind == "Deployment") {
                let told = states(&reports).iter().any(|(name, _)| name == check);
                assert!(told, "{check} without {kind} {name}: {reports:?}");
            }
            let object = snapshot.objects.get_mut(&(*kind, name.clone())).unwrap();
            *object = Err("forbidden".to_owned());
            let reports = judge(&snapshot, &[]);
            let expected: Vec<_> = expected
                .iter()
                .map(|check| (*check, CheckState::Unknown))
                .collect();
            assert_eq!(states(&reports), expected, "{kind} {name}");
        }
    }
}

/// Nobody has looked at the account: who limits is there is an error, and whether AWS answers it is not known.
#[test]
fn a_condition_that_is_missing_is_never_fine() {
    let mut snapshot = healthy();
    let account = &mut snapshot.accounts.as_mut().unwrap()[0];
    account["status"]["conditions"].as_array_mut().unwrap().remove(3);
    let reports = judge(&snapshot, &[]);
    assert_eq!(
        states(&reports),
        [
            ("identities", CheckState::Error),
            ("endpoints", CheckState::Unknown)
        ]
    );
    for report in reports.iter().filter(|report| report.state != CheckState::Fine) {
        let told = &report.findings[0].message;
        assert!(told.contains("no condition BoundaryWriterReady"), "{told}");
    }
}

#[test]
fn an_install_with_the_api_for_people_is_fine() {
    let reports = judge(&healthy_with_people(), &[]);
    assert!(states(&reports).is_empty(), "{reports:?}");
}

fn healthy_with_people() -> DoctorSnapshot {
    let mut snapshot = healthy();
    with_people(&mut snapshot);
    snapshot
}

#[test]
fn the_fixture_is_of_the_chart() {
    let chart = chart();
    for process in PROCESSES {
        let found = object(&("Deployment", format!("deputy-{process}")), chart).unwrap();
        assert_eq!(found["spec"]["template"]["spec"]["containers"][0]["image"], IMAGE);
    }
}
