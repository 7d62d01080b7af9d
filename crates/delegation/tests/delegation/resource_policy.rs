//! Somebody's policy with one statement of Deputy's in it.

use deputy_delegation::{
    FederatedUserArn, PolicyResource, RoleArn, StatementSid,
    model::StatementGrant,
    naming::statement_sid,
    resource_policy::{GranteeArn, PolicyEdit, PolicyEditError, StatementEdit, WantedStatement},
};
use deputy_policy::PolicyKind;
use proptest::prelude::*;
use serde_json::{Value, json, value::RawValue};

use crate::support::*;

const BUCKET: &str = "arn:aws:s3:::productionapp";
/// As somebody writes it: spaces, an order of his own, a number.
const THEIRS: &str = r#"{ "Sid":"Theirs", "Effect":"Deny","Principal": "*", "Action":"s3:*", "Resource": "arn:aws:s3:::productionapp/*", "Condition": {"NumericLessThan":{"s3:TlsVersion":1.2}} }"#;

/// The Sid of another statement of Deputy's.
const OTHER: &str = "Deputyaaaaaaaaaaaaaaaaaaaaaaaaab";

fn bucket() -> PolicyResource {
    PolicyResource::parse(BUCKET).unwrap()
}

fn sid() -> StatementSid {
    statement_sid(&cluster(), &id("payments", "read"))
}

fn uploader_arn() -> GranteeArn {
    GranteeArn::Role(
        RoleArn::parse("arn:aws:iam::123456789012:role/deputy/prod/deputy.payments.uploader").unwrap(),
    )
}

fn carol() -> GranteeArn {
    GranteeArn::FederatedUser(
        "arn:aws:sts::123456789012:federated-user/Carol"
            .parse::<FederatedUserArn>()
            .unwrap(),
    )
}

fn granting(resource: &PolicyResource, statement: Value, principals: &[GranteeArn]) -> WantedStatement {
    let grant = StatementGrant::new(document(PolicyKind::Identity, json!([statement])), resource).unwrap();
    WantedStatement::new(&sid(), &grant, principals).unwrap().unwrap()
}

fn wanted() -> WantedStatement {
    let statement = allow(
        json!("s3:GetObject"),
        json!("arn:aws:s3:::productionapp/reports/*"),
    );
    granting(&bucket(), statement, &[uploader_arn(), carol()])
}

fn done(
    there: Option<&str>,
    wanted: Option<&WantedStatement>,
    is_owned: bool,
) -> Result<PolicyEdit, PolicyEditError> {
    edit(there, &bucket(), wanted, is_owned)
}

/// `OTHER` is another statement of Deputy's.
fn edit(
    there: Option<&str>,
    resource: &PolicyResource,
    wanted: Option<&WantedStatement>,
    is_owned: bool,
) -> Result<PolicyEdit, PolicyEditError> {
    let edit = StatementEdit {
        resource,
        sid: &sid(),
        wanted,
        is_owned,
        is_own: &|sid| sid == OTHER,
    };
    edit.of(there)
}

fn put(edit: Result<PolicyEdit, PolicyEditError>) -> String {
    match edit.unwrap() {
        PolicyEdit::Put { policy, .. } => policy,
        other => panic!("{other:?}"),
    }
}

fn policy_of(statements: &[&str]) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Id":"x","Statement":[{}]}}"#,
        statements.join(",")
    )
}

/// The text of each statement of a policy.
fn texts(policy: &str) -> Vec<String> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Policy<'a> {
        #[serde(borrow)]
        statement: Vec<&'a RawValue>,
    }
    let policy: Policy<'_> = serde_json::from_str(policy).unwrap();
    policy.statement.iter().map(|raw| raw.get().to_owned()).collect()
}

#[test]
fn where_there_is_no_policy_the_statement_is_all_of_it() {
    let policy: Value = serde_json::from_str(&put(done(None, Some(&wanted()), false))).unwrap();
    assert_eq!(
        policy,
        json!({"Version": "2012-10-17", "Statement": [{
            "Sid": sid().as_str(), "Effect": "Allow",
            "Principal": {"AWS": [uploader_arn().to_string(), carol().to_string()]},
            "Action": "s3:GetObject", "Resource": "arn:aws:s3:::productionapp/reports/*",
        }]})
    );
    assert_eq!(
        done(Some(&policy.to_string()), None, true).unwrap(),
        PolicyEdit::Delete
    );
}

#[test]
fn what_others_wrote_keeps_its_text() {
    let there = policy_of(&[THEIRS]);
    let with = put(done(Some(&there), Some(&wanted()), false));
    assert!(
        with.starts_with(r#"{"Version":"2012-10-17","Id":"x","Statement":["#),
        "{with}"
    );
    assert_eq!(texts(&with)[0], THEIRS);
    assert_eq!(
        done(Some(&with), Some(&wanted()), true).unwrap(),
        PolicyEdit::Nothing
    );
    assert_eq!(put(done(Some(&with), None, true)), there);
}

#[test]
fn a_single_statement_without_a_list_is_kept_too() {
    let there = format!(r#"{{"Version":"2012-10-17","Statement":{THEIRS}}}"#);
    let with = put(done(Some(&there), Some(&wanted()), false));
    assert_eq!(texts(&with)[0], THEIRS);
}

#[test]
fn a_statement_that_somebody_changed_is_found_and_written_in_its_place() {
    let with = put(done(Some(&policy_of(&[THEIRS])), Some(&wanted()), false));
    for (from, to) in [
        ("s3:GetObject", "s3:*"),
        ("federated-user/Carol", "federated-user/Mallory"),
        ("reports/*", "*"),
    ] {
        let changed = with.replacen(from, to, 1);
        match done(Some(&changed), Some(&wanted()), true).unwrap() {
            PolicyEdit::Put { policy, found } => {
                assert_eq!(policy, with, "{from}");
                assert!(found.unwrap().contains(to), "{from}");
            }
            other => panic!("{from}: {other:?}"),
        }
    }
}

#[test]
fn the_order_in_which_aws_returns_a_statement_makes_no_difference() {
    let there = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": ["S3:GetObject"], "Resource": ["arn:aws:s3:::productionapp/reports/*"],
        "Principal": {"AWS": [carol().to_string(), uploader_arn().to_string()]}, "Sid": sid().as_str(),
    }]});
    assert_eq!(
        done(Some(&there.to_string()), Some(&wanted()), false).unwrap(),
        PolicyEdit::Nothing
    );
}

#[test]
fn what_is_somebody_elses_under_the_sid_stays() {
    let theirs = format!(
        r#"{{"Sid":"{}","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"{BUCKET}/*"}}"#,
        sid()
    );
    let there = policy_of(&[&theirs]);
    assert_eq!(
        done(Some(&there), Some(&wanted()), false),
        Err(PolicyEditError::Taken(sid()))
    );
    assert_eq!(done(Some(&there), None, false).unwrap(), PolicyEdit::Nothing);
    // Claimed, it is Deputy's, whatever it says.
    assert_eq!(done(Some(&there), None, true).unwrap(), PolicyEdit::Delete);
}

#[test]
fn a_statement_that_is_there_twice_is_there_once_afterwards() {
    let one = texts(&put(done(None, Some(&wanted()), false))).remove(0);
    let there = policy_of(&[&one, THEIRS, &one]);
    assert_eq!(
        texts(&put(done(Some(&there), Some(&wanted()), true))),
        [one.as_str(), THEIRS]
    );
    assert_eq!(texts(&put(done(Some(&there), None, true))), [THEIRS]);
}

#[test]
fn a_policy_that_cannot_be_read_is_left_alone() {
    for there in [
        "",
        "{}",
        "[]",
        r#"{"Version":"2012-10-17"}"#,
        r#"{"Version":"2012-10-17","Statement":["x"]}"#,
        r#"{"Version":"2012-10-17","Statement":"x"}"#,
        r#"{"Version":"2012-10-17","Statement":[],"Statement":[]}"#,
        r#"{"Version":"2012-10-17","Statement":[],"Extra":1}"#,
        r#"{"version":"2012-10-17","statement":[]}"#,
        r#"{"Version":"2012-10-17","Statement":[]} x"#,
    ] {
        for (wanted, is_owned) in [(Some(wanted()), false), (Some(wanted()), true), (None, true)] {
            let done = done(Some(there), wanted.as_ref(), is_owned);
            assert!(
                matches!(done, Err(PolicyEditError::Unreadable(_))),
                "{there}: {done:?}"
            );
        }
    }
}

#[test]
fn in_the_language_of_2008_a_variable_is_refused_and_all_else_is_written() {
    let variable = allow(
        json!("s3:GetObject"),
        json!("arn:aws:s3:::productionapp/${aws:PrincipalTag/deputy-namespace}/*"),
    );
    let variable = granting(&bucket(), variable, &[carol()]);
    for head in [r#""Version":"2008-10-17","#, ""] {
        let there = format!("{{{head}\"Statement\":[{THEIRS}]}}");
        let refused = done(Some(&there), Some(&variable), false).unwrap_err();
        assert!(matches!(refused, PolicyEditError::Variables { .. }), "{refused}");
        let with = put(done(Some(&there), Some(&wanted()), false));
        assert!(with.starts_with(&format!("{{{head}\"Statement\"")), "{with}");
        assert_eq!(
            done(Some(&with), Some(&wanted()), true).unwrap(),
            PolicyEdit::Nothing
        );
    }
    let there = policy_of(&[THEIRS]);
    let with = put(done(Some(&there), Some(&variable), false));
    // Somebody changes the language under it.
    let older = with.replace("2012-10-17", "2008-10-17");
    let refused = done(Some(&older), Some(&variable), true).unwrap_err();
    assert!(matches!(refused, PolicyEditError::Variables { .. }), "{refused}");
}

#[test]
fn a_policy_never_becomes_larger_than_aws_takes() {
    let long = THEIRS.replace("Theirs", &"x".repeat(20_200));
    let refused = done(Some(&policy_of(&[&long])), Some(&wanted()), false).unwrap_err();
    let said = refused.to_string();
    assert!(
        said.contains("AWS takes 20480 in the policy of a bucket"),
        "{said}"
    );
}

#[test]
fn where_a_topic_would_have_no_policy_one_is_left_that_grants_nothing() {
    let topic = PolicyResource::parse("arn:aws:sns:eu-west-1:123456789012:orders").unwrap();
    let wanted = granting(
        &topic,
        allow(json!("sns:Publish"), json!(topic.to_string())),
        &[carol()],
    );
    let policy = put(edit(None, &topic, Some(&wanted), false));
    let left: Value = serde_json::from_str(&put(edit(Some(&policy), &topic, None, true))).unwrap();
    assert_eq!(
        left["Statement"],
        json!([{
            "Sid": "OwnerOnly", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
            "Action": "SNS:GetTopicAttributes", "Resource": topic.to_string(),
        }])
    );
}

/// AWS takes no policy that names who is gone, in whichever statement.
#[test]
fn other_statements_of_deputys_name_nobody_who_is_gone() {
    let other = |principal: &str| {
        format!(
            r#"{{"Sid":"{OTHER}","Effect":"Allow","Principal":{{"AWS":{principal}}},"Action":"s3:GetObject","Resource":"{BUCKET}/x"}}"#
        )
    };
    let theirs = THEIRS.replace(r#""*""#, r#"{"AWS":"AROAGONE"}"#);
    let mixed = other(r#"["AROAGONE","arn:aws:iam::123456789012:role/there"]"#);
    let there = policy_of(&[&theirs, &mixed]);
    for wanted in [Some(wanted()), None] {
        let ours = r#"{"Sid":"SID","Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"x"}"#;
        let ours = ours.replace("SID", sid().as_str());
        let there = policy_of(&[&theirs, &mixed, &ours]);
        let now = texts(&put(done(Some(&there), wanted.as_ref(), true)));
        // Somebody else's is his to put right.
        assert_eq!(now[0], theirs);
        let left: Value = serde_json::from_str(&now[1]).unwrap();
        assert_eq!(
            left["Principal"]["AWS"],
            json!(["arn:aws:iam::123456789012:role/there"])
        );
    }
    for gone in [r#""AROAGONE""#, r#"["AROAGONE","AIDAGONE"]"#] {
        let there = policy_of(&[THEIRS, &other(gone)]);
        let now = texts(&put(done(Some(&there), Some(&wanted()), false)));
        assert_eq!(now.len(), 2, "{now:?}");
        assert_eq!(now[0], THEIRS);
    }
    assert_eq!(done(Some(&there), None, true).unwrap(), PolicyEdit::Nothing);
}

#[test]
fn a_statement_for_nobody_is_none() {
    let grant = document(
        PolicyKind::Identity,
        json!([allow(json!("s3:GetObject"), json!(format!("{BUCKET}/*")))]),
    );
    let grant = StatementGrant::new(grant, &bucket()).unwrap();
    assert_eq!(WantedStatement::new(&sid(), &grant, &[]).unwrap(), None);
}

/// Statements of other people, some of which look like Deputy's.
fn theirs() -> impl Strategy<Value = String> {
    let sid = prop_oneof![
        Just(r#""Sid":"Theirs","#.to_owned()),
        Just(String::new()),
        Just(r#""Sid":"Deputyaaaaaaaaaaaaaaaaaaaaaaaaaa", "#.to_owned()),
        Just(r#""sid":"x","#.to_owned()),
        Just(r#""Sid":7,"#.to_owned()),
    ];
    let principal = prop_oneof![
        Just(r#""*""#),
        Just(r#"{"AWS":"AROAEXAMPLE"}"#),
        Just(r#"{"Service":["sns.amazonaws.com"]}"#)
    ];
    let effect = prop_oneof![Just("Allow"), Just("Deny")];
    let space = prop_oneof![Just(""), Just("  "), Just("\n\t")];
    (sid, effect, principal, space).prop_map(|(sid, effect, principal, space)| {
        format!(r#"{{{space}{sid}{space}"Effect":{space}"{effect}","Principal":{principal},"Action":"s3:*","Resource":"{BUCKET}/*"{space}}}"#)
    })
}

proptest! {
    #[test]
    fn writing_and_taking_out_leaves_all_others_as_they_were(statements in prop::collection::vec(theirs(), 0..6)) {
        let all: Vec<&str> = statements.iter().map(String::as_str).collect();
        let there = policy_of(&all);
        let with = put(done(Some(&there), Some(&wanted()), false));
        let mut now = texts(&with);
        let ours = now.pop().unwrap();
        prop_assert!(ours.contains(sid().as_str()));
        prop_assert_eq!(&now, &statements);
        prop_assert_eq!(done(Some(&with), Some(&wanted()), true).unwrap(), PolicyEdit::Nothing);
        let left = done(Some(&with), None, true).unwrap();
        if statements.is_empty() {
            prop_assert_eq!(left, PolicyEdit::Delete);
        } else {
            let after = put(Ok(left));
            prop_assert_eq!(texts(&after), statements);
        }
    }

    /// Wherever it stands, what is Deputy's is changed where it is, and nothing else is.
    #[test]
    fn only_the_own_statement_is_ever_changed(before in prop::collection::vec(theirs(), 0..4), after in prop::collection::vec(theirs(), 0..4)) {
        let stale = format!(r#"{{"Sid":"{}","Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"{BUCKET}/*"}}"#, sid());
        let all: Vec<&str> = before.iter().map(String::as_str).chain([stale.as_str()]).chain(after.iter().map(String::as_str)).collect();
        let mut now = texts(&put(done(Some(&policy_of(&all)), Some(&wanted()), true)));
        let ours = now.remove(before.len());
        prop_assert_ne!(ours, stale);
        let others: Vec<String> = before.into_iter().chain(after).collect();
        prop_assert_eq!(now, others);
    }
}
