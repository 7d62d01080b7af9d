//! Sessions of federated users.

use super::{ask, says};
use crate::objects::{AskedWorld, example::world};

const PLATFORM: &str = include_str!("../../../examples/federation/10-platform.yaml");
const APPLICATION: &str = include_str!("../../../examples/federation/20-application.yaml");

fn text(user: &str, what: &str) -> String {
    format!("User: arn:aws:sts::123456789012:federated-user/{user} is not authorized to perform: {what}")
}

fn example() -> AskedWorld {
    world(&[PLATFORM, APPLICATION], Some("production-1"))
}

#[test]
fn a_federated_user_leads_to_its_binding_and_the_change_of_its_session_policy() {
    let on = "s3:PutObject on resource: arn:aws:s3:::productionapp/reports/x because no session policy allows the s3:PutObject action";
    let found = ask(&example(), &text("Manager-reports", on), None).unwrap();
    assert_eq!(found.role, None);
    assert_eq!(
        found.binding.as_deref(),
        Some("AWSFederatedUserBinding reports/manager")
    );
    assert_eq!(found.subject.as_deref(), Some("ServiceAccount reports/manager"));
    assert_eq!(
        says(&found),
        [
            ("session policy", "does not allow"),
            ("federation user", "unknown")
        ]
    );
    assert_eq!(
        found.change[0].place(),
        "AWSFederatedUserBinding reports/manager, add to spec.session.policy.Statement"
    );
    assert_eq!(found.limits.as_deref(), Some("accepted"));
    assert!(found.is_explained());
    let beyond = on.replace("s3:PutObject", "s3:DeleteObject");
    let found = ask(&example(), &text("Manager-reports", &beyond), None).unwrap();
    assert!(found.limits.unwrap().starts_with("refused: "));
}

#[test]
fn of_a_federated_user_each_layer_says_who_decides() {
    let get = "s3:GetObject on resource: arn:aws:s3:::productionapp/reports/x";
    let put = "s3:PutObject on resource: arn:aws:s3:::productionapp/reports/x";
    for (user, what, explained, expected) in [
        (
            "Manager-reports",
            format!("{get} because no identity-based policy allows it"),
            true,
            "federation user",
        ),
        (
            "Manager-reports",
            format!("{get} because no session policy allows it"),
            false,
            "awsfederateduserbinding manager",
        ),
        (
            "Manager-reports",
            get.to_owned(),
            true,
            "the session policy allows it",
        ),
        (
            "Manager-reports",
            format!("{get} with an explicit deny in a session policy"),
            false,
            "former one",
        ),
        (
            "Manager-reports",
            format!("{get} with an explicit deny in a service control policy"),
            true,
            "organisation",
        ),
        (
            "Manager-reports",
            format!("{put} because no resource-based policy allows it"),
            true,
            "policy of the bucket",
        ),
        (
            "Manager-reports",
            "s3:PutObject".to_owned(),
            true,
            "--resource ARN",
        ),
        ("Manager-archive", put.to_owned(), true, "resourcePolicyOnly"),
    ] {
        let found = ask(&example(), &text(user, &what), None).unwrap();
        assert_eq!(found.is_explained(), explained, "{what}: {found:#?}");
        let told = found.lines().join("\n");
        assert!(told.contains(expected), "{what}: {told}");
        assert!(found.change.is_empty(), "{found:#?}");
    }
    for user in ["Manager-nobody", "somebody"] {
        let lost = ask(&example(), &text(user, get), None).unwrap();
        assert!(!lost.is_explained());
        assert!(
            lost.lines()[0].contains("no AWSFederatedUserBinding among"),
            "{lost:#?}"
        );
    }
    // Its account is missing: that is what has to be looked at.
    let lost = ask(&world(&[APPLICATION], None), &text("Manager-reports", get), None).unwrap();
    assert!(
        lost.lines()
            .iter()
            .any(|line| line.contains("AWSAccount \"production\" is not among")),
        "{lost:#?}"
    );
}
