//! `deputy report` and `deputy explain pod`, as others call them.

use serde_json::Value;

use crate::run::{Done, deputy};

const EXAMPLE: &str = "examples/productionapp";

/// Compares with `tests/golden/<name>`; with `UPDATE_GOLDEN=1` writes it.
fn golden(name: &str, actual: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|v| v == "1") {
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(actual, expected, "{name}: UPDATE_GOLDEN=1 writes it anew");
}

#[test]
fn the_report_of_an_estate_with_faults_is_as_it_was() {
    let arguments = [
        "report",
        EXAMPLE,
        "examples/refused/another-bucket.yaml",
        "--cluster-name",
        "production-1",
        "--format",
        "json",
    ];
    let Done { code, out, err } = deputy(&arguments, "");
    assert_eq!((code, err.as_str()), (0, ""));
    let mut answer: Value = serde_json::from_str(&out).unwrap();
    assert!(answer["generated"].as_str().unwrap().ends_with('Z'));
    answer["generated"] = "TIME".into();
    answer["by"] = "VERSION".into();
    golden("report.json", &format!("{answer:#}\n"));
}

#[test]
fn an_empty_report_says_that_it_is() {
    let folder = crate::run::Folder::new("report-nothing");
    for (argument, name) in [("-", "-"), (folder.path(), folder.path())] {
        let Done { code, out, err } = deputy(&["report", argument], "");
        let said = format!("deputy: the report is empty: no object of Deputy's is in {name}\n");
        assert_eq!((code, err), (0, said));
        assert!(out.starts_with("<!"), "{out}");
    }
}

#[test]
fn a_pod_of_a_template_is_explained_to_its_permissions() {
    let asked = ["explain", "pod", "payments/uploader", "-f", EXAMPLE];
    let Done { code, out, err } = deputy(&[&asked[..], &["--cluster-name", "production-1"]].concat(), "");
    assert_eq!((code, err.as_str()), (0, ""));
    golden("explain-pod.txt", &out);
    let Done { code, out, .. } = deputy(&[&asked[..], &["-o", "json"]].concat(), "");
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &answer["objects"][0]["object"]),
        (0, &"Deployment payments/uploader".into())
    );
    assert_eq!(answer["objects"][1]["object"], "AWSRoleBinding payments/uploader");
    assert_eq!(answer["objects"][2]["object"], "AWSRole payments/uploader");
    let none = deputy(&["explain", "pod", "payments/nobody", "-f", EXAMPLE], "");
    assert_eq!(none.code, 1, "{}", none.err);
}

#[test]
fn what_can_not_be_read_is_no_report() {
    for (arguments, input, expected) in [
        (
            &["report"][..],
            "",
            "manifests by FILE|DIR, or a cluster by --context NAME",
        ),
        (&["report", "no/such/file"], "", "no/such/file"),
        (
            &["report", "-"],
            "apiVersion: deputy.dev/v1alpha1\nkind: AWSRole\nmetadata: {name: [}",
            "<stdin>",
        ),
        (&["report", "-", "-"], "", "standard input"),
    ] {
        let Done { code, out, err } = deputy(arguments, input);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(
            err.contains(expected) || expected == "<stdin>",
            "{arguments:?}: {err}"
        );
    }
}
