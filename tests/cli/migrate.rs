//! `deputy migrate`: what is proposed for exports as people have them, and that it is accepted and proved.

use std::{fs, path::Path};

use crate::run::{Done, File, deputy};

const ACCOUNT: &str = "examples/productionapp/10-platform.yaml";

fn export(name: &str) -> String {
    format!("tests/golden/migrate/{name}")
}

fn migrate(former: &str, exports: &str, roles: &[&str], more: &[&str]) -> Done {
    let exports = export(exports);
    let mut arguments = vec!["migrate", former, exports.as_str(), "-f", ACCOUNT];
    let roles: Vec<String> = roles.iter().map(|name| export(name)).collect();
    arguments.extend(roles.iter().flat_map(|file| ["--roles", file]));
    deputy(&[&arguments, more].concat(), "")
}

/// The manifests of an answer.
fn manifests(out: &str) -> Vec<&str> {
    out.split("---\n").skip(1).collect()
}

#[test]
fn what_is_proposed_for_each_of_the_former_is_as_published() {
    let details: &[&str] = &["details.json"];
    type Case<'a> = (&'a str, &'a str, &'a str, &'a [&'a str], &'a [&'a str]);
    let cases: [Case<'_>; 6] = [
        ("irsa", "irsa", "serviceaccounts.yaml", details, &[]),
        (
            "irsa-new",
            "irsa",
            "serviceaccounts.yaml",
            details,
            &["--as", "new"],
        ),
        ("pod-identity", "pod-identity", "associations.json", details, &[]),
        ("kube2iam", "kube2iam", "pods.yaml", details, &["--as", "new"]),
        ("kiam", "kiam", "pods.yaml", &[], &[]),
        (
            "single-answers",
            "pod-identity",
            "associations.json",
            &["role.json"],
            &["--as", "new"],
        ),
    ];
    for (golden, former, exports, roles, more) in cases {
        let Done { code, out, err } = migrate(former, exports, roles, more);
        assert_eq!(code, 0, "{golden}: {err}");
        let name = export(&format!("{golden}.out.yaml"));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&name);
        if std::env::var_os("UPDATE_GOLDEN").is_some_and(|v| v == "1") {
            fs::write(&path, &out).unwrap();
        }
        let is = fs::read_to_string(&path).unwrap_or_default();
        assert!(is == out, "{name} is out of date. Run: make generate");
        // What is told is what stands in the comments.
        let left = out.lines().filter_map(|line| line.strip_prefix("# - "));
        let left: Vec<String> = left.map(|line| format!("deputy: {line}")).collect();
        assert_eq!(err.lines().collect::<Vec<_>>(), left, "{golden}");
        assert!(!left.is_empty(), "{golden}");
    }
}

/// By the command that people check manifests with, which knows nothing of the proposal.
#[test]
fn new_roles_are_contained_in_the_limit_of_their_namespace() {
    let done = migrate(
        "irsa",
        "serviceaccounts.yaml",
        &["details.json"],
        &["--as", "new"],
    );
    let all = manifests(&done.out);
    let of = |kind: &str, namespace: &str| -> &str {
        let head = format!("kind: {kind}\n");
        let is_it = |manifest: &&&str| manifest.contains(&head) && manifest.contains(namespace);
        all.iter().find(is_it).unwrap()
    };
    for namespace in ["payments", "kube-system"] {
        let role = File::new(&format!("role-{namespace}.yaml"), of("AWSRole", namespace));
        let limit = File::new(
            &format!("limit-{namespace}.yaml"),
            of("DelegationLimit", namespace),
        );
        let done = deputy(&["policy", "contains", role.path(), limit.path()], "");
        assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    }
    let limit = of("DelegationLimit", "payments");
    // The default version of the managed policy, and no Deny of the role.
    assert!(
        limit.contains("sqs:SendMessage") && !limit.contains("sqs:*"),
        "{limit}"
    );
    assert!(!limit.contains("Deny"), "{limit}");
}

#[test]
fn a_role_whose_policies_are_not_known_gets_no_limit_and_is_no_new_one() {
    let existing = migrate("irsa", "serviceaccounts.yaml", &["details.json"], &[]);
    assert!(
        existing
            .out
            .contains("roleARN: arn:aws:iam::123456789012:role/notary\n")
    );
    let of_reports =
        "namespace reports: no DelegationLimit is proposed: not all policies of its roles are known";
    assert!(existing.err.contains(of_reports), "{}", existing.err);
    let new = migrate(
        "irsa",
        "serviceaccounts.yaml",
        &["details.json"],
        &["--as", "new"],
    );
    assert!(!new.out.contains("namespace: reports"), "{}", new.out);
    assert!(
        new.err
            .contains("role arn:aws:iam::123456789012:role/notary: the files do not have it")
    );
}

#[test]
fn nothing_of_an_export_ends_a_comment() {
    let text = "kind: ServiceAccount\nmetadata:\n  name: a\n  namespace: b\n  annotations:\n    eks.amazonaws.com/role-arn: \"arn:aws:iam::123456789012:role/r\"\n    \
                eks.amazonaws.com/audience: \"x\\nkind: Evil\\r---\\u2028more\"\n";
    let done = deputy(&["migrate", "irsa", "-", "-f", ACCOUNT], text);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.out.contains("x kind: Evil --- more"), "{}", done.out);
    assert!(!done.out.lines().any(|line| line.starts_with("kind: Evil")));
}

#[test]
fn exports_without_a_grant_are_refused() {
    let none = migrate("irsa", "pods.yaml", &[], &[]);
    assert_eq!((none.code, none.out.as_str()), (2, ""));
    assert_eq!(none.err, "deputy: the exports give no ServiceAccount a role\n");
    let twice = deputy(&["migrate", "irsa", "-", "-f", "-"], "");
    assert!(
        twice.err.contains("would both read standard input"),
        "{}",
        twice.err
    );
}

#[test]
fn an_answer_that_proposes_nothing_is_a_no_and_says_why() {
    let list = r#"{"associations": [{"clusterName": "c", "namespace": "payments", "serviceAccount": "app", "associationId": "a-1",
        "associationArn": "arn:aws:eks:eu-west-1:123456789012:podidentityassociation/c/a-1"}]}"#;
    let foreign = "kind: ServiceAccount\nmetadata:\n  name: a\n  namespace: b\n  annotations:\n    \
                   eks.amazonaws.com/role-arn: arn:aws:iam::999999999999:role/r\n";
    for (former, export) in [("pod-identity", list), ("irsa", foreign)] {
        let done = deputy(&["migrate", former, "-", "-f", ACCOUNT], export);
        assert_eq!(done.code, 1, "{former}: {}", done.err);
        assert!(!done.out.contains("kind:"), "{}", done.out);
        assert!(
            done.err.ends_with(
                "deputy: nothing is proposed: none of what the exports give could be carried over\n"
            ),
            "{}",
            done.err
        );
        assert!(done.err.lines().count() > 1, "{}", done.err);
    }
}

#[test]
fn what_kiam_and_kube2iam_refuse_a_namespace_is_not_proposed() {
    for (former, key) in [("kiam", "permitted"), ("kube2iam", "allowed-roles")] {
        let done = migrate(former, "pods.yaml", &["details.json"], &[]);
        assert_eq!(done.code, 0, "{}", done.err);
        let said = [
            format!(
                "ServiceAccount dev/default: it is not given autoscaler today: Namespace dev has no iam.amazonaws.com/{key}\n"
            ),
            format!(
                "ServiceAccount payments/uploader: it is not given arn:aws:iam::123456789012:role/autoscaler today: iam.amazonaws.com/{key} of"
            ),
        ];
        for said in said {
            assert!(done.err.contains(&said), "{former}: {}", done.err);
        }
        assert!(!done.out.contains("namespace: dev"), "{}", done.out);
        let of_payments = manifests(&done.out).into_iter();
        let mut of_payments = of_payments.filter(|manifest| manifest.contains("namespace: payments"));
        assert!(of_payments.all(|manifest| !manifest.contains("autoscaler")));
    }
}

#[test]
fn whom_a_trust_policy_does_not_name_gets_no_role() {
    let irsa = migrate("irsa", "serviceaccounts.yaml", &["details.json"], &[]);
    let curious = "ServiceAccount kube-system/curious: it does not become arn:aws:iam::123456789012:role/autoscaler today: \
                   the role's trust policy does not allow it to system:serviceaccount:kube-system:curious";
    assert!(irsa.err.contains(curious), "{}", irsa.err);
    assert!(!irsa.out.contains("name: curious"), "{}", irsa.out);
    let unseen = "role arn:aws:iam::123456789012:role/notary: the files do not have its trust policy, so who becomes it today was not looked at";
    assert!(irsa.err.contains(unseen), "{}", irsa.err);
    let eks = migrate("pod-identity", "associations.json", &["details.json"], &[]);
    let refused = "ServiceAccount kube-system/cluster-autoscaler: it does not become arn:aws:iam::123456789012:role/autoscaler today: \
                   the role's trust policy does not allow it to pods.eks.amazonaws.com";
    assert!(eks.err.contains(refused), "{}", eks.err);
    assert!(!eks.out.contains("name: cluster-autoscaler"), "{}", eks.out);
}

/// A ServiceAccount `payments/app` with `role/app` of `policy`, and of `boundary` where there is one.
fn one_role(name: &str, policy: &str, boundary: Option<&str>, more: &[&str]) -> Done {
    let arn = "arn:aws:iam::123456789012";
    let policies = boundary.map_or_else(String::new, |document| {
        format!(
            r#"{{"Arn": "{arn}:policy/edge", "PolicyVersionList": [{{"IsDefaultVersion": true, "Document": {document}}}]}}"#
        )
    });
    let trust = format!(
        r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": {{"Federated": "{arn}:oidc-provider/example.com"}}}}}}"#
    );
    let details = format!(
        r#"{{"RoleDetailList": [{{"Arn": "{arn}:role/app", "RoleName": "app", "AssumeRolePolicyDocument": {trust},
            "RolePolicyList": [{{"PolicyName": "own", "PolicyDocument": {policy}}}],
            "PermissionsBoundary": {{"PermissionsBoundaryArn": "{arn}:policy/edge"}}}}], "Policies": [{policies}]}}"#
    );
    let details = File::new(&format!("{name}-details.json"), details);
    let account = format!(
        r#"{{"kind": "ServiceAccount", "metadata": {{"name": "app", "namespace": "payments", "annotations": {{"eks.amazonaws.com/role-arn": "{arn}:role/app"}}}}}}"#
    );
    let files = ["migrate", "irsa", "-", "-f", ACCOUNT, "--roles", details.path()];
    deputy(&[&files, more].concat(), &account)
}

fn allowing(actions: &str) -> String {
    format!(
        r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Allow", "Action": {actions}, "Resource": "*"}}}}"#
    )
}

#[test]
fn no_limit_allows_what_a_boundary_cuts_off() {
    let new: &[&str] = &["--as", "new"];
    let all = allowing(r#""sqs:*""#);
    let (narrow, wide) = (allowing(r#""sqs:SendMessage""#), allowing(r#"["sqs:*", "s3:*"]"#));
    let cut = "what the boundary cuts off would be allowed";
    for boundary in [Some(narrow.as_str()), None] {
        let made = one_role("cut-new", &all, boundary, new);
        assert!(made.err.contains(cut), "{}", made.err);
        assert!(!made.out.contains("\nkind: "), "{}", made.out);
        let kept = one_role("cut-existing", &all, boundary, &[]);
        assert!(kept.err.contains(cut), "{}", kept.err);
        assert!(kept.out.contains("kind: AWSRole\n") && !kept.out.contains("kind: DelegationLimit"));
    }
    let within = one_role("within", &all, Some(&wide), new);
    assert!(within.out.contains("kind: DelegationLimit"), "{}", within.err);
    assert!(within.err.contains("which cuts off nothing"), "{}", within.err);
}

#[test]
fn what_is_proposed_for_two_accounts_stands_together() {
    let accounts = r#"{"items": [
        {"kind": "ServiceAccount", "metadata": {"name": "one", "namespace": "payments",
            "annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/app"}}},
        {"kind": "ServiceAccount", "metadata": {"name": "two", "namespace": "payments",
            "annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::210987654321:role/app"}}}]}"#;
    let of = |id: &str, name: &str, more: &[&str]| {
        let account = format!(
            "apiVersion: deputy.dev/v1alpha1\nkind: AWSAccount\nmetadata: {{name: {name}}}\nspec:\n  accountID: \"{id}\"\n  \
             partition: aws\n  region: eu-west-1\n  issuer: {{principalARN: \"arn:aws:iam::{id}:role/deputy-broker\"}}\n"
        );
        let account = File::new(&format!("two-{name}.yaml"), account);
        let policy = allowing(r#""sqs:SendMessage""#);
        let details = format!(
            r#"{{"RoleDetailList": [{{"Arn": "arn:aws:iam::{id}:role/app", "RolePolicyList": [{{"PolicyName": "own", "PolicyDocument": {policy}}}]}}]}}"#
        );
        let details = File::new(&format!("two-{name}.json"), details);
        let files = [
            "migrate",
            "irsa",
            "-",
            "-f",
            account.path(),
            "--roles",
            details.path(),
        ];
        let done = deputy(&[&files, more].concat(), accounts);
        assert_eq!(done.code, 0, "{}", done.err);
        (account, File::new(&format!("two-{name}-out.yaml"), done.out))
    };
    // Of existing roles only AWS knows whether they are there.
    for (form, summary) in [
        ("existing", "8 objects: 6 accepted, 2 undecided\n"),
        ("new", "8 objects: 8 accepted\n"),
    ] {
        let first = of("123456789012", "production", &["--as", form]);
        let second = of("210987654321", "staging", &["--as", form]);
        let files = [&first.0, &first.1, &second.0, &second.1].map(File::path);
        let done = deputy(&[&["check"], files.as_slice()].concat(), "");
        assert!(done.out.ends_with(summary), "{}{}", done.out, done.err);
    }
}

#[test]
fn a_policy_of_2008_is_taken_as_one_of_today_where_it_means_the_same() {
    let wide = allowing(r#"["sqs:*", "s3:*"]"#);
    let of = |version: &str, resource: &str| {
        let policy = format!(
            r#"{{{version} "Statement": {{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "{resource}"}}}}"#
        );
        one_role("old", &policy, Some(&wide), &["--as", "new"])
    };
    for version in [r#""Version": "2008-10-17","#, ""] {
        let done = of(version, "arn:aws:s3:::productionapp/*");
        assert!(done.out.contains("kind: AWSRole\n"), "{}", done.err);
        assert!(!done.out.contains("2008"), "{}", done.out);
        let other = of(version, "arn:aws:s3:::productionapp/${aws:username}/*");
        assert!(!other.out.contains("kind: AWSRole\n"), "{}", other.out);
        assert!(
            other.err.contains("it is of 2008, where ${…} is no variable"),
            "{}",
            other.err
        );
        let left = "role arn:aws:iam::123456789012:role/app: no role is proposed; its ServiceAccounts app of namespace payments are left as they are";
        assert!(other.err.contains(left), "{}", other.err);
    }
}

#[test]
fn an_export_of_1500_pods_is_read() {
    let labels: Vec<String> = (0..90).map(|n| format!(r#""l{n}": "v""#)).collect();
    let labels = labels.join(", ");
    let pod = |n: usize| {
        format!(
            r#"{{"kind": "Pod", "metadata": {{"name": "p{n}", "namespace": "payments", "labels": {{{labels}}}, "annotations": {{"iam.amazonaws.com/role": "app"}}}}}}"#
        )
    };
    let pods: Vec<String> = (0..1_500).map(pod).collect();
    let json = format!(r#"{{"kind": "List", "items": [{}]}}"#, pods.join(",\n"));
    let done = deputy(&["migrate", "kube2iam", "-", "-f", ACCOUNT], &json);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.out.contains("kind: AWSRoleBinding"), "{}", done.out);
    let twice = r#"{"kind": "Pod", "kind": "Pod"}"#;
    let done = deputy(&["migrate", "kube2iam", "-", "-f", ACCOUNT], twice);
    assert_eq!(done.code, 2);
    assert!(
        done.err.contains("kind: the key is there more than once"),
        "{}",
        done.err
    );
}
