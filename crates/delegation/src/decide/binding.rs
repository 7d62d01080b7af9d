//! The decision about a binding: who may become a role, and how a session looks.

use crate::{
    decision::{Decision, Fact, MissingFact, Reason},
    model::{Account, Binding, Role, RoleSource, SessionMethod, Subjects},
    names::SessionDuration,
    quota::CHAINED_SESSION_SECONDS_MAX,
    session::own_tags,
};

use super::{
    containment::Granted,
    existing,
    findings::Findings,
    input::DecisionInput,
    known::KnownTags,
    limits::{Applicable, NeededBoundary},
    managed, method, role, session, subjects,
};

const SESSION_POLICY_ARNS: &str = "spec.session.policyARNs";

pub(super) fn decide(
    input: &DecisionInput<'_>,
    binding: &Binding,
    role: Fact<'_, Role>,
    mut findings: Findings,
) -> Decision {
    let spec = &binding.session;
    session::policy_fits(spec.policy.as_ref(), &spec.policy_arns, &mut findings);
    session::tags_fit(&spec.tags, own_tags(binding), &mut findings);
    let Some(role) = known_role(binding, role, &mut findings) else {
        // Without its role the account is not known either, nor which limits apply.
        return findings.decision(None);
    };
    let account = role::account(input, &role.account, "spec.roleRef", &mut findings);
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
    let duration = spec
        .duration
        .or_else(|| account.map(|account| binding.duration_in(account)));
    if let Some(duration) = duration {
        allowed_duration(binding, duration, role, account, &limits, &mut findings);
    }
    session::allowed_tags(&spec.tags, &limits, &mut findings);
    if let (Some(account), Some(document)) = (account, &binding.session.policy) {
        role::in_partition(account, document, session::POLICY, &mut findings);
    }
    session_policy_arns(binding, role, account, &limits, &mut findings);
    match (&role.source, &binding.session.policy) {
        (RoleSource::Owned(owned), Some(document)) => {
            let of_role: Vec<_> = owned.policies.iter().map(|policy| &policy.document).collect();
            // What managed policies of the role say is not known, so the role is no bound for the session then.
            let is_known = owned.policies.managed().is_empty();
            let granted = Granted {
                policies: &[session::granted(document)],
                role: is_known.then_some(of_role.as_slice()),
                held_in: account.map(|account| &account.partition),
                known: KnownTags::of(input.cluster, &role.id),
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
            session::policy_within(input, &role.id.namespace, document, &limits, &mut findings);
        }
        (RoleSource::Existing(_), None) => {
            existing::boundary_within(input, role, account, &limits, &mut findings)
        }
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
        findings.refuse(Reason::Duration, session::DURATION, message);
    }
    // Of a role that exists it is asked in AWS: whoever gives the sessions compares it.
    if let Some(owned) = role.owned()
        && duration.exceeds(owned.max_session_duration)
    {
        let message = format!(
            "{what} is longer than the role's maxSessionDuration {}",
            owned.max_session_duration
        );
        findings.refuse(Reason::Duration, session::DURATION, message);
    }
    for limit in &limits.limits {
        let of_people = match binding.subjects {
            Subjects::People(_) => limit.subjects.people.max_duration,
            _ => None,
        };
        let (longest, whom) = match of_people.filter(|most| *most < limit.max_session_duration) {
            Some(longest) => (longest, " people"),
            None => (limit.max_session_duration, ""),
        };
        if duration > longest {
            let message = format!(
                "{what} is longer than {longest}, the most that limit {:?} allows{whom}",
                limit.name.as_str()
            );
            findings.refuse_under(&limit.name, Reason::Duration, session::DURATION, message);
        }
    }
}
