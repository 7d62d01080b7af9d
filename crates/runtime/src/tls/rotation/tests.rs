use std::time::Duration;

use rustls_pki_types::CertificateDer;

use super::super::bundle_trusts;
use super::super::pinned::fingerprint;
use super::*;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const POLICY: AuthorityPolicy = AuthorityPolicy::WEBHOOK;
const NAME: &str = "deputy-webhook.deputy.svc";

fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// A replica that begins: it holds nothing, and nobody trusts anything yet.
fn cold<'a>(policy: &'a AuthorityPolicy, now: Timestamp) -> Circumstances<'a> {
    Circumstances {
        common_name: "Deputy webhook CA",
        policy,
        held: None,
        pinned: Pinned::nothing(),
        abandoned: None,
        now,
    }
}

/// What a replica does with the Secret at `now`; returns the set it serves with.
fn keep(data: &mut SecretData, policy: &AuthorityPolicy, now: Timestamp) -> (Vec<Transition>, CaSet) {
    let mut transitions = Vec::new();
    loop {
        let plan = plan(data, cold(policy, now)).unwrap();
        match plan.write {
            Some((transition, set)) => {
                *data = set.merged_into(std::mem::take(data));
                transitions.push(transition);
            }
            None => return (transitions, plan.stored.unwrap()),
        }
        assert!(transitions.len() < 3, "{transitions:?}");
    }
}

fn trusted(set: &CaSet, policy: &AuthorityPolicy, bundle: &str, now: Timestamp) -> bool {
    let leaf = set
        .current
        .sign(NAME, &[NAME.to_owned()], &[], policy.leaf_lifetime, now)
        .unwrap();
    bundle_trusts(bundle.as_bytes(), &leaf.certificate, NAME, now).unwrap()
}

fn remove(data: &mut SecretData, key: &str) {
    data.remove(key).unwrap();
}

fn set(data: &mut SecretData, key: &str, text: &str) {
    data.insert(key.to_owned(), ByteString(text.as_bytes().to_vec()));
}

#[test]
fn an_empty_secret_is_filled_once_and_then_left_alone() {
    let mut data = SecretData::new();
    let (transitions, first) = keep(&mut data, &POLICY, start());
    assert_eq!(transitions, [Transition::Create]);
    assert_eq!(
        data.keys().collect::<Vec<_>>(),
        [CURRENT_CERTIFICATE, CURRENT_KEY]
    );
    for day in [0, 1, 100, 243] {
        let now = after(start(), DAY * day);
        let (transitions, set) = keep(&mut data, &POLICY, now);
        assert_eq!(transitions, [], "day {day}");
        assert!(set.current.certificate == first.current.certificate);
        assert!(trusted(&set, &POLICY, &first.bundle(), now));
    }
}

#[test]
fn values_that_are_there_but_empty_count_as_an_empty_secret() {
    let mut data = SecretData::new();
    for key in KEYS {
        set(&mut data, key, "");
    }
    assert_eq!(keep(&mut data, &POLICY, start()).0, [Transition::Create]);
}

#[test]
fn other_keys_of_the_secret_stay() {
    let mut data = SecretData::new();
    set(&mut data, "note", "do not touch");
    keep(&mut data, &POLICY, start());
    assert_eq!(data["note"].0, b"do not touch");
}

#[test]
fn the_next_authority_is_published_at_two_thirds_and_signs_at_five_sixths() {
    let mut data = SecretData::new();
    let mut log = Vec::new();
    for hour in 0..24 * 365 * 2 / 6 {
        let now = after(start(), HOUR * hour * 6);
        let (transitions, _) = keep(&mut data, &POLICY, now);
        log.extend(transitions.into_iter().map(|transition| (hour / 4, transition)));
    }
    assert_eq!(
        log,
        [
            (0, Transition::Create),
            (243, Transition::Prepare),
            (304, Transition::Switch),
            (365, Transition::Prune),
            // Its life began when it was published.
            (487, Transition::Prepare),
            (547, Transition::Switch),
            (608, Transition::Prune),
        ]
    );
}

/// Lives through `policy` in steps and checks, at each, that clients with the bundle of any of the last `clients`
/// steps trust what a replica serves.
fn no_client_is_lost(policy: &AuthorityPolicy, step: Duration, steps: u32, clients: usize) {
    let mut data = SecretData::new();
    let mut bundles = std::collections::VecDeque::new();
    for index in 0..steps {
        let now = after(start(), step * index);
        let (_, set) = keep(&mut data, policy, now);
        bundles.push_back(set.bundle());
        if bundles.len() > clients {
            bundles.pop_front();
        }
        for (age, bundle) in bundles.iter().rev().enumerate() {
            assert!(
                trusted(&set, policy, bundle, now),
                "step {index}, bundle {age} steps old"
            );
        }
        assert!(set.retired.len() <= 1);
    }
}

#[test]
fn a_configuration_that_lags_by_two_weeks_still_trusts_the_webhook() {
    no_client_is_lost(&AuthorityPolicy::WEBHOOK, DAY * 7, 110, 3);
}

#[test]
fn a_pod_with_a_bundle_of_a_year_ago_still_trusts_the_broker() {
    no_client_is_lost(&AuthorityPolicy::BROKER, DAY * 73, 130, 6);
}

#[test]
fn a_process_that_was_off_for_a_year_settles_before_it_switches() {
    let mut data = SecretData::new();
    keep(&mut data, &POLICY, start());
    let late = after(start(), DAY * 330);
    let (transitions, set) = keep(&mut data, &POLICY, late);
    assert_eq!(transitions, [Transition::Prepare]);
    assert!(set.next.is_some());
    assert_eq!(
        keep(
            &mut data,
            &POLICY,
            after(late, POLICY.settle - Duration::from_secs(1))
        )
        .0,
        []
    );
    assert_eq!(
        keep(&mut data, &POLICY, after(late, POLICY.settle)).0,
        [Transition::Switch]
    );
}

#[test]
fn an_expired_authority_is_replaced_at_once() {
    let mut data = SecretData::new();
    keep(&mut data, &POLICY, start());
    let late = after(start(), DAY * 400);
    let (transitions, set) = keep(&mut data, &POLICY, late);
    assert_eq!(transitions, [Transition::Replace]);
    assert!(trusted(&set, &POLICY, &set.bundle(), late));
    assert!(set.retired.is_empty());
}

#[test]
fn an_authority_from_a_clock_ahead_does_not_sign_before_its_time() {
    let mut data = SecretData::new();
    keep(&mut data, &POLICY, start());
    keep(&mut data, &POLICY, after(start(), DAY * 250));
    let (transitions, set) = keep(&mut data, &POLICY, after(start(), DAY));
    assert_eq!(transitions, []);
    assert!(trusted(&set, &POLICY, &set.bundle(), after(start(), DAY)));
}

#[test]
fn a_leaf_ends_with_its_authority_and_tolerates_late_clocks() {
    let mut data = SecretData::new();
    let (_, set) = keep(&mut data, &POLICY, start());
    let late = after(start(), DAY * 364);
    let leaf = set
        .current
        .sign(NAME, &[NAME.to_owned()], &[], POLICY.leaf_lifetime, late)
        .unwrap();
    assert_eq!(leaf.not_after, set.current.certificate.not_after);
    let leaf = set
        .current
        .sign(NAME, &[NAME.to_owned()], &[], POLICY.leaf_lifetime, start())
        .unwrap();
    let trusts = |now| bundle_trusts(set.bundle().as_bytes(), &leaf.certificate, NAME, now).unwrap();
    assert!(trusts(start() - Duration::from_secs(299)));
    assert!(!trusts(start() - Duration::from_secs(301)));
    assert!(trusts(after(
        start(),
        POLICY.leaf_lifetime - Duration::from_secs(1)
    )));
    assert!(!trusts(after(
        start(),
        POLICY.leaf_lifetime + Duration::from_secs(1)
    )));
    assert!(!leaf.is_due(after(start(), DAY * 4)));
    assert!(leaf.is_due(after(start(), DAY * 5)));
}

#[test]
fn a_leaf_is_for_its_names_and_addresses_only() {
    let (_, set) = keep(&mut SecretData::new(), &POLICY, start());
    let names = [NAME.to_owned(), "deputy-webhook".to_owned()];
    // The last one is how a socket for both families shows an address of IPv4.
    let ips = ["127.0.0.1", "::1", "::ffff:10.0.0.1"].map(|ip| ip.parse().unwrap());
    let leaf = set
        .current
        .sign(NAME, &names, &ips, POLICY.leaf_lifetime, start())
        .unwrap();
    let trusts = |name| bundle_trusts(set.bundle().as_bytes(), &leaf.certificate, name, start()).unwrap();
    for name in [NAME, "deputy-webhook", "127.0.0.1", "::1", "10.0.0.1"] {
        assert!(trusts(name), "{name}");
    }
    for name in ["deputy-broker.deputy.svc", "127.0.0.2", "svc"] {
        assert!(!trusts(name), "{name}");
    }
}

#[test]
fn a_damaged_secret_is_an_error_that_names_the_key() {
    let mut good = SecretData::new();
    keep(&mut good, &POLICY, start());
    keep(&mut good, &POLICY, after(start(), DAY * 250));
    let mut foreign = SecretData::new();
    keep(&mut foreign, &POLICY, start());
    let leaf_pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

    let message = |change: &dyn Fn(&mut SecretData)| {
        let mut data = good.clone();
        change(&mut data);
        let error = plan(&data, cold(&POLICY, start()))
            .err()
            .expect("a damaged Secret was accepted");
        let source = std::error::Error::source(&error)
            .map(|source| format!(": {source}"))
            .unwrap_or_default();
        format!("{}: {error}{source}", error.category())
    };
    let messages = [
        message(&|data| remove(data, CURRENT_KEY)),
        message(&|data| remove(data, CURRENT_CERTIFICATE)),
        message(&|data| remove(data, NEXT_KEY)),
        message(&|data| {
            remove(data, CURRENT_CERTIFICATE);
            remove(data, CURRENT_KEY);
        }),
        message(&|data| set(data, CURRENT_CERTIFICATE, "rubbish")),
        message(&|data| set(data, CURRENT_CERTIFICATE, leaf_pem)),
        message(&|data| set(data, CURRENT_KEY, "rubbish")),
        message(&|data| {
            data.insert(CURRENT_KEY.to_owned(), foreign[CURRENT_KEY].clone());
        }),
        message(&|data| set(data, NEXT_KEY, &"x".repeat(300 * 1024))),
        message(&|data| {
            data.insert(CURRENT_KEY.to_owned(), ByteString(vec![0xff, 0xfe]));
        }),
        message(&|data| {
            let certificate = data[CURRENT_CERTIFICATE].0.repeat(65);
            data.insert(CURRENT_CERTIFICATE.to_owned(), ByteString(certificate));
        }),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn the_certificate_of_a_leaf_is_no_authority() {
    let mut data = SecretData::new();
    let (_, ca) = keep(&mut data, &POLICY, start());
    let leaf = ca
        .current
        .sign(NAME, &[NAME.to_owned()], &[], POLICY.leaf_lifetime, start())
        .unwrap();
    set(
        &mut data,
        CURRENT_CERTIFICATE,
        &super::super::certificate::to_pem(&leaf.certificate),
    );
    let error = plan(&data, cold(&POLICY, start())).err().unwrap();
    assert!(matches!(
        error,
        AuthorityError::Corrupt {
            key: CURRENT_CERTIFICATE,
            source: CertificateError::NotAnAuthority
        }
    ));
}

/// A replica that holds what is in `held`.
fn holding<'a>(held: &'a CaSet, now: Timestamp) -> Circumstances<'a> {
    Circumstances {
        held: Some(held),
        pinned: Pinned::by(held.certificates()),
        ..cold(&AuthorityPolicy::BROKER, now)
    }
}

fn filled() -> (SecretData, CaSet) {
    let mut data = SecretData::new();
    let (_, set) = keep(&mut data, &AuthorityPolicy::BROKER, start());
    (data, set)
}

fn roots(set: &CaSet) -> Vec<CertificateDer<'static>> {
    set.certificates().map(|one| one.der.clone()).collect()
}

/// Every way to lose what a Secret held, by hand, by a tool or by a disk.
fn losses(good: &SecretData) -> Vec<(&'static str, SecretData)> {
    let changed = |change: &dyn Fn(&mut SecretData)| {
        let mut data = good.clone();
        change(&mut data);
        data
    };
    vec![
        ("emptied", SecretData::new()),
        (
            "emptied values",
            changed(&|data| data.values_mut().for_each(|value| value.0.clear())),
        ),
        ("the key is gone", changed(&|data| remove(data, CURRENT_KEY))),
        (
            "the certificate is gone",
            changed(&|data| remove(data, CURRENT_CERTIFICATE)),
        ),
        (
            "rubbish",
            changed(&|data| set(data, CURRENT_CERTIFICATE, "rubbish")),
        ),
    ]
}

#[test]
fn a_replica_writes_back_what_its_secret_lost() {
    let (good, held) = filled();
    for (what, lost) in losses(&good) {
        let plan = plan(&lost, holding(&held, start())).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(plan.stored.is_none(), "{what}");
        let (transition, set) = plan.write.unwrap();
        assert_eq!(transition, Transition::Restore, "{what}");
        assert_eq!(set.merged_into(lost), good, "{what}");
    }
}

#[test]
fn a_replica_that_begins_makes_no_authority_while_clients_trust_another() {
    let (good, trusted) = filled();
    let print = fingerprint(&trusted.current.certificate.der);
    for (what, lost) in losses(&good) {
        let refused = |abandoned: Option<&str>| {
            let circumstances = Circumstances {
                pinned: Pinned::by(trusted.certificates()),
                abandoned,
                ..cold(&AuthorityPolicy::BROKER, start())
            };
            plan(&lost, circumstances)
        };
        for annotation in [None, Some(""), Some("true"), print.get(..16)] {
            let error = refused(annotation)
                .err()
                .unwrap_or_else(|| panic!("{what}: {annotation:?}"));
            assert!(
                ["pinned", "incomplete", "corrupt"].contains(&error.category()),
                "{what}"
            );
            let text = error.to_string();
            assert!(text.contains("restore the Secret's data"), "{what}: {text}");
        }
    }
    // Empty, and given up: the roots of before stay in the bundle.
    let circumstances = Circumstances {
        pinned: Pinned::by(trusted.certificates()),
        abandoned: Some(&print),
        ..cold(&AuthorityPolicy::BROKER, start())
    };
    let (transition, new) = plan(&SecretData::new(), circumstances).unwrap().write.unwrap();
    assert_eq!(transition, Transition::Create);
    assert_eq!(roots(&new)[1..], roots(&trusted));
    assert_ne!(roots(&new)[0], roots(&trusted)[0]);
}

#[test]
fn another_authority_is_not_used_until_the_trusted_one_is_given_up() {
    let (_, trusted) = filled();
    let (other, _) = filled();
    let print = fingerprint(&trusted.current.certificate.der);
    for held in [None, Some(&trusted)] {
        let found = |abandoned| {
            let circumstances = Circumstances {
                held,
                pinned: Pinned::by(trusted.certificates()),
                abandoned,
                ..cold(&AuthorityPolicy::BROKER, start())
            };
            plan(&other, circumstances)
        };
        assert_eq!(found(None).err().unwrap().category(), "pinned");
        let plan = found(Some(print.as_str())).unwrap();
        assert!(plan.stored.is_some() && plan.write.is_none());
    }
}

#[test]
fn an_authority_that_goes_on_from_the_trusted_one_is_served_with() {
    let mut data = SecretData::new();
    let mut bundles = Vec::new();
    for day in [0, 2600, 3100] {
        let now = after(start(), DAY * day);
        let (_, set) = keep(&mut data, &AuthorityPolicy::BROKER, now);
        bundles.push(set);
        // A replica, or a ConfigMap, that knows any earlier state.
        for earlier in &bundles {
            let circumstances = Circumstances {
                pinned: Pinned::by(earlier.certificates()),
                ..cold(&AuthorityPolicy::BROKER, now)
            };
            assert!(plan(&data, circumstances).unwrap().stored.is_some(), "day {day}");
        }
    }
    assert_eq!(bundles[2].retired.len(), 1, "it was switched");
}

#[test]
fn what_clients_trust_must_be_known_before_an_authority_is_made() {
    let unknown = || Pinned::Unknown("the ConfigMap does not exist".to_owned());
    let circumstances = |abandoned| Circumstances {
        pinned: unknown(),
        abandoned,
        ..cold(&AuthorityPolicy::BROKER, start())
    };
    for abandoned in [None, Some("true")] {
        let error = plan(&SecretData::new(), circumstances(abandoned)).err().unwrap();
        assert_eq!(error.category(), "pins-unknown");
    }
    // What is there is served with all the same.
    let (data, _) = filled();
    assert!(plan(&data, circumstances(None)).unwrap().stored.is_some());
}

#[test]
fn a_clock_that_is_decades_ahead_replaces_no_authority_that_clients_trust() {
    let (data, trusted) = filled();
    let circumstances = Circumstances {
        pinned: Pinned::by(trusted.certificates()),
        ..cold(&AuthorityPolicy::BROKER, after(start(), DAY * 20_000))
    };
    assert_eq!(plan(&data, circumstances).err().unwrap().category(), "pinned");
}

#[test]
fn who_holds_an_authority_makes_another_only_when_it_is_given_up() {
    let (_, held) = filled();
    let print = fingerprint(&held.current.certificate.der);
    let circumstances = Circumstances {
        abandoned: Some(&print),
        ..holding(&held, start())
    };
    let (transition, new) = plan(&SecretData::new(), circumstances).unwrap().write.unwrap();
    assert_eq!(transition, Transition::Create);
    // The same annotation says nothing about the new one.
    let circumstances = Circumstances {
        abandoned: Some(&print),
        ..holding(&new, start())
    };
    let (transition, again) = plan(&SecretData::new(), circumstances).unwrap().write.unwrap();
    assert_eq!(transition, Transition::Restore);
    assert_eq!(roots(&again), roots(&new));
}
