//! The report by namespace, and within one by chain: a binding with all that it leads from and to, or a role that nobody is bound to.

use std::collections::{BTreeMap, BTreeSet};

use crate::report::model::{AccessReport, ReportedBinding, ReportedRole, ReportedStatement};

/// One way from limits to subjects.
#[derive(Debug, Clone, Copy)]
pub enum GrantChain<'r> {
    /// A binding, with its role where that is there.
    Bound(&'r ReportedBinding, Option<&'r ReportedRole>),
    /// A role without a binding.
    Unbound(&'r ReportedRole),
}

impl<'r> GrantChain<'r> {
    pub fn limits(&self) -> &'r [String] {
        match self {
            Self::Bound(binding, _) => &binding.limits,
            Self::Unbound(role) => &role.limits,
        }
    }

    /// The kinds of all that is in it.
    pub fn kinds(&self) -> BTreeSet<&'r str> {
        let mut kinds = BTreeSet::new();
        if !self.limits().is_empty() {
            kinds.insert("DelegationLimit");
        }
        match self {
            Self::Bound(binding, role) => {
                kinds.insert(binding.kind);
                kinds.extend(role.map(|role| role.kind));
                kinds.extend(binding.subjects.iter().map(|subject| subject.kind));
            }
            Self::Unbound(role) => {
                kinds.insert(role.kind);
            }
        }
        kinds
    }
}

/// What there is of a namespace.
#[derive(Debug, Default)]
pub struct NamespacePart<'r> {
    /// The number of the first chain.
    pub first: usize,
    pub chains: Vec<GrantChain<'r>>,
    pub statements: Vec<&'r ReportedStatement>,
}

/// Everything by namespace.
pub fn by_namespace(report: &AccessReport) -> BTreeMap<&str, NamespacePart<'_>> {
    let mut parts: BTreeMap<&str, NamespacePart<'_>> = BTreeMap::new();
    let roles = report.roles.iter().map(|role| (role.object.as_str(), role));
    let roles: BTreeMap<&str, &ReportedRole> = roles.collect();
    for binding in &report.bindings {
        let role = roles.get(binding.target.as_str()).copied();
        let part = parts.entry(&binding.namespace).or_default();
        part.chains.push(GrantChain::Bound(binding, role));
    }
    for role in report.roles.iter().filter(|role| role.bindings == 0) {
        let part = parts.entry(&role.namespace).or_default();
        part.chains.push(GrantChain::Unbound(role));
    }
    for statement in &report.statements {
        parts
            .entry(&statement.namespace)
            .or_default()
            .statements
            .push(statement);
    }
    let mut first = 0;
    for part in parts.values_mut() {
        part.first = first;
        first += part.chains.len();
    }
    parts
}
