//! What is told is true: by the evaluator, which knows nothing of comparing.

use deputy_policy::{
    AccessDecision, Candidate, Containment, Context, Document, Effect, Layers, PolicyKind, Request,
    Statement, Witness, contains, evaluate,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    classes::{PolicyDifference, beyond},
    compare::{DiffAnswer, ObjectDifference, objects},
    report::{markdown, text},
};
use crate::objects::{ReadObject, ReadObjects};

fn document(statements: &[Value]) -> Document {
    let policy = json!({"Version": "2012-10-17", "Statement": statements});
    Document::from_value(&policy, PolicyKind::Identity).unwrap()
}

fn answers(documents: &[Document], request: &Request) -> bool {
    let identity: Vec<&Document> = documents.iter().collect();
    let layers = Layers {
        identity: &identity,
        boundary: None,
        session: None,
    };
    evaluate(&layers, request).decision == AccessDecision::Allowed
}

fn allows(documents: &[Document], witness: &Witness) -> bool {
    let request = Request {
        action: witness.action.clone(),
        resource: witness.resource.clone(),
        principal: witness.principal.clone(),
        context: witness.context.clone(),
    };
    answers(documents, &request)
}

fn difference(these: &[Document], those: &[Document]) -> PolicyDifference {
    beyond(these, those, PolicyKind::Identity)
}

/// What `these` allow, for all that denies what was told, and `those` do not.
fn untold(these: &[Document], those: &[Document], told: &PolicyDifference) -> Option<Witness> {
    let parts = told.classes.iter().flat_map(|class| class.part.statements());
    let denied = parts.map(|part| Statement {
        effect: Effect::Deny,
        sid: None,
        ..part.clone()
    });
    let denied: Vec<Statement> = denied.collect();
    let denied = Document::new(these[0].version(), denied, PolicyKind::Identity).ok();
    let documents: Vec<&Document> = these.iter().chain(&denied).collect();
    match contains(&Candidate::new(&documents), &Document::merge(those).unwrap()) {
        Containment::Exceeds(witness) => Some(witness),
        Containment::Contained(_) | Containment::Unknown(_) => None,
    }
}

fn statement() -> impl Strategy<Value = Value> {
    let effect = prop_oneof![3 => Just("Allow"), 1 => Just("Deny")];
    let action = prop::sample::subsequence(
        vec!["s3:GetObject", "s3:Get*", "s3:PutObject", "sqs:*", "*"],
        1..=3,
    );
    let resource = prop::sample::subsequence(
        vec!["arn:aws:s3:::a/*", "arn:aws:s3:::a/x", "arn:aws:s3:::b/*", "*"],
        1..=2,
    );
    let team = prop_oneof![3 => Just(None), 1 => Just(Some("red")), 1 => Just(Some("blue"))];
    (effect, action, resource, team, any::<bool>()).prop_map(|(effect, action, resource, team, negated)| {
        let action_key = if negated && effect == "Deny" {
            "NotAction"
        } else {
            "Action"
        };
        let mut statement = json!({"Effect": effect, "Resource": resource});
        statement[action_key] = json!(action);
        if let Some(team) = team {
            statement["Condition"] = json!({"StringEquals": {"aws:PrincipalTag/team": team}});
        }
        statement
    })
}

fn policies() -> impl Strategy<Value = Vec<Document>> {
    let policy = prop::collection::vec(statement(), 1..4).prop_map(|statements| document(&statements));
    prop::collection::vec(policy, 0..3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn policies_differ_in_nothing_from_themselves(policies in policies()) {
        prop_assert_eq!(difference(&policies, &policies), PolicyDifference::default());
    }

    #[test]
    fn a_witness_is_allowed_by_one_side_and_not_by_the_other(old in policies(), new in policies()) {
        for (these, those) in [(&new, &old), (&old, &new)] {
            for class in difference(these, those).classes {
                prop_assert!(allows(these, &class.witness), "{}", class.witness);
                prop_assert!(!allows(those, &class.witness), "{}", class.witness);
            }
        }
    }

    #[test]
    fn what_is_told_is_all_that_one_side_allows_beyond_the_other(old in policies(), new in policies()) {
        for (these, those) in [(&new, &old), (&old, &new)] {
            let told = difference(these, those);
            if told.unknown.is_empty() && !these.is_empty() && !those.is_empty() {
                let untold = untold(these, those, &told).map(|witness| witness.to_string());
                prop_assert_eq!(untold, None);
            }
        }
    }

    #[test]
    fn where_nothing_is_told_no_request_is_beyond(
        old in policies(),
        new in policies(),
        action in prop::sample::select(vec!["s3:GetObject", "s3:GetBucketAcl", "s3:PutObject", "sqs:SendMessage", "ec2:RunInstances"]),
        resource in prop::sample::select(vec!["arn:aws:s3:::a/x", "arn:aws:s3:::a/y", "arn:aws:s3:::b/x", "*"]),
        team in prop::sample::select(vec!["red", "blue", "green"]),
    ) {
        let found = difference(&new, &old);
        if found == PolicyDifference::default() {
            let mut context = Context::new();
            context.set("aws:PrincipalTag/team", [team]);
            let request = Request {
                action: action.to_owned(), resource: resource.to_owned(), principal: None, context,
            };
            prop_assert!(!answers(&new, &request) || answers(&old, &request), "{request:?}");
        }
    }
}

#[test]
fn a_statement_is_taken_apart_as_far_as_it_exceeds() {
    let old = [document(&[
        json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/*"}),
    ])];
    let new = [document(&[json!({
        "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": ["arn:aws:s3:::a/*", "arn:aws:s3:::b/*"],
    })])];
    let found = difference(&new, &old);
    let told: Vec<(&str, &str)> = found
        .classes
        .iter()
        .map(|class| (class.actions.as_str(), class.resources.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("s3:GetObject", "arn:aws:s3:::b/*"),
            ("s3:PutObject", "arn:aws:s3:::a/*"),
            ("s3:PutObject", "arn:aws:s3:::b/*")
        ]
    );
    assert_eq!(difference(&old, &new), PolicyDifference::default());
}

#[test]
fn a_wider_statement_is_told_beside_a_narrower_one() {
    let allow = |action: &str| json!({"Effect": "Allow", "Action": action, "Resource": "*"});
    let old = [document(&[allow("sqs:SendMessage")])];
    let told = |statements: &[Value]| {
        let classes = difference(&[document(statements)], &old).classes;
        let actions = classes.into_iter().map(|class| class.actions);
        actions.collect::<Vec<String>>()
    };
    let (narrow, wide) = (allow("s3:GetObject"), allow("*"));
    assert_eq!(told(&[narrow.clone(), wide.clone()]), ["s3:GetObject", "*"]);
    // What the wider one has said already is not said again.
    assert_eq!(told(&[wide, narrow]), ["*"]);
}

#[test]
fn a_deny_that_goes_allows_what_it_denied() {
    let allow = json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"});
    let deny = json!({"Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*"});
    let (old, new) = ([document(&[allow.clone(), deny])], [document(&[allow])]);
    let found = difference(&new, &old);
    assert_eq!(found.classes.len(), 1);
    assert_eq!(found.classes[0].witness.action.to_lowercase(), "s3:deletebucket");
    // Against nothing everything is new, and of nothing there is nothing.
    assert_eq!(difference(&new, &[]).classes.len(), 1);
    assert_eq!(difference(&[], &new), PolicyDifference::default());
}

#[test]
fn policies_that_cant_be_put_together_are_unknown_and_not_the_same() {
    let policy = |version: &str| {
        let statement = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::a/*"});
        let policy = json!({"Version": version, "Statement": [statement]});
        Document::from_value(&policy, PolicyKind::Resource).unwrap()
    };
    let (old, new) = (policy("2008-10-17"), policy("2012-10-17"));
    let found = beyond(
        std::slice::from_ref(&new),
        &[old, new.clone()],
        PolicyKind::Resource,
    );
    assert_eq!((found.classes.len(), found.unknown.len()), (0, 1));
}

fn read(text: &str) -> Vec<ReadObject> {
    let read = ReadObjects::of_text("x.yaml", text.to_owned(), None);
    assert!(read.problems.is_empty(), "{:?}", read.problems);
    read.objects
}

fn binding(session: &str) -> String {
    format!(
        "apiVersion: deputy.dev/v1alpha1\nkind: AWSRoleBinding\nmetadata: {{name: b, namespace: payments}}\nspec:\n  \
         roleRef: {{kind: AWSRole, name: r}}\n  subjects: [{{kind: ServiceAccount, name: s}}]\n{session}"
    )
}

#[test]
fn a_session_policy_that_comes_takes_away_and_one_that_goes_gives_all() {
    let all = read(&binding(""));
    let some = read(&binding(
        "  session:\n    policy: {Version: \"2012-10-17\", Statement: [{Effect: Allow, Action: s3:Get*, Resource: \"*\"}]}\n",
    ));
    let found = objects(&all, &some).unwrap();
    assert!(found[0].newly_allowed.is_empty());
    assert_eq!(found[0].newly_denied[0].actions, "all that its role allows");
    let found = objects(&some, &all).unwrap();
    assert_eq!(found[0].newly_allowed[0].actions, "all that its role allows");
    assert!(objects(&some, &some).unwrap().is_empty());
    let managed = read(&binding(
        "  session:\n    policyARNs: [\"arn:aws:iam::aws:policy/ReadOnlyAccess\"]\n",
    ));
    let found = objects(&all, &managed).unwrap();
    assert!(!found[0].unknown.is_empty(), "{found:?}");
}

#[test]
fn beside_a_managed_policy_it_is_not_known_what_is_newly_denied() {
    let role = |managed: &str, actions: &str| {
        read(&format!(
            "apiVersion: deputy.dev/v1alpha1\nkind: AWSRole\nmetadata: {{name: r, namespace: payments}}\nspec:\n  \
             accountRef: {{name: production}}\n  {managed}policies:\n  - name: p\n    \
             document: {{Version: \"2012-10-17\", Statement: [{{Effect: Allow, Action: {actions}, Resource: \"*\"}}]}}\n"
        ))
    };
    let managed = "managedPolicyARNs: [\"arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess\"]\n  ";
    let (wide, narrow) = ("[\"s3:GetObject\", \"sqs:SendMessage\"]", "[\"sqs:SendMessage\"]");
    for (what, old, new) in [("deny", wide, narrow), ("allow", narrow, wide)] {
        let found = objects(&role(managed, old), &role(managed, new)).unwrap();
        assert!(
            found[0].newly_denied.is_empty() && found[0].newly_allowed.is_empty(),
            "{found:?}"
        );
        let told = format!("by themselves its own policies newly {what} s3:GetObject on *, such as");
        let unknown = &found[0].unknown;
        assert!(unknown.len() == 1 && unknown[0].starts_with(&told), "{found:?}");
        assert!(unknown[0].contains("AmazonS3ReadOnlyAccess"), "{found:?}");
        // Without one it is known.
        let found = objects(&role("", old), &role("", new)).unwrap();
        assert!(found[0].unknown.is_empty(), "{found:?}");
        assert_eq!(
            found[0].newly_denied.len() + found[0].newly_allowed.len(),
            1,
            "{found:?}"
        );
    }
    assert!(
        objects(&role(managed, wide), &role(managed, wide))
            .unwrap()
            .is_empty()
    );
}

fn cluster_role(namespaces: &str, statements: &str) -> Vec<ReadObject> {
    read(&format!(
        "apiVersion: deputy.dev/v1alpha1\nkind: ClusterAWSRole\nmetadata: {{name: own}}\nspec:\n  namespaces: [{namespaces}]\n  \
         policies:\n  - name: p\n    document: {{Version: \"2012-10-17\", Statement: [{statements}]}}\n"
    ))
}

fn reads(resource: &str) -> String {
    format!("{{Effect: Allow, Action: s3:GetObject, Resource: \"{resource}\"}}")
}

#[test]
fn a_cluster_role_is_compared_in_the_namespaces_that_it_names() {
    let role = |resource: &str| cluster_role("payments, \"team-*\"", &reads(resource));
    let found = objects(
        &role("arn:aws:s3:::a/${namespace}/*"),
        &role("arn:aws:s3:::a/payments/*"),
    )
    .unwrap();
    let allowed: Vec<_> = found[0]
        .newly_allowed
        .iter()
        .map(|class| class.namespace.as_deref())
        .collect();
    assert_eq!(allowed, [Some("team-any-namespace-5e7d0c")]);
}

#[test]
fn what_changes_in_a_namespace_that_is_not_looked_at_is_unknown() {
    let many: Vec<String> = (0..25).map(|i| format!("ns{i:02}")).collect();
    let many = many.join(", ");
    for (namespaces, denied) in [("\"team-*\"", "team-vault"), (many.as_str(), "ns24")] {
        let allow = reads("arn:aws:s3:::${namespace}-data/*");
        let deny = reads(&format!("arn:aws:s3:::{denied}-data/*")).replace("Allow", "Deny");
        let old = cluster_role(namespaces, &format!("{allow}, {deny}"));
        let new = cluster_role(namespaces, &allow);
        let found = objects(&old, &new).unwrap();
        let told = &found[0].unknown;
        assert!(
            told.len() == 1 && told[0].contains("spec.policies[0].document.Statement[1] (old)"),
            "{found:?}"
        );
        assert!(objects(&old, &old).unwrap().is_empty());
        // Where every namespace was looked at, it is known.
        let few = |statements: &str| cluster_role("payments", statements);
        let found = objects(&few(&format!("{allow}, {deny}")), &few(&allow)).unwrap();
        assert!(found.is_empty(), "{found:?}");
    }
}

fn answer(objects: &[ObjectDifference]) -> DiffAnswer {
    DiffAnswer {
        objects: objects.to_vec(),
        passed_over: (0, 0),
    }
}

#[test]
fn everything_that_changes_has_a_line() {
    let old = binding("").replace("name: s}", "name: gone}");
    let new = binding("  session: {duration: 2h, tags: {team: \"red\"}}\n");
    let found = objects(&read(&old), &read(&new)).unwrap();
    let told = text(&answer(&found));
    for expected in [
        "AWSRoleBinding payments/b (changed)\n",
        "  ~ spec.subjects (who gets sessions): ServiceAccount s, was ServiceAccount gone\n",
        "  ~ spec.session.duration (how long a session is): added 2h\n",
        "  ~ spec.session.tags.team (which tags a session has): added red\n",
    ] {
        assert!(told.contains(expected), "{told}");
    }
    let told = markdown(&answer(&found));
    assert!(told.starts_with("<!-- deputy diff -->\n"), "{told}");
    assert_eq!(text(&answer(&[])), "nothing differs\n");
    let removed = objects(&read(&old), &[]).unwrap();
    assert_eq!(removed[0].newly_denied.len(), 1);
}
