//! Conversions, from JSON as an API server stores it.

use deputy_delegation::{
    Reason, Violations,
    model::{BoundaryMode, DeletionPolicy, Revocation, SessionMethod, SessionScope},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{NotReadable, cluster_role_of, parse_account, parse_binding, parse_limit, parse_role, scope_of};

/// Objects that convert. Tests break them one field at a time.
pub(crate) fn account() -> Value {
    json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": "AWSAccount", "metadata": {"name": "production"},
        "spec": {
            "accountID": "123456789012", "partition": "aws", "region": "ap-northeast-1",
            "issuer": {"principalARN": "arn:aws:iam::123456789012:role/deputy-broker"},
            "provisioner": {"assumeRole": {"roleARN": "arn:aws:iam::123456789012:role/provisioner", "externalID": "xyz"}},
            "tags": {"cost-center": "platform"},
        },
    })
}

pub(crate) fn limit() -> Value {
    json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": "DelegationLimit",
        "metadata": {"name": "payments", "uid": "6c0a9a6e-0000-0000-0000-000000000001"},
        "spec": {
            "namespaces": ["payments", "payments-*"], "accounts": ["production"],
            "ceiling": policy("s3:GetObject"),
            "session": {"tags": {"team": ["payments", "ledger"]}},
            "acknowledgeEscalation": ["iam:PassRole"],
        },
    })
}

pub(crate) fn role() -> Value {
    json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": "AWSRole",
        "metadata": {"name": "uploader", "namespace": "payments", "uid": "6c0a9a6e-0000-0000-0000-000000000002"},
        "spec": {
            "accountRef": {"name": "production"},
            "policies": [{"name": "objects", "document": policy("s3:GetObject")}],
        },
    })
}

pub(crate) fn binding() -> Value {
    json!({
        "apiVersion": "deputy.dev/v1alpha1", "kind": "AWSRoleBinding",
        "metadata": {
            "name": "uploader", "namespace": "payments", "uid": "6c0a9a6e-0000-0000-0000-000000000003",
            "creationTimestamp": "2026-01-02T03:04:05Z",
        },
        "spec": {
            "roleRef": {"kind": "AWSRole", "name": "uploader"},
            "subjects": [{"kind": "ServiceAccount", "name": "uploader"}],
            "session": {"scope": "Pod", "policy": policy("s3:GetObject"), "duration": "45m", "tags": {"team": "payments"}},
        },
    })
}

fn policy(action: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": [action], "Resource": "arn:aws:s3:::productionapp/*"}],
    })
}

fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = object.pointer_mut(parent).unwrap();
    match parent {
        Value::Array(list) => list[key.parse::<usize>().unwrap()] = value,
        parent => parent[key] = value,
    }
    object
}

fn typed<T: DeserializeOwned>(object: Value) -> T {
    serde_json::from_value(object).unwrap()
}

fn fields(violations: Violations) -> Vec<(Reason, String)> {
    violations.into_iter().map(|v| (v.reason, v.field)).collect()
}

fn one(reason: Reason, field: &str) -> Vec<(Reason, String)> {
    vec![(reason, field.to_owned())]
}

#[test]
fn an_account_gets_its_defaults() {
    let account = parse_account(&typed(account())).unwrap();
    assert_eq!(account.default_session_duration.as_seconds(), 3600);
    assert_eq!(account.provisioner.unwrap().external_id.unwrap().as_str(), "xyz");
    assert!(account.boundary_writer.is_none() && account.endpoints.iam.is_none());
}

/// Of an account's tags, a limit's and a session's alike.
#[test]
fn two_tag_keys_that_are_one_to_aws_are_both_named() {
    let said = |tags: Value, values: Value| {
        let mut account = account();
        account["spec"]["tags"] = tags.clone();
        let mut binding = binding();
        binding["spec"]["session"]["tags"] = tags;
        let mut limit = limit();
        limit["spec"]["session"]["tags"] = values;
        let account = parse_account(&typed(account)).map(drop);
        let binding = parse_binding(&typed(binding)).map(drop);
        let limit = parse_limit(&typed(limit)).map(drop);
        [account, binding, limit].map(|read| -> Vec<String> {
            let found = read.err().into_iter();
            found
                .flat_map(|found: Violations| found.iter().map(|v| v.message.clone()).collect::<Vec<_>>())
                .collect()
        })
    };
    let both = said(
        json!({"Team": "a", "team": "b"}),
        json!({"Team": ["a"], "team": []}),
    );
    for found in both {
        let wanted = "\"Team\" and \"team\" are one tag key to AWS, which ignores case";
        assert!(found.iter().any(|message| message == wanted), "{found:?}");
    }
    let own = said(json!({"DEPUTY-Uid": "a"}), json!({"DEPUTY-Uid": ["a"]}));
    for found in own {
        let wanted = "\"DEPUTY-Uid\" is \"deputy-uid\" to AWS, which ignores case, and Deputy's own: tag keys starting with deputy- \
                      are reserved";
        assert_eq!(found, [wanted]);
    }
    let apart = said(
        json!({"team": "a", "teams": "b"}),
        json!({"team": ["a"], "teams": ["b"]}),
    );
    assert_eq!(apart, [const { Vec::<String>::new() }; 3]);
}

#[test]
fn every_wrong_field_of_an_account_is_listed() {
    let mut object = account();
    object["spec"]["accountID"] = json!("12345");
    object["spec"]["region"] = json!("Tokyo");
    object["spec"]["defaults"] = json!({"sessionDuration": "10m"});
    object["spec"]["endpoints"] = json!({"iam": "http://iam.example.com", "sts": "http://127.0.0.1:5000"});
    object["spec"]["tags"] = json!({"Deputy-Name": "x", "a": "1", "A": "2", "aws:x": "y"});
    let found = fields(parse_account(&typed(object)).unwrap_err());
    let wanted = [
        (Reason::Structure, "spec.accountID"),
        (Reason::Structure, "spec.region"),
        (Reason::Duration, "spec.defaults.sessionDuration"),
        (Reason::Structure, "spec.tags[\"Deputy-Name\"]"),
        (Reason::Structure, "spec.tags[\"a\"]"),
        (Reason::Structure, "spec.tags[\"aws:x\"]"),
        (Reason::Structure, "spec.endpoints.iam"),
    ];
    assert_eq!(found, wanted.map(|(reason, field)| (reason, field.to_owned())));
}

#[test]
fn identities_of_another_account_or_partition_are_refused() {
    let other = json!("arn:aws:iam::999999999999:role/provisioner");
    let object = with(account(), "/spec/provisioner/assumeRole/roleARN", other);
    assert_eq!(
        fields(parse_account(&typed(object)).unwrap_err()),
        one(Reason::Structure, "spec.provisioner.assumeRole.roleARN")
    );
    let object = with(
        account(),
        "/spec/issuer/principalARN",
        json!("arn:aws-cn:iam::123456789012:role/broker"),
    );
    assert_eq!(
        fields(parse_account(&typed(object)).unwrap_err()),
        one(Reason::Structure, "spec.issuer.principalARN")
    );
    // The issuer may live elsewhere: trust policies name it in full.
    let object = with(
        account(),
        "/spec/issuer/principalARN",
        json!("arn:aws:iam::999999999999:role/broker"),
    );
    assert!(parse_account(&typed(object)).is_ok());
}

#[test]
fn issuers_of_before_are_others_of_the_partition() {
    let issuer = account()["spec"]["issuer"]["principalARN"]
        .as_str()
        .unwrap()
        .to_owned();
    let user = |n: usize| format!("arn:aws:iam::123456789012:user/broker-{n}");
    let (first, second) = (
        "spec.previousIssuers[0].principalARN",
        "spec.previousIssuers[1].principalARN",
    );
    for (previous, wrong) in [
        (vec![user(1), user(2)], None),
        (vec![issuer], Some(first)),
        (vec![user(1), user(1)], Some(second)),
        (
            vec!["arn:aws-cn:iam::123456789012:user/broker".to_owned()],
            Some(first),
        ),
        (
            vec!["arn:aws:iam::123456789012:group/broker".to_owned()],
            Some(first),
        ),
        (vec![user(1), user(2), user(3)], Some("spec.previousIssuers")),
    ] {
        let list: Vec<Value> = previous.iter().map(|arn| json!({"principalARN": arn})).collect();
        let parsed = parse_account(&typed(with(account(), "/spec/previousIssuers", json!(list))));
        match wrong {
            None => assert_eq!(parsed.unwrap().issuers().len(), 1 + previous.len()),
            Some(field) => assert_eq!(
                fields(parsed.unwrap_err()),
                one(Reason::Structure, field),
                "{previous:?}"
            ),
        }
    }
}

#[test]
fn the_region_is_one_of_the_partition() {
    for (partition, region, good) in [
        ("aws", "eu-west-1", true),
        ("aws", "cn-north-1", false),
        ("aws", "us-gov-west-1", false),
        ("aws", "eusc-de-east-1", false),
        ("aws-cn", "cn-north-1", true),
        ("aws-cn", "ap-northeast-1", false),
        ("aws-us-gov", "us-gov-west-1", true),
        ("aws-us-gov", "us-east-1", false),
        ("aws-iso", "us-isob-east-1", false),
        ("aws-new", "us-new-east-1", true),
        ("aws-new", "eu-west-1", false),
    ] {
        let mut object = account();
        let spec = &mut object["spec"];
        (spec["partition"], spec["region"]) = (json!(partition), json!(region));
        spec["issuer"]["principalARN"] = json!(format!("arn:{partition}:iam::123456789012:role/broker"));
        spec["provisioner"] = json!(null);
        let parsed = parse_account(&typed(object)).map_err(fields);
        let expected = one(Reason::Structure, "spec.region");
        assert_eq!(
            parsed.map(drop),
            if good { Ok(()) } else { Err(expected) },
            "{partition} {region}"
        );
    }
    let wrong = with(account(), "/spec/region", json!("cn-north-1"));
    let violations = parse_account(&typed(wrong)).unwrap_err();
    assert!(
        violations[0].message.contains("partition: aws-cn"),
        "{violations:?}"
    );
}

#[test]
fn sessions_longer_than_an_hour_need_a_user_as_issuer() {
    let long = with(account(), "/spec/defaults", json!({"sessionDuration": "2h"}));
    assert_eq!(
        fields(parse_account(&typed(long.clone())).unwrap_err()),
        one(Reason::Duration, "spec.defaults.sessionDuration")
    );
    let user = with(
        long,
        "/spec/issuer/principalARN",
        json!("arn:aws:iam::123456789012:user/deputy"),
    );
    assert!(parse_account(&typed(user)).is_ok());
}

#[test]
fn the_provider_is_one_of_the_account_and_the_default_method_needs_it() {
    let provider = |arn: &str| with(account(), "/spec/oidc", json!({"providerARN": arn}));
    let good = "arn:aws:iam::123456789012:oidc-provider/oidc.example.com/id/PROD1";
    let web = json!({"method": "AssumeRoleWithWebIdentity"});
    let read = parse_account(&typed(with(provider(good), "/spec/defaults", web.clone()))).unwrap();
    assert_eq!(read.default_method, SessionMethod::AssumeRoleWithWebIdentity);
    let oidc = read.oidc.unwrap();
    assert_eq!(
        (oidc.arn.to_string().as_str(), oidc.audience.as_str()),
        (good, "sts.amazonaws.com")
    );
    for bad in [
        good.replace("123456789012", "999999999999"),
        good.replace("arn:aws:", "arn:aws-cn:"),
        good.replace("oidc-provider", "saml-provider"),
        good.replace("oidc.example.com", "https://oidc.example.com"),
    ] {
        let found = fields(parse_account(&typed(provider(&bad))).unwrap_err());
        assert_eq!(found, one(Reason::Structure, "spec.oidc.providerARN"), "{bad}");
    }
    let audience = with(provider(good), "/spec/oidc/audience", json!("${aws:username}"));
    let found = fields(parse_account(&typed(audience)).unwrap_err());
    assert_eq!(found, one(Reason::Structure, "spec.oidc.audience"));
    let found = fields(parse_account(&typed(with(account(), "/spec/defaults", web))).unwrap_err());
    assert_eq!(found, one(Reason::Method, "spec.defaults.method"));
}

#[test]
fn methods_are_words_of_binding_and_limit() {
    let limit = with(
        limit(),
        "/spec/session/methods",
        json!(["AssumeRoleWithWebIdentity"]),
    );
    let limit = parse_limit(&typed(limit)).unwrap();
    assert_eq!(
        limit.session_methods,
        [SessionMethod::AssumeRoleWithWebIdentity].into()
    );
    let binding = with(binding(), "/spec/method", json!("AssumeRoleWithWebIdentity"));
    let binding = parse_binding(&typed(binding)).unwrap();
    assert_eq!(binding.method, Some(SessionMethod::AssumeRoleWithWebIdentity));
}

#[test]
fn a_limit_gets_its_defaults() {
    let limit = parse_limit(&typed(limit())).unwrap();
    assert_eq!(limit.boundary, BoundaryMode::Generated);
    assert_eq!(limit.max_session_duration.as_seconds(), 3600);
    assert_eq!(
        limit.acknowledge_escalation.iter().next().unwrap(),
        "iam:passrole"
    );
    assert!(limit.uid.is_some());
    assert_eq!(limit.session_methods, [SessionMethod::AssumeRole].into());
}

#[test]
fn every_wrong_field_of_a_limit_is_listed() {
    let mut object = limit();
    object["spec"]["namespaces"] = json!(["Payments", "ok"]);
    object["spec"]["accounts"] = json!([]);
    object["spec"]["session"] = json!({"maxDuration": "13h", "tags": {"deputy-x": ["y"], "team": []}});
    object["spec"]["acknowledgeEscalation"] = json!(["PassRole"]);
    let found = fields(parse_limit(&typed(object)).unwrap_err());
    let wanted = [
        (Reason::Structure, "spec.namespaces[0]"),
        (Reason::Structure, "spec.accounts"),
        (Reason::Duration, "spec.session.maxDuration"),
        (Reason::SessionTag, "spec.session.tags[\"deputy-x\"]"),
        (Reason::Structure, "spec.session.tags[\"team\"]"),
        (Reason::Structure, "spec.acknowledgeEscalation[0]"),
    ];
    assert_eq!(found, wanted.map(|(reason, field)| (reason, field.to_owned())));
}

#[test]
fn the_scope_of_a_broken_limit_is_read_whole_or_not_at_all() {
    let broken = with(limit(), "/spec/ceiling", json!("not a policy"));
    let scope = scope_of(&broken).unwrap();
    assert_eq!((scope.namespaces.len(), scope.accounts.len()), (2, 1));
    for (pointer, value) in [
        ("/spec/namespaces/0", json!(7)),
        ("/spec/namespaces/0", json!("Payments")),
        ("/spec/namespaces", json!([])),
        ("/spec/accounts", json!("production")),
        ("/spec", json!(null)),
    ] {
        assert!(
            scope_of(&with(limit(), pointer, value.clone())).is_none(),
            "{pointer} = {value}"
        );
    }
}

#[test]
fn a_role_gets_its_defaults() {
    let role = parse_role(&typed(role())).unwrap();
    assert_eq!(role.owned().unwrap().max_session_duration.as_seconds(), 3600);
    assert_eq!(role.id.to_string(), "payments/uploader");
}

#[test]
fn what_is_wrong_in_a_policy_is_reported_below_its_field() {
    let object = with(role(), "/spec/policies/0/document/Version", json!("2012-10-18"));
    let found = fields(parse_role(&typed(object)).unwrap_err());
    assert!(
        found
            .iter()
            .all(|(_, field)| field.starts_with("spec.policies[0].document")),
        "{found:?}"
    );
    assert!(!found.is_empty());
}

#[test]
fn policy_names_are_unique_labels_and_there_is_at_least_one() {
    let twice = json!([
        {"name": "a", "document": policy("s3:GetObject")}, {"name": "a", "document": policy("s3:GetObject")},
        {"name": "A B", "document": policy("s3:GetObject")},
    ]);
    let found = fields(parse_role(&typed(with(role(), "/spec/policies", twice))).unwrap_err());
    let wanted = [
        (Reason::Structure, "spec.policies[1].name"),
        (Reason::Structure, "spec.policies[2].name"),
    ];
    assert_eq!(found, wanted.map(|(reason, field)| (reason, field.to_owned())));
    let none = with(role(), "/spec/policies", json!([]));
    assert_eq!(
        fields(parse_role(&typed(none)).unwrap_err()),
        one(Reason::Structure, "spec.policies")
    );
}

#[test]
fn a_role_below_an_hour_is_refused_because_iam_would() {
    let object = with(role(), "/spec/maxSessionDuration", json!("59m"));
    assert_eq!(
        fields(parse_role(&typed(object)).unwrap_err()),
        one(Reason::Duration, "spec.maxSessionDuration")
    );
}

#[test]
fn a_binding_keeps_when_it_was_made() {
    let binding = parse_binding(&typed(binding())).unwrap();
    assert_eq!(binding.created, 1_767_323_045);
    assert_eq!(binding.session.scope, SessionScope::Pod);
    assert_eq!(binding.session.duration.unwrap().as_seconds(), 2700);
    assert!(binding.session.policy.is_some());
}

#[test]
fn every_wrong_field_of_a_binding_is_listed() {
    let mut object = binding();
    object["spec"]["roleRef"]["name"] = json!("Upper");
    object["spec"]["subjects"] = json!([{"kind": "ServiceAccount", "name": "a/b"}]);
    object["spec"]["session"] = json!({"policy": {}, "duration": "5m", "tags": {"k": "ä"}});
    let found = fields(parse_binding(&typed(object)).unwrap_err());
    let at = |field: &str| found.iter().any(|(_, f)| f.starts_with(field));
    assert!(
        at("spec.roleRef.name") && at("spec.subjects[0].name") && at("spec.session.policy"),
        "{found:?}"
    );
    assert!(
        at("spec.session.duration") && at("spec.session.tags[\"k\"]"),
        "{found:?}"
    );
}

#[test]
fn kinds_that_come_later_are_not_read_as_something_else() {
    for (pointer, value) in [
        ("/spec/subjects/0/kind", json!("Anybody")),
        ("/spec/roleRef/kind", json!("Role")),
        ("/spec/session/scope", json!("Node")),
    ] {
        assert!(serde_json::from_value::<crate::AWSRoleBinding>(with(binding(), pointer, value)).is_err());
    }
}

#[test]
fn an_account_goes_with_a_cluster_role_and_with_nothing_else() {
    let of = |kind: &str, account: Option<&str>| {
        let mut object = binding();
        object["spec"]["roleRef"]["kind"] = json!(kind);
        if let Some(account) = account {
            object["spec"]["accountRef"] = json!({"name": account});
        }
        object
    };
    let parsed = parse_binding(&typed(of("ClusterAWSRole", Some("production")))).unwrap();
    assert_eq!(
        parsed.role.title().to_string(),
        "ClusterAWSRole uploader (namespace payments, account production)"
    );
    let raw = of("ClusterAWSRole", Some("production"));
    assert_eq!(
        cluster_role_of(&parsed.id.namespace, &raw),
        Ok(Some(parsed.role.clone()))
    );
    assert_eq!(
        cluster_role_of(&parsed.id.namespace, &of("AWSRole", None)),
        Ok(None)
    );
    // What it keeps in AWS is not known, so it may be anything.
    for raw in [of("ClusterAWSRole", None), of("Another", None)] {
        assert_eq!(cluster_role_of(&parsed.id.namespace, &raw), Err(NotReadable));
    }
    for wrong in [of("ClusterAWSRole", None), of("AWSRole", Some("production"))] {
        let found = fields(parse_binding(&typed(wrong)).unwrap_err());
        assert!(
            found.iter().all(|(_, field)| field == "spec.accountRef"),
            "{found:?}"
        );
    }
}

#[test]
fn fields_of_a_newer_definition_are_passed_over() {
    let object = with(role(), "/spec/fieldOfTomorrow", json!([]));
    assert!(parse_role(&typed(object)).is_ok());
}

#[test]
fn lists_longer_than_allowed_are_refused_with_both_numbers() {
    let many: Vec<Value> = (0..101)
        .map(|i| json!({"kind": "ServiceAccount", "name": format!("sa-{i}")}))
        .collect();
    let violations = parse_binding(&typed(with(binding(), "/spec/subjects", json!(many)))).unwrap_err();
    assert_eq!(violations[0].message, "101 subjects; it must be 1 to 100");
}

#[test]
fn a_session_or_session_policy_of_null_is_not_taken_for_none() {
    let object = with(binding(), "/spec/session/policy", json!(null));
    let found = fields(parse_binding(&typed(object)).unwrap_err());
    assert!(
        found
            .iter()
            .all(|(_, field)| field.starts_with("spec.session.policy")),
        "{found:?}"
    );
    let object = with(binding(), "/spec/session", json!(null));
    assert!(serde_json::from_value::<crate::AWSRoleBinding>(object).is_err());
    // What the API server must not drop on the way.
    let crd = crate::crds::crd("awsrolebindings").unwrap();
    let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
    let session = &schema["openAPIV3Schema"]["properties"]["spec"]["properties"]["session"];
    assert_eq!(session["nullable"], json!(true));
    assert_eq!(session["properties"]["policy"]["nullable"], json!(true));
    assert_eq!(session["properties"]["duration"].get("nullable"), None);
}

const READ: &str = "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess";

#[test]
fn a_role_has_policies_of_one_kind_or_of_both() {
    let both = with(role(), "/spec/managedPolicyARNs", json!([READ]));
    let parsed = parse_role(&typed(both.clone())).unwrap();
    let policies = &parsed.owned().unwrap().policies;
    assert_eq!((policies.len(), policies.managed().len()), (1, 1));
    let mut managed_alone = both;
    managed_alone["spec"].as_object_mut().unwrap().remove("policies");
    let parsed = parse_role(&typed(managed_alone.clone())).unwrap();
    assert!(parsed.owned().unwrap().policies.inline().is_none());
    for (field, value, wrong) in [
        ("managedPolicyARNs", json!([]), "spec.managedPolicyARNs"),
        ("policies", json!([]), "spec.policies"),
        (
            "managedPolicyARNs",
            json!([READ, READ]),
            "spec.managedPolicyARNs[1]",
        ),
        (
            "managedPolicyARNs",
            json!([READ, "ReadOnlyAccess"]),
            "spec.managedPolicyARNs[1]",
        ),
        (
            "managedPolicyARNs",
            json!(vec![READ; 11]),
            "spec.managedPolicyARNs",
        ),
    ] {
        let object = with(managed_alone.clone(), &format!("/spec/{field}"), value);
        let found = fields(parse_role(&typed(object)).unwrap_err());
        assert_eq!(found[0], (Reason::Structure, wrong.to_owned()));
    }
    let mut none = role();
    none["spec"].as_object_mut().unwrap().remove("policies");
    assert_eq!(
        fields(parse_role(&typed(none)).unwrap_err()),
        one(Reason::Structure, "spec.policies")
    );
}

#[test]
fn a_limit_names_managed_policies_by_patterns_and_nothing_else() {
    let named = with(
        limit(),
        "/spec/managedPolicies",
        json!(["arn:aws:iam::aws:policy/AmazonS3*"]),
    );
    assert_eq!(parse_limit(&typed(named)).unwrap().managed_policies.len(), 1);
    for pattern in [
        "*",
        "arn:aws:iam::aws:role/*",
        "arn:aws:iam::aws:*",
        "arn:aws:s3:::x",
        "",
    ] {
        let object = with(limit(), "/spec/managedPolicies", json!([pattern]));
        assert_eq!(
            fields(parse_limit(&typed(object)).unwrap_err()),
            one(Reason::Structure, "spec.managedPolicies[0]"),
            "{pattern}"
        );
    }
}

#[test]
fn a_session_names_its_managed_policies() {
    let named = with(binding(), "/spec/session/policyARNs", json!([READ]));
    assert_eq!(parse_binding(&typed(named)).unwrap().session.policy_arns.len(), 1);
    for (arns, wrong) in [
        (json!([]), "spec.session.policyARNs"),
        (json!(["x"]), "spec.session.policyARNs[0]"),
    ] {
        let object = with(binding(), "/spec/session/policyARNs", arns);
        assert_eq!(
            fields(parse_binding(&typed(object)).unwrap_err()),
            one(Reason::Structure, wrong)
        );
    }
}

#[test]
fn a_role_that_exists_says_nothing_of_what_is_its_owners() {
    let arn = "arn:aws:iam::123456789012:role/terraform/reports";
    let mut object = role();
    object["spec"] = json!({"accountRef": {"name": "production"}, "existing": {"roleARN": arn}});
    let parsed = parse_role(&typed(object.clone())).unwrap();
    assert_eq!(parsed.existing().unwrap().arn.to_string(), arn);
    assert!(parsed.owned().is_none() && parsed.policies().is_empty());

    object["spec"]["policies"] = role()["spec"]["policies"].clone();
    object["spec"]["maxSessionDuration"] = json!("1h");
    object["spec"]["deletionPolicy"] = json!("Delete");
    object["spec"]["revocation"] = json!("Distinguishable");
    object["spec"]["existing"]["roleARN"] = json!("arn:aws:iam::123456789012:user/reports");
    let wanted = [
        (Reason::Structure, "spec.policies"),
        (Reason::Structure, "spec.maxSessionDuration"),
        (Reason::Structure, "spec.deletionPolicy"),
        (Reason::Structure, "spec.revocation"),
        (Reason::Structure, "spec.existing.roleARN"),
    ];
    assert_eq!(
        fields(parse_role(&typed(object)).unwrap_err()),
        wanted.map(|(reason, field)| (reason, field.to_owned()))
    );
}

#[test]
fn a_role_is_deleted_with_its_object_unless_it_says_retain() {
    let deletion = |object: Value| parse_role(&typed(object)).unwrap().owned().unwrap().deletion;
    assert_eq!(deletion(role()), DeletionPolicy::Delete);
    let (delete, retain) = (DeletionPolicy::Delete, DeletionPolicy::Retain);
    for (word, policy) in [("Delete", delete), ("Retain", retain)] {
        let object = with(role(), "/spec/deletionPolicy", json!(word));
        assert_eq!(deletion(object), policy);
    }
}

#[test]
fn sessions_that_cannot_be_told_apart_live_unless_the_role_says_all() {
    let all = with(role(), "/spec/revocation", json!("All"));
    for (object, meant) in [(role(), Revocation::Distinguishable), (all, Revocation::All)] {
        let role = parse_role(&typed(object)).unwrap();
        assert_eq!(role.owned().unwrap().revocation, meant);
    }
}

#[test]
fn a_limit_names_roles_that_exist_and_nothing_else() {
    let parsed = parse_limit(&typed(limit())).unwrap();
    assert!(parsed.existing_roles.is_empty() && !parsed.allow_retain);
    let mut object = limit();
    object["spec"]["roles"] = json!({"allowRetain": true});
    object["spec"]["existingRoles"] = json!(["arn:aws:iam::*:role/terraform/*"]);
    let parsed = parse_limit(&typed(object.clone())).unwrap();
    assert!(parsed.allow_retain && parsed.existing_roles.len() == 1);
    object["spec"]["existingRoles"] = json!([
        "arn:aws:iam::123456789012:user/*",
        "*",
        "arn:aws:iam::123456789012:*"
    ]);
    assert_eq!(
        fields(parse_limit(&typed(object)).unwrap_err()),
        [0, 1, 2].map(|i| (Reason::Structure, format!("spec.existingRoles[{i}]")))
    );
}

#[test]
fn each_kind_of_subject_takes_its_own_fields_and_no_others() {
    let github = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com";
    let with_subjects = |subjects: Value| {
        let mut object = with(binding(), "/spec/subjects", subjects);
        object["spec"]["session"] = json!({});
        parse_binding(&typed(object))
    };
    let sub = json!({"sub": ["repo:acme/app:ref:refs/heads/main"]});
    for good in [
        json!([{"kind": "AWSPrincipal", "arn": "999999999999", "externalID": "acme-7"}]),
        json!([{"kind": "AWSPrincipal", "arn": "arn:aws:iam::999999999999:root", "requireMFA": true}]),
        json!([{"kind": "AWSPrincipal", "arn": "arn:aws:iam::999999999999:role/ci/deploy", "replaces": "AROADBQP57FF2AEXAMPLE"}]),
        json!([{"kind": "AWSPrincipal", "arn": "arn:aws:iam::999999999999:user/alice", "requireMFA": true, "replaces": "AIDADBQP57FF2AEXAMPLE"}]),
        json!([{"kind": "OIDCPrincipal", "providerARN": github, "audience": "sts.amazonaws.com", "conditions": sub}]),
        json!([{"kind": "SAMLPrincipal", "providerARN": "arn:aws:iam::123456789012:saml-provider/acme", "audience": "x"}]),
        json!([{"kind": "User", "name": "alice@acme.example"}, {"kind": "Group", "name": "Data Team"}]),
    ] {
        assert!(with_subjects(good.clone()).is_ok(), "{good}");
    }
    for (bad, field) in [
        (
            json!([{"kind": "AWSPrincipal", "name": "x"}]),
            "spec.subjects[0].name",
        ),
        (json!([{"kind": "AWSPrincipal"}]), "spec.subjects[0].arn"),
        (
            json!([{"kind": "AWSPrincipal", "arn": "*"}]),
            "spec.subjects[0].arn",
        ),
        (
            json!([{"kind": "AWSPrincipal", "arn": "arn:aws:iam::999999999999:role/r", "requireMFA": true}]),
            "spec.subjects[0]",
        ),
        (
            json!([{"kind": "AWSPrincipal", "arn": "arn:aws:sts::999999999999:assumed-role/r/s"}]),
            "spec.subjects[0].arn",
        ),
        (
            json!([{"kind": "AWSPrincipal", "arn": "ec2.amazonaws.com"}]),
            "spec.subjects[0].arn",
        ),
        (
            json!([{"kind": "AWSPrincipal", "arn": "arn:aws:iam::999999999999:role/r", "replaces": "AROA"}]),
            "spec.subjects[0].replaces",
        ),
        (
            json!([{"kind": "AWSPrincipal", "arn": "arn:aws:iam::999999999999:role/r", "replaces": "AIDADBQP57FF2AEXAMPLE"}]),
            "spec.subjects[0]",
        ),
        (
            json!([{"kind": "AWSPrincipal", "arn": "999999999999", "replaces": "AROADBQP57FF2AEXAMPLE"}]),
            "spec.subjects[0]",
        ),
        (
            json!([{"kind": "ServiceAccount", "name": "a", "replaces": "AROADBQP57FF2AEXAMPLE"}]),
            "spec.subjects[0].replaces",
        ),
        (
            json!([{"kind": "ServiceAccount", "name": "a", "externalID": "acme-7"}]),
            "spec.subjects[0].externalID",
        ),
        (
            json!([{"kind": "OIDCPrincipal", "providerARN": github, "conditions": sub}]),
            "spec.subjects[0].audience",
        ),
        (
            json!([{"kind": "OIDCPrincipal", "providerARN": github, "audience": "a"}]),
            "spec.subjects[0].conditions",
        ),
        (
            json!([{"kind": "SAMLPrincipal", "providerARN": github, "audience": "a"}]),
            "spec.subjects[0].providerARN",
        ),
        (
            json!([{"kind": "OIDCPrincipal", "providerARN": github, "audience": "a", "conditions": {"sub": ["repo:acme/*"]}}]),
            "spec.subjects[0].conditions[\"sub\"][0]",
        ),
        (
            json!([{"kind": "OIDCPrincipal", "providerARN": github, "audience": "a", "conditions": {"aud": ["b"]}}]),
            "spec.subjects[0].conditions[\"aud\"]",
        ),
        (
            json!([{"kind": "User", "name": "system:admin"}]),
            "spec.subjects[0].name",
        ),
        (
            json!([{"kind": "ServiceAccount", "name": "a"}, {"kind": "User", "name": "b"}]),
            "spec.subjects[1].kind",
        ),
        (json!([]), "spec.subjects"),
    ] {
        let found = fields(with_subjects(bad.clone()).unwrap_err());
        assert!(found.iter().any(|(_, at)| at == field), "{bad}: {found:?}");
    }
    // Deputy gives those outside no session, and people none by another method.
    let partner = json!([{"kind": "AWSPrincipal", "arn": "999999999999"}]);
    let found = fields(parse_binding(&typed(with(binding(), "/spec/subjects", partner))).unwrap_err());
    let session = ["scope", "policy", "duration", "tags"].map(|field| format!("spec.session.{field}"));
    assert!(
        session
            .iter()
            .all(|field| found.iter().any(|(_, at)| at == field)),
        "{found:?}"
    );
    let mut object = with(
        binding(),
        "/spec/subjects",
        json!([{"kind": "User", "name": "alice"}]),
    );
    object["spec"]["method"] = json!("AssumeRoleWithWebIdentity");
    let found = fields(parse_binding(&typed(object)).unwrap_err());
    assert!(
        found.contains(&(Reason::Method, "spec.method".to_owned())),
        "{found:?}"
    );
}
