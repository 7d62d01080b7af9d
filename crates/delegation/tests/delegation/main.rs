//! Tests of the public face of the crate, in one binary.
#![cfg(test)]

mod bootstrap;
mod bootstrap_accounts;
mod bootstrap_anywhere;
mod bootstrap_federation;
mod bootstrap_pods;
mod bootstrap_resource_policies;
mod boundary;
mod decide_binding;
mod decide_everyday;
mod decide_existing;
mod decide_federated;
mod decide_limits;
mod decide_managed;
mod decide_messages;
mod decide_role;
mod decide_statement;
mod entities;
mod foreign_trust;
mod model;
mod names;
mod naming;
mod people;
mod plan;
mod policy_resources;
mod principals;
mod reference;
mod replaced;
mod resource_policy;
mod sealed;
mod session;
mod subjects;
mod support;
mod trust;
mod web_identity;
