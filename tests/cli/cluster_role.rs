//! Policies of ClusterAWSRoles: what `${namespace}` is when they are looked at.

use crate::run::{Done, File, deputy};

fn cluster_role(namespaces: &str, resource: &str) -> String {
    format!(
        "apiVersion: deputy.dev/v1alpha1\nkind: ClusterAWSRole\nmetadata: {{name: own-folder}}\nspec:\n  namespaces: {namespaces}\n  \
         policies:\n  - name: own\n    document:\n      Version: \"2012-10-17\"\n      Statement:\n      \
         - {{Effect: Allow, Action: \"s3:GetObject\", Resource: \"{resource}\"}}\n"
    )
}

fn ceiling(resource: &str) -> File {
    let statement = format!(r#"{{"Effect": "Allow", "Action": "s3:*", "Resource": "{resource}"}}"#);
    let name = format!(
        "ceiling-{}.json",
        resource.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
    );
    File::new(
        &name,
        format!(r#"{{"Version": "2012-10-17", "Statement": [{statement}]}}"#),
    )
}

#[test]
fn each_namespace_is_asked_about_and_a_pattern_by_a_stand_in() {
    let own = "arn:aws:s3:::app/${namespace}/*";
    let teams = cluster_role("[payments, \"team-*\"]", own);
    let (payments, team) = (
        "ClusterAWSRole own-folder (namespace payments)",
        "ClusterAWSRole own-folder (namespace team-any-namespace-5e7d0c, which stands for team-*)",
    );
    let exceeds = |of: &str| format!("{of}: exceeds: s3:GetObject on arn:aws:s3:::app/");
    let contained = |of: &str| format!("{of}: contained");
    let cases = [
        (
            "arn:aws:s3:::app/*",
            0,
            vec![contained(payments), contained(team)],
        ),
        (
            "arn:aws:s3:::app/payments/*",
            1,
            vec![contained(payments), exceeds(team)],
        ),
        (
            "arn:aws:s3:::app/team-*",
            1,
            vec![exceeds(payments), contained(team)],
        ),
        // A namespace that the pattern matches is not all of them.
        (
            "arn:aws:s3:::app/team-a/*",
            1,
            vec![exceeds(payments), exceeds(team)],
        ),
    ];
    for (resource, expected, said) in cases {
        let ceiling = ceiling(resource);
        let Done { code, out, err } = deputy(&["policy", "contains", "-", ceiling.path()], &teams);
        assert_eq!((code, err.as_str()), (expected, ""), "{resource}");
        let answers: Vec<&str> = out
            .lines()
            .filter(|line| !line.contains(": allowed by "))
            .collect();
        assert_eq!(answers.len(), said.len(), "{out}");
        for (answer, said) in answers.iter().zip(&said) {
            assert!(answer.starts_with(said), "{resource}: {out}");
        }
    }
    let Done { out, .. } = deputy(
        &["policy", "contains", "-", ceiling("arn:aws:s3:::b/*").path()],
        &teams,
    );
    assert!(
        out.contains("-:11:9: spec.policies[0].document.Statement[0]"),
        "{out}"
    );
    // Without the variable it is the same everywhere.
    let same = cluster_role("[payments, \"team-*\"]", "arn:aws:s3:::app/shared/*");
    let Done { code, out, .. } = deputy(
        &["policy", "contains", "-", ceiling("arn:aws:s3:::app/*").path()],
        &same,
    );
    assert_eq!(
        (code, out.as_str()),
        (0, "ClusterAWSRole own-folder: contained\n")
    );
}

#[test]
fn it_is_looked_at_where_its_name_is_longest() {
    let lint = |namespaces: &str| {
        deputy(
            &["policy", "lint", "-"],
            &cluster_role(namespaces, "arn:aws:s3:::app/${namespace}/*"),
        )
    };
    let size = |done: &Done| -> usize {
        let (_, said) = done.out.rsplit_once("spec.policies[0].document: ").unwrap();
        said.split_once(' ').unwrap().0.parse().unwrap()
    };
    let (named, pattern) = (lint("[pay, payments]"), lint("[payments, \"team-*\"]"));
    assert_eq!(
        (named.code, pattern.code),
        (0, 0),
        "{} {}",
        named.out,
        pattern.out
    );
    assert!(
        named
            .out
            .starts_with("ClusterAWSRole own-folder (namespace payments), spec."),
        "{}",
        named.out
    );
    assert_eq!(size(&pattern), size(&named) + 63 - "payments".len());
}
