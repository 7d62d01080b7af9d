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
    cut_sessions::{
        CutNarrowed, CutOfServiceAccounts, CutServiceAccounts, CutSessions, NarrowedServiceAccounts, digest,
    },
    model::{Account, Binding, RoleKind, SessionMethod, Subjects},
    people, quota,
};
use deputy_policy::Document;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{
    dereference::RoleInputs,
    peoples_sessions,
    shares::SessionShares,
    takeover::Takeover,
    times::{ISSUED_WITHIN, LONGEST, after, all_over, second_of},
    untagged,
};
use crate::queue::Requeue;

/// Who may have sessions of a role: whom its accepted bindings name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bearers {
    /// Those whose sessions the broker makes.
    pub service_accounts: BTreeSet<ServiceAccountName>,
    /// People, each by the mark that their sessions have.
    pub people: BTreeSet<String>,
    /// All others, each by what tells them apart.
    pub others: BTreeSet<String>,
    /// How much of the role sessions get that the broker makes.
    pub shares: SessionShares,
}

impl Bearers {
    /// Of these accepted bindings.
    pub fn of<'a>(account: &Account, bindings: impl IntoIterator<Item = &'a Binding>) -> Self {
        let mut bearers = Self::default();
        let mut by_broker = Vec::new();
        for binding in bindings {
            match &binding.subjects {
                Subjects::ServiceAccounts(names) => match binding.method_in(account) {
                    SessionMethod::AssumeRole => {
                        bearers.service_accounts.extend(names.iter().cloned());
                        by_broker.push(binding);
                    }
                    SessionMethod::AssumeRoleWithWebIdentity => {
                        let marks = names.iter().map(|name| format!("ServiceAccount {name}"));
                        bearers.others.extend(marks);
                    }
                },
                Subjects::People(_) => bearers.people.extend(people::marks(account, binding)),
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
        bearers.shares = SessionShares::of(by_broker);
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

    /// What of people is written down.
    fn marks_of_people(&self, most: usize) -> Vec<String> {
        if self.people.len() > most {
            return vec![people::digest_of(&self.people)];
        }
        self.people.iter().cloned().collect()
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
    let people = bearers.marks_of_people(most);
    let old = match former {
        FormerSessions::Recorded(old) => Some(old),
        FormerSessions::Never | FormerSessions::Unknown => None,
    };
    let is_known = former != FormerSessions::Unknown;
    let mut new = RoleSessionsStatus {
        cut_people: peoples_sessions::step(old, is_known, &people, now),
        people,
        service_accounts_hash: (!is_named).then(|| digest(names.iter().map(String::as_str))),
        others: bearers.marks(most),
        ..RoleSessionsStatus::default()
    };
    let cut = |service_account| CutSessionsStatus {
        service_account,
        before: after(now, ISSUED_WITHIN),
        until: all_over(now),
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
            let until = lost.then(|| all_over(now));
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
        let before = second_of(now);
        return Some(EverybodysSessionsStatus {
            until: after(before.0, LONGEST),
            before,
        });
    }
    let old = recorded?.everybody.clone()?;
    (old.until.0 > now).then_some(old)
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
    let Some(mut cut) = denied(record, bearers) else {
        return inline.cloned();
    };
    let both = cut.beside(inline);
    if both.is_some() {
        return both;
    }
    // Where it can't be said which sessions of people go on, none does.
    if let (Some(people), Some(cut_people)) = (&mut cut.of_people, &mut record.cut_people)
        && !people.marks.is_empty()
    {
        people.marks.clear();
        cut_people.all = true;
        if let Some(both) = cut.beside(inline) {
            return Some(both);
        }
    }
    let no_room = |until| remaining(RemainingReason::NoRoom, until);
    let narrowed = record.narrowed.iter().map(|entry| entry.until.clone()).max();
    // Whoever lost the role comes before who keeps some of it.
    if cut.narrowed.take().is_some()
        && let Some(most) = cut.beside(inline)
    {
        record.remain.extend(narrowed.map(no_room));
        return Some(most);
    }
    let everybodys = record.everybody.iter().map(|all| all.until.clone());
    let untagged = record.untagged.iter().map(|untagged| untagged.until.clone());
    let until = record.cut.iter().map(|entry| entry.until.clone());
    let people = record.cut_people.iter().map(|cut| cut.until.clone());
    let all = until.chain(people).chain(everybodys).chain(untagged);
    let until = all.chain(narrowed).max();
    if let Some(cut_people) = &mut record.cut_people {
        cut_people.all = false;
    }
    record.remain.extend(until.map(no_room));
    inline.cloned()
}

/// The sessions that the record asks to be denied everything.
fn denied(record: &RoleSessionsStatus, bearers: &Bearers) -> Option<CutSessions> {
    let everybody_before = record.everybody.as_ref().map(|all| all.before.0.to_string());
    let of_service_accounts = cut_of_service_accounts(record, bearers);
    let untagged_before = record.untagged.as_ref().map(|cut| cut.before.0.to_string());
    let narrowed = cut_narrowed(record, bearers);
    let of_people = peoples_sessions::denied(record, &bearers.people);
    let of_all = everybody_before.is_some() || untagged_before.is_some();
    let is_any = of_all || of_service_accounts.is_some() || of_people.is_some() || narrowed.is_some();
    is_any.then_some(CutSessions {
        of_service_accounts,
        everybody_before,
        untagged_before,
        narrowed,
        of_people,
    })
}

/// The ServiceAccounts of a record; `None` where an entry stands for more than it names.
fn all_named<'a>(entries: impl Iterator<Item = &'a Option<String>>) -> Option<BTreeSet<ServiceAccountName>> {
    entries
        .map(|name| ServiceAccountName::new(name.clone()?).ok())
        .collect()
}

fn cut_of_service_accounts(record: &RoleSessionsStatus, bearers: &Bearers) -> Option<CutOfServiceAccounts> {
    let issued_before = record.cut.iter().map(|entry| entry.before.0).max()?;
    let accepted = bearers.service_accounts.clone();
    let names = all_named(record.cut.iter().map(|entry| &entry.service_account));
    Some(CutOfServiceAccounts {
        service_accounts: match names {
            Some(cut) => CutServiceAccounts::These { cut, accepted },
            None => CutServiceAccounts::AllBut { accepted },
        },
        issued_before: issued_before.to_string(),
    })
}

/// Those that get less; `None` also where the record says that theirs live.
fn cut_narrowed(record: &RoleSessionsStatus, bearers: &Bearers) -> Option<CutNarrowed> {
    let lives = |entry: &RemainingSessionsStatus| entry.reason == RemainingReason::FormerPolicy;
    let issued_before = record.narrowed.iter().map(|entry| entry.before.0).max()?;
    if record.remain.iter().any(lives) {
        return None;
    }
    let shares = &bearers.shares;
    let restricted: BTreeSet<ServiceAccountName> = shares.without_whole().cloned().collect();
    let names = all_named(record.narrowed.iter().map(|entry| &entry.service_account));
    let held = names.as_ref().unwrap_or(&restricted);
    let marks: BTreeSet<String> = held.iter().flat_map(|name| shares.marks_of(name)).collect();
    Some(CutNarrowed {
        marks,
        issued_before: issued_before.to_string(),
        service_accounts: match names {
            Some(names) => NarrowedServiceAccounts::These(names),
            None => NarrowedServiceAccounts::AllBut(
                bearers
                    .service_accounts
                    .difference(&restricted)
                    .cloned()
                    .collect(),
            ),
        },
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
        || new.people != old.people
        || (new.cut_people.as_ref().is_some_and(|cut| cut.all) && new.cut_people != old.cut_people)
        || new.others != old.others
        || (new.everybody.is_some() && new.everybody != old.everybody)
        || (new.untagged.is_some() && new.untagged != old.untagged)
        || new.session_policies != old.session_policies
        || (!new.narrowed.is_empty() && new.narrowed != old.narrowed)
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
    let narrowed = record
        .iter()
        .flat_map(|r| r.narrowed.iter().map(|entry| entry.until.0));
    let untagged = record.and_then(|r| r.untagged.as_ref());
    let untagged = untagged.map(untagged::next);
    let people = record.and_then(|r| r.cut_people.as_ref());
    let first = cut
        .chain(remain)
        .chain(people.map(|cut| cut.until.0))
        .chain(everybodys)
        .chain(untagged)
        .chain(narrowed)
        .min();
    let left = first.map(|until| Duration::try_from(until.duration_since(now)).unwrap_or_default());
    Requeue::After(left.map_or(time, |left| time.min(left + Duration::from_secs(1))))
}
