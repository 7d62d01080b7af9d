use deputy_delegation::{
    model::*,
    names::*,
    naming,
    session::{SessionRequest, SessionSubject, request},
    share::SessionShare,
};
use serde_json::{Value, json};

use crate::support::*;

fn subject() -> SessionSubject {
    SessionSubject {
        service_account: ServiceAccountName::new("uploader").unwrap(),
        pod: PodName::new("uploader-6d4cf56db6-x2x7k").unwrap(),
        pod_uid: Uid::new("11111111-2222-3333-4444-555555555555").unwrap(),
    }
}

fn made(binding: &Binding) -> SessionRequest {
    request(&cluster(), &account(), &role(), binding, &subject(), None).unwrap()
}

fn as_json(request: &SessionRequest) -> Value {
    json!({
        "RoleArn": request.role.to_string(),
        "RoleSessionName": request.session_name.as_str(),
        "ExternalId": request.external_id.as_str(),
        "DurationSeconds": request.duration.as_seconds(),
        "Tags": request.tags.iter().map(|(k, v)| (k.to_string(), json!(v.as_str()))).collect::<serde_json::Map<_, _>>(),
        "Policy": request.policy,
        "PolicyArns": request.policy_arns.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

#[test]
fn requests_are_as_published() {
    let mut pod = binding();
    pod.session = SessionSpec {
        scope: SessionScope::Pod,
        policy: Some(session_policy(json!([productionapp()[0].clone()]))),
        policy_arns: [
            ManagedPolicyArn::parse("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess").unwrap(),
            ManagedPolicyArn::parse("arn:aws:iam::123456789012:policy/team/read").unwrap(),
        ]
        .into(),
        duration: Some(duration("45m")),
        tags: [tag("team", "payments")].try_into().unwrap(),
    };
    assert_golden(
        "sessions.json",
        &json!({"serviceAccount": as_json(&made(&binding())), "pod": as_json(&made(&pod))}),
    );
}

#[test]
fn pods_of_a_service_account_share_a_session_unless_the_scope_is_pod() {
    let other = SessionSubject {
        pod: PodName::new("uploader-6d4cf56db6-aaaaa").unwrap(),
        pod_uid: Uid::new("99999999-2222-3333-4444-555555555555").unwrap(),
        ..subject()
    };
    let ask = |binding: &Binding, subject: &SessionSubject| {
        request(&cluster(), &account(), &role(), binding, subject, None)
    };
    let mut binding = binding();
    assert_eq!(ask(&binding, &subject()), ask(&binding, &other));
    binding.session.scope = SessionScope::Pod;
    assert_ne!(ask(&binding, &subject()), ask(&binding, &other));
}

#[test]
fn who_is_no_subject_gets_nothing() {
    let stranger = SessionSubject {
        service_account: ServiceAccountName::new("other").unwrap(),
        ..subject()
    };
    assert_eq!(
        request(&cluster(), &account(), &role(), &binding(), &stranger, None),
        None
    );
}

#[test]
fn a_role_or_an_account_that_the_binding_does_not_name_gives_nothing() {
    let mut role_of_other = role();
    role_of_other.id = role_id("orders", "uploader");
    assert_eq!(
        request(
            &cluster(),
            &account(),
            &role_of_other,
            &binding(),
            &subject(),
            None
        ),
        None
    );
    let mut other_account = account();
    other_account.name = object("staging");
    assert_eq!(
        request(&cluster(), &other_account, &role(), &binding(), &subject(), None),
        None
    );
}

#[test]
fn session_names_are_those_of_the_golden_vectors() {
    let vectors: Value = serde_json::from_str(include_str!("../golden/names.json")).unwrap();
    for vector in vectors["sessions"].as_array().unwrap() {
        let parts: Vec<_> = vector["parts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p.as_str().unwrap())
            .collect();
        let mut role = role();
        let mut binding = binding();
        role.id.namespace = NamespaceName::new(parts[0]).unwrap();
        binding.id.namespace = role.id.namespace.clone();
        binding.role = role.id.clone();
        let mut subject = subject();
        subject.service_account = ServiceAccountName::new(parts[1]).unwrap();
        binding.subjects = Subjects::of_service_accounts([subject.service_account.clone()]).unwrap();
        if let Some(pod) = parts.get(2) {
            binding.session.scope = SessionScope::Pod;
            subject.pod = PodName::new(*pod).unwrap();
        }
        let request = request(&cluster(), &account(), &role, &binding, &subject, None).unwrap();
        assert_eq!(
            request.session_name.as_str(),
            vector["sessionName"].as_str().unwrap()
        );
        assert!(SessionName::new(request.session_name.as_str()).is_ok());
    }
}

#[test]
fn a_session_lives_as_long_as_its_binding_says_else_as_the_account_says() {
    let account = Account {
        default_session_duration: duration("30m"),
        ..account()
    };
    let mut binding = binding();
    assert_eq!(binding.duration_in(&account), duration("30m"));
    binding.session.duration = Some(duration("50m"));
    assert_eq!(binding.duration_in(&account), duration("50m"));
}

/// A role that exists and is somebody else's.
fn existing() -> Role {
    Role {
        source: RoleSource::Existing(ExistingRole {
            arn: RoleArn::parse("arn:aws:iam::123456789012:role/terraform/reports").unwrap(),
        }),
        ..role()
    }
}

#[test]
fn a_session_of_a_role_that_exists_has_one_session_policy() {
    let boundary = || {
        Some(ManagedPolicyArn::from(naming::boundary_arn(
            &cluster(),
            &account(),
            &object("payments"),
        )))
    };
    let ask = |binding: &Binding, boundary: Option<ManagedPolicyArn>| {
        request(&cluster(), &account(), &existing(), binding, &subject(), boundary)
    };
    let made = ask(&binding(), boundary()).unwrap();
    assert_eq!(
        made.role.to_string(),
        "arn:aws:iam::123456789012:role/terraform/reports"
    );
    assert_eq!(made.policy, None);
    assert_eq!(made.policy_arns, [boundary().unwrap()].into());
    assert_eq!(made.external_id.as_str(), "prod-1/payments/AWSRole/uploader");
    assert_eq!(ask(&binding(), None), None, "nothing would hold it");

    let mut narrow = binding();
    narrow.session.policy = Some(session_policy(productionapp()));
    let own = ask(&narrow, boundary()).unwrap();
    assert!(
        own.policy.is_some() && own.policy_arns.is_empty(),
        "a union would be wider"
    );
    assert_eq!(ask(&narrow, None), Some(own));
    let mut managed = binding();
    managed.session.policy_arns =
        [ManagedPolicyArn::parse("arn:aws:iam::aws:policy/ReadOnlyAccess").unwrap()].into();
    assert_eq!(ask(&managed, boundary()), None);
    // A role of Deputy's carries the boundary itself.
    let owned = request(
        &cluster(),
        &account(),
        &role(),
        &binding(),
        &subject(),
        boundary(),
    )
    .unwrap();
    assert!(owned.policy_arns.is_empty());
}

#[test]
fn a_session_is_covered_by_one_that_may_do_as_much() {
    const READER: &str = "arn:aws:iam::aws:policy/Reader";
    const WRITER: &str = "arn:aws:iam::aws:policy/Writer";
    let share = |actions: &[&str], arns: &[&str]| {
        let allow = json!([{"Effect": "Allow", "Action": actions, "Resource": "*"}]);
        let session = SessionSpec {
            policy: (!actions.is_empty()).then(|| session_policy(allow)),
            policy_arns: arns
                .iter()
                .map(|arn| ManagedPolicyArn::parse(arn).unwrap())
                .collect(),
            ..binding().session
        };
        SessionShare::of(&session)
    };
    let (read, both) = (
        ["s3:GetObject"].as_slice(),
        ["s3:GetObject", "s3:PutObject"].as_slice(),
    );
    let name = ServiceAccountName::new("uploader").unwrap();
    for (large, small) in [
        (share(&[], &[]), share(both, &[READER])),
        (share(both, &[]), share(read, &[])),
        (share(&[], &[READER, WRITER]), share(&[], &[READER])),
        (share(read, &[READER]), share(read, &[])),
        (share(read, &[READER]), share(&[], &[READER])),
    ] {
        assert!(
            large.covers(&small) && large.covers(&large),
            "{large:?} {small:?}"
        );
        assert!(!small.covers(&large), "{small:?} {large:?}");
        assert_ne!(large.mark(&name), small.mark(&name));
    }
    assert!(!share(read, &[]).covers(&share(&[], &[READER])));
    assert!(!share(&[], &[READER]).covers(&share(read, &[])));
    let other = ServiceAccountName::new("other").unwrap();
    assert_ne!(share(read, &[]).mark(&name), share(read, &[]).mark(&other));
    assert_eq!(share(&[], &[]).mark(&name), None);
}
