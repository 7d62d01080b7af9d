//! Whether a limit allows the subjects of a binding. ServiceAccounts are always of the namespace that the limit is about; whoever else
//! is named must be covered by a rule, and there are none by default.

use std::collections::BTreeSet;

use crate::{
    decision::Reason,
    model::{
        Account, AwsPrincipal, Binding, Limit, OidcPrincipal, OidcRule, PersonSubject, Role, SamlPrincipal,
        SamlRule, Subjects,
    },
    names::{IamArnPattern, PrincipalArn, PrincipalKind},
    quota::TRUST_POLICY,
    trust,
};

use super::{findings::Findings, input::DecisionInput, limits::Applicable, own};

/// How much of a limit a refusal repeats.
const SHOWN: usize = 3;

/// Refuses subjects that a limit does not allow, or that the role can't trust.
pub(super) fn allowed(
    input: &DecisionInput<'_>,
    binding: &Binding,
    role: &Role,
    account: Option<&Account>,
    limits: &Applicable<'_>,
    findings: &mut Findings,
) {
    if binding.subjects.are_outside() {
        without_deputy(role, limits, findings);
    }
    for (index, asked) in asked(&binding.subjects).iter().enumerate() {
        let field = format!("spec.subjects[{index}]");
        if let Some(account) = account {
            of_account(account, asked, &field, findings);
        }
        for limit in &limits.limits {
            if let Err(message) = asked.under(limit, account) {
                findings.refuse_under(&limit.name, Reason::Subject, &field, message);
            }
        }
    }
    let Some(account) = account else { return };
    let size = trust::size_with(input.cluster, account, &role.id, &[binding]);
    if size > TRUST_POLICY {
        let message = format!(
            "the role's trust policy would have {size} characters with these subjects alone{}; AWS takes {TRUST_POLICY}",
            with_record(&binding.subjects)
        );
        findings.refuse(Reason::TooLarge, "spec.subjects", message);
    }
}

/// What is counted beside what subjects say.
fn with_record(subjects: &Subjects) -> &'static str {
    match subjects {
        Subjects::AwsPrincipals(list) if list.iter().any(|p| p.arn().kind() != PrincipalKind::Account) => {
            " and with what is kept free, to note down one that is replaced"
        }
        _ => "",
    }
}

/// What holds for subjects to whom Deputy gives no session.
fn without_deputy(role: &Role, limits: &Applicable<'_>, findings: &mut Findings) {
    let Some(owned) = role.owned() else {
        let message = format!(
            "{} is a role that exists: whom it trusts is not Deputy's to say; only ServiceAccounts can be bound to it",
            role.id.title()
        );
        findings.refuse(Reason::Subject, "spec.subjects", message);
        return;
    };
    // They choose the duration, up to what the role gives.
    let longest = owned.max_session_duration;
    for limit in &limits.limits {
        if limit.max_session_duration.as_seconds() < longest.as_seconds() {
            let message = format!(
                "subjects outside the cluster may ask STS for all of the role's maxSessionDuration, {longest}, which is longer than {}, \
                 the most that limit {:?} allows",
                limit.max_session_duration,
                limit.name.as_str()
            );
            findings.refuse_under(&limit.name, Reason::Duration, "spec.subjects", message);
        }
    }
}

/// One subject that a rule must cover.
enum Asked<'a> {
    Aws(&'a AwsPrincipal),
    Saml(&'a SamlPrincipal),
    Oidc(&'a OidcPrincipal),
    Person(&'a PersonSubject),
}

fn asked(subjects: &Subjects) -> Vec<Asked<'_>> {
    match subjects {
        Subjects::ServiceAccounts(_) => Vec::new(),
        Subjects::AwsPrincipals(list) => list.iter().map(Asked::Aws).collect(),
        Subjects::SamlPrincipals(list) => list.iter().map(Asked::Saml).collect(),
        Subjects::OidcPrincipals(list) => list.iter().map(Asked::Oidc).collect(),
        Subjects::People(list) => list.iter().map(Asked::Person).collect(),
    }
}

/// What the account itself does not allow, whatever a limit says.
fn of_account(account: &Account, asked: &Asked<'_>, field: &str, findings: &mut Findings) {
    let provider = |id, partition, shown: String| {
        ((id, partition) != (&account.id, &account.partition)).then(|| {
            format!(
                "{shown} is of another account or partition than {}, which is {} in {}: AWS takes only providers of the role's own account",
                account.name, account.id, account.partition
            )
        })
    };
    let message = match asked {
        Asked::Aws(principal) => {
            let arn = principal.arn().arn(&account.partition);
            let partition = principal.arn().partition().filter(|p| **p != account.partition);
            let own = || deputys_own(account, principal.arn());
            partition.map_or_else(own, |partition| {
                Some(format!(
                    "{arn} is of partition {partition}, and account {} of {}: AWS trusts nobody across partitions",
                    account.name, account.partition
                ))
            })
        }
        Asked::Saml(saml) => {
            let arn = &saml.provider;
            provider(arn.account(), arn.partition(), arn.to_string())
        }
        Asked::Oidc(oidc) => {
            let arn = oidc.provider();
            provider(arn.account(), arn.partition(), arn.to_string())
        }
        Asked::Person(_) => None,
    };
    if let Some(message) = message {
        findings.refuse(Reason::Subject, field, message);
    }
}

/// Nothing of Deputy's own becomes the role of a grant: its identities would have more than the account gives them, and a role that it makes
/// for one grant would have another's beside it.
fn deputys_own(account: &Account, principal: &PrincipalArn) -> Option<String> {
    let (path, name) = principal.entity()?;
    if principal.kind() == PrincipalKind::Role && own::is_under(path, own::PATH) {
        return Some(format!(
            "{principal} is under {}, where Deputy makes roles, whose sessions are others' grants: bind its subjects to this role, or name an \
             account",
            own::PATH
        ));
    }
    let identity = own::identity(account, principal.account(), name)
        .or_else(|| own::is_suggested(name).then_some("an identity of Deputy's, in whichever account"))?;
    Some(format!(
        "{principal} has the name of {identity}: a grant would give it more than the account does; name another user or role, or an account"
    ))
}

impl Asked<'_> {
    /// Whether a rule of the limit covers it; else what the limit allows.
    fn under(&self, limit: &Limit, account: Option<&Account>) -> Result<(), String> {
        let name = limit.name.as_str();
        match self {
            Self::Aws(principal) => aws(principal, limit, account),
            Self::Saml(saml) => {
                let arn = saml.provider.to_string();
                let rules: Vec<&SamlRule> = limit.subjects.saml.iter().collect();
                let of = covering(&rules, &arn, |rule| &rule.matches);
                if of.is_empty() {
                    let patterns = rules.iter().flat_map(|rule| &rule.matches);
                    return Err(uncovered(&format!("SAML provider {arn}"), name, patterns));
                }
                if of.iter().any(|rule| rule.audiences.contains(&saml.audience)) {
                    return Ok(());
                }
                let audiences = of.iter().flat_map(|rule| &rule.audiences);
                Err(not_among("audience", saml.audience.as_str(), name, audiences))
            }
            Self::Oidc(oidc) => of_oidc(oidc, limit),
            Self::Person(person) => {
                let people = &limit.subjects.people;
                let (what, who, patterns) = match person {
                    PersonSubject::User(who) => ("user", who, &people.users),
                    PersonSubject::Group(who) => ("group", who, &people.groups),
                };
                if patterns.iter().any(|pattern| pattern.matches(who.as_str())) {
                    return Ok(());
                }
                Err(not_among(what, who.as_str(), name, patterns))
            }
        }
    }
}

fn aws(principal: &AwsPrincipal, limit: &Limit, account: Option<&Account>) -> Result<(), String> {
    let name = limit.name.as_str();
    // Without its account an id alone has no partition; then that is what is said.
    let arn = account.map_or_else(
        || principal.arn().to_string(),
        |account| principal.arn().arn(&account.partition),
    );
    let rules: Vec<_> = limit.subjects.principals.iter().collect();
    let of = covering(&rules, &arn, |rule| &rule.matches);
    if of.is_empty() {
        let patterns = rules.iter().flat_map(|rule| &rule.matches);
        return Err(uncovered(&format!("AWS principal {arn}"), name, patterns));
    }
    let missing = |rule: &&&crate::model::PrincipalRule| {
        let id = rule.require_external_id && principal.external_id().is_none();
        let mfa = rule.require_mfa && !principal.requires_mfa();
        (id, mfa)
    };
    if of.iter().any(|rule| missing(&rule) == (false, false)) {
        return Ok(());
    }
    let (id, mfa) = of.first().map_or((false, false), |rule| missing(&rule));
    let mut wanted = Vec::new();
    if id {
        wanted.push("externalID");
    }
    if mfa {
        wanted.push("requireMFA: true");
    }
    let nobody = mfa && principal.arn().kind() == PrincipalKind::Role;
    let why = if nobody {
        ", which no session of a role has: name a user or an account"
    } else {
        ""
    };
    Err(format!(
        "limit {name:?} allows {arn} only with {}{why}",
        wanted.join(" and ")
    ))
}

fn of_oidc(oidc: &OidcPrincipal, limit: &Limit) -> Result<(), String> {
    let name = limit.name.as_str();
    let arn = oidc.provider().to_string();
    let rules: Vec<&OidcRule> = limit.subjects.oidc.iter().collect();
    let of = covering(&rules, &arn, OidcRule::matches);
    if of.is_empty() {
        let patterns = rules.iter().flat_map(|rule| rule.matches());
        return Err(uncovered(
            &format!("OpenID Connect provider {arn}"),
            name,
            patterns,
        ));
    }
    let of_provider = of;
    let of: Vec<_> = of_provider
        .iter()
        .filter(|rule| rule.audiences().contains(oidc.audience()))
        .collect();
    if of.is_empty() {
        let audiences = of_provider.iter().flat_map(|rule| rule.audiences());
        return Err(not_among("audience", oidc.audience().as_str(), name, audiences));
    }
    let Some(subjects) = oidc.subjects() else {
        if of
            .iter()
            .any(|rule| rule.subjects().iter().any(|p| p.matches_all()))
        {
            return Ok(());
        }
        let patterns = of.iter().flat_map(|rule| rule.subjects());
        return Err(format!(
            "names no sub, and limit {name:?} allows only {}",
            some(patterns)
        ));
    };
    let covers = |rule: &OidcRule, sub: &str| rule.subjects().iter().any(|pattern| pattern.matches(sub));
    if of
        .iter()
        .any(|rule| subjects.iter().all(|sub| covers(rule, sub.as_str())))
    {
        return Ok(());
    }
    let first = subjects
        .iter()
        .find(|sub| !of.iter().any(|rule| covers(rule, sub.as_str())))
        .or_else(|| subjects.iter().next());
    let patterns = of.iter().flat_map(|rule| rule.subjects());
    Err(not_among(
        "sub",
        first.map_or("", |sub| sub.as_str()),
        name,
        patterns,
    ))
}

/// The rules with a pattern that covers `arn`.
fn covering<'r, R>(
    rules: &[&'r R],
    arn: &str,
    matches: impl Fn(&R) -> &BTreeSet<IamArnPattern>,
) -> Vec<&'r R> {
    rules
        .iter()
        .copied()
        .filter(|rule| matches(rule).iter().any(|pattern| pattern.matches(arn)))
        .collect()
}

fn uncovered<'p>(what: &str, limit: &str, patterns: impl Iterator<Item = &'p IamArnPattern>) -> String {
    format!(
        "{what} is not among the subjects of limit {limit:?}, which allows {}",
        some(patterns)
    )
}

fn not_among<T: std::fmt::Display>(
    what: &str,
    who: &str,
    limit: &str,
    allowed: impl IntoIterator<Item = T>,
) -> String {
    format!(
        "{what} {who:?} is not allowed by limit {limit:?}, which allows {}",
        some(allowed)
    )
}

fn some<T: std::fmt::Display>(list: impl IntoIterator<Item = T>) -> String {
    let all: Vec<String> = list.into_iter().map(|entry| entry.to_string()).collect();
    if all.is_empty() {
        return "none".to_owned();
    }
    let shown = all.get(..SHOWN.min(all.len())).unwrap_or_default().join(", ");
    match all.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} (and {more} more)"),
    }
}
