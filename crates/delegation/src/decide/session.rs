//! What holds for every session that Deputy asks STS for, whichever call gives it.

use std::collections::BTreeSet;

use deputy_policy::Document;

use crate::{
    decision::Reason,
    model::{ChosenTags, SessionPolicy},
    names::{ManagedPolicyArn, NamespaceName},
    quota::{SESSION_POLICY, TAGS},
};

use super::{
    containment::{Granted, GrantedPolicy},
    findings::Findings,
    input::DecisionInput,
    known::KnownTags,
    limits::Applicable,
};

/// Where a binding has its session policy.
pub(super) const POLICY: &str = "spec.session.policy";

/// Where a binding says how long its sessions are.
pub(super) const DURATION: &str = "spec.session.duration";

/// Whether STS takes the session policies.
pub(super) fn policy_fits(
    policy: Option<&SessionPolicy>,
    arns: &BTreeSet<ManagedPolicyArn>,
    findings: &mut Findings,
) {
    let inline = policy.map_or(0, |policy| policy.size());
    let of_arns: usize = arns.iter().map(|arn| arn.to_string().len()).sum();
    if inline + of_arns <= SESSION_POLICY {
        return;
    }
    let (field, message) = if arns.is_empty() {
        (
            POLICY,
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

/// The session policy as something that is granted.
pub(super) fn granted(document: &Document) -> GrantedPolicy<'_> {
    GrantedPolicy {
        document,
        title: "the session policy's".to_owned(),
        field: POLICY.to_owned(),
        is_statement: false,
    }
}

/// Whether a session policy by itself stays within every limit: what whoever gets the session may do beside it is not known.
pub(super) fn policy_within(
    input: &DecisionInput<'_>,
    namespace: &NamespaceName,
    document: &Document,
    limits: &Applicable<'_>,
    findings: &mut Findings,
) {
    let granted = Granted {
        policies: &[granted(document)],
        role: None,
        held_in: None,
        known: KnownTags::of_session(input.cluster, namespace),
    };
    limits.contain(&granted, findings);
}

/// Whether STS takes the tags, with `own` of Deputy's.
pub(super) fn tags_fit(chosen: &ChosenTags, own: usize, findings: &mut Findings) {
    let tags = chosen.len() + own;
    if tags > TAGS {
        findings.refuse(
            Reason::TooLarge,
            "spec.session.tags",
            format!("the session would have {tags} tags, {own} of them Deputy's own; AWS takes {TAGS}"),
        );
    }
}

/// Whether every limit allows the tags.
pub(super) fn allowed_tags(tags: &ChosenTags, limits: &Applicable<'_>, findings: &mut Findings) {
    for (key, value) in tags.iter() {
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
