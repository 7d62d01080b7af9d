//! The statement that ends sessions of a role while others go on.
//!
//! A session that the broker made says by its tags whose it is, and what it may do is looked up at each request: so a deny in the inline
//! policy of the role ends those that it means, and no other. It means sessions of ServiceAccounts that no accepted binding names, which
//! nobody shall have; so it may be generous with time, and needs no clock to be right. That it says before when they were issued is for
//! whoever is bound later: AWS need not have heard of that.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html>

use std::collections::BTreeSet;

use data_encoding::HEXLOWER;
use deputy_policy::{
    ActionElement, Condition, Document, Effect, PolicyKind, ResourceElement, Statement, Test, Version,
};
use sha2::{Digest, Sha256};

use crate::{
    names::ServiceAccountName,
    naming::{TAG_PERSON, TAG_SERVICE_ACCOUNT, TAG_SESSION_POLICY},
    quota::ROLE_INLINE_POLICIES,
};

/// The `Sid` of the statement about sessions of ServiceAccounts.
pub const SID: &str = "DeputyCutSessions";
/// The `Sid` of the statement about sessions of people.
pub const SID_OF_PEOPLE: &str = "DeputyCutPeoplesSessions";
/// The `Sid` of the statement about everybody's sessions.
pub const SID_OF_EVERYBODY: &str = "DeputyCutAllSessions";
/// The `Sid` of the statement about sessions that have no tag of Deputy's.
pub const SID_OF_UNTAGGED: &str = "DeputyCutUntaggedSessions";
/// The `Sid` of the statement about sessions with more than their ServiceAccount gets now.
pub const SID_OF_NARROWED: &str = "DeputyCutNarrowedSessions";

/// Sessions that are denied everything because they were issued before a time: RFC 3339, as a policy has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutSessions {
    /// Those of ServiceAccounts, if there are any.
    pub of_service_accounts: Option<CutOfServiceAccounts>,
    /// Before when everybody's were issued, if those are denied: also of whom accepted bindings name, and without tags.
    pub everybody_before: Option<String>,
    /// Before when those without Deputy's tags were issued, if those are denied: sessions of AWS principals and of identity providers, also
    /// of whom accepted bindings name. Their trust has no `sts:TagSession`, so none of them can have the tag.
    pub untagged_before: Option<String>,
    /// Those of ServiceAccounts that get less than before, if those are denied.
    pub narrowed: Option<CutNarrowed>,
    /// Those of people, if any are denied.
    pub of_people: Option<CutOfPeople>,
}

/// Sessions of people that are denied everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutOfPeople {
    /// The marks of those that go on; none of them: all are denied.
    pub marks: BTreeSet<String>,
    /// Before when they were issued.
    pub issued_before: String,
}

/// Sessions of ServiceAccounts that are denied everything because others of theirs get less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutNarrowed {
    /// Of which; and which are not concerned, where there is no room to say of which.
    pub service_accounts: NarrowedServiceAccounts,
    /// The marks of the sessions that they may have now.
    pub marks: BTreeSet<String>,
    /// Before when they were issued.
    pub issued_before: String,
}

/// Whose sessions are held to marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NarrowedServiceAccounts {
    /// Those of these.
    These(BTreeSet<ServiceAccountName>),
    /// All but those of these, who may have sessions that have no mark.
    AllBut(BTreeSet<ServiceAccountName>),
}

/// Sessions of ServiceAccounts that are denied everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutOfServiceAccounts {
    /// Of which.
    pub service_accounts: CutServiceAccounts,
    /// Before when they were issued.
    pub issued_before: String,
}

/// Whose sessions are denied everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CutServiceAccounts {
    /// Of these, that no accepted binding names any more.
    These {
        /// Their names.
        cut: BTreeSet<ServiceAccountName>,
        /// Those that accepted bindings name.
        accepted: BTreeSet<ServiceAccountName>,
    },
    /// Of all but those that accepted bindings name: it is not known, or there is no room to say, who they are.
    AllBut {
        /// Those that accepted bindings name.
        accepted: BTreeSet<ServiceAccountName>,
    },
}

impl CutSessions {
    /// The inline policy with the deny beside what it says. `None` when AWS has no room for both.
    #[must_use]
    pub fn beside(&self, inline: Option<&Document>) -> Option<Document> {
        let version = inline.map_or(Version::V2012, Document::version);
        let of_service_accounts = match &self.of_service_accounts {
            Some(cut) => cut.ways().into_iter().map(Some).collect(),
            None => vec![None],
        };
        of_service_accounts
            .into_iter()
            .find_map(|statement: Option<Statement>| {
                let mut statements = inline.map_or_else(Vec::new, |inline| inline.statements().to_vec());
                for theirs in &mut statements {
                    // No two have one Sid.
                    theirs.sid.take_if(|sid| is_sid(sid));
                }
                statements.extend(self.everybodys());
                statements.extend(self.untagged());
                statements.extend(self.narrowed.as_ref().map(CutNarrowed::statement));
                statements.extend(self.of_people.as_ref().map(CutOfPeople::statement));
                statements.extend(statement);
                let both = Document::new(version, statements, PolicyKind::Identity).ok()?;
                (both.size() <= ROLE_INLINE_POLICIES).then_some(both)
            })
    }

    fn everybodys(&self) -> Option<Statement> {
        let before = self.everybody_before.as_ref()?;
        Some(statement(SID_OF_EVERYBODY, [], before))
    }

    fn untagged(&self) -> Option<Statement> {
        let before = self.untagged_before.as_ref()?;
        let no_person = Condition::new(Test::Null, person_tag(), [true.to_string()]);
        Some(statement(SID_OF_UNTAGGED, [has_tag(false), no_person], before))
    }
}

impl CutOfPeople {
    fn statement(&self) -> Statement {
        // Of sessions that are not people's the tag is not there, and a test of one that is not there would be true of them.
        let is_person = Condition::new(Test::Null, person_tag(), [false.to_string()]);
        let marks = self.marks.iter().cloned();
        let is_another = Condition::new(Test::StringNotEquals, person_tag(), marks);
        let which = (!self.marks.is_empty()).then_some(is_another);
        let whose = [is_person].into_iter().chain(which);
        statement(SID_OF_PEOPLE, whose, &self.issued_before)
    }
}

impl CutNarrowed {
    fn statement(&self) -> Statement {
        let mut whose = match &self.service_accounts {
            NarrowedServiceAccounts::These(names) => vec![is(Test::StringEquals, names)],
            NarrowedServiceAccounts::AllBut(others) => of_all_but(others),
        };
        // True also of a session without a mark.
        let key = format!("aws:PrincipalTag/{TAG_SESSION_POLICY}");
        whose.push(Condition::new(
            Test::StringNotEquals,
            key,
            self.marks.iter().cloned(),
        ));
        statement(SID_OF_NARROWED, whose, &self.issued_before)
    }
}

impl CutOfServiceAccounts {
    /// The statements that deny them, the shortest first.
    fn ways(&self) -> Vec<Statement> {
        match &self.service_accounts {
            CutServiceAccounts::These { cut, accepted } => vec![self.only(cut), self.all_but(accepted)],
            CutServiceAccounts::AllBut { accepted } => vec![self.all_but(accepted)],
        }
    }

    fn only(&self, cut: &BTreeSet<ServiceAccountName>) -> Statement {
        self.statement([is(Test::StringEquals, cut)])
    }

    fn all_but(&self, accepted: &BTreeSet<ServiceAccountName>) -> Statement {
        self.statement(of_all_but(accepted))
    }

    fn statement(&self, whose: impl IntoIterator<Item = Condition>) -> Statement {
        statement(SID, whose, &self.issued_before)
    }
}

fn statement(sid: &str, whose: impl IntoIterator<Item = Condition>, before: &str) -> Statement {
    let before = Condition::new(Test::DateLessThan, "aws:TokenIssueTime", [before.to_owned()]);
    Statement {
        sid: Some(sid.to_owned()),
        effect: Effect::Deny,
        principal: None,
        action: ActionElement::Action(vec!["*".to_owned()]),
        resource: Some(ResourceElement::Resource(vec!["*".to_owned()])),
        conditions: whose.into_iter().chain([before]).collect(),
    }
}

fn is_sid(sid: &str) -> bool {
    [
        SID,
        SID_OF_PEOPLE,
        SID_OF_EVERYBODY,
        SID_OF_UNTAGGED,
        SID_OF_NARROWED,
    ]
    .contains(&sid)
}

/// The sessions that the broker made, but for those of these.
fn of_all_but(service_accounts: &BTreeSet<ServiceAccountName>) -> Vec<Condition> {
    // Sessions that are not the broker's have no tag; a test of one that is not there would be true of them.
    let is_another = (!service_accounts.is_empty()).then(|| is(Test::StringNotEquals, service_accounts));
    [has_tag(true)].into_iter().chain(is_another).collect()
}

/// Whether the broker made the session.
fn has_tag(has: bool) -> Condition {
    Condition::new(Test::Null, tag(), [(!has).to_string()])
}

fn tag() -> String {
    format!("aws:PrincipalTag/{TAG_SERVICE_ACCOUNT}")
}

fn person_tag() -> String {
    format!("aws:PrincipalTag/{TAG_PERSON}")
}

fn is(test: Test, service_accounts: &BTreeSet<ServiceAccountName>) -> Condition {
    Condition::new(test, tag(), service_accounts.iter().map(ToString::to_string))
}

/// SHA-256, in hexadecimal, over names: what of them is written down where they have no room.
#[must_use]
pub fn digest<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut hasher = Sha256::new();
    for name in names {
        hasher.update(name.as_bytes());
        hasher.update([0]);
    }
    HEXLOWER.encode(&hasher.finalize())
}

/// The deny of such sessions in an inline policy.
pub(crate) fn deny_in(inline: &Document) -> Option<Document> {
    let is_ours = |s: &&Statement| s.effect == Effect::Deny && s.sid.as_deref().is_some_and(is_sid);
    let denies: Vec<Statement> = inline.statements().iter().filter(is_ours).cloned().collect();
    Document::new(inline.version(), denies, PolicyKind::Identity).ok()
}
