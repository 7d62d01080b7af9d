//! The decision about a binding: who may become a role, and how a session looks.

use crate::{
    decision::{Decision, Fact, MissingFact, Reason},
    model::{Account, Binding, Role, RoleSource, SessionMethod},
    names::SessionDuration,
    quota::{CHAINED_SESSION_SECONDS_MAX, SESSION_POLICY, TAGS},
    session,
};

use super::{
    containment::{Granted, GrantedPolicy},
    existing,
    findings::Findings,
    input::DecisionInput,
    known::Known,
    limits::{Applicable, NeededBoundary},
    managed, method, role, subjects,
};

const DURATION: &str = "spec.session.duration";
const SESSION_POLICY_ARNS: &str = "spec.session.policyARNs";

pub(super) fn decide(
    input: &DecisionInput<'_>,
    binding: &Binding,
    role: Fact<'_, Role>,
    mut findings: Findings,
) -> Decision {
    within_quotas(binding, &mut findings);
    let Some(role) = known_role(binding, role, &mut findings) else {
        // Without its role the account is not known either, nor which limits apply.
        return findings.decision(None);
    };
    let account = role::account(input, role, "spec.roleRef", &mut findings);
    role::allowed_namespace(role, "spec.roleRef", &mut findings);
    let limits = Applicable::find(
        input,
        &binding.id.namespace,
        &role.account,
        // Whether the boundary fits into that account is decided with the role.
        None,
        "spec.roleRef",
        needed_boundary(role, binding),
        &mut findings,
    );
    subjects::allowed(input, binding, role, account, &limits, &mut findings);
    if binding.subjects.are_outside() {
        return findings.decision(limits.accepted());
    }
    if let Some(account) = account
        && method::allowed(binding, account, &limits, &mut findings)
            == SessionMethod::AssumeRoleWithWebIdentity
    {
        method::without_broker(binding, role, &limits, &mut findings);
        return findings.decision(limits.accepted());
    }
    let duration = binding
        .session
        .duration
        .or_else(|| account.map(|account| session::duration(account, binding)));
    if let Some(duration) = duration {
        allowed_duration(binding, duration, role, account, &limits, &mut findings);
    }
    allowed_tags(binding, &limits, &mut findings);
    if let (Some(account), Some(document)) = (account, &binding.session.policy) {
        role::in_partition(account, document, "spec.session.policy", &mut findings);
    }
    session_policy_arns(binding, role, account, &limits, &mut findings);
    match (&role.source, &binding.session.policy) {
        (RoleSource::Owned(owned), Some(document)) => {
            let policy = GrantedPolicy {
                document,
                title: "the session policy's".to_owned(),
                field: "spec.session.policy".to_owned(),
            };
            let of_role: Vec<_> = owned.policies.iter().map(|policy| &policy.document).collect();
            // What managed policies of the role say is not known, so the role is no bound for the session then.
            let is_known = owned.policies.managed().is_empty();
            let granted = Granted {
                policies: &[policy],
                role: is_known.then_some(of_role.as_slice()),
                is_held: true,
                known: Known::of(input.cluster, &role.id),
            };
            limits.contain(&granted, &mut findings);
        }
        // It gets the role, which is decided about by itself.
        (RoleSource::Owned(_), None) => {}
        (RoleSource::Existing(_), _) if !binding.session.policy_arns.is_empty() => {
            findings.refuse(
                Reason::ExistingRole,
                "spec.session.policyARNs",
                "the role exists and carries no boundary, so nothing would hold the session to what these policies say tomorrow; a session of it \
                 has spec.session.policy, or the boundary of the limit",
            );
        }
        (RoleSource::Existing(_), Some(document)) => {
            existing::policy_within(input, role, document, &limits, &mut findings);
        }
        (RoleSource::Existing(_), None) => existing::boundary_within(input, role, &limits, &mut findings),
    }
    findings.decision(limits.accepted())
}

/// The managed session policies. A session gets what the role allows, and the inline policy or one of these: with them it has no more than
/// the role.
fn session_policy_arns(
    binding: &Binding,
    role: &Role,
    account: Option<&Account>,
    limits: &Applicable<'_>,
    findings: &mut Findings,
) {
    let arns = &binding.session.policy_arns;
    if role.existing().is_some() && !arns.is_empty() {
        // No boundary of Deputy's holds that role.
        findings.refuse(
            Reason::ManagedPolicy,
            SESSION_POLICY_ARNS,
            "a session of a role that exists already is held by its session policy alone, and what managed policies say is not known; \
             write an inline one (spec.session.policy)",
        );
        return;
    }
    managed::allowed(arns, SESSION_POLICY_ARNS, account, limits, findings);
}

/// A role that Deputy makes carries a boundary whoever binds it. One that exists does not: its sessions have a policy of their own, or get
/// the boundary as one.
fn needed_boundary(role: &Role, binding: &Binding) -> NeededBoundary {
    match (&role.source, &binding.session.policy) {
        (RoleSource::Owned(_), _) => NeededBoundary::OfRole,
        (RoleSource::Existing(_), Some(_)) => NeededBoundary::None,
        (RoleSource::Existing(_), None) => NeededBoundary::OfSession,
    }
}

fn within_quotas(binding: &Binding, findings: &mut Findings) {
    let inline = binding.session.policy.as_ref().map_or(0, |policy| policy.size());
    let arns = &binding.session.policy_arns;
    let of_arns: usize = arns.iter().map(|arn| arn.to_string().len()).sum();
    if inline + of_arns > SESSION_POLICY {
        let (field, message) = if arns.is_empty() {
            (
                "spec.session.policy",
                format!("has {inline} characters; AWS takes {SESSION_POLICY} in a session policy"),
            )
        } else {
            let both = inline + of_arns;
            let message = format!(
                "the inline session policy has {inline} characters and the ARNs of {} managed ones have {of_arns}, together {both}; AWS \
                 takes {SESSION_POLICY}",
                arns.len()
            );
            ("spec.session", message)
        };
        findings.refuse(Reason::TooLarge, field, message);
    }
    let own = session::own_tags(&binding.session);
    let tags = binding.session.tags.len() + own;
    if tags > TAGS {
        findings.refuse(
            Reason::TooLarge,
            "spec.session.tags",
            format!("the session would have {tags} tags, {own} of them Deputy's own; AWS takes {TAGS}"),
        );
    }
}

fn known_role<'r>(binding: &Binding, role: Fact<'r, Role>, findings: &mut Findings) -> Option<&'r Role> {
    match role {
        Fact::Known(role) if role.id == binding.role => Some(role),
        Fact::Known(role) => {
            let message = format!("{} was looked up for {}", role.id.title(), binding.role.title());
            findings.refuse(Reason::RoleInvalid, "spec.roleRef", message);
            None
        }
        Fact::Missing => {
            findings.miss(MissingFact::RoleNotFound(binding.role.clone()));
            None
        }
        Fact::Unreadable(error) => {
            let message = format!("{} can't be read: {error}", binding.role.title());
            findings.refuse(Reason::RoleInvalid, "spec.roleRef", message);
            None
        }
    }
}

fn allowed_duration(
    binding: &Binding,
    duration: SessionDuration,
    role: &Role,
    account: Option<&Account>,
    limits: &Applicable<'_>,
    findings: &mut Findings,
) {
    // Says where a duration comes from that the binding does not name.
    let what = if binding.session.duration.is_some() {
        duration.to_string()
    } else {
        format!("{duration} (the account's default)")
    };
    if let Some(account) = account
        && let Some(issuer) = account.chaining_issuer()
        && duration.as_seconds() > CHAINED_SESSION_SECONDS_MAX
    {
        let message = format!(
            "{what} is longer than 1h, the most that AWS gives when the issuer is a role ({issuer}: role chaining)"
        );
        findings.refuse(Reason::Duration, DURATION, message);
    }
    // Of a role that exists it is asked in AWS: whoever gives the sessions compares it.
    if let Some(owned) = role.owned()
        && duration.exceeds(owned.max_session_duration)
    {
        let message = format!(
            "{what} is longer than the role's maxSessionDuration {}",
            owned.max_session_duration
        );
        findings.refuse(Reason::Duration, DURATION, message);
    }
    for limit in &limits.limits {
        if duration > limit.max_session_duration {
            let message = format!(
                "{what} is longer than {}, the most that limit {:?} allows",
                limit.max_session_duration,
                limit.name.as_str()
            );
            findings.refuse_under(&limit.name, Reason::Duration, DURATION, message);
        }
    }
}

fn allowed_tags(binding: &Binding, limits: &Applicable<'_>, findings: &mut Findings) {
    for (key, value) in binding.session.tags.iter() {
        for limit in &limits.limits {
            let allowed = limit.session_tags.get(key);
            if allowed.is_some_and(|values| values.contains(value)) {
                continue;
            }
            let values = match (allowed, limit.session_tags.in_any_case(key)) {
                (Some(values), _) => {
                    let values: Vec<_> = values.iter().map(|v| format!("{:?}", v.as_str())).collect();
                    format!("it allows {}", values.join(", "))
                }
                (None, Some((spelled, _))) => format!("it spells the key {:?}", spelled.as_str()),
                (None, None) => "it allows no such tag".to_owned(),
            };
            let message = format!(
                "limit {:?} does not allow the value {:?}: {values}",
                limit.name.as_str(),
                value.as_str()
            );
            findings.refuse_under(
                &limit.name,
                Reason::SessionTag,
                format!("spec.session.tags[{key}]"),
                message,
            );
        }
    }
}
