//! Sessions of ServiceAccounts that stay bound, and get less of the role than before.

use deputy_api::{RemainingReason, RoleSessionsStatus};
use deputy_delegation::{
    cut_sessions::SID_OF_NARROWED,
    model::{Binding, Revocation},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    fixtures::{account, binding_object},
    objects::parse,
    role::{
        narrowed,
        sessions::{Bearers, FormerSessions, comes_first, step, with_cut},
    },
};

const HOUR: i64 = 3600;
/// Between a change and when the last session of before it is over.
const OVER: i64 = 600 + 12 * HOUR;

/// What a ServiceAccount gets: all, some, less than that, something else, and managed policies.
const WHOLE: &str = "";
const SOME: &str = "s3:Get* s3:Put*";
const LESS: &str = "s3:GetObject";
const ELSE: &str = "s3:Delete*";

/// Who is bound, and what sessions each gets, by one binding each.
type Bound = &'static [(&'static str, &'static str)];

fn bearers(bound: Bound) -> Bearers {
    let bindings: Vec<Binding> = bound
        .iter()
        .enumerate()
        .map(|(n, (name, share))| {
            let mut object = binding_object(&format!("binding-{n}"));
            object.data["spec"]["subjects"] = json!([{"kind": "ServiceAccount", "name": name}]);
            let actions: Vec<&str> = share.split_whitespace().collect();
            let allow = json!([{"Effect": "Allow", "Action": actions, "Resource": "*"}]);
            object.data["spec"]["session"] = match *share {
                WHOLE => json!({}),
                _ => json!({"policy": {"Version": "2012-10-17", "Statement": allow}}),
            };
            parse(&object, deputy_api::parse_binding).unwrap()
        })
        .collect();
    Bearers::of(&account(), &bindings)
}

/// What a process knows, and what is written down.
struct Told {
    record: RoleSessionsStatus,
    bearers: Bearers,
}

fn next(
    former: FormerSessions<'_>,
    remembered: Option<&Bearers>,
    bound: Bound,
    (revocation, second, most): (Revocation, i64, usize),
) -> Told {
    let (bearers, now) = (bearers(bound), Timestamp::from_second(second).unwrap());
    let mut record = step(former, &bearers, now, 64);
    let remembered = remembered.map(|bearers| &bearers.shares);
    narrowed::step(former, &bearers, remembered, &mut record, (revocation, now, most));
    Told { record, bearers }
}

impl Told {
    fn first(bound: Bound, most: usize) -> Self {
        next(FormerSessions::Never, None, bound, (Revocation::All, 0, most))
    }

    /// So much later, by a process that remembers or not.
    fn then(&self, remembers: bool, bound: Bound, second: i64, most: usize) -> Self {
        let former = FormerSessions::Recorded(&self.record);
        let remembered = remembers.then_some(&self.bearers);
        let how = (Revocation::All, second, most);
        let told = next(former, remembered, bound, how);
        assert!(told.record.narrowed.len() <= most && told.record.session_policies.len() <= most);
        let again = next(FormerSessions::Recorded(&told.record), None, bound, how);
        assert_eq!(again.record, told.record, "once more changes nothing");
        assert!(
            told.record == self.record
                || told.record.narrowed.is_empty()
                || comes_first(former, &told.record)
        );
        told
    }

    /// Of whom they are; `*` stands for all.
    fn narrowed(&self) -> Vec<&str> {
        let entries = self.record.narrowed.iter();
        entries
            .map(|entry| entry.service_account.as_deref().unwrap_or("*"))
            .collect()
    }
}

#[test]
fn what_is_not_known_to_be_covered_is_narrower() {
    let table: &[(Bound, Bound, bool, bool)] = &[
        // Before, then, and whether it is narrower to who remembers what it was, and to who does not.
        (&[("a", WHOLE)], &[("a", WHOLE)], false, false),
        (&[("a", WHOLE)], &[("a", SOME)], true, true),
        (&[("a", SOME)], &[("a", WHOLE)], false, false),
        (&[("a", SOME)], &[("a", SOME)], false, false),
        (&[("a", SOME)], &[("a", LESS)], true, true),
        (&[("a", LESS)], &[("a", SOME)], false, true),
        (&[("a", LESS)], &[("a", ELSE)], true, true),
        // By several bindings.
        (&[("a", SOME)], &[("a", LESS), ("a", WHOLE)], false, false),
        (&[("a", WHOLE), ("a", SOME)], &[("a", SOME)], true, true),
        (&[("a", SOME), ("a", ELSE)], &[("a", ELSE)], true, true),
        (
            &[("a", LESS), ("a", ELSE)],
            &[("a", ELSE), ("a", SOME)],
            false,
            true,
        ),
        // It is another one's.
        (&[("a", SOME)], &[("a", SOME), ("b", LESS)], false, false),
        (&[("a", SOME), ("b", WHOLE)], &[("a", SOME)], false, false),
    ];
    for (before, then, known, unknown) in table {
        for (remembers, expected) in [(true, *known), (false, *unknown)] {
            let told = Told::first(before, 3).then(remembers, then, 60, 3);
            let expected = if expected { vec!["a"] } else { vec![] };
            assert_eq!(told.narrowed(), expected, "{before:?} {then:?} {remembers}");
        }
    }
}

#[test]
fn they_are_denied_where_the_owner_says_all_and_else_said_to_live() {
    let first = Told::first(&[("a", SOME), ("b", WHOLE)], 3);
    for (revocation, is_cut) in [(Revocation::All, true), (Revocation::Distinguishable, false)] {
        let former = FormerSessions::Recorded(&first.record);
        let bound: Bound = &[("a", LESS), ("b", WHOLE)];
        let Told { mut record, bearers } = next(former, Some(&first.bearers), bound, (revocation, 60, 3));
        let reasons: Vec<RemainingReason> = record.remain.iter().map(|entry| entry.reason).collect();
        assert_eq!(reasons.contains(&RemainingReason::FormerPolicy), !is_cut);
        let denied = with_cut(&mut record, &bearers, None).map(|document| document.to_value());
        assert_eq!(denied.is_some(), is_cut);
        let Some(Value::Object(denied)) = denied else {
            continue;
        };
        let statement = &denied["Statement"][0];
        assert_eq!(statement["Sid"], SID_OF_NARROWED);
        let condition = &statement["Condition"];
        assert_eq!(
            condition["StringEquals"]["aws:PrincipalTag/deputy-service-account"],
            "a"
        );
        let mark = bearers.shares.marks_of(bearers.service_accounts.first().unwrap());
        let other = &condition["StringNotEquals"]["aws:PrincipalTag/deputy-session-policy"];
        assert_eq!(json!(mark.first()), *other);
    }
}

#[test]
fn back_to_what_it_was_is_as_it_was() {
    let first = Told::first(&[("a", SOME)], 3);
    let less = first.then(true, &[("a", LESS)], 60, 3);
    assert_eq!(
        less.then(true, &[("a", SOME)], 90, 3).narrowed(),
        Vec::<&str>::new()
    );
    // But not where it was something else in between: that is not known to be covered.
    let other = less.then(true, &[("a", ELSE)], 90, 3);
    assert_eq!(other.then(true, &[("a", SOME)], 99, 3).narrowed(), ["a"]);
    // It is over when the last session is, and at once when it gets all.
    assert_eq!(
        less.then(true, &[("a", LESS)], 60 + OVER - 1, 3).narrowed(),
        ["a"]
    );
    assert_eq!(
        less.then(true, &[("a", LESS)], 60 + OVER, 3).narrowed(),
        Vec::<&str>::new()
    );
    assert_eq!(
        less.then(true, &[("a", WHOLE)], 99, 3).narrowed(),
        Vec::<&str>::new()
    );
}

#[test]
fn who_is_bound_again_with_less_does_not_get_back_what_was_cut() {
    let first = Told::first(&[("a", WHOLE), ("b", WHOLE)], 3);
    let removed = first.then(true, &[("b", WHOLE)], 60, 3);
    assert_eq!(
        removed.then(true, &[("a", LESS), ("b", WHOLE)], 90, 3).narrowed(),
        ["a"]
    );
    assert_eq!(
        removed.then(true, &[("b", WHOLE), ("c", LESS)], 90, 3).narrowed(),
        Vec::<&str>::new()
    );
}

#[test]
fn where_nothing_is_recorded_whoever_is_restricted_may_have_had_more() {
    let how = (Revocation::All, 60, 3);
    let told = next(FormerSessions::Unknown, None, &[("a", SOME), ("b", WHOLE)], how);
    assert_eq!(told.narrowed(), ["a"]);
    // A release that knew of none of it wrote no hashes.
    let mut upgraded = Told::first(&[("b", WHOLE)], 3);
    upgraded = upgraded.then(false, &[("b", WHOLE)], 60, 3);
    assert_eq!(upgraded.record.session_policies, []);
}

#[test]
fn of_more_than_have_room_one_entry_stands_for_all() {
    let three: Bound = &[("a", SOME), ("b", SOME), ("c", SOME), ("d", WHOLE)];
    let first = Told::first(three, 2);
    assert_eq!(first.record.session_policies.len(), 1);
    assert_eq!(first.then(true, three, 60, 2).narrowed(), Vec::<&str>::new());
    let less = first.then(
        true,
        &[("a", LESS), ("b", SOME), ("c", SOME), ("d", WHOLE)],
        60,
        2,
    );
    assert_eq!(less.narrowed(), ["*"]);
    let Told { mut record, bearers } = less;
    let denied = with_cut(&mut record, &bearers, None).unwrap().to_value();
    let other = &denied["Statement"][0]["Condition"]["StringNotEquals"];
    assert_eq!(other["aws:PrincipalTag/deputy-service-account"], "d");
    assert_eq!(
        other["aws:PrincipalTag/deputy-session-policy"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let all = Told::first(&[("a", WHOLE), ("b", WHOLE), ("c", WHOLE)], 2);
    let all = all.then(true, &[("a", LESS), ("b", LESS), ("c", LESS)], 60, 2);
    assert_eq!(all.narrowed(), ["*"]);
}
