//! The grammar, rule by rule, as the IAM User Guide has it ("Grammar of the IAM JSON policy language", "IAM JSON policy
//! elements reference"): what is read, and what it is read as.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use deputy_policy::{
    ActionElement, Caller, Candidate, Code, Context, Document, Operator, PolicyKind, Principal,
    PrincipalElement, Request, ResourceElement, SetOperator, Test, Version, contains, evaluate_trust, lint,
};
use serde_json::{Value, json};

use PolicyKind::{Boundary, Identity, Resource, ResourceControl, ServiceControl, Session, Trust};

const ALL_KINDS: [PolicyKind; 7] = [
    Identity,
    Session,
    Boundary,
    Resource,
    Trust,
    ServiceControl,
    ResourceControl,
];

/// A statement that every kind of policy takes, with these elements besides.
fn policy(kind: PolicyKind, elements: Value) -> Value {
    let mut statement = json!({"Effect": "Deny", "Action": "sts:AssumeRole", "Resource": "*"});
    if kind.has_principal() {
        statement["Principal"] = json!("*");
    }
    if kind == Trust {
        statement.as_object_mut().unwrap().remove("Resource");
    }
    for (name, value) in elements.as_object().unwrap() {
        statement[name] = value.clone();
    }
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

#[track_caller]
fn read(value: &Value, kind: PolicyKind) -> Document {
    let document = Document::from_value(value, kind).unwrap_or_else(|e| panic!("{value}: {e}"));
    assert_eq!(Document::parse(&document.to_json(), kind).unwrap(), document);
    document
}

#[track_caller]
fn refused(value: &Value, kind: PolicyKind) -> Code {
    let errors = Document::from_value(value, kind).expect_err(&format!("{value} is accepted"));
    errors.as_slice()[0].code()
}

fn condition(kind: PolicyKind, condition: Value) -> Value {
    policy(kind, json!({ "Condition": condition }))
}

#[test]
fn a_version_of_2008_or_none_is_for_resource_policies_and_trust_policies() {
    for kind in ALL_KINDS {
        let mut old = policy(kind, json!({}));
        old["Version"] = json!("2008-10-17");
        let mut none = policy(kind, json!({}));
        none.as_object_mut().unwrap().remove("Version");
        if matches!(kind, Resource | Trust) {
            assert_eq!(read(&old, kind).version(), Version::V2008);
            assert_eq!(
                read(&none, kind).version(),
                Version::V2008,
                "absent means 2008-10-17"
            );
        } else {
            assert_eq!(refused(&old, kind), Code::VersionUnsupported);
            assert_eq!(refused(&none, kind), Code::VersionMissing);
        }
    }
}

#[test]
fn under_2008_what_looks_like_a_variable_is_text() {
    let mut old = policy(Resource, json!({"Resource": "arn:aws:s3:::b/${aws:username"}));
    old["Version"] = json!("2008-10-17");
    read(&old, Resource);
    old["Version"] = json!("2012-10-17");
    assert_eq!(refused(&old, Resource), Code::InvalidVariable);
}

#[test]
fn a_trust_policy_of_2008_has_no_variables() {
    let trust = |version: Option<&str>| {
        let condition = json!({"StringLike": {"sts:RoleSessionName": "${aws:username}"}});
        let statement = json!({"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole",
            "Condition": condition});
        let mut value = json!({ "Statement": [statement] });
        if let Some(version) = version {
            value["Version"] = json!(version);
        }
        read(&value, Trust)
    };
    let (old, none, new) = (trust(Some("2008-10-17")), trust(None), trust(Some("2012-10-17")));
    let request = |name: &str| Request {
        action: "sts:AssumeRole".to_owned(),
        resource: "*".to_owned(),
        principal: Some(Caller::parse("arn:aws:iam::123456789012:user/bob").unwrap()),
        context: Context::new()
            .with("aws:username", "bob")
            .with("sts:RoleSessionName", name),
    };
    for (document, name) in [
        (&old, "${aws:username}"),
        (&none, "${aws:username}"),
        (&new, "bob"),
    ] {
        assert!(evaluate_trust(document, &request(name)).is_allowed());
        let other = if name == "bob" { "${aws:username}" } else { "bob" };
        assert!(!evaluate_trust(document, &request(other)).is_allowed());
    }
    assert!(
        contains(&Candidate::new(&[&old]), &none).is_contained()
            && contains(&Candidate::new(&[&none]), &old).is_contained()
    );
    assert!(
        !contains(&Candidate::new(&[&old]), &new).is_contained()
            && !contains(&Candidate::new(&[&new]), &old).is_contained()
    );
    assert_eq!(lint(&old, None)[0].code, Code::VariableIn2008);
}

#[test]
fn an_id_is_a_string_and_kept() {
    for kind in ALL_KINDS {
        let mut value = policy(kind, json!({}));
        value["Id"] = json!("cd3ad3d9-2776-4ef1-a904-4c229d1642ee");
        assert_eq!(
            read(&value, kind).id(),
            Some("cd3ad3d9-2776-4ef1-a904-4c229d1642ee")
        );
        value["Id"] = json!(7);
        assert_eq!(refused(&value, kind), Code::WrongType);
    }
}

#[test]
fn a_statement_stands_alone_or_in_a_list() {
    let listed = policy(Identity, json!({}));
    let alone = json!({"Version": "2012-10-17", "Statement": listed["Statement"][0]});
    assert_eq!(read(&listed, Identity), read(&alone, Identity));
    assert_eq!(
        refused(&json!({"Version": "2012-10-17", "Statement": []}), Identity),
        Code::EmptyElement
    );
}

#[test]
fn only_resource_policies_and_trust_policies_do_without_resource() {
    for kind in ALL_KINDS {
        let mut value = policy(kind, json!({}));
        value["Statement"][0].as_object_mut().unwrap().remove("Resource");
        if matches!(kind, Resource | Trust) {
            assert_eq!(read(&value, kind).statements()[0].resource, None);
        } else {
            assert_eq!(refused(&value, kind), Code::MissingElement, "{kind:?}");
        }
    }
}

#[test]
fn sids_with_spaces_are_for_resource_policies_only() {
    for kind in ALL_KINDS {
        let value = policy(kind, json!({"Sid": "Allow what AWS says"}));
        if kind == Resource {
            read(&value, kind);
        } else {
            assert_eq!(refused(&value, kind), Code::SidCharacters);
        }
    }
}

#[test]
fn every_list_may_be_a_string() {
    let one = policy(
        Resource,
        json!({"Action": "s3:a", "Resource": "arn:aws:s3:::b", "Principal": {"AWS": "123456789012"},
        "Condition": {"StringEquals": {"aws:username": "x"}}}),
    );
    let lists = policy(
        Resource,
        json!({"Action": ["s3:a"], "Resource": ["arn:aws:s3:::b"], "Principal": {"AWS": ["123456789012"]},
        "Condition": {"StringEquals": {"aws:username": ["x"]}}}),
    );
    assert_eq!(read(&one, Resource), read(&lists, Resource));
}

#[test]
fn the_order_of_elements_does_not_matter() {
    let (a, b) = (
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:a","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"},"StringLike":{"b:c":"d","a:b":"c"}}}]}"#,
        r#"{"Statement":[{"Condition":{"StringLike":{"a:b":"c","b:c":"d"},"Bool":{"aws:SecureTransport":"true"}},"Resource":"*","Action":"s3:a","Effect":"Allow"}],"Version":"2012-10-17"}"#,
    );
    assert_eq!(
        Document::parse(a, Identity).unwrap(),
        Document::parse(b, Identity).unwrap()
    );
}

#[test]
fn white_space_is_not_counted_in_the_size() {
    let value = policy(Identity, json!({"Resource": ["arn:aws:s3:::b/ c"]}));
    let spread = serde_json::to_string_pretty(&value).unwrap();
    let document = Document::parse(&spread, Identity).unwrap();
    assert_eq!(document.size(), read(&value, Identity).size());
    assert!(document.size() < spread.len() && document.to_json().contains("b/ c"));
}

#[test]
fn condition_values_may_be_numbers_and_booleans_and_lose_nothing() {
    for (operator, text, read_as) in [
        ("NumericEquals", "18446744073709551615", "18446744073709551615"),
        ("NumericEquals", "-9223372036854775808", "-9223372036854775808"),
        ("NumericEquals", "0.1", "0.1"),
        ("NumericEquals", "2.50", "2.5"),
        ("NumericEquals", "1e2", "100.0"),
        ("DateEquals", "1700000000", "1700000000"),
        ("Bool", "true", "true"),
        ("StringEquals", "false", "false"),
        ("Null", "false", "false"),
    ] {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"s3:a","Resource":"*","Condition":{{"{operator}":{{"a:b":{text}}}}}}}}}"#
        );
        // Two of the numbers have more digits than the engine compares.
        match Document::parse(&text, Identity) {
            Ok(document) => assert_eq!(document.statements()[0].conditions[0].values, [read_as]),
            Err(errors) => assert_eq!(errors.as_slice()[0].code(), Code::InvalidNumber, "{errors}"),
        }
    }
    for number in [
        "0.30000000000000004441",
        "1.0000000000000000000001",
        "123456789012345678901",
        "12345678901234567e-1",
    ] {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"s3:a","Resource":"*","Condition":{{"NumericEquals":{{"a:b":{number}}}}}}}}}"#
        );
        let errors = Document::parse(&text, Identity).expect_err("accepted");
        assert_eq!(errors.as_slice()[0].code(), Code::UnquotedNumber, "{errors}");
    }
}

#[test]
fn digits_inside_of_strings_are_no_numbers() {
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:a","Resource":"arn:aws:s3:::b\"12345678901234567890.5","Condition":{"NumericEquals":{"a:b":0.5}}}}"#;
    Document::parse(text, Identity).unwrap();
}

#[test]
fn an_action_is_kept_as_spelled_and_compared_without_case() {
    let spelled = read(
        &policy(Identity, json!({"Action": ["S3:getOBJECT", "EC2:*", "*"]})),
        Identity,
    );
    let ActionElement::Action(actions) = &spelled.statements()[0].action else {
        panic!("an Action");
    };
    assert_eq!(actions, &["S3:getOBJECT", "EC2:*", "*"]);
    let lower = read(
        &policy(Identity, json!({"Action": ["s3:getobject", "ec2:*", "*"]})),
        Identity,
    );
    assert!(spelled.semantically_eq(&lower));
}

#[test]
fn resources_may_have_wildcards_in_their_type() {
    for text in [
        "arn:aws:ec2:*:*:*/*",
        "arn:aws:elasticloadbalancing:*:*:*/*",
        "arn:aws:s3:::*",
        "arn:*:s3:::b",
        "arn:aws:sns:us-east-1:*:*",
        "arn:aws-us-gov:iam::123456789012:role/?",
        "arn:aws:s3:::b*",
        "arn:aws:s3:us-east-?::b",
        "arn:aws:s3::12*:b",
        "arn:aws*:s3:::b",
    ] {
        read(&policy(Identity, json!({ "Resource": text })), Identity);
    }
}

#[test]
fn negations_are_read_as_such() {
    let value = json!({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "NotAction": "s3:a", "NotResource": "arn:aws:s3:::b",
        "NotPrincipal": {"AWS": "123456789012"}}});
    let document = read(&value, Resource);
    let statement = &document.statements()[0];
    assert!(matches!(&statement.action, ActionElement::NotAction(list) if list == &["s3:a"]));
    assert!(
        matches!(&statement.resource, Some(ResourceElement::NotResource(list)) if list == &["arn:aws:s3:::b"])
    );
    assert!(matches!(
        &statement.principal,
        Some(PrincipalElement::NotPrincipal(Principal::Listed { .. }))
    ));
}

#[test]
fn who_may_stand_where() {
    let principal = json!({"AWS": "123456789012"});
    for kind in ALL_KINDS {
        let with = policy(kind, json!({ "Principal": principal }));
        match kind {
            Resource | Trust => drop(read(&with, kind)),
            ResourceControl => assert_eq!(refused(&with, kind), Code::InvalidPrincipal),
            _ => assert_eq!(refused(&with, kind), Code::PrincipalNotAllowed),
        }
        let mut without = policy(kind, json!({}));
        let statement = without["Statement"][0].as_object_mut().unwrap();
        let had = statement.remove("Principal").is_some();
        if had {
            assert_eq!(refused(&without, kind), Code::MissingElement);
        } else {
            read(&without, kind);
        }
    }
}

#[test]
fn everybody_beside_others_is_everybody() {
    for principal in [
        json!("*"),
        json!({"AWS": "*"}),
        json!({"AWS": ["*"]}),
        json!({"AWS": ["123456789012", "*"]}),
        json!({"AWS": "*", "Service": "ec2.amazonaws.com"}),
    ] {
        let document = read(&policy(Trust, json!({ "Principal": principal })), Trust);
        assert_eq!(
            document.statements()[0].principal,
            Some(PrincipalElement::Principal(Principal::Anyone)),
            "{principal}"
        );
    }
}

#[test]
fn a_provider_is_taken_as_it_stands() {
    for name in [
        "*",
        "arn:aws:iam::<ACCOUNT ID>:oidc-provider/MyProvider",
        "accounts.google.com",
        "graph.facebook.com",
    ] {
        let document = read(&policy(Trust, json!({"Principal": {"Federated": name}})), Trust);
        assert_eq!(
            document.statements()[0].principal,
            Some(PrincipalElement::Principal(Principal::federated([name])))
        );
    }
    let partial = policy(
        Trust,
        json!({"Principal": {"Federated": "arn:aws:iam::*:oidc-provider/p"}}),
    );
    assert_eq!(refused(&partial, Trust), Code::WildcardInPrincipal);
}

#[test]
fn only_awss_own_resource_control_policy_allows() {
    let full = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}});
    read(&full, ResourceControl);
    for (name, value) in [
        ("Action", json!("s3:*")),
        ("Resource", json!("arn:aws:s3:::b")),
        ("Condition", json!({"Bool": {"aws:SecureTransport": "true"}})),
    ] {
        let mut less = full.clone();
        less["Statement"][name] = value;
        assert_eq!(refused(&less, ResourceControl), Code::RcpAllow);
    }
}

#[test]
fn every_operator_takes_if_exists_and_set_operators_but_null() {
    let value_of = |test: Test| match test.as_str() {
        name if name.starts_with("String") => "x",
        name if name.starts_with("Numeric") => "1",
        name if name.starts_with("Date") => "2020-01-01T00:00:00Z",
        name if name.starts_with("Arn") => "arn:aws:iam::*:role/*",
        "BinaryEquals" => "QmluYXJ5",
        "IpAddress" | "NotIpAddress" => "203.0.113.0/24",
        _ => "true",
    };
    for test in Test::ALL.iter().copied() {
        for set in [
            None,
            Some(SetOperator::ForAllValues),
            Some(SetOperator::ForAnyValue),
        ] {
            for if_exists in [false, true] {
                let operator = Operator { set, test, if_exists };
                let value = condition(Identity, json!({operator.to_string(): {"x:y": value_of(test)}}));
                if test == Test::Null && (set.is_some() || if_exists) {
                    assert_eq!(refused(&value, Identity), Code::NullModifier);
                } else {
                    assert_eq!(
                        read(&value, Identity).statements()[0].conditions[0].operator,
                        operator
                    );
                }
            }
        }
    }
}

#[test]
fn dates_and_addresses_have_the_forms_of_the_guide() {
    for date in [
        "2020-01",
        "2020-01-01",
        "2020-01-01T00:00Z",
        "2020-01-01T00:00:00.5+09:00",
        "1577836800",
    ] {
        read(
            &condition(Identity, json!({"DateLessThan": {"aws:CurrentTime": date}})),
            Identity,
        );
    }
    // AWS documents both notations, and no rule which of them four digits are.
    let year = condition(Identity, json!({"DateLessThan": {"aws:CurrentTime": "2020"}}));
    let refused = Document::from_value(&year, Identity).unwrap_err().to_string();
    assert!(refused.contains("write 2020-01-01"), "{refused}");
    for address in ["203.0.113.0/24", "203.0.113.7", "2001:db8::/32", "2001:db8::1"] {
        read(
            &condition(Identity, json!({"IpAddress": {"aws:SourceIp": address}})),
            Identity,
        );
    }
}

#[test]
fn variables_stand_where_aws_expands_them() {
    for good in [
        "${aws:username}",
        "${AWS:UserName}",
        "${aws:PrincipalTag/a b, 'c d'}",
        "${*}${?}${$}",
        "$",
        "{}",
        "a$b",
    ] {
        read(
            &policy(Identity, json!({"Resource": format!("arn:aws:s3:::b/{good}")})),
            Identity,
        );
        read(
            &condition(Identity, json!({"StringLike": {"x:y": good}})),
            Identity,
        );
        read(
            &condition(Identity, json!({"StringEquals": {"x:y": good}})),
            Identity,
        );
        read(
            &condition(
                Identity,
                json!({"ArnLike": {"x:y": format!("arn:aws:s3:::{good}")}}),
            ),
            Identity,
        );
    }
    for operator in [
        "NumericEquals",
        "DateEquals",
        "IpAddress",
        "BinaryEquals",
        "Null",
        "Bool",
    ] {
        let code = refused(
            &condition(Identity, json!({operator: {"x:y": "${aws:username}"}})),
            Identity,
        );
        let wanted = if operator == "Bool" {
            Code::VariableInBool
        } else {
            Code::VariableInTypedValue
        };
        assert_eq!(code, wanted, "{operator}");
    }
    for key in ["aws:TagKeys", "dynamodb:LeadingKeys", "AWS:CALLEDVIA"] {
        let value = policy(
            Identity,
            json!({"Resource": format!("arn:aws:s3:::b/${{{key}}}")}),
        );
        assert_eq!(refused(&value, Identity), Code::VariableOfListKey, "{key}");
    }
}

#[test]
fn the_tag_after_the_slash_has_no_case_either() {
    let twice = condition(
        Identity,
        json!({"StringEquals": {"aws:PrincipalTag/Team": "a", "aws:principaltag/team": "b"}}),
    );
    assert_eq!(refused(&twice, Identity), Code::DuplicateKey);
}

#[test]
fn an_empty_value_is_a_value_and_no_value_is_none() {
    read(
        &condition(Identity, json!({"StringEquals": {"x:y": ""}})),
        Identity,
    );
    read(
        &condition(Identity, json!({"StringEquals": {"x:y": [""]}})),
        Identity,
    );
    let none = condition(Identity, json!({"StringEquals": {"x:y": []}}));
    let none = read(&none, Identity);
    assert!(none.statements()[0].conditions[0].values.is_empty());
}
