//! Sessions of roles that are not among what was looked at.

use deputy_delegation::{ClusterName, naming};

use super::ask;
use crate::objects::example::{APPLICATION, PLATFORM, world};

#[test]
fn why_the_role_of_a_session_is_not_found_is_told() {
    let files = [PLATFORM, APPLICATION];
    let id = world(&files, None).index.roles()[0].clone();
    let own = naming::role_name(&ClusterName::new("production-1").unwrap(), &id).to_string();
    let existing = "apiVersion: deputy.dev/v1alpha1\nkind: AWSRole\nmetadata: {name: theirs, namespace: payments}\nspec: {accountRef: {name: production}, existing: {roleARN: \"arn:aws:iam::123456789012:role/theirs\"}}\n";
    let no_account = "AWSAccount \"production\" is not among what was looked at";
    for (texts, cluster, account, name, expected, not) in [
        (
            &files[1..],
            Some("production-1"),
            "123456789012",
            own.as_str(),
            no_account,
            "--cluster-name",
        ),
        (
            &files[1..],
            None,
            "123456789012",
            &own,
            no_account,
            "--cluster-name",
        ),
        (
            &[existing],
            Some("production-1"),
            "123456789012",
            "theirs",
            no_account,
            "--cluster-name",
        ),
        (
            &files,
            Some("production-1"),
            "999999999999",
            &own,
            "AWSRole payments/uploader has this name in account 123456789012 (AWSAccount production)",
            "--cluster-name",
        ),
        (
            &files,
            Some("staging"),
            "123456789012",
            &own,
            "which is taken to be staging (--cluster-name says another one)",
            "somebody else's",
        ),
        (
            &files,
            Some("production-1"),
            "123456789012",
            "OrganizationAccountAccessRole",
            "somebody else's",
            "--cluster-name",
        ),
        (
            &files,
            None,
            "123456789012",
            "deputy-broker",
            "somebody else's",
            "--cluster-name",
        ),
    ] {
        let text = format!(
            "User: arn:aws:sts::{account}:assumed-role/{name}/payments.uploader is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::productionapp/x"
        );
        let found = ask(&world(texts, cluster), &text, None).unwrap();
        assert!(!found.is_explained(), "{found:#?}");
        let told = found.lines().join("\n");
        assert!(
            told.contains(expected) && !told.contains(not),
            "{name} of {account}: {told}"
        );
    }
}

#[test]
fn whoever_assumes_a_role_is_told_of_its_trust_where_aws_gives_no_reason() {
    let world = world(&[PLATFORM, APPLICATION], Some("production-1"));
    let other = "arn:aws:iam::111122223333:role/partner";
    let broker = "arn:aws:sts::123456789012:assumed-role/deputy-broker/broker";
    let role = naming::role_name(world.index.cluster(), &world.index.roles()[0]);
    let own = format!("arn:aws:sts::123456789012:assumed-role/{role}/payments.uploader");
    for caller in [broker, own.as_str(), "arn:aws:iam::123456789012:user/ada"] {
        for (what, is_told) in [
            (format!("sts:AssumeRole on resource: {other}"), true),
            (format!("sts:TagSession on resource: {other}"), true),
            (
                format!("sts:AssumeRole on resource: {other} because no identity-based policy allows it"),
                false,
            ),
            (format!("sts:GetCallerIdentity on resource: {other}"), false),
            (
                "s3:GetObject on resource: arn:aws:s3:::productionapp/x".to_owned(),
                false,
            ),
        ] {
            let text = format!("User: {caller} is not authorized to perform: {what}");
            let told = ask(&world, &text, None).unwrap().lines().join("\n");
            let expected = format!("the trust policy of {other} has to allow");
            assert_eq!(told.contains(&expected), is_told, "{what}: {told}");
        }
    }
}
