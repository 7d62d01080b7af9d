//! Whom Principal elements mean, by the texts that a person may be called by. Written apart from [`crate::principal`].

use std::collections::BTreeSet;

use crate::document::{Principal, PrincipalElement};

/// Somebody who may ask, with everything that policies may list of them.
#[derive(Debug, Clone)]
pub(super) struct Person {
    sort: Sort,
    /// What means them under `AWS`, `Service`, `Federated` or `CanonicalUser`, and how closely.
    names: Vec<(Kind, String, Closeness)>,
    /// Beginnings of the ARNs of all sessions of the role, in lower case.
    sessions_of_role: Option<String>,
    bounded: bool,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// How many texts an element has.
pub(super) fn size(element: &PrincipalElement) -> usize {
    texts(split(element).1).len()
}

impl Person {
    fn new(sort: Sort) -> Self {
        Self {
            sort,
            names: vec![(Kind::Aws, "*".to_owned(), Closeness::Exact)],
            sessions_of_role: None,
            bounded: false,
        }
    }

    fn called(mut self, kind: Kind, text: impl Into<String>, how: Closeness) -> Self {
        self.names.push((kind, text.into(), how));
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
        let sessions = format!("{sts}:assumed-role/{role}/");
        self.sessions_of_role = Some(sessions.to_lowercase());
        self.called(Kind::Aws, format!("{iam}:role/{path}{role}"), Closeness::Behind)
            .called(Kind::Aws, format!("{sessions}{session}"), Closeness::Exact)
    }

    /// The closest way in which the texts mean the person, for sure and perhaps.
    fn closeness(&self, texts: &[(Kind, &str)]) -> (Option<Closeness>, Option<Closeness>) {
        let (mut sure, mut perhaps) = (None, None);
        for (kind, text) in texts {
            for (own, name, how) in self.names.iter().filter(|(own, ..)| own == kind) {
                match same(*own, text, name) {
                    Same::Yes => {
                        sure = sure.max(Some(*how));
                        perhaps = perhaps.max(Some(*how));
                    }
                    Same::Perhaps => perhaps = perhaps.max(Some(*how)),
                    Same::No => {}
                }
            }
        }
        (sure, perhaps)
    }

    /// Whether a statement with the element may be about the person, and whether it surely is.
    pub(super) fn is_meant(&self, element: &PrincipalElement) -> (bool, bool) {
        let (negated, principal) = split(element);
        let texts = texts(principal);
        let (sure, perhaps) = self.closeness(&texts);
        if !negated {
            return (perhaps.is_some(), sure.is_some());
        }
        if self.bounded {
            return (true, true);
        }
        let lists = |how| {
            texts.iter().any(|(kind, text)| {
                (*text == "*" && *kind == Kind::Aws)
                    || self.names.iter().any(|(own, name, of)| {
                        own == kind && *of == how && same(*own, text, name) == Same::Yes
                    })
            })
        };
        let (account, behind, exact) = (
            lists(Closeness::Account),
            lists(Closeness::Behind),
            lists(Closeness::Exact),
        );
        // The guide: list the account, and the role of a session, too; else whether somebody is spared is not defined.
        let (surely_spared, perhaps_spared) = match self.sort {
            Sort::Root => (account, perhaps.is_some()),
            Sort::User => (account && exact, perhaps == Some(Closeness::Exact)),
            Sort::Federated => (account && exact, perhaps > Some(Closeness::Account)),
            Sort::Session => {
                let one_by_one = texts.iter().any(|(kind, text)| {
                    let start = self.sessions_of_role.as_deref().unwrap_or_default();
                    *kind == Kind::Aws && text.to_lowercase().starts_with(start)
                });
                let by_role = perhaps == Some(Closeness::Behind) && !one_by_one;
                (
                    account && behind && exact,
                    perhaps == Some(Closeness::Exact) || by_role,
                )
            }
            Sort::Else => (sure.is_some(), perhaps.is_some()),
        };
        (!surely_spared, !perhaps_spared)
    }
}

#[derive(PartialEq, Eq)]
enum Same {
    Yes,
    Perhaps,
    No,
}

/// Whether a listed text is a name. The names of roles are compared without case: in the ARN of a role surely, in that of a
/// session perhaps.
fn same(kind: Kind, text: &str, name: &str) -> Same {
    if text == name || (kind == Kind::Provider && text == "*") {
        return Same::Yes;
    }
    if kind != Kind::Aws {
        return Same::No;
    }
    let cut = |text: &str, marker: &str| -> Option<(String, String, String)> {
        let at = text.find(marker)? + marker.len();
        let (head, rest) = text.split_at_checked(at)?;
        if marker == ":role/" {
            let last = rest.rfind('/').map_or(0, |at| at + 1);
            let (path, role) = rest.split_at_checked(last)?;
            Some((format!("{head}{path}"), role.to_ascii_lowercase(), String::new()))
        } else {
            let (role, session) = rest.split_once('/')?;
            Some((head.to_owned(), role.to_ascii_lowercase(), session.to_owned()))
        }
    };
    let alike = |marker: &str| cut(text, marker).is_some_and(|text| cut(name, marker) == Some(text));
    if alike(":role/") {
        Same::Yes
    } else if alike(":assumed-role/") {
        Same::Perhaps
    } else {
        Same::No
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

/// Everybody that the elements tell apart: who is named, in every combination of names that may be one's, and strangers.
/// `None` when they are too many.
pub(super) fn everybody<'a>(elements: impl Iterator<Item = &'a PrincipalElement>) -> Option<Vec<Person>> {
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
    let mut partitions: BTreeSet<&str> = arns.iter().map(|[partition, ..]| *partition).collect();
    if partitions.is_empty() {
        partitions.insert("aws");
    }
    let numbers = aws().filter(|text| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()));
    let accounts: BTreeSet<&str> = numbers
        .chain(arns.iter().map(|[_, _, account, ..]| *account))
        .chain([stranger.as_str()])
        .collect();
    let mut of_accounts = Vec::new();
    for partition in &partitions {
        for account in &accounts {
            let here = |wanted: &'static [&'static str]| {
                arns.iter()
                    .filter(move |[p, _, a, kind, _]| p == partition && a == account && wanted.contains(kind))
                    .map(|[.., name]| *name)
            };
            of_accounts.extend(of_account(partition, account, &here, &stranger));
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
                Sort::Else
                    if person.names.iter().all(|(kind, ..)| *kind == Kind::Aws) && person.names.len() > 1 =>
                {
                    Closeness::Exact
                }
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
    (people.len() <= 2 * super::super::callers::MAX_SUBJECTS).then_some(people)
}

/// Who there may be in an account; of users and roles with the place for a unique id: of a user, of a role.
fn of_account<'a, I: Iterator<Item = &'a str>>(
    partition: &str,
    account: &str,
    named: &dyn Fn(&'static [&'static str]) -> I,
    stranger: &'a str,
) -> Vec<(Person, Option<bool>)> {
    let iam = format!("arn:{partition}:iam::{account}");
    let sts = format!("arn:{partition}:sts::{account}");
    let person = |sort| Person::new(sort).of_account(partition, account);
    let mut people = vec![(person(Sort::Root), None)];
    let users: BTreeSet<&str> = named(&["user"]).chain([stranger]).collect();
    let federated: BTreeSet<&str> = named(&["federated-user"]).chain([stranger]).collect();
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
        // An account has one role of a name: when its ARN is listed, the session is of that one, whatever its path.
        let mut paths: Vec<&str> = roles
            .iter()
            .filter(|(_, name)| name.eq_ignore_ascii_case(role))
            .map(|(of, _)| *of)
            .collect();
        if paths.is_empty() {
            paths.push(&path);
        }
        for of in paths {
            people.push((
                person(Sort::Session).session(place, of, role, session),
                Some(false),
            ));
        }
    }
    people
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
