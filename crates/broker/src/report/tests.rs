use super::*;
use crate::fixtures;

fn packed() -> AwsError {
    AwsError::new(
        "sts:AssumeRole",
        ErrorClass::PackedPolicyTooLarge,
        "112% of allotted space",
    )
    .with_code("PackedPolicyTooLarge")
}

#[test]
fn a_refusal_is_said_once_and_taken_back_once() {
    let (reports, binding) = (
        Reports::default(),
        BindingRef::role(fixtures::binding_id("uploader")),
    );
    reports.issued(&binding);
    assert!(reports.take().is_empty(), "nothing to say of what works");
    for _ in 0..3 {
        reports.refused(&binding, &packed());
    }
    let said = reports.take();
    assert_eq!(said.len(), 1);
    assert_eq!(said[&binding].reason, ConditionReason::PackedPolicyTooLarge);
    assert!(said[&binding].message.contains("112%"), "{said:?}");
    reports.refused(&binding, &packed());
    assert!(reports.take().is_empty());
    reports.issued(&binding);
    assert_eq!(reports.take()[&binding].status, Status::True);
    reports.issued(&binding);
    assert!(reports.take().is_empty());
}

#[test]
fn what_nearly_fills_a_session_is_said_and_taken_back() {
    let (reports, binding) = (
        Reports::default(),
        BindingRef::role(fixtures::binding_id("uploader")),
    );
    reports.packed(&binding, 89);
    assert!(reports.take().is_empty());
    for percent in [93, 93] {
        reports.packed(&binding, percent);
    }
    let said = reports.take();
    assert_eq!((said.len(), said[&binding].status), (1, Status::True));
    assert!(said[&binding].message.contains("fill 93 %"), "{said:?}");
    reports.packed(&binding, 93);
    assert!(reports.take().is_empty(), "said once");
    // A refusal, and a session after it.
    reports.refused(&binding, &packed());
    reports.issued(&binding);
    assert!(reports.take()[&binding].message.contains("fill 93 %"));
    reports.packed(&binding, 40);
    assert_eq!(reports.take()[&binding].message, "STS gives sessions");
    reports.packed(&binding, 40);
    assert!(reports.take().is_empty());
}

#[test]
fn a_binding_whose_sessions_differ_is_not_written_at_each_of_them() {
    let (reports, binding) = (
        Reports::default(),
        BindingRef::role(fixtures::binding_id("uploader")),
    );
    let written = |percents: &[u32]| {
        let said = percents.iter().filter(|percent| {
            reports.packed(&binding, **percent);
            !reports.take().is_empty()
        });
        said.copied().collect::<Vec<_>>()
    };
    assert_eq!(written(&[89, 90, 91, 94, 89, 93, 86, 90]), [90]);
    assert_eq!(written(&[95, 94, 96, 90, 99, 100, 95]), [95, 100]);
    assert_eq!(written(&[85, 84, 84, 89, 91]), [84, 91]);
}

#[test]
fn what_was_said_before_a_restart_is_taken_back() {
    let (reports, binding) = (
        Reports::default(),
        BindingRef::role(fixtures::binding_id("uploader")),
    );
    reports.packed(&binding, 93);
    let said = reports.take()[&binding].message.clone();
    let object = |message: &str| {
        let condition = json!({"type": "SessionsIssued", "status": "True", "reason": "Ready", "message": message,
            "lastTransitionTime": "2026-01-02T03:04:05Z"});
        serde_json::from_value::<DynamicObject>(json!({
            "metadata": {"namespace": "payments", "name": "uploader"},
            "status": {"conditions": [condition]},
        }))
        .unwrap()
    };
    for (message, expected) in [(said.as_str(), 1), ("STS gives sessions", 0)] {
        let restarted = Reports::default();
        restarted.said_before(BindingKind::Role, &object(message));
        restarted.packed(&binding, 93);
        assert_eq!(restarted.take().len(), 1 - expected, "{message}");
        restarted.packed(&binding, 40);
        assert_eq!(restarted.take().len(), 1, "{message}");
    }
}

#[test]
fn each_refusal_has_a_reason_that_is_a_contract() {
    let of = |class, code: &str| reason_of(&AwsError::new("sts:AssumeRole", class, "no").with_code(code));
    for (class, code, expected) in [
        (
            ErrorClass::PackedPolicyTooLarge,
            "PackedPolicyTooLarge",
            "PackedPolicyTooLarge",
        ),
        (
            ErrorClass::AccessDenied,
            "RegionDisabledException",
            "RegionDisabled",
        ),
        (ErrorClass::AccessDenied, "AccessDenied", "AccessDenied"),
        (ErrorClass::InvalidInput, "ValidationError", "AWSError"),
        (ErrorClass::MalformedPolicy, "MalformedPolicyDocument", "AWSError"),
    ] {
        assert_eq!(of(class, code).as_str(), expected, "{code}");
    }
}
