//! Verdicts, object by object.

use std::sync::Arc;

use deputy_delegation::ClusterName;
use deputy_index::{Watched, World};
use serde_json::{Value, json};

use crate::{
    facts::Facts,
    review::{self, Verdict},
};

const ROLE_NAME: &str = "uploader";

fn account() -> Value {
    json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": "AWSAccount", "metadata": {"name": "production"},
        "spec": {
            "accountID": "123456789012", "partition": "aws", "region": "ap-northeast-1",
            "issuer": {"principalARN": "arn:aws:iam::123456789012:role/deputy-broker"},
        },
    })
}

fn policy(actions: &[&str], resource: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": actions, "Resource": resource}],
    })
}

fn limit(actions: &[&str]) -> Value {
    json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": "DelegationLimit",
        "metadata": {"name": "payments", "uid": "6c0a9a6e-0000-0000-0000-000000000001"},
        "spec": {
            "namespaces": ["payments", "payments-*"], "accounts": ["production"],
            "ceiling": policy(actions, "arn:aws:s3:::productionapp/*"),
            "session": {"maxDuration": "1h"},
        },
    })
}

fn role_of(namespace: &str, name: &str, actions: &[&str]) -> Value {
    json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": "AWSRole",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "accountRef": {"name": "production"},
            "policies": [{"name": "objects", "document": policy(actions, "arn:aws:s3:::productionapp/*")}],
            "maxSessionDuration": "1h",
        },
    })
}

fn role(actions: &[&str]) -> Value {
    role_of("payments", ROLE_NAME, actions)
}

fn binding(name: &str, created: Option<&str>) -> Value {
    let mut object = json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": "AWSRoleBinding",
        "metadata": {"name": name, "namespace": "payments"},
        "spec": {
            "roleRef": {"kind": "AWSRole", "name": ROLE_NAME},
            "subjects": [{"kind": "ServiceAccount", "name": "uploader"}],
            "session": {"scope": "ServiceAccount"},
        },
    });
    if let Some(created) = created {
        object["metadata"]["creationTimestamp"] = json!(created);
    }
    object
}

/// A cluster that holds these objects.
fn facts(objects: &[Value]) -> Facts {
    let world = Arc::new(World::new(ClusterName::new("prod-1").unwrap()));
    for (kind, name) in [
        (Watched::Accounts, "AWSAccount"),
        (Watched::Limits, "DelegationLimit"),
        (Watched::Roles, "AWSRole"),
        (Watched::Bindings, "AWSRoleBinding"),
    ] {
        let of_kind = objects.iter().filter(|o| o["kind"] == name);
        world.reset(kind, of_kind.map(|o| serde_json::from_value(o.clone()).unwrap()));
    }
    Facts::new(world)
}

/// The usual one: an account, a limit of get and put, nothing granted.
fn usual() -> Facts {
    facts(&[account(), limit(&["s3:GetObject", "s3:PutObject"])])
}

fn plural(kind: &str) -> String {
    format!("{}s", kind.to_lowercase())
}

fn body(operation: &str, object: Option<&Value>, old: Option<&Value>) -> Value {
    let it = object.or(old).unwrap();
    let kind = it["kind"].as_str().unwrap();
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "0c9a8d74", "operation": operation,
            "kind": {"group": "deputy.dev", "version": "v1alpha1", "kind": kind},
            "resource": {"group": "deputy.dev", "version": "v1alpha1", "resource": plural(kind)},
            "name": it["metadata"]["name"], "namespace": it["metadata"].get("namespace"),
            "userInfo": {}, "object": object, "oldObject": old, "dryRun": false, "options": {},
        },
    })
}

fn ask(facts: &Facts, body: &Value) -> Answer {
    let bytes = serde_json::to_vec(body).unwrap();
    let request = review::parse(&bytes).unwrap();
    Answer::of(super::review(facts, &request).unwrap())
}

fn create(facts: &Facts, object: &Value) -> Answer {
    ask(facts, &body("CREATE", Some(object), None))
}
fn update(facts: &Facts, old: &Value, new: &Value) -> Answer {
    ask(facts, &body("UPDATE", Some(new), Some(old)))
}
fn delete(facts: &Facts, old: &Value) -> Answer {
    ask(facts, &body("DELETE", None, Some(old)))
}

/// The answer as the API server reads it.
#[derive(Debug)]
struct Answer(Value);

impl Answer {
    fn of(verdict: Verdict) -> Self {
        let json: Value = serde_json::from_slice(&verdict.into_json("0c9a8d74").unwrap()).unwrap();
        assert_eq!(json["response"]["uid"], "0c9a8d74");
        Self(json["response"].clone())
    }
    #[track_caller]
    fn allowed(&self) -> Vec<String> {
        assert_eq!(self.0["allowed"], true, "{:#}", self.0);
        let warnings = self.0["warnings"].as_array().cloned().unwrap_or_default();
        let warnings: Vec<_> = warnings.iter().map(|w| w.as_str().unwrap().to_owned()).collect();
        assert!(
            warnings.len() <= 32 && warnings.iter().all(|w| w.chars().count() <= 120),
            "{warnings:?}"
        );
        warnings
    }
    #[track_caller]
    fn denied(&self, code: u16) -> &str {
        assert_eq!(self.0["allowed"], false, "{:#}", self.0);
        assert_eq!(self.0["status"]["code"], code, "{:#}", self.0);
        self.0["status"]["message"].as_str().unwrap()
    }
    fn fields(&self) -> Vec<&str> {
        let causes = self.0["status"]["details"]["causes"].as_array().unwrap();
        causes.iter().map(|c| c["field"].as_str().unwrap()).collect()
    }
    fn audit(&self, key: &str) -> &str {
        self.0["auditAnnotations"][key].as_str().unwrap_or_default()
    }
}

mod roles {
    use super::*;

    #[test]
    fn a_role_within_its_limit_is_let_in_and_the_audit_names_the_limit() {
        let answer = create(&usual(), &role(&["s3:GetObject"]));
        assert!(answer.allowed().is_empty());
        assert_eq!(
            (answer.audit("decision"), answer.audit("limits")),
            ("accepted", "payments")
        );
        assert_eq!(answer.audit("boundary"), "payments");
    }

    #[test]
    fn a_refusal_says_everything_that_is_too_much_with_a_request_that_proves_it() {
        let mut object = role(&["s3:GetObject", "s3:DeleteObject"]);
        let other = json!({"name": "other", "document": policy(&["s3:*"], "arn:aws:s3:::elsewhere/*")});
        object["spec"]["policies"].as_array_mut().unwrap().push(other);
        let answer = create(&usual(), &object);
        answer.denied(403);
        insta::assert_json_snapshot!("refused_role", answer.0);
    }

    #[test]
    fn an_unreadable_role_is_invalid_with_every_field_that_is_wrong() {
        let mut object = role(&["s3:GetObject"]);
        object["spec"]["maxSessionDuration"] = json!("5m");
        object["spec"]["policies"][0]["name"] = json!("A B");
        let answer = create(&usual(), &object);
        answer.denied(422);
        assert_eq!(
            answer.fields(),
            ["spec.policies[0].name", "spec.maxSessionDuration"]
        );
    }

    #[test]
    fn a_role_of_another_shape_is_invalid() {
        let mut object = role(&["s3:GetObject"]);
        object["spec"]["policies"] = json!("all");
        let answer = create(&usual(), &object);
        assert!(
            answer
                .denied(422)
                .contains("AWSRole payments/uploader is invalid")
        );
    }

    #[test]
    fn fields_that_nobody_knows_are_refused_because_they_may_have_been_restrictions() {
        let mut object = role(&["s3:GetObject"]);
        object["spec"]["policys"] = json!([]);
        object["spec"]["maxSessionDuration"] = Value::Null;
        object["status"] = json!({"fromANewerVersion": true});
        let answer = create(&usual(), &object);
        answer.denied(422);
        let mut fields = answer.fields();
        fields.sort_unstable();
        assert_eq!(fields, ["spec.maxSessionDuration", "spec.policys"]);
    }

    #[test]
    fn without_a_limit_nothing_may_be_granted() {
        let answer = create(&facts(&[account()]), &role(&["s3:GetObject"]));
        assert!(answer.denied(403).contains("NoLimit"), "{answer:?}");
    }

    #[test]
    fn a_role_may_come_before_its_account() {
        let answer = create(&facts(&[limit(&["s3:GetObject"])]), &role(&["s3:GetObject"]));
        let warnings = answer.allowed();
        assert_eq!(
            warnings,
            ["AWSAccount production does not exist; nothing is granted until it does"]
        );
        assert_eq!(answer.audit("missing"), "AccountNotFound");
    }

    #[test]
    fn the_account_of_a_role_can_not_be_changed() {
        let (old, mut new) = (role(&["s3:GetObject"]), role(&["s3:GetObject"]));
        new["spec"]["accountRef"]["name"] = json!("other");
        let answer = update(&usual(), &old, &new);
        answer.denied(422);
        assert_eq!(answer.fields(), ["spec.accountRef"]);
    }

    #[test]
    fn finalizers_and_labels_change_also_where_the_spec_would_be_refused() {
        let (old, mut new) = (role(&["iam:*"]), role(&["iam:*"]));
        new["metadata"]["finalizers"] = json!([]);
        assert!(update(&usual(), &old, &new).allowed().is_empty());
    }

    #[test]
    fn a_role_on_its_way_out_may_be_anything() {
        let (old, mut new) = (role(&["s3:GetObject"]), role(&["iam:*"]));
        new["metadata"]["deletionTimestamp"] = json!("2026-01-02T03:04:05Z");
        assert!(update(&usual(), &old, &new).allowed().is_empty());
    }

    #[test]
    fn an_update_beyond_the_limit_is_refused() {
        update(&usual(), &role(&["s3:GetObject"]), &role(&["s3:*"])).denied(403);
    }
}

mod bindings {
    use super::*;

    #[test]
    fn a_role_whose_binding_needs_longer_sessions_is_let_in_with_a_warning() {
        let mut limit = limit(&["s3:GetObject"]);
        limit["spec"]["session"]["maxDuration"] = json!("2h");
        let mut account = account();
        account["spec"]["issuer"]["principalARN"] = json!("arn:aws:iam::123456789012:user/deputy");
        let mut long = role(&["s3:GetObject"]);
        long["spec"]["maxSessionDuration"] = json!("2h");
        let mut bound = binding("nightly", Some("2026-01-02T03:04:05Z"));
        bound["spec"]["session"]["duration"] = json!("2h");
        let facts = facts(&[account, limit, long.clone(), bound]);
        let warnings = update(&facts, &long, &role(&["s3:GetObject"])).allowed();
        assert_eq!(warnings, ["suspends AWSRoleBinding payments/nightly"]);
    }

    fn with_role(more: &[Value]) -> Facts {
        let mut objects = vec![account(), limit(&["s3:GetObject"]), role(&["s3:GetObject"])];
        objects.extend_from_slice(more);
        facts(&objects)
    }

    #[test]
    fn a_binding_within_its_limits_is_let_in() {
        let answer = create(&with_role(&[]), &binding("uploader", None));
        assert!(answer.allowed().is_empty(), "{answer:?}");
        assert_eq!(answer.audit("decision"), "accepted");
    }

    #[test]
    fn a_binding_may_come_before_its_role() {
        let answer = create(&usual(), &binding("uploader", None));
        let warnings = answer.allowed();
        assert_eq!(
            warnings,
            ["AWSRole payments/uploader does not exist; nothing is granted until it does"]
        );
        assert_eq!(answer.audit("missing"), "RoleNotFound");
    }

    #[test]
    fn what_is_certainly_wrong_is_refused_even_before_the_role_is_there() {
        let mut object = binding("uploader", None);
        object["spec"]["session"]["tags"] = json!({"deputy-namespace": "other"});
        assert!(
            create(&usual(), &object)
                .denied(403)
                .contains("spec.session.tags[deputy-namespace]")
        );
    }

    #[test]
    fn a_session_tag_or_policy_beyond_the_limit_is_refused_with_all_that_is_wrong() {
        let mut object = binding("uploader", None);
        object["spec"]["session"]["tags"] = json!({"team": "payments"});
        object["spec"]["session"]["policy"] = policy(&["s3:DeleteObject"], "*");
        let answer = create(&with_role(&[]), &object);
        let message = answer.denied(403);
        assert!(
            message.contains("SessionTag") && message.contains("ExceedsLimit"),
            "{message}"
        );
        assert_eq!(message.lines().count(), 3, "{message}");
    }

    #[test]
    fn the_second_binding_of_a_service_account_is_let_in_as_shadowed() {
        let first = binding("first", Some("2026-01-02T03:04:05Z"));
        let facts = with_role(&[first.clone()]);
        for second in [
            binding("second", None),
            binding("second", Some("2026-01-02T03:04:06Z")),
        ] {
            let answer = create(&facts, &second);
            let warnings = answer.allowed();
            assert_eq!(
                warnings,
                [
                    "Shadowed: uploader gets the older first unless its pods name this one in deputy.dev/binding"
                ]
            );
        }
        let older = binding("older", Some("2025-01-02T03:04:05Z"));
        assert!(create(&facts, &older).allowed().is_empty());
        let mut changed = first.clone();
        changed["spec"]["session"]["scope"] = json!("Pod");
        assert!(update(&facts, &first, &changed).allowed().is_empty());
    }

    #[test]
    fn the_role_of_a_binding_can_not_be_changed() {
        let (old, mut new) = (binding("b", None), binding("b", None));
        new["spec"]["roleRef"]["name"] = json!("admin");
        let answer = update(&with_role(&[]), &old, &new);
        answer.denied(422);
        assert_eq!(answer.fields(), ["spec.roleRef"]);
    }
}

mod limits {
    use super::*;

    /// `count` roles that get and put, each in a namespace of the limit.
    fn with_roles(count: usize) -> Facts {
        let mut objects = vec![account(), limit(&["s3:GetObject", "s3:PutObject"])];
        objects.extend(
            (0..count).map(|i| role_of("payments", &format!("r{i:03}"), &["s3:GetObject", "s3:PutObject"])),
        );
        facts(&objects)
    }

    fn accepting(mut limit: Value, count: &str) -> Value {
        limit["metadata"]["annotations"] = json!({"deputy.dev/accept-suspending": count});
        limit
    }

    #[test]
    fn a_limit_that_reaches_iam_is_refused_unless_it_says_so() {
        let mut object = limit(&["iam:CreateUser"]);
        object["spec"]["ceiling"]["Statement"][0]["Resource"] = json!("*");
        let answer = create(&usual(), &object);
        assert!(answer.denied(403).contains("Escalation"), "{answer:?}");
        object["spec"]["acknowledgeEscalation"] = json!(["iam:CreateUser"]);
        object["metadata"]["name"] = json!("other");
        object["spec"]["namespaces"] = json!(["admins"]);
        create(&usual(), &object).allowed();
    }

    #[test]
    fn a_ceiling_too_large_for_a_boundary_policy_is_refused_with_the_numbers() {
        let mut object = limit(&["s3:GetObject"]);
        object["spec"]["ceiling"]["Statement"][0]["Resource"] = (0..100)
            .map(|i| format!("arn:aws:s3:::{}-{i}/*", "b".repeat(50)))
            .collect::<Vec<_>>()
            .into();
        let answer = create(&usual(), &object);
        assert!(answer.denied(403).contains("6144"), "{answer:?}");
    }

    #[test]
    fn a_limit_may_come_before_its_accounts() {
        let mut object = limit(&["s3:GetObject"]);
        object["spec"]["accounts"] = json!(["production", "staging"]);
        let warnings = create(&usual(), &object).allowed();
        assert_eq!(warnings, ["AWSAccount staging does not exist, or can't be read"]);
    }

    #[test]
    fn up_to_five_grants_may_be_suspended_with_a_warning_that_names_them() {
        let facts = with_roles(5);
        let answer = update(
            &facts,
            &limit(&["s3:GetObject", "s3:PutObject"]),
            &limit(&["s3:GetObject"]),
        );
        let warnings = answer.allowed();
        assert_eq!(warnings.len(), 6);
        assert_eq!(warnings[0], "suspends 5 of 5 accepted grants");
        assert_eq!(warnings[1], "suspends AWSRole payments/r000");
        assert_eq!(answer.audit("suspends"), "5");
    }

    #[test]
    fn more_have_to_be_meant() {
        let facts = with_roles(6);
        let old = limit(&["s3:GetObject", "s3:PutObject"]);
        let new = limit(&["s3:GetObject"]);
        let answer = update(&facts, &old, &new);
        insta::assert_snapshot!("braked_limit", answer.denied(403));
        for (said, allowed) in [
            ("5", false),
            ("many", false),
            ("-6", false),
            ("6", true),
            ("100", true),
        ] {
            let answer = update(&facts, &old, &accepting(new.clone(), said));
            assert_eq!(answer.0["allowed"], allowed, "{said}: {answer:?}");
        }
    }

    #[test]
    fn five_percent_of_many_are_few() {
        let mut objects = vec![account(), limit(&["s3:GetObject", "s3:PutObject"])];
        objects.extend((0..200).map(|i| {
            let actions: &[&str] = if i < 10 {
                &["s3:PutObject"]
            } else {
                &["s3:GetObject"]
            };
            role_of("payments", &format!("r{i:03}"), actions)
        }));
        let old = limit(&["s3:GetObject", "s3:PutObject"]);
        let new = limit(&["s3:GetObject"]);
        update(&facts(&objects), &old, &new).allowed();
        objects.push(role_of("payments", "one-more", &["s3:PutObject"]));
        update(&facts(&objects), &old, &new).denied(403);
    }

    #[test]
    fn a_new_limit_that_would_suspend_what_others_accept_is_held_too() {
        let facts = with_roles(6);
        let mut second = limit(&["s3:GetObject"]);
        second["metadata"]["name"] = json!("second");
        second["spec"]["boundary"] = json!({"type": "CheckOnly"});
        assert!(
            create(&facts, &second)
                .denied(403)
                .contains("would suspend 6 of the 6 accepted grants")
        );
        create(&facts, &accepting(second, "6")).allowed();
    }

    #[test]
    fn an_annotation_that_is_not_needed_is_warned_about() {
        let object = accepting(limit(&["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]), "50");
        let warnings = update(&with_roles(3), &limit(&["s3:GetObject"]), &object).allowed();
        assert_eq!(
            warnings,
            ["annotation deputy.dev/accept-suspending is not needed; remove it"]
        );
    }

    #[test]
    fn a_limit_in_use_stays_unless_that_is_meant() {
        let object = limit(&["s3:GetObject", "s3:PutObject"]);
        let facts = with_roles(1);
        let answer = delete(&facts, &object);
        let message = answer.denied(403);
        assert!(
            message.contains("is in use") && message.contains("payments/r000"),
            "{message}"
        );
        delete(&facts, &accepting(object.clone(), "1")).allowed();
        delete(&with_roles(0), &object).allowed();
    }

    #[test]
    fn a_limit_whose_grants_another_one_accepts_too_may_go() {
        let mut second = limit(&["s3:*"]);
        second["metadata"]["name"] = json!("second");
        second["spec"]["boundary"] = json!({"type": "CheckOnly"});
        let first = limit(&["s3:GetObject"]);
        let facts = facts(&[account(), first.clone(), second, role(&["s3:GetObject"])]);
        assert!(delete(&facts, &first).allowed().is_empty());
    }

    #[test]
    fn a_limit_on_its_way_out_still_limits_and_is_held() {
        let (old, mut new) = (limit(&["s3:GetObject", "s3:PutObject"]), limit(&["s3:GetObject"]));
        new["metadata"]["deletionTimestamp"] = json!("2026-01-02T03:04:05Z");
        update(&with_roles(6), &old, &new).denied(403);
    }
}

mod accounts {
    use super::*;

    #[test]
    fn an_account_is_let_in_or_refused_with_every_field_that_is_wrong() {
        assert!(create(&usual(), &account()).allowed().is_empty());
        let mut object = account();
        object["spec"]["accountID"] = json!("12");
        object["spec"]["region"] = json!("Tokyo");
        let answer = create(&usual(), &object);
        answer.denied(422);
        assert_eq!(answer.fields(), ["spec.accountID", "spec.region"]);
    }

    #[test]
    fn an_account_id_that_yaml_made_a_number_is_refused() {
        let mut object = account();
        object["spec"]["accountID"] = json!(123456789012_u64);
        create(&usual(), &object).denied(422);
    }

    #[test]
    fn the_account_behind_a_name_can_not_be_changed() {
        let mut new = account();
        new["spec"]["accountID"] = json!("999999999999");
        new["spec"]["partition"] = json!("aws-cn");
        let answer = update(&usual(), &account(), &new);
        answer.denied(422);
        assert_eq!(answer.fields(), ["spec.accountID", "spec.partition"]);
    }

    #[test]
    fn a_change_of_an_account_that_suspends_grants_names_them() {
        let mut old = account();
        old["spec"]["issuer"]["principalARN"] = json!("arn:aws:iam::123456789012:user/deputy");
        let mut limit = limit(&["s3:GetObject"]);
        limit["spec"]["session"]["maxDuration"] = json!("2h");
        let mut role = role(&["s3:GetObject"]);
        role["spec"]["maxSessionDuration"] = json!("2h");
        let mut bound = binding("nightly", Some("2026-01-02T03:04:05Z"));
        bound["spec"]["session"]["duration"] = json!("2h");
        let facts = facts(&[old.clone(), limit, role, bound]);
        let warnings = update(&facts, &old, &account()).allowed();
        assert_eq!(warnings, ["suspends AWSRoleBinding payments/nightly"]);
    }

    #[test]
    fn an_account_with_roles_stays() {
        let facts = facts(&[account(), role(&["s3:GetObject"])]);
        let answer = delete(&facts, &account());
        assert_eq!(
            answer.denied(403),
            "AWSAccount production is in use by 1 AWSRoles; delete them first:\n- payments/uploader"
        );
        delete(&usual(), &account()).allowed();
    }
}

mod crafted {
    use super::*;

    #[test]
    fn nothing_is_decided_before_everything_was_read() {
        let world = Arc::new(World::new(ClusterName::new("prod-1").unwrap()));
        world.reset(Watched::Limits, []);
        let facts = Facts::new(world);
        create(&facts, &role(&["s3:GetObject"])).denied(500);
        delete(&facts, &limit(&["s3:GetObject"])).denied(500);
        let (old, mut new) = (role(&["s3:GetObject"]), role(&["s3:GetObject"]));
        new["metadata"]["finalizers"] = json!([]);
        update(&facts, &old, &new).allowed();
    }

    #[test]
    fn kind_and_resource_and_object_must_agree() {
        let good = body("CREATE", Some(&role(&["s3:GetObject"])), None);
        let with = |pointer: &str, value: Value| {
            let mut body = good.clone();
            *body.pointer_mut(pointer).unwrap() = value;
            body
        };
        ask(&usual(), &good).allowed();
        for (pointer, value) in [
            ("/request/kind/kind", json!("AWSAccount")),
            ("/request/kind/kind", json!("Pod")),
            ("/request/kind/group", json!("")),
            ("/request/kind/version", json!("v2")),
            ("/request/resource/resource", json!("awsaccounts")),
            ("/request/resource/group", json!("apps")),
            ("/request/resource/version", json!("v1")),
            ("/request/object/kind", json!("AWSAccount")),
            ("/request/object/apiVersion", json!("v1")),
            ("/request/object/metadata/name", json!("other")),
            ("/request/object/metadata/namespace", json!("other")),
            ("/request/namespace", json!("other")),
            ("/request/namespace", Value::Null),
            ("/request/object", Value::Null),
            ("/request/object", json!([])),
            ("/request/operation", json!("CONNECT")),
            ("/request/operation", json!("UPDATE")),
            ("/request/operation", json!("DELETE")),
        ] {
            ask(&usual(), &with(pointer, value)).denied(400);
        }
    }
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    fn anything() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-zA-Z0-9:*/${}. -]{0,20}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-zA-Z]{1,8}", inner, 0..4)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    /// Every field of an object, by pointer.
    fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => fields
                .iter()
                .for_each(|(k, v)| pointers(v, format!("{at}/{k}"), found)),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .for_each(|(i, v)| pointers(v, format!("{at}/{i}"), found)),
            _ => {}
        }
        if at.len() > 1 {
            found.push(at);
        }
    }

    proptest! {
        #[test]
        fn no_object_however_odd_makes_validation_panic(which in 0usize..4, at in any::<prop::sample::Index>(), odd in anything()) {
            let mut object = [account(), limit(&["s3:GetObject"]), role(&["s3:GetObject"]), binding("b", None)][which].clone();
            let mut all = Vec::new();
            pointers(&object, String::new(), &mut all);
            let pointer = at.get(&all);
            let original = body("CREATE", Some(&object), None);
            *object.pointer_mut(pointer).unwrap() = odd;
            let mut body = original;
            body["request"]["object"] = object.clone();
            let facts = usual();
            for (operation, old) in [("CREATE", Value::Null), ("UPDATE", object.clone()), ("DELETE", object)] {
                body["request"]["operation"] = json!(operation);
                body["request"]["oldObject"] = old;
                let bytes = serde_json::to_vec(&body).unwrap();
                let request = review::parse(&bytes).unwrap();
                let _answer = super::super::review(&facts, &request).unwrap().into_json("u").unwrap();
            }
        }

        #[test]
        fn a_role_is_let_in_exactly_when_it_is_decided_so(actions in prop::sample::subsequence(
            vec!["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:*", "iam:PassRole"], 1..4)) {
            let within = actions.iter().all(|a| ["s3:GetObject", "s3:PutObject"].contains(a));
            let answer = create(&usual(), &role(&actions));
            prop_assert_eq!(answer.0["allowed"].as_bool().unwrap(), within);
        }
    }
}
