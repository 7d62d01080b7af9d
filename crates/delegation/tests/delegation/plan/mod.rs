//! The plan against a small IAM in memory, stopped after every call.

mod clusters;
mod cut;
mod managed;
mod moments;
mod replaced;

use std::collections::{BTreeMap, BTreeSet};

use deputy_delegation::{names::*, naming, plan::*, trust};
use deputy_policy::{Caller, Context, PolicyKind, Request, evaluate_trust};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::*;

const ACTIONS: [&str; 4] = ["s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject"];
const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
const READER: &str = "arn:aws:iam::aws:policy/job-function/Reader";
const WRITER: &str = "arn:aws:iam::123456789012:policy/team/Writer";
/// Managed policies, and what each allows. None of them denies: what two of them say against each other is not known to a plan.
const MANAGED: [(&str, &[&str]); 3] = [
    (ADMIN, &ACTIONS),
    (READER, &["s3:GetObject", "s3:ListBucket"]),
    (WRITER, &["s3:PutObject"]),
];
/// A boundary that somebody made by hand.
const BY_HAND: &str = "arn:aws:iam::123456789012:policy/by-hand";
const FORMER_UID: &str = "former-uid";
/// Another broker than [`ISSUER`].
const SECOND: &str = "arn:aws:iam::123456789012:user/second-broker";

type Actions = BTreeSet<&'static str>;

fn name() -> RoleName {
    naming::role_name(&cluster(), &uploader())
}

fn path() -> IamPath {
    naming::role_path(&cluster())
}

fn boundary(limit: &str) -> ManagedPolicyArn {
    naming::boundary_arn(&cluster(), &account(), &object(limit)).into()
}

fn tags() -> BTreeMap<TagKey, TagValue> {
    naming::role_tags(&cluster(), &cluster_uid(), &account(), &uploader(), &uid())
}

fn calls(steps: Vec<Step>) -> Vec<IamCall> {
    steps.into_iter().map(|step| step.call).collect()
}

/// The calls alone; what they are for is asked where it matters.
fn plan(
    desired: &DesiredRole,
    observed: Option<&ObservedRole>,
    owner: TaggedOwner<'_>,
) -> Result<Vec<IamCall>, Conflict> {
    deputy_delegation::plan::plan(desired, observed, owner).map(calls)
}

fn plan_deletion(
    tags: &BTreeMap<TagKey, TagValue>,
    name: &RoleName,
    path: &IamPath,
    observed: Option<&ObservedRole>,
) -> Result<Vec<IamCall>, Conflict> {
    deputy_delegation::plan::plan_deletion(tags, name, path, observed).map(calls)
}

fn plan_suspension(
    tags: &BTreeMap<TagKey, TagValue>,
    name: &RoleName,
    path: &IamPath,
    observed: Option<&ObservedRole>,
) -> Result<Vec<IamCall>, Conflict> {
    deputy_delegation::plan::plan_suspension(tags, name, path, observed, TaggedOwner::Alive).map(calls)
}

fn identity(actions: &Actions) -> Value {
    identity_with(actions, &Actions::new())
}

fn identity_with(allowed: &Actions, denied: &Actions) -> Value {
    let of = |actions: &Actions| allow(json!(actions), json!("*"));
    let mut statements = vec![of(allowed)];
    if !denied.is_empty() {
        let mut deny = of(denied);
        deny["Effect"] = json!("Deny");
        statements.push(deny);
    }
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn inline(allowed: &Actions, denied: &Actions) -> deputy_policy::Document {
    deputy_policy::Document::from_value(&identity_with(allowed, denied), PolicyKind::Identity).unwrap()
}

fn managed(arns: &[&str]) -> BTreeSet<ManagedPolicyArn> {
    arns.iter()
        .map(|arn| ManagedPolicyArn::parse(arn).unwrap())
        .collect()
}

fn actions(calls: &[IamCall]) -> Vec<&'static str> {
    calls.iter().map(IamCall::action).collect()
}

fn our_trust() -> deputy_policy::Document {
    trust::for_issuer(&cluster(), &account(), &uploader())
}

/// Of an account with this issuer, and those of before.
fn trust_of(issuer: &str, previous: &[&str]) -> deputy_policy::Document {
    let parse = |arn: &str| IssuerArn::parse(arn).unwrap();
    let account = deputy_delegation::model::Account {
        issuer: parse(issuer),
        previous_issuers: previous.iter().map(|arn| parse(arn)).collect(),
        ..account()
    };
    trust::for_issuer(&cluster(), &account, &uploader())
}

fn desired_with(inline: &Actions) -> DesiredRole {
    DesiredRole {
        name: name(),
        path: path(),
        trust: our_trust(),
        inline: Some(self::inline(inline, &Actions::new())),
        attached: BTreeSet::new(),
        boundary: Some(boundary("a")),
        tags: tags(),
        max_session_duration: MaxSessionDuration::HOUR,
    }
}

fn desired() -> DesiredRole {
    desired_with(&BTreeSet::from(["s3:GetObject"]))
}

/// What AWS has after `desired` was written.
fn observed(desired: &DesiredRole) -> ObservedRole {
    let mut aws = None;
    for call in plan(desired, None, TaggedOwner::Gone).unwrap() {
        apply(&call, &mut aws);
    }
    aws.unwrap()
}

/// IAM, as far as a role is concerned.
fn apply(call: &IamCall, aws: &mut Option<ObservedRole>) {
    if let IamCall::CreateRole { role } = call {
        assert!(aws.is_none(), "EntityAlreadyExists");
        *aws = Some(ObservedRole {
            arn: RoleArn::of(&account().partition, &account().id, &role.path, &role.name),
            unique_id: "AROAEXAMPLE".to_owned(),
            trust: role.trust.to_json(),
            inline: BTreeMap::new(),
            attached: Vec::new(),
            boundary: role.boundary.as_ref().map(ToString::to_string),
            tags: role
                .tags
                .iter()
                .map(|(k, v)| (k.to_string(), v.to_string()))
                .collect(),
            max_session_seconds: role.max_session_duration.as_seconds(),
        });
        return;
    }
    let role = aws.as_mut().expect("NoSuchEntity");
    match call {
        IamCall::CreateRole { .. } => {}
        IamCall::UpdateAssumeRolePolicy { document, .. } => role.trust.clone_from(document),
        IamCall::PutRolePolicy { policy, document, .. } => {
            role.inline.insert(policy.clone(), document.clone());
        }
        IamCall::DeleteRolePolicy { policy, .. } => {
            role.inline.remove(policy).expect("NoSuchEntity");
        }
        IamCall::AttachRolePolicy { policy_arn, .. } => {
            let arn = policy_arn.to_string();
            if !role.attached.contains(&arn) {
                assert!(role.attached.len() < 10, "LimitExceeded");
                role.attached.push(arn);
            }
        }
        IamCall::DetachRolePolicy { policy_arn, .. } => {
            assert!(role.attached.contains(policy_arn), "NoSuchEntity");
            role.attached.retain(|arn| arn != policy_arn);
        }
        IamCall::PutRolePermissionsBoundary { boundary, .. } => role.boundary = Some(boundary.to_string()),
        IamCall::TagRole { tags, .. } => {
            for (key, value) in tags {
                role.tags.retain(|old, _| !old.eq_ignore_ascii_case(key.as_str()));
                role.tags.insert(key.to_string(), value.to_string());
            }
        }
        IamCall::UntagRole { keys, .. } => role.tags.retain(|key, _| !keys.contains(key)),
        IamCall::UpdateRole {
            max_session_duration, ..
        } => {
            role.max_session_seconds = max_session_duration.as_seconds();
        }
        IamCall::DeleteRole { .. } => {
            assert!(
                role.inline.is_empty() && role.attached.is_empty(),
                "DeleteConflict"
            );
            *aws = None;
        }
    }
}

/// What the boundary policies allow.
fn within(boundary: Option<&str>) -> Actions {
    let all = Actions::from(ACTIONS);
    match boundary {
        Some(arn) if arn == self::boundary("a").to_string() => all.into_iter().take(3).collect(),
        Some(arn) if arn == self::boundary("b").to_string() => all.into_iter().skip(1).collect(),
        _ => all,
    }
}

/// What sessions of the role may do.
fn permissions(role: &ObservedRole) -> Actions {
    let (mut allowed, mut denied) = (Actions::new(), Actions::new());
    for (arn, actions) in MANAGED {
        if role.attached.iter().any(|attached| attached == arn) {
            allowed.extend(actions);
        }
    }
    for text in role.inline.values() {
        let document: Value = serde_json::from_str(text).unwrap_or_default();
        let statements = match &document["Statement"] {
            Value::Array(statements) => statements.clone(),
            one => vec![one.clone()],
        };
        for statement in &statements {
            let named = statement["Action"].to_string();
            let named = ACTIONS
                .into_iter()
                .filter(|action| named.contains(action) || named.contains("\"*\""));
            if statement["Effect"] == "Deny" {
                denied.extend(named)
            } else {
                allowed.extend(named)
            }
        }
    }
    let within = within(role.boundary.as_deref());
    allowed
        .into_iter()
        .filter(|a| !denied.contains(a) && within.contains(a))
        .collect()
}

/// Who may make sessions of the role: the broker, another broker, or the administrator of another account.
fn trusted(role: &ObservedRole) -> BTreeSet<&'static str> {
    let stranger = "arn:aws:iam::999999999999:role/stranger";
    let Ok(document) = deputy_policy::Document::parse(&role.trust, PolicyKind::Trust) else {
        return BTreeSet::new();
    };
    [ISSUER, SECOND, stranger]
        .into_iter()
        .filter(|who| {
            let request = Request {
                action: "sts:AssumeRole".to_owned(),
                resource: role.arn.to_string(),
                principal: Some(Caller::parse(who).unwrap()),
                context: Context::new()
                    .with("aws:PrincipalArn", *who)
                    .with("sts:ExternalId", "prod-1/payments/AWSRole/uploader")
                    .with("aws:RequestTag/deputy-cluster", "prod-1")
                    .with("aws:RequestTag/deputy-namespace", "payments"),
            };
            evaluate_trust(&document, &request).is_allowed()
        })
        .collect()
}

/// Who can get what by a new session.
fn effective(role: &ObservedRole) -> BTreeSet<(&'static str, &'static str)> {
    let permissions = permissions(role);
    let pairs = |who| {
        permissions
            .iter()
            .map(move |action| (who, *action))
            .collect::<Vec<_>>()
    };
    trusted(role).into_iter().flat_map(pairs).collect()
}

#[test]
fn a_new_role_is_made_with_everything_and_gets_its_policy_next() {
    let calls = plan(&desired(), None, TaggedOwner::Gone).unwrap();
    let actions: Vec<_> = calls.iter().map(IamCall::action).collect();
    assert_eq!(actions, ["iam:CreateRole", "iam:PutRolePolicy"]);
}

#[test]
fn what_is_as_it_should_be_is_not_written() {
    assert_eq!(
        plan(&desired(), Some(&observed(&desired())), TaggedOwner::Alive),
        Ok(vec![])
    );
}

#[test]
fn spelling_is_no_difference() {
    let mut aws = observed(&desired());
    aws.inline.insert(
        naming::INLINE_POLICY.to_owned(),
        r#"{ "Statement": {"Resource": ["*"], "Action": "S3:getobject", "Effect": "Allow"}, "Version": "2012-10-17" }"#
            .to_owned(),
    );
    aws.trust = aws
        .trust
        .replace("arn:aws:iam::123456789012:root", "123456789012");
    assert_eq!(plan(&desired(), Some(&aws), TaggedOwner::Alive), Ok(vec![]));
}

#[test]
fn a_role_that_is_not_ours_is_left_alone() {
    let ours = observed(&desired());
    let with = |key: &str, value: Option<&str>| {
        let mut role = ours.clone();
        match value {
            Some(value) => role.tags.insert(key.to_owned(), value.to_owned()),
            None => role.tags.remove(key),
        };
        role
    };
    let mut untagged = ours.clone();
    untagged.tags.clear();
    let mut elsewhere = ours.clone();
    elsewhere.arn = RoleArn::of(
        &account().partition,
        &account().id,
        &IamPath::new("/").unwrap(),
        &name(),
    );
    let arn = elsewhere.arn.to_string();
    for (role, conflict) in [
        (untagged, Conflict::NotOurs),
        (with("deputy-cluster", None), Conflict::NotOurs),
        (with("deputy-name", None), Conflict::NotOurs),
        (
            with("deputy-cluster", Some("other")),
            Conflict::OtherCluster("other".to_owned()),
        ),
        (
            with("deputy-namespace", Some("orders")),
            Conflict::OtherObject("AWSRole orders/uploader".to_owned()),
        ),
        (
            with("deputy-name", Some("x")),
            Conflict::OtherObject("AWSRole payments/x".to_owned()),
        ),
        (
            with("deputy-kind", Some("ClusterAWSRole")),
            Conflict::OtherObject("ClusterAWSRole payments/uploader".to_owned()),
        ),
        (elsewhere, Conflict::OtherPath(arn)),
    ] {
        assert_eq!(
            plan(&desired(), Some(&role), TaggedOwner::Gone),
            Err(conflict.clone())
        );
        assert_eq!(
            plan_deletion(&tags(), &name(), &path(), Some(&role)),
            Err(conflict.clone())
        );
        assert_eq!(
            plan_suspension(&tags(), &name(), &path(), Some(&role)),
            Err(conflict)
        );
    }
}

#[test]
fn a_role_of_a_former_object_is_adopted_when_nobody_owns_it() {
    let mut aws = observed(&desired());
    aws.tags.insert("deputy-uid".to_owned(), FORMER_UID.to_owned());
    let conflict = Conflict::OtherUid(FORMER_UID.to_owned());
    assert_eq!(
        plan(&desired(), Some(&aws), TaggedOwner::Alive),
        Err(conflict.clone())
    );
    let calls = plan(&desired(), Some(&aws), TaggedOwner::Gone).unwrap();
    assert_eq!(
        calls,
        [IamCall::TagRole {
            role: name(),
            tags: [naming_tag("deputy-uid")].into(),
        }]
    );
    assert_eq!(
        plan_deletion(&tags(), &name(), &path(), Some(&aws)),
        Err(conflict)
    );
}

fn naming_tag(key: &str) -> (TagKey, TagValue) {
    let key = TagKey::new(key).unwrap();
    let value = tags()[&key].clone();
    (key, value)
}

#[test]
fn tags_of_others_stay_unless_they_collide_with_ours() {
    let mut aws = observed(&desired());
    aws.tags.insert("owner".to_owned(), "somebody".to_owned());
    assert_eq!(plan(&desired(), Some(&aws), TaggedOwner::Alive), Ok(vec![]));
    aws.tags.remove("cost-center");
    aws.tags.insert("Cost-Center".to_owned(), "else".to_owned());
    let actions: Vec<_> = plan(&desired(), Some(&aws), TaggedOwner::Alive)
        .unwrap()
        .iter()
        .map(IamCall::action)
        .collect();
    assert_eq!(actions, ["iam:UntagRole", "iam:TagRole"]);
}

#[test]
fn a_missing_boundary_comes_back_before_anything_grows() {
    let mut aws = observed(&desired());
    aws.boundary = None;
    let more = desired_with(&BTreeSet::from(["s3:GetObject", "s3:DeleteObject"]));
    let actions: Vec<_> = plan(&more, Some(&aws), TaggedOwner::Alive)
        .unwrap()
        .iter()
        .map(IamCall::action)
        .collect();
    assert_eq!(actions, ["iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]);
}

#[test]
fn a_role_that_is_nobodys_is_closed_first_and_opened_last() {
    let closed = DesiredRole {
        trust: trust::deny_all(),
        ..desired_with(&BTreeSet::from(["s3:ListBucket"]))
    };
    let actions = |desired: &DesiredRole, aws: &ObservedRole| -> Vec<_> {
        let calls = plan(desired, Some(aws), TaggedOwner::Alive).unwrap();
        calls.iter().map(IamCall::action).collect()
    };
    assert_eq!(
        actions(&closed, &observed(&desired())),
        ["iam:UpdateAssumeRolePolicy", "iam:PutRolePolicy"]
    );
    assert_eq!(
        actions(&desired(), &observed(&closed)),
        ["iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"]
    );
}

#[test]
fn foreign_policies_go_first_when_both_do_not_fit_into_the_quota() {
    let mut aws = observed(&desired());
    aws.inline.insert(
        "by-hand".to_owned(),
        format!("{{\"Deny\":\"{}\"}}", "x".repeat(10_200)),
    );
    let calls = plan(
        &desired_with(&BTreeSet::from(["s3:PutObject"])),
        Some(&aws),
        TaggedOwner::Alive,
    )
    .unwrap();
    let actions: Vec<_> = calls.iter().map(IamCall::action).collect();
    assert_eq!(actions, ["iam:DeleteRolePolicy", "iam:PutRolePolicy"]);
}

#[test]
fn suspension_denies_everything_to_everybody_and_changes_nothing_else() {
    for attached in [&[][..], &[READER]] {
        let role = DesiredRole {
            attached: managed(attached),
            ..desired()
        };
        let mut aws = Some(observed(&role));
        let before = aws.clone().unwrap();
        let calls = plan_suspension(&tags(), &name(), &path(), aws.as_ref()).unwrap();
        // The sessions that run end first, and new ones with them.
        assert_eq!(
            actions(&calls),
            ["iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"]
        );
        for (done, call) in calls.iter().enumerate() {
            apply(call, &mut aws);
            assert_eq!(permissions(aws.as_ref().unwrap()), Actions::new());
            // Stopped there, the next plan goes on.
            let left = plan_suspension(&tags(), &name(), &path(), aws.as_ref()).unwrap();
            assert_eq!(left, calls[done + 1..]);
        }
        let after = aws.clone().unwrap();
        assert!(trusted(&after).is_empty());
        assert_eq!(
            ObservedRole {
                trust: before.trust.clone(),
                inline: before.inline.clone(),
                ..after
            },
            before
        );
        // Opened again, it is what it was, with the policy before the trust.
        let back = plan(&role, aws.as_ref(), TaggedOwner::Alive).unwrap();
        assert_eq!(actions(&back), actions(&calls));
        for call in &back {
            apply(call, &mut aws);
        }
        assert_eq!(aws.unwrap(), before);
    }
    assert_eq!(plan_suspension(&tags(), &name(), &path(), None), Ok(vec![]));
}

#[test]
fn a_trust_policy_that_cannot_be_read_is_replaced() {
    let mut aws = observed(&desired());
    aws.trust = "{\"Statement\": [{\"Effect\": \"Allow\", \"Principal\": {\"AWS\": \"AROAEXAMPLEID1234567\""
        .to_owned();
    let calls = plan(&desired(), Some(&aws), TaggedOwner::Alive).unwrap();
    assert_eq!(
        calls,
        [IamCall::UpdateAssumeRolePolicy {
            role: name(),
            document: our_trust().to_json(),
        }]
    );
}

fn planned(desired: &DesiredRole, aws: Option<&ObservedRole>) -> Vec<IamCall> {
    plan(desired, aws, TaggedOwner::Gone).unwrap()
}

/// The account asked for these tags when the role was made.
fn tagged(keys: &[&str]) -> BTreeMap<TagKey, TagValue> {
    let mut account = account();
    account.tags = deputy_delegation::model::ChosenTags::of(keys.iter().map(|key| tag(key, "x"))).unwrap();
    naming::role_tags(&cluster(), &cluster_uid(), &account, &uploader(), &uid())
}

fn keys(role: &ObservedRole) -> Vec<&str> {
    let theirs = role.tags.keys().map(String::as_str);
    theirs.filter(|key| !key.starts_with("deputy-")).collect()
}

#[test]
fn tags_that_the_account_asks_for_no_more_go_and_those_of_others_stay() {
    for (before, after) in [
        (&["a", "b"][..], &["b"][..]),
        (&["a", "b"], &["c"]),
        (&["a"], &[]),
        (&[], &["a"]),
        (&["Team"], &["team"]),
        (&["a"], &["a"]),
    ] {
        let with = |keys| DesiredRole {
            tags: tagged(keys),
            ..desired()
        };
        let mut start = observed(&with(before));
        start.tags.insert("theirs".to_owned(), "x".to_owned());
        let target = with(after);
        // Stopped after any call, or with any one call refused, the next plans go on to the same end.
        let first = plan(&target, Some(&start), TaggedOwner::Gone).unwrap();
        for stop in 0..=first.len() {
            for refused in [None].into_iter().chain((0..stop).map(Some)) {
                let mut aws = Some(start.clone());
                for (index, call) in first.iter().enumerate().take(stop) {
                    if Some(index) != refused {
                        apply(call, &mut aws);
                    }
                }
                for _ in 0..3 {
                    for call in plan(&target, aws.as_ref(), TaggedOwner::Gone).unwrap() {
                        apply(&call, &mut aws);
                    }
                }
                let end = aws.unwrap();
                let mut wanted: Vec<&str> = after.iter().copied().chain(["theirs"]).collect();
                wanted.sort_unstable();
                assert_eq!(
                    keys(&end),
                    wanted,
                    "{before:?} to {after:?}, stopped after {stop}, without {refused:?}"
                );
                assert_eq!(plan(&target, Some(&end), TaggedOwner::Gone), Ok(vec![]));
                // What the account once asked for and is back by another hand is theirs.
                let mut theirs = end.clone();
                theirs.tags.insert("a".to_owned(), "theirs".to_owned());
                if !after.contains(&"a") {
                    assert_eq!(plan(&target, Some(&theirs), TaggedOwner::Gone), Ok(vec![]));
                }
            }
        }
    }
}

#[test]
fn forty_tags_that_are_all_exchanged_fit_into_the_list() {
    let many = |prefix: &str| -> BTreeMap<TagKey, TagValue> {
        let names: Vec<String> = (0..40)
            .map(|i| format!("{prefix}{i}{}", "x".repeat(100)))
            .collect();
        tagged(&names.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let before = DesiredRole {
        tags: many("before"),
        ..desired()
    };
    let after = DesiredRole {
        tags: many("after"),
        ..desired()
    };
    let mut aws = Some(observed(&before));
    for _ in 0..3 {
        for call in plan(&after, aws.as_ref(), TaggedOwner::Gone).unwrap() {
            apply(&call, &mut aws);
            assert!(aws.as_ref().unwrap().tags.values().all(|v| v.len() <= 256));
        }
    }
    let end = aws.unwrap();
    assert_eq!(keys(&end).len(), 40);
    assert!(keys(&end).iter().all(|key| key.starts_with("after")));
}

#[test]
fn what_a_step_is_for_decides_what_becomes_of_it_after_a_failure() {
    let natures = |desired: &DesiredRole, aws: &ObservedRole| -> Vec<(Nature, &'static str)> {
        let steps = deputy_delegation::plan::plan(desired, Some(aws), TaggedOwner::Gone).unwrap();
        steps.iter().map(|s| (s.nature, s.call.action())).collect()
    };
    let wide = desired_with(&BTreeSet::from(["s3:GetObject", "s3:PutObject"]));
    let mut aws = observed(&wide);
    aws.tags.insert("deputy-uid".to_owned(), FORMER_UID.to_owned());
    aws.tags.remove("cost-center");
    // Narrower: before the tag that says whose it is.
    assert_eq!(
        natures(&desired(), &aws),
        [
            (Nature::Shrinks, "iam:PutRolePolicy"),
            (Nature::Shrinks, "iam:TagRole"),
            (Nature::Cosmetic, "iam:TagRole"),
        ]
    );
    // Wider, or something else: after it.
    for actions in [
        &["s3:GetObject", "s3:PutObject", "s3:ListBucket"][..],
        &["s3:ListBucket"],
    ] {
        let other = desired_with(&actions.iter().copied().collect());
        assert_eq!(
            natures(&other, &aws),
            [
                (Nature::Shrinks, "iam:TagRole"),
                (Nature::Grows, "iam:PutRolePolicy"),
                (Nature::Cosmetic, "iam:TagRole"),
            ]
        );
    }
}

#[test]
fn a_role_that_stays_is_closed_first_and_taken_back_by_its_next_object() {
    use deputy_delegation::plan::plan_retention;
    let desired = desired();
    let mut aws = Some(observed(&desired));
    let steps = plan_retention(&tags(), &name(), &path(), aws.as_ref()).unwrap();
    let done: Vec<_> = steps
        .iter()
        .map(|step| (step.call.action(), step.nature))
        .collect();
    assert_eq!(
        done,
        [
            ("iam:UpdateAssumeRolePolicy", Nature::Shrinks),
            ("iam:TagRole", Nature::Cosmetic)
        ]
    );
    for step in &steps {
        apply(&step.call, &mut aws);
    }
    let left = aws.clone().unwrap();
    assert_eq!(left.tags["deputy-retained"], left.tags["deputy-uid"]);
    assert_eq!(left.inline.len(), 1, "its policies stay");
    assert_eq!(
        plan_retention(&tags(), &name(), &path(), aws.as_ref()),
        Ok(vec![])
    );
    assert_eq!(plan_retention(&tags(), &name(), &path(), None), Ok(vec![]));

    // Another object of the name: another uid.
    let mut again = desired.clone();
    let uid = TagValue::new("99999999-2222-3333-4444-555555555555").unwrap();
    again.tags.insert(TagKey::new("deputy-uid").unwrap(), uid);
    for call in plan(&again, aws.as_ref(), TaggedOwner::Gone).unwrap() {
        apply(&call, &mut aws);
    }
    let back = aws.clone().unwrap();
    assert_eq!(back.unique_id, left.unique_id);
    assert!(!back.tags.contains_key("deputy-retained"), "{:?}", back.tags);
    assert_eq!(plan(&again, aws.as_ref(), TaggedOwner::Gone), Ok(vec![]));
}

/// What a change of issuers writes while the role gets more, too: whom it takes the role from hears of nothing new.
#[test]
fn a_former_issuer_goes_first_and_a_new_one_comes_last() {
    const TRUST: &str = "iam:UpdateAssumeRolePolicy";
    const POLICY: &str = "iam:PutRolePolicy";
    let both: &[&str] = &[ISSUER];
    for (before, after, calls) in [
        ((SECOND, both), (ISSUER, &[SECOND][..]), &[POLICY][..]),
        ((SECOND, both), (SECOND, &[]), &[TRUST, POLICY]),
        ((SECOND, both), (ISSUER, &[]), &[TRUST, POLICY]),
        ((ISSUER, &[]), (SECOND, both), &[POLICY, TRUST]),
        ((ISSUER, &[]), (SECOND, &[]), &[TRUST, POLICY, TRUST]),
    ] {
        let with = |(issuer, previous), actions: &[&'static str]| DesiredRole {
            trust: trust_of(issuer, previous),
            ..desired_with(&actions.iter().copied().collect())
        };
        let aws = observed(&with(before, &ACTIONS[..1]));
        let wanted = with(after, &ACTIONS[..2]);
        assert_eq!(
            actions(&planned(&wanted, Some(&aws))),
            calls,
            "{before:?} {after:?}"
        );
    }
}
