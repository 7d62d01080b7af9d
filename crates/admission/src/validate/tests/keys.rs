//! Keys with Deputy's prefix that say nothing to Deputy.

use super::*;

fn with(mut object: Value, field: &str, key: &str) -> Value {
    object["metadata"][field] = json!({ key: "1" });
    object
}

/// The same mistake on each kind.
fn objects() -> [Value; 4] {
    [
        account(),
        limit(&["s3:GetObject", "s3:PutObject"]),
        role(&["s3:GetObject"]),
        binding("uploader", None),
    ]
}

#[test]
fn a_misspelled_key_is_told_with_the_one_that_was_meant() {
    for object in objects() {
        for (field, key, told) in [
            (
                "annotations",
                "deputy.dev/accept-suspendng",
                "did you mean the annotation deputy.dev/accept-suspending?",
            ),
            (
                "annotations",
                "deputy.dev/reconcile-requestd-at",
                "did you mean the annotation deputy.dev/reconcile-requested-at?",
            ),
            (
                "annotations",
                "deputy.dev/Accept-Removing-Orphans",
                "did you mean the annotation deputy.dev/accept-removing-orphans?",
            ),
            (
                "annotations",
                "deputy.dev/delivery",
                "on pods and their namespaces alone",
            ),
            (
                "labels",
                "deputy.dev/accept-suspending",
                "says nothing as a label",
            ),
            (
                "labels",
                "deputy.dev/anything",
                "deputy has no such key; it has deputy.dev/accept-suspending",
            ),
        ] {
            let warnings = create(&usual(), &with(object.clone(), field, key)).allowed();
            let name = format!("{} {key}: ", field.trim_end_matches('s'));
            let is_told = |warning: &String| warning.contains(&name) && warning.contains(told);
            assert!(warnings.iter().any(is_told), "{field} {key}: {warnings:?}");
            // The spec is the same: that alone is news.
            let warnings = update(&usual(), &object, &with(object.clone(), field, key)).allowed();
            assert!(warnings.iter().any(is_told), "{field} {key}: {warnings:?}");
        }
    }
}

#[test]
fn a_look_is_asked_for_at_what_is_in_aws_alone() {
    const KEY: &str = "deputy.dev/reconcile-requested-at";
    for object in objects() {
        let warnings = create(&usual(), &with(object.clone(), "annotations", KEY)).allowed();
        let told = warnings
            .iter()
            .any(|w| w.contains(KEY) && w.contains("DelegationLimit, ClusterAWSRole, AWSRole"));
        let is_in_aws = ["AWSRole", "DelegationLimit"].contains(&object["kind"].as_str().unwrap());
        assert_eq!(told, !is_in_aws, "{}: {warnings:?}", object["kind"]);
    }
}

#[test]
fn keys_that_are_known_or_of_others_or_there_already_are_not_told() {
    for object in objects() {
        for key in [
            "deputy.dev/accept-removing-orphans",
            "deputy.dev/uninstall-former-accept-suspending",
            "example.com/deputy.dev",
            "deputy.example.com/accept-suspendng",
            "team",
        ] {
            let warnings = create(&usual(), &with(object.clone(), "annotations", key)).allowed();
            assert!(!warnings.iter().any(|w| w.contains(key)), "{key}: {warnings:?}");
        }
        let there = with(object, "annotations", "deputy.dev/accept-suspendng");
        assert!(update(&usual(), &there, &there).allowed().is_empty());
        let gone = delete(&usual(), &there);
        let told = gone.0["warnings"].to_string();
        assert!(!told.contains("accept-suspendng"), "{told}");
    }
}
