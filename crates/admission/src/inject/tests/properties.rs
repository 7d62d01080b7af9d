//! What holds for every pod.

use proptest::prelude::*;

use super::*;

fn container() -> impl Strategy<Value = Value> {
    let env = prop::option::of(prop::collection::vec(
        prop::sample::select(vec![
            "X",
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
            "AWS_ROLE_ARN",
            "AWS_EC2_METADATA_DISABLED",
        ]),
        0..3,
    ));
    ("[a-z]{1,8}", env, any::<bool>()).prop_map(|(name, env, mounts)| {
        let mut c = json!({"name": name, "image": "i", "unknown": {"kept": [1, null]}});
        if let Some(env) = env {
            c["env"] = env
                .into_iter()
                .map(|n| json!({"name": n, "value": "v"}))
                .collect();
        }
        if mounts {
            c["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}]);
        }
        c
    })
}

pub(super) fn any_pod() -> impl Strategy<Value = Value> {
    (
        prop::collection::vec(container(), 1..4),
        prop::option::of(prop::collection::vec(container(), 0..3)),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(main, init, volumes, annotations)| {
            let mut p = json!({"metadata": {"name": "p"}, "spec": {"containers": main}});
            if let Some(init) = init {
                p["spec"]["initContainers"] = init.into();
            }
            if volumes {
                p["spec"]["volumes"] = json!([{"name": "v", "emptyDir": {}}]);
            }
            if annotations {
                p["metadata"]["annotations"] = json!({"a/b~c": "d"});
            }
            p
        })
}

proptest! {
    #[test]
    fn injecting_twice_is_injecting_once(pod in any_pod()) {
        let case = Case::enabled();
        let (once, _) = case.applied(&pod);
        let Injection::Injected { patch, .. } = case.run(&once) else { panic!() };
        prop_assert!(patch.is_empty(), "{patch:?}");
    }

    #[test]
    fn every_container_gets_credentials_and_nothing_else_changes(pod in any_pod()) {
        let (out, _) = Case::enabled().applied(&pod);
        for list in ["containers", "initContainers"] {
            let before: Vec<&Value> = pod["spec"][list].as_array().into_iter().flatten().collect();
            let after: Vec<&Value> = out["spec"][list].as_array().into_iter().flatten().filter(|c| c["name"] != SIDECAR).collect();
            prop_assert_eq!(before.len(), after.len());
            for (b, a) in before.iter().zip(&after) {
                prop_assert!(env_of(a, "AWS_CONTAINER_CREDENTIALS_FULL_URI").is_some());
                prop_assert!(a["volumeMounts"].as_array().unwrap().iter().any(|m| m["name"] == "deputy-token"));
                for key in ["name", "image", "unknown"] {
                    prop_assert_eq!(&b[key], &a[key]);
                }
                let kept = b["env"].as_array().cloned().unwrap_or_default();
                prop_assert!(a["env"].as_array().unwrap().ends_with(&kept));
            }
        }
    }

    #[test]
    fn no_pod_however_odd_makes_injection_panic(
        text in "[\\{\\}\\[\\]a-z\":,0-9 ]{0,60}",
        key in prop::sample::select(vec!["containers", "initContainers", "volumes", "hostNetwork", "os"]),
    ) {
        let odd = serde_json::from_str::<Value>(&text).unwrap_or(Value::String(text));
        let mut p = pod();
        p["spec"][key] = odd.clone();
        let _injection = Case::enabled().run_if_read(&p);
        p["metadata"] = odd;
        let _injection = Case::enabled().run_if_read(&p);
    }
}
