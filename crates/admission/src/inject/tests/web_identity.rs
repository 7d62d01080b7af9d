//! Pods that call STS themselves, and what becomes of a pod whose binding changed its method between two passes.

use deputy_delegation::{Audience, RoleArn};
use proptest::prelude::*;

use super::{properties::any_pod, *};

pub(super) fn calling_sts() -> Case {
    Case {
        web_identity: Some(WebIdentity {
            role: RoleArn::parse("arn:aws:iam::123456789012:role/deputy/demo/deputy.payments.uploader-x")
                .unwrap(),
            audience: Audience::new("sts.amazonaws.com").unwrap(),
            region: Region::new("eu-west-1").unwrap(),
        }),
        ..Case::enabled()
    }
}

#[test]
fn a_pod_that_calls_sts_itself_needs_no_port_and_no_network_of_its_own() {
    let mut p = pod();
    p["spec"]["hostNetwork"] = json!(true);
    p["spec"]["containers"][0]["ports"] = json!([{"containerPort": 7419}]);
    let (out, warnings) = calling_sts().applied(&p);
    assert_eq!(warnings, Vec::<String>::new());
    assert!(out["spec"]["initContainers"].is_null());
    assert_eq!(
        out["metadata"]["annotations"][INJECTED_ANNOTATION],
        "web-identity"
    );
    assert_eq!(Case::enabled().skipped(&p), SkipReason::HostNetwork);
}

/// The webhook of EKS keeps what it gave, whatever role that names and however often this one is asked.
#[test]
fn what_another_webhook_gave_is_left_to_it() {
    let (mut theirs, _) = calling_sts().applied(&pod());
    let mut case = calling_sts();
    let annotation = (
        "eks.amazonaws.com/role-arn".to_owned(),
        "arn:aws:iam::123456789012:role/deputy/demo/x".to_owned(),
    );
    case.service_account.annotations.extend([annotation]);
    assert_eq!(case.skipped(&theirs), SkipReason::Irsa);
    let Injection::Skipped { patch, .. } = case.run(&theirs) else {
        panic!()
    };
    let patch = operations(patch);
    let paths: Vec<_> = patch.iter().map(|op| op["path"].as_str().unwrap()).collect();
    assert!(
        paths.iter().all(|p| p.starts_with("/metadata/annotations")),
        "{paths:?}"
    );

    // Written by hand, in a pod that never came through here.
    theirs["metadata"]["annotations"] = json!({});
    let nobody = Case::of(None, None);
    assert!(matches!(nobody.run(&theirs), Injection::Skipped { patch, .. } if patch.is_empty()));
    assert_eq!(calling_sts().skipped(&theirs), SkipReason::Irsa);
}

#[test]
fn a_copy_that_lost_its_label_loses_what_was_put_in() {
    let (injected, _) = calling_sts().applied(&pod());
    let Injection::Skipped { patch, reason, .. } = Case::of(None, None).run(&injected) else {
        panic!()
    };
    assert_eq!(reason, SkipReason::NotLabelled);
    let mut out = apply(&injected, patch);
    out["metadata"]["annotations"] = json!({});
    assert_eq!(pruned(&out), pruned(&pod()));
}

proptest! {
    #[test]
    fn a_pod_that_calls_sts_itself_is_done_after_one_pass(pod in any_pod()) {
        let case = calling_sts();
        match case.run(&pod) {
            Injection::Injected { patch, .. } => {
                let once = apply(&pod, patch);
                let Injection::Injected { patch, .. } = case.run(&once) else { panic!() };
                prop_assert!(patch.is_empty(), "{patch:?}");
                prop_assert!(!has(&once, "deputy-agent") && !has(&once, "deputy-token"));
            }
            // Every container has a role of its own.
            other => prop_assert!(matches!(other, Injection::Skipped { .. }), "{other:?}"),
        }
    }

    #[test]
    fn whatever_the_method_was_before_a_pod_has_that_of_today(pod in any_pod()) {
        for (before, today) in [(calling_sts(), Case::enabled()), (Case::enabled(), calling_sts())] {
            let Injection::Injected { patch, .. } = before.run(&pod) else { continue };
            let earlier = apply(&pod, patch);
            let (Injection::Injected { patch, .. }, Injection::Injected { patch: at_once, .. }) =
                (today.run(&earlier), today.run(&pod)) else { continue };
            prop_assert_eq!(pruned(&apply(&earlier, patch)), pruned(&apply(&pod, at_once)));
        }
    }
}

/// Whether anything in the pod is called so.
fn has(pod: &Value, name: &str) -> bool {
    pod.to_string().contains(&format!("\"{name}\""))
}
