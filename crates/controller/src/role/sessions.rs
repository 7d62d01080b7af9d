//! Whose sessions of a role may run, and whose are cut because nothing gives them the role any more. Pure.
//!
//! The record of it is in the status, and written before AWS is: what a role is to be in AWS follows from the record and the time, so
//! whatever fails in between, and however often, the next attempt cuts the same sessions. It is as safe as it is known who may have some:
//! the broker makes sessions for whom the record names, and where nobody knows who had some, all others are cut.

use std::{collections::BTreeSet, time::Duration};

use deputy_api::{
    CutSessionsStatus, EverybodysSessionsStatus, RemainingReason, RemainingSessionsStatus, RoleSessionsStatus,
};
use deputy_delegation::{
    ServiceAccountName,
    cut_sessions::{CutOfServiceAccounts, CutServiceAccounts, CutSessions, digest},
    model::{Account, Binding, RoleKind, SessionMethod, Subjects},
    quota,
};
use deputy_policy::Document;
use jiff::{Timestamp, Unit};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{dereference::RoleInputs, takeover::Takeover};
use crate::queue::Requeue;

/// For so long after a removal was seen a session may still be issued: brokers go by what was true 30 s ago, and AWS takes calls of a
/// clock that is five minutes off, as may be this one's. It costs nothing to wait longer: whom it would concern has no session.
const ISSUED_WITHIN: Duration = Duration::from_secs(600);
/// The longest session there is, whatever role, bindings and issuer say now: they may have said something else when it was issued.
const LONGEST: Duration = Duration::from_secs(quota::SESSION_SECONDS_MAX as u64);

/// Who may have sessions of a role: whom its accepted bindings name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bearers {
    /// Those whose sessions the broker makes.
    pub service_accounts: BTreeSet<ServiceAccountName>,
    /// All others, each by what tells them apart.
    pub others: BTreeSet<String>,
}

impl Bearers {
    /// Of these accepted bindings.
    pub fn of<'a>(account: &Account, bindings: impl IntoIterator<Item = &'a Binding>) -> Self {
        let mut bearers = Self::default();
        for binding in bindings {
            match &binding.subjects {
                Subjects::ServiceAccounts(names) => match binding.method_in(account) {
                    SessionMethod::AssumeRole => bearers.service_accounts.extend(names.iter().cloned()),
                    SessionMethod::AssumeRoleWithWebIdentity => {
                        let marks = names.iter().map(|name| format!("ServiceAccount {name}"));
                        bearers.others.extend(marks);
                    }
                },
                // The broker makes none for people.
                Subjects::People(_) => {}
                Subjects::AwsPrincipals(list) => {
                    bearers.others.extend(list.iter().map(|p| p.arn().to_string()));
                }
                Subjects::SamlPrincipals(list) => bearers.others.extend(
                    list.iter()
                        .map(|p| format!("{} {} {:?}", p.provider, p.audience, p.claims)),
                ),
                Subjects::OidcPrincipals(list) => bearers.others.extend(
                    list.iter()
                        .map(|p| format!("{} {} {:?}", p.provider(), p.audience(), p.claims())),
                ),
            }
        }
        bearers
    }

    fn names(&self) -> Vec<String> {
        self.service_accounts.iter().map(ToString::to_string).collect()
    }

    /// What of the others is written down.
    fn marks(&self, most: usize) -> Vec<String> {
        if self.others.len() > most {
            return vec![digest(self.others.iter().map(String::as_str))];
        }
        self.others.iter().map(|one| digest([one.as_str()])).collect()
    }
}

/// What is known of who had sessions until now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormerSessions<'a> {
    /// The role was never in AWS.
    Never,
    /// It may be there, and its status does not say who had sessions: it comes from a backup, or an older release wrote it.
    Unknown,
    /// The record says so.
    Recorded(&'a RoleSessionsStatus),
}

impl<'a> FormerSessions<'a> {
    /// As the inputs have it.
    pub fn of(inputs: &RoleInputs, recorded: Option<&'a RoleSessionsStatus>) -> Self {
        match recorded {
            Some(recorded) => Self::Recorded(recorded),
            None if inputs.has_finalizer() => Self::Unknown,
            None => Self::Never,
        }
    }
}

/// How much of a role of this kind is written down.
pub fn most_recorded(kind: &RoleKind) -> usize {
    match kind {
        RoleKind::AWSRole => quota::SERVICE_ACCOUNTS_RECORDED,
        RoleKind::ClusterAWSRole { .. } => quota::SERVICE_ACCOUNTS_OF_INSTANCE,
    }
}

/// The record once these are who may have sessions: whoever was and is not any more is cut, and whoever is again is not. At most `most`
/// names of each are in it.
pub fn step(
    former: FormerSessions<'_>,
    bearers: &Bearers,
    now: Timestamp,
    most: usize,
) -> RoleSessionsStatus {
    let names = bearers.names();
    let is_named = names.len() <= most;
    let mut new = RoleSessionsStatus {
        service_accounts_hash: (!is_named).then(|| digest(names.iter().map(String::as_str))),
        others: bearers.marks(most),
        ..RoleSessionsStatus::default()
    };
    let cut = |service_account| CutSessionsStatus {
        service_account,
        before: after(now, ISSUED_WITHIN),
        until: after(now, ISSUED_WITHIN + LONGEST),
    };
    match former {
        FormerSessions::Never => {}
        FormerSessions::Unknown => new.cut.push(cut(None)),
        FormerSessions::Recorded(old) => {
            let is_over = |until: &Time| until.0 <= now;
            let is_again = |entry: &CutSessionsStatus| {
                let name = entry.service_account.as_ref();
                name.is_some_and(|name| names.contains(name))
            };
            let goes_on = |entry: &&CutSessionsStatus| !is_over(&entry.until) && !is_again(entry);
            new.cut.extend(old.cut.iter().filter(goes_on).cloned());
            let gone = old.service_accounts.iter().filter(|name| !names.contains(name));
            new.cut.extend(gone.map(|name| cut(Some(name.clone()))));
            if let Some(hash) = &old.service_accounts_hash
                && *hash != digest(names.iter().map(String::as_str))
            {
                // Somebody may have gone, and the record has no room to say who was there.
                new.cut.push(cut(None));
            }
            let is_tagged = |entry: &&RemainingSessionsStatus| entry.reason == RemainingReason::NotTagged;
            let remain = old.remain.iter().filter(|e| is_tagged(e) && !is_over(&e.until));
            let lost = old.others.iter().any(|mark| !new.others.contains(mark));
            let until = lost.then(|| after(now, ISSUED_WITHIN + LONGEST));
            let until = until.into_iter().chain(remain.map(|e| e.until.clone())).max();
            new.remain
                .extend(until.map(|until| remaining(RemainingReason::NotTagged, until)));
        }
    }
    if is_named {
        new.service_accounts = names;
    }
    new.cut = fewer(new.cut, most);
    new
}

/// Everybody's sessions that are cut: those that a record says, until they are over, and all until now of a role that a former namespace had.
pub fn everybodys(
    recorded: Option<&RoleSessionsStatus>,
    takeover: Option<Takeover>,
    now: Timestamp,
) -> Option<EverybodysSessionsStatus> {
    if takeover == Some(Takeover::FormerNamespace) {
        // The second that has begun, and not the next one: whoever comes now may have a session before that.
        let before = Time(Timestamp::from_second(now.as_second()).unwrap_or(now));
        return Some(EverybodysSessionsStatus {
            until: after(before.0, LONGEST),
            before,
        });
    }
    let old = recorded?.everybody.clone()?;
    (old.until.0 > now).then_some(old)
}

fn after(now: Timestamp, time: Duration) -> Time {
    // What is read again is as it was written: a status has whole seconds.
    let seconds = now.round(Unit::Second).unwrap_or(now);
    Time(seconds.checked_add(time).unwrap_or(Timestamp::MAX))
}

fn remaining(reason: RemainingReason, until: Time) -> RemainingSessionsStatus {
    RemainingSessionsStatus { reason, until }
}

/// At most so many entries, in the order of their names, and none that another one says as well: where there are more, all others are cut
/// instead.
fn fewer(mut cut: Vec<CutSessionsStatus>, most: usize) -> Vec<CutSessionsStatus> {
    let latest = |cut: &[CutSessionsStatus]| {
        let before = cut.iter().map(|entry| entry.before.clone()).max()?;
        let until = cut.iter().map(|entry| entry.until.clone()).max()?;
        Some(CutSessionsStatus {
            service_account: None,
            before,
            until,
        })
    };
    let (all_others, mut named): (Vec<_>, Vec<_>) =
        cut.drain(..).partition(|entry| entry.service_account.is_none());
    let mut all_others = latest(&all_others);
    if let Some(all) = &all_others {
        named.retain(|entry| entry.before > all.before || entry.until > all.until);
    }
    if named.len() + usize::from(all_others.is_some()) > most {
        named.extend(all_others.take());
        all_others = latest(&named);
        named.clear();
    }
    named.sort_by(|a, b| a.service_account.cmp(&b.service_account));
    all_others.into_iter().chain(named).collect()
}

/// The inline policy of a role that says `inline`, with the deny that the record asks for beside it. Where AWS has no room for that, the
/// record says until when the sessions remain.
pub fn with_cut(
    record: &mut RoleSessionsStatus,
    bearers: &Bearers,
    inline: Option<&Document>,
) -> Option<Document> {
    let Some(cut) = denied(record, bearers) else {
        return inline.cloned();
    };
    let both = cut.beside(inline);
    if both.is_some() {
        return both;
    }
    let everybodys = record.everybody.iter().map(|all| all.until.clone());
    let until = record.cut.iter().map(|entry| entry.until.clone());
    let until = until.chain(everybodys).max();
    let no_room = until.map(|until| remaining(RemainingReason::NoRoom, until));
    record.remain.extend(no_room);
    inline.cloned()
}

/// The sessions that the record asks to be denied everything.
fn denied(record: &RoleSessionsStatus, bearers: &Bearers) -> Option<CutSessions> {
    let everybody_before = record.everybody.as_ref().map(|all| all.before.0.to_string());
    let of_service_accounts = cut_of_service_accounts(record, bearers);
    (of_service_accounts.is_some() || everybody_before.is_some()).then_some(CutSessions {
        of_service_accounts,
        everybody_before,
    })
}

fn cut_of_service_accounts(record: &RoleSessionsStatus, bearers: &Bearers) -> Option<CutOfServiceAccounts> {
    let issued_before = record.cut.iter().map(|entry| entry.before.0).max()?;
    let accepted = bearers.service_accounts.clone();
    let names: Option<BTreeSet<ServiceAccountName>> = record
        .cut
        .iter()
        .map(|entry| ServiceAccountName::new(entry.service_account.clone()?).ok())
        .collect();
    Some(CutOfServiceAccounts {
        service_accounts: match names {
            Some(cut) => CutServiceAccounts::These { cut, accepted },
            None => CutServiceAccounts::AllBut { accepted },
        },
        issued_before: issued_before.to_string(),
    })
}

/// Whether the record is written before anything is done in AWS: it says who is cut, or the broker waits for a name in it.
pub fn comes_first(former: FormerSessions<'_>, new: &RoleSessionsStatus) -> bool {
    let FormerSessions::Recorded(old) = former else {
        return true;
    };
    // Whoever is cut was among them before.
    new.service_accounts != old.service_accounts
        || new.service_accounts_hash != old.service_accounts_hash
        || new.others != old.others
        || (new.everybody.is_some() && new.everybody != old.everybody)
}

/// When the role is looked at again: at the latest when something of the record is over.
pub fn look_again(record: Option<&RoleSessionsStatus>, now: Timestamp, requeue: Requeue) -> Requeue {
    let Requeue::After(time) = requeue else {
        return requeue;
    };
    let cut = record
        .iter()
        .flat_map(|r| r.cut.iter().map(|entry| entry.until.0));
    let remain = record
        .iter()
        .flat_map(|r| r.remain.iter().map(|entry| entry.until.0));
    let everybodys = record.and_then(|r| r.everybody.as_ref());
    let everybodys = everybodys.map(|all| all.until.0);
    let first = cut.chain(remain).chain(everybodys).min();
    let left = first.map(|until| Duration::try_from(until.duration_since(now)).unwrap_or_default());
    Requeue::After(left.map_or(time, |left| time.min(left + Duration::from_secs(1))))
}
