mod federated;

use deputy_delegation::ClusterName;
use deputy_index::ResourceKind;
use serde_json::json;

use super::*;
use crate::fixtures::{
    account_object, binding_object, early_binding_object, index, limit_object, pod_of, role_object,
};

fn named(name: &str) -> BindingSelector {
    name.parse().unwrap()
}

/// The outcome in a word, and what is said about it.
fn outcome(index: &Index, service_account: &str, wanted: Option<&str>) -> (&'static str, String) {
    match resolve(index, &pod_of(service_account), wanted.map(named).as_ref()) {
        Ok(grant) => ("Session", grant.key.binding().id.to_string()),
        Err(ResolveError::Refused { code, message, .. }) => (code.as_str(), message),
        Err(ResolveError::DeniedByAws { message, .. }) => ("AccessDenied", message),
        Err(ResolveError::NotReady { message }) => ("NotReady", message),
    }
}

fn grant(index: &Index) -> Box<SessionGrant> {
    match resolve(index, &pod_of("uploader"), None) {
        Ok(grant) => grant,
        Err(_) => panic!("{:?}", outcome(index, "uploader", None)),
    }
}

/// That of a session of a role.
fn of_role(key: &SessionKey) -> &RoleSessionKey {
    match key {
        SessionKey::Role(key) => key,
        SessionKey::FederatedUser(_) => panic!("{key:?}"),
    }
}

fn is_granted(index: &Index, key: &SessionKey) -> bool {
    still_granted(index, key).is_some()
}

#[test]
fn a_pod_of_a_bound_service_account_gets_a_session() {
    let grant = grant(&index());
    assert_eq!(
        of_role(&grant.key).request.session_name.as_str(),
        "payments.uploader"
    );
    assert_eq!(of_role(&grant.key).role_id, "AROA1");
    assert_eq!(grant.renewal, Renewal::Shared);
}

#[test]
fn a_session_of_scope_pod_is_the_pods_own() {
    let index = index();
    index.reset(
        ResourceKind::Bindings,
        [binding_object("uploader", "uploader", &json!({"scope": "Pod"}))],
    );
    let grant = grant(&index);
    assert_eq!(
        of_role(&grant.key).request.session_name.as_str(),
        "payments.uploader.uploader-1"
    );
    assert_eq!(grant.renewal, Renewal::Single);
}

#[test]
fn nothing_is_said_before_every_kind_has_been_read_whole() {
    let index = std::sync::Arc::new(Index::new(ClusterName::new("demo").unwrap()));
    index.reset(ResourceKind::Accounts, [account_object()]);
    index.reset(ResourceKind::Bindings, []);
    assert_eq!(outcome(&index, "uploader", None).0, "NotReady");
}

#[test]
fn there_is_no_session_that_could_not_be_taken_back() {
    let index = index();
    for (sessions, expected) in [
        // An older controller wrote no record.
        (json!(null), "Session"),
        (json!({"serviceAccounts": ["uploader"]}), "Session"),
        // Nobody is named where there are too many.
        (json!({"serviceAccountsHash": "0af1"}), "Session"),
        (json!({"serviceAccounts": ["reports"]}), "NotReady"),
        (json!({}), "NotReady"),
    ] {
        let mut role = role_object("uploader", "s3:GetObject", Some("AROA1"));
        if !sessions.is_null() {
            role.data["status"]["sessions"] = sessions.clone();
        }
        index.reset(ResourceKind::Roles, [role]);
        let (word, message) = outcome(&index, "uploader", None);
        assert_eq!(word, expected, "{sessions}: {message}");
    }
}

#[test]
fn a_session_from_before_all_were_cut_is_handed_out_and_renewed_no_more() {
    let index = index();
    let with = |everybody: serde_json::Value| {
        let mut role = role_object("uploader", "s3:GetObject", Some("AROA1"));
        role.data["status"]["sessions"] = json!({"serviceAccounts": ["uploader"], "everybody": everybody});
        index.reset(ResourceKind::Roles, [role]);
    };
    let key = || grant(&index).key;
    with(json!(null));
    let before = key();
    assert!(is_granted(&index, &before));
    with(json!({"before": "2026-11-29T08:00:00Z", "until": "2026-11-29T20:00:00Z"}));
    let after = key();
    assert_ne!(before, after, "what is kept for one is not given for the other");
    assert!(!is_granted(&index, &before) && is_granted(&index, &after));
    with(json!({"before": "2026-11-29T08:01:00Z", "until": "2026-11-29T20:01:00Z"}));
    assert!(!is_granted(&index, &after));
}

#[test]
fn a_session_of_a_former_policy_is_handed_out_and_renewed_no_more() {
    let index = index();
    let with = |actions: &[&str]| {
        let allow = json!([{"Effect": "Allow", "Action": actions, "Resource": "*"}]);
        let session = json!({"policy": {"Version": "2012-10-17", "Statement": allow}});
        index.reset(
            ResourceKind::Bindings,
            [binding_object("uploader", "uploader", &session)],
        );
        grant(&index).key
    };
    let whole = grant(&index).key;
    let wide = with(&["s3:GetObject", "s3:PutObject"]);
    let narrow = with(&["s3:GetObject"]);
    assert!(is_granted(&index, &narrow));
    assert!(!is_granted(&index, &wide) && !is_granted(&index, &whole));
    let mark = |key: &SessionKey| {
        let tags = &of_role(key).request.tags;
        let mark = tags
            .iter()
            .find(|(key, _)| key.as_str() == "deputy-session-policy");
        mark.map(|(_, mark)| mark.as_str().to_owned())
    };
    assert_eq!(mark(&whole), None);
    assert!(mark(&wide).is_some() && mark(&wide) != mark(&narrow));
}

/// Makes AssumeRoleWithWebIdentity the account's default, and the limit allow it.
fn web_identity(index: &std::sync::Arc<Index>) {
    let provider = "arn:aws:iam::123456789012:oidc-provider/oidc.example.com";
    let mut account = account_object();
    account.data["spec"]["oidc"] = json!({"providerARN": provider});
    account.data["spec"]["defaults"] = json!({"method": "AssumeRoleWithWebIdentity"});
    let mut limit = limit_object("s3:GetObject");
    limit.data["spec"]["session"] = json!({"methods": ["AssumeRole", "AssumeRoleWithWebIdentity"]});
    index.reset(ResourceKind::Accounts, [account]);
    index.reset(ResourceKind::Limits, [limit]);
}

#[test]
fn what_was_given_by_the_broker_is_not_confirmed_under_another_method() {
    let index = index();
    let key = grant(&index).key;
    assert!(is_granted(&index, &key));
    web_identity(&index);
    assert!(!is_granted(&index, &key));
}

/// What became of the index.
type Change = fn(&std::sync::Arc<Index>);

#[test]
#[expect(clippy::too_many_lines, reason = "one table, a row a refusal")]
fn a_refusal_names_what_is_refused_and_by_whom() {
    let table: [(&str, Change, &[&str]); 11] = [
        // A binding may come before its role, and before the account.
        (
            "NotReady",
            |w| {
                w.reset(ResourceKind::Roles, []);
                w.reset(
                    ResourceKind::Bindings,
                    [early_binding_object("uploader", "uploader")],
                );
            },
            &["AWSRole payments/uploader does not exist"],
        ),
        (
            "NotReady",
            |w| {
                w.reset(ResourceKind::Accounts, []);
                w.reset(
                    ResourceKind::Bindings,
                    [early_binding_object("uploader", "uploader")],
                );
            },
            &["AWSAccount production does not exist"],
        ),
        // What was there and is gone was revoked.
        (
            "NoBinding",
            |w| w.reset(ResourceKind::Bindings, []),
            &["payments", "uploader"],
        ),
        (
            "NotAccepted",
            |w| w.reset(ResourceKind::Roles, []),
            &[
                "AWSRoleBinding payments/uploader",
                "AWSRole payments/uploader does not exist",
            ],
        ),
        (
            "NotAccepted",
            |w| w.reset(ResourceKind::Accounts, []),
            &[
                "AWSRoleBinding payments/uploader",
                "AWSAccount production does not exist",
            ],
        ),
        (
            "Suspended",
            |w| w.reset(ResourceKind::Limits, [limit_object("s3:ListBucket")]),
            &["AWSRole payments/uploader", "s3:GetObject", "limit payments"],
        ),
        (
            "Suspended",
            |w| w.reset(ResourceKind::Limits, []),
            &["AWSRole payments/uploader", "no DelegationLimit"],
        ),
        (
            "NotAccepted",
            |w| {
                let too_long = json!({"duration": "12h"});
                w.reset(
                    ResourceKind::Bindings,
                    [binding_object("uploader", "uploader", &too_long)],
                );
            },
            &["AWSRoleBinding payments/uploader", "Duration"],
        ),
        (
            "NotAccepted",
            |w| {
                let more = json!({"tags": {"team": "red"}});
                w.reset(
                    ResourceKind::Bindings,
                    [binding_object("uploader", "uploader", &more)],
                );
            },
            &["AWSRoleBinding payments/uploader", "limit payments"],
        ),
        // A pod from before the method was another one.
        (
            "Method",
            web_identity,
            &[
                "AWSRoleBinding payments/uploader has the method AssumeRoleWithWebIdentity",
                "Create it again",
            ],
        ),
        (
            "NotReady",
            |w| {
                w.reset(
                    ResourceKind::Roles,
                    [role_object("uploader", "s3:GetObject", None)],
                )
            },
            &["AWSRole payments/uploader is not in AWS yet"],
        ),
    ];
    for (code, change, words) in table {
        let index = index();
        change(&index);
        let (found, message) = outcome(&index, "uploader", None);
        assert_eq!(found, code, "{message}");
        for word in words {
            assert!(message.contains(word), "{code}: {word:?} is not in {message:?}");
        }
    }
}

#[test]
fn an_unbound_service_account_gets_nothing_by_any_name() {
    let index = index();
    for wanted in [None, Some("uploader"), Some("absent")] {
        let (code, message) = outcome(&index, "somebody", wanted);
        assert_eq!(code, "NoBinding", "{message}");
    }
    assert_eq!(outcome(&index, "uploader", Some("absent")).0, "NoBinding");
}

#[test]
fn the_default_is_the_oldest_binding_also_when_that_is_refused() {
    let index = index();
    index.reset(
        ResourceKind::Roles,
        [
            role_object("uploader", "s3:GetObject", Some("AROA1")),
            role_object("greedy", "s3:DeleteObject", None),
        ],
    );
    let session = json!({});
    // All of one second: then the name decides.
    let bind = |roles: &[(&str, &str)]| {
        let objects = roles
            .iter()
            .map(|(name, role)| binding_object(name, role, &session));
        index.reset(ResourceKind::Bindings, objects.collect::<Vec<_>>());
    };
    let of = |wanted| outcome(&index, "uploader", wanted);
    bind(&[("b-first", "uploader"), ("c-second", "uploader")]);
    assert_eq!(of(None), ("Session", "payments/b-first".to_owned()));
    assert_eq!(of(Some("c-second")), ("Session", "payments/c-second".to_owned()));
    // Its role is too much, or not there any more: no other binding takes its place, and the refusal names both.
    for (role, code) in [("greedy", "Suspended"), ("absent", "NotAccepted")] {
        bind(&[("b-first", role), ("c-second", "uploader")]);
        let (got, message) = of(None);
        assert_eq!(got, code);
        for part in [
            "AWSRoleBinding payments/b-first",
            "deputy.dev/binding",
            "another: c-second",
        ] {
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(of(Some("c-second")), ("Session", "payments/c-second".to_owned()));
        // Who named it is told of it alone.
        assert!(!of(Some("b-first")).1.contains("c-second"));
    }
    bind(&[("b-first", "greedy")]);
    assert!(!of(None).1.contains("another"));
    let many: Vec<String> = (0..12).map(|i| format!("c{i:02}")).collect();
    let mut all = vec![("b-first", "greedy")];
    all.extend(many.iter().map(|name| (name.as_str(), "uploader")));
    bind(&all);
    assert!(of(None).1.ends_with("c06, c07 and 4 more"), "{}", of(None).1);
}

#[test]
fn a_pod_gets_nothing_by_default_while_an_older_binding_can_not_be_read() {
    let index = index();
    let mut older = binding_object("a-older", "uploader", &json!({}));
    older.data["spec"]["roleRef"]["kind"] = json!("AnotherKind");
    index.apply(ResourceKind::Bindings, older.clone());
    let (code, message) = outcome(&index, "uploader", None);
    assert_eq!(code, "NotAccepted");
    assert!(
        message.contains("AWSRoleBinding payments/a-older can't be read"),
        "{message}"
    );
    // One that it names is another question.
    let named = named("uploader");
    assert!(resolve(&index, &pod_of("uploader"), Some(&named)).is_ok());
    index.delete(ResourceKind::Bindings, &older.metadata);
    assert!(resolve(&index, &pod_of("uploader"), None).is_ok());
}

#[test]
fn a_role_or_binding_that_is_made_again_has_sessions_of_its_own() {
    let before = grant(&index()).key;
    let index = index();
    index.reset(
        ResourceKind::Roles,
        [role_object("uploader", "s3:GetObject", Some("AROA2"))],
    );
    assert_ne!(grant(&index).key, before);
}

#[test]
fn a_renewal_is_decided_like_a_first_session() {
    let table: [(&str, bool, Change); 7] = [
        ("as it was", true, |_| {}),
        ("the binding is gone", false, |w| {
            w.reset(ResourceKind::Bindings, [])
        }),
        ("the role is gone", false, |w| w.reset(ResourceKind::Roles, [])),
        ("the account is gone", false, |w| {
            w.reset(ResourceKind::Accounts, [])
        }),
        ("the limit is narrower", false, |w| {
            w.reset(ResourceKind::Limits, [limit_object("s3:ListBucket")]);
        }),
        ("the role was made again in AWS", false, |w| {
            w.reset(
                ResourceKind::Roles,
                [role_object("uploader", "s3:GetObject", Some("AROA2"))],
            );
        }),
        ("the binding was made again", false, |w| {
            let mut again = binding_object("uploader", "uploader", &json!({}));
            again.metadata.uid = Some("uid-again".into());
            w.reset(ResourceKind::Bindings, [again]);
        }),
    ];
    for (what, expected, change) in table {
        let index = index();
        let key = grant(&index).key.clone();
        change(&index);
        assert_eq!(is_granted(&index, &key), expected, "{what}");
    }
}
