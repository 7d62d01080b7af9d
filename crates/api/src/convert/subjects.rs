//! Subjects of a binding, and what a limit says of them.

use std::collections::{BTreeMap, BTreeSet};

use deputy_delegation::{
    Audience, ClaimName, ClaimValue, ExternalId, IamArnPattern, NameError, OidcProviderArn, PersonName,
    PrincipalArn, PrincipalId, Reason, SamlProviderArn, ServiceAccountName, SessionDuration, TextPattern,
    model::{
        AwsPrincipal, OidcPrincipal, OidcRule, PeopleRule, PersonSubject, PrincipalRule, SamlPrincipal,
        SamlRule, SubjectList, SubjectRules, Subjects, TokenClaims,
    },
    quota,
};
use serde_json::Value;

use super::Findings;
use crate::{DelegationLimitSpec, OidcRuleSpec, SubjectKind, SubjectSpec};

/// The subjects of a binding: of one kind, each with the fields of its kind and no others.
pub(super) fn subjects(findings: &mut Findings, specs: &[SubjectSpec]) -> Option<Subjects> {
    let max = quota::SUBJECTS_OF_BINDING;
    let is_allowed = findings.count("spec.subjects", "subjects", specs.len(), 1..=max);
    let first = specs.first()?.kind;
    let is_person = |kind| matches!(kind, SubjectKind::User | SubjectKind::Group);
    for (i, spec) in specs.iter().enumerate().take(max) {
        if spec.kind != first && !(is_person(spec.kind) && is_person(first)) {
            let message = format!(
                "{:?} beside {first:?}: the subjects of a binding are of one kind; make another binding",
                spec.kind
            );
            findings.push(Reason::Structure, format!("spec.subjects[{i}].kind"), message);
        }
        fields_of_kind(findings, &format!("spec.subjects[{i}]"), spec);
    }
    let subjects = match first {
        SubjectKind::ServiceAccount => {
            let names = each(findings, specs, |f, at, spec| {
                let name = spec.name.as_deref()?;
                f.take(format!("{at}.name"), ServiceAccountName::new(name))
            });
            is_allowed
                .then(|| Subjects::of_service_accounts(names?).ok())
                .flatten()
        }
        SubjectKind::AWSPrincipal => list(findings, specs, aws, is_allowed).map(Subjects::AwsPrincipals),
        SubjectKind::SAMLPrincipal => list(findings, specs, saml, is_allowed).map(Subjects::SamlPrincipals),
        SubjectKind::OIDCPrincipal => list(findings, specs, oidc, is_allowed).map(Subjects::OidcPrincipals),
        SubjectKind::User | SubjectKind::Group => {
            list(findings, specs, person, is_allowed).map(Subjects::People)
        }
    };
    if subjects.is_none() && findings.is_empty() {
        findings.push(Reason::Structure, "spec.subjects", "can't be read");
    }
    subjects
}

/// What each subject is; `None` when one of them can't be read, which has been said.
fn each<T>(
    findings: &mut Findings,
    specs: &[SubjectSpec],
    mut read: impl FnMut(&mut Findings, &str, &SubjectSpec) -> Option<T>,
) -> Option<Vec<T>> {
    let max = quota::SUBJECTS_OF_BINDING;
    let subjects: Vec<_> = specs
        .iter()
        .enumerate()
        .take(max)
        .map(|(i, spec)| read(findings, &format!("spec.subjects[{i}]"), spec))
        .collect();
    subjects.into_iter().collect()
}

fn list<T: PartialEq>(
    findings: &mut Findings,
    specs: &[SubjectSpec],
    read: impl FnMut(&mut Findings, &str, &SubjectSpec) -> Option<T>,
    is_allowed: bool,
) -> Option<SubjectList<T>> {
    let subjects = each(findings, specs, read)?;
    is_allowed
        .then(|| findings.take("spec.subjects", SubjectList::new(subjects)))
        .flatten()
}

/// Says what is missing of a subject, and what it has of another kind.
fn fields_of_kind(findings: &mut Findings, at: &str, spec: &SubjectSpec) {
    use SubjectKind as Kind;
    let named = matches!(spec.kind, Kind::ServiceAccount | Kind::User | Kind::Group);
    let aws = spec.kind == Kind::AWSPrincipal;
    let federated = matches!(spec.kind, Kind::SAMLPrincipal | Kind::OIDCPrincipal);
    let fields = [
        ("name", spec.name.is_some(), named, named),
        ("arn", spec.arn.is_some(), aws, aws),
        ("externalID", spec.external_id.is_some(), aws, false),
        ("requireMFA", spec.require_mfa.is_some(), aws, false),
        ("replaces", spec.replaces.is_some(), aws, false),
        ("providerARN", spec.provider_arn.is_some(), federated, federated),
        ("audience", spec.audience.is_some(), federated, federated),
        ("conditions", !spec.conditions.is_empty(), federated, false),
    ];
    for (field, is_there, may_be, must_be) in fields {
        let message = match (is_there, may_be, must_be) {
            (true, false, _) => format!("is no field of {:?}", spec.kind),
            (false, _, true) => format!("is missing: {:?} needs it", spec.kind),
            _ => continue,
        };
        findings.push(Reason::Structure, format!("{at}.{field}"), message);
    }
}

fn aws(findings: &mut Findings, at: &str, spec: &SubjectSpec) -> Option<AwsPrincipal> {
    let arn = findings.take(format!("{at}.arn"), PrincipalArn::parse(spec.arn.as_deref()?));
    let external_id = optional(findings, at, "externalID", spec.external_id.as_deref(), |text| {
        ExternalId::new(text)
    })?;
    let mfa = spec.require_mfa.unwrap_or_default();
    let replaces = optional(findings, at, "replaces", spec.replaces.as_deref(), |text| {
        PrincipalId::new(text)
    })?;
    findings.take(at, AwsPrincipal::new(arn?, external_id, mfa, replaces))
}

/// A field that may be absent. `None` when it is there and can't be read.
fn optional<T>(
    findings: &mut Findings,
    at: &str,
    field: &str,
    text: Option<&str>,
    parse: impl FnOnce(&str) -> Result<T, NameError>,
) -> Option<Option<T>> {
    match text {
        None => Some(None),
        Some(text) => findings.take(format!("{at}.{field}"), parse(text)).map(Some),
    }
}

fn saml(findings: &mut Findings, at: &str, spec: &SubjectSpec) -> Option<SamlPrincipal> {
    let provider = findings.take(
        format!("{at}.providerARN"),
        SamlProviderArn::parse(spec.provider_arn.as_deref()?),
    );
    let audience = findings.take(format!("{at}.audience"), Audience::new(spec.audience.as_deref()?));
    let claims = claims(findings, at, &spec.conditions);
    Some(SamlPrincipal {
        provider: provider?,
        audience: audience?,
        claims: claims?,
    })
}

fn oidc(findings: &mut Findings, at: &str, spec: &SubjectSpec) -> Option<OidcPrincipal> {
    let provider = findings.take(
        format!("{at}.providerARN"),
        OidcProviderArn::parse(spec.provider_arn.as_deref()?),
    );
    let audience = findings.take(format!("{at}.audience"), Audience::new(spec.audience.as_deref()?));
    let claims = claims(findings, at, &spec.conditions);
    match OidcPrincipal::new(provider?, audience?, claims?) {
        Ok(principal) => Some(principal),
        Err(error) => {
            findings.push(Reason::Structure, format!("{at}.{}", error.field()), error);
            None
        }
    }
}

fn claims(
    findings: &mut Findings,
    at: &str,
    conditions: &BTreeMap<String, Vec<String>>,
) -> Option<TokenClaims> {
    let field = format!("{at}.conditions");
    let max = quota::CLAIMS_OF_SUBJECT;
    let mut good = findings.count(&field, "claims", conditions.len(), 0..=max);
    let mut claims = TokenClaims::new();
    for (name, values) in conditions.iter().take(max) {
        let at = format!("{field}[{name:?}]");
        good &= findings.count(&at, "values", values.len(), 1..=max);
        if name == "aud" {
            findings.push(Reason::Structure, at, "is said by audience");
            return None;
        }
        let typed: Vec<_> = values
            .iter()
            .enumerate()
            .take(max)
            .filter_map(|(i, value)| findings.take(format!("{at}[{i}]"), ClaimValue::new(value.as_str())))
            .collect();
        good &= typed.len() == values.len();
        match findings.take(&at, ClaimName::new(name.as_str())) {
            Some(name) => {
                claims.insert(name, typed.into_iter().collect());
            }
            None => good = false,
        }
    }
    good.then_some(claims)
}

fn person(findings: &mut Findings, at: &str, spec: &SubjectSpec) -> Option<PersonSubject> {
    let name = findings.take(format!("{at}.name"), PersonName::new(spec.name.as_deref()?))?;
    Some(match spec.kind {
        SubjectKind::Group => PersonSubject::Group(name),
        _ => PersonSubject::User(name),
    })
}

/// What a limit says of subjects that are no ServiceAccounts.
pub(super) fn rules(findings: &mut Findings, spec: &DelegationLimitSpec) -> SubjectRules {
    let max = quota::SUBJECT_RULES;
    let count = |f: &mut Findings, field: &str, n| f.count(&format!("spec.{field}"), "rules", n, 0..=max);
    count(findings, "principals", spec.principals.len());
    count(findings, "samlProviders", spec.saml_providers.len());
    count(findings, "oidcProviders", spec.oidc_providers.len());
    let mut rules = SubjectRules::default();
    for (i, rule) in spec.principals.iter().enumerate().take(max) {
        let at = format!("spec.principals[{i}]");
        rules.principals.push(PrincipalRule {
            matches: patterns(findings, &at, &rule.matches),
            require_external_id: rule.require_external_id,
            require_mfa: rule.require_mfa,
        });
    }
    for (i, rule) in spec.saml_providers.iter().enumerate().take(max) {
        let at = format!("spec.samlProviders[{i}]");
        rules.saml.push(SamlRule {
            matches: patterns(findings, &at, &rule.matches),
            audiences: texts(findings, &format!("{at}.audiences"), &rule.audiences, 1, |t| {
                Audience::new(t)
            }),
        });
    }
    for (i, rule) in spec.oidc_providers.iter().enumerate().take(max) {
        let at = format!("spec.oidcProviders[{i}]");
        rules.oidc.extend(oidc_rule(findings, &at, rule));
    }
    if let Some(people) = &spec.people {
        rules.people = PeopleRule {
            users: texts(findings, "spec.people.users", &people.users, 0, |t| {
                TextPattern::new(t)
            }),
            groups: texts(findings, "spec.people.groups", &people.groups, 0, |t| {
                TextPattern::new(t)
            }),
            max_duration: people
                .max_duration
                .as_deref()
                .and_then(|text| findings.duration("spec.people.maxDuration", SessionDuration::parse(text))),
            mfa_groups: texts(findings, "spec.people.mfaGroups", &people.mfa_groups, 0, |t| {
                PersonName::new(t)
            }),
        };
    }
    rules
}

fn oidc_rule(findings: &mut Findings, at: &str, rule: &OidcRuleSpec) -> Option<OidcRule> {
    let matches = patterns(findings, at, &rule.matches);
    let audiences = texts(findings, &format!("{at}.audiences"), &rule.audiences, 1, |t| {
        Audience::new(t)
    });
    let field = format!("{at}.subjects");
    let subjects = texts(findings, &field, &rule.subjects, 1, |t| TextPattern::new(t));
    for (i, text) in rule.subjects.iter().enumerate().take(quota::VALUES_OF_RULE) {
        if let Ok(pattern) = TextPattern::new(text)
            && let Err(error) = pattern.names_tenant(&matches)
        {
            findings.push(Reason::Structure, format!("{field}[{i}]"), error);
        }
    }
    OidcRule::new(matches, audiences, subjects).ok()
}

fn patterns(findings: &mut Findings, at: &str, texts_of: &[String]) -> BTreeSet<IamArnPattern> {
    texts(findings, &format!("{at}.match"), texts_of, 1, |t| {
        IamArnPattern::new(t)
    })
}

fn texts<T: Ord>(
    findings: &mut Findings,
    field: &str,
    list: &[String],
    min: usize,
    parse: impl Fn(&str) -> Result<T, NameError>,
) -> BTreeSet<T> {
    let max = quota::VALUES_OF_RULE;
    findings.count(field, "entries", list.len(), min..=max);
    let list = list.iter().enumerate().take(max);
    list.filter_map(|(i, text)| findings.take(format!("{field}[{i}]"), parse(text)))
        .collect()
}

/// The ServiceAccounts that a binding names, read from the raw object: for a binding that can't be read otherwise, and may
/// still be the oldest one of theirs.
///
/// `None` when a subject can't be read either: it may be any ServiceAccount of the namespace.
#[must_use]
pub fn subjects_of(object: &Value) -> Option<BTreeSet<ServiceAccountName>> {
    let subjects = object.get("spec")?.get("subjects")?.as_array()?;
    let mut found = BTreeSet::new();
    for subject in subjects {
        // A kind that another version knows is no ServiceAccount.
        if subject.get("kind")?.as_str()? == "ServiceAccount" {
            let name = subject.get("name")?.as_str()?;
            found.insert(ServiceAccountName::new(name).ok()?);
        }
    }
    (!subjects.is_empty()).then_some(found)
}
