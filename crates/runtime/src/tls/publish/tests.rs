use super::super::authority::tests::{authority_for_tests, rotate_for_tests};
use super::*;

fn webhook<'a>(index: usize, name: &'a str, ca_bundle: Option<&'a str>) -> BundlePlace<'a> {
    BundlePlace {
        name,
        path: format!("/webhooks/{index}/clientConfig/caBundle"),
        test: Some((format!("/webhooks/{index}/name"), name)),
        bundle: ca_bundle.map(str::as_bytes),
    }
}

#[test]
fn the_patch_touches_only_the_webhooks_that_lack_the_bundle() {
    let webhooks = [
        webhook(0, "validate.deputy.dev", Some("new")),
        webhook(1, "mutate.deputy.dev", None),
        webhook(2, "limits.deputy.dev", Some("old")),
    ];
    insta::assert_json_snapshot!(patch("42", &webhooks, b"new"));
}

#[test]
fn configurations_that_are_current_are_not_written() {
    assert!(
        patch(
            "42",
            &[webhook(0, "a", Some("new")), webhook(1, "b", Some("new"))],
            b"new"
        )
        .is_empty()
    );
    assert!(patch("42", &[], b"new").is_empty());
}

#[test]
fn every_operation_is_one_that_the_client_can_send() {
    let operations = patch("42", &[webhook(0, "a", None)], b"new");
    assert_eq!(operations.len(), 3);
    serde_json::from_value::<json_patch::Patch>(Value::Array(operations)).unwrap();
}

#[test]
fn a_webhook_is_verified_when_its_bundle_trusts_the_leaf() {
    let authority = authority_for_tests();
    let old = authority.bundle().borrow().to_string();
    let leaf = authority.leaf().unwrap();
    let name = authority.server_name();
    let both = [webhook(0, "a", Some(&old)), webhook(1, "b", Some(&old))];
    let now = Timestamp::now();
    assert!(unverified(&both, &leaf, &name, now).is_empty());
    assert_eq!(unverified(&[webhook(0, "a", None)], &leaf, &name, now), ["a"]);
    assert_eq!(
        unverified(&[webhook(0, "a", Some("rubbish"))], &leaf, &name, now),
        ["a"]
    );

    rotate_for_tests(&authority);
    let new = authority.bundle().borrow().to_string();
    let leaf = authority.leaf().unwrap();
    assert_eq!(unverified(&both, &leaf, &name, now), ["a", "b"]);
    let overlap = format!("{old}{new}");
    assert!(
        unverified(
            &[webhook(0, "a", Some(&overlap)), webhook(1, "b", Some(&new))],
            &leaf,
            &name,
            now
        )
        .is_empty()
    );
}

#[test]
fn the_webhooks_of_both_kinds_are_read() {
    let json = json!({
        "metadata": {"name": "deputy"},
        "webhooks": [
            {"name": "a", "clientConfig": {"caBundle": "bmV3"}, "sideEffects": "None", "admissionReviewVersions": ["v1"]},
            {"name": "b", "clientConfig": {}, "sideEffects": "None", "admissionReviewVersions": ["v1"]},
        ],
    });
    let expected = vec![webhook(0, "a", Some("new")), webhook(1, "b", None)];
    let validating: ValidatingWebhookConfiguration = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(validating.places(), expected);
    let mutating: MutatingWebhookConfiguration = serde_json::from_value(json).unwrap();
    assert_eq!(mutating.places(), expected);
}

#[test]
fn an_api_service_has_its_bundle_in_its_spec() {
    let json = json!({
        "metadata": {"name": "v1alpha1.credentials.deputy.dev"},
        "spec": {"groupPriorityMinimum": 1000, "versionPriority": 15, "caBundle": "bmV3"},
    });
    let service: APIService = serde_json::from_value(json).unwrap();
    let places = service.places();
    assert!(patch("42", &places, b"new").is_empty());
    let operations = patch("42", &places, b"newer");
    assert_eq!(
        operations,
        [
            json!({"op": "test", "path": "/metadata/resourceVersion", "value": "42"}),
            json!({"op": "add", "path": "/spec/caBundle", "value": "bmV3ZXI="}),
        ]
    );
}
