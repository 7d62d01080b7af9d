//! What is said about a limit.

use std::sync::Arc;

use deputy_api::{BoundaryProblem, BoundaryStatus, DelegationLimitStatus, conditions};
use deputy_delegation::{
    NamespaceName, ObjectName, Reason, Violation, boundary,
    model::{LimitEntry, ObjectId},
    naming,
};
use deputy_index::{GrantRef, Index, ResourceKind, WouldBeRefused};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::{Value, json};

use crate::{
    fixtures,
    limit::{
        assess::assess,
        dereference::{LimitInputs, ReadableLimit},
        status::{counted, refused as refused_grant, updated},
    },
};

fn inputs(index: &Index, name: &str) -> LimitInputs {
    let (entry, _, _) = index.limit(&ObjectName::new(name).unwrap()).unwrap();
    let LimitEntry::Valid(limit) = entry else {
        panic!("{entry:?}")
    };
    LimitInputs {
        cluster: fixtures::cluster(),
        object: fixtures::limit_object(&[]),
        limit: Ok(ReadableLimit::look_up(index, limit)),
    }
}

/// The status of the limit `name`, with these entries.
fn status_with(index: &Index, name: &str, boundaries: Vec<BoundaryStatus>) -> DelegationLimitStatus {
    let old = DelegationLimitStatus {
        boundaries,
        ..DelegationLimitStatus::default()
    };
    let inputs = inputs(index, name);
    let standing = assess(&inputs, &old);
    let status = updated(&old, &inputs, &standing, Timestamp::UNIX_EPOCH);
    let readable = inputs.limit.unwrap();
    let name = &readable.limit.name;
    let grants = index.tally(name).map(|tally| index.counted(name, &tally));
    let is_dry_run = readable.is_dry_run();
    counted(&status, &readable.limit.ceiling, is_dry_run, grants.as_ref())
}

/// The entry of an account in which AWS has the boundary of the limit `name`.
fn in_force(index: &Index, name: &str, account: &str) -> BoundaryStatus {
    let inputs = inputs(index, name);
    let limit = inputs.limit.unwrap().limit;
    let account = index.account(&account.parse().unwrap()).known().unwrap().clone();
    let compiled = boundary::compile(&inputs.cluster, &account, &limit).unwrap();
    BoundaryStatus {
        account: account.name.to_string(),
        policy_arn: Some(naming::boundary_arn(&inputs.cluster, &account, &limit.name).to_string()),
        document_hash: Some(compiled.hash),
        version_id: Some("v1".to_owned()),
        ..BoundaryStatus::default()
    }
}

/// The status of the limit `name`, of which AWS has all there should be.
fn status_of(index: &Index, name: &str) -> DelegationLimitStatus {
    let accounts = inputs(index, name).limit.unwrap().accounts;
    let entries = accounts
        .iter()
        .map(|(account, _)| in_force(index, name, account.as_str()));
    status_with(index, name, entries.collect())
}

fn ready(status: &DelegationLimitStatus) -> &Condition {
    conditions::find(&status.conditions, conditions::ConditionType::Ready).unwrap()
}

fn with_dry_run(actions: &[&str]) -> Arc<Index> {
    let index = fixtures::index();
    let spec = json!({
        "namespaces": ["payments"], "accounts": ["production"], "enforcement": "DryRun",
        "ceiling": fixtures::policy(actions),
    });
    let object = fixtures::object("DelegationLimit", None, "strict", spec);
    index.apply(ResourceKind::Limits, object);
    index
}

fn message(status: &DelegationLimitStatus) -> &str {
    let ready = ready(status);
    assert_eq!(ready.status, "True");
    &ready.message
}

#[test]
fn a_dry_run_says_what_it_would_refuse_and_why() {
    let index = with_dry_run(&["s3:PutObject"]);
    let status = status_of(&index, "strict");
    assert!(message(&status).starts_with("a dry run: nothing is refused"));
    let json: Value = serde_json::to_value(&status).unwrap();
    assert_eq!(json["grants"], json!({"accepted": 2, "suspended": 0}));
    assert_eq!(json["wouldRefuse"]["count"], 2);
    let first = &json["wouldRefuse"]["grants"][0];
    assert_eq!(
        (
            &first["kind"],
            &first["namespace"],
            &first["name"],
            &first["reason"]
        ),
        (
            &json!("AWSRole"),
            &json!("payments"),
            &json!("uploader"),
            // Its boundary, too, would be one too many: that comes after it.
            &json!("ExceedsLimit")
        )
    );
    let text = first["message"].as_str().unwrap();
    assert!(
        text.starts_with("spec.policies[0].document")
            && text.ends_with("(and 1 more: its condition Accepted has all)"),
        "{text}"
    );
    let second = &json["wouldRefuse"]["grants"][1];
    assert_eq!(second["kind"], "AWSRoleBinding");
    for grant in [first, second] {
        assert!(
            grant["message"].as_str().unwrap().chars().count() <= 512,
            "{grant}"
        );
    }
}

#[test]
fn what_is_left_out_of_a_refusal_is_counted_and_can_be_read_elsewhere() {
    let id = ObjectId {
        namespace: NamespaceName::new("payments").unwrap(),
        name: ObjectName::new("uploader").unwrap(),
    };
    let said = |by_role| {
        let first = Violation::new(
            Reason::ExceedsLimit,
            "spec.policies[0].document",
            "x".repeat(4096),
        );
        let why = WouldBeRefused {
            first,
            more: 3,
            by_role,
        };
        refused_grant((&GrantRef::Binding(id.clone()), &why)).message
    };
    assert!(said(false).ends_with("… (and 3 more: its condition Accepted has all)"));
    assert!(said(true).ends_with("… (and 3 more: its role's condition Accepted has all)"));
    assert!(said(true).chars().count() <= 512);
}

#[test]
fn a_limit_that_is_enforced_has_nothing_that_it_would_refuse() {
    let index = with_dry_run(&["s3:PutObject"]);
    let status = status_of(&index, "payments");
    assert_eq!(message(&status), "the limit is in force");
    assert_eq!(status.would_refuse, None);
    let json: Value = serde_json::to_value(&status).unwrap();
    assert_eq!(json["ceilingUse"], json!([{"statement": 0, "grants": 1}]));
    assert_eq!(status_of(&index, "strict").ceiling_use, []);
    // A dry run by which all is well says so.
    let clean = status_of(&with_dry_run(&["s3:*"]), "strict")
        .would_refuse
        .unwrap();
    assert_eq!(
        clean.grants.len(),
        2,
        "its boundary would be one too many: {clean:?}"
    );
}

/// The limit `wide` over so many accounts, `a000` and on, of which none can be reached through this.
fn over(accounts: usize) -> Arc<Index> {
    let index = fixtures::index();
    let names: Vec<String> = (0..accounts).map(|number| format!("a{number:03}")).collect();
    for (number, name) in names.iter().enumerate() {
        let mut account = fixtures::account_object();
        account.metadata.name = Some(name.clone());
        account.metadata.uid = Some(format!("uid-{name}"));
        account.data["spec"]["accountID"] = json!(format!("{:012}", 200_000_000_000_usize + number));
        index.apply(ResourceKind::Accounts, account);
    }
    let spec =
        json!({"namespaces": ["others"], "accounts": names, "ceiling": fixtures::policy(&["s3:GetObject"])});
    index.apply(
        ResourceKind::Limits,
        fixtures::object("DelegationLimit", None, "wide", spec),
    );
    index
}

fn refused(account: usize, message: &str) -> BoundaryStatus {
    BoundaryStatus {
        account: format!("a{account:03}"),
        problem: Some(BoundaryProblem {
            reason: "AccessDenied".to_owned(),
            message: message.to_owned(),
        }),
        ..BoundaryStatus::default()
    }
}

#[test]
fn a_limit_says_in_how_many_accounts_it_is_in_force_and_why_not_in_the_others() {
    let index = over(256);
    let mut entries: Vec<_> = (0..256)
        .map(|number| in_force(&index, "wide", &format!("a{number:03}")))
        .collect();
    assert_eq!(
        message(&status_with(&index, "wide", entries.clone())),
        "the limit is in force"
    );

    entries[7] = refused(7, "it said no");
    // As the limit was before: not known to be wrong, and not in force.
    entries[9].document_hash = Some("0123".to_owned());
    let status = status_with(&index, "wide", entries.clone());
    let ready_now = ready(&status);
    assert_eq!(
        (ready_now.status.as_str(), ready_now.reason.as_str()),
        ("False", "AccessDenied")
    );
    let begins = "its boundary policy is as it should be in 254 of 256 accounts; not in: a007: it said no\na009: arn:aws:iam::200000000009:policy/";
    assert!(ready_now.message.starts_with(begins), "{}", ready_now.message);
    assert!(
        ready_now
            .message
            .ends_with("is being brought up to date; until then nothing more is granted")
    );

    // Bounded, however many there are and whatever they say.
    for (number, entry) in entries.iter_mut().enumerate().skip(6) {
        *entry = refused(number, &"x".repeat(1000));
    }
    let status = status_with(&index, "wide", entries);
    let long = &ready(&status).message;
    assert!(
        long.chars().count() < conditions::MAX_MESSAGE_CHARS,
        "{}",
        long.len()
    );
    assert!(
        long.contains("in 6 of 256 accounts")
            && long.contains("a014, a015, ")
            && long.ends_with("\nand 226 more"),
        "{long}"
    );
}

#[test]
fn of_an_account_that_was_not_looked_at_it_is_said_that_it_is_under_way() {
    let index = over(2);
    let status = status_with(&index, "wide", vec![in_force(&index, "wide", "a001")]);
    let ready = ready(&status);
    assert_eq!(
        (ready.status.as_str(), ready.reason.as_str()),
        ("False", "Progressing")
    );
    assert!(
        ready.message.contains("in 1 of 2 accounts; not in: a000: ")
            && ready.message.ends_with("is not there yet")
    );
}

#[test]
fn entries_stay_as_long_as_the_limit_covers_the_account_and_that_is_there() {
    let index = over(3);
    let entries: Vec<_> = (0..3)
        .map(|n| in_force(&index, "wide", &format!("a{n:03}")))
        .collect();
    let mut more = entries.clone();
    more.push(refused(77, "not covered"));
    assert_eq!(status_with(&index, "wide", more).boundaries, entries);
    let gone = fixtures::object("AWSAccount", None, "a001", json!({}));
    index.delete(ResourceKind::Accounts, &gone.metadata);
    let status = status_with(&index, "wide", entries.clone());
    assert_eq!(status.boundaries.len(), 2);
    assert_eq!(ready(&status).reason, "AccountNotFound");
    assert!(ready(&status).message.contains("in 2 of 3 accounts"));
}

#[test]
fn tags_that_aws_refuses_are_told_with_the_account() {
    let index = over(3);
    let mut entries: Vec<_> = (0..3)
        .map(|n| in_force(&index, "wide", &format!("a{n:03}")))
        .collect();
    entries[1].untagged = refused(1, "a tag policy").problem;
    let status = status_with(&index, "wide", entries);
    assert_eq!(ready(&status).status, "True", "nothing waits for them");
    let tagged = conditions::find(&status.conditions, conditions::ConditionType::Tagged).unwrap();
    assert_eq!(
        (tagged.status.as_str(), tagged.reason.as_str()),
        ("False", "AccessDenied")
    );
    assert!(tagged.message.contains("in 1 of 3 accounts") && tagged.message.ends_with("a001: a tag policy"));
}
