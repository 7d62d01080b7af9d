//! Warnings about policies that are let in or refused: what a document probably does not mean. The same findings as those of
//! `deputy policy lint`.

use deputy_api::convert::RoleTemplate;
use deputy_delegation::{
    NamespaceName, ObjectName,
    boundary::is_acknowledged,
    model::{Limit, Role, SessionPolicy, StatementGrant},
};
use deputy_policy::{Lint, lint, unless_meant};

use crate::review::{ObjectWarning, Verdict};

/// Findings of one object that are shown; more are counted.
const SHOWN: usize = 10;

pub(super) fn warn_about_role(role: &Role, verdict: Verdict) -> Verdict {
    let documents = role.policies().iter().map(|policy| &policy.document);
    let named = documents.enumerate().map(|(i, document)| {
        let found = lint(document, None);
        let (field, said) = (format!("spec.policies[{i}].document"), format!("policies[{i}]"));
        found.into_iter().map(move |lint| warning(&field, &said, lint))
    });
    warn(named.flatten().collect(), verdict)
}

/// As it would be in a namespace of this name; which one makes no difference to what is found.
pub(super) fn warn_about_cluster_role(template: &RoleTemplate, verdict: Verdict) -> Verdict {
    let names = (NamespaceName::new("namespace"), ObjectName::new("account"));
    let (Ok(namespace), Ok(account)) = names else {
        return verdict;
    };
    match template.instance(&namespace, &account) {
        Ok(role) => warn_about_role(&role, verdict),
        // It was read as one, so it is one.
        Err(_) => verdict,
    }
}

pub(super) fn warn_about_session_policy(policy: Option<&SessionPolicy>, verdict: Verdict) -> Verdict {
    let found = policy.into_iter().flat_map(|d| lint(d, None));
    let of_policy = |lint| warning("spec.session.policy", "session.policy", lint);
    warn(found.map(of_policy).collect(), verdict)
}

pub(super) fn warn_about_statement(grant: &StatementGrant, verdict: Verdict) -> Verdict {
    let found = lint(grant, None).into_iter();
    let of_statement = |lint| warning("spec.statement", "statement", lint);
    warn(found.map(of_statement).collect(), verdict)
}

/// What reaches IAM knowingly is no finding.
pub(super) fn warn_about_limit(limit: &Limit, verdict: Verdict) -> Verdict {
    let meant = |action: &str| is_acknowledged(&limit.acknowledge_escalation, action);
    let found = lint(&limit.ceiling, None);
    let found = unless_meant(found, &limit.ceiling, meant).into_iter();
    let of_ceiling = |lint| warning("spec.ceiling", "ceiling", lint);
    warn(found.map(of_ceiling).collect(), verdict)
}

/// A finding in the policy at `field`, which goes out with the shorter name `said` of that.
fn warning(field: &str, said: &str, lint: Lint) -> ObjectWarning {
    let before = format!("{said} {}: ", lint.path);
    let dot = if lint.path.is_empty() { "" } else { "." };
    let field = format!("{field}{dot}{}", lint.path);
    ObjectWarning::new(Some(lint.code.as_str()), field, lint.message).after(before)
}

fn warn(found: Vec<ObjectWarning>, verdict: Verdict) -> Verdict {
    let more = found.len().saturating_sub(SHOWN);
    let verdict = found.into_iter().take(SHOWN).fold(verdict, Verdict::warn_of);
    match more {
        0 => verdict,
        more => verdict.warn(format!(
            "and {more} more findings: deputy policy lint FILE lists them"
        )),
    }
}
