use deputy_delegation::{bootstrap::*, model::*, names::*, naming};
use deputy_policy::{Caller, Context, Document, Layers, Request, evaluate};
use serde_json::json;

use crate::support::*;

fn policy(name: &str) -> Document {
    policy_with(name, &account(), &[])
}

fn policy_with(name: &str, account: &Account, limits: &[Limit]) -> Document {
    let setups = setups(&cluster(), std::slice::from_ref(account), limits).unwrap();
    let [setup] = setups.as_slice() else {
        panic!("all lives in one account: {setups:?}")
    };
    let mut all = setup.identities.iter();
    all.find(|identity| identity.arn.name() == name)
        .unwrap()
        .policy
        .clone()
}

fn guard(account: &Account) -> Document {
    let setups = setups(&cluster(), std::slice::from_ref(account), &[]).unwrap();
    let mut guards = setups
        .into_iter()
        .filter_map(|setup| setup.service_control_policy);
    guards.next().unwrap()
}

fn may(policy: &Document, action: &str, resource: &str, context: &[(&str, &str)]) -> bool {
    let layers = Layers {
        identity: &[policy],
        boundary: None,
        session: None,
    };
    let mut keys = Context::new();
    for (key, value) in context {
        keys.set(*key, [*value]);
    }
    let request = Request {
        action: action.to_owned(),
        resource: resource.to_owned(),
        principal: None,
        context: keys,
    };
    evaluate(&layers, &request).is_allowed()
}

fn role() -> String {
    naming::role_arn(&cluster(), &account(), &uploader()).to_string()
}

fn boundary() -> String {
    naming::boundary_arn(&cluster(), &account(), &object("payments")).to_string()
}

const OURS: (&str, &str) = ("aws:ResourceTag/deputy-cluster", "prod-1");
const BECOMES_OURS: (&str, &str) = ("aws:RequestTag/deputy-cluster", "prod-1");
const OTHER_ROLE: &str = "arn:aws:iam::123456789012:role/deputy/prod-2/x";

#[test]
fn the_policies_are_as_published() {
    let mut all: serde_json::Map<_, _> = [BROKER, PROVISIONER, BOUNDARY_WRITER]
        .into_iter()
        .map(|name| (name.to_owned(), policy(name).to_value()))
        .collect();
    all.insert("service-control-policy".to_owned(), guard(&account()).to_value());
    assert_golden("bootstrap.json", &json!(all));
}

#[test]
fn the_broker_becomes_the_roles_of_its_cluster_and_nothing_else() {
    let broker = policy(BROKER);
    assert!(may(&broker, "sts:AssumeRole", &role(), &[]));
    assert!(may(&broker, "sts:TagSession", &role(), &[]));
    assert!(!may(&broker, "sts:AssumeRole", OTHER_ROLE, &[]));
    assert!(!may(&broker, "iam:GetRole", &role(), &[]));
}

#[test]
fn the_provisioner_creates_only_tagged_roles_with_a_boundary_of_a_limit() {
    let provisioner = policy(PROVISIONER);
    let boundary = boundary();
    let bounded = ("iam:PermissionsBoundary", boundary.as_str());
    let create = |context: &[(&str, &str)]| may(&provisioner, "iam:CreateRole", &role(), context);
    assert!(create(&[bounded, BECOMES_OURS]));
    assert!(
        may(&provisioner, "iam:TagRole", &role(), &[BECOMES_OURS]),
        "creating with tags needs it"
    );
    assert!(!create(&[BECOMES_OURS]), "no boundary");
    assert!(!create(&[bounded]), "no tag");
    assert!(!create(&[
        (
            "iam:PermissionsBoundary",
            "arn:aws:iam::aws:policy/AdministratorAccess"
        ),
        BECOMES_OURS
    ]));
    assert!(!may(
        &provisioner,
        "iam:CreateRole",
        OTHER_ROLE,
        &[bounded, BECOMES_OURS]
    ));
}

#[test]
fn the_provisioner_may_make_every_call_on_a_bounded_role() {
    let provisioner = policy(PROVISIONER);
    let boundary = boundary();
    for action in [
        "iam:UpdateAssumeRolePolicy",
        "iam:PutRolePolicy",
        "iam:DeleteRolePolicy",
        "iam:AttachRolePolicy",
        "iam:DetachRolePolicy",
        "iam:PutRolePermissionsBoundary",
        "iam:TagRole",
        "iam:UntagRole",
        "iam:UpdateRole",
        "iam:DeleteRole",
    ] {
        let context = [OURS, ("iam:PermissionsBoundary", boundary.as_str())];
        assert!(may(&provisioner, action, &role(), &context), "{action}");
        assert!(
            !may(&provisioner, action, &role(), &context[1..]),
            "{action} on an untagged role"
        );
        assert!(
            !may(&provisioner, action, OTHER_ROLE, &context),
            "{action} on another cluster's"
        );
    }
    for action in [
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:ListRolePolicies",
        "iam:ListAttachedRolePolicies",
    ] {
        assert!(may(&provisioner, action, &role(), &[]), "{action}");
    }
    for policy in [
        "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess",
        "arn:aws:iam::123456789012:policy/team/read",
    ] {
        for action in ["iam:GetPolicy", "iam:GetPolicyVersion"] {
            assert!(may(&provisioner, action, policy, &[]), "{action}");
        }
    }
    assert!(!may(
        &provisioner,
        "iam:GetPolicy",
        "arn:aws:iam::999999999999:policy/x",
        &[]
    ));
    for action in ["iam:ListRoles", "iam:GetAccountAuthorizationDetails"] {
        assert!(may(&provisioner, action, "*", &[]), "{action}");
    }
    for action in ["iam:ListPolicies", "iam:ListUsers"] {
        assert!(!may(&provisioner, action, "*", &[]), "{action}");
    }
}

#[test]
fn a_stolen_provisioner_cannot_widen_its_cage() {
    let provisioner = policy(PROVISIONER);
    let boundary = boundary();
    assert!(
        !may(&provisioner, "iam:PutRolePolicy", &role(), &[OURS]),
        "no boundary in force"
    );
    for (action, resource) in [
        ("iam:CreatePolicy", boundary.as_str()),
        ("iam:CreatePolicyVersion", boundary.as_str()),
        ("iam:DeletePolicyVersion", boundary.as_str()),
        ("iam:SetDefaultPolicyVersion", boundary.as_str()),
        ("iam:DeleteRolePermissionsBoundary", &role()),
        ("iam:AttachRolePolicy", &role()),
        ("iam:PassRole", &role()),
        ("sts:AssumeRole", &role()),
        ("s3:PutBucketPolicy", "arn:aws:s3:::productionapp"),
        (
            "sqs:SetQueueAttributes",
            "arn:aws:sqs:eu-west-1:123456789012:orders",
        ),
        (
            "sns:SetTopicAttributes",
            "arn:aws:sns:eu-west-1:123456789012:orders",
        ),
    ] {
        assert!(
            !may(&provisioner, action, resource, &[OURS, BECOMES_OURS]),
            "{action}"
        );
    }
}

#[test]
fn the_boundary_writer_touches_boundary_policies_only() {
    let writer = policy(BOUNDARY_WRITER);
    for action in [
        "iam:CreatePolicy",
        "iam:CreatePolicyVersion",
        "iam:DeletePolicyVersion",
        "iam:GetPolicy",
        "iam:GetPolicyVersion",
        "iam:ListPolicyVersions",
        "iam:TagPolicy",
        "iam:DeletePolicy",
    ] {
        assert!(may(&writer, action, &boundary(), &[]), "{action}");
        assert!(
            !may(&writer, action, "arn:aws:iam::123456789012:policy/other", &[]),
            "{action}"
        );
    }
    assert!(may(&writer, "iam:ListPolicies", "*", &[]));
    assert!(!may(&writer, "iam:PutRolePolicy", &role(), &[OURS]));
}

#[test]
fn under_the_service_control_policy_only_deputy_changes_what_is_deputys() {
    let allow_all = document(
        deputy_policy::PolicyKind::Identity,
        json!([allow(json!("*"), json!("*"))]),
    );
    let account = Account {
        provisioner: Some(AssumeRole {
            role: RoleArn::parse("arn:aws:iam::123456789012:role/custom").unwrap(),
            external_id: None,
        }),
        ..account()
    };
    let scp = guard(&account);
    assert!(scp.size() <= 5_120);
    let may = |who: &str, action: &str, resource: &str| {
        let layers = Layers {
            identity: &[&allow_all, &scp],
            boundary: None,
            session: None,
        };
        let request = Request {
            action: action.to_owned(),
            resource: resource.to_owned(),
            principal: Some(Caller::parse(who).unwrap()),
            context: Context::new().with("aws:PrincipalArn", who),
        };
        evaluate(&layers, &request).is_allowed()
    };
    let admin = "arn:aws:iam::123456789012:role/admin";
    assert!(!may(admin, "iam:PutRolePolicy", &role()));
    assert!(!may(admin, "iam:CreatePolicyVersion", &boundary()));
    assert!(!may(admin, "sts:AssumeRole", &role()));
    assert!(may(admin, "iam:GetRole", &role()));
    assert!(may(
        "arn:aws:iam::123456789012:role/custom",
        "iam:PutRolePolicy",
        &role()
    ));
    assert!(may(
        "arn:aws:iam::123456789012:role/deputy-boundary-writer",
        "iam:CreatePolicyVersion",
        &boundary()
    ));
    assert!(may(ISSUER, "sts:AssumeRole", &role()));
}

#[test]
fn roles_that_exist_are_reached_where_a_limit_allows_them_in_the_account() {
    const REPORTS: &str = "arn:aws:iam::123456789012:role/terraform/reports";
    let mut limit = limit("payments", productionapp());
    limit.existing_roles = [
        "arn:aws:iam::*:role/terraform/*",
        "arn:aws:iam::123456789012:role/deputy-*",
    ]
    .map(|pattern| IamArnPattern::new(pattern).unwrap())
    .into();
    let policy = |name: &str, limit: &Limit| policy_with(name, &account(), std::slice::from_ref(limit));
    let broker = policy(BROKER, &limit);
    for action in ["sts:AssumeRole", "sts:TagSession"] {
        assert!(may(&broker, action, REPORTS, &[]), "{action}");
        assert!(!may(&broker, action, "arn:aws:iam::123456789012:role/other", &[]));
        assert!(!may(
            &broker,
            action,
            "arn:aws:iam::999999999999:role/terraform/reports",
            &[]
        ));
    }
    // A pattern that covers them does not make the broker one of them.
    for own in ["deputy-provisioner", "deputy-boundary-writer"] {
        let own = format!("arn:aws:iam::123456789012:role/{own}");
        assert!(!may(&broker, "sts:AssumeRole", &own, &[]), "{own}");
    }
    let provisioner = policy(PROVISIONER, &limit);
    assert!(may(&provisioner, "iam:GetRole", REPORTS, &[]));
    for action in [
        "iam:UpdateAssumeRolePolicy",
        "iam:TagRole",
        "iam:PutRolePolicy",
        "iam:DeleteRole",
    ] {
        assert!(
            !may(&provisioner, action, REPORTS, &[OURS, BECOMES_OURS]),
            "{action}"
        );
    }
    // Of another account, or none: nothing is added.
    limit.scope.accounts = [object("staging")].into();
    assert!(!may(&policy(BROKER, &limit), "sts:AssumeRole", REPORTS, &[]));
    assert_eq!(policy(PROVISIONER, &limit), super::bootstrap::policy(PROVISIONER));
}

#[test]
fn a_boundary_of_somebody_else_is_read_and_set_where_a_limit_refers_to_it() {
    let (ours, theirs) = (
        "arn:aws:iam::123456789012:policy/team",
        "arn:aws:iam::210987654321:policy/team",
    );
    let referring = |name: &str, policy: &str| Limit {
        boundary: BoundaryMode::Reference(policy.parse().unwrap()),
        ..limit(name, productionapp())
    };
    let mut elsewhere = referring("c", "arn:aws:iam::123456789012:policy/elsewhere");
    elsewhere.scope.accounts = [object("staging")].into();
    let limits = [referring("a", ours), referring("b", theirs), elsewhere];
    let policy = |name: &str| policy_with(name, &account(), &limits);
    let (writer, provisioner) = (policy(BOUNDARY_WRITER), policy(PROVISIONER));
    for (arn, is) in [
        (ours, true),
        (theirs, false),
        ("arn:aws:iam::123456789012:policy/elsewhere", false),
    ] {
        for action in ["iam:GetPolicy", "iam:GetPolicyVersion"] {
            assert_eq!(may(&writer, action, arn, &[]), is, "{action} {arn}");
        }
        for action in [
            "iam:CreatePolicyVersion",
            "iam:DeletePolicy",
            "iam:SetDefaultPolicyVersion",
        ] {
            assert!(!may(&writer, action, arn, &[]), "{action} {arn}");
        }
        let keys = [OURS, BECOMES_OURS, ("iam:PermissionsBoundary", arn)];
        for action in [
            "iam:CreateRole",
            "iam:PutRolePermissionsBoundary",
            "iam:PutRolePolicy",
        ] {
            assert_eq!(may(&provisioner, action, &role(), &keys), is, "{action} {arn}");
        }
    }
}
