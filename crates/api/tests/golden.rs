//! `crds/` and `docs/reference/` are what the types say. `UPDATE_GOLDEN=1 cargo test -p deputy-api --test golden` writes them.

use std::{fs, io, path::PathBuf};

use deputy_api::{
    crds::{crds, crds_yaml, example},
    reference::reference_md,
};
use deputy_delegation::quota;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn compare(path: &str, wanted: &str) -> io::Result<()> {
    let file = root().join(path);
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|v| v == "1") {
        file.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(&file, wanted)?;
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == wanted,
        "{path} is out of date. Run: UPDATE_GOLDEN=1 cargo test -p deputy-api --test golden"
    );
    Ok(())
}

#[test]
fn the_definitions_in_crds_are_those_of_the_types() {
    for crd in crds() {
        let plural = &crd.spec.names.plural;
        compare(&format!("crds/{plural}.yaml"), &crds_yaml(plural).unwrap()).unwrap();
    }
}

#[test]
fn the_reference_is_that_of_the_types() {
    for crd in crds() {
        let path = format!("docs/reference/{}.md", crd.spec.names.kind.to_lowercase());
        compare(&path, &reference_md(&crd)).unwrap();
    }
}

#[test]
fn every_kind_is_explained_with_an_example_of_itself() {
    for crd in crds() {
        let (kind, names) = (&crd.spec.names.kind, &crd.spec.names);
        let yaml = example(&names.plural).unwrap();
        let read: serde_json::Value = serde_saphyr::from_str(yaml).unwrap();
        assert_eq!(read["kind"], *kind);
        assert_eq!(read["apiVersion"], "deputy.dev/v1alpha1", "{kind}");
        assert_eq!(
            read["metadata"].get("namespace").is_some(),
            crd.spec.scope == "Namespaced",
            "{kind}"
        );
        let schema = crd.spec.versions[0].schema.clone().unwrap();
        let explained = schema.open_api_v3_schema.unwrap().description.unwrap();
        let (_, shown) = explained.split_once("\n\nExample:\n\n").unwrap();
        let shown: Vec<&str> = shown
            .lines()
            .map(|line| line.strip_prefix("    ").unwrap_or(line))
            .collect();
        assert_eq!(shown, yaml.lines().collect::<Vec<_>>(), "{kind}");
    }
}

#[test]
fn the_yaml_of_a_definition_reads_as_the_definition() {
    for crd in crds() {
        let yaml = crds_yaml(&crd.spec.names.plural).unwrap();
        let read: serde_json::Value = serde_saphyr::from_str(&yaml).unwrap();
        assert_eq!(read, serde_json::to_value(&crd).unwrap());
    }
}

#[test]
fn durations_in_the_schema_have_the_numbers_of_the_code() {
    let bounds = |min, max| {
        format!(
            "duration(self) >= duration('{}h') && duration(self) <= duration('{}h')",
            min / 3600,
            max / 3600
        )
        .replace("'0h'", &format!("'{}m'", min / 60))
    };
    let session = bounds(quota::SESSION_SECONDS_MIN, quota::SESSION_SECONDS_MAX);
    let of_role = bounds(quota::MAX_SESSION_SECONDS_MIN, quota::SESSION_SECONDS_MAX);
    let federated = bounds(quota::FEDERATED_SECONDS_MIN, quota::FEDERATED_SECONDS_MAX);
    for (plural, rules) in [
        ("awsaccounts", vec![&session]),
        ("awsrolebindings", vec![&session]),
        ("awsfederateduserbindings", vec![&federated]),
        ("delegationlimits", vec![&session, &federated, &session]),
        ("namespacelimits", vec![&session, &federated, &session]),
        ("awsroles", vec![&of_role]),
    ] {
        let yaml = crds_yaml(plural).unwrap();
        for rule in &rules {
            assert!(yaml.contains(rule.as_str()), "{plural} lacks {rule}");
        }
        assert_eq!(
            yaml.matches("duration(self)").count(),
            2 * rules.len(),
            "{plural}"
        );
    }
}

#[test]
fn a_copy_of_a_limit_has_all_its_fields_but_the_namespaces() {
    let spec = |plural: &str| {
        let crd = deputy_api::crds::crd(plural).unwrap();
        let schema = crd.spec.versions[0].schema.clone().unwrap();
        schema.open_api_v3_schema.unwrap().properties.unwrap()["spec"].clone()
    };
    let (mut limit, copy) = (spec("delegationlimits"), spec("namespacelimits"));
    assert!(limit.properties.as_mut().unwrap().remove("namespaces").is_some());
    limit
        .required
        .as_mut()
        .unwrap()
        .retain(|field| field != "namespaces");
    limit.x_kubernetes_map_type = Some("atomic".to_owned());
    limit.description.clone_from(&copy.description);
    assert_eq!(limit, copy);
}
