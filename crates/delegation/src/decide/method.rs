//! Whether a binding's pods may get their sessions by the method that it has.

use crate::{
    decision::Reason,
    model::{Account, Binding, Limit, Role, SessionMethod, SessionScope},
};

use super::{findings::Findings, limits::Applicable};

const METHOD: &str = "spec.method";

/// Refuses a method that a limit does not list, or that the account can't do.
pub(super) fn allowed(
    binding: &Binding,
    account: &Account,
    limits: &Applicable<'_>,
    findings: &mut Findings,
) -> SessionMethod {
    let method = binding.method_in(account);
    let what = shown(binding, method);
    for limit in &limits.limits {
        if limit.session_methods.contains(&method) {
            continue;
        }
        let message = format!(
            "limit {:?} allows {}, and not {what}{}",
            limit.name.as_str(),
            listed(limit),
            match method {
                SessionMethod::AssumeRole => "",
                SessionMethod::AssumeRoleWithWebIdentity =>
                    ", by which a pod calls STS itself, without session policy, tags and audit; its session.methods may list it",
            }
        );
        findings.refuse_under(&limit.name, Reason::Method, METHOD, message);
    }
    if method == SessionMethod::AssumeRoleWithWebIdentity && account.oidc.is_none() {
        let message = format!(
            "{what} needs spec.oidc in AWSAccount {}: the OIDC provider by which AWS knows this cluster's tokens",
            account.name
        );
        findings.refuse(Reason::Method, METHOD, message);
    }
    method
}

/// What a session by AssumeRoleWithWebIdentity can't be, because nobody but the pod and AWS is there to see to it.
pub(super) fn without_broker(
    binding: &Binding,
    role: &Role,
    limits: &Applicable<'_>,
    findings: &mut Findings,
) {
    let session = &binding.session;
    let said = [
        ("policy", session.policy.is_some()),
        ("policyARNs", !session.policy_arns.is_empty()),
        ("duration", session.duration.is_some()),
        ("tags", !session.tags.is_empty()),
        ("scope", session.scope != SessionScope::ServiceAccount),
    ];
    for (field, _) in said.into_iter().filter(|(_, is_said)| *is_said) {
        let message = format!(
            "with {} the pod calls STS itself, and nothing would hold it to a {field} of the session: leave it out, or use method AssumeRole",
            SessionMethod::AssumeRoleWithWebIdentity.as_str()
        );
        findings.refuse(Reason::Method, format!("spec.session.{field}"), message);
    }
    let Some(owned) = role.owned() else {
        let message = format!(
            "{} is a role that exists: whom it trusts is not Deputy's to say, and no session policy would hold it to the limit; use method \
             AssumeRole",
            role.id.title()
        );
        findings.refuse(Reason::Method, METHOD, message);
        return;
    };
    // The SDK chooses the duration, up to what the role gives.
    let longest = owned.max_session_duration;
    for limit in &limits.limits {
        if limit.max_session_duration.as_seconds() < longest.as_seconds() {
            let message = format!(
                "the pod may ask STS for all of the role's maxSessionDuration, {longest}, which is longer than {}, the most that limit {:?} \
                 allows",
                limit.max_session_duration,
                limit.name.as_str()
            );
            findings.refuse_under(&limit.name, Reason::Duration, METHOD, message);
        }
    }
}

/// The method, and where it comes from when the binding does not name it.
fn shown(binding: &Binding, method: SessionMethod) -> String {
    if binding.method.is_some() {
        method.as_str().to_owned()
    } else {
        format!("{} (the account's default)", method.as_str())
    }
}

/// The methods of a limit.
fn listed(limit: &Limit) -> String {
    let methods: Vec<_> = limit.session_methods.iter().map(|m| m.as_str()).collect();
    if methods.is_empty() {
        "no method".to_owned()
    } else {
        format!("only {}", methods.join(" and "))
    }
}
