//! `AWSAccount` → [`Account`].

use std::collections::{BTreeMap, BTreeSet};

use deputy_delegation::{
    AccountId, Audience, ClusterUid, ExternalId, IamEntity, IssuerArn, OidcProviderArn, Partition, Reason,
    Region, RoleArn, SessionDuration, UserArn, Violations,
    model::{Account, AssumeRole, Endpoints, OidcProvider, SessionMethod},
    quota,
};

use super::Findings;
use crate::{AWSAccount, AWSAccountSpec, FederationSpec, IdentitySpec, IssuerSpec, OidcSpec};

/// Reads an account.
///
/// # Errors
/// Every field that is wrong.
pub fn parse_account(object: &AWSAccount) -> Result<Account, Violations> {
    let spec = &object.spec;
    let mut findings = Findings::default();

    let name = findings.name(&object.metadata);
    let id = findings.take("spec.accountID", AccountId::new(spec.account_id.as_str()));
    let partition = findings.take("spec.partition", Partition::new(spec.partition.as_str()));
    let region = findings.take("spec.region", Region::new(spec.region.as_str()));
    let issuer = findings.take(
        "spec.issuer.principalARN",
        IssuerArn::parse(&spec.issuer.principal_arn),
    );
    let previous = previous_issuers(&spec.previous_issuers, issuer.as_ref(), &mut findings);
    if let Some(partition) = &partition {
        region_in_partition(region.as_ref(), partition, &mut findings);
        let issuers = previous.iter().map(|(at, issuer)| (at.as_str(), issuer));
        for (at, issuer) in issuer
            .iter()
            .map(|one| ("spec.issuer.principalARN", one))
            .chain(issuers)
        {
            issuer_in_partition(at, issuer, partition, &mut findings);
        }
    }
    let place = id.as_ref().zip(partition.as_ref());
    let issuers: Vec<&IssuerArn> = issuer.iter().chain(previous.values()).collect();
    let federation_user = spec
        .federation
        .as_ref()
        .and_then(|spec| federation_user(spec, place, &issuers, &mut findings));
    let provisioner = identity("provisioner", spec.provisioner.as_ref(), place, &mut findings);
    let boundary_writer = identity(
        "boundaryWriter",
        spec.boundary_writer.as_ref(),
        place,
        &mut findings,
    );
    let oidc = spec
        .oidc
        .as_ref()
        .and_then(|spec| provider(spec, place, &mut findings));
    let default_method = default_method(spec, &mut findings);
    let names_people = names_people(spec, &mut findings);
    let default_session_duration = default_duration(
        &spec.defaults.session_duration,
        issuer.iter().chain(previous.values()),
        &mut findings,
    );
    let tags = findings.tags("spec.tags", &spec.tags, |f, at, text| f.tag_value(at, text));
    let adopt_from = clusters(&spec.adopt_from, &mut findings);
    let endpoints = spec
        .endpoints
        .as_ref()
        .map_or_else(Endpoints::default, |urls| Endpoints {
            iam: endpoint("iam", urls.iam.as_ref(), &mut findings),
            sts: endpoint("sts", urls.sts.as_ref(), &mut findings),
            s3: endpoint("s3", urls.s3.as_ref(), &mut findings),
            sqs: endpoint("sqs", urls.sqs.as_ref(), &mut findings),
            sns: endpoint("sns", urls.sns.as_ref(), &mut findings),
        });

    let account = (|| {
        Some(Account {
            name: name?,
            id: id?,
            partition: partition?,
            region: region?,
            with_source_identity: with_source_identity(spec, issuer.as_ref(), &previous),
            previous_issuers: previous.into_values().collect(),
            issuer: issuer?,
            names_people,
            federation_user,
            provisioner,
            boundary_writer,
            oidc,
            default_method,
            default_session_duration: default_session_duration?,
            tags,
            adopt_from,
            endpoints,
        })
    })();
    findings.finish(account)
}

/// Whether sessions of people get a source identity.
fn names_people(spec: &AWSAccountSpec, findings: &mut Findings) -> bool {
    let names_people = spec.people.as_ref().is_some_and(|people| people.source_identity);
    let mut issuers = [&spec.issuer].into_iter().chain(&spec.previous_issuers);
    if names_people && issuers.any(|issuer| issuer.has_source_identity) {
        let message =
            "an issuer has a source identity itself (hasSourceIdentity), and AWS lets nobody set another one";
        findings.push(Reason::Structure, "spec.people.sourceIdentity", message);
    }
    names_people
}

/// The account's default method, which has what it needs.
fn default_method(spec: &AWSAccountSpec, findings: &mut Findings) -> SessionMethod {
    let method = SessionMethod::from(spec.defaults.method);
    if method == SessionMethod::AssumeRoleWithWebIdentity && spec.oidc.is_none() {
        let message = "AssumeRoleWithWebIdentity needs spec.oidc: the provider by which AWS knows this cluster's tokens";
        findings.push(Reason::Method, "spec.defaults.method", message);
    }
    method
}

fn region_in_partition(region: Option<&Region>, partition: &Partition, findings: &mut Findings) {
    let Some((region, of_region)) = region.and_then(|region| Some((region, region.partition()?))) else {
        return;
    };
    if of_region != partition.as_str() {
        let message = format!(
            "{region} is a region of partition {of_region}, and spec.partition is {partition} (aws when it is left out; it can't be \
             changed: make the account anew with partition: {of_region})"
        );
        findings.push(Reason::Structure, "spec.region", message);
    }
}

fn issuer_in_partition(at: &str, issuer: &IssuerArn, partition: &Partition, findings: &mut Findings) {
    if issuer.partition() != partition {
        let message = format!(
            "is in partition {}, the account is in {partition}",
            issuer.partition()
        );
        findings.push(Reason::Structure, at, message);
    }
}

/// The issuers of before, by the field that each is read from.
fn previous_issuers(
    specs: &[IssuerSpec],
    issuer: Option<&IssuerArn>,
    findings: &mut Findings,
) -> BTreeMap<String, IssuerArn> {
    findings.count(
        "spec.previousIssuers",
        "issuers",
        specs.len(),
        0..=quota::PREVIOUS_ISSUERS,
    );
    let mut previous = BTreeMap::new();
    for (i, spec) in specs.iter().take(quota::PREVIOUS_ISSUERS).enumerate() {
        let at = format!("spec.previousIssuers[{i}].principalARN");
        let Some(one) = findings.take(&at, IssuerArn::parse(&spec.principal_arn)) else {
            continue;
        };
        if issuer == Some(&one) || previous.values().any(|other| *other == one) {
            let message = format!("{one} is named before, as the issuer or as another one of before");
            findings.push(Reason::Structure, &at, message);
        }
        previous.insert(at, one);
    }
    previous
}

/// Those of the issuers whose sessions have a source identity.
fn with_source_identity(
    spec: &AWSAccountSpec,
    issuer: Option<&IssuerArn>,
    previous: &BTreeMap<String, IssuerArn>,
) -> BTreeSet<IssuerArn> {
    let specs = [&spec.issuer].into_iter().chain(&spec.previous_issuers);
    let named: BTreeSet<&str> = specs
        .filter(|spec| spec.has_source_identity)
        .map(|spec| spec.principal_arn.as_str())
        .collect();
    let issuers = issuer.into_iter().chain(previous.values());
    issuers
        .filter(|issuer| named.contains(issuer.to_string().as_str()))
        .cloned()
        .collect()
}

/// An identity that lives in the account that `place` names, as far as that can be read.
fn identity(
    field: &str,
    spec: Option<&IdentitySpec>,
    place: Option<(&AccountId, &Partition)>,
    findings: &mut Findings,
) -> Option<AssumeRole> {
    let spec = &spec?.assume_role;
    let at = format!("spec.{field}.assumeRole.roleARN");
    let role = findings.take(&at, RoleArn::parse(&spec.role_arn));
    if let (Some(role), Some((id, partition))) = (&role, place)
        && (role.account() != id || role.partition() != partition)
    {
        let message = format!(
            "is a role of account {} in partition {}; this is account {id} in {partition}, and what it makes lives where it does",
            role.account(),
            role.partition()
        );
        findings.push(Reason::Structure, at, message);
    }
    let external_id = spec.external_id.as_deref().and_then(|text| {
        findings.take(
            format!("spec.{field}.assumeRole.externalID"),
            ExternalId::new(text),
        )
    });
    Some(AssumeRole {
        role: role?,
        external_id,
    })
}

/// A user of the account that `place` names, as far as that can be read, and none of its issuers: what may become every role would be
/// what a federated user is made from.
fn federation_user(
    spec: &FederationSpec,
    place: Option<(&AccountId, &Partition)>,
    issuers: &[&IssuerArn],
    findings: &mut Findings,
) -> Option<UserArn> {
    let at = "spec.federation.userARN";
    let user = findings.take(at, UserArn::parse(&spec.user_arn))?;
    if let Some((id, partition)) = place
        && (user.account() != id || user.partition() != partition)
    {
        let message = format!(
            "is a user of account {} in partition {}; this is account {id} in {partition}, and its federated users are where it is",
            user.account(),
            user.partition()
        );
        findings.push(Reason::Structure, at, message);
    }
    if issuers.contains(&&IssuerArn::from(user.clone())) {
        let message = "is an issuer of the account; a federated user has what its user has, so that is another one, which may do nothing else";
        findings.push(Reason::Structure, at, message);
    }
    Some(user)
}

/// A provider of the account that `place` names, as far as that can be read: AWS takes no other one in a role's trust policy.
fn provider(
    spec: &OidcSpec,
    place: Option<(&AccountId, &Partition)>,
    findings: &mut Findings,
) -> Option<OidcProvider> {
    let at = "spec.oidc.providerARN";
    let arn = findings.take(at, OidcProviderArn::parse(&spec.provider_arn));
    if let (Some(arn), Some((id, partition))) = (&arn, place)
        && (arn.account() != id || arn.partition() != partition)
    {
        let message = format!(
            "is a provider of account {} in partition {}; this is account {id} in {partition}, and AWS takes no other account's in a \
             role's trust policy",
            arn.account(),
            arn.partition()
        );
        findings.push(Reason::Structure, at, message);
    }
    let audience = findings.take("spec.oidc.audience", Audience::new(spec.audience.as_str()));
    Some(OidcProvider {
        arn: arn?,
        audience: audience?,
    })
}

/// Clusters from which things are taken over.
fn clusters(uids: &[String], findings: &mut Findings) -> BTreeSet<ClusterUid> {
    let field = "spec.adoptFrom";
    findings.count(field, "clusters", uids.len(), 0..=quota::CLUSTERS_TO_ADOPT);
    let typed = uids.iter().take(quota::CLUSTERS_TO_ADOPT).enumerate();
    typed
        .filter_map(|(i, uid)| findings.take(format!("{field}[{i}]"), ClusterUid::new(uid.as_str())))
        .collect()
}

fn default_duration<'a>(
    text: &str,
    mut issuers: impl Iterator<Item = &'a IssuerArn>,
    findings: &mut Findings,
) -> Option<SessionDuration> {
    let field = "spec.defaults.sessionDuration";
    let duration = findings.duration(field, SessionDuration::parse(text))?;
    if issuers.any(|issuer| issuer.entity() == IamEntity::Role) && duration > SessionDuration::HOUR {
        let message =
            format!("{duration} is more than 1h, the most that AWS gives when the issuer is a role");
        findings.push(Reason::Duration, field, message);
    }
    Some(duration)
}

fn endpoint(field: &str, url: Option<&String>, findings: &mut Findings) -> Option<String> {
    let url = url?;
    if is_endpoint(url) {
        return Some(url.clone());
    }
    let message = format!(
        "{:?} is not https://<host>[:port][/path], nor http:// to 127.0.0.1 or [::1]",
        url.chars().take(80).collect::<String>()
    );
    findings.push(Reason::Structure, format!("spec.endpoints.{field}"), message);
    None
}

/// `schema::ENDPOINT`, without a regular-expression engine: requests are signed and carry external ids, so plain text
/// goes to this machine only, and nothing hides a host behind `user@`.
#[must_use]
pub fn is_endpoint(url: &str) -> bool {
    let host_char = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
    let path_char = |b: u8| b.is_ascii_alphanumeric() || b"._~/-".contains(&b);
    if url.len() > 512 {
        return false;
    }
    let (loopback_only, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (false, rest),
        (_, Some(rest)) => (true, rest),
        _ => return false,
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !authority.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let good_host = if loopback_only {
        host == "127.0.0.1" || host == "[::1]"
    } else {
        !host.is_empty() && host.bytes().all(host_char)
    };
    let good_port = port.is_none_or(|p| (1..=5).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()));
    good_host && good_port && path.bytes().all(path_char)
}

#[cfg(test)]
mod tests {
    use super::is_endpoint;

    #[test]
    fn plain_text_endpoints_are_on_this_machine_only() {
        for good in [
            "https://iam.amazonaws.com",
            "https://vpce-1.sts.eu-west-1.vpce.amazonaws.com:443/",
            "http://127.0.0.1:5000",
            "http://[::1]:5000/path",
            "http://[::1]",
        ] {
            assert!(is_endpoint(good), "{good}");
        }
        for bad in [
            "http://iam.amazonaws.com",
            "http://127.0.0.1.evil.example",
            "http://127.0.0.1@evil.example",
            "https://user:password@iam.amazonaws.com",
            "https://",
            "https://host:",
            "https://host:123456",
            "https://host/?query",
            "ftp://host",
            "",
        ] {
            assert!(!is_endpoint(bad), "{bad}");
        }
    }
}
