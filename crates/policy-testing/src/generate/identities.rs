//! Who may be who: the callers that two policies tell apart, under every identification of unique ids and canonical user
//! ids with users, roles and accounts; and all that a caller may be of whom only a part is known.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::naive::{
    self, KnownCaller,
    who::{NaiveArn, is_account, listed},
};

/// Names that no policy of the tests has.
pub const STRANGER: &str = "999999999999";
pub const OTHER_USER_ID: &str = "AIDASOMEBODYELSE0001";
pub const OTHER_ROLE_ID: &str = "AROASOMEBODYELSE0001";
pub const OTHER_CANONICAL: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
const OTHER_PATH: &str = "other-path";

/// What the Principal elements of some documents list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallerNames {
    pub partitions: BTreeSet<String>,
    pub accounts: BTreeSet<String>,
    pub users: BTreeSet<String>,
    pub roles: BTreeSet<String>,
    pub sessions: BTreeSet<String>,
    pub federated: BTreeSet<String>,
    pub user_ids: BTreeSet<String>,
    pub role_ids: BTreeSet<String>,
    pub canonical: BTreeSet<String>,
    pub identities: BTreeSet<String>,
    pub services: BTreeSet<String>,
    pub providers: BTreeSet<String>,
    /// Whether there is a NotPrincipal, so that boundaries matter.
    pub negated: bool,
}

fn of_set(set: &BTreeSet<String>, other: &str) -> Vec<String> {
    set.iter().cloned().chain([other.to_owned()]).collect()
}

/// Account part of an ARN, and what stands after `kind/`.
fn named<'a>(text: &'a str, kind: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let arn = NaiveArn::parse(text)?;
    let rest = arn.rest.strip_prefix(kind)?;
    Some((arn.partition, arn.account, rest))
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

impl CallerNames {
    pub fn of<'a>(documents: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut names = Self::default();
        for statement in documents.into_iter().flat_map(naive::statements) {
            names.negated |= statement.get("NotPrincipal").is_some();
            for element in [&statement["Principal"], &statement["NotPrincipal"]] {
                for (kind, text) in listed(element) {
                    names.add(&kind, &text);
                }
            }
        }
        // The documents name no partition: they are in the one that everybody means.
        if names.partitions.is_empty() {
            names.partitions.insert("aws".to_owned());
        }
        names
    }

    fn add(&mut self, kind: &str, text: &str) {
        let set = match (kind, NaiveArn::parse(text)) {
            ("Service", _) => &mut self.services,
            ("Federated", _) => &mut self.providers,
            ("CanonicalUser", _) => &mut self.canonical,
            (_, None) if is_account(text) => &mut self.accounts,
            (_, None) if text.starts_with("AROA") => &mut self.role_ids,
            (_, None) if text == "*" => return,
            (_, None) => &mut self.user_ids,
            (_, Some(arn)) => {
                self.partitions.insert(arn.partition.to_owned());
                if is_account(arn.account) {
                    self.accounts.insert(arn.account.to_owned());
                }
                match arn.rest.split('/').next() {
                    _ if arn.account == "cloudfront" => &mut self.identities,
                    Some("user") => &mut self.users,
                    Some("role") => &mut self.roles,
                    Some("assumed-role") => &mut self.sessions,
                    Some("federated-user") => &mut self.federated,
                    _ => return,
                }
            }
        };
        set.insert(text.to_owned());
    }

    fn user_ids(&self) -> Vec<String> {
        of_set(&self.user_ids, OTHER_USER_ID)
    }

    fn role_ids(&self) -> Vec<String> {
        of_set(&self.role_ids, OTHER_ROLE_ID)
    }

    fn canonical(&self) -> Vec<String> {
        of_set(&self.canonical, OTHER_CANONICAL)
    }

    /// Partitions and accounts of callers: those that are named, and one that is not.
    fn accounts(&self) -> Vec<(String, String)> {
        let ids = of_set(&self.accounts, STRANGER);
        let in_partition = |partition: &String| {
            ids.iter()
                .map(|id| (partition.clone(), id.clone()))
                .collect::<Vec<_>>()
        };
        self.partitions.iter().flat_map(in_partition).collect()
    }

    /// The users of an account that may be told apart.
    fn users_of(&self, partition: &str, account: &str) -> Vec<String> {
        let mut all: Vec<String> = self.of_account(&self.users, partition, account);
        all.push(format!("arn:{partition}:iam::{account}:user/other-user"));
        all
    }

    fn of_account(&self, set: &BTreeSet<String>, partition: &str, account: &str) -> Vec<String> {
        let of = |text: &&String| {
            NaiveArn::parse(text).is_some_and(|arn| (arn.partition, arn.account) == (partition, account))
        };
        set.iter().filter(of).cloned().collect()
    }

    /// Whether the role of a listed session can be this one, whose ARN nobody lists. An account has one role of a name, and
    /// policies name roles that exist ("Principal": others are not saved); but when paths play a part, a name may be that
    /// of a role with any.
    pub fn may_exist(&self, role: &str) -> bool {
        let name = |arn: &str| {
            let (account, rest) = arn.split_once(":role/").unwrap();
            (account.to_owned(), last(rest).to_lowercase())
        };
        let mut alike = self
            .roles
            .iter()
            .filter(|listed| name(listed) == name(role))
            .peekable();
        let with_path = |listed: &String| listed.matches('/').count() > 1;
        alike.peek().is_none() || self.roles.contains(role) || alike.any(with_path)
    }

    /// The roles of an account: those that are listed, and one that is not. The role of a session that is listed may have a
    /// path, which the ARN of the session does not show.
    fn roles_of(&self, partition: &str, account: &str) -> Vec<String> {
        let arn = |name: &str| format!("arn:{partition}:iam::{account}:role/{name}");
        let mut all: BTreeSet<String> = self
            .of_account(&self.roles, partition, account)
            .into_iter()
            .collect();
        let of_sessions = self.of_account(&self.sessions, partition, account);
        let of_sessions = of_sessions.iter().filter_map(|session| {
            let (_, _, name) = named(session, "assumed-role/")?;
            Some(name.split('/').next()?.to_owned())
        });
        for name in of_sessions {
            let roles = [arn(&name), arn(&format!("{OTHER_PATH}/{name}"))];
            all.extend(roles.into_iter().filter(|role| self.may_exist(role)));
        }
        all.insert(arn("other-role"));
        all.into_iter().collect()
    }

    /// The sessions of a role: those that are listed of a role of this name, and one that is not.
    fn sessions_of(&self, role: &str) -> Vec<String> {
        let (partition, account, name) = named(role, "role/").unwrap();
        let name = last(name);
        let of = |session: &String| {
            named(session, "assumed-role/")
                .is_some_and(|(_, _, rest)| rest.split('/').next().unwrap().eq_ignore_ascii_case(name))
        };
        let mut all = self.of_account(&self.sessions, partition, account);
        all.retain(of);
        all.push(format!(
            "arn:{partition}:sts::{account}:assumed-role/{name}/other-session"
        ));
        all
    }

    fn federated_of(&self, partition: &str, account: &str) -> Vec<String> {
        let mut all = self.of_account(&self.federated, partition, account);
        all.push(format!(
            "arn:{partition}:sts::{account}:federated-user/other-name"
        ));
        all
    }

    /// Everybody whom the policies may tell apart.
    pub fn everybody(&self) -> Vec<KnownCaller> {
        let mut all = vec![KnownCaller::parse("*")];
        for (partition, account) in self.accounts() {
            let mut of_account = vec![KnownCaller::parse(&format!(
                "arn:{partition}:iam::{account}:root"
            ))];
            for user in self.users_of(&partition, &account) {
                for id in self.user_ids() {
                    of_account.push(KnownCaller::parse(&format!("{user} id={id}")));
                    for session in self.federated_of(&partition, &account) {
                        of_account.push(KnownCaller::parse(&format!("{session} user={user} id={id}")));
                    }
                }
            }
            for role in self.roles_of(&partition, &account) {
                for (session, id) in pairs(&self.sessions_of(&role), &self.role_ids()) {
                    of_account.push(KnownCaller::parse(&format!("{session} role={role} id={id}")));
                }
            }
            all.extend(self.with_canonical(&of_account));
        }
        let other = "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity EOTHER";
        let identities: Vec<KnownCaller> = of_set(&self.identities, other)
            .iter()
            .map(|arn| KnownCaller::parse(arn))
            .collect();
        all.extend(self.with_canonical(&identities));
        all.extend(
            of_set(&self.services, "other.amazonaws.com")
                .iter()
                .map(|name| KnownCaller::parse(name)),
        );
        let provider = |name: &String| KnownCaller::parse(&format!("provider={name}"));
        let mut providers = of_set(&self.providers, "other.example.com");
        providers.retain(|name| name != "*");
        all.extend(providers.iter().map(provider));
        if self.negated {
            let bounded = all.iter().filter(|who| who.can_be_bounded()).cloned().map(bound);
            all.extend(bounded.collect::<Vec<_>>());
        }
        all
    }

    fn with_canonical(&self, callers: &[KnownCaller]) -> Vec<KnownCaller> {
        pairs(callers, &self.canonical())
            .into_iter()
            .map(|(who, id)| KnownCaller {
                canonical: Some(id),
                ..who
            })
            .collect()
    }

    /// Everybody who is like `known` in the parts that are not empty, and `fits`.
    pub fn completions(&self, known: &KnownCaller, fits: impl Fn(&KnownCaller) -> bool) -> Vec<KnownCaller> {
        let is = |part: &Option<String>, of: &Option<String>| part.is_none() || part == of;
        let alike = |who: &KnownCaller| {
            (known.name.is_empty() || known.name == who.name)
                && is(&known.role, &who.role)
                && is(&known.user, &who.user)
                && is(&known.id, &who.id)
                && is(&known.canonical, &who.canonical)
                && known.provider == who.provider
        };
        let mut names = self.clone();
        names.negated = false;
        names.learn(known);
        let mut all = names.everybody();
        all.retain(|who| alike(who) && fits(who));
        for who in &mut all {
            who.bounded = known.bounded;
        }
        all
    }

    /// Adds what a caller is called to what is told apart.
    fn learn(&mut self, known: &KnownCaller) {
        if known.provider {
            self.add("Federated", &known.name);
        } else if NaiveArn::parse(&known.name).is_some() {
            self.add("AWS", &known.name);
        } else if known.name.contains('.') {
            self.add("Service", &known.name);
        }
        for text in [&known.role, &known.user, &known.id].into_iter().flatten() {
            self.add("AWS", text);
        }
        if let Some(id) = &known.canonical {
            self.add("CanonicalUser", id);
        }
    }
}

fn bound(who: KnownCaller) -> KnownCaller {
    KnownCaller { bounded: true, ..who }
}

fn pairs<A: Clone, B: Clone>(a: &[A], b: &[B]) -> Vec<(A, B)> {
    let with = |a: &A| b.iter().map(|b| (a.clone(), b.clone())).collect::<Vec<_>>();
    a.iter().flat_map(with).collect()
}
