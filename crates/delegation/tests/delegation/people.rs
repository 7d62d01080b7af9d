//! Sessions of people: who gets one, what it looks like, and what ends it.

use std::collections::BTreeSet;

use deputy_delegation::{
    Decision, DecisionInput, Fact, GrantSpec, Reason,
    cut_sessions::{CutOfPeople, CutSessions},
    decide,
    model::*,
    names::*,
    people::{AuthenticatedPerson, UserName, mark, session_name},
    session::{own_tags, request, request_of_person},
    trust::compile,
};
use deputy_policy::evaluate_trust;
use proptest::prelude::*;
use serde_json::json;

use crate::support::*;

const ALICE: &str = "alice@acme.example";

fn person(user: &str, groups: &[&str]) -> AuthenticatedPerson {
    AuthenticatedPerson {
        user: UserName::new(user).unwrap(),
        groups: groups
            .iter()
            .map(|group| PersonName::new(*group).unwrap())
            .collect(),
    }
}

fn user(name: &str) -> PersonSubject {
    PersonSubject::User(PersonName::new(name).unwrap())
}

fn group(name: &str) -> PersonSubject {
    PersonSubject::Group(PersonName::new(name).unwrap())
}

fn bound(subjects: &[PersonSubject]) -> Binding {
    Binding {
        subjects: Subjects::People(SubjectList::new(subjects.to_vec()).unwrap()),
        ..binding()
    }
}

fn made(
    binding: &Binding,
    person: &AuthenticatedPerson,
) -> Option<deputy_delegation::session::SessionRequest> {
    request_of_person(&cluster(), &account(), &role(), binding, person, None, None)
}

#[test]
fn a_person_is_named_by_themselves_or_by_a_group() {
    let binding = bound(&[group("sre"), user(ALICE), group("dev")]);
    for (who, expected) in [
        (person(ALICE, &["sre"]), Some(user(ALICE))),
        (person("bob", &["dev", "sre"]), Some(group("sre"))),
        (person("bob", &["dev"]), Some(group("dev"))),
        (person("sre", &[]), None),
        (person("bob", &[ALICE]), None),
        (person("Alice@acme.example", &[]), None),
    ] {
        assert_eq!(who.among(&binding.subjects), expected.as_ref(), "{who:?}");
        assert_eq!(made(&binding, &who).is_some(), expected.is_some());
    }
    // ServiceAccounts and people never are each other's.
    let pods = deputy_delegation::model::Binding {
        ..super::support::binding()
    };
    assert!(person("uploader", &["uploader"]).among(&pods.subjects).is_none());
    assert!(made(&pods, &person("uploader", &[])).is_none());
}

#[test]
fn a_persons_session_is_as_published() {
    let mut binding = bound(&[user(ALICE)]);
    binding.session.policy = Some(session_policy(json!([productionapp()[0].clone()])));
    binding.session.tags = [tag("team", "payments")].try_into().unwrap();
    let made = made(&binding, &person(ALICE, &[])).unwrap();
    let tags: serde_json::Map<_, _> = made
        .tags
        .iter()
        .map(|(key, value)| (key.to_string(), json!(value.as_str())))
        .collect();
    assert_golden(
        "person_session.json",
        &json!({
            "RoleArn": made.role.to_string(),
            "RoleSessionName": made.session_name.as_str(),
            "ExternalId": made.external_id.as_str(),
            "DurationSeconds": made.duration.as_seconds(),
            "Tags": tags,
            "Policy": made.policy,
        }),
    );
    assert_eq!(made.tags.len(), own_tags(&binding) + binding.session.tags.len());
    assert_eq!(made.source_identity, None);
    let named = Account {
        names_people: true,
        ..account()
    };
    let named = request_of_person(
        &cluster(),
        &named,
        &role(),
        &binding,
        &person(ALICE, &[]),
        None,
        None,
    )
    .unwrap();
    assert_eq!(named.source_identity, Some(named.session_name));
}

#[test]
fn a_person_may_ask_for_less_time_and_never_for_more() {
    let binding = bound(&[user(ALICE)]);
    let asked = |text: &str| {
        let asked = Some(duration(text));
        let made = request_of_person(
            &cluster(),
            &account(),
            &role(),
            &binding,
            &person(ALICE, &[]),
            asked,
            None,
        );
        made.map(|made| made.duration)
    };
    assert_eq!(asked("30m"), Some(duration("30m")));
    assert_eq!(asked("1h"), Some(duration("1h")));
    assert_eq!(asked("61m"), None);
}

#[test]
fn names_that_aws_does_not_take_are_told_apart_by_a_hash() {
    let namespace = NamespaceName::new("payments").unwrap();
    let name = |user: &str| session_name(&namespace, &UserName::new(user).unwrap());
    assert_eq!(name(ALICE).as_str(), ALICE);
    assert_eq!(name("alice.smith").as_str(), "alice.smith");
    for odd in [
        "a",
        "https://issuer.example#alice",
        "https://issuer.example/alice",
        "alïce",
        "alice smith",
        // What pods of ServiceAccount uploader have.
        "payments.uploader",
        &"x".repeat(65),
    ] {
        let name = name(odd);
        assert!(
            name.as_str() != odd && SessionName::new(name.as_str()).is_ok(),
            "{odd}: {name}"
        );
    }
    assert_ne!(name("a#b"), name("a/b"));
    // Nobody is called as another one's session is.
    let odd = name("https://issuer.example#alice");
    assert_ne!(name(odd.as_str()), odd);
}

proptest! {
    #[test]
    fn no_two_people_have_one_session_name(one in ".{1,80}", other in ".{1,80}", takes_the_name in any::<bool>()) {
        let namespace = NamespaceName::new("payments").unwrap();
        let Ok(one) = UserName::new(&one) else {
            return Ok(());
        };
        let other = if takes_the_name { session_name(&namespace, &one).to_string() } else { other };
        let Ok(other) = UserName::new(&other) else {
            return Ok(());
        };
        let names = [&one, &other].map(|user| session_name(&namespace, user));
        prop_assert_eq!(names[0] == names[1], one == other);
        for name in names {
            prop_assert!(SessionName::new(name.as_str()).is_ok());
            prop_assert!(!name.as_str().starts_with("payments.") || name.as_str().contains('-'));
        }
    }
}

#[test]
fn people_have_their_sessions_from_the_broker_whatever_the_accounts_default_is() {
    let default_method = SessionMethod::AssumeRoleWithWebIdentity;
    let account = Account {
        default_method,
        oidc: Some(OidcProvider {
            arn: OidcProviderArn::parse("arn:aws:iam::123456789012:oidc-provider/oidc.example.com").unwrap(),
            audience: Audience::new("sts.amazonaws.com").unwrap(),
        }),
        ..account()
    };
    let users: BTreeSet<_> = [TextPattern::new("*").unwrap()].into();
    let decided = |methods: &[SessionMethod], asked: &str| {
        let limit = Limit {
            session_methods: methods.iter().copied().collect(),
            ..limit_with(PeopleRule {
                users: users.clone(),
                max_duration: Some(duration("30m")),
                ..PeopleRule::default()
            })
        };
        match decided_in(&account, limit, asked) {
            Decision::Refused(violations) => Err(violations.iter().map(|v| v.reason).collect::<Vec<_>>()),
            _ => Ok(()),
        }
    };
    let broker = SessionMethod::AssumeRole;
    assert_eq!(decided(&[broker], "30m"), Ok(()));
    assert_eq!(decided(&[broker], "1h"), Err(vec![Reason::Duration]));
    assert_eq!(decided(&[default_method], "30m"), Err(vec![Reason::Method]));
}

/// What is decided about Alice's sessions of this length under a limit.
fn decided_in(account: &Account, limit: Limit, asked: &str) -> Decision {
    let mut binding = bound(&[user(ALICE)]);
    binding.session.duration = Some(duration(asked));
    let (cluster, role, limits) = (cluster(), role(), entries([limit]));
    decide(&DecisionInput {
        cluster: &cluster,
        limits: &limits,
        account: Fact::Known(account),
        grant: GrantSpec::Binding {
            binding: &binding,
            role: Fact::Known(&role),
        },
    })
}

fn limit_with(people: PeopleRule) -> Limit {
    Limit {
        subjects: SubjectRules {
            people,
            ..SubjectRules::default()
        },
        ..limit("payments", productionapp())
    }
}

#[test]
fn a_limit_may_ask_for_a_group_of_a_second_factor() {
    let mfa_groups: BTreeSet<_> = ["mfa", "hardware-key"]
        .map(|name| PersonName::new(name).unwrap())
        .into();
    let strict = limit_with(PeopleRule {
        mfa_groups,
        ..PeopleRule::default()
    });
    assert!(person(ALICE, &["sre", "mfa"]).admitted(&strict).is_ok());
    let why = person(ALICE, &["sre"]).admitted(&strict).unwrap_err();
    for part in ["\"payments\"", "hardware-key, mfa", ALICE, "second factor"] {
        assert!(why.contains(part), "{why}");
    }
    assert!(
        person(ALICE, &[])
            .admitted(&limit_with(PeopleRule::default()))
            .is_ok()
    );
}

#[test]
fn the_sessions_of_people_have_a_limit_of_their_own() {
    let users: BTreeSet<_> = [TextPattern::new("*@acme.example").unwrap()].into();
    let allowed = |most: Option<&str>, asked: &str| {
        let max_duration = most.map(duration);
        let limit = limit_with(PeopleRule {
            users: users.clone(),
            max_duration,
            ..PeopleRule::default()
        });
        match decided_in(&account(), limit, asked) {
            Decision::Accepted(_) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    };
    assert_eq!(allowed(None, "1h"), Ok(()));
    assert_eq!(allowed(Some("45m"), "45m"), Ok(()));
    let refused = allowed(Some("45m"), "1h").unwrap_err();
    assert!(
        refused.contains(&format!("{:?}", Reason::Duration)) && refused.contains("allows people"),
        "{refused}"
    );
    // It never adds to what all sessions may have.
    assert!(allowed(Some("12h"), "2h").is_err());
}

/// Whether a session with this of Deputy's tags may read.
fn may_read(cut: &CutSessions, tag: Option<(&str, &str)>, issued: &str) -> bool {
    let inline = cut.beside(desired_inline().as_ref()).unwrap();
    may_read_with(&inline, tag, issued)
}

fn desired_inline() -> Option<deputy_policy::Document> {
    let statement = allow(json!(["s3:GetObject"]), json!(["arn:aws:s3:::productionapp/*"]));
    Some(document(deputy_policy::PolicyKind::Identity, json!([statement])))
}

#[test]
fn sessions_of_people_who_were_removed_end_and_all_others_go_on() {
    let (before, old, new) = (
        "2026-01-02T03:14:05Z",
        "2026-01-02T03:14:04Z",
        "2026-01-02T03:14:05Z",
    );
    let both = bound(&[user(ALICE), user("bob")]);
    let (alice, bob) = (
        mark(&account(), &both, &user(ALICE)),
        mark(&account(), &both, &user("bob")),
    );
    let none = CutSessions {
        of_service_accounts: None,
        everybody_before: None,
        untagged_before: None,
        narrowed: None,
        of_people: None,
    };
    let cut = |marks: &[&String]| CutSessions {
        of_people: Some(CutOfPeople {
            marks: marks.iter().map(|mark| (*mark).clone()).collect(),
            issued_before: before.to_owned(),
        }),
        ..none.clone()
    };
    let tag = "deputy-person";
    for (cut, mark, issued, may) in [
        (cut(&[&alice]), Some((tag, &bob)), old, false),
        (cut(&[&alice]), Some((tag, &bob)), new, true),
        (cut(&[&alice]), Some((tag, &alice)), old, true),
        (cut(&[&alice]), None, old, true),
        (cut(&[&alice]), Some(("deputy-service-account", &bob)), old, true),
        (cut(&[]), Some((tag, &alice)), old, false),
        (cut(&[]), None, old, true),
    ] {
        let mark = mark.map(|(key, value)| (key, value.as_str()));
        assert_eq!(may_read(&cut, mark, issued), may, "{cut:?} {mark:?} {issued}");
    }
    // Sessions without any tag of Deputy's are not those of people, and the other way round.
    let untagged = CutSessions {
        untagged_before: Some(before.to_owned()),
        ..none
    };
    assert!(may_read(&untagged, Some((tag, alice.as_str())), old));
    assert!(!may_read(&untagged, None, old));
}

#[test]
fn a_mark_tells_apart_all_that_makes_another_grant() {
    let plain = bound(&[user(ALICE)]);
    let with = |change: &dyn Fn(&mut Binding)| {
        let mut binding = plain.clone();
        change(&mut binding);
        mark(&account(), &binding, &user(ALICE))
    };
    let read = ManagedPolicyArn::parse("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess").unwrap();
    let mut marks = vec![
        with(&|_| {}),
        with(&|b| b.session.policy = Some(session_policy(json!([productionapp()[0].clone()])))),
        with(&|b| b.session.policy_arns = [read.clone()].into()),
        with(&|b| b.session.duration = Some(duration("30m"))),
        with(&|b| b.session.tags = [tag("team", "payments")].try_into().unwrap()),
        with(&|b| b.session.tags = [tag("team", "ledger")].try_into().unwrap()),
        with(&|b| b.uid = Some(Uid::new("made-again").unwrap())),
        mark(&account(), &plain, &group(ALICE)),
        mark(&account(), &plain, &user("bob")),
    ];
    let default = Account {
        default_session_duration: duration("45m"),
        ..account()
    };
    marks.push(mark(&default, &plain, &user(ALICE)));
    assert_eq!(marks.iter().collect::<BTreeSet<_>>().len(), 10);
    assert!(
        marks
            .iter()
            .all(|mark| mark.len() == 26 && TagValue::new(mark.as_str()).is_ok())
    );
    // What is said another way is the same: an hour is the account's default.
    assert_eq!(with(&|b| b.session.duration = Some(duration("1h"))), marks[0]);
}

#[test]
fn only_where_the_account_says_so_may_a_session_name_its_person() {
    let named = Account {
        names_people: true,
        ..account()
    };
    let pods = binding();
    for (account, binding, expected) in [
        (account(), bound(&[user(ALICE)]), false),
        (named.clone(), bound(&[user(ALICE)]), true),
        (named.clone(), pods, false),
    ] {
        let trust = compile(&cluster(), &account, &role().id, &[binding.into()]).document;
        let request = broker_request("sts:SetSourceIdentity");
        assert_eq!(evaluate_trust(&trust, &request).is_allowed(), expected);
    }
    let subject = deputy_delegation::session::SessionSubject {
        service_account: ServiceAccountName::new("uploader").unwrap(),
        pod: PodName::new("uploader-1").unwrap(),
        pod_uid: Uid::new("11111111-2222-3333-4444-555555555555").unwrap(),
    };
    let of_pod = request(&cluster(), &named, &role(), &binding(), &subject, None).unwrap();
    assert_eq!(of_pod.source_identity, None);
}
