//! The names of refusals and warnings, what is suggested instead, and where in the source they point: contracts.

#![expect(clippy::string_slice, reason = "helpers of tests")]

use std::collections::BTreeSet;

use deputy_policy::{Code, Document, Lint, PolicyKind, Severity, lint};

/// Every finding on a text: of a refused document the refusals, else the warnings.
fn findings(text: &str, kind: PolicyKind) -> Vec<Lint> {
    match Document::parse(text, kind) {
        Ok(document) => lint(&document, Some(text)),
        Err(problems) => problems.iter().map(Lint::from).collect(),
    }
}

/// An identity policy of one statement with these elements.
fn policy(elements: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{{{elements}}}]}}"#)
}

fn allow(elements: &str) -> String {
    policy(&format!(r#""Effect":"Allow",{elements}"#))
}

fn action(text: &str) -> String {
    allow(&format!(r#""Action":"{text}","Resource":"*""#))
}

fn resource(text: &str) -> String {
    allow(&format!(r#""Action":"s3:GetObject","Resource":"{text}""#))
}

fn condition(text: &str) -> String {
    allow(&format!(
        r#""Action":"s3:ListBucket","Resource":"*","Condition":{{{text}}}"#
    ))
}

fn principal(text: &str) -> String {
    allow(&format!(
        r#""Action":"sts:AssumeRole","Principal":{text},"Condition":{{"StringEquals":{{"sts:ExternalId":"x"}}}}"#
    ))
}

#[rustfmt::skip] // A table.
fn cases() -> Vec<(
    &'static str,
    PolicyKind,
    String,
    Option<&'static str>,
    &'static str,
)> {
    use PolicyKind::{Boundary, Identity, Resource, ResourceControl, ServiceControl, Trust};
    let rcp = |elements: &str| {
        policy(&format!(
            r#""Effect":"Deny","Principal":"*","Resource":"*",{elements}"#
        ))
    };
    let bucket = |elements: &str| policy(&format!(r#""Action":"s3:GetObject","Resource":"*",{elements}"#));
    // The name, the kind, the document, what is suggested, and the text that the span covers.
    vec![
        ("not-json", Identity, r#"{"Version":"2012-10-17",}"#.into(), None, "}"),
        ("duplicate-key", Identity, policy(r#""Effect":"Deny","Effect":"Allow","Action":"s3:GetObject","Resource":"*""#), None, "\"Effect\""),
        ("duplicate-key", Identity, condition(r#""Bool":{"aws:SecureTransport":"true","AWS:SecureTransport":"false"}"#), None, "\"aws:SecureTransport\""),
        ("unknown-element", Identity, policy(r#""effect":"Allow","Effect":"Allow","Action":"s3:GetObject","Resource":"*""#), Some("Effect"), "\"effect\""),
        ("missing-element", Identity, policy(r#""Effect":"Allow","Resource":"*""#), None, "{"),
        ("exclusive-elements", Identity, allow(r#""Action":"s3:GetObject","NotAction":"s3:GetObject","Resource":"*""#), None, r#"{"Effect":"Allow","Action":"s3:GetObject","NotAction":"s3:GetObject","Resource":"*"}"#),
        ("principal-not-allowed", Identity, bucket(r#""Effect":"Allow","Principal":"*""#), None, "\"Principal\""),
        ("principal-not-allowed", ServiceControl, bucket(r#""Effect":"Deny","Principal":"*""#), None, "\"Principal\""),
        ("resource-not-allowed", Trust, bucket(r#""Effect":"Allow","Principal":{"AWS":"123456789012"}"#), None, "\"Resource\""),
        ("not-principal-not-allowed", Trust, policy(r#""Effect":"Deny","Action":"sts:AssumeRole","NotPrincipal":{"AWS":"123456789012"}"#), None, "\"NotPrincipal\""),
        ("not-principal-with-allow", Resource, bucket(r#""Effect":"Allow","NotPrincipal":{"AWS":"123456789012"}"#), None, "\"NotPrincipal\""),
        ("not-action-not-allowed", ResourceControl, rcp(r#""NotAction":"s3:GetObject""#), None, "\"NotAction\""),
        ("rcp-allow", ResourceControl, bucket(r#""Effect":"Allow","Principal":"*""#), None, "\"Allow\""),
        ("invalid-principal", ResourceControl, bucket(r#""Effect":"Deny","Principal":{"AWS":"123456789012"}"#), None, r#"{"AWS":"123456789012"}"#),
        ("empty-element", Identity, allow(r#""Action":[],"Resource":"*""#), None, "[]"),
        ("empty-element", Trust, principal("{}"), None, "{}"),
        ("empty-condition-values", Identity, condition(r#""StringEquals":{"aws:username":[]}"#), None, "[]"),
        ("wrong-type", Identity, allow(r#""Action":7,"Resource":"*""#), None, "7"),
        ("wrong-type", Identity, condition(r#""Bool":{"aws:SecureTransport":null}"#), None, "null"),
        ("invalid-effect", Identity, policy(r#""Effect":"denY","Action":"s3:GetObject","Resource":"*""#), Some("Deny"), "\"denY\""),
        ("version-missing", Identity, r#"{"Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}}"#.into(), None, "{"),
        ("version-unsupported", Identity, action("s3:GetObject").replace("2012", "2008"), Some("2012-10-17"), "\"2008-10-17\""),
        ("version-unsupported", ResourceControl, rcp(r#""Action":"s3:*""#).replace("2012", "2008"), Some("2012-10-17"), "\"2008-10-17\""),
        ("sid-characters", Identity, allow(r#""Sid":"a b","Action":"s3:GetObject","Resource":"*""#), None, "\"a b\""),
        ("forbidden-character", Identity, resource("arn:aws:s3:::b/\u{200b}"), None, "\"arn:aws:s3:::b/\u{200b}\""),
        ("invalid-action", Identity, action("GetObject"), None, "\"GetObject\""),
        ("invalid-action", Identity, action("s3:"), None, "\"s3:\""),
        ("action-characters", Identity, action("s3:Get Object"), None, "\"s3:Get Object\""),
        ("action-characters", Identity, action(" s3:GetObject"), Some("s3:GetObject"), "\" s3:GetObject\""),
        ("action-star-colon-star", Identity, action("*:*"), Some("*"), "\"*:*\""),
        ("wildcard-in-service", Identity, action("s*:GetObject"), None, "\"s*:GetObject\""),
        ("wildcard-in-service", Identity, resource("arn:aws:s*:::b"), None, "\"arn:aws:s*:::b\""),
        ("variable-in-action", Identity, action("s3:${aws:username}"), None, "\"s3:${aws:username}\""),
        ("invalid-resource", Identity, resource("bucket"), None, "\"bucket\""),
        ("invalid-resource", Identity, resource("ARN:aws:s3:::b"), Some("arn:aws:s3:::b"), "\"ARN:aws:s3:::b\""),
        ("short-arn", Identity, resource("s3:::b"), Some("arn:aws:s3:::b"), "\"s3:::b\""),
        ("short-arn", Identity, resource("aws:s3:::b/*"), Some("arn:aws:s3:::b/*"), "\"aws:s3:::b/*\""),
        ("short-arn", Identity, resource("arn:s3:::b"), Some("arn:aws:s3:::b"), "\"arn:s3:::b\""),
        ("short-arn", Identity, resource("arn:aws:s3:b"), None, "\"arn:aws:s3:b\""),
        ("empty-arn-part", Identity, resource("arn::s3:::b"), None, "\"arn::s3:::b\""),
        ("variable-in-arn-head", Identity, resource("arn:aws:s3::${aws:username}:b"), None, "\"arn:aws:s3::${aws:username}:b\""),
        ("variable-in-account", Identity, resource("arn:aws:sqs:*:${aws:PrincipalAccount}:q"), None, "\"arn:aws:sqs:*:${aws:PrincipalAccount}:q\""),
        ("variable-in-not-resource", Identity, policy(r#""Effect":"Deny","Action":"s3:GetObject","NotResource":"arn:aws:s3:::${aws:username}""#), None, "\"arn:aws:s3:::${aws:username}\""),
        ("invalid-variable", Identity, resource("arn:aws:s3:::${aws:username"), None, "\"arn:aws:s3:::${aws:username\""),
        ("invalid-variable", Identity, condition(r#""StringLike":{"s3:prefix":"${username}"}"#), None, "\"${username}\""),
        ("variable-of-list-key", Identity, resource("arn:aws:s3:::${aws:TagKeys}"), None, "\"arn:aws:s3:::${aws:TagKeys}\""),
        ("variable-in-bool", Identity, condition(r#""Bool":{"aws:SecureTransport":"${aws:ViaAWSService}"}"#), None, "\"${aws:ViaAWSService}\""),
        ("variable-in-typed-value", Identity, condition(r#""IpAddress":{"aws:SourceIp":"${aws:VpcSourceIp}"}"#), None, "\"${aws:VpcSourceIp}\""),
        ("invalid-principal", Trust, principal(r#""123456789012""#), Some(r#"{"AWS": "123456789012"}"#), "\"123456789012\""),
        ("invalid-principal", Trust, principal(r#"{"AWS":["12345678901"]}"#), None, "\"12345678901\""),
        ("wildcard-in-principal", Trust, principal(r#"{"AWS":"arn:aws:iam::123456789012:role/*"}"#), None, "\"arn:aws:iam::123456789012:role/*\""),
        ("unknown-operator", Identity, condition(r#""stringequalsIfExists":{"aws:username":"a"}"#), Some("StringEqualsIfExists"), "\"stringequalsIfExists\""),
        ("unknown-operator", Identity, condition(r#""forallvalues:StringLike":{"aws:TagKeys":"a"}"#), Some("ForAllValues:StringLike"), "\"forallvalues:StringLike\""),
        ("unknown-operator", Identity, condition(r#""StringEqual":{"aws:username":"a"}"#), None, "\"StringEqual\""),
        ("null-modifier", Identity, condition(r#""NullIfExists":{"aws:username":"true"}"#), Some("Null"), "\"NullIfExists\""),
        ("invalid-condition-key", Identity, condition(r#""StringEquals":{"username":"a"}"#), None, "\"username\""),
        ("plain-operator-on-list-key", Identity, condition(r#""StringEquals":{"aws:TagKeys":"a"}"#), None, "\"aws:TagKeys\""),
        ("unquoted-number", Identity, condition(r#""StringEquals":{"aws:SourceAccount":123456789012}"#), Some("\"123456789012\""), "123456789012"),
        ("unquoted-number", Identity, condition(r#""StringEquals":{"aws:SourceAccount":12345678901}"#), None, "12345678901"),
        ("unquoted-number", Identity, condition(r#""NumericEquals":{"s3:max-keys":0.12345678901234567}"#), Some("\"0.12345678901234567\""), "0.12345678901234567"),
        ("unquoted-number", Identity, condition(r#""StringEquals":{"aws:SourceAccount":1.23456789012e+11}"#), Some("\"123456789012\""), "1.23456789012e+11"),
        ("invalid-number", Identity, condition(r#""NumericEquals":{"s3:max-keys":"1e3"}"#), None, "\"1e3\""),
        ("invalid-date", Identity, condition(r#""DateLessThan":{"aws:CurrentTime":"2023-02-29"}"#), None, "\"2023-02-29\""),
        ("invalid-bool", Identity, condition(r#""Bool":{"aws:SecureTransport":"True "}"#), Some("true"), "\"True \""),
        ("invalid-bool", Identity, condition(r#""Null":{"aws:username":"no"}"#), None, "\"no\""),
        ("invalid-binary", Identity, condition(r#""BinaryEquals":{"a:b":"???"}"#), None, "\"???\""),
        ("invalid-address", Identity, condition(r#""IpAddress":{"aws:SourceIp":"10.0.0.0/33"}"#), None, "\"10.0.0.0/33\""),
        ("invalid-arn-value", Identity, condition(r#""ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*"}"#), None, "\"arn:aws:iam::*\""),
        // Warnings.
        ("escalation", Boundary, action("iam:CreateRole"), None, "\"iam:CreateRole\""),
        ("open-tag", Boundary, resource("arn:aws:s3:::b/${aws:PrincipalTag/deputy-namespace}*"), None, "\"arn:aws:s3:::b/${aws:PrincipalTag/deputy-namespace}*\""),
        ("tag-variable", Boundary, resource("arn:aws:s3:::${aws:PrincipalTag/team}"), None, "\"arn:aws:s3:::${aws:PrincipalTag/team}\""),
        ("never-matches", Identity, condition(r#""StringEquals":{"aws:username":"a"},"StringLike":{"aws:username":"b*"}"#), None, r#"{"StringEquals":{"aws:username":"a"},"StringLike":{"aws:username":"b*"}}"#),
        ("never-matches", Identity, condition(r#""Null":{"s3:prefix":"true"},"StringEquals":{"s3:prefix":"b"}"#), None, r#"{"Null":{"s3:prefix":"true"},"StringEquals":{"s3:prefix":"b"}}"#),
        ("redundant-pattern", Identity, allow(r#""Action":["s3:GetObject","s3:Get*","S3:get*"],"Resource":"*""#), None, "\"s3:GetObject\""),
        ("redundant-pattern", Identity, allow(r#""Action":"s3:GetObject","Resource":["arn:aws:s3:::b/*","arn:aws:s3:::b/a?c*"]"#), None, "\"arn:aws:s3:::b/a?c*\""),
        ("not-principal-without-parents", Resource, bucket(r#""Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::123456789012:user/bob"}"#), None, "\"arn:aws:iam::123456789012:user/bob\""),
        ("allow-not-action", Identity, allow(r#""NotAction":"iam:*","Resource":"*""#), None, "\"NotAction\""),
        ("allow-not-resource", Identity, allow(r#""Action":"s3:GetObject","NotResource":"arn:aws:s3:::b/*""#), None, "\"NotResource\""),
        ("allow-anyone", Resource, bucket(r#""Effect":"Allow","Principal":{"AWS":"*"}"#), None, r#"{"AWS":"*"}"#),
        ("allow-anyone", Trust, allow(r#""Action":"sts:AssumeRoleWithSAML","Principal":{"Federated":"*"}"#), None, "\"*\""),
        ("deleted-principal", Trust, principal(r#"{"AWS":"AROAEXAMPLEEXAMPLEEXA"}"#), None, "\"AROAEXAMPLEEXAMPLEEXA\""),
        ("placeholder-principal", Trust, principal(r#"{"Federated":"arn:aws:iam::<ACCOUNT ID>:oidc-provider/MyProvider"}"#), None, "\"arn:aws:iam::<ACCOUNT ID>:oidc-provider/MyProvider\""),
        ("variable-in-2008", Resource, bucket(r#""Effect":"Deny","Principal":"*""#).replace("2012", "2008").replace("\"Resource\":\"*\"", "\"Resource\":\"arn:aws:s3:::${aws:username}\""), None, "\"arn:aws:s3:::${aws:username}\""),
        ("variable-may-hold-wildcards", Identity, resource("arn:aws:s3:::${aws:RequestTag/team}"), None, "\"arn:aws:s3:::${aws:RequestTag/team}\""),
        ("variable-may-hold-wildcards", Identity, condition(r#""StringLike":{"s3:prefix":"${saml:sub}/*"}"#), None, "\"${saml:sub}/*\""),
        ("wildcard-in-equals", Identity, condition(r#""StringEquals":{"s3:prefix":"home/*"}"#), None, "\"home/*\""),
        ("for-all-values-without-null", Identity, condition(r#""ForAllValues:StringEquals":{"aws:TagKeys":"a"}"#), None, "\"aws:TagKeys\""),
        ("negated-operator-on-absent-key", Identity, condition(r#""StringNotEquals":{"s3:prefix":"a"}"#), None, "\"s3:prefix\""),
        ("negated-for-any-value", Identity, condition(r#""ForAnyValue:StringNotEquals":{"aws:TagKeys":"a"}"#), None, "\"aws:TagKeys\""),
        ("for-any-value-if-exists", Identity, condition(r#""ForAnyValue:StringLikeIfExists":{"aws:TagKeys":"a"}"#), None, "\"aws:TagKeys\""),
        ("redundant-if-exists", Identity, condition(r#""StringNotEqualsIfExists":{"s3:prefix":"a"}"#), Some("StringNotEquals"), "\"s3:prefix\""),
        ("plain-operator-on-list-key", Identity, condition(r#""StringEquals":{"dynamodb:LeadingKeys":"a"}"#), None, "\"dynamodb:LeadingKeys\""),
        ("operator-type-mismatch", Identity, condition(r#""StringEquals":{"aws:SourceIp":"10.0.0.0/8"}"#), None, "\"aws:SourceIp\""),
        ("operator-type-mismatch", Identity, condition(r#""NumericEquals":{"aws:CurrentTime":"1"}"#), None, "\"aws:CurrentTime\""),
        ("helm-number", Identity, condition(r#""StringEquals":{"aws:SourceAccount":"1.23456789012e+11"}"#), Some("123456789012"), "\"1.23456789012e+11\""),
        ("helm-number", Identity, condition(r#""StringEquals":{"aws:SourceAccount":["x","1.2345678901e+10"]}"#), None, "\"1.2345678901e+10\""),
        ("helm-number", Identity, resource("arn:aws:sqs:eu-west-1:1.23456789012e+11:q"), Some("arn:aws:sqs:eu-west-1:123456789012:q"), "\"arn:aws:sqs:eu-west-1:1.23456789012e+11:q\""),
        ("unknown-action", Identity, action("s3:HeadObject"), Some("s3:GetObject"), "\"s3:HeadObject\""),
        ("unknown-action", Identity, action("s3:Head*"), None, "\"s3:Head*\""),
        ("unknown-service", Identity, action("efs:ClientMount"), Some("elasticfilesystem:ClientMount"), "\"efs:ClientMount\""),
        ("action-without-resource", Identity, allow(r#""Action":["s3:GetObject","s3:ListBucket"],"Resource":"arn:aws:s3:::b/*""#), None, "\"s3:ListBucket\""),
        ("unknown-condition-key", Identity, condition(r#""StringEquals":{"s3:prefx":"a"}"#), Some("s3:prefix"), "\"s3:prefx\""),
        ("unknown-condition-key", Identity, condition(r#""StringEquals":{"aws:SourceAccounts":"1"}"#), Some("aws:sourceaccount"), "\"aws:SourceAccounts\""),
        ("variable-of-unknown-key", Identity, resource("arn:aws:s3:::b/${aws:usrname}"), None, "\"arn:aws:s3:::b/${aws:usrname}\""),
        ("condition-key-of-other-action", Identity, condition(r#""Null":{"s3:VersionId":"false"}"#), None, "\"s3:VersionId\""),
        ("template-syntax", Identity, resource("arn:aws:s3:::b/&{aws:username}"), Some("arn:aws:s3:::b/${aws:username}"), "\"arn:aws:s3:::b/&{aws:username}\""),
        ("address-bits-beyond-prefix", Identity, condition(r#""IpAddress":{"aws:SourceIp":"10.1.2.3/8"}"#), Some("10.0.0.0/8"), "\"10.1.2.3/8\""),
    ]
}

#[test]
fn every_construct_has_its_name_its_rewrite_and_its_place() {
    for (code, kind, text, suggestion, place) in cases() {
        let found = findings(&text, kind);
        let codes: Vec<_> = found.iter().map(|f| f.code.as_str()).collect();
        let first = found.iter().find(|f| f.code.as_str() == code);
        let first = first.unwrap_or_else(|| panic!("{text}: not {code} but {codes:?}"));
        assert_eq!(first.suggestion.as_deref(), suggestion, "{code}: {text}");
        let span = first
            .span
            .clone()
            .unwrap_or_else(|| panic!("{code} has no place in {text}"));
        assert_eq!(&text[span], place, "{code}: {text}");
        assert!(!first.message.is_empty());
        if first.severity() == Severity::Error {
            assert_eq!(codes, [code], "{text}: said once");
        }
    }
}

#[test]
fn every_name_has_a_case() {
    // Too large for a table; see below.
    let others = ["too-large", "too-many-problems", "duplicate-sid"];
    let shown: BTreeSet<&str> = cases().iter().map(|case| case.0).chain(others).collect();
    let all: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(shown, all);
    assert_eq!(all.len(), Code::ALL.len(), "no name twice");
}

#[test]
fn what_is_too_large_is_named() {
    let first = |text: &str| findings(text, PolicyKind::Identity).first().unwrap().code;
    assert_eq!(first(&action(&"x".repeat(262_144))), Code::TooLarge);
    let same = r#"{"Sid":"a","Effect":"Allow","Action":"s3:GetObject","Resource":"*"}"#;
    assert_eq!(
        first(&format!(
            r#"{{"Version":"2012-10-17","Statement":[{same},{same}]}}"#
        )),
        Code::DuplicateSid
    );
    let bad = vec![r#""x""#; 100].join(",");
    let found = findings(
        &allow(&format!(r#""Action":[{bad}],"Resource":"*""#)),
        PolicyKind::Identity,
    );
    assert_eq!(found.last().unwrap().code, Code::TooManyProblems);
    assert_eq!(found.last().unwrap().span, None, "it is about the whole");
}

#[test]
fn what_is_suggested_is_accepted() {
    for (code, kind, text, suggestion, place) in cases() {
        let Some(suggestion) = suggestion else { continue };
        // In the place of a string stands a string, unless the suggestion brings its own quotes.
        let whole = suggestion.starts_with(['{', '"']);
        let new = if whole {
            suggestion.to_owned()
        } else {
            format!("\"{suggestion}\"")
        };
        let (old, new) = match code {
            // It points at the key, under an operator that the suggestion replaces.
            "redundant-if-exists" => ("\"StringNotEqualsIfExists\"", "\"StringNotEquals\"".to_owned()),
            "null-modifier" | "unknown-element" => continue,
            _ => (place, new),
        };
        let corrected = text.replacen(old, &new, 1);
        let found = findings(&corrected, kind);
        assert!(
            found.iter().all(|f| f.code.as_str() != code),
            "{corrected}: {found:?}"
        );
        assert!(
            Document::parse(&corrected, kind).is_ok(),
            "{corrected}: {found:?}"
        );
    }
}

#[test]
fn sound_documents_have_no_warnings() {
    let sound = [
        (PolicyKind::Identity, resource("arn:aws:s3:::b/${aws:username}/*")),
        (
            PolicyKind::Identity,
            resource("arn:aws:s3:::b/${aws:PrincipalTag/team}/*"),
        ),
        (
            PolicyKind::Identity,
            condition(r#""StringNotEquals":{"aws:RequestedRegion":"us-east-1"}"#),
        ),
        (
            PolicyKind::Identity,
            condition(r#""StringNotEquals":{"s3:prefix":"a"},"Null":{"s3:prefix":"false"}"#),
        ),
        (
            PolicyKind::Identity,
            condition(r#""ForAllValues:StringEquals":{"aws:TagKeys":"a"},"Null":{"aws:TagKeys":"false"}"#),
        ),
        (
            PolicyKind::Identity,
            condition(
                r#""ForAllValues:StringLike":{"aws:TagKeys":"a*"},"ForAnyValue:StringLike":{"aws:TagKeys":"*"}"#,
            ),
        ),
        (
            PolicyKind::Identity,
            condition(
                r#""StringEquals":{"s3:prefix":"${*}"},"IpAddress":{"aws:SourceIp":["10.0.0.0/8","2001:db8::1"]}"#,
            ),
        ),
        (
            PolicyKind::Identity,
            condition(
                r#""ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/a"},"DateLessThan":{"aws:EpochTime":"1700000000"}"#,
            ),
        ),
        (
            PolicyKind::Identity,
            policy(
                r#""Effect":"Deny","NotAction":"sts:*","NotResource":"arn:aws:s3:::b","Condition":{"StringNotEquals":{"aws:SourceVpc":"vpc-1"}}"#,
            ),
        ),
        (
            PolicyKind::Boundary,
            allow(r#""NotAction":"iam:*","NotResource":"arn:aws:iam::*:role/a""#),
        ),
        (
            PolicyKind::Trust,
            principal(r#"{"AWS":"*","Service":"ec2.amazonaws.com"}"#),
        ),
        (
            PolicyKind::Trust,
            principal(
                r#"{"Federated":["cognito-identity.amazonaws.com","arn:aws:iam::123456789012:saml-provider/p"]}"#,
            ),
        ),
        (
            PolicyKind::ResourceControl,
            policy(r#""Effect":"Allow","Principal":"*","Action":"*","Resource":"*""#),
        ),
        (
            PolicyKind::ServiceControl,
            policy(
                r#""Effect":"Deny","NotAction":["sts:*","iam:Get*"],"NotResource":"arn:aws:s3:::b/*/c","Condition":{"StringNotLike":{"aws:PrincipalArn":"arn:*"}}"#,
            ),
        ),
    ];
    for (kind, text) in sound {
        let found: Vec<_> = findings(&text, kind)
            .into_iter()
            .filter(|f| !matches!(f.code, Code::AllowAnyone | Code::Escalation))
            .collect();
        assert_eq!(found, [], "{text}");
    }
}

#[test]
fn spans_point_into_files_of_many_lines() {
    let text = "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": {\n    \"Effect\": \"Allow\",\n    \"Action\": [\n      \"s3:GetObject\", // no\n";
    let found = findings(text, PolicyKind::Identity);
    let span = found[0].span.clone().unwrap();
    assert_eq!(text[..span.start].lines().count(), 6, "{found:?}");
    let text = "{\r\n\t\"Version\" : \"2012-10-17\",\r\n\t\"Statement\" : {\r\n\t\t\"Effect\" : \"Allow\", \"Action\" : \"s3:GetObject\",\r\n\t\t\"Resource\" : [ \"arn:aws:s3:::é\",\r\n\t\t\t\"s3:::b\" ],\r\n\t\t\"Condition\" : {\"StringLike\" : {\"s3:prefix\" : [\"a\", \"${x\"]}}\r\n\t}\r\n}";
    let found = findings(text, PolicyKind::Identity);
    let shown: Vec<_> = found
        .iter()
        .map(|f| (f.path.as_str(), &text[f.span.clone().unwrap()]))
        .collect();
    assert_eq!(
        shown,
        [
            ("Statement[0].Resource[1]", "\"s3:::b\""),
            ("Statement[0].Condition.StringLike.s3:prefix[1]", "\"${x\""),
        ]
    );
}

#[test]
fn a_document_that_was_never_text_has_no_places() {
    let value = serde_json::json!({"Version": "2012-10-17", "Statement": {"Effect": "allow", "Action": "s3:*", "Resource": "*"}});
    let problems = Document::from_value(&value, PolicyKind::Identity).unwrap_err();
    assert_eq!(problems.as_slice()[0].span(), None);
    assert_eq!(problems.as_slice()[0].suggestion(), Some("Allow"));
}

#[test]
fn large_lists_are_linted_in_bounded_time() {
    let actions: Vec<String> = (0..4000).map(|n| format!("\"s3:*a{n}x*b*\"")).collect();
    let text = allow(&format!(r#""Action":[{}],"Resource":"*""#, actions.join(",")));
    // Patterns that include each other are not looked for without end; that nothing matches them is said.
    let found = findings(&text, PolicyKind::Identity);
    assert!(found.iter().all(|f| f.code == Code::UnknownAction), "{found:?}");
    assert_eq!(found.len(), 4000);
    let statement = r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"s3:prefix":"a"},"StringLike":{"s3:prefix":"b*"}}}"#;
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{}]}}"#,
        vec![statement; 700].join(",")
    );
    assert_eq!(findings(&text, PolicyKind::Identity).len(), 700);
}

#[test]
fn the_readme_has_every_name() {
    let readme = include_str!("../README.md");
    let table: Vec<&str> = readme.lines().filter(|line| line.starts_with("| `")).collect();
    let wanted: Vec<String> = Code::ALL
        .iter()
        .map(|c| format!("| `{c}` | {} | {} |", c.severity().as_str(), c.summary()))
        .collect();
    assert_eq!(table, wanted);
}
