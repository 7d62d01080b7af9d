//! From AWS's message to the policy that decides.

mod federated;
mod lost;
mod messages;

use deputy_delegation::{ClusterName, naming};

use super::{
    answer::DenialCause,
    cause::cause,
    layers::DeniedRequest,
    message::{DenialLayer, DenialMessage},
};
use crate::objects::{
    AskedWorld,
    example::{APPLICATION, PLATFORM, world},
};

fn ask(world: &AskedWorld, text: &str, resource: Option<&str>) -> Result<DenialCause, String> {
    let message = DenialMessage::parse(text).unwrap();
    cause(world, &message, &DeniedRequest::new(&message, resource)?)
}

/// What is behind the message about a session of the role of the example.
fn denied(world: &AskedWorld, session: &str, what: &str) -> DenialCause {
    denied_on(world, session, what, None).unwrap()
}

/// The same, on a resource that the message does not name.
fn denied_on(
    world: &AskedWorld,
    session: &str,
    what: &str,
    resource: Option<&str>,
) -> Result<DenialCause, String> {
    let cluster = ClusterName::new("production-1").unwrap();
    let name = naming::role_name(&cluster, &world.index.roles()[0]);
    let text = format!(
        "User: arn:aws:sts::123456789012:assumed-role/{name}/{session} is not authorized to perform: {what}"
    );
    ask(world, &text, resource)
}

/// A session of the role of the example.
const UPLOADER: &str =
    "arn:aws:sts::123456789012:assumed-role/deputy.payments.uploader-abc/payments.uploader";

const DELETE: &str = "s3:DeleteObject on resource: arn:aws:s3:::productionapp/x because no session policy allows the s3:DeleteObject action";

fn says(cause: &DenialCause) -> Vec<(&str, &str)> {
    cause
        .layers
        .iter()
        .map(|layer| (layer.layer.as_str(), layer.says))
        .collect()
}

#[test]
fn the_session_policy_that_lacks_it_is_found_and_its_change_is_accepted() {
    let world = world(&[PLATFORM, APPLICATION], Some("production-1"));
    let found = denied(&world, "payments.uploader", DELETE);
    assert_eq!(found.role.as_deref(), Some("AWSRole payments/uploader"));
    assert_eq!(found.binding.as_deref(), Some("AWSRoleBinding payments/uploader"));
    assert_eq!(found.subject.as_deref(), Some("ServiceAccount payments/uploader"));
    assert_eq!(
        says(&found),
        [
            ("role", "allows"),
            ("session policy", "does not allow"),
            ("boundary of limit payments", "allows")
        ]
    );
    assert_eq!(found.change.len(), 1);
    assert_eq!(
        found.change[0].place(),
        "AWSRoleBinding payments/uploader, add to spec.session.policy.Statement"
    );
    assert_eq!(
        found.change[0].yaml,
        "- Effect: Allow\n  Action: s3:DeleteObject\n  Resource: \"arn:aws:s3:::productionapp/x\""
    );
    assert_eq!(found.limits.as_deref(), Some("accepted"));
}

#[test]
fn what_the_limit_does_not_allow_is_refused_with_its_sentence() {
    let world = world(&[PLATFORM, APPLICATION], Some("production-1"));
    let what = "s3:GetObject on resource: arn:aws:s3:::others/x because no identity-based policy allows the s3:GetObject action";
    let found = denied(&world, "payments.uploader", what);
    assert_eq!(
        says(&found),
        [
            ("role", "does not allow"),
            ("session policy", "does not allow"),
            ("boundary of limit payments", "does not allow")
        ]
    );
    assert_eq!(found.change.len(), 2);
    let limits = found.limits.unwrap();
    assert!(
        limits.starts_with("refused: ") && limits.contains("limit payments"),
        "{limits}"
    );
    assert!(
        found.advice.iter().any(|advice| advice.contains("platform team")),
        "{:?}",
        found.advice
    );
}

#[test]
fn a_deny_is_named_and_nothing_is_proposed_against_it() {
    let denies = APPLICATION.replacen(
        "        Statement:\n",
        "        Statement:\n          - {Effect: Deny, Action: s3:DeleteObject, Resource: \"*\"}\n",
        1,
    );
    let world = world(&[PLATFORM, &denies], Some("production-1"));
    let found = denied(
        &world,
        "payments.uploader",
        "s3:DeleteObject on resource: arn:aws:s3:::productionapp/x with an explicit deny in an identity-based policy",
    );
    assert_eq!(found.layers[0].says, "denies");
    assert_eq!(found.layers[0].because, ["Statement[0] of policy 0"]);
}

#[test]
fn the_pod_is_in_the_name_of_its_session_and_the_cluster_need_not_be_known() {
    let world = world(&[PLATFORM, APPLICATION], None);
    let found = denied(&world, "payments.uploader.uploader-5d9c-x2", DELETE);
    assert_eq!(
        found.subject.as_deref(),
        Some("pod payments/uploader-5d9c-x2 of ServiceAccount payments/uploader")
    );
    // With another name of the cluster it is another role.
    let other = self::world(&[PLATFORM, APPLICATION], Some("staging"));
    assert_eq!(denied(&other, "payments.uploader", DELETE).role, None);
}

#[test]
fn who_is_nobody_of_deputy_is_told_whom_to_ask() {
    let world = world(&[PLATFORM, APPLICATION], None);
    let text = "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: s3:GetObject with an explicit deny in a service control policy";
    let user = ask(&world, text, None).unwrap();
    assert!(!user.is_explained());
    assert!(user.decisive.unwrap().contains("organisation"));
    let lost = denied(&world, "payments.somebody", DELETE);
    assert!(
        lost.binding.is_none()
            && lost
                .advice
                .iter()
                .any(|advice| advice.contains("payments.somebody"))
    );
    let alone = self::world(&[APPLICATION], None);
    let text = "User: arn:aws:sts::123456789012:assumed-role/x/y is not authorized to perform: s3:GetObject";
    assert!(ask(&alone, text, None).unwrap().role.is_none());
}

const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/1";

/// The example, whose role, session and limit have a statement more.
fn with_statement(role: &str, session: &str, limit: &str) -> AskedWorld {
    let add = |text: &str, to: &str, indent: &str, statement: &str| {
        let from = format!("{to}\n");
        assert!(text.contains(&from), "{to}");
        match statement {
            "" => text.to_owned(),
            _ => text.replacen(&from, &format!("{from}{indent}- {statement}\n"), 1),
        }
    };
    let (of_role, of_session) = APPLICATION.split_once("kind: AWSRoleBinding").unwrap();
    let application = format!(
        "{}kind: AWSRoleBinding{}",
        add(of_role, "        Statement:", "          ", role),
        add(of_session, "      Statement:", "        ", session)
    );
    let platform = add(PLATFORM, "    Statement:", "      ", limit);
    world(&[&platform, &application], Some("production-1"))
}

/// What is behind a message from which nothing wide may come.
const UNNAMED: [&str; 4] = [
    "kms:Decrypt on the resource associated with this ciphertext because no identity-based policy allows the kms:Decrypt action",
    "kms:Decrypt because no session policy allows the kms:Decrypt action",
    "kms:Decrypt on resource: * because no identity-based policy allows the kms:Decrypt action",
    "kms:Decrypt",
];

#[test]
fn nothing_is_proposed_for_a_resource_that_nobody_names() {
    let allow = format!("{{Effect: Allow, Action: [\"kms:Decrypt\", \"kms:Encrypt\"], Resource: \"{KEY}\"}}");
    let encrypt = format!("{{Effect: Allow, Action: \"kms:Encrypt\", Resource: \"{KEY}\"}}");
    for (role, session) in [("", ""), (encrypt.as_str(), ""), (&allow, ""), (&allow, &encrypt)] {
        let world = with_statement(role, session, &allow);
        for what in UNNAMED {
            let found = denied(&world, "payments.uploader", what);
            assert!(found.change.is_empty() && found.limits.is_none(), "{found:#?}");
            let told = found.lines().join("\n");
            assert!(told.contains("--resource ARN"), "{what}: {told}");
            assert_eq!(
                told.contains(&format!("is it one of those that the role names already: {KEY}?")),
                !role.is_empty(),
                "{told}"
            );
            let is_allowed = role.contains("kms:Decrypt");
            assert_eq!(
                found.layers[0].says,
                if is_allowed { "unknown" } else { "does not allow" }
            );
            // Said by hand it is like any other.
            let found = denied_on(&world, "payments.uploader", what, Some(KEY)).unwrap();
            let yaml: Vec<&str> = found.change.iter().map(|change| change.yaml.as_str()).collect();
            assert!(yaml.iter().all(|yaml| yaml.contains(KEY)), "{yaml:?}");
            assert!(!yaml.is_empty(), "{found:#?}");
            assert_eq!(found.limits.as_deref(), Some("accepted"));
        }
    }
    let world = with_statement("", "", "");
    // What is on no resource has no narrower statement.
    let list = "s3:ListAllMyBuckets because no identity-based policy allows the s3:ListAllMyBuckets action";
    let found = denied(&world, "payments.uploader", list);
    assert!(found.change[0].yaml.contains("Resource: \"*\""), "{found:#?}");
    assert!(
        found.advice.last().unwrap().contains("is on no resource"),
        "{found:#?}"
    );
    assert!(found.limits.unwrap().starts_with("refused: "));
    let both = denied_on(&world, "payments.uploader", DELETE, Some(KEY));
    assert!(both.unwrap_err().contains("names the resource"));
}

#[test]
fn of_an_explicit_deny_only_what_is_known_is_said() {
    let deny = "{Effect: Deny, Action: \"s3:DeleteObject\", Resource: \"*\"}";
    let some = "{Effect: Deny, Action: \"s3:DeleteObject\", Resource: \"arn:aws:s3:::productionapp/keep/*\"}";
    let on = "s3:DeleteObject on resource: arn:aws:s3:::productionapp/keep/x";
    for (role, session, what, by, says, differs, revoked) in [
        ("", "", on, "identity-based", "allows", true, true),
        ("", "", "s3:DeleteObject", "identity-based", "unknown", true, true),
        ("", "", on, "session", "allows", true, false),
        (deny, "", on, "identity-based", "denies", false, false),
        (some, "", on, "identity-based", "denies", false, false),
        (
            deny,
            "",
            "s3:DeleteObject",
            "identity-based",
            "denies",
            false,
            false,
        ),
        (
            some,
            "",
            "s3:DeleteObject",
            "identity-based",
            "unknown",
            false,
            false,
        ),
        ("", deny, on, "session", "allows", false, false),
        ("", deny, on, "identity-based", "allows", true, true),
    ] {
        let world = with_statement(role, session, "");
        let text = format!("{what} with an explicit deny in a {by} policy");
        let found = denied(&world, "payments.uploader", &text);
        let told = found.lines().join("\n");
        assert_eq!(found.layers[0].says, says, "{text}: {told}");
        assert_eq!(found.differs, differs, "{text}: {told}");
        assert_eq!(found.is_explained(), !differs);
        assert_eq!(told.contains("revocation"), revoked, "{text}: {told}");
        assert!(found.change.is_empty(), "no Allow helps against a Deny");
        assert!(!told.contains("below"), "{told}");
    }
    // What only AWS knows may be behind it.
    let managed = APPLICATION.replacen(
        "  policies:\n",
        "  managedPolicyARNs: [\"arn:aws:iam::aws:policy/ReadOnlyAccess\"]\n  policies:\n",
        1,
    );
    let platform = PLATFORM.replacen(
        "  session:\n",
        "  managedPolicies: [\"arn:aws:iam::aws:policy/*\"]\n  session:\n",
        1,
    );
    let world = self::world(&[&platform, &managed], Some("production-1"));
    let text = format!("{on} with an explicit deny in an identity-based policy");
    let found = denied(&world, "payments.uploader", &text);
    assert!(
        !found.differs && found.lines()[0].starts_with("a managed policy"),
        "{found:#?}"
    );
    // Of what is not looked at nothing is concluded.
    let world = with_statement("", "", "");
    let lost = denied(
        &world,
        "payments.somebody",
        "s3:GetObject with an explicit deny in an identity-based policy",
    );
    assert!(!lost.lines().join("\n").contains("revocation"));
}

#[test]
fn that_aws_and_the_files_differ_is_told_with_what_to_look_at() {
    let world = with_statement("", "", "");
    let get = "s3:GetObject on resource: arn:aws:s3:::productionapp/x";
    for layer in ["identity-based policy", "session policy", "permissions boundary"] {
        let what = format!("{get} because no {layer} allows the s3:GetObject action");
        let found = denied(&world, "payments.uploader", &what);
        assert!(found.differs && !found.is_explained(), "{found:#?}");
        let told = found.decisive.clone().unwrap();
        for expected in [
            layer,
            "kubectl -n payments get awsrole uploader",
            "drift",
            "get-caller-identity",
        ] {
            assert!(told.contains(expected), "{told}");
        }
        assert_eq!(found.lines()[0], told, "it comes first");
    }
    assert!(denied(&world, "payments.uploader", get).differs);
    // What these policies lack is behind it.
    assert!(!denied(&world, "payments.uploader", DELETE).differs);
}

#[test]
fn who_decides_comes_first_and_no_change_is_proposed_that_does_not_help() {
    let world = with_statement("", "", "");
    let what = "sqs:SendMessage on resource: arn:aws:sqs:eu-west-1:123456789012:q";
    for (layer, whose) in [
        ("service control policy", "organisation"),
        ("resource control policy", "organisation"),
        ("VPC endpoint policy", "network"),
        ("resource-based policy", "owner"),
        ("role trust policy", "owner"),
    ] {
        for how in ["because no", "with an explicit deny in a"] {
            let found = denied(&world, "payments.uploader", &format!("{what} {how} {layer}"));
            assert_eq!(says(&found)[0], ("role", "does not allow"));
            assert!(found.change.is_empty() && found.limits.is_none(), "{found:#?}");
            assert!(found.lines()[0].contains(whose), "{found:#?}");
            assert!(found.is_explained());
        }
    }
    let boundary = format!("{what} because no permissions boundary allows the sqs:SendMessage action");
    let found = denied(&world, "payments.uploader", &boundary);
    assert!(found.lines()[0].contains("platform team"), "{found:#?}");
    assert!(found.change.is_empty());
}

#[test]
fn aws_word_is_told_in_a_sentence() {
    for layer in [
        "identity-based policy",
        "service control policy",
        "policy nobody knows",
    ] {
        for how in ["because no", "with an explicit deny in a"] {
            let text = format!("User: {KEY} is not authorized to perform: s3:GetObject {how} {layer}");
            let message = DenialMessage::parse(&text).unwrap();
            let said = message.sentence();
            assert!(!said.contains(" the a ") && !said.contains("not name"), "{said}");
            assert_eq!(
                message.layer == DenialLayer::Unsaid,
                !said.contains(layer),
                "{said}"
            );
        }
    }
}

#[test]
fn without_its_limit_the_role_and_the_session_are_looked_at_all_the_same() {
    let (account, _) = PLATFORM
        .split_once("---\napiVersion: deputy.dev/v1alpha1\nkind: DelegationLimit")
        .unwrap();
    let world = world(&[account, APPLICATION], Some("production-1"));
    let found = denied(&world, "payments.uploader", DELETE);
    assert_eq!(
        says(&found),
        [("role", "allows"), ("session policy", "does not allow")]
    );
    assert_eq!(found.change.len(), 1);
    assert!(found.limits.unwrap().starts_with("undecided: "));
    let open = found.advice.last().unwrap();
    assert!(open.contains("no DelegationLimit among the files"), "{open}");
    let boundary =
        "s3:GetObject on resource: arn:aws:s3:::productionapp/x because no permissions boundary allows it";
    assert!(!denied(&world, "payments.uploader", boundary).differs);
}
