//! What an AWSAccount says of IAM roles without an object, and whether that is to be relied on.

use deputy_api::conditions::ConditionReason;
use jiff::{SignedDuration, Timestamp};
use kube::api::DynamicObject;
use serde_json::Value;

use super::objects::{condition, place};
use crate::text::printable;

/// How often `deputy controller` lists the roles of an account, and how long a role has had no object before it goes.
const ROUND: SignedDuration = SignedDuration::from_mins(30);
/// Orphans of one account that are shown.
const SHOWN: usize = 5;

/// What is known of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSweep {
    /// The AWSAccount.
    place: String,
    /// Roles without an object that it names.
    count: u64,
    /// The oldest of them: for what each was made, and why it is there.
    oldest: Vec<String>,
    /// Why that may not be all.
    unknown: Option<String>,
    /// When AWS listed the roles last.
    listed: Option<Timestamp>,
    /// Since when the newest of them that is named has no object.
    newest: Option<Timestamp>,
}

impl AccountSweep {
    pub fn of(account: &DynamicObject) -> Self {
        let at = |pointer: &str| account.data.pointer(pointer);
        let entries = at("/status/orphans/oldest").and_then(Value::as_array);
        let entries: Vec<_> = entries.into_iter().flatten().collect();
        let text =
            |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).unwrap_or("?").to_owned();
        let time = |value: &Value| value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
        let said = at("/status/orphans/count");
        Self {
            place: place(account),
            count: said.and_then(Value::as_u64).unwrap_or_default(),
            oldest: entries
                .iter()
                .take(SHOWN)
                .map(|entry| format!("{}: {}", text(entry, "object"), text(entry, "reason")))
                .collect(),
            unknown: unknown(account, said),
            listed: at("/status/lastListed").and_then(time),
            newest: entries.iter().filter_map(|e| e.get("since").and_then(time)).max(),
        }
    }

    /// Whether it is known that there is none.
    pub fn is_none(&self) -> bool {
        self.count == 0 && self.is_known()
    }

    pub fn is_known(&self) -> bool {
        self.unknown.is_none()
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// What is said of it, where there is something to say.
    pub fn lines(&self) -> String {
        let Self { place, count, .. } = self;
        let mut text = String::new();
        if *count > 0 {
            text.push_str(&format!(
                "- {count} IAM roles without an object, in AWSAccount {place} (status.orphans)\n"
            ));
            for named in &self.oldest {
                text.push_str(&format!("  - {}\n", printable(named)));
            }
        }
        if let Some(why) = &self.unknown {
            text.push_str(&format!(
                "- AWSAccount {place}: whether AWS has IAM roles without an object is not known: {}\n",
                printable(why)
            ));
        }
        text
    }

    /// When the last of them is told to be gone at the earliest: they go in a round, and the round after it says so.
    pub fn earliest_end(&self, now: Timestamp) -> Timestamp {
        // A round comes when a grace ends, too.
        let due = self.newest.map(a_round_after);
        let removed = due
            .filter(|due| *due > now)
            .or_else(|| self.listed.map(a_round_after));
        a_round_after(removed.map_or(now, |removed| removed.max(now)))
    }
}

/// A status may say any time.
fn a_round_after(time: Timestamp) -> Timestamp {
    time.checked_add(ROUND).unwrap_or(Timestamp::MAX)
}

/// Why it is not known whether there are any. An absent count is none only where the sweep says so.
fn unknown(account: &DynamicObject, count: Option<&Value>) -> Option<String> {
    const WITH_COUNT: [ConditionReason; 3] = [
        ConditionReason::Orphaned,
        ConditionReason::OrphansHeld,
        ConditionReason::DeletionsHeld,
    ];
    let Some(swept) = condition(account, "Swept") else {
        return Some("AWS has not listed its roles yet (it has no condition Swept)".to_owned());
    };
    let is_number = count.is_some_and(|count| count.as_u64().is_some());
    let has_count = WITH_COUNT.iter().any(|reason| reason.as_str() == swept.reason);
    match swept.status {
        "True" if count.is_none() || is_number => None,
        "False" if has_count && is_number => None,
        status if status == "True" || has_count => Some("status.orphans.count is no number".to_owned()),
        status => Some(format!(
            "its condition Swept is {status} ({}): {}",
            swept.reason, swept.message
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn account(status: &Value) -> AccountSweep {
        let object = json!({"metadata": {"name": "production"}, "status": status});
        AccountSweep::of(&serde_json::from_value(object).unwrap())
    }

    fn swept(status: &str, reason: &str, orphans: &Value) -> AccountSweep {
        account(&json!({
            "orphans": orphans,
            "conditions": [{"type": "Swept", "status": status, "reason": reason, "message": "why"}],
        }))
    }

    #[test]
    fn what_is_not_known_is_never_none() {
        let three = json!({"count": 3});
        for (sweep, known, count) in [
            (account(&Value::Null), false, 0),
            (account(&json!({"orphans": {"count": 0}})), false, 0),
            (account(&json!({"conditions": "broken"})), false, 0),
            (swept("Unknown", "AccessDenied", &json!({})), false, 0),
            (swept("Unknown", "Throttled", &three), false, 3),
            (swept("False", "AWSError", &json!({"count": 0})), false, 0),
            (swept("False", "Orphaned", &json!({})), false, 0),
            (swept("True", "UpToDate", &json!({"count": "3"})), false, 0),
            (swept("True", "UpToDate", &json!({"count": -1})), false, 0),
            (swept("", "", &json!({})), false, 0),
            // Given up since the last sweep: the condition is that of before.
            (swept("True", "UpToDate", &three), true, 3),
            (swept("True", "UpToDate", &json!({})), true, 0),
            (swept("True", "UpToDate", &json!({"count": 0})), true, 0),
            (swept("False", "Orphaned", &three), true, 3),
            (swept("False", "OrphansHeld", &three), true, 3),
            (swept("False", "DeletionsHeld", &three), true, 3),
        ] {
            assert_eq!((sweep.is_known(), sweep.count()), (known, count), "{sweep:?}");
            assert_eq!(sweep.is_none(), known && count == 0, "{sweep:?}");
            assert_eq!(sweep.lines().is_empty(), sweep.is_none(), "{sweep:?}");
        }
    }

    #[test]
    fn it_is_told_what_each_is_and_why_nothing_is_known() {
        let orphan = json!({"object": "AWSRole a/b", "reason": "its trust could not be closed"});
        let sweep = swept(
            "Unknown",
            "AccessDenied",
            &json!({"count": 1, "oldest": [orphan]}),
        );
        assert_eq!(
            sweep.lines(),
            "- 1 IAM roles without an object, in AWSAccount production (status.orphans)\n\
             \x20 - AWSRole a/b: its trust could not be closed\n\
             - AWSAccount production: whether AWS has IAM roles without an object is not known: its condition Swept is Unknown \
             (AccessDenied): why\n"
        );
    }

    #[test]
    fn orphans_go_in_a_round_and_the_one_after_it_says_so() {
        let at = |text: &str| format!("2026-01-01T{text}:00Z").parse::<Timestamp>().unwrap();
        for (listed, since, end) in [
            // They are past their grace: the next round.
            ("11:50", "10:00", "12:50"),
            // The grace ends before the next round, which comes then.
            ("11:50", "11:40", "12:40"),
            // The round is late.
            ("10:00", "10:00", "12:30"),
            ("11:59", "11:59", "12:59"),
        ] {
            let sweep = account(&json!({
                "lastListed": at(listed).to_string(),
                "orphans": {"count": 1, "oldest": [{"since": at(since).to_string()}]},
            }));
            assert_eq!(sweep.earliest_end(at("12:00")), at(end), "{listed} {since}");
        }
        let last = account(&json!({"lastListed": Timestamp::MAX.to_string(), "orphans": {"count": 1}}));
        assert_eq!(last.earliest_end(at("12:00")), Timestamp::MAX);
    }
}
