//! `AWSRoleBinding`.

use deputy_api::{AWSRoleBinding, convert};
use deputy_delegation::{
    Decision, Violation, Violations,
    model::{Binding, BindingRef, SessionMethod},
};
use serde_json::Value;

use super::{
    absent::{NAMES_SHOWN, absent},
    lints,
    object::ReviewedObject,
    role,
    shadowed::shadowed,
};
use crate::{facts::Facts, live::LookAgain, review::Verdict};

pub(super) fn review(reviewed: &ReviewedObject<'_>, facts: &Facts) -> Verdict {
    let binding = match reviewed.parse::<AWSRoleBinding, _>(convert::parse_binding) {
        Ok(binding) => binding,
        Err(refusal) => return refusal,
    };
    let behind = LookAgain::Role(binding.role.clone());
    let verdict = role::answer(reviewed, facts.decide_binding(&binding), behind.clone());
    let verdict = match cluster_role(reviewed, facts, &binding, behind) {
        Some(about_role) if !verdict.is_denied() => about_role,
        _ => verdict,
    };
    let verdict = lints::warn_about_session_policy(binding.session.policy.as_ref(), verdict);
    if verdict.is_denied() {
        return verdict;
    }
    let verdict = absent(facts, &binding.id.namespace, binding.subjects.service_accounts())
        .into_iter()
        .fold(verdict, Verdict::warn);
    let reference = BindingRef::role(binding.id.clone());
    let subjects = binding.subjects.service_accounts();
    shadowed(reviewed, facts, &reference, binding.created, subjects)
        .into_iter()
        .take(NAMES_SHOWN)
        .chain(method_changed(reviewed, &binding))
        .fold(verdict, Verdict::warn)
}

/// That pods which run keep the method of before, when it changes to or from the one by which they call STS themselves.
fn method_changed(reviewed: &ReviewedObject<'_>, binding: &Binding) -> Option<String> {
    let by_pod = SessionMethod::AssumeRoleWithWebIdentity;
    let old = reviewed.old?.pointer("/spec/method").and_then(Value::as_str);
    let (was, is) = (old == Some(by_pod.as_str()), binding.method == Some(by_pod));
    (was != is).then(|| {
        "spec.method: pods that run keep the method that they were created with, and lose their credentials by it; create them again".to_owned()
    })
}

/// What is refused, or waits, of the ClusterAWSRole that an accepted binding names: it is this binding that makes a role of it in this
/// namespace. An AWSRole was reviewed by itself.
fn cluster_role(
    reviewed: &ReviewedObject<'_>,
    facts: &Facts,
    binding: &Binding,
    behind: LookAgain,
) -> Option<Verdict> {
    binding.role.bound_account()?;
    if !facts.decide_binding(binding).is_accepted() {
        return None;
    }
    let decision = match facts.decide_role_of(binding)? {
        Decision::Refused(violations) => {
            let of_role = |violation: &Violation| Violation {
                field: "spec.roleRef".into(),
                message: format!(
                    "{}, {}: {}",
                    binding.role.title(),
                    violation.field,
                    violation.message
                ),
                ..violation.clone()
            };
            Decision::Refused(Violations::from_vec(violations.iter().map(of_role).collect())?)
        }
        decision => decision,
    };
    Some(role::answer(reviewed, decision, behind))
}
