//! From names to ARNs and back.

use super::{ExplainedKind, explained, fact::ExplainedObject};
use crate::objects::example::{APPLICATION, PLATFORM, world};

fn said<'a>(object: &'a ExplainedObject, what: &str) -> &'a str {
    &object.facts.iter().find(|fact| fact.what == what).unwrap().is
}

#[test]
fn an_arn_leads_from_the_role_and_back_to_it() {
    let world = world(&[PLATFORM, APPLICATION], Some("production-1"));
    let role = explained(&world, ExplainedKind::Role, "payments/uploader").unwrap();
    let arn = said(&role[0], "arn");
    assert!(
        arn.starts_with("arn:aws:iam::123456789012:role/deputy/production-1/deputy.payments.uploader-"),
        "{arn}"
    );
    assert_eq!(explained(&world, ExplainedKind::Arn, arn).unwrap(), role);
    let name = arn.rsplit('/').next().unwrap();
    let session = format!("arn:aws:sts::123456789012:assumed-role/{name}/payments.uploader");
    assert_eq!(explained(&world, ExplainedKind::Arn, &session).unwrap(), role);
    let elsewhere = arn.replace("123456789012", "210987654321");
    assert!(
        explained(&world, ExplainedKind::Arn, &elsewhere)
            .unwrap()
            .is_empty()
    );
    assert!(explained(&world, ExplainedKind::Arn, "uploader").is_err());
}

#[test]
fn without_the_name_of_the_cluster_no_arn_is_made_up() {
    let world = world(&[PLATFORM, APPLICATION], None);
    let role = explained(&world, ExplainedKind::Role, "payments/uploader").unwrap();
    assert!(said(&role[0], "arn").contains("--cluster-name"));
    assert!(said(&role[0], "decision").starts_with("accepted, within the limits payments"));
    assert!(
        said(&role[0], "bound by")
            .starts_with("AWSRoleBinding payments/uploader: ServiceAccount payments/uploader, accepted")
    );
}

#[test]
fn a_limit_names_its_boundaries_and_what_is_under_it() {
    let world = world(&[PLATFORM, APPLICATION], Some("production-1"));
    let limit = explained(&world, ExplainedKind::Limit, "payments").unwrap();
    assert_eq!(said(&limit[0], "namespaces"), "payments, payments-*");
    assert!(said(&limit[0], "role").starts_with("AWSRole payments/uploader: accepted"));
    let account = said(&limit[0], "account");
    let arn = account.strip_prefix("AWSAccount production: ").unwrap();
    assert_eq!(explained(&world, ExplainedKind::Arn, arn).unwrap(), limit);
    assert!(
        explained(&world, ExplainedKind::Limit, "others")
            .unwrap()
            .is_empty()
    );
}

#[test]
fn of_several_bindings_the_default_one_is_told() {
    let second = APPLICATION.replace("metadata:\n  name: uploader", "metadata:\n  name: again");
    let second: String = second
        .split("---\n")
        .filter(|part| part.contains("AWSRoleBinding"))
        .collect();
    let world = world(&[PLATFORM, APPLICATION, &second], Some("production-1"));
    let account = explained(&world, ExplainedKind::ServiceAccount, "payments/uploader").unwrap();
    let bindings: Vec<&str> = account[0]
        .facts
        .iter()
        .filter(|fact| fact.what == "binding")
        .map(|fact| fact.is.as_str())
        .collect();
    assert_eq!(bindings.len(), 2, "{account:?}");
    assert!(
        bindings[0].starts_with("AWSRoleBinding payments/again, what pods get that name none"),
        "{bindings:?}"
    );
    assert!(
        bindings[1].contains("by the annotation deputy.dev/binding: uploader"),
        "{bindings:?}"
    );
    let binding = explained(&world, ExplainedKind::Binding, "payments/uploader").unwrap();
    assert_eq!(said(&binding[0], "subject"), "ServiceAccount payments/uploader");
    assert!(
        explained(&world, ExplainedKind::ServiceAccount, "payments/nobody")
            .unwrap()
            .is_empty()
    );
    assert!(explained(&world, ExplainedKind::Role, "uploader").is_err());
}
