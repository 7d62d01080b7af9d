//! Random callers, of whom everything is known: those that policies name, in every spelling, and others.

use super::{
    identities::{CallerNames, OTHER_CANONICAL, OTHER_ROLE_ID, OTHER_USER_ID, STRANGER},
    model::StatementDraft,
};
use crate::{
    choices::Choices,
    naive::{KnownCaller, who::NaiveArn},
};

/// One of the listed texts that fit, or another one; often a listed one.
fn one_of<'a>(c: &mut Choices<'_>, listed: impl Iterator<Item = &'a String>, other: &str) -> String {
    let listed: Vec<&String> = listed.collect();
    if listed.is_empty() || c.chance(1, 3) {
        other.to_owned()
    } else {
        (*c.pick(&listed)).clone()
    }
}

fn in_account(text: &str, prefix: &str) -> bool {
    text.starts_with(prefix)
}

/// Somebody: of a partition that the policies are in, with ids that may be the listed ones.
pub fn any(c: &mut Choices<'_>, names: &CallerNames) -> KnownCaller {
    let who = match c.below(10) {
        0 => KnownCaller::parse("*"),
        1 => KnownCaller::parse(&one_of(c, names.services.iter(), "lambda.amazonaws.com")),
        2 => {
            let listed = names.providers.iter().filter(|name| *name != "*");
            KnownCaller::parse(&format!("provider={}", one_of(c, listed, "other.example.com")))
        }
        3 if !names.identities.is_empty() || c.chance(1, 4) => {
            let other = "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity EOTHER";
            KnownCaller::parse(&one_of(c, names.identities.iter(), other))
        }
        _ => of_account(c, names),
    };
    with_canonical(c, names, who)
}

fn with_canonical(c: &mut Choices<'_>, names: &CallerNames, who: KnownCaller) -> KnownCaller {
    if who.account().is_none() && !who.is_identity_of_cloudfront() {
        return who;
    }
    let bounded = who.can_be_bounded() && names.negated && c.chance(1, 6);
    KnownCaller {
        canonical: Some(one_of(c, names.canonical.iter(), OTHER_CANONICAL)),
        bounded,
        ..who
    }
}

fn of_account(c: &mut Choices<'_>, names: &CallerNames) -> KnownCaller {
    let partitions: Vec<&String> = names.partitions.iter().collect();
    let partition = (*c.pick(&partitions)).clone();
    let account = one_of(c, names.accounts.iter(), STRANGER);
    in_one_account(c, names, &partition, &account)
}

/// A root user, user, role session or federated session.
fn in_one_account(c: &mut Choices<'_>, names: &CallerNames, partition: &str, account: &str) -> KnownCaller {
    let iam = format!("arn:{partition}:iam::{account}:");
    match c.below(6) {
        0 => KnownCaller::parse(&format!("{iam}root")),
        1 | 2 => {
            let listed = names.users.iter().filter(|text| in_account(text, &iam));
            let user = one_of(c, listed, &format!("{iam}user/c"));
            user_or_session(c, names, &user)
        }
        3 => federated(c, names, partition, account, None),
        _ => {
            let listed = names.roles.iter().filter(|text| in_account(text, &iam));
            let role = one_of(c, listed, &format!("{iam}role/r"));
            session(c, names, &role, None)
        }
    }
}

fn user(c: &mut Choices<'_>, names: &CallerNames, arn: &str) -> KnownCaller {
    let id = one_of(c, names.user_ids.iter(), OTHER_USER_ID);
    KnownCaller::parse(&format!("{arn} id={id}"))
}

fn user_or_session(c: &mut Choices<'_>, names: &CallerNames, arn: &str) -> KnownCaller {
    let parsed = NaiveArn::parse(arn).unwrap();
    if c.chance(1, 4) {
        federated(c, names, parsed.partition, parsed.account, Some(arn))
    } else {
        user(c, names, arn)
    }
}

/// A federated session of a user, who may be given.
fn federated(
    c: &mut Choices<'_>,
    names: &CallerNames,
    partition: &str,
    account: &str,
    by: Option<&str>,
) -> KnownCaller {
    let sts = format!("arn:{partition}:sts::{account}:");
    let iam = format!("arn:{partition}:iam::{account}:");
    let listed = names.federated.iter().filter(|text| in_account(text, &sts));
    let name = one_of(c, listed, &format!("{sts}federated-user/g"));
    let user = by.map_or_else(
        || {
            let listed = names.users.iter().filter(|text| in_account(text, &iam));
            one_of(c, listed, &format!("{iam}user/c"))
        },
        str::to_owned,
    );
    let id = one_of(c, names.user_ids.iter(), OTHER_USER_ID);
    KnownCaller::parse(&format!("{name} user={user} id={id}"))
}

/// A session of a role, whose name may be given; sometimes the role has another path.
fn session(c: &mut Choices<'_>, names: &CallerNames, role: &str, given: Option<&str>) -> KnownCaller {
    let arn = NaiveArn::parse(role).unwrap();
    let name = arn.rest.rsplit('/').next().unwrap();
    let stem = format!("arn:{}:sts::{}:assumed-role/{name}/", arn.partition, arn.account);
    let listed = names.sessions.iter().filter(|text| in_account(text, &stem));
    let session = given.map_or_else(|| one_of(c, listed, &format!("{stem}u")), str::to_owned);
    let id = one_of(c, names.role_ids.iter(), OTHER_ROLE_ID);
    let stem = format!("arn:{}:iam::{}:role/", arn.partition, arn.account);
    let of_name = |listed: &&String| {
        let last = listed.rsplit('/').next().unwrap();
        in_account(listed, &stem) && last.eq_ignore_ascii_case(name)
    };
    let listed: Vec<&String> = names.roles.iter().filter(of_name).collect();
    let other = format!("{stem}other/{name}");
    let role = if c.chance(1, 4) && names.may_exist(&other) {
        other
    } else if listed.is_empty() {
        role.to_owned()
    } else {
        (*c.pick(&listed)).clone()
    };
    KnownCaller::parse(&format!("{session} role={role} id={id}"))
}

/// Somebody whom the statement names, when it names anybody.
pub fn of_statement(c: &mut Choices<'_>, statement: &StatementDraft, names: &CallerNames) -> KnownCaller {
    let listed = match &statement.principals {
        Some(principals) if !principals.listed.is_empty() => &principals.listed,
        _ => return any(c, names),
    };
    let (kind, text) = c.pick(listed);
    let who = named(c, kind, text, names);
    let canonical = match *kind {
        "CanonicalUser" => Some(text.clone()),
        _ => who.canonical.clone(),
    };
    let who = with_canonical(c, names, who);
    KnownCaller {
        canonical: canonical.or(who.canonical.clone()),
        ..who
    }
}

fn named(c: &mut Choices<'_>, kind: &str, text: &str, names: &CallerNames) -> KnownCaller {
    match kind {
        "Service" => return KnownCaller::parse(text),
        "Federated" if text == "*" => return KnownCaller::parse("provider=other.example.com"),
        "Federated" => return KnownCaller::parse(&format!("provider={text}")),
        "CanonicalUser" => {
            return if c.chance(1, 4) {
                KnownCaller::parse("arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity EOTHER")
            } else {
                of_account(c, names)
            };
        }
        _ => {}
    }
    if text == "*" {
        return any(c, names);
    }
    let Some(arn) = NaiveArn::parse(text) else {
        let partitions: Vec<&String> = names.partitions.iter().collect();
        let partition = (*c.pick(&partitions)).clone();
        if text.starts_with("AROA") || text.starts_with("AIDA") {
            let role = text.starts_with("AROA");
            let mut who = of_account(c, names);
            if who.id.is_none() || who.role.is_some() != role {
                let account = one_of(c, names.accounts.iter(), STRANGER);
                let arn = |rest: &str| format!("arn:{partition}:iam::{account}:{rest}");
                who = if role {
                    session(c, names, &arn("role/r"), None)
                } else {
                    user(c, names, &arn("user/c"))
                };
            }
            return KnownCaller {
                id: Some(text.to_owned()),
                ..who
            };
        }
        return in_one_account(c, names, &partition, text);
    };
    match arn.rest.split('/').next().unwrap() {
        _ if arn.account == "cloudfront" => KnownCaller::parse(text),
        "user" => user_or_session(c, names, text),
        "role" => session(c, names, text, None),
        "assumed-role" => {
            let name = arn.rest.split('/').nth(1).unwrap();
            let role = format!("arn:{}:iam::{}:role/{name}", arn.partition, arn.account);
            session(c, names, &role, Some(text))
        }
        "federated-user" => {
            let who = federated(c, names, arn.partition, arn.account, None);
            KnownCaller {
                name: text.to_owned(),
                ..who
            }
        }
        _ => in_one_account(c, names, arn.partition, arn.account),
    }
}
