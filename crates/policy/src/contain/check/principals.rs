//! Whom Principal elements mean, by the texts that a person may be called by. Written apart from [`crate::principal`].

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::{
    ast::{Principal, PrincipalElement},
    contain::certificate::MAX_CALLERS,
};

/// Somebody who may ask, with everything that policies may list of them.
#[derive(Debug, Clone)]
pub(super) struct Person {
    sort: Sort,
    /// What means them under `AWS`, `Service`, `Federated` or `CanonicalUser`, and how closely.
    names: Vec<Name>,
    /// Account and name of the role whose session it is, in the form of [`role_of_session`].
    role: Option<String>,
    bounded: bool,
}

/// A text that means somebody.
#[derive(Debug, Clone)]
struct Name {
    kind: Kind,
    text: String,
    how: Closeness,
    /// The text with the name of the role in small letters, for sessions: AWS does not say whether its case counts there.
    perhaps: Option<String>,
}

/// A Principal or `NotPrincipal` element by its texts.
pub(super) struct Lists {
    negated: bool,
    /// With the names of roles in small letters, of which an account has no two that differ in case.
    texts: HashSet<(Kind, String)>,
    /// Sessions with the name of the role in small letters.
    sessions: HashSet<String>,
    /// The roles of the sessions.
    roles: HashSet<String>,
    everybody: bool,
    every_provider: bool,
}

impl Lists {
    pub(super) fn new(element: &PrincipalElement) -> Self {
        let (negated, principal) = split(element);
        let all = texts(principal);
        let sessions = || {
            all.iter()
                .filter(|(kind, _)| *kind == Kind::Aws)
                .map(|(_, text)| *text)
        };
        Self {
            negated,
            texts: all.iter().map(|(kind, text)| (*kind, of_role(text))).collect(),
            sessions: sessions().filter_map(of_session).collect(),
            roles: sessions().filter_map(role_of_session).collect(),
            everybody: all.contains(&(Kind::Aws, "*")),
            every_provider: all.contains(&(Kind::Provider, "*")),
        }
    }

    /// How many texts there are.
    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }
}

/// The ARN of a role with its name, not its path, in small letters; other texts as they are.
fn of_role(text: &str) -> String {
    let start = text
        .find(":role/")
        .and_then(|_| text.rfind('/'))
        .map_or(text.len(), |at| at + 1);
    match text.split_at_checked(start) {
        Some((path, name)) => format!("{path}{}", name.to_ascii_lowercase()),
        None => text.to_owned(),
    }
}

/// The ARN of a session with the name of its role in small letters.
fn of_session(text: &str) -> Option<String> {
    let (head, rest) = text.split_once(":assumed-role/")?;
    let (role, session) = rest.split_once('/')?;
    Some(format!(
        "{head}:assumed-role/{}/{session}",
        role.to_ascii_lowercase()
    ))
}

/// The ARN of a session without the session.
fn role_of_session(text: &str) -> Option<String> {
    let (head, rest) = text.split_once(":assumed-role/")?;
    let (role, _) = rest.split_once('/')?;
    Some(format!("{head}:assumed-role/{}", role.to_ascii_lowercase()))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Root,
    User,
    Session,
    Federated,
    /// Nobody of an account.
    Else,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Aws,
    Service,
    Provider,
    Canonical,
}

/// How closely a text means somebody: the account, the role or user behind, or exactly this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Closeness {
    Account,
    Behind,
    Exact,
}

/// Texts of a Principal element with their kinds.
fn texts(principal: &Principal) -> Vec<(Kind, &str)> {
    let Principal::Listed {
        aws,
        service,
        federated,
        canonical_user,
    } = principal
    else {
        return vec![(Kind::Aws, "*")];
    };
    let lists = [
        (Kind::Aws, aws),
        (Kind::Service, service),
        (Kind::Provider, federated),
        (Kind::Canonical, canonical_user),
    ];
    lists
        .into_iter()
        .flat_map(|(kind, list)| list.iter().map(move |text| (kind, text.as_str())))
        .collect()
}

fn split(element: &PrincipalElement) -> (bool, &Principal) {
    match element {
        PrincipalElement::Principal(principal) => (false, principal),
        PrincipalElement::NotPrincipal(principal) => (true, principal),
    }
}

/// Whether an element is `Principal` and lists everybody.
pub(super) fn is_everybody(element: &PrincipalElement) -> bool {
    let (negated, principal) = split(element);
    !negated && texts(principal).contains(&(Kind::Aws, "*"))
}

impl Person {
    fn new(sort: Sort) -> Self {
        Self {
            sort,
            names: Vec::new(),
            role: None,
            bounded: false,
        }
    }

    fn called(mut self, kind: Kind, text: impl AsRef<str>, how: Closeness) -> Self {
        let text = text.as_ref();
        self.names.push(Name {
            kind,
            text: of_role(text),
            how,
            perhaps: of_session(text),
        });
        self
    }

    fn of_account(self, partition: &str, account: &str) -> Self {
        self.called(Kind::Aws, account, Closeness::Account).called(
            Kind::Aws,
            format!("arn:{partition}:iam::{account}:root"),
            Closeness::Account,
        )
    }

    /// A session of a role; `iam` and `sts` are the beginnings of ARNs in the account.
    fn session(mut self, (iam, sts): (&str, &str), path: &str, role: &str, session: &str) -> Self {
        let arn = format!("{sts}:assumed-role/{role}/{session}");
        self.role = role_of_session(&arn);
        self.called(Kind::Aws, format!("{iam}:role/{path}{role}"), Closeness::Behind)
            .called(Kind::Aws, arn, Closeness::Exact)
    }

    /// How many look-ups a question about the person takes.
    pub(super) fn cost(&self) -> usize {
        4 * self.names.len()
    }

    /// The names that a list has for sure, and those that it has perhaps.
    fn found<'s>(&'s self, lists: &'s Lists) -> impl Iterator<Item = (Closeness, bool)> + 's {
        let everybody = lists.everybody.then_some((Closeness::Exact, true));
        let provider = self.names.iter().any(|name| name.kind == Kind::Provider);
        let provider = (provider && lists.every_provider).then_some((Closeness::Exact, true));
        let names = self.names.iter().filter_map(|name| {
            let key = (name.kind, name.text.clone());
            if lists.texts.contains(&key) {
                return Some((name.how, true));
            }
            let perhaps = name.perhaps.as_ref().filter(|_| name.kind == Kind::Aws)?;
            lists.sessions.contains(perhaps).then_some((name.how, false))
        });
        everybody.into_iter().chain(provider).chain(names)
    }

    /// Whether a statement with the element may be about the person, and whether it surely is.
    pub(super) fn is_meant(&self, lists: &Lists) -> (bool, bool) {
        let found: Vec<(Closeness, bool)> = self.found(lists).collect();
        let sure = || found.iter().filter(|(_, sure)| *sure).map(|(how, _)| *how);
        let perhaps = found.iter().map(|(how, _)| *how).max();
        if !lists.negated {
            return (perhaps.is_some(), sure().next().is_some());
        }
        if self.bounded {
            return (true, true);
        }
        let has = |how| lists.everybody || sure().any(|of| of == how);
        let (account, behind, exact) = (
            has(Closeness::Account),
            has(Closeness::Behind),
            has(Closeness::Exact),
        );
        // The guide: list the account, and the role of a session, too; else whether somebody is spared is not defined.
        let (surely_spared, perhaps_spared) = match self.sort {
            Sort::Root => (account, perhaps.is_some()),
            Sort::User => (account && exact, perhaps == Some(Closeness::Exact)),
            Sort::Federated => (account && exact, perhaps > Some(Closeness::Account)),
            Sort::Session => {
                let one_by_one = self.role.as_ref().is_some_and(|role| lists.roles.contains(role));
                let by_role = perhaps == Some(Closeness::Behind) && !one_by_one;
                (
                    account && behind && exact,
                    perhaps == Some(Closeness::Exact) || by_role,
                )
            }
            Sort::Else => (sure().next().is_some(), perhaps.is_some()),
        };
        (!surely_spared, !perhaps_spared)
    }
}

/// Parts of an ARN of IAM or STS: `partition`, `service`, `account`, `kind`, `name`.
fn arn(text: &str) -> Option<[&str; 5]> {
    let mut parts = text.splitn(6, ':');
    let (start, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let number = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    let (kind, name) = rest.split_once('/').unwrap_or((rest, ""));
    (start == "arn" && region.is_empty() && number).then_some([partition, service, account, kind, name])
}

/// Whether a text is a unique id, and whether of a user, of a role.
fn id_of(text: &str) -> Option<(bool, bool)> {
    let is_id = text.len() >= 16 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let is_id = is_id && text.starts_with('A');
    is_id.then(|| (!text.starts_with("AROA"), !text.starts_with("AIDA")))
}

/// Where everybody is: in the partitions of all ARNs that are listed, and in that of most when none is.
pub(super) fn partitions<'a>(elements: impl Iterator<Item = &'a PrincipalElement>) -> BTreeSet<&'a str> {
    let all = elements.flat_map(|element| texts(split(element).1));
    let of_arns = all.filter_map(|(kind, text)| {
        let mut parts = text.split(':');
        let named = kind == Kind::Aws && parts.next() == Some("arn");
        parts.next().filter(|_| named)
    });
    let mut partitions: BTreeSet<&str> = of_arns.collect();
    if partitions.is_empty() {
        partitions.insert("aws");
    }
    partitions
}

/// The roles that are listed with a path: their ARNs without it, the name in small letters.
pub(super) fn wandering<'a>(elements: impl Iterator<Item = &'a PrincipalElement>) -> HashSet<String> {
    let all = elements.flat_map(|element| texts(split(element).1));
    let of_role = |(kind, text): (Kind, &str)| {
        let (account, rest) = text.split_once(":role/").filter(|_| kind == Kind::Aws)?;
        let (_, name) = rest.rsplit_once('/')?;
        Some(format!("{account}:role/{}", name.to_ascii_lowercase()))
    };
    all.filter_map(of_role).collect()
}

/// Everybody in these partitions that the elements tell apart: who is named, in every combination of names that may be one's,
/// and strangers; `wandering` roles may have any path. `None` when they are too many.
#[expect(
    clippy::too_many_lines,
    reason = "one list: a step of its own for each kind of caller would hide that no kind is left out"
)]
pub(super) fn everybody<'a>(
    elements: impl Iterator<Item = &'a PrincipalElement>,
    (partitions, wandering): (&BTreeSet<&str>, &HashSet<String>),
) -> Option<Vec<Person>> {
    let (mut all, mut negated) = (Vec::new(), false);
    for element in elements {
        negated |= split(element).0;
        all.extend(texts(split(element).1));
    }
    // Longer than every text, so equal to none and part of none.
    let stranger = "z".repeat(1 + all.iter().map(|(_, text)| text.len()).max().unwrap_or(0));
    let aws = || {
        all.iter()
            .filter(|(kind, _)| *kind == Kind::Aws)
            .map(|(_, text)| *text)
    };
    let arns: Vec<[&str; 5]> = aws().filter_map(arn).collect();
    let numbers = aws().filter(|text| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()));
    let accounts: BTreeSet<&str> = numbers
        .chain(arns.iter().map(|[_, _, account, ..]| *account))
        .chain([stranger.as_str()])
        .collect();
    let most = 2 * MAX_CALLERS;
    let mut by_account: HashMap<(&str, &str), Vec<[&str; 5]>> = HashMap::new();
    for arn in &arns {
        let [partition, _, account, ..] = *arn;
        by_account.entry((partition, account)).or_default().push(*arn);
    }
    let mut of_accounts = Vec::new();
    for partition in partitions {
        for account in &accounts {
            let arns = by_account
                .get(&(*partition, *account))
                .map_or(&[][..], Vec::as_slice);
            let here = |wanted: &'static [&'static str]| {
                arns.iter()
                    .filter(move |[_, _, _, kind, _]| wanted.contains(kind))
                    .map(|[.., name]| *name)
            };
            of_accounts.extend(of_account(partition, account, &here, (&stranger, wandering))?);
            if of_accounts.len() > most {
                return None;
            }
        }
    }
    let mut people = with_ids(of_accounts, aws());
    let listed = |wanted: Kind| {
        all.iter()
            .filter(move |(kind, _)| *kind == wanted)
            .map(|(_, text)| *text)
    };
    people.push(Person::new(Sort::Else));
    for (kind, of) in [
        (Kind::Service, listed(Kind::Service)),
        (Kind::Provider, listed(Kind::Provider)),
    ] {
        for name in of.chain([stranger.as_str()]) {
            people.push(Person::new(Sort::Else).called(kind, name, Closeness::Exact));
        }
    }
    let identities = aws().filter(|text| text.starts_with("arn:aws:iam::cloudfront:user/"));
    for name in identities.chain([stranger.as_str()]) {
        people.push(Person::new(Sort::Else).called(Kind::Aws, name, Closeness::Exact));
    }
    // A canonical user id may be that of any account, and of any origin access identity.
    let canonical: BTreeSet<&str> = listed(Kind::Canonical).collect();
    let bare = people.clone();
    for id in canonical {
        people.extend(bare.iter().filter_map(|person| {
            let how = match person.sort {
                Sort::Else if person.names.iter().any(|name| name.kind == Kind::Aws) => Closeness::Exact,
                Sort::Else => return None,
                _ => Closeness::Account,
            };
            Some(person.clone().called(Kind::Canonical, id, how))
        }));
    }
    if negated {
        let can = |person: &&Person| matches!(person.sort, Sort::User | Sort::Session | Sort::Federated);
        let bounded: Vec<Person> = people
            .iter()
            .filter(can)
            .map(|person| Person {
                bounded: true,
                ..person.clone()
            })
            .collect();
        people.extend(bounded);
    }
    (people.len() <= most).then_some(people)
}

/// Who there may be in an account; of users and roles with the place for a unique id: of a user, of a role.
fn of_account<'a, I: Iterator<Item = &'a str>>(
    partition: &str,
    account: &str,
    named: &dyn Fn(&'static [&'static str]) -> I,
    (stranger, wandering): (&'a str, &HashSet<String>),
) -> Option<Vec<(Person, Option<bool>)>> {
    let most = 2 * MAX_CALLERS;
    let iam = format!("arn:{partition}:iam::{account}");
    let sts = format!("arn:{partition}:sts::{account}");
    let person = |sort| Person::new(sort).of_account(partition, account);
    let mut people = vec![(person(Sort::Root), None)];
    let users: BTreeSet<&str> = named(&["user"]).chain([stranger]).collect();
    let federated: BTreeSet<&str> = named(&["federated-user"]).chain([stranger]).collect();
    if users.len().saturating_mul(1 + federated.len()) > most {
        return None;
    }
    for user in &users {
        let arn = format!("{iam}:user/{user}");
        people.push((
            person(Sort::User).called(Kind::Aws, &arn, Closeness::Exact),
            Some(true),
        ));
        for name in &federated {
            let of_user = person(Sort::Federated)
                .called(Kind::Aws, &arn, Closeness::Behind)
                .called(
                    Kind::Aws,
                    format!("{sts}:federated-user/{name}"),
                    Closeness::Exact,
                );
            people.push((of_user, Some(true)));
        }
    }
    let roles: BTreeSet<(&str, &str)> = named(&["role"])
        .map(|name| name.split_at(name.rfind('/').map_or(0, |at| at + 1)))
        .collect();
    let sessions: BTreeSet<(&str, &str)> = named(&["assumed-role"])
        .filter_map(|name| name.split_once('/'))
        .collect();
    if sessions.len().saturating_mul(1 + roles.len()) > 8 * most {
        return None;
    }
    let path = format!("{stranger}/");
    let place = (iam.as_str(), sts.as_str());
    people.push((
        person(Sort::Session).session(place, "", stranger, stranger),
        Some(false),
    ));
    for (of, role) in &roles {
        people.push((
            person(Sort::Session).session(place, of, role, stranger),
            Some(false),
        ));
    }
    for (role, session) in &sessions {
        // An account has one role of a name. It is the one that is listed; where it is listed with a path, it may have another.
        let mut paths: Vec<&str> = roles
            .iter()
            .filter(|(_, name)| name.eq_ignore_ascii_case(role))
            .map(|(of, _)| *of)
            .collect();
        let anywhere = wandering.contains(&format!("{iam}:role/{}", role.to_ascii_lowercase()));
        if paths.is_empty() || anywhere {
            paths.push(&path);
        }
        for of in paths {
            people.push((
                person(Sort::Session).session(place, of, role, session),
                Some(false),
            ));
        }
    }
    Some(people)
}

/// The same people without a unique id that is listed, and with each that may be theirs.
fn with_ids<'a>(people: Vec<(Person, Option<bool>)>, aws: impl Iterator<Item = &'a str>) -> Vec<Person> {
    let ids: BTreeSet<(&str, bool, bool)> = aws
        .filter_map(|text| id_of(text).map(|(user, role)| (text, user, role)))
        .collect();
    let mut all = Vec::with_capacity(people.len() * (1 + ids.len()));
    for (person, of_user) in people {
        for (id, user, role) in &ids {
            let how = match (of_user, person.sort) {
                (Some(true), Sort::User) if *user => Closeness::Exact,
                (Some(true), _) if *user => Closeness::Behind,
                (Some(false), _) if *role => Closeness::Behind,
                _ => continue,
            };
            all.push(person.clone().called(Kind::Aws, *id, how));
        }
        all.push(person);
    }
    all
}
