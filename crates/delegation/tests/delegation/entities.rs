//! Users and roles of AWS as subjects: which a limit allows, and which are Deputy's own.

use deputy_delegation::{
    Decision, DecisionInput, Fact, GrantSpec, Reason, decide,
    model::{
        Account, AssumeRole, AwsPrincipal, Binding, Limit, PrincipalRule, SubjectList, SubjectRules, Subjects,
    },
    names::{ExternalId, IamArnPattern, IssuerArn, PrincipalArn, RoleArn},
};

use crate::support::*;

fn of(arn: &str, external_id: Option<&str>, mfa: bool) -> AwsPrincipal {
    let id = external_id.map(|id| ExternalId::new(id).unwrap());
    AwsPrincipal::new(PrincipalArn::parse(arn).unwrap(), id, mfa, None).unwrap()
}

fn principals(list: impl IntoIterator<Item = AwsPrincipal>) -> Binding {
    Binding {
        subjects: Subjects::AwsPrincipals(SubjectList::new(list).unwrap()),
        ..binding()
    }
}

fn allowing(rules: &[(&str, bool, bool)]) -> Limit {
    let rule = |(pattern, require_external_id, require_mfa): &(&str, bool, bool)| PrincipalRule {
        matches: [IamArnPattern::new(*pattern).unwrap()].into(),
        require_external_id: *require_external_id,
        require_mfa: *require_mfa,
    };
    Limit {
        subjects: SubjectRules {
            principals: rules.iter().map(rule).collect(),
            ..SubjectRules::default()
        },
        ..limit("payments", productionapp())
    }
}

fn refusals(account: &Account, limit: Limit, binding: &Binding) -> Vec<(Reason, String)> {
    let decision = decide(&DecisionInput {
        cluster: &cluster(),
        grant: GrantSpec::Binding {
            binding,
            role: Fact::Known(&role()),
        },
        account: Fact::Known(account),
        limits: &entries([limit]),
    });
    match decision {
        Decision::Accepted(_) => Vec::new(),
        Decision::Refused(violations) => violations.iter().map(|v| (v.reason, v.message.clone())).collect(),
        undecided @ Decision::Undecided(_) => panic!("{undecided:?}"),
    }
}

/// By patterns on their ARNs, with their paths; what the rule asks for holds as for accounts.
#[test]
fn a_limit_allows_users_and_roles_by_their_arns() {
    let rules = [
        ("arn:aws:iam::999999999999:role/ci/*", false, false),
        ("arn:aws:iam::888888888888:role/*", true, false),
        ("arn:aws:iam::777777777777:*", false, true),
        ("arn:aws:iam::123456789012:*", false, false),
    ];
    for (arn, external_id, mfa, refusal) in [
        ("arn:aws:iam::999999999999:role/ci/deploy", None, false, ""),
        (
            "arn:aws:iam::999999999999:role/deploy",
            None,
            false,
            "is not among the subjects",
        ),
        (
            "arn:aws:iam::999999999999:user/ci/deploy",
            None,
            false,
            "is not among the subjects",
        ),
        (
            "arn:aws:iam::999999999999:root",
            None,
            false,
            "is not among the subjects",
        ),
        ("arn:aws:iam::888888888888:role/r", Some("acme-7"), false, ""),
        (
            "arn:aws:iam::888888888888:role/r",
            None,
            false,
            "only with externalID",
        ),
        ("arn:aws:iam::777777777777:user/alice", None, true, ""),
        (
            "arn:aws:iam::777777777777:user/alice",
            None,
            false,
            "only with requireMFA: true",
        ),
        (
            "arn:aws:iam::777777777777:role/r",
            None,
            false,
            "which no session of a role has",
        ),
        (
            "arn:aws-cn:iam::999999999999:role/ci/deploy",
            None,
            false,
            "of partition aws-cn",
        ),
        // Users and roles of the role's own account.
        ("arn:aws:iam::123456789012:user/bob", None, false, ""),
        (
            "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_x",
            None,
            false,
            "",
        ),
    ] {
        let found = refusals(
            &account(),
            allowing(&rules),
            &principals([of(arn, external_id, mfa)]),
        );
        let is_as_told = match refusal {
            "" => found.is_empty(),
            words => found
                .iter()
                .any(|(reason, said)| *reason == Reason::Subject && said.contains(words)),
        };
        assert!(is_as_told, "{arn}: {found:?}");
    }
}

/// Neither by what the account names, nor by what is suggested, whatever the path, the case or the limit.
#[test]
fn nothing_of_deputys_own_is_a_subject() {
    let every = || allowing(&[("arn:aws:iam::*:*", false, false)]);
    let mut named = account();
    named.issuer = IssuerArn::parse("arn:aws:iam::555555555555:user/hand-out").unwrap();
    let assumed = |arn: &str| {
        Some(AssumeRole {
            role: RoleArn::parse(arn).unwrap(),
            external_id: None,
        })
    };
    named.provisioner = assumed("arn:aws:iam::123456789012:role/ops/writes-roles");
    named.boundary_writer = assumed("arn:aws:iam::123456789012:role/writes-boundaries");
    for (account, arn, refusal) in [
        (account(), ISSUER, "the issuer"),
        (
            account(),
            "arn:aws:iam::123456789012:role/ops/Deputy-Broker",
            "the issuer",
        ),
        (
            account(),
            "arn:aws:iam::123456789012:user/deputy-provisioner",
            "the provisioner",
        ),
        (
            account(),
            "arn:aws:iam::123456789012:role/deputy-boundary-writer",
            "the boundary writer",
        ),
        (
            account(),
            "arn:aws:iam::123456789012:role/deputy-controller",
            "the identity of a process",
        ),
        (
            account(),
            "arn:aws:iam::999999999999:role/deputy-limits",
            "in whichever account",
        ),
        (
            account(),
            "arn:aws:iam::123456789012:role/deputy/demo/deputy.a.b-c",
            "under /deputy/",
        ),
        (
            account(),
            "arn:aws:iam::999999999999:role/Deputy/other/deputy.a.b-c",
            "under /deputy/",
        ),
        (
            named.clone(),
            "arn:aws:iam::555555555555:user/hand-out",
            "the issuer",
        ),
        (
            named.clone(),
            "arn:aws:iam::123456789012:role/writes-roles",
            "the provisioner",
        ),
        (
            named.clone(),
            "arn:aws:iam::123456789012:role/writes-boundaries",
            "the boundary writer",
        ),
    ] {
        let found = refusals(&account, every(), &principals([of(arn, None, false)]));
        let own = found
            .iter()
            .filter(|(reason, said)| *reason == Reason::Subject && said.contains(refusal));
        assert_eq!(own.count(), 1, "{arn}: {found:?}");
    }
    for other in [
        "arn:aws:iam::999999999999:role/writes-roles",
        "arn:aws:iam::555555555555:role/hand-out-more",
        "arn:aws:iam::123456789012:role/deputys/r",
        "arn:aws:iam::123456789012:user/deputy/alice",
        "arn:aws:iam::123456789012:root",
    ] {
        let found = refusals(&named, every(), &principals([of(other, None, false)]));
        assert!(found.is_empty(), "{other}: {found:?}");
    }
}

#[test]
fn more_users_than_a_trust_policy_holds_are_refused_with_what_is_kept_free() {
    let many = (0..20).map(|i| of(&format!("arn:aws:iam::999999999999:user/u{i:02}"), None, false));
    let every = allowing(&[("arn:aws:iam::*:*", false, false)]);
    let found = refusals(&account(), every, &principals(many));
    let too_large = found
        .iter()
        .find(|(reason, _)| *reason == Reason::TooLarge)
        .unwrap();
    assert!(
        too_large
            .1
            .contains("what is kept free, to note down one that is replaced"),
        "{too_large:?}"
    );
}
